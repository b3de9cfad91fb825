package stage

import (
	"encoding/json"
	"math"
	"math/big"
	"strconv"
	"unicode/utf8"
)

// typing settles which types are named after a transform, while the values are written. A value that is still there
// keeps the type that it had named as long as its new form fits, so that an amount plus one is still a long. What the
// transform made of another form, or took away, loses it. What the expression itself named stays as it is, for
// envelope.Parse to judge.
type typing struct {
	before, after map[string]any // the named types, by pointer
	kept          map[string]any
	path          []byte // the pointer of the value at hand
}

func newTyping(before, after any) *typing {
	t := &typing{kept: map[string]any{}}
	t.before, _ = before.(map[string]any)
	t.after, _ = after.(map[string]any)
	for pointer, word := range t.after {
		if t.before[pointer] != word {
			t.kept[pointer] = word
		}
	}
	return t
}

// settle returns the named type of the value at the path, or "". moved tells that the list around it has another
// length than before, so that whose type is whose can't be told.
func (t *typing) settle(v any, moved bool) string {
	if word, named := t.kept[string(t.path)].(string); named {
		return word
	}
	old, known := t.after[string(t.path)].(string)
	switch {
	case known && !moved && fits(v, old):
		t.kept[string(t.path)] = old
		return old
	case isLarge(v):
		t.kept[string(t.path)] = "long"
		return "long"
	}
	if f, ok := v.(float64); ok && (math.IsNaN(f) || math.IsInf(f, 0)) {
		t.kept[string(t.path)] = "double"
		return "double"
	}
	return ""
}

// isLarge tells that v is a whole number that needs a long.
func isLarge(v any) bool {
	var n int64
	switch v := v.(type) {
	case int:
		n = int64(v)
	case json.Number: // from fromjson
		n, _ = strconv.ParseInt(v.String(), 10, 64)
	}
	return n > math.MaxInt32 || n < math.MinInt32
}

// enter adds a name to the path, and returns how long it was. inside tells that it is not the first.
func (t *typing) enter(name string, inside bool) int {
	at := len(t.path)
	if inside {
		t.path = append(t.path, '/')
	}
	t.path = append(t.path, escape(name)...)
	return at
}

func (t *typing) leave(at int) { t.path = t.path[:at] }

// fits tells whether a value has the form of a type that was named before.
func fits(v any, word string) bool {
	switch word {
	case "null":
		return v == nil
	case "map":
		_, ok := v.(map[string]any)
		return ok
	case "list":
		_, ok := v.([]any)
		return ok
	case "bytes":
		_, ok := v.(string)
		return ok
	case "char":
		return isChar(v)
	case "float", "double":
		s, ok := v.(string)
		return isNumber(v) || ok && (s == "NaN" || s == "Infinity" || s == "-Infinity")
	default:
		return inRange(v, word)
	}
}

func isChar(v any) bool {
	if n, ok := v.(int); ok {
		return n >= 0xd800 && n <= 0xdfff
	}
	s, _ := v.(string)
	r, size := utf8.DecodeRuneInString(s)
	return size > 0 && size == len(s) && r <= math.MaxUint16
}

func isNumber(v any) bool {
	switch v.(type) {
	case int, float64, *big.Int, json.Number:
		return true
	default:
		return false
	}
}

// wholeBits are the sizes of the types of whole numbers.
var wholeBits = map[string]int{"byte": 8, "short": 16, "int": 32, "long": 64}

// inRange tells whether v is a whole number that a type of whole numbers holds.
func inRange(v any, word string) bool {
	var n int64
	switch v := v.(type) {
	case int:
		n = int64(v)
	case float64:
		if v != math.Trunc(v) || math.Abs(v) >= 1<<63 {
			return false
		}
		n = int64(v)
	case json.Number:
		var err error
		if n, err = strconv.ParseInt(v.String(), 10, 64); err != nil {
			return false
		}
	default:
		return false
	}
	bits := wholeBits[word]
	if bits == 0 {
		return false
	}
	low := int64(-1) << (bits - 1)
	return n >= low && n <= -(low+1)
}
