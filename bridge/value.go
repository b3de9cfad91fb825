package bridge

import (
	"math"
	"slices"
)

// ValueType is the exact JMS type of a property, or of an element of a Map or Stream body.
type ValueType uint8

// The types of values. Char, Bytes, Map and List are allowed only inside bodies by JMS itself; brokers carry Map and
// List as properties too.
const (
	NullType ValueType = iota
	BooleanType
	ByteType
	ShortType
	IntType
	LongType
	FloatType
	DoubleType
	CharType
	StringType
	BytesType
	MapType
	ListType
)

var valueTypeNames = [...]string{
	"null", "boolean", "byte", "short", "int", "long", "float", "double", "char", "string", "bytes", "map", "list",
}

// String returns the envelope's word for the type ("int", "string", …).
func (t ValueType) String() string {
	if int(t) < len(valueTypeNames) {
		return valueTypeNames[t]
	}
	return "unknown"
}

// Value is one typed JMS value. The zero Value is null. Values are never changed; copying one is cheap.
type Value struct {
	kind ValueType
	bits uint64
	str  string
	ref  any // []Entry or []Value
}

// Null returns the null value.
func Null() Value { return Value{} }

// Boolean returns a boolean value.
func Boolean(v bool) Value {
	if v {
		return Value{kind: BooleanType, bits: 1}
	}
	return Value{kind: BooleanType}
}

// Byte returns a Java byte (signed, 8 bits).
func Byte(v int8) Value { return Value{kind: ByteType, bits: uint64(int64(v))} }

// Short returns a Java short (signed, 16 bits).
func Short(v int16) Value { return Value{kind: ShortType, bits: uint64(int64(v))} }

// Int returns a Java int (signed, 32 bits).
func Int(v int32) Value { return Value{kind: IntType, bits: uint64(int64(v))} }

// Long returns a Java long (signed, 64 bits).
func Long(v int64) Value { return Value{kind: LongType, bits: uint64(v)} }

// Float returns a Java float.
func Float(v float32) Value { return Value{kind: FloatType, bits: uint64(math.Float32bits(v))} }

// Double returns a Java double.
func Double(v float64) Value { return Value{kind: DoubleType, bits: math.Float64bits(v)} }

// Char returns a Java char: one UTF-16 unit, which may be half of a surrogate pair.
func Char(v uint16) Value { return Value{kind: CharType, bits: uint64(v)} }

// String returns a string value.
func String(v string) Value { return Value{kind: StringType, str: v} }

// Bytes returns a byte array; the string holds raw bytes.
func Bytes(raw string) Value { return Value{kind: BytesType, str: raw} }

// MapValue returns a nested map, which owns entries from now on.
func MapValue(entries []Entry) Value { return Value{kind: MapType, ref: entries} }

// ListValue returns a nested list, which owns values from now on.
func ListValue(values []Value) Value { return Value{kind: ListType, ref: values} }

// Type returns the exact type.
func (v Value) Type() ValueType { return v.kind }

// Bool returns a Boolean's value; false for other types.
func (v Value) Bool() bool { return v.kind == BooleanType && v.bits != 0 }

// Int64 returns the value of a Byte, Short, Int or Long, or the unit of a Char; 0 for other types.
func (v Value) Int64() int64 {
	switch v.kind {
	case ByteType, ShortType, IntType, LongType, CharType:
		return int64(v.bits)
	default:
		return 0
	}
}

// Float64 returns the value of a Float or Double; 0 for other types.
func (v Value) Float64() float64 {
	switch v.kind {
	case FloatType:
		return float64(math.Float32frombits(uint32(v.bits)))
	case DoubleType:
		return math.Float64frombits(v.bits)
	default:
		return 0
	}
}

// Str returns the text of a String, or the raw bytes of a Bytes value; "" for other types.
func (v Value) Str() string { return v.str }

// Map returns the entries of a nested map; nil for other types. The caller must not change them.
func (v Value) Map() []Entry {
	e, _ := v.ref.([]Entry)
	return e
}

// List returns the values of a nested list; nil for other types. The caller must not change them.
func (v Value) List() []Value {
	l, _ := v.ref.([]Value)
	return l
}

// Equal tells whether two values have the same type and content. NaN equals NaN with the same bits.
func (v Value) Equal(o Value) bool {
	return v.kind == o.kind && v.bits == o.bits && v.str == o.str &&
		equalEntries(v.Map(), o.Map()) && equalValues(v.List(), o.List())
}

// Entry is a named value: a property, or an element of a map.
type Entry struct {
	Name  string
	Value Value
}

// equalEntries compares maps, in which order does not matter; names are unique in each.
func equalEntries(a, b []Entry) bool {
	if len(a) != len(b) {
		return false
	}
	for _, e := range a {
		i := slices.IndexFunc(b, func(f Entry) bool { return f.Name == e.Name })
		if i < 0 || !b[i].Value.Equal(e.Value) {
			return false
		}
	}
	return true
}

func equalValues(a, b []Value) bool { return slices.EqualFunc(a, b, Value.Equal) }
