package stage

import (
	"context"
	"errors"
	"fmt"
	"strconv"

	"github.com/jmsbridge/jmsbridge/bridge"
	"github.com/jmsbridge/jmsbridge/bridge/envelope"
)

// Transform is a jq program that makes a new message of each: it gets the envelope and gives one. It is immutable and
// safe for concurrent use.
//
// A result of nothing (empty) drops the message. The result is read as strictly as any envelope, with three
// allowances for what jq programs do: a field of the envelope that is null is not set; a type that was named for a
// value before is kept while its form still fits and forgotten otherwise; and body_type follows the body when that has
// become an object, a list, a string or nothing. A number that jq computed with a fraction, or by a function like
// floor, is a double; a whole number is an int, or a long when an int can't hold it.
//
// Message.Key, which is no part of the envelope, is that of the original.
type Transform struct {
	program *program
	budget  Budget
}

// ParseTransform reads a jq program. The error names the place of the mistake: the character, counted from 1, and the
// line where there are several. Modules, input, debug and halt are refused, and $ENV and env are empty.
func ParseTransform(source string) (*Transform, error) {
	p, err := compileProgram(source)
	if err != nil {
		return nil, fmt.Errorf("transform %s: %w", strconv.Quote(shortened(source)), err)
	}
	return &Transform{program: p, budget: Budget{}.orDefault()}, nil
}

// Within returns the same transform with another budget.
func (t *Transform) Within(b Budget) *Transform {
	return &Transform{program: t.program, budget: b.orDefault()}
}

// String returns the program as it was written.
func (t *Transform) String() string { return t.program.source }

// Process returns the message that the program makes of m, or nil when it gives nothing. It does not wait for ctx: the
// budget bounds how long it takes. Errors are of class Permanent and hold nothing of the message; their codes are
// [CodeExpression] and [CodeBudget].
func (t *Transform) Process(_ context.Context, m *bridge.Message) (*bridge.Message, error) {
	in, weight, err := viewOf(m, &needs{whole: true}) // the types of all that stays are needed too
	if err != nil {
		return nil, err
	}
	result, ok, err := t.program.run(in, t.budget)
	if err != nil || !ok {
		return nil, err
	}
	out, ok := result.(map[string]any)
	if !ok {
		return nil, t.program.failed(resultErrorf("it gives %s and no envelope; select(…) keeps or drops messages", kindOf(result)))
	}
	kept := keepsBody(out, in)
	text, err := writeEnvelope(out, in, kept, weight+t.budget.Bytes)
	if err != nil {
		return nil, t.program.wrongResult(err)
	}
	made, err := envelope.Parse(text)
	if err != nil {
		return nil, t.program.failed(resultErrorf("its result is no envelope: %s", t.program.wrongEnvelope(err)))
	}
	made.Key = m.Key
	if kept {
		made.Body = m.Body
	}
	return made, nil
}

// keepsBody tells that the program left a text, or bytes, as they were. So a large body is neither written nor read.
func keepsBody(out, in map[string]any) bool {
	before, ok := in["body"].(string)
	return ok && out["body"] == before && out["body_type"] == in["body_type"] && out["body_type_inferred"] == in["body_type_inferred"] &&
		out["body_types"] == nil
}

// wrongResult returns the error for a result that can't be written.
func (p *program) wrongResult(err error) error {
	e := p.failed(err)
	var result *resultError
	if errors.As(err, &result) && result.budget {
		e.Code, e.Remedy = CodeBudget, "make the result smaller"
	}
	return e
}

// writeEnvelope writes what a program made of in, with the types that it has now, and without a body that is kept.
func writeEnvelope(out, in map[string]any, kept bool, weight int) ([]byte, error) {
	w := &writer{buf: []byte{'{'}, weight: weight, float: jqText}
	bodyType, changed := typeOfBody(out, in)
	for _, name := range sortedNames(out) {
		value := out[name]
		switch {
		case value == nil, name == "property_types", name == "body_types", name == "body_type":
			continue
		case name == "body_type_inferred" && (kept || changed && value == in[name]):
			continue
		case name == "properties", name == "body":
			continue // with its types, below
		}
		if err := w.field(name, value); err != nil {
			return nil, err
		}
	}
	if bodyType != nil && !kept {
		if err := w.field("body_type", bodyType); err != nil {
			return nil, err
		}
	}
	if err := w.typed("properties", "property_types", out, in); err != nil {
		return nil, err
	}
	if !kept {
		if err := w.typed("body", "body_types", out, in); err != nil {
			return nil, err
		}
	}
	return append(w.buf, '}'), nil
}

func (w *writer) field(name string, value any) error {
	if err := w.name(len(w.buf)-1, name); err != nil {
		return err
	}
	return w.value(value, nil, false, 1)
}

// typed writes a field and the types of what is in it.
func (w *writer) typed(name, typesName string, out, in map[string]any) error {
	value, types := out[name], out[typesName]
	t := newTyping(in[typesName], types)
	if value != nil {
		w.typing, w.float = t, doubleText
		if err := w.name(len(w.buf)-1, name); err != nil {
			return err
		}
		if err := w.value(value, in[name], false, 1); err != nil {
			return err
		}
		w.typing, w.float = nil, jqText
	}
	if _, isObject := types.(map[string]any); types != nil && !isObject {
		return w.field(typesName, types) // which Parse refuses
	}
	if len(t.kept) == 0 {
		return nil
	}
	return w.field(typesName, t.kept)
}

// typeOfBody returns body_type, and whether it is another than before.
func typeOfBody(out, in map[string]any) (any, bool) {
	word, old, body := out["body_type"], in["body_type"], out["body"]
	natural := "none"
	switch body.(type) {
	case string:
		natural = "text"
	case map[string]any:
		natural = "map"
	case []any:
		natural = "stream"
	case nil:
	default:
		return word, word != old // which Parse refuses
	}
	switch {
	case word == nil && natural != "text":
		word = natural
	case word == old && word != natural && !(natural == "text" && (old == "bytes" || old == "object")):
		word = natural
	}
	return word, word != old
}
