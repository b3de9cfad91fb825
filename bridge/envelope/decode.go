package envelope

import (
	"errors"
	"fmt"
	"math"
	"sort"
	"strconv"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/jmsbridge/jmsbridge/bridge"
)

// decoder turns JSON values into typed values. Their depth has been checked.
type decoder struct {
	what  string
	named map[string]bridge.ValueType // by JSON Pointer without its first slash; taken away when used
	path  []byte
}

var typesByName = func() map[string]bridge.ValueType {
	m := make(map[string]bridge.ValueType)
	for t := bridge.NullType; t <= bridge.ListType; t++ {
		m[t.String()] = t
	}
	return m
}()

// types reads a types object; nil has none.
func (d *decoder) types(field string, s scanner) error {
	if !s.there() {
		return nil
	}
	d.named = make(map[string]bridge.ValueType)
	err := s.members(func(name string) error {
		word, err := s.text()
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		t, ok := typesByName[word]
		if !ok {
			return fmt.Errorf("%s: there is no type %q", name, word)
		}
		d.named[name] = t
		return nil
	})
	if err == nil {
		err = s.end()
	}
	if err != nil {
		return fmt.Errorf("%s: %w", field, err)
	}
	return nil
}

// unused refuses types that name nothing: a misspelt name would make its value something else.
func (d *decoder) unused(field string) error {
	if len(d.named) == 0 {
		return nil
	}
	left := make([]string, 0, len(d.named))
	for name := range d.named {
		left = append(left, name)
	}
	sort.Strings(left)
	return fmt.Errorf("%s names %q, which is not there", field, left[0])
}

// take returns the named type of the value at the path, and whether there is one.
func (d *decoder) take() (bridge.ValueType, bool) {
	if len(d.named) == 0 {
		return bridge.NullType, false
	}
	t, ok := d.named[string(d.path)]
	if ok {
		delete(d.named, string(d.path))
	}
	return t, ok
}

func (d *decoder) entries(s scanner) ([]bridge.Entry, error) {
	entries, err := d.readEntries(&s)
	if err == nil {
		err = s.end()
	}
	if err != nil {
		return nil, d.located(err)
	}
	return entries, nil
}

func (d *decoder) list(s scanner) ([]bridge.Value, error) {
	values, err := d.readList(&s)
	if err == nil {
		err = s.end()
	}
	if err != nil {
		return nil, d.located(err)
	}
	return values, nil
}

// located names the value in an error. The path is left as it was when the error came.
func (d *decoder) located(err error) error {
	if len(d.path) == 0 {
		return fmt.Errorf("%s: %w", d.what, err)
	}
	return fmt.Errorf("%s: %s: %w", d.what, d.path, err)
}

func (d *decoder) readEntries(s *scanner) ([]bridge.Entry, error) {
	entries := []bridge.Entry{}
	at := len(d.path)
	err := s.members(func(name string) error {
		d.path = appendPointer(d.path[:at], name)
		v, err := d.value(s)
		if err != nil {
			return err
		}
		entries = append(entries, bridge.Entry{Name: name, Value: v})
		d.path = d.path[:at]
		return nil
	})
	return entries, err
}

func (d *decoder) readList(s *scanner) ([]bridge.Value, error) {
	values := []bridge.Value{}
	at := len(d.path)
	err := s.elements(func(i int) error {
		d.path = strconv.AppendInt(d.path[:at], int64(i), 10)
		v, err := d.value(s)
		if err != nil {
			return err
		}
		values = append(values, v)
		d.path = d.path[:at]
		return nil
	})
	return values, err
}

func (d *decoder) value(s *scanner) (bridge.Value, error) {
	t, named := d.take()
	switch c := s.peek(); {
	case c == '"':
		text, err := s.text()
		if err != nil {
			return bridge.Value{}, err
		}
		if !named {
			t = bridge.StringType
		}
		return fromText(t, text)
	case c == '{':
		if named && t != bridge.MapType {
			return mismatch(t, "an object")
		}
		d.path = append(d.path, '/')
		entries, err := d.readEntries(s)
		return bridge.MapValue(entries), err
	case c == '[':
		if named && t != bridge.ListType {
			return mismatch(t, "an array")
		}
		d.path = append(d.path, '/')
		values, err := d.readList(s)
		return bridge.ListValue(values), err
	case c == '-' || c >= '0' && c <= '9':
		literal, whole, err := s.number()
		if err != nil {
			return bridge.Value{}, err
		}
		if !named {
			t = bridge.IntType
			if !whole {
				t = bridge.DoubleType
			}
		}
		return fromNumber(t, literal, named)
	default:
		word, err := s.word()
		switch {
		case err != nil:
			return bridge.Value{}, err
		case word == "null" && (!named || t == bridge.NullType):
			return bridge.Null(), nil
		case word == "null":
			return mismatch(t, "null")
		case named && t != bridge.BooleanType:
			return mismatch(t, "a boolean")
		}
		return bridge.Boolean(word == "true"), nil
	}
}

func mismatch(t bridge.ValueType, form string) (bridge.Value, error) {
	return bridge.Value{}, fmt.Errorf("named %s, but it is %s", t, form)
}

// fromText makes a value of a JSON string.
func fromText(t bridge.ValueType, text string) (bridge.Value, error) {
	switch t {
	case bridge.StringType:
		return bridge.String(text), nil
	case bridge.BytesType:
		raw, err := fromBase64(text)
		return bridge.Bytes(raw), err
	case bridge.CharType:
		r, n := utf8.DecodeRuneInString(text)
		if n == 0 || n != len(text) || r > math.MaxUint16 {
			return bridge.Value{}, errors.New("a char is one UTF-16 unit")
		}
		return bridge.Char(uint16(r)), nil
	case bridge.LongType:
		n, err := strconv.ParseInt(text, 10, 64)
		if err != nil {
			return bridge.Value{}, fmt.Errorf("%q is not a long", text)
		}
		return bridge.Long(n), nil
	case bridge.FloatType, bridge.DoubleType:
		return fromFloatWord(t, text)
	default:
		return mismatch(t, "a string")
	}
}

// The bits of Java's NaN.
const (
	floatNaN  = 0x7fc00000
	doubleNaN = 0x7ff8000000000000
)

func fromFloatWord(t bridge.ValueType, text string) (bridge.Value, error) {
	var f float64
	switch text {
	case "NaN":
		if t == bridge.FloatType {
			return bridge.Float(math.Float32frombits(floatNaN)), nil
		}
		return bridge.Double(math.Float64frombits(doubleNaN)), nil
	case "Infinity":
		f = math.Inf(1)
	case "-Infinity":
		f = math.Inf(-1)
	default:
		return bridge.Value{}, fmt.Errorf("%q is neither a number nor NaN, Infinity or -Infinity", text)
	}
	if t == bridge.FloatType {
		return bridge.Float(float32(f)), nil
	}
	return bridge.Double(f), nil
}

// fromNumber makes a value of a JSON number.
func fromNumber(t bridge.ValueType, literal string, named bool) (bridge.Value, error) {
	switch t {
	case bridge.FloatType:
		f, err := strconv.ParseFloat(literal, 32)
		if err != nil {
			return bridge.Value{}, fmt.Errorf("%s is too large for a float", literal)
		}
		return bridge.Float(float32(f)), nil
	case bridge.DoubleType:
		f, err := strconv.ParseFloat(literal, 64)
		if err != nil {
			return bridge.Value{}, fmt.Errorf("%s is too large for a double", literal)
		}
		return bridge.Double(f), nil
	}
	var bits int
	switch t {
	case bridge.ByteType:
		bits = 8
	case bridge.ShortType:
		bits = 16
	case bridge.IntType:
		bits = 32
	case bridge.LongType:
		bits = 64
	case bridge.CharType:
		bits = 17 // 16 unsigned
	default:
		return mismatch(t, "a number")
	}
	n, err := strconv.ParseInt(literal, 10, bits)
	if err != nil {
		if !named {
			return bridge.Value{}, fmt.Errorf("%s is too large for an int; its type has to be named", literal)
		}
		return bridge.Value{}, fmt.Errorf("%s is not a %s", literal, t)
	}
	switch t {
	case bridge.ByteType:
		return bridge.Byte(int8(n)), nil
	case bridge.ShortType:
		return bridge.Short(int16(n)), nil
	case bridge.LongType:
		return bridge.Long(n), nil
	case bridge.CharType:
		if !utf16.IsSurrogate(rune(n)) {
			return bridge.Value{}, errors.New("only half of a surrogate pair is a char written as a number")
		}
		return bridge.Char(uint16(n)), nil
	default:
		return bridge.Int(int32(n)), nil
	}
}
