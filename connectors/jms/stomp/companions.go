package stomp

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/jmsbridge/jmsbridge/bridge"
	"github.com/jmsbridge/jmsbridge/connectors/jms/stomp/client"
)

// The companions are string properties that the sink adds where a reader of the frame could not know better, and that
// the source takes back and hides. They are legal Java identifiers, so every JMS client can carry them; a consumer that
// does not know them sees three odd properties and loses nothing. What a companion says wrongly is ignored: then it is
// a property like any other.
const (
	// companionTypes names the JMS type of each property that is no string: a JSON object, {"amount":"long"}.
	companionTypes = "jmsbridge_property_types"
	// companionMore holds what can't be a header, or would arrive broken: a JSON object, {"name":"value"}. On Classic
	// also JMSXGroupID and JMSXGroupSeq, which it never shows to STOMP clients; and moreCorrelationID and moreType where
	// they hold a NUL.
	companionMore     = "jmsbridge_more"
	moreCorrelationID = "JMSCorrelationID"
	moreType          = "JMSType"
	// companionBody names the type of the body where frame and broker leave it open: "text", "bytes" or "none", with
	// companionInferred behind it where the first source had to infer it.
	companionBody     = "jmsbridge_body_type"
	companionInferred = " inferred"
)

// isCompanion tells a property that looks like a companion but is a sender's own: it travels among companionMore.
func isCompanion(name string) bool {
	return name == companionTypes || name == companionMore || name == companionBody
}

// formatValue returns a property's value as header text; false for maps and lists, which no header can hold.
func formatValue(v bridge.Value) (string, bool) {
	switch v.Type() {
	case bridge.NullType:
		return "", true
	case bridge.StringType:
		return v.Str(), true
	case bridge.BooleanType:
		return strconv.FormatBool(v.Bool()), true
	case bridge.ByteType, bridge.ShortType, bridge.IntType, bridge.LongType:
		return strconv.FormatInt(v.Int64(), 10), true
	case bridge.FloatType:
		return formatFloat(v.Float64(), 32), true
	case bridge.DoubleType:
		return formatFloat(v.Float64(), 64), true
	case bridge.CharType:
		unit := rune(v.Int64())
		if utf16.IsSurrogate(unit) {
			return `\u` + strconv.FormatInt(int64(unit), 16), true // half a character has no UTF-8
		}
		return string(unit), true
	case bridge.BytesType:
		return base64.StdEncoding.EncodeToString([]byte(v.Str())), true
	default:
		return "", false
	}
}

// formatFloat spells what has no digits as Java does.
func formatFloat(f float64, bits int) string {
	switch {
	case math.IsInf(f, 1):
		return "Infinity"
	case math.IsInf(f, -1):
		return "-Infinity"
	default:
		return strconv.FormatFloat(f, 'g', -1, bits) // NaN is NaN
	}
}

// parseValue is formatValue's inverse; false when the text is no value of the type.
func parseValue(typ, text string) (bridge.Value, bool) {
	integer := func(bits int, value func(int64) bridge.Value) (bridge.Value, bool) {
		n, err := strconv.ParseInt(text, 10, bits)
		return value(n), err == nil
	}
	switch typ {
	case "null":
		return bridge.Null(), text == ""
	case "boolean":
		return bridge.Boolean(text == "true"), text == "true" || text == "false"
	case "byte":
		return integer(8, func(n int64) bridge.Value { return bridge.Byte(int8(n)) })
	case "short":
		return integer(16, func(n int64) bridge.Value { return bridge.Short(int16(n)) })
	case "int":
		return integer(32, func(n int64) bridge.Value { return bridge.Int(int32(n)) })
	case "long":
		return integer(64, bridge.Long)
	case "float":
		f, err := strconv.ParseFloat(text, 32)
		return bridge.Float(float32(f)), err == nil
	case "double":
		f, err := strconv.ParseFloat(text, 64)
		return bridge.Double(f), err == nil
	case "char":
		if hex, ok := strings.CutPrefix(text, `\u`); ok {
			n, err := strconv.ParseUint(hex, 16, 16)
			return bridge.Char(uint16(n)), err == nil
		}
		r, n := utf8.DecodeRuneInString(text)
		return bridge.Char(uint16(r)), n > 0 && n == len(text) && r <= 0xFFFF
	case "bytes":
		raw, err := base64.StdEncoding.DecodeString(text)
		return bridge.Bytes(string(raw)), err == nil
	default:
		return bridge.Value{}, false
	}
}

// appendJSON appends s as a JSON string in ASCII, so that no broker's handling of UTF-8 can touch it.
func appendJSON(dst []byte, s string) []byte {
	const hex = "0123456789abcdef"
	unit := func(u rune) {
		dst = append(dst, '\\', 'u', hex[u>>12&15], hex[u>>8&15], hex[u>>4&15], hex[u&15])
	}
	dst = append(dst, '"')
	for _, r := range s {
		switch {
		case r == '"' || r == '\\':
			dst = append(dst, '\\', byte(r))
		case r >= ' ' && r < 0x7F:
			dst = append(dst, byte(r))
		case r > 0xFFFF:
			hi, lo := utf16.EncodeRune(r)
			unit(hi)
			unit(lo)
		default:
			unit(r)
		}
	}
	return append(dst, '"')
}

// appendMember appends a member to a JSON object that is begun with nil.
func appendMember(dst []byte, name, value string) []byte {
	if len(dst) == 0 {
		dst = append(dst, '{')
	} else {
		dst = append(dst, ',')
	}
	dst = appendJSON(dst, name)
	dst = append(dst, ':')
	return appendJSON(dst, value)
}

// companions applies what a sink of this package has added, and hides it.
func (d *decoder) companions(f *client.Frame, out *delivery) {
	m := &out.Message
	more := d.strings(f, roleMore, out, companionMore, mostMembers)
	types := d.strings(f, roleTypes, out, companionTypes, 2*mostMembers) // of the others and of more
	if more != nil || types != nil {
		entries := make([]bridge.Entry, 0, m.Properties.Len()+len(more))
		for name, v := range m.Properties.All() {
			if _, replaced := more[name]; !replaced {
				entries = append(entries, bridge.Entry{Name: name, Value: v})
			}
		}
		for _, name := range slices.Sorted(maps.Keys(more)) {
			switch value := more[name]; name {
			case moreCorrelationID:
				m.CorrelationID = value
			case moreType:
				m.Type = value
			case "JMSXGroupID":
				m.GroupID = value
			case "JMSXGroupSeq":
				if n, err := strconv.ParseInt(value, 10, 32); err == nil {
					m.GroupSeq = int32(n)
				}
			default:
				entries = append(entries, bridge.Entry{Name: name, Value: bridge.String(value)})
			}
		}
		for i := range entries {
			typ, ok := types[entries[i].Name]
			if !ok {
				continue
			}
			if typed, ok := parseValue(typ, entries[i].Value.Str()); ok {
				entries[i].Value = typed
			}
		}
		m.Properties = bridge.NewProperties(entries)
	}
	d.bodyCompanion(f, out)
}

func (d *decoder) bodyCompanion(f *client.Frame, out *delivery) {
	m := &out.Message
	body := f.Body()
	whole := d.text(f, roleBodyType)
	if whole == "" || f.Skipped > 0 {
		return
	}
	said, inferred := strings.CutSuffix(whole, companionInferred)
	switch {
	case said == "none" && len(body) == 0:
		m.Body = bridge.Body{}
	case said == "text" && len(body) == 0:
		m.Body = bridge.NewText("")
	case said == "bytes" && d.kind != client.Classic:
		m.Body = bridge.NewBytes(m.Body.Data())
	case said == m.Body.Kind().String():
	default:
		m.Properties = m.Properties.With(companionBody, bridge.String(whole))
		return
	}
	if inferred {
		m.Body = m.Body.Inferred()
	}
	if errors.Is(out.Hold, errEmptyBody) {
		out.Hold = nil
	}
}

// mostMembers is the most names in companionMore: as many as a frame has headers.
const mostMembers = 1000

// strings reads a companion that is a JSON object of strings; nil when it is not there. One that can't be read, or has
// more members than a sink of ours writes, stays a property.
func (d *decoder) strings(f *client.Frame, r role, out *delivery, name string, most int) map[string]string {
	text := d.text(f, r)
	if text == "" {
		return nil
	}
	var members map[string]string
	if err := json.Unmarshal([]byte(text), &members); err != nil || len(members) > most {
		out.Message.Properties = out.Message.Properties.With(name, bridge.String(text))
		return nil
	}
	d.unfolded += len(text)
	return members
}
