package stage

import (
	"time"

	"github.com/jmsbridge/jmsbridge/bridge"
)

// value is what a field holds, before it is written.
type value struct {
	form        form
	typed       bridge.Value
	destination bridge.Destination
	instant     time.Time
}

type form uint8

const (
	formMissing form = iota
	formText         // a header's text: "" is not set
	formTyped
	formDestination
	formInstant
)

func (v *value) isSet() bool {
	switch v.form {
	case formText:
		return v.typed.Str() != ""
	case formTyped:
		return v.typed.Type() != bridge.NullType
	case formDestination:
		return !v.destination.IsZero()
	case formInstant:
		return !v.instant.IsZero()
	default:
		return false
	}
}

func (v *value) isFalse() bool {
	return v.form == formTyped && v.typed.Type() == bridge.BooleanType && !v.typed.Bool()
}

func text(s string) value { return value{form: formText, typed: bridge.String(s)} }

func typed(v bridge.Value) value { return value{form: formTyped, typed: v} }

// unless is a number that is not set when it is zero.
func unless(zero bool, n int64) value {
	if zero {
		return value{}
	}
	return typed(bridge.Long(n))
}

// headers are the fields of the envelope that a template can read, but for properties.
var headers = map[string]func(m *bridge.Message, _ string) value{
	"message_id":     func(m *bridge.Message, _ string) value { return text(m.ID) },
	"correlation_id": func(m *bridge.Message, _ string) value { return text(m.CorrelationID) },
	"reply_to":       func(m *bridge.Message, _ string) value { return value{form: formDestination, destination: m.ReplyTo} },
	"type":           func(m *bridge.Message, _ string) value { return text(m.Type) },
	"destination": func(m *bridge.Message, _ string) value {
		return value{form: formDestination, destination: m.Destination}
	},
	"timestamp":      func(m *bridge.Message, _ string) value { return value{form: formInstant, instant: m.Timestamp} },
	"expiration":     func(m *bridge.Message, _ string) value { return value{form: formInstant, instant: m.Expiration} },
	"priority":       func(m *bridge.Message, _ string) value { return typed(bridge.Long(int64(m.Priority))) },
	"persistent":     func(m *bridge.Message, _ string) value { return typed(bridge.Boolean(m.Persistent)) },
	"redelivered":    func(m *bridge.Message, _ string) value { return typed(bridge.Boolean(m.Redelivered)) },
	"delivery_count": func(m *bridge.Message, _ string) value { return unless(m.DeliveryCount <= 0, int64(m.DeliveryCount)) },
	"group_id":       func(m *bridge.Message, _ string) value { return text(m.GroupID) },
	"group_seq":      func(m *bridge.Message, _ string) value { return unless(m.GroupSeq == 0, int64(m.GroupSeq)) },
	"user_id":        func(m *bridge.Message, _ string) value { return text(m.UserID) },
	"body_type":      func(m *bridge.Message, _ string) value { return text(m.Body.Kind().String()) },
}

func property(m *bridge.Message, name string) value {
	v, ok := m.Properties.Lookup(name)
	if !ok {
		return value{}
	}
	return typed(v)
}
