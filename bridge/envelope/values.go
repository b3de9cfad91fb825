package envelope

import (
	"math"
	"slices"
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/jmsbridge/jmsbridge/bridge"
)

// MaxDepth is how many levels of maps and lists, properties and body included, an envelope may have. It bounds the
// recursion on what a peer sends.
const MaxDepth = 64

// stackEntries is for how many entries sorting needs no allocation.
const stackEntries = 16

// exactLimit is 2^53: beyond it a double, which is all that JavaScript has, skips integers.
const exactLimit = 1 << 53

// collect appends the entries of p to dst.
func collect(dst []bridge.Entry, p bridge.Properties) []bridge.Entry {
	for name, v := range p.All() {
		dst = append(dst, bridge.Entry{Name: name, Value: v})
	}
	return dst
}

// sorted fills order with the positions of entries sorted by name. Insertion sort: there are few, and a producer
// tends to send them in the same order each time.
func sorted(order []int32, entries []bridge.Entry) []int32 {
	for i := range entries {
		order = append(order, int32(i))
	}
	if len(order) > stackEntries {
		slices.SortFunc(order, func(a, b int32) int { return strings.Compare(entries[a].Name, entries[b].Name) })
		return order
	}
	for i := 1; i < len(order); i++ {
		for j := i; j > 0 && entries[order[j]].Name < entries[order[j-1]].Name; j-- {
			order[j], order[j-1] = order[j-1], order[j]
		}
	}
	return order
}

// entries appends a JSON object sorted by name. what names the place in errors.
func (e *encoder) entries(entries []bridge.Entry, what string, depth int) {
	if depth > MaxDepth {
		e.fail("%s: more than %d levels of maps and lists", what, MaxDepth)
		return
	}
	var room [stackEntries]int32
	order := sorted(room[:0], entries)
	e.buf = append(e.buf, '{')
	for i, at := range order {
		entry := &entries[at]
		if i > 0 {
			if entries[order[i-1]].Name == entry.Name {
				e.fail("%s: two entries are named %q", what, entry.Name)
				return
			}
			e.buf = append(e.buf, ',')
		}
		if !utf8.ValidString(entry.Name) {
			e.fail("%s: the name %q is not valid UTF-8", what, entry.Name)
			return
		}
		e.buf = appendString(e.buf, entry.Name)
		e.buf = append(e.buf, ':')
		e.value(&entry.Value, entry.Name, depth)
		if e.err != nil {
			return
		}
	}
	e.buf = append(e.buf, '}')
}

func (e *encoder) list(values []bridge.Value, what string, depth int) {
	if depth > MaxDepth {
		e.fail("%s: more than %d levels of maps and lists", what, MaxDepth)
		return
	}
	e.buf = append(e.buf, '[')
	for i := range values {
		if i > 0 {
			e.buf = append(e.buf, ',')
		}
		e.value(&values[i], what, depth)
		if e.err != nil {
			return
		}
	}
	e.buf = append(e.buf, ']')
}

// value appends one value in the JSON form that doc.go states.
func (e *encoder) value(v *bridge.Value, what string, depth int) {
	switch v.Type() {
	case bridge.StringType:
		if !utf8.ValidString(v.Str()) {
			e.fail("%s is not valid UTF-8", what)
			return
		}
		e.buf = appendString(e.buf, v.Str())
	case bridge.BooleanType:
		e.buf = strconv.AppendBool(e.buf, v.Bool())
	case bridge.ByteType, bridge.ShortType, bridge.IntType:
		e.buf = strconv.AppendInt(e.buf, v.Int64(), 10)
	case bridge.LongType:
		e.buf = appendLong(e.buf, v.Int64())
	case bridge.FloatType:
		e.buf = appendFloat(e.buf, v.Float64(), 32)
	case bridge.DoubleType:
		e.buf = appendFloat(e.buf, v.Float64(), 64)
	case bridge.CharType:
		e.buf = appendChar(e.buf, uint16(v.Int64()))
	case bridge.BytesType:
		e.buf = appendBase64(e.buf, v.Str())
	case bridge.NullType:
		e.buf = append(e.buf, "null"...)
	case bridge.MapType:
		e.entries(v.Map(), what, depth+1)
	case bridge.ListType:
		e.list(v.List(), what, depth+1)
	default:
		e.fail("%s has a value of unknown type %d", what, v.Type())
	}
}

func appendLong(dst []byte, v int64) []byte {
	if v >= -exactLimit && v <= exactLimit {
		return strconv.AppendInt(dst, v, 10)
	}
	dst = append(dst, '"')
	dst = strconv.AppendInt(dst, v, 10)
	return append(dst, '"')
}

// appendFloat appends the shortest number that gives f again, always with a fraction or an exponent.
func appendFloat(dst []byte, f float64, bits int) []byte {
	switch {
	case math.IsNaN(f):
		return append(dst, `"NaN"`...)
	case math.IsInf(f, 1):
		return append(dst, `"Infinity"`...)
	case math.IsInf(f, -1):
		return append(dst, `"-Infinity"`...)
	}
	// The exponent begins where JavaScript's own notation has it.
	if abs := math.Abs(f); abs != 0 && (abs < 1e-6 || abs >= 1e21) {
		return strconv.AppendFloat(dst, f, 'e', -1, bits)
	}
	start := len(dst)
	dst = strconv.AppendFloat(dst, f, 'f', -1, bits)
	if slices.Contains(dst[start:], '.') {
		return dst
	}
	return append(dst, '.', '0')
}

func appendChar(dst []byte, unit uint16) []byte {
	if utf16.IsSurrogate(rune(unit)) {
		return strconv.AppendUint(dst, uint64(unit), 10)
	}
	var text [utf8.UTFMax]byte
	n := utf8.EncodeRune(text[:], rune(unit))
	dst = append(dst, '"')
	dst = appendEscapedBytes(dst, text[:n])
	return append(dst, '"')
}

// AppendValue appends one scalar value as a template shows it: a string, char or bytes (base64) without quotes,
// everything else as the envelope's JSON has it (null: nothing). A map or list is appended as JSON without its types.
func AppendValue(dst []byte, v bridge.Value) ([]byte, error) {
	switch v.Type() {
	case bridge.NullType:
		return dst, nil
	case bridge.StringType:
		if !utf8.ValidString(v.Str()) {
			return dst, bridge.Errorf(bridge.Permanent, "the string is not valid UTF-8")
		}
		return append(dst, v.Str()...), nil
	case bridge.LongType:
		return strconv.AppendInt(dst, v.Int64(), 10), nil
	case bridge.CharType:
		if unit := rune(v.Int64()); !utf16.IsSurrogate(unit) {
			return utf8.AppendRune(dst, unit), nil
		}
		return strconv.AppendInt(dst, v.Int64(), 10), nil
	}
	start := len(dst)
	e := encoder{buf: dst}
	e.value(&v, "the value", 1)
	if e.err != nil {
		return dst, e.err
	}
	if n := len(e.buf); n > start+1 && e.buf[start] == '"' { // base64, NaN: no escapes inside
		copy(e.buf[start:], e.buf[start+1:n-1])
		e.buf = e.buf[:n-2]
	}
	return e.buf, nil
}

// Bound returns an upper bound of len(Append(nil, m)), without encoding. It is loose for text (six bytes a byte, as if
// all of it were control characters).
func Bound(m *bridge.Message) int {
	const fixed = 640 // names, separators, numbers, instants
	n := fixed + 6*(len(m.ID)+len(m.CorrelationID)+len(m.Type)+len(m.UserID)+len(m.GroupID)+len(m.Destination.Name)+len(m.ReplyTo.Name))
	for name, v := range m.Properties.All() {
		n += boundOf(name, &v, 0)
	}
	switch m.Body.Kind() {
	case bridge.TextBody:
		n += 6 * len(m.Body.Data())
	case bridge.BytesBody, bridge.ObjectBody:
		n += 4 * (len(m.Body.Data()) + 2) / 3
	}
	for _, e := range m.Body.Map() {
		n += boundOf(e.Name, &e.Value, 0)
	}
	for _, v := range m.Body.Stream() {
		n += boundOf("", &v, 0)
	}
	return n
}

// boundOf bounds a named value, its type included. path is the length of the pointer before it.
func boundOf(name string, v *bridge.Value, path int) int {
	const scalar = 48 // the longest number, a type's word, separators, an index
	key := path + 2*len(name) + 20
	n := scalar + 6*len(name) + 6*key
	switch v.Type() {
	case bridge.StringType:
		n += 6 * len(v.Str())
	case bridge.BytesType:
		n += 4 * (len(v.Str()) + 2) / 3
	}
	for _, e := range v.Map() {
		n += boundOf(e.Name, &e.Value, key)
	}
	for _, e := range v.List() {
		n += boundOf("", &e, key)
	}
	return n
}
