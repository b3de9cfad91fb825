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
			return f.nothing()
		}
		return judged(f.leaf.matches(&scalar{kind: scalarBoolean, truth: true}))
	default:
		v := f.from(m, "")
		return f.inHeader(&v)
	}
}

func (f *field) inHeader(v *value) fate {
	if !v.isSet() {
		return f.nothing()
	}
	switch v.form {
	case formDestination:
		return judged(f.leaf.matchesText(destinationText(v.destination)))
	case formInstant:
		var room [32]byte // the longest that a Java long holds has 30
		return judged(f.leaf.matchesText(textOf{tail: string(envelope.AppendInstant(room[:0], v.instant))}))
	default:
		s := scalarOf(&v.typed)
		return judged(f.leaf.matches(&s))
	}
}

func (o *object) inProperties(p bridge.Properties) fate {
	all := absent
	for i := 0; i < len(o.fields) && all != missed; i++ {
		f := &o.fields[i]
		if v, ok := p.Lookup(f.name); ok {
			all = all.and(f.in(&v, 1))
		} else {
			all = all.and(f.nothing())
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
		return judged(f.leaf.matches(&s))
	}
	return f.nothing()
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
	all := absent
	for i := 0; i < len(o.fields) && all != missed; i++ {
		f := &o.fields[i]
		if v, ok := atPointer(f.name, first); ok && isNamed(&v) {
			all = all.and(judged(f.leaf.matchesText(textOf{tail: v.Type().String()})))
		} else {
			all = all.and(f.nothing())
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
