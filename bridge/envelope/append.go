package envelope

import (
	"strconv"
	"unicode/utf8"

	"github.com/jmsbridge/jmsbridge/bridge"
)

// Append appends the envelope of m to dst and returns the extended buffer. It keeps nothing of m. The error is of class
// Permanent and says what JSON can't hold (a string that is not UTF-8, more than [MaxDepth] levels, two properties of
// one name); dst is then returned unchanged in length.
func Append(dst []byte, m *bridge.Message) ([]byte, error) {
	e := encoder{buf: append(dst, '{')}
	e.field("message_id", m.ID)
	e.field("correlation_id", m.CorrelationID)
	e.destination("reply_to", m.ReplyTo)
	e.field("type", m.Type)
	e.destination("destination", m.Destination)
	if !m.Timestamp.IsZero() {
		e.key("timestamp")
		e.buf = appendInstant(e.buf, m.Timestamp)
	}
	if !m.Expiration.IsZero() {
		e.key("expiration")
		e.buf = appendInstant(e.buf, m.Expiration)
	}
	e.key("priority")
	e.buf = strconv.AppendUint(e.buf, uint64(m.Priority), 10)
	e.key("persistent")
	e.buf = strconv.AppendBool(e.buf, m.Persistent)
	e.key("redelivered")
	e.buf = strconv.AppendBool(e.buf, m.Redelivered)
	if m.DeliveryCount > 0 {
		e.key("delivery_count")
		e.buf = strconv.AppendInt(e.buf, int64(m.DeliveryCount), 10)
	}
	e.field("group_id", m.GroupID)
	if m.GroupSeq != 0 {
		e.key("group_seq")
		e.buf = strconv.AppendInt(e.buf, int64(m.GroupSeq), 10)
	}
	e.field("user_id", m.UserID)
	if m.Properties.Len() > 0 {
		var room [stackEntries]bridge.Entry
		e.properties(collect(room[:0], m.Properties))
	}
	e.body(m.Body)
	if e.err != nil {
		return dst, e.err
	}
	return append(e.buf, '}'), nil
}

// AppendProperties appends the object {"properties":{…},"property_types":{…}} for entries, in any order, to dst;
// property_types only where it is needed. It serves a target whose own attributes can't hold a property.
func AppendProperties(dst []byte, entries []bridge.Entry) ([]byte, error) {
	e := encoder{buf: append(dst, '{')}
	e.properties(entries)
	if e.err != nil {
		return dst, e.err
	}
	return append(e.buf, '}'), nil
}

// AppendBody appends the object {"body_type":…,"body":…,"body_types":…} for any body to dst.
func AppendBody(dst []byte, b bridge.Body) ([]byte, error) {
	e := encoder{buf: append(dst, '{')}
	e.body(b)
	if e.err != nil {
		return dst, e.err
	}
	return append(e.buf, '}'), nil
}

// AppendContent appends only what the envelope has as body: a JSON object for a Map, an array for a Stream, a string
// for the others; nothing for no body.
func AppendContent(dst []byte, b bridge.Body) ([]byte, error) {
	e := encoder{buf: dst}
	e.content(b)
	if e.err != nil {
		return dst, e.err
	}
	return e.buf, nil
}

// AppendContentTypes appends only what the envelope has as body_types, a JSON object, or nothing when every type
// follows from [AppendContent]'s JSON.
func AppendContentTypes(dst []byte, b bridge.Body) ([]byte, error) {
	e := encoder{buf: dst}
	e.contentTypes(b, "")
	if e.err != nil {
		return dst, e.err
	}
	return e.buf, nil
}

// encoder appends JSON. The first error stays; what is appended after it is thrown away.
type encoder struct {
	buf []byte
	err error

	// For types.go: the path of the value at hand, and where the types began.
	path  []byte
	start int
}

// fail keeps the first error.
func (e *encoder) fail(format string, args ...any) {
	if e.err == nil {
		e.err = bridge.Errorf(bridge.Permanent, "encoding envelope: "+format, args...)
	}
}

// key appends a separator where one is needed, and the name of a field of ours, which needs no escapes.
func (e *encoder) key(name string) {
	if e.buf[len(e.buf)-1] != '{' {
		e.buf = append(e.buf, ',')
	}
	e.buf = append(e.buf, '"')
	e.buf = append(e.buf, name...)
	e.buf = append(e.buf, '"', ':')
}

// field appends a text field unless it is empty.
func (e *encoder) field(name, text string) {
	if text == "" {
		return
	}
	e.key(name)
	if !utf8.ValidString(text) {
		e.fail("%s is not valid UTF-8", name)
		return
	}
	e.buf = appendString(e.buf, text)
}

func (e *encoder) destination(name string, d bridge.Destination) {
	if d.IsZero() {
		return
	}
	kind := d.Kind.String()
	switch {
	case kind == "":
		e.fail("%s has an unknown kind %d", name, d.Kind)
	case d.Name == "":
		e.fail("%s has no name", name)
	case !utf8.ValidString(d.Name):
		e.fail("%s is not valid UTF-8", name)
	}
	e.key(name)
	e.buf = append(e.buf, '"')
	e.buf = append(e.buf, kind...)
	e.buf = append(e.buf, ':')
	e.buf = appendEscaped(e.buf, d.Name)
	e.buf = append(e.buf, '"')
}

func (e *encoder) properties(entries []bridge.Entry) {
	e.key("properties")
	e.entries(entries, "property", 1)
	if e.err == nil && anyNamed(entries) {
		e.key("property_types")
		e.typesOfEntries(entries)
	}
}

func (e *encoder) body(b bridge.Body) {
	e.key("body_type")
	e.buf = append(e.buf, '"')
	e.buf = append(e.buf, b.Kind().String()...)
	e.buf = append(e.buf, '"')
	if b.IsInferred() {
		e.key("body_type_inferred")
		e.buf = append(e.buf, "true"...)
	}
	if b.Kind() == bridge.NoBody {
		return
	}
	e.key("body")
	e.content(b)
	e.contentTypes(b, "body_types")
}

func (e *encoder) content(b bridge.Body) {
	switch b.Kind() {
	case bridge.TextBody:
		if !utf8.ValidString(b.Data()) {
			e.fail("the text body is not valid UTF-8")
			return
		}
		e.buf = appendString(e.buf, b.Data())
	case bridge.BytesBody, bridge.ObjectBody:
		e.buf = appendBase64(e.buf, b.Data())
	case bridge.MapBody:
		e.entries(b.Map(), "map body", 1)
	case bridge.StreamBody:
		e.list(b.Stream(), "stream body", 1)
	}
}

// contentTypes appends the types of a Map or Stream body, as a field when name is not "".
func (e *encoder) contentTypes(b bridge.Body, name string) {
	if e.err != nil || !anyNamed(b.Map()) && !anyNamedIn(b.Stream()) {
		return
	}
	if name != "" {
		e.key(name)
	}
	if b.Kind() == bridge.MapBody {
		e.typesOfEntries(b.Map())
	} else {
		e.typesOfList(b.Stream())
	}
}
