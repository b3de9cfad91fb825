package stage

import (
	"encoding/base64"
	"math"
	"net/netip"
	"strings"
	"unicode/utf16"

	"github.com/jmsbridge/jmsbridge/bridge"
)

// operation is what a condition does.
type operation uint8

const (
	opNull operation = iota
	opTrue
	opFalse
	opNumber // = and every other numeric comparison
	opPrefix
	opSuffix
	opEqualFold
	opPrefixFold
	opSuffixFold
	opWildcard
	opCIDR
	opExists
	opAnythingBut
)

// condition is one element of the list that a field of a pattern has, but for plain strings.
type condition struct {
	op   operation
	text string
	span span
	wild wildcard
	cidr netip.Prefix
	but  *leaf // what must not match
}

// leaf is that list: one of its elements has to match.
type leaf struct {
	texts  []string // the plain strings, sorted
	others []condition
	absent bool  // {"exists": false} is among them
	at     []any // where it stands in the pattern, for errors
}

// scalar is a value that is neither an object nor a list, as the envelope writes it.
type scalar struct {
	kind   scalarKind
	truth  bool
	number bridge.Value
	text   string
}

type scalarKind uint8

const (
	scalarNull scalarKind = iota
	scalarBoolean
	scalarNumber
	scalarText
)

// scalarOf is not for maps and lists. A long is a number, however large.
func scalarOf(v *bridge.Value) scalar {
	switch v.Type() {
	case bridge.BooleanType:
		return scalar{kind: scalarBoolean, truth: v.Bool()}
	case bridge.ByteType, bridge.ShortType, bridge.IntType, bridge.LongType:
		return scalar{kind: scalarNumber, number: *v}
	case bridge.FloatType, bridge.DoubleType:
		switch f := v.Float64(); {
		case math.IsNaN(f):
			return scalar{kind: scalarText, text: "NaN"}
		case math.IsInf(f, 1):
			return scalar{kind: scalarText, text: "Infinity"}
		case math.IsInf(f, -1):
			return scalar{kind: scalarText, text: "-Infinity"}
		}
		return scalar{kind: scalarNumber, number: *v}
	case bridge.CharType:
		if unit := rune(v.Int64()); !utf16.IsSurrogate(unit) {
			return scalar{kind: scalarText, text: string(unit)}
		}
		return scalar{kind: scalarNumber, number: *v}
	case bridge.StringType:
		return scalar{kind: scalarText, text: v.Str()}
	case bridge.BytesType:
		return scalar{kind: scalarText, text: base64.StdEncoding.EncodeToString([]byte(v.Str()))}
	default:
		return scalar{kind: scalarNull}
	}
}

func (l *leaf) matches(s *scalar) bool {
	if s.kind == scalarText && len(l.texts) > 0 && l.has(textOf{tail: s.text}) {
		return true
	}
	for i := range l.others {
		if l.others[i].matches(s) {
			return true
		}
	}
	return false
}

// has looks for t among the plain strings. The loop stands here because through slices.BinarySearchFunc the compiler
// can't see that t is not kept.
func (l *leaf) has(t textOf) bool {
	low, high := 0, len(l.texts)
	for low < high {
		middle := int(uint(low+high) >> 1)
		switch c := t.compare(l.texts[middle]); {
		case c == 0:
			return true
		case c < 0:
			high = middle
		default:
			low = middle + 1
		}
	}
	return false
}

func (c *condition) matches(s *scalar) bool {
	switch c.op {
	case opNull:
		return s.kind == scalarNull
	case opTrue, opFalse:
		return s.kind == scalarBoolean && s.truth == (c.op == opTrue)
	case opNumber:
		return s.kind == scalarNumber && c.span.holds(&s.number)
	case opExists:
		return true
	case opAnythingBut:
		return !c.but.matches(s)
	case opCIDR:
		return s.kind == scalarText && inCIDR(c.cidr, s.text)
	default:
		return s.kind == scalarText && c.matchesText(textOf{tail: s.text})
	}
}

// matchesText is for headers that are put together or written on the stack: it keeps nothing of the text, which
// parsing an address would.
func (l *leaf) matchesText(t textOf) bool {
	if len(l.texts) > 0 && l.has(t) {
		return true
	}
	for i := range l.others {
		if l.others[i].matchesText(t) {
			return true
		}
	}
	return false
}

func (c *condition) matchesText(t textOf) bool {
	switch c.op {
	case opPrefix:
		return t.hasPrefix(c.text)
	case opSuffix:
		return t.hasSuffix(c.text)
	case opEqualFold:
		return t.equalFold(c.text)
	case opPrefixFold:
		return t.hasPrefixFold(c.text)
	case opSuffixFold:
		return t.hasSuffixFold(c.text)
	case opWildcard:
		return c.wild.matches(t)
	case opExists:
		return true
	case opAnythingBut:
		return !c.but.matchesText(t)
	default: // an instant or a destination is no address
		return false
	}
}

// maxAddress is the length of the longest IPv6 address.
const maxAddress = len("0000:0000:0000:0000:0000:ffff:255.255.255.255")

func inCIDR(p netip.Prefix, s string) bool {
	// What can't be an address is not parsed, for an error is an allocation.
	if len(s) > maxAddress || len(s) < 2 || strings.IndexFunc(s, notOfAddress) >= 0 {
		return false
	}
	a, err := netip.ParseAddr(s)
	return err == nil && p.Contains(a.Unmap())
}

func notOfAddress(r rune) bool {
	return r != '.' && r != ':' && (r < '0' || r > '9') && (r < 'a' || r > 'f') && (r < 'A' || r > 'F')
}
