package envelope

import (
	"math"
	"strconv"

	"github.com/jmsbridge/jmsbridge/bridge"
)

// maxTypes bounds what naming types may take: a long name around many values is repeated for each.
const maxTypes = 32 << 20

// named tells whether the type of v does not follow from its JSON form.
func named(v *bridge.Value) bool {
	switch v.Type() {
	case bridge.StringType, bridge.BooleanType, bridge.IntType:
		return false
	case bridge.DoubleType:
		f := v.Float64()
		return math.IsNaN(f) || math.IsInf(f, 0)
	default:
		return true
	}
}

func anyNamed(entries []bridge.Entry) bool {
	for i := range entries {
		if named(&entries[i].Value) {
			return true
		}
	}
	return false
}

func anyNamedIn(values []bridge.Value) bool {
	for i := range values {
		if named(&values[i]) {
			return true
		}
	}
	return false
}

// typesOfEntries appends the types object of entries, which have been encoded before: depth, names and strings are
// known to be good. A map or list is itself named, so the walk needs to go no deeper than it finds one.
func (e *encoder) typesOfEntries(entries []bridge.Entry) {
	e.start, e.path = len(e.buf), e.path[:0]
	e.buf = append(e.buf, '{')
	e.walkEntries(entries)
	e.buf = append(e.buf, '}')
}

func (e *encoder) typesOfList(values []bridge.Value) {
	e.start, e.path = len(e.buf), e.path[:0]
	e.buf = append(e.buf, '{')
	e.walkList(values)
	e.buf = append(e.buf, '}')
}

func (e *encoder) walkEntries(entries []bridge.Entry) {
	var room [stackEntries]int32
	at := len(e.path)
	for _, i := range sorted(room[:0], entries) {
		v := &entries[i].Value
		if !named(v) {
			continue
		}
		e.path = appendPointer(e.path, entries[i].Name)
		e.walkValue(v)
		e.path = e.path[:at]
	}
}

func (e *encoder) walkList(values []bridge.Value) {
	at := len(e.path)
	for i := range values {
		if !named(&values[i]) {
			continue
		}
		e.path = strconv.AppendInt(e.path, int64(i), 10)
		e.walkValue(&values[i])
		e.path = e.path[:at]
	}
}

// walkValue appends "path":"type" for a named value and what is inside it.
func (e *encoder) walkValue(v *bridge.Value) {
	if len(e.buf)-e.start > maxTypes {
		e.fail("naming the types of its values takes more than %d bytes", maxTypes)
	}
	if e.err != nil {
		return
	}
	if e.buf[len(e.buf)-1] != '{' {
		e.buf = append(e.buf, ',')
	}
	e.buf = append(e.buf, '"')
	e.buf = appendEscapedBytes(e.buf, e.path)
	e.buf = append(e.buf, '"', ':', '"')
	e.buf = append(e.buf, v.Type().String()...)
	e.buf = append(e.buf, '"')
	switch v.Type() {
	case bridge.MapType:
		e.path = append(e.path, '/')
		e.walkEntries(v.Map())
	case bridge.ListType:
		e.path = append(e.path, '/')
		e.walkList(v.List())
	}
}

// appendPointer appends a name as one token of a JSON Pointer (RFC 6901, section 3).
func appendPointer(dst []byte, name string) []byte {
	for i := range len(name) {
		switch c := name[i]; c {
		case '~':
			dst = append(dst, '~', '0')
		case '/':
			dst = append(dst, '~', '1')
		default:
			dst = append(dst, c)
		}
	}
	return dst
}
