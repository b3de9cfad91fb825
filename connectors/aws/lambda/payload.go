package lambda

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"strconv"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/jmsbridge/jmsbridge/bridge"
	"github.com/jmsbridge/jmsbridge/bridge/envelope"
)

// form says how messages become a payload. It is not changed.
type form struct {
	payload      Payload
	list         bool
	objectBase64 bool
	sourceARN    string
	now          func() time.Time // nil: time.Now
}

const keptBuffer = 256 << 10

var buffers = sync.Pool{New: func() any { b := make([]byte, 0, 4<<10); return &b }} //nolint:gochecknoglobals // a pool has no state of its own

var errObject = bridge.Errorf(bridge.Permanent, "the message holds a serialised Java object, which this target rejects (object: reject)")

// frame is the length of what stands around the messages.
func (f *form) frame() int {
	empty, _ := f.appendPayload(nil, nil) // only a message can be wrong; NewSink has looked at the rest
	return len(empty)
}

// appendPayload appends what one call sends.
func (f *form) appendPayload(dst []byte, batch []bridge.Outgoing) ([]byte, error) {
	var err error
	switch {
	case f.payload == ActiveMQ:
		dst = append(dst, `{"eventSource":"aws:mq","eventSourceArn":`...)
		if dst, err = appendString(dst, f.sourceARN); err != nil {
			return dst, err
		}
		dst = append(dst, `,"messages":[`...)
	case f.list:
		dst = append(dst, '[')
	}
	for i := range batch {
		if i > 0 {
			dst = append(dst, ',')
		}
		if dst, err = f.appendMessage(dst, &batch[i]); err != nil {
			return dst, err
		}
	}
	switch {
	case f.payload == ActiveMQ:
		dst = append(dst, ']', '}')
	case f.list:
		dst = append(dst, ']')
	}
	return dst, nil
}

// appendMessage appends one message. The error is of class Permanent.
func (f *form) appendMessage(dst []byte, o *bridge.Outgoing) ([]byte, error) {
	m := o.Message
	if m.Body.Kind() == bridge.ObjectBody && !f.objectBase64 {
		return dst, errObject
	}
	switch f.payload {
	case ActiveMQ:
		return f.appendActiveMQ(dst, m)
	case Body:
		return appendBody(dst, m.Body)
	default:
		return envelope.AppendRequest(dst, m, o.Ask)
	}
}

// appendBody appends a body alone.
func appendBody(dst []byte, b bridge.Body) ([]byte, error) {
	data := b.Data()
	switch b.Kind() {
	case bridge.NoBody:
		return append(dst, "null"...), nil
	case bridge.TextBody:
		if json.Valid([]byte(data)) && utf8.ValidString(data) { // which json.Valid does not look at
			return append(dst, data...), nil
		}
		return envelope.AppendContent(dst, b)
	default:
		return envelope.AppendContent(dst, b)
	}
}

// appendActiveMQ appends a message as Lambda's mapping for Amazon MQ has it.
func (f *form) appendActiveMQ(dst []byte, m *bridge.Message) ([]byte, error) {
	var kind string
	switch m.Body.Kind() {
	case bridge.TextBody:
		kind = "jms/text-message"
	case bridge.BytesBody:
		kind = "jms/bytes-message"
	default:
		return dst, bridge.Errorf(bridge.Permanent, "the payload aws:mq knows texts and bytes, and this message is of type %s", m.Body.Kind())
	}
	mode := int64(1)
	if m.Persistent {
		mode = 2
	}
	var problem error
	text := func(key, value string) {
		var err error
		if dst, err = appendString(appendKey(dst, key), value); err != nil && problem == nil {
			problem = bridge.Errorf(bridge.Permanent, "%s is not valid UTF-8", key)
		}
	}
	number := func(key string, n int64) { dst = strconv.AppendInt(appendKey(dst, key), n, 10) }
	dst = append(dst, '{')
	text("messageID", m.ID)
	text("messageType", kind)
	number("timestamp", millis(m.Timestamp))
	number("deliveryMode", mode)
	text("correlationID", m.CorrelationID)
	text("replyTo", replyTo(m.ReplyTo))
	dst = append(appendKey(dst, "destination"), '{')
	text("physicalName", m.Destination.Name)
	dst = append(dst, '}')
	dst = strconv.AppendBool(appendKey(dst, "redelivered"), m.Redelivered)
	text("type", m.Type)
	number("expiration", millis(m.Expiration))
	number("priority", int64(m.Priority))
	dst = base64.StdEncoding.AppendEncode(append(appendKey(dst, "data"), '"'), []byte(m.Body.Data()))
	dst = append(dst, '"')
	in, out := f.brokerTimes(m)
	number("brokerInTime", in)
	number("brokerOutTime", out)
	text("connectionId", "")
	dst = append(appendKey(dst, "properties"), '{')
	for name, v := range m.Properties.All() {
		if problem != nil {
			return dst, problem
		}
		var err error
		if dst, err = appendString(separated(dst), name); err == nil {
			dst, err = appendText(append(dst, ':'), v)
		}
		if err != nil {
			return dst, fmt.Errorf("property %.100q: %w", name, err)
		}
	}
	return append(dst, '}', '}'), problem
}

// brokerTimes are when the broker got the message and gave it out, where the wire does not tell: JMSTimestamp and now.
func (f *form) brokerTimes(m *bridge.Message) (in, out int64) {
	now := time.Now().UnixMilli()
	if f.now != nil {
		now = millis(f.now())
	}
	in = millis(m.Timestamp)
	if in == 0 {
		in = now
	}
	return in, now
}

// replyTo spells a destination as ActiveMQ's own toString does; "null" for none, as the mapping sends it.
func replyTo(d bridge.Destination) string {
	if d.IsZero() {
		return "null"
	}
	return d.Kind.String() + "://" + d.Name
}

// appendText appends a property as a JSON string of its text, as the mapping sends all of them: bytes in base64, maps and
// lists as the envelope's JSON.
func appendText(dst []byte, v bridge.Value) ([]byte, error) {
	switch v.Type() {
	case bridge.StringType:
		return appendString(dst, v.Str())
	case bridge.CharType, bridge.MapType, bridge.ListType: // whose text may need escapes
		text, err := envelope.AppendValue(nil, v)
		if err != nil {
			return dst, err
		}
		return appendString(dst, string(text))
	default:
		dst, err := envelope.AppendValue(append(dst, '"'), v)
		return append(dst, '"'), err
	}
}

func millis(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMilli()
}

func appendKey(dst []byte, key string) []byte {
	dst = append(append(separated(dst), '"'), key...) // a name of ours, which needs no escapes
	return append(dst, '"', ':')
}

// separated appends a comma unless an object has just begun.
func separated(dst []byte) []byte {
	if dst[len(dst)-1] == '{' {
		return dst
	}
	return append(dst, ',')
}

// appendString appends a JSON string. The error is of class Permanent, for what is no valid UTF-8.
func appendString(dst []byte, s string) ([]byte, error) {
	return envelope.AppendContent(dst, bridge.NewText(s))
}
