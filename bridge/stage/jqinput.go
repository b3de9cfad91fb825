package stage

import (
	"encoding/base64"
	"math"
	"strconv"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/jmsbridge/jmsbridge/bridge"
	"github.com/jmsbridge/jmsbridge/bridge/envelope"
)

// view makes of a message what jq sees: the envelope as a decoder of JSON would return it, except that a long is a
// number whatever its size. It is made of the message itself, which spares writing JSON and reading it.
type view struct {
	weight int // bytes of text, and valueWeight for each value
	types  int // bytes of pointers in property_types and body_types
	err    error
}

// valueWeight is what a value weighs beside its text.
const valueWeight = 8

// needs tells what an expression looks at of the envelope, so that no more is made. The zero needs are nothing.
type needs struct {
	whole      bool
	fields     map[string]bool
	properties map[string]bool // of properties; all of them when it is in fields
}

func (n *needs) add(path []string) {
	if n.fields == nil {
		n.fields, n.properties = map[string]bool{}, map[string]bool{}
	}
	if path[0] == "properties" && len(path) > 1 {
		n.properties[path[1]] = true
		return
	}
	n.fields[path[0]] = true
}

func (n *needs) field(name string) bool { return n.whole || n.fields[name] }

// merge adds what another expression looks at.
func (n *needs) merge(o *needs) {
	n.whole = n.whole || o.whole
	for name := range o.fields {
		n.add([]string{name})
	}
	for name := range o.properties {
		n.add([]string{"properties", name})
	}
}

// viewOf returns the envelope of m, as far as it is needed, and its weight. The error is of class Permanent and names
// what JSON can't hold.
func viewOf(m *bridge.Message, need *needs) (map[string]any, int, error) {
	v := view{}
	e := make(map[string]any, 16)
	if need.whole {
		for name, from := range headers {
			if field := from(m, ""); field.isSet() {
				e[name] = v.header(name, &field)
			}
		}
	} else {
		for name := range need.fields {
			if from := headers[name]; from != nil {
				if field := from(m, ""); field.isSet() {
					e[name] = v.header(name, &field)
				}
			}
		}
	}
	v.properties(e, m, need)
	if need.field("body") || need.field("body_types") || need.field("body_type_inferred") {
		v.body(e, &m.Body)
	}
	return e, v.weight, v.err
}

// properties adds the properties, and their types where they are needed.
func (v *view) properties(e map[string]any, m *bridge.Message, need *needs) {
	all, withTypes := need.field("properties"), need.field("property_types")
	if !all && !withTypes && len(need.properties) == 0 || m.Properties.Len() == 0 {
		return
	}
	properties := make(map[string]any, m.Properties.Len())
	var types map[string]any
	for name, value := range m.Properties.All() {
		if all || need.properties[name] {
			if _, twice := properties[name]; twice {
				v.fail("two properties are named %q", name)
			}
			properties[v.text(name, "the name of a property")] = v.value(&value, name, 1)
		}
		if withTypes {
			types = v.typesOf(types, escape(name), &value)
		}
	}
	e["properties"] = properties
	if types != nil {
		e["property_types"] = types
	}
}

func (v *view) fail(format string, args ...any) {
	if v.err == nil {
		v.err = bridge.Errorf(bridge.Permanent, "reading the message for jq: "+format, args...)
	}
}

func (v *view) text(s, what string) string {
	if !utf8.ValidString(s) {
		v.fail("%s is not valid UTF-8", what)
	}
	v.weight += len(s)
	return s
}

func (v *view) header(name string, field *value) any {
	v.weight += valueWeight
	switch field.form {
	case formDestination:
		return v.text(field.destination.String(), name)
	case formInstant:
		return v.text(string(envelope.AppendInstant(nil, field.instant)), name)
	case formText:
		return v.text(field.typed.Str(), name)
	default:
		return v.value(&field.typed, name, 1)
	}
}

func (v *view) body(e map[string]any, b *bridge.Body) {
	if b.IsInferred() {
		e["body_type_inferred"] = true
	}
	v.weight += valueWeight
	var types map[string]any
	switch b.Kind() {
	case bridge.TextBody:
		e["body"] = v.text(b.Data(), "the text body")
	case bridge.BytesBody, bridge.ObjectBody:
		e["body"] = v.text(base64.StdEncoding.EncodeToString([]byte(b.Data())), "the body")
	case bridge.MapBody:
		e["body"] = v.object(b.Map(), "the body", 1)
		for _, entry := range b.Map() {
			types = v.typesOf(types, escape(entry.Name), &entry.Value)
		}
	case bridge.StreamBody:
		e["body"] = v.list(b.Stream(), "the body", 1)
		for i, element := range b.Stream() {
			types = v.typesOf(types, strconv.Itoa(i), &element)
		}
	}
	if types != nil {
		e["body_types"] = types
	}
}

// value returns a value of jq: nil, bool, int, float64, string, []any or map[string]any.
func (v *view) value(x *bridge.Value, what string, depth int) any {
	v.weight += valueWeight
	switch x.Type() {
	case bridge.BooleanType:
		return x.Bool()
	case bridge.ByteType, bridge.ShortType, bridge.IntType, bridge.LongType:
		return int(x.Int64())
	case bridge.FloatType, bridge.DoubleType:
		return number64(x)
	case bridge.CharType:
		if unit := rune(x.Int64()); !utf16.IsSurrogate(unit) {
			return string(unit)
		}
		return int(x.Int64())
	case bridge.StringType:
		return v.text(x.Str(), what)
	case bridge.BytesType:
		return v.text(base64.StdEncoding.EncodeToString([]byte(x.Str())), what)
	case bridge.MapType:
		return v.object(x.Map(), what, depth+1)
	case bridge.ListType:
		return v.list(x.List(), what, depth+1)
	default:
		return nil
	}
}

// number64 is the number that the envelope shows, or the word for what is no number of JSON.
func number64(x *bridge.Value) any {
	f := x.Float64()
	switch {
	case math.IsNaN(f):
		return "NaN"
	case math.IsInf(f, 1):
		return "Infinity"
	case math.IsInf(f, -1):
		return "-Infinity"
	case x.Type() == bridge.FloatType:
		f, _ = strconv.ParseFloat(strconv.FormatFloat(f, 'g', -1, 32), 64)
	}
	return f
}

func (v *view) object(entries []bridge.Entry, what string, depth int) any {
	if depth > envelope.MaxDepth {
		v.fail("%s: more than %d levels of maps and lists", what, envelope.MaxDepth)
		return nil
	}
	out := make(map[string]any, len(entries))
	for i := range entries {
		name := v.text(entries[i].Name, what)
		if _, twice := out[name]; twice {
			v.fail("%s: two entries are named %q", what, name)
		}
		out[name] = v.value(&entries[i].Value, name, depth)
	}
	return out
}

func (v *view) list(values []bridge.Value, what string, depth int) any {
	if depth > envelope.MaxDepth {
		v.fail("%s: more than %d levels of maps and lists", what, envelope.MaxDepth)
		return nil
	}
	out := make([]any, len(values))
	for i := range values {
		out[i] = v.value(&values[i], what, depth)
	}
	return out
}

// typesOf adds the types of x and of what is inside it, keyed by pointers.
func (v *view) typesOf(types map[string]any, pointer string, x *bridge.Value) map[string]any {
	if v.err != nil || !isNamed(x) {
		return types
	}
	if types == nil {
		types = map[string]any{}
	}
	types[pointer] = x.Type().String()
	v.weight += len(pointer) + valueWeight
	if v.types += len(pointer); v.types > maxTypes {
		v.fail("naming the types of its values takes more than %d bytes", maxTypes)
		return types
	}
	for _, entry := range x.Map() {
		types = v.typesOf(types, pointer+"/"+escape(entry.Name), &entry.Value)
	}
	for i, element := range x.List() {
		types = v.typesOf(types, pointer+"/"+strconv.Itoa(i), &element)
	}
	return types
}

// maxTypes bounds what naming types may take: a long name around many values is repeated for each.
const maxTypes = 32 << 20
