package stomplocal

import (
	"strconv"
	"strings"
)

// selector is a JMS message selector (Jakarta Messaging 3.1, section 3.8.1): comparisons, AND, OR, NOT, IN, LIKE,
// BETWEEN and IS NULL, in SQL's three-valued logic. Arithmetic is refused. As on Classic, a property, which is always a
// string here, is taken as a number where it is compared with one.
type selector struct {
	text string
	root condition
}

// truth is SQL's: unknown selects nothing, and NOT unknown neither.
type truth int8

const (
	no truth = iota - 1
	unknown
	yes
)

func truthOf(b bool) truth {
	if b {
		return yes
	}
	return no
}

type condition interface{ eval(m *message) truth }

func (s *selector) matches(m *message) bool { return s.root.eval(m) == yes }

type (
	and     struct{ a, b condition }
	or      struct{ a, b condition }
	not     struct{ a condition }
	isNull  struct{ a operand }
	boolean struct{ a operand }
	in      struct {
		a   operand
		set map[string]bool
	}
	like struct {
		a       operand
		pattern []likePart
	}
	compare struct {
		a, b operand
		op   string
	}
)

func (c and) eval(m *message) truth { return min(c.a.eval(m), c.b.eval(m)) }
func (c or) eval(m *message) truth  { return max(c.a.eval(m), c.b.eval(m)) }
func (c not) eval(m *message) truth { return -c.a.eval(m) }

func (c isNull) eval(m *message) truth { return truthOf(c.a.value(m).kind == nullValue) }

func (c boolean) eval(m *message) truth {
	switch v := c.a.value(m); {
	case v.kind == nullValue:
		return unknown
	case v.kind == boolValue:
		return truthOf(v.flag)
	default:
		return truthOf(strings.EqualFold(v.text, "true"))
	}
}

func (c in) eval(m *message) truth {
	v := c.a.value(m)
	if v.kind == nullValue {
		return unknown
	}
	return truthOf(v.kind == stringValue && c.set[v.text])
}

func (c like) eval(m *message) truth {
	v := c.a.value(m)
	if v.kind == nullValue {
		return unknown
	}
	return truthOf(v.kind == stringValue && likeMatches(c.pattern, v.text))
}

func (c compare) eval(m *message) truth {
	a, b := c.a.value(m), c.b.value(m)
	if a.kind == nullValue || b.kind == nullValue {
		return unknown
	}
	order, ok := a.compare(b)
	switch c.op {
	case "=":
		return truthOf(ok && order == 0)
	case "<>":
		return truthOf(!ok || order != 0)
	}
	if !ok || a.kind == stringValue && b.kind == stringValue || a.kind == boolValue {
		return no // strings and booleans know only = and <>
	}
	switch c.op {
	case "<":
		return truthOf(order < 0)
	case "<=":
		return truthOf(order <= 0)
	case ">":
		return truthOf(order > 0)
	default:
		return truthOf(order >= 0)
	}
}

type valueKind uint8

const (
	nullValue valueKind = iota
	stringValue
	numberValue
	boolValue
)

type value struct {
	kind   valueKind
	text   string
	number float64
	flag   bool
}

// compare returns the order of two values, and whether they can be compared at all.
func (v value) compare(o value) (int, bool) {
	switch {
	case v.kind == stringValue && o.kind == stringValue:
		return strings.Compare(v.text, o.text), true
	case v.kind == boolValue || o.kind == boolValue:
		a, okA := v.asBool()
		b, okB := o.asBool()
		if a == b {
			return 0, okA && okB
		}
		return 1, okA && okB
	}
	a, okA := v.asNumber()
	b, okB := o.asNumber()
	switch {
	case a < b:
		return -1, okA && okB
	case a > b:
		return 1, okA && okB
	}
	return 0, okA && okB && a == b
}

func (v value) asNumber() (float64, bool) {
	if v.kind == numberValue {
		return v.number, true
	}
	n, err := strconv.ParseFloat(v.text, 64)
	return n, v.kind == stringValue && err == nil
}

func (v value) asBool() (flag, ok bool) {
	if v.kind == boolValue {
		return v.flag, true
	}
	return strings.EqualFold(v.text, "true"), v.kind == stringValue &&
		(strings.EqualFold(v.text, "true") || strings.EqualFold(v.text, "false"))
}

// operand is a literal, or the name of a header or property.
type operand struct {
	name    string // "": literal
	literal value
}

func (o operand) value(m *message) value {
	if o.name == "" {
		return o.literal
	}
	text := ""
	switch o.name {
	case "JMSPriority":
		return value{kind: numberValue, number: float64(m.priority)}
	case "JMSTimestamp":
		return value{kind: numberValue, number: float64(m.timestamp)}
	case "JMSExpiration":
		return value{kind: numberValue, number: float64(m.expires)}
	case "JMSDeliveryMode":
		text = "NON_PERSISTENT"
		if m.persistent {
			text = "PERSISTENT"
		}
	case "JMSMessageID":
		text = m.id
	case "JMSCorrelationID":
		text = m.correlationID
	case "JMSType":
		text = m.jmsType
	case "JMSXGroupID":
		text = m.group
	default:
		for i := range m.properties {
			if m.properties[i].Name == o.name {
				return value{kind: stringValue, text: m.properties[i].Value}
			}
		}
	}
	if text == "" {
		return value{}
	}
	return value{kind: stringValue, text: text}
}

// likePart is a byte to match, or a wildcard.
type likePart struct {
	any, one bool // % and _
	r        rune
}

// likeMatches runs in the length of the text times that of the pattern at most.
func likeMatches(pattern []likePart, text string) bool {
	runes := []rune(text)
	p, t, star, mark := 0, 0, -1, 0
	for t < len(runes) {
		switch {
		case p < len(pattern) && pattern[p].any:
			star, mark = p, t
			p++
		case p < len(pattern) && (pattern[p].one || pattern[p].r == runes[t]):
			p++
			t++
		case star >= 0:
			mark++
			p, t = star+1, mark
		default:
			return false
		}
	}
	for p < len(pattern) && pattern[p].any {
		p++
	}
	return p == len(pattern)
}
