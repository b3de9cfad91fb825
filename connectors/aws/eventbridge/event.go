package eventbridge

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/jmsbridge/jmsbridge/bridge"
	"github.com/jmsbridge/jmsbridge/bridge/envelope"
	"github.com/jmsbridge/jmsbridge/bridge/stage"
	"github.com/jmsbridge/jmsbridge/connectors/aws"
)

// form says how messages become events. It is not changed.
type form struct{ set *SinkSettings }

// work is one event, in a buffer that is used again.
type work struct {
	bus, source, detailType, trace string
	resources                      []string
	at                             time.Time
	detail                         []byte
}

var works = sync.Pool{New: func() any { return &work{} }} //nolint:gochecknoglobals // a pool has no state of its own

const (
	maxDetailType = 128
	keptBuffer    = 256 << 10
	// timeBytes is what EventBridge counts for a time (EventBridge user guide, "calculating PutEvents event entry size").
	timeBytes = 14
)

var errObject = bridge.Errorf(bridge.Permanent, "the message holds a serialised Java object, which this target rejects (object: reject)")

// fill makes the event of one message. The error is of class Permanent.
func (w *work) fill(f *form, o *bridge.Outgoing) error {
	m, set := o.Message, f.set
	if cap(w.detail) > keptBuffer {
		w.detail = nil
	}
	if m.Body.Kind() == bridge.ObjectBody && !set.ObjectBase64 {
		return errObject
	}
	for _, part := range []struct {
		to       *string
		template *stage.Template
		what     string
	}{{&w.bus, set.Bus, "bus"}, {&w.source, set.Source, "source"}, {&w.detailType, set.DetailType, "detail-type"}} {
		text, err := part.template.Expand(m)
		if err != nil {
			return fmt.Errorf("making the %s: %w", part.what, err)
		}
		*part.to = text
	}
	w.resources = w.resources[:0]
	for _, template := range set.Resources {
		text, err := template.Expand(m)
		if err != nil {
			return fmt.Errorf("making a resource: %w", err)
		}
		w.resources = append(w.resources, text)
	}
	w.at, w.trace = m.Timestamp, aws.TraceHeader(m.Properties)
	if err := w.judge(set, m); err != nil {
		return err
	}
	var err error
	if set.Body {
		w.detail, err = appendBody(w.detail[:0], m.Body)
	} else {
		w.detail, err = envelope.AppendRequest(w.detail[:0], m, o.Ask)
	}
	return err
}

// judge refuses what EventBridge would, and a bus that is not allowed.
func (w *work) judge(set *SinkSettings, m *bridge.Message) error {
	refuse := func(code, format string, args ...any) error {
		return &bridge.Error{Class: bridge.Permanent, Code: code, Err: fmt.Errorf(format, args...)}
	}
	switch {
	case w.source == "" || strings.HasPrefix(w.source, "aws."):
		return refuse("InvalidSource", "the source %.100q is empty or one of AWS's own", w.source)
	case w.detailType == "" || utf8.RuneCountInString(w.detailType) > maxDetailType:
		return refuse("InvalidDetailType", "the detail-type %.100q is empty or longer than %d characters", w.detailType, maxDetailType)
	case set.Allows != nil && !set.Allows(w.bus):
		e := &bridge.Error{
			Class: bridge.Permanent, Code: "DestinationNotAllowed", Err: fmt.Errorf("the event bus %.100q is not allowed", w.bus),
			Remedy: "add it to the target's allow list, or correct the sender",
		}
		return e
	}
	if set.Time == nil {
		return nil
	}
	text, err := set.Time.Expand(m)
	if err != nil {
		return fmt.Errorf("making the time: %w", err)
	}
	if w.at, err = time.Parse(time.RFC3339, text); err != nil {
		return refuse("InvalidTime", "the time %.100q is not in RFC 3339", text)
	}
	return nil
}

// appendBody appends the detail of a body alone.
func appendBody(dst []byte, b bridge.Body) ([]byte, error) {
	data := b.Data()
	switch b.Kind() {
	case bridge.NoBody:
		return append(dst, '{', '}'), nil
	case bridge.MapBody:
		return envelope.AppendContent(dst, b)
	case bridge.BytesBody, bridge.ObjectBody:
		dst = append(dst, `{"data_base64":"`...)
		return append(base64.StdEncoding.AppendEncode(dst, []byte(data)), '"', '}'), nil
	case bridge.TextBody:
		if json.Valid([]byte(data)) {
			if strings.HasPrefix(strings.TrimLeft(data, " \t\r\n"), "{") {
				return append(dst, data...), nil
			}
			return append(append(append(dst, `{"data":`...), data...), '}'), nil
		}
	}
	dst, err := envelope.AppendContent(append(dst, `{"data":`...), b)
	return append(dst, '}'), err
}

// size is what EventBridge counts.
func (w *work) size() int {
	n := len(w.source) + len(w.detailType) + len(w.detail)
	if !w.at.IsZero() {
		n += timeBytes
	}
	for _, r := range w.resources {
		n += len(r)
	}
	return n
}

// appendEntry appends a PutEventsRequestEntry.
func (w *work) appendEntry(dst []byte) []byte {
	text := func(key, value string) {
		dst = append(append(append(append(dst, ',', '"'), key...), '"', ':'), quoted(value)...)
	}
	dst = append(append(dst, `{"Detail":`...), quoted(string(w.detail))...)
	text("Source", w.source)
	text("DetailType", w.detailType)
	text("EventBusName", w.bus)
	if w.trace != "" {
		text("TraceHeader", w.trace)
	}
	if !w.at.IsZero() { // a timestamp of JSON 1.1 is in seconds
		dst = append(dst, `,"Time":`...)
		dst = strconv.AppendFloat(dst, float64(w.at.UnixMilli())/1000, 'f', 3, 64)
	}
	if len(w.resources) > 0 {
		dst = append(dst, `,"Resources":[`...)
		for i, r := range w.resources {
			if i > 0 {
				dst = append(dst, ',')
			}
			dst = append(dst, quoted(r)...)
		}
		dst = append(dst, ']')
	}
	return append(dst, '}')
}

// quoted returns text as a JSON string.
func quoted(s string) []byte {
	b, err := envelope.AppendContent(nil, bridge.NewText(s))
	if err != nil { // no valid UTF-8, which a source does not hand over
		return []byte(`""`)
	}
	return b
}
