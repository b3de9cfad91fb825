package stage

import (
	"errors"
	"fmt"
	"strings"
	"sync"

	"github.com/jmsbridge/jmsbridge/bridge"
	"github.com/jmsbridge/jmsbridge/bridge/envelope"
)

// Template is text with jq expressions over a message's envelope in it. It is immutable and safe for concurrent use.
type Template struct {
	source string
	parts  []part
	needs  needs // of the parts with jq
}

// part is literal text, a field when from is set, or another expression when jq is.
type part struct {
	text     string // the literal, or the text to fall back on
	path     string // as written, for errors
	from     func(m *bridge.Message, name string) value
	name     string // of a property
	fallback bool   // text is there to fall back on
	jq       *program
}

// ParseTemplate reads a template. $${ stands for a literal ${. An error names the character (counted from 1) at which
// it went wrong, and the line where there are several.
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
			rest = rest[len("${"):]
			end := endOfExpression(rest)
			if end < 0 {
				return nil, t.mistake(len(s)-len(rest), &sourceError{source: rest, at: len(rest), text: "the closing } is missing", syntax: true})
			}
			p, err := parsePart(rest[:end])
			if err != nil {
				return nil, t.mistake(len(s)-len(rest), err)
			}
			t.parts = append(t.parts, p)
			if p.jq != nil {
				t.needs.merge(&p.jq.needs)
			}
			rest = rest[end+1:]
		default:
			literal.WriteByte('$')
			rest = rest[1:]
		}
	}
	flush()
	return t, nil
}

func parsePart(source string) (part, error) {
	if p, ok := simple(source); ok {
		return p, nil
	}
	jq, err := compileProgram(source)
	return part{jq: jq}, err
}

// mistake places an error in an expression, which begins at the given byte, in the whole template.
func (t *Template) mistake(begin int, err error) error {
	var e *sourceError
	if errors.As(err, &e) {
		placed := &sourceError{source: t.source, at: begin + e.at, text: e.text}
		if e.syntax {
			placed.text += "; ${…} holds jq over the envelope, like ${.type}, and $${ is a literal ${"
		}
		err = placed
	}
	return fmt.Errorf("template %q, %w", t.source, err)
}

// String returns the template as it was written.
func (t *Template) String() string { return t.source }

// IsLiteral tells that the template is the same for every message.
func (t *Template) IsLiteral() bool {
	for i := range t.parts {
		if t.parts[i].from != nil || t.parts[i].jq != nil {
			return false
		}
	}
	return true
}

// Fields returns the paths that the template names in the envelope, in their order. A path ends where jq computes what
// follows; "." is the envelope as a whole.
func (t *Template) Fields() []string {
	var paths []string
	for i := range t.parts {
		switch p := &t.parts[i]; {
		case p.from != nil:
			paths = append(paths, p.path)
		case p.jq != nil:
			paths = append(paths, p.jq.fields...)
		}
	}
	return paths
}

// CodeMissing is the code of the error when a message lacks what a template names.
const CodeMissing = "MissingField"

// Expand returns the text for m. Strings are written as they are, all else as JSON; a header or a property that is
// taken as it is in the form of the envelope. As in jq, what follows // stands for what is not set, null or false.
// Without it, what is not set or null is an error of class Permanent with the code [CodeMissing] that names it.
// An expression that fails gives an error of class Permanent with the code [CodeExpression] or [CodeBudget], which holds
// nothing of the message.
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

// keptRoom is the largest buffer that is kept for the next message.
const keptRoom = 4 << 10

var rooms = sync.Pool{New: func() any { b := make([]byte, 0, 256); return &b }}

// Append appends the text for m to dst; see [Template.Expand]. After an error dst is returned as it was.
func (t *Template) Append(dst []byte, m *bridge.Message) ([]byte, error) {
	out := dst
	in := jqInput{needs: &t.needs}
	for i := range t.parts {
		p := &t.parts[i]
		var err error
		switch {
		case p.jq != nil:
			out, err = p.evaluate(out, m, &in)
		case p.from != nil:
			out, err = p.append(out, m)
		default:
			out = append(out, p.text...)
		}
		if err != nil {
			return dst, err
		}
	}
	return out, nil
}

// asString returns what needs no formatting.
func (p *part) asString(m *bridge.Message) (string, bool) {
	if p.from == nil {
		return p.text, p.jq == nil
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

// jqInput is the envelope of a message, made when the first expression needs it.
type jqInput struct {
	needs    *needs
	envelope map[string]any
	weight   int
}

// evaluate appends the text of an expression that needs jq.
func (p *part) evaluate(dst []byte, m *bridge.Message, in *jqInput) ([]byte, error) {
	if in.envelope == nil {
		var err error
		if in.envelope, in.weight, err = viewOf(m, in.needs); err != nil {
			return dst, err
		}
	}
	budget := Budget{}.orDefault()
	v, ok, err := p.jq.run(in.envelope, budget)
	if err != nil {
		return dst, err
	}
	if !ok || v == nil {
		return dst, &bridge.Error{
			Class: bridge.Permanent, Code: CodeMissing, Err: fmt.Errorf("%s: it gives nothing for this message", p.jq.name()),
			Remedy: `end the expression with // "…" where messages may lack what it needs`,
		}
	}
	w := writer{buf: dst, weight: in.weight + budget.Bytes, float: jqText}
	if s, isText := v.(string); isText {
		err = w.plain(s)
	} else {
		err = w.value(v, nil, false, 1)
	}
	if err != nil {
		return dst, p.jq.wrongResult(err)
	}
	return w.buf, nil
}
