package sqs

import (
	"strconv"

	"github.com/jmsbridge/jmsbridge/bridge"
	"github.com/jmsbridge/jmsbridge/bridge/envelope"
)

// appendMore appends the value of jmsbridge.more: an object with the fields of an envelope that found no room, and
// body_types when types is set. It appends nothing when there is nothing to say.
func (w *work) appendMore(dst []byte, m *bridge.Message, types bool) ([]byte, error) {
	start := len(dst)
	dst = append(dst, '{')
	if w.leftHeader != 0 {
		partial, err := w.appendHeaders(dst, m)
		if err != nil {
			return dst[:start], err
		}
		dst = partial
	}
	if len(w.left) > 0 {
		at := len(dst)
		b, err := envelope.AppendProperties(dst, w.left)
		if err != nil {
			return dst[:start], err
		}
		dst = joined(b, at)
		dst = dst[:len(dst)-1] // its closing brace
	}
	if types {
		at := len(dst)
		b := append(dst, `,"body_types":`...)
		value := len(b)
		b, err := envelope.AppendContentTypes(b, m.Body)
		switch {
		case err != nil:
			return dst[:start], err
		case len(b) == value:
			dst = dst[:at]
		default:
			if b[at-1] == '{' {
				b = append(b[:at], b[at+1:]...)
			}
			dst = b
		}
	}
	if len(dst) == start+1 {
		return dst[:start], nil
	}
	return append(dst, '}'), nil
}

// joined replaces the opening brace at at by a comma, or drops it right after another.
func joined(b []byte, at int) []byte {
	if b[at-1] == '{' {
		return append(b[:at], b[at+1:]...)
	}
	b[at] = ','
	return b
}

// appendHeaders appends the headers that are left, as an envelope of nothing else would have them.
func (w *work) appendHeaders(dst []byte, m *bridge.Message) ([]byte, error) {
	var some bridge.Message
	text := func(bit header, to *string, from string) {
		if w.leftHeader&bit != 0 {
			*to = from
		}
	}
	text(headerMessageID, &some.ID, m.ID)
	text(headerCorrelationID, &some.CorrelationID, m.CorrelationID)
	text(headerType, &some.Type, m.Type)
	text(headerUserID, &some.UserID, m.UserID)
	text(headerGroupID, &some.GroupID, m.GroupID)
	if w.leftHeader&headerDestination != 0 {
		some.Destination = m.Destination
	}
	if w.leftHeader&headerReplyTo != 0 {
		some.ReplyTo = m.ReplyTo
	}
	if w.leftHeader&headerTimestamp != 0 {
		some.Timestamp = m.Timestamp
	}
	if w.leftHeader&headerExpiration != 0 {
		some.Expiration = m.Expiration
	}
	if w.leftHeader&headerGroupSeq != 0 {
		some.GroupSeq = m.GroupSeq
	}
	return appendSet(dst, &some, w.leftHeader, m)
}

// appendSet writes fields by hand in the envelope's order: envelope.Append always writes some that are not meant here.
func appendSet(dst []byte, some *bridge.Message, left header, m *bridge.Message) ([]byte, error) {
	var err error
	field := func(name, value string) {
		if value == "" || err != nil {
			return
		}
		dst = key(dst, name)
		dst, err = envelope.AppendContent(dst, bridge.NewText(value))
	}
	instant := func(name string, set bool, at func([]byte) []byte) {
		if set {
			dst = append(at(append(key(dst, name), '"')), '"')
		}
	}
	field("message_id", some.ID)
	field("correlation_id", some.CorrelationID)
	field("reply_to", some.ReplyTo.String())
	field("type", some.Type)
	field("destination", some.Destination.String())
	instant("timestamp", !some.Timestamp.IsZero(), func(b []byte) []byte { return envelope.AppendInstant(b, some.Timestamp) })
	instant("expiration", !some.Expiration.IsZero(), func(b []byte) []byte { return envelope.AppendInstant(b, some.Expiration) })
	if left&headerPriority != 0 {
		dst = strconv.AppendUint(key(dst, "priority"), uint64(m.Priority), 10)
	}
	if left&headerDeliveryMode != 0 {
		dst = strconv.AppendBool(key(dst, "persistent"), m.Persistent)
	}
	if left&headerRedelivered != 0 {
		dst = strconv.AppendBool(key(dst, "redelivered"), m.Redelivered)
	}
	field("group_id", some.GroupID)
	if some.GroupSeq != 0 {
		dst = strconv.AppendInt(key(dst, "group_seq"), int64(some.GroupSeq), 10)
	}
	field("user_id", some.UserID)
	return dst, err
}

func key(dst []byte, name string) []byte {
	if dst[len(dst)-1] != '{' {
		dst = append(dst, ',')
	}
	dst = append(dst, '"')
	dst = append(dst, name...)
	return append(dst, '"', ':')
}
