package connectors

import (
	"encoding/json"
	"fmt"
	"math"
	"strings"
	"time"

	"github.com/jmsbridge/jmsbridge/bridge"
)

// shape is a row of the table: a kind of body.
type shape struct {
	name string
	// body makes one around a filling. It is plain for a small message.
	body func(filling string) bridge.Body
	none bool // there is no body to fill
	raw  bool // the filling is bytes
	json bool // a text that is JSON, for targets to which that matters
	// object is the setting of that name; "": the target's default.
	object string
}

var shapes = []shape{
	{name: "none (Message)", body: func(string) bridge.Body { return bridge.Body{} }, none: true},
	{name: "Text", body: bridge.NewText},
	{name: "Text, a JSON object", body: jsonText, json: true},
	{name: "Bytes", body: bridge.NewBytes, raw: true},
	{name: "Map", body: func(s string) bridge.Body {
		return bridge.NewMap([]bridge.Entry{{Name: "n", Value: bridge.Long(7)}, {Name: "text", Value: bridge.String(s)}})
	}},
	{name: "Stream", body: func(s string) bridge.Body { return bridge.NewStream([]bridge.Value{bridge.Short(7), bridge.String(s)}) }},
	{name: "Object", body: bridge.NewObject, raw: true},
	{name: "Object, `object: base64`", body: bridge.NewObject, raw: true, object: "base64"},
}

// jsonText is an object around a filling, in which a lone surrogate stays one.
func jsonText(filling string) bridge.Body {
	whole := strings.ReplaceAll(filling, loneSurrogate, "LONE")
	b, err := json.Marshal(map[string]string{"text": whole})
	if err != nil {
		panic(err) // a map of strings
	}
	return bridge.NewText(strings.ReplaceAll(string(b), "LONE", loneSurrogate))
}

// sequence numbers messages, with ids of one length.
type sequence int

func (n *sequence) id() string {
	*n++
	return fmt.Sprintf("ID:table-%06d", int(*n))
}

var (
	sentAt  = time.UnixMilli(1795341276729).UTC()
	expires = time.UnixMilli(4102444800123).UTC() // in 2100: an expired message would be another table
)

// small is a message as most are: a few headers and a property.
func (s *shape) small(id string) bridge.Message {
	return bridge.Message{
		ID: id, Key: id, CorrelationID: "order-17", Type: "order", Timestamp: sentAt, Priority: bridge.DefaultPriority, Persistent: true,
		Destination: ordersQueue, Body: s.body("grüße"), Properties: bridge.NewProperties([]bridge.Entry{{Name: "region", Value: bridge.String("EU")}}),
	}
}

var ordersQueue = bridge.Destination{Kind: bridge.Queue, Name: "orders"}

// sized is a message whose size can be chosen to the byte.
func (s *shape) sized(id, filling, pad string) bridge.Message {
	return bridge.Message{
		ID: id, Key: id, Timestamp: sentAt, Priority: bridge.DefaultPriority, Destination: ordersQueue, Body: s.body(filling),
		Properties: bridge.NewProperties([]bridge.Entry{{Name: "pad", Value: bridge.String(pad)}}),
	}
}

// hostile are characters that XML, SQS, STOMP, JSON or Java have trouble with: all of them may stand in a Java string, but
// U+FFFE, U+FFFF and the control characters in no XML.
const hostile = "\x00\x01\b\x1f\x7f\u0085\u2028\ufffd\ufffe\uffff😀\U0010ffff \"\\:</script>\r\n\t"

// unusual is what may stand where a broker itself reads a header.
const unusual = "é😀\ufffe"

// hostile is a message with every header, every type of property, and hostile characters in texts and names.
func (s *shape) hostile(id string) bridge.Message {
	m := s.small(id)
	m.CorrelationID, m.Type, m.UserID, m.GroupID, m.GroupSeq = hostile, hostile, unusual, unusual, 7
	m.ReplyTo = bridge.Destination{Kind: bridge.Queue, Name: "replies" + unusual}
	m.Expiration, m.Priority, m.Persistent = expires, 9, false
	m.Properties = bridge.NewProperties([]bridge.Entry{
		{Name: "text", Value: bridge.String(hostile)},
		{Name: "empty", Value: bridge.String("")},
		{Name: "null", Value: bridge.Null()},
		{Name: "a\x00b", Value: bridge.String("NUL")},
		{Name: "\x01\x1f", Value: bridge.String("controls")},
		{Name: "\ufffe\uffff", Value: bridge.Boolean(true)},
		{Name: "😀", Value: bridge.Byte(-128)},
		{Name: "a:b\\c\r\nd", Value: bridge.Short(-1)},
		{Name: `a"/~b`, Value: bridge.Int(math.MinInt32)},
		{Name: "long", Value: bridge.Long(math.MaxInt64)},
		{Name: "float", Value: bridge.Float(math.MaxFloat32)},
		{Name: "double", Value: bridge.Double(math.Inf(-1))},
		{Name: "half", Value: bridge.Char(0xD83D)},
		{Name: "unit", Value: bridge.Char(0xFFFE)},
	})
	switch {
	case s.raw:
		m.Body = s.body(hostile + "\xff\xfe\xc0\x80\xed\xa0\xbd")
	default:
		m.Body = s.body(hostile)
	}
	if m.Body.Kind() == bridge.MapBody {
		m.Body = bridge.NewMap([]bridge.Entry{
			{Name: hostile, Value: bridge.String(hostile)},
			{Name: "half", Value: bridge.Char(0xDE00)},
			{Name: "raw", Value: bridge.Bytes("\x00\xff")},
			{Name: "null", Value: bridge.Null()},
			{Name: "nan", Value: bridge.Double(math.Float64frombits(0x7ff8000000000000))},
		})
	}
	if m.Body.Kind() == bridge.StreamBody {
		m.Body = bridge.NewStream([]bridge.Value{bridge.String(hostile), bridge.Char(0xDE00), bridge.Bytes("\x00\xff"), bridge.Null(), bridge.Float(float32(math.Inf(1)))})
	}
	return m
}

// loneSurrogate is half of an emoji, as Java's modified UTF-8 has it. It is no UTF-8.
const loneSurrogate = "\xed\xa0\xbd"

// broken is a message with a lone surrogate: in the body where it holds text, else in a property.
func (s *shape) broken(id string) bridge.Message {
	m := s.small(id)
	if s.raw || s.none {
		m.Properties = m.Properties.With("broken", bridge.String("a"+loneSurrogate))
	} else {
		m.Body = s.body("a" + loneSurrogate)
	}
	return m
}
