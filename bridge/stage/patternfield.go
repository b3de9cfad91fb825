package stage

import (
	"encoding/base64"
	"strconv"
	"strings"

	"github.com/jmsbridge/jmsbridge/bridge"
	"github.com/jmsbridge/jmsbridge/bridge/envelope"
)

// inMessage looks at a field of the envelope.
func (f *field) inMessage(m *bridge.Message) fate {
	switch f.column {
	case columnProperties:
		return f.inner.inProperties(m.Properties)
	case columnPropertyTypes:
		return f.inner.inTypes(func(name string) (bridge.Value, bool) { return m.Properties.Lookup(name) })
	case columnBodyTypes:
		return f.inner.inTypes(func(name string) (bridge.Value, bool) { return inBody(&m.Body, name) })
	case columnBody:
		return f.inBody(&m.Body)
	case columnInferred:
		if !m.Body.IsInferred() {
			return fate{absent: f.absent}
		}
		return fate{found: f.leaf.matches(&scalar{kind: scalarBoolean, truth: true})}
	default:
		v := f.from(m, "")
		return f.inHeader(&v)
	}
}

func (f *field) inHeader(v *value) fate {
	if !v.isSet() {
		return fate{absent: f.absent}
	}
	switch v.form {
	case formDestination:
		return fate{found: f.leaf.matchesText(destinationText(v.destination))}
	case formInstant:
		var room [32]byte // the longest that a Java long holds has 30
		return fate{found: f.leaf.matchesText(textOf{tail: string(envelope.AppendInstant(room[:0], v.instant))})}
	default:
		s := scalarOf(&v.typed)
		return fate{found: f.leaf.matches(&s)}
	}
}

func (o *object) inProperties(p bridge.Properties) fate {
	all := fate{absent: true}
	for i := range o.fields {
		f := &o.fields[i]
		var one fate
		if v, ok := p.Lookup(f.name); ok {
			one = f.in(&v, 1)
		} else {
			one = fate{absent: f.absent}
		}
		if all.join(one) {
			break
		}
	}
	return all
}

func (f *field) inBody(b *bridge.Body) fate {
	switch b.Kind() {
	case bridge.MapBody:
		if f.inner != nil {
			return f.inner.inMap(b.Map(), 1)
		}
	case bridge.StreamBody:
		return f.inList(b.Stream(), 1)
	case bridge.TextBody, bridge.BytesBody, bridge.ObjectBody:
		if f.leaf == nil {
			break
		}
		s := scalar{kind: scalarText, text: b.Data()}
		if b.Kind() != bridge.TextBody {
			s.text = base64.StdEncoding.EncodeToString([]byte(b.Data()))
		}
		return fate{found: f.leaf.matches(&s)}
	}
	return fate{absent: f.absent}
}

// inBody finds the first step of a pointer in a Map or Stream body.
func inBody(b *bridge.Body, name string) (bridge.Value, bool) {
	if v := lookup(b.Map(), name); v != nil {
		return *v, true
	}
	return element(b.Stream(), name)
}

// inTypes looks at property_types or body_types, whose names are pointers.
func (o *object) inTypes(first func(name string) (bridge.Value, bool)) fate {
	all := fate{absent: true}
	for i := range o.fields {
		f := &o.fields[i]
		one := fate{absent: f.absent}
		if v, ok := atPointer(f.name, first); ok && isNamed(&v) {
			one = fate{found: f.leaf.matchesText(textOf{tail: v.Type().String()})}
		}
		if all.join(one) {
			break
		}
	}
	return all
}

// atPointer follows a JSON Pointer without its first slash.
func atPointer(pointer string, first func(name string) (bridge.Value, bool)) (bridge.Value, bool) {
	step, rest, more := strings.Cut(pointer, "/")
	v, ok := first(unescape(step))
	for ok && more {
		step, rest, more = strings.Cut(rest, "/")
		switch v.Type() {
		case bridge.MapType:
			inner := lookup(v.Map(), unescape(step))
			if inner == nil {
				return v, false
			}
			v = *inner
		default:
			v, ok = element(v.List(), step)
		}
	}
	return v, ok
}

func element(values []bridge.Value, step string) (bridge.Value, bool) {
	i, err := strconv.Atoi(step)
	if err != nil || i < 0 || i >= len(values) || strconv.Itoa(i) != step {
		return bridge.Value{}, false
	}
	return values[i], true
}

// unescape reads a token of a JSON Pointer (RFC 6901, section 4).
func unescape(token string) string {
	if !strings.Contains(token, "~") {
		return token
	}
	return strings.ReplaceAll(strings.ReplaceAll(token, "~1", "/"), "~0", "~")
}
