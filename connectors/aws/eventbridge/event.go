package eventbridge

import (
	"bytes"
	"encoding/json"
	"errors"
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

// work is one event, and the places of those of a call that have a form, in buffers that are used again.
type work struct {
	bus, source, detailType, trace string
	resources                      []string
	at                             time.Time
	detail                         []byte
	places                         []int
}

var works = sync.Pool{New: func() any { return &work{} }}

const (
	maxDetailType = 128
	maxBusName    = 1600
	keptBuffer    = 256 << 10
	// timeBytes is what EventBridge counts for a time (EventBridge user guide, "calculating PutEvents event entry size").
	timeBytes = 14
	// maxDepth is how deep a text that is JSON may be nested to go as it stands: readers in Java take 1,000 levels, and the
	// event adds its own.
	maxDepth = 900
)

var (
	errObject = bridge.Errorf(bridge.Permanent, "the message holds a serialised Java object, which this target rejects (object: reject)")
	errText   = &bridge.Error{
		Class: bridge.Permanent, Code: "InvalidText",
		Err: errors.New("bus, source, detail-type or a resource is not valid UTF-8, or holds U+FFFE or U+FFFF, with which no event reaches an SQS queue"),
	}
)

// legal tells whether a text may stand outside the detail, where nothing of ours can escape it.
func legal(s string) bool { return utf8.ValidString(s) && !aws.HasNoncharacter(s) }

// fill makes the event of one message. The error is of class Permanent.
func (w *work) fill(f *form, o *bridge.Outgoing) error {
	if err := w.head(f, o.Message); err != nil {
		return err
	}
	if cap(w.detail) > keptBuffer {
		w.detail = nil
	}
	var err error
	if f.set.Body {
		w.detail, err = appendBody(w.detail[:0], o.Message.Body)
	} else {
		w.detail, err = envelope.AppendRequest(w.detail[:0], o.Message, o.Ask)
	}
	if err == nil {
		w.detail = aws.EscapeNoncharacters(w.detail, 0)
	}
	return err
}

// head makes all of the event but its detail.
func (w *work) head(f *form, m *bridge.Message) error {
	set := f.set
	w.detail = w.detail[:0]
	if m.Body.Kind() == bridge.ObjectBody && !set.ObjectBase64 {
		return errObject
	}
	for _, part := range [...]struct {
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
	valid := legal(w.bus) && legal(w.source) && legal(w.detailType)
	for _, template := range set.Resources {
		text, err := template.Expand(m)
		if err != nil {
			return fmt.Errorf("making a resource: %w", err)
		}
		valid = valid && legal(text)
		w.resources = append(w.resources, text)
	}
	if !valid {
		return errText
	}
	w.at, w.trace = m.Timestamp, aws.TraceHeader(m.Properties)
	if set.Time != nil {
		if err := w.timeOf(set.Time, m); err != nil {
			return err
		}
	}
	if y := w.at.UTC().Year(); y < 1 || y > 9999 { // a broken clock's, which RFC 3339 can't write
		w.at = time.Time{}
	}
	return w.judge(set)
}

// timeOf makes the time from its template.
func (w *work) timeOf(t *stage.Template, m *bridge.Message) error {
	text, err := t.Expand(m)
	if err != nil {
		return fmt.Errorf("making the time: %w", err)
	}
	if w.at, err = time.Parse(time.RFC3339, text); err != nil {
		return refuse("InvalidTime", "the time %.100q is not in RFC 3339", text)
	}
	return nil
}

func refuse(code, format string, args ...any) *bridge.Error {
	return &bridge.Error{Class: bridge.Permanent, Code: code, Err: fmt.Errorf(format, args...)}
}

// judge refuses what EventBridge would, and a bus that is not allowed.
func (w *work) judge(set *SinkSettings) error {
	if set.Allows != nil && !set.Allows(w.bus) {
		e := refuse("DestinationNotAllowed", "the event bus %.100q is not allowed", w.bus)
		e.Remedy = "add it to the target's allow list, or correct the sender"
		return e
	}
	if e := judgeBus(w.bus); e != nil {
		return e
	}
	if e := judgeSource(w.source); e != nil {
		return e
	}
	if e := judgeDetailType(w.detailType); e != nil {
		return e
	}
	return nil
}

// judgeBus refuses what is no name or ARN of a bus. EventBridge would refuse the whole call for it.
func judgeBus(bus string) *bridge.Error {
	ok := bus != "" && len(bus) <= maxBusName
	for i := range len(bus) {
		c := bus[i]
		ok = ok && (c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '-' || c == '_' || c == '.' || c == '/' ||
			c == ':' && strings.HasPrefix(bus, "arn:"))
	}
	if !ok {
		return refuse("InvalidBus", "%.100q is no name or ARN of an event bus", bus)
	}
	return nil
}

func judgeSource(source string) *bridge.Error {
	if source == "" || strings.HasPrefix(source, "aws.") {
		return refuse("InvalidSource", "the source %.100q is empty or one of AWS's own", source)
	}
	return nil
}

func judgeDetailType(text string) *bridge.Error {
	if text == "" || utf8.RuneCountInString(text) > maxDetailType {
		return refuse("InvalidDetailType", "the detail-type %.100q is empty or longer than %d characters", text, maxDetailType)
	}
	return nil
}

// appendBody appends the detail of a body alone.
func appendBody(dst []byte, b bridge.Body) ([]byte, error) {
	const data, encoded = `{"data":`, `{"data_base64":`
	start, open := len(dst), data
	switch b.Kind() {
	case bridge.NoBody:
		return append(dst, '{', '}'), nil
	case bridge.MapBody:
		return envelope.AppendContent(dst, b)
	case bridge.BytesBody, bridge.ObjectBody:
		open = encoded
	case bridge.TextBody:
		dst = append(append(dst, data...), b.Data()...)
		if text := dst[start+len(data):]; isJSON(text) {
			if bytes.TrimLeft(text, " \t\r\n")[0] == '{' {
				return append(dst[:start], b.Data()...), nil
			}
			return append(dst, '}'), nil
		}
		dst = dst[:start]
	}
	out, err := envelope.AppendContent(append(dst, open...), b)
	if err != nil {
		return dst[:start], err
	}
	return append(out, '}'), nil
}

// isJSON tells whether a text is JSON that EventBridge takes: what is not goes as a string.
func isJSON(text []byte) bool {
	return json.Valid(text) && utf8.Valid(text) && (len(text) < 2*maxDepth || !isDeep(text))
}

// isDeep tells whether valid JSON has more than maxDepth levels.
func isDeep(text []byte) bool {
	depth, inString := 0, false
	for i := 0; i < len(text); i++ {
		switch c := text[i]; {
		case inString:
			if c == '\\' {
				i++
			}
			inString = c != '"'
		case c == '"':
			inString = true
		case c == '{' || c == '[':
			if depth++; depth > maxDepth {
				return true
			}
		case c == '}' || c == ']':
			depth--
		}
	}
	return false
}

// bound is an upper bound of the bytes of the detail, that reads no text.
func (f *form) bound(o *bridge.Outgoing) int {
	const wrapping, asking, escaped = 32, 160, 6 // \u001f
	n := wrapping
	switch kind := o.Message.Body.Kind(); {
	case !f.set.Body || kind == bridge.MapBody || kind == bridge.StreamBody:
		n += envelope.Bound(o.Message)
	default:
		n += escaped * len(o.Message.Body.Data())
	}
	if o.Ask != nil {
		n += asking + escaped*(len(o.Ask.CorrelationID)+len(o.Ask.QueueURL))
	}
	return n
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
	dst = appendQuoted(append(dst, `{"Detail":`...), w.detail)
	dst = appendQuoted(append(dst, `,"Source":`...), w.source)
	dst = appendQuoted(append(dst, `,"DetailType":`...), w.detailType)
	dst = appendQuoted(append(dst, `,"EventBusName":`...), w.bus)
	if w.trace != "" {
		dst = appendQuoted(append(dst, `,"TraceHeader":`...), w.trace)
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
			dst = appendQuoted(dst, r)
		}
		dst = append(dst, ']')
	}
	return append(dst, '}')
}

// appendQuoted appends valid UTF-8 as a JSON string.
func appendQuoted[T string | []byte](dst []byte, s T) []byte {
	const digits = "0123456789abcdef"
	dst = append(dst, '"')
	start := 0
	for i := range len(s) {
		c := s[i]
		if c >= ' ' && c != '"' && c != '\\' {
			continue
		}
		dst = append(dst, s[start:i]...)
		if start = i + 1; c >= ' ' {
			dst = append(dst, '\\', c)
		} else {
			dst = append(dst, '\\', 'u', '0', '0', digits[c>>4], digits[c&15])
		}
	}
	dst = append(dst, s[start:]...)
	return append(dst, '"')
}
