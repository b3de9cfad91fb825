package stage

import (
	"encoding/json"
	"fmt"
	"math"
	"math/big"
	"slices"
	"strconv"

	"github.com/itchyny/gojq"

	"github.com/jmsbridge/jmsbridge/bridge"
	"github.com/jmsbridge/jmsbridge/bridge/envelope"
)

// resultError says what is wrong with what an expression gave. It holds nothing of a message but names of fields.
type resultError struct {
	text   string
	budget bool
}

func (e *resultError) Error() string { return e.text }

func resultErrorf(format string, args ...any) error {
	return &resultError{text: fmt.Sprintf(format, args...)}
}

// writer appends a value of jq as JSON, and stops when it weighs too much: a value that holds another many times is
// small in memory, and its text is not.
type writer struct {
	buf    []byte
	weight int // what is left
	// float writes a number that jq has as a float64.
	float  func(dst []byte, f float64) []byte
	typing *typing // nil: types don't matter
}

func (w *writer) spend(n int) error {
	if w.weight -= n; w.weight < 0 {
		return &resultError{text: "the result is larger than the budget allows", budget: true}
	}
	return nil
}

// value appends v. before is what stood in its place before, and moved that its place means nothing.
func (w *writer) value(v, before any, moved bool, depth int) error {
	if err := w.spend(valueWeight); err != nil {
		return err
	}
	if depth > envelope.MaxDepth+2 {
		return resultErrorf("the result has more than %d levels of objects and arrays", envelope.MaxDepth)
	}
	word := ""
	if w.typing != nil && depth > 1 { // the first level is the properties or the body itself
		word = w.typing.settle(v, moved)
	}
	switch v := v.(type) {
	case nil:
		w.buf = append(w.buf, "null"...)
	case bool:
		w.buf = strconv.AppendBool(w.buf, v)
	case int:
		w.buf = strconv.AppendInt(w.buf, int64(v), 10)
	case float64:
		if wholeBits[word] > 0 && v == math.Trunc(v) && math.Abs(v) < 1<<63 {
			w.buf = strconv.AppendInt(w.buf, int64(v), 10)
		} else {
			w.buf = w.float(w.buf, v)
		}
	case *big.Int:
		if err := w.spend(v.BitLen() / 3); err != nil {
			return err
		}
		w.buf = v.Append(w.buf, 10)
	case json.Number:
		if err := w.spend(len(v)); err != nil {
			return err
		}
		w.buf = append(w.buf, v...)
	case string:
		return w.text(v)
	case []any:
		return w.list(v, before, moved, depth)
	case map[string]any:
		return w.object(v, before, moved, depth)
	default:
		return resultErrorf("the result has a value of no type of JSON")
	}
	return nil
}

func (w *writer) list(v []any, before any, moved bool, depth int) error {
	was, _ := before.([]any)
	moved = moved || len(was) != len(v)
	w.buf = append(w.buf, '[')
	for i, element := range v {
		if i > 0 {
			w.buf = append(w.buf, ',')
		}
		var old any
		if !moved {
			old = was[i]
		}
		at := w.enter(strconv.Itoa(i), depth)
		if err := w.value(element, old, moved, depth+1); err != nil {
			return err
		}
		w.leave(at)
	}
	w.buf = append(w.buf, ']')
	return nil
}

func (w *writer) object(v map[string]any, before any, moved bool, depth int) error {
	was, _ := before.(map[string]any)
	w.buf = append(w.buf, '{')
	for i, name := range sortedNames(v) {
		if err := w.name(i, name); err != nil {
			return err
		}
		at := w.enter(name, depth)
		if err := w.value(v[name], was[name], moved, depth+1); err != nil {
			return err
		}
		w.leave(at)
	}
	w.buf = append(w.buf, '}')
	return nil
}

func (w *writer) enter(name string, depth int) int {
	if w.typing == nil {
		return 0
	}
	return w.typing.enter(name, depth > 1)
}

func (w *writer) leave(at int) {
	if w.typing != nil {
		w.typing.leave(at)
	}
}

func (w *writer) name(i int, name string) error {
	if i > 0 {
		w.buf = append(w.buf, ',')
	}
	if err := w.text(name); err != nil {
		return err
	}
	w.buf = append(w.buf, ':')
	return nil
}

func (w *writer) text(s string) error {
	if err := w.spend(len(s)); err != nil {
		return err
	}
	var err error
	if w.buf, err = envelope.AppendContent(w.buf, bridge.NewText(s)); err != nil {
		return resultErrorf("the result has a text that is not valid UTF-8")
	}
	return nil
}

// plain appends a text as it is.
func (w *writer) plain(s string) error {
	if err := w.spend(len(s)); err != nil {
		return err
	}
	var err error
	if w.buf, err = envelope.AppendValue(w.buf, bridge.String(s)); err != nil {
		return resultErrorf("the result has a text that is not valid UTF-8")
	}
	return nil
}

func sortedNames(m map[string]any) []string {
	names := make([]string, 0, len(m))
	for name := range m {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// doubleText writes a float64 as the envelope writes a double: never as a whole number.
func doubleText(dst []byte, f float64) []byte {
	if math.IsNaN(f) || math.IsInf(f, 0) {
		dst = append(dst, '"')
		dst, _ = envelope.AppendValue(dst, bridge.Double(f))
		return append(dst, '"')
	}
	dst, _ = envelope.AppendValue(dst, bridge.Double(f))
	return dst
}

// jqText writes a float64 as jq does: 2, not 2.0.
func jqText(dst []byte, f float64) []byte {
	text, err := gojq.Marshal(f)
	if err != nil {
		return append(dst, "null"...)
	}
	return append(dst, text...)
}
