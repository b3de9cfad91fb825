package sqs

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/jmsbridge/jmsbridge/bridge"
	"github.com/jmsbridge/jmsbridge/bridge/envelope"
)

// Attribute is a message attribute as SQS returns it.
type Attribute struct {
	DataType    string
	StringValue string
	BinaryValue []byte
}

// Decode makes a JMS message of an SQS message: the inverse of what a [Sink] sends, and lenient with what others send.
// Attributes that are no header are properties, in the order of their names. An error says that our own marks
// contradict the message.
func Decode(body string, attributes map[string]Attribute) (*bridge.Message, error) {
	d := decoder{attributes: attributes, message: &bridge.Message{Priority: bridge.DefaultPriority, Persistent: true}}
	if err := d.decode(body); err != nil {
		return nil, fmt.Errorf("reading SQS message: %w", err)
	}
	return d.message, nil
}

type decoder struct {
	attributes map[string]Attribute
	message    *bridge.Message
	properties []bridge.Entry
	bodyTypes  []byte
}

func (d *decoder) decode(body string) error {
	encoding := d.attributes[nameEncoding].StringValue
	if encoding == encodingEnvelope {
		m, err := envelope.Parse([]byte(body))
		if err != nil {
			return err
		}
		d.message = m
		for name, v := range m.Properties.All() {
			d.properties = append(d.properties, bridge.Entry{Name: name, Value: v})
		}
	}
	if more := d.attributes[nameMore].StringValue; more != "" {
		if err := d.more(more); err != nil {
			return fmt.Errorf("%s: %w", nameMore, err)
		}
	}
	names := make([]string, 0, len(d.attributes))
	for name := range d.attributes {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		if err := d.attribute(name, d.attributes[name], encoding == encodingEnvelope); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	d.message.Properties = bridge.NewProperties(d.properties)
	if encoding == encodingEnvelope {
		return nil
	}
	return d.body(body, encoding)
}

// more reads the fields of an envelope that were put aside.
func (d *decoder) more(text string) error {
	var fields map[string]json.RawMessage
	if err := json.Unmarshal([]byte(text), &fields); err != nil {
		return err
	}
	d.bodyTypes = fields["body_types"]
	delete(fields, "body_types")
	if _, ok := fields["body"]; ok {
		return errors.New("a body does not belong here")
	}
	rest, err := json.Marshal(fields)
	if err != nil {
		return err
	}
	m, err := envelope.Parse(rest)
	if err != nil {
		return err
	}
	for name, v := range m.Properties.All() {
		d.set(name, v)
	}
	if d.attributes[nameEncoding].StringValue != encodingEnvelope {
		d.message = m
	}
	return nil
}

// set gives a property a value, over the one it has.
func (d *decoder) set(name string, v bridge.Value) {
	for i := range d.properties {
		if d.properties[i].Name == name {
			d.properties[i].Value = v
			return
		}
	}
	d.properties = append(d.properties, bridge.Entry{Name: name, Value: v})
}

// attribute reads one attribute. Beside an envelope, attributes are copies or the engine's own properties.
func (d *decoder) attribute(name string, a Attribute, enveloped bool) (err error) {
	m := d.message
	if enveloped {
		if name == nameEncoding || name == nameMore {
			return nil
		}
		v, err := value(a)
		if err == nil {
			d.set(name, v)
		}
		return err
	}
	switch name {
	case nameBodyType, nameEncoding, nameMore:
	case nameMessageID:
		m.ID = a.StringValue
	case nameCorrelationID:
		m.CorrelationID = a.StringValue
	case nameType:
		m.Type = a.StringValue
	case nameUserID:
		m.UserID = a.StringValue
	case nameGroupID:
		m.GroupID = a.StringValue
	case nameDestination:
		m.Destination, err = envelope.ParseDestination(a.StringValue)
	case nameJMSReplyTo:
		m.ReplyTo, err = envelope.ParseDestination(a.StringValue)
	case nameTimestamp:
		m.Timestamp, err = instant(a)
	case nameExpiration:
		m.Expiration, err = instant(a)
	case namePriority:
		var n int64
		n, err = integer(a, 0, 255)
		m.Priority = uint8(n)
	case nameDeliveryMode:
		var n int64
		n, err = integer(a, 1, 2)
		m.Persistent = n == 2
	case nameRedelivered:
		m.Redelivered = a.StringValue == "1"
	case nameGroupSeq:
		var n int64
		n, err = integer(a, -1<<31, 1<<31-1)
		m.GroupSeq = int32(n)
	default:
		var v bridge.Value
		if v, err = value(a); err == nil {
			d.properties = append(d.properties, bridge.Entry{Name: name, Value: v})
		}
	}
	return err
}

func integer(a Attribute, low, high int64) (int64, error) {
	n, err := strconv.ParseInt(a.StringValue, 10, 64)
	if err != nil || n < low || n > high {
		return 0, fmt.Errorf("%q is not a whole number from %d to %d", a.StringValue, low, high)
	}
	return n, nil
}

func instant(a Attribute) (time.Time, error) {
	n, err := strconv.ParseInt(a.StringValue, 10, 64)
	if err != nil {
		return time.Time{}, fmt.Errorf("%q is not a number of milliseconds", a.StringValue)
	}
	return time.UnixMilli(n).UTC(), nil
}

// value makes a property's value of an attribute. A number without a label that we know is a long when it is whole,
// else a double; any other type is a string, and Binary is bytes.
func value(a Attribute) (bridge.Value, error) {
	base, label, _ := strings.Cut(a.DataType, ".")
	switch base {
	case "Binary":
		return bridge.Bytes(string(a.BinaryValue)), nil
	case "Number":
		return number(label, a.StringValue)
	default:
		return bridge.String(a.StringValue), nil
	}
}

func number(label, text string) (bridge.Value, error) {
	bits := map[string]int{"byte": 8, "short": 16, "int": 32, "long": 64}[label]
	switch {
	case label == "Boolean" && (text == "1" || text == "0"):
		return bridge.Boolean(text == "1"), nil
	case bits > 0:
		n, err := strconv.ParseInt(text, 10, bits)
		if err != nil {
			return bridge.Value{}, fmt.Errorf("%q is not a %s", text, label)
		}
		switch bits {
		case 8:
			return bridge.Byte(int8(n)), nil
		case 16:
			return bridge.Short(int16(n)), nil
		case 32:
			return bridge.Int(int32(n)), nil
		}
		return bridge.Long(n), nil
	case label == "float":
		f, err := strconv.ParseFloat(text, 32)
		if err != nil {
			return bridge.Value{}, fmt.Errorf("%q is not a float", text)
		}
		return bridge.Float(float32(f)), nil
	}
	if n, err := strconv.ParseInt(text, 10, 64); err == nil && label != "double" {
		return bridge.Long(n), nil
	}
	f, err := strconv.ParseFloat(text, 64)
	if err != nil {
		return bridge.Value{}, fmt.Errorf("%q is not a number", text)
	}
	return bridge.Double(f), nil
}

// body reads the body by its marks.
func (d *decoder) body(body, encoding string) error {
	word, isInferred := strings.CutSuffix(d.attributes[nameBodyType].StringValue, inferredSuffix)
	data := body
	switch encoding {
	case "":
	case encodingEmpty:
		data = ""
	case encodingBase64:
		raw, err := base64.StdEncoding.Strict().DecodeString(body)
		if err != nil {
			return errors.New("the body is not base64, as its mark says")
		}
		data = string(raw)
	default:
		return fmt.Errorf("%s: %q is none that is known", nameEncoding, encoding)
	}
	var b bridge.Body
	switch word {
	case "", bridge.TextBody.String():
		b = bridge.NewText(data)
	case bridge.BytesBody.String():
		b = bridge.NewBytes(data)
	case bridge.ObjectBody.String():
		b = bridge.NewObject(data)
	case bridge.NoBody.String():
	case bridge.MapBody.String(), bridge.StreamBody.String():
		kind := bridge.MapBody
		if word == bridge.StreamBody.String() {
			kind = bridge.StreamBody
		}
		var err error
		if b, err = envelope.ParseContent(kind, []byte(body), d.bodyTypes); err != nil {
			return err
		}
	default:
		return fmt.Errorf("%s: %q is none that is known", nameBodyType, word)
	}
	if isInferred {
		b = b.Inferred()
	}
	d.message.Body = b
	return nil
}
