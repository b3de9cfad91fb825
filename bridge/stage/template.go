package stage

import (
	"fmt"
	"strings"
	"sync"

	"github.com/jmsbridge/jmsbridge/bridge"
	"github.com/jmsbridge/jmsbridge/bridge/envelope"
)

// Template is text with fields of a message in it. It is immutable and safe for concurrent use.
type Template struct {
	source string
	parts  []part
}

// part is literal text, or a field when path is set.
type part struct {
	text     string // the literal, or the text to fall back on
	path     string // as written, for errors
	from     func(m *bridge.Message, name string) value
	name     string // of a property
	fallback bool   // text is there to fall back on
}

// String returns the template as it was written.
func (t *Template) String() string { return t.source }

// IsLiteral tells that the template is the same for every message.
func (t *Template) IsLiteral() bool {
	for i := range t.parts {
		if t.parts[i].from != nil {
			return false
		}
	}
	return true
}

// Fields returns the paths that the template reads, as written, in their order.
func (t *Template) Fields() []string {
	var paths []string
	for i := range t.parts {
		if t.parts[i].from != nil {
			paths = append(paths, t.parts[i].path)
		}
	}
	return paths
}

// Expand returns the text for m. Values are written as in the envelope, without quotes; a map or list as JSON. As in
// jq, the text after // stands for what is not set, null or false. Without one, what is not set or null is an error
// of class Permanent that names the field.
func (t *Template) Expand(m *bridge.Message) (string, error) {
	switch len(t.parts) {
	case 0:
		return "", nil
	case 1:
		if s, ok := t.parts[0].asString(m); ok {
			return s, nil
		}
	}
	room := rooms.Get().(*[]byte)
	defer rooms.Put(room)
	text, err := t.Append((*room)[:0], m)
	if err != nil {
		return "", err
	}
	if cap(text) <= keptRoom {
		*room = text
	}
	return string(text), nil
}

// CodeMissing is the code of the error when a message lacks what a template names.
const CodeMissing = "MissingField"

// keptRoom is the largest buffer that is kept for the next message.
const keptRoom = 4 << 10

var rooms = sync.Pool{New: func() any { b := make([]byte, 0, 256); return &b }}

// Append appends the text for m to dst; see [Template.Expand]. After an error dst is returned as it was.
func (t *Template) Append(dst []byte, m *bridge.Message) ([]byte, error) {
	out := dst
	for i := range t.parts {
		p := &t.parts[i]
		if p.from == nil {
			out = append(out, p.text...)
			continue
		}
		var err error
		if out, err = p.append(out, m); err != nil {
			return dst, err
		}
	}
	return out, nil
}

// asString returns what needs no formatting.
func (p *part) asString(m *bridge.Message) (string, bool) {
	if p.from == nil {
		return p.text, true
	}
	switch v := p.from(m, p.name); {
	case v.form == formText && v.typed.Str() != "":
		return v.typed.Str(), true
	case v.form == formTyped && v.typed.Type() == bridge.StringType:
		return v.typed.Str(), true
	default:
		return "", false
	}
}

func (p *part) append(dst []byte, m *bridge.Message) ([]byte, error) {
	v := p.from(m, p.name)
	if !v.isSet() || p.fallback && v.isFalse() {
		if p.fallback {
			return append(dst, p.text...), nil
		}
		return dst, &bridge.Error{
			Class: bridge.Permanent, Code: CodeMissing, Err: fmt.Errorf("the message has no %s, which the template %q needs", p.path, "${"+p.path+"}"),
			Remedy: fmt.Sprintf(`write ${%s // "…"} where messages may lack it`, p.path),
		}
	}
	switch v.form {
	case formDestination:
		dst = append(dst, v.destination.Kind.String()...)
		dst = append(dst, ':')
		return append(dst, v.destination.Name...), nil
	case formInstant:
		return envelope.AppendInstant(dst, v.instant), nil
	}
	out, err := envelope.AppendValue(dst, v.typed)
	if err != nil {
		return dst, bridge.Errorf(bridge.Permanent, "%s: %w", p.path, err)
	}
	return out, nil
}

// ParseTemplate reads a template. An error names the character (counted from 1) at which it went wrong.
func ParseTemplate(s string) (*Template, error) {
	t := &Template{source: s}
	var literal strings.Builder
	flush := func() {
		if literal.Len() > 0 {
			t.parts = append(t.parts, part{text: literal.String()})
			literal.Reset()
		}
	}
	for rest := s; rest != ""; {
		at := strings.IndexByte(rest, '$')
		if at < 0 {
			literal.WriteString(rest)
			break
		}
		literal.WriteString(rest[:at])
		rest = rest[at:]
		switch {
		case strings.HasPrefix(rest, "$${"):
			literal.WriteString("${")
			rest = rest[len("$${"):]
		case strings.HasPrefix(rest, "${"):
			flush()
			x := expression{source: s, rest: rest[len("${"):]}
			p, err := x.parse()
			if err != nil {
				return nil, err
			}
			t.parts = append(t.parts, p)
			rest = x.rest
		default:
			literal.WriteByte('$')
			rest = rest[1:]
		}
	}
	flush()
	return t, nil
}
