package envelope

import (
	"encoding/base64"
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/jmsbridge/jmsbridge/bridge"
)

// Parse reads one envelope. It is strict: unknown fields, names that are there twice, values outside the range of
// their type, types that name nothing and anything after the object are refused, and the error names the field.
//
// What is left out has the value that JMS gives it: priority 4, persistent true, redelivered false. A string as body
// without body_type is a text. Message.Key is not part of an envelope and stays "".
//
// Parse keeps nothing of data. Its memory is bounded by a small multiple of len(data), which the caller bounds.
func Parse(data []byte) (*bridge.Message, error) {
	m := &bridge.Message{Priority: bridge.DefaultPriority, Persistent: true}
	p := parser{scanner: scanner{data: data}}
	if err := p.message(m); err != nil {
		return nil, fmt.Errorf("reading envelope: %w", err)
	}
	return m, nil
}

// ParseProperties reads what [AppendProperties] wrote. The entries are in the order in which they stand there.
func ParseProperties(data []byte) ([]bridge.Entry, error) {
	p := parser{scanner: scanner{data: data}}
	err := p.fields(func(name string) (err error) {
		switch name {
		case "properties":
			p.properties, err = p.skip()
		case "property_types":
			p.propertyTypes, err = p.skip()
		default:
			err = errUnknown
		}
		return err
	})
	var entries []bridge.Entry
	if err == nil {
		entries, err = p.entries()
	}
	if err != nil {
		return nil, fmt.Errorf("reading properties: %w", err)
	}
	return entries, nil
}

// ParseBody reads what [AppendBody] wrote.
func ParseBody(data []byte) (bridge.Body, error) {
	p := parser{scanner: scanner{data: data}}
	err := p.fields(p.bodyField)
	var b bridge.Body
	if err == nil {
		b, err = p.body()
	}
	if err != nil {
		return bridge.Body{}, fmt.Errorf("reading body: %w", err)
	}
	return b, nil
}

// ParseContent reads what [AppendContent] and [AppendContentTypes] wrote for a body of the given kind. types may be
// empty.
func ParseContent(kind bridge.BodyKind, content, types []byte) (bridge.Body, error) {
	p := parser{bodyType: kind.String()}
	var err error
	if len(content) > 0 {
		p.content, err = whole(content)
	}
	if err == nil && len(types) > 0 {
		p.contentTypes, err = whole(types)
	}
	var b bridge.Body
	if err == nil {
		b, err = p.body()
	}
	if err != nil {
		return bridge.Body{}, fmt.Errorf("reading body: %w", err)
	}
	return b, nil
}

// whole returns the one JSON value in data.
func whole(data []byte) (scanner, error) {
	s := scanner{data: data}
	v, err := s.skip()
	if err == nil {
		err = s.end()
	}
	return v, err
}

// parser reads the object; what its types explain, which stand behind it, is passed over first and read at the end.
type parser struct {
	scanner
	properties, propertyTypes scanner
	bodyType                  string
	inferred                  bool
	content, contentTypes     scanner
}

var errUnknown = errors.New("there is no such field in an envelope")

// fields reads the whole text as an object. Errors name the field.
func (p *parser) fields(field func(name string) error) error {
	err := p.members(func(name string) error {
		if err := field(name); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		return nil
	})
	if err != nil {
		return err
	}
	return p.end()
}

func (p *parser) message(m *bridge.Message) error {
	err := p.fields(func(name string) error { return p.field(m, name) })
	if err != nil {
		return err
	}
	entries, err := p.entries()
	if err != nil {
		return err
	}
	m.Properties = bridge.NewProperties(entries)
	m.Body, err = p.body()
	return err
}

func (p *parser) field(m *bridge.Message, name string) (err error) {
	var n int64
	switch name {
	case "message_id":
		m.ID, err = p.text()
	case "correlation_id":
		m.CorrelationID, err = p.text()
	case "reply_to":
		m.ReplyTo, err = p.destination()
	case "type":
		m.Type, err = p.text()
	case "destination":
		m.Destination, err = p.destination()
	case "timestamp":
		m.Timestamp, err = p.instant()
	case "expiration":
		m.Expiration, err = p.instant()
	case "priority":
		n, err = p.integer(0, math.MaxUint8)
		m.Priority = uint8(n)
	case "persistent":
		m.Persistent, err = p.boolean()
	case "redelivered":
		m.Redelivered, err = p.boolean()
	case "delivery_count":
		n, err = p.integer(0, math.MaxInt64)
		m.DeliveryCount = int(n)
	case "group_id":
		m.GroupID, err = p.text()
	case "group_seq":
		n, err = p.integer(math.MinInt32, math.MaxInt32)
		m.GroupSeq = int32(n)
	case "user_id":
		m.UserID, err = p.text()
	case "properties":
		p.properties, err = p.skip()
	case "property_types":
		p.propertyTypes, err = p.skip()
	case "reply":
		_, err = p.skip() // how to answer, which is no part of the message
	default:
		err = p.bodyField(name)
	}
	return err
}

func (p *parser) bodyField(name string) (err error) {
	switch name {
	case "body_type":
		p.bodyType, err = p.text()
	case "body_type_inferred":
		p.inferred, err = p.boolean()
	case "body":
		p.content, err = p.skip()
	case "body_types":
		p.contentTypes, err = p.skip()
	default:
		err = errUnknown
	}
	return err
}

// entries reads the properties that were passed over.
func (p *parser) entries() ([]bridge.Entry, error) {
	d := decoder{what: "properties"}
	if err := d.types("property_types", p.propertyTypes); err != nil {
		return nil, err
	}
	var entries []bridge.Entry
	if p.properties.there() {
		var err error
		if entries, err = d.entries(p.properties); err != nil {
			return nil, err
		}
	}
	return entries, d.unused("property_types")
}

// body reads the body that was passed over.
func (p *parser) body() (b bridge.Body, err error) {
	if p.bodyType == "" {
		switch {
		case !p.content.there():
			p.bodyType = bridge.NoBody.String()
		case p.content.peek() == '"':
			p.bodyType = bridge.TextBody.String()
		default:
			return b, errors.New(`body_type is missing: a body that is no string is "map" or "stream"`)
		}
	}
	if !p.content.there() && p.bodyType != bridge.NoBody.String() {
		return b, fmt.Errorf("a body of type %q is missing", p.bodyType)
	}
	d := decoder{what: "body"}
	if err := d.types("body_types", p.contentTypes); err != nil {
		return b, err
	}
	s := p.content
	var text string
	switch p.bodyType {
	case "none":
		if p.content.there() {
			return b, errors.New(`body_type is "none", and there is a body`)
		}
	case "text":
		if text, err = s.text(); err == nil {
			b = bridge.NewText(text)
		}
	case "bytes", "object":
		if text, err = s.base64(); err == nil {
			b = bridge.NewBytes(text)
			if p.bodyType == "object" {
				b = bridge.NewObject(text)
			}
		}
	case "map":
		var entries []bridge.Entry
		if entries, err = d.entries(p.content); err != nil {
			return b, err
		}
		b = bridge.NewMap(entries)
	case "stream":
		var values []bridge.Value
		if values, err = d.list(p.content); err != nil {
			return b, err
		}
		b = bridge.NewStream(values)
	default:
		return b, fmt.Errorf("body_type: %q is not one of text, bytes, map, stream, object, none", p.bodyType)
	}
	if err != nil {
		return b, fmt.Errorf("body: %w", err)
	}
	if p.inferred {
		b = b.Inferred()
	}
	return b, d.unused("body_types")
}

func (s *scanner) base64() (string, error) {
	text, err := s.text()
	if err != nil {
		return "", err
	}
	return fromBase64(text)
}

// fromBase64 decodes what appendBase64 writes, and nothing that is merely like it.
func fromBase64(text string) (string, error) {
	raw, err := base64.StdEncoding.Strict().DecodeString(text)
	if err != nil || strings.ContainsAny(text, "\r\n") {
		return "", errors.New("not base64")
	}
	return string(raw), nil
}

func (s *scanner) instant() (time.Time, error) {
	text, err := s.text()
	if err != nil {
		return time.Time{}, err
	}
	return parseInstant(text)
}

func (s *scanner) boolean() (bool, error) {
	w, err := s.word()
	if err == nil && w == "null" {
		err = errors.New("true or false should be here, not null")
	}
	return w == "true", err
}

func (s *scanner) integer(low, high int64) (int64, error) {
	literal, whole, err := s.number()
	if err != nil {
		return 0, err
	}
	n, err := strconv.ParseInt(literal, 10, 64)
	if err != nil || !whole || n < low || n > high {
		return 0, fmt.Errorf("%s is not a whole number from %d to %d", literal, low, high)
	}
	return n, nil
}

func (s *scanner) destination() (bridge.Destination, error) {
	text, err := s.text()
	if err != nil {
		return bridge.Destination{}, err
	}
	return ParseDestination(text)
}

// ParseDestination reads a destination as the envelope writes it: "queue:NAME", "topic:NAME", "temp-queue:NAME" or
// "temp-topic:NAME".
func ParseDestination(text string) (bridge.Destination, error) {
	word, name, _ := strings.Cut(text, ":")
	for _, kind := range [...]bridge.DestinationKind{bridge.Queue, bridge.Topic, bridge.TempQueue, bridge.TempTopic} {
		if word == kind.String() && name != "" {
			return bridge.Destination{Kind: kind, Name: name}, nil
		}
	}
	return bridge.Destination{}, fmt.Errorf("%q is not a destination (queue:NAME, topic:NAME, temp-queue:NAME, temp-topic:NAME)", text)
}
