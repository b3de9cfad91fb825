package stage

import (
	"maps"
	"slices"
	"strings"

	"github.com/jmsbridge/jmsbridge/bridge/envelope"
)

// What a pattern may have. AWS's own limits are 1,000 combinations and a text of 4,096 characters.
const (
	maxCombinations = 1000
	maxValues       = 5000  // in all lists together
	maxConditions   = 50000 // in all combinations together
	maxPatternDepth = envelope.MaxDepth
)

// ParsePattern reads a pattern from the values that a decoder of JSON or YAML makes: map[string]any, []any, string,
// json.Number or Go's numbers, bool and nil. It keeps nothing of the tree.
//
// The error is a [PatternErrors] with every mistake. Mistakes are: what AWS refuses (values that stand in no list,
// unknown operators, empty lists and objects, …), fields that the envelope does not have, a field that stands both
// beside and in $or or in two $or, more than 1,000 combinations of $or, 5,000 values, or 64 levels.
func ParsePattern(tree any) (*Pattern, error) {
	p := &patternParser{}
	root, ok := tree.(map[string]any)
	if !ok {
		p.add(nil, "a pattern is an object with fields of the envelope, not %s", kindOf(tree))
		return nil, p.err()
	}
	read := p.object(root, nil, false)
	if err := p.sorted(); err != nil {
		return nil, err
	}
	trees := p.expand(read)
	if err := p.sorted(); err != nil {
		return nil, err
	}
	out := &Pattern{alternatives: make([]object, len(trees))}
	for i, t := range trees {
		out.alternatives[i] = t.compile(true)
	}
	return out, nil
}

// patternParser reads the tree of a pattern.
type patternParser struct {
	mistakes
	values int
}

// readObject is an object of a pattern as it stands there.
type readObject struct {
	leaves  map[string]*leaf
	inner   map[string]*readObject
	choices [][]*readObject // of $or
	at      []any
}

const orKey = "$or"

// object reads the fields of an object. inOr tells that it stands in a $or, where AWS reserves the operators' names.
func (p *patternParser) object(m map[string]any, path []any, inOr bool) *readObject {
	o := &readObject{leaves: map[string]*leaf{}, inner: map[string]*readObject{}, at: slices.Clone(path)}
	switch {
	case len(m) == 0:
		p.add(path, "an object can't be empty: it would match everything")
	case len(keysOf(path)) > maxPatternDepth || len(path) > 4*maxPatternDepth:
		p.add(path, "more than %d levels", maxPatternDepth)
		return o
	}
	for _, name := range slices.Sorted(maps.Keys(m)) {
		here := append(slices.Clone(path), name)
		switch value := m[name].(type) {
		case map[string]any:
			if name == orKey {
				p.add(here, "$or has a list of objects, not an object")
			} else if p.noOperator(here, value) && p.fieldName(here, inOr, true) {
				o.inner[name] = p.object(value, here, inOr)
			}
		case []any:
			if name == orKey {
				o.choices = append(o.choices, p.choice(value, here))
			} else if p.fieldName(here, inOr, false) && p.noOperand(here, value) {
				o.leaves[name] = p.leaf(value, here)
			}
		default:
			p.scalarField(here, inOr, value)
		}
	}
	return o
}

// choice reads the objects of a $or.
func (p *patternParser) choice(list []any, path []any) []*readObject {
	if len(list) < 2 {
		p.add(path, "$or needs at least two objects to choose from")
	}
	var all []*readObject
	for i, element := range list {
		here := append(slices.Clone(path), i)
		m, ok := element.(map[string]any)
		if !ok {
			p.add(here, "$or has objects in its list, not %s", kindOf(element))
			continue
		}
		all = append(all, p.object(m, here, true))
	}
	return all
}

// leaf reads the list of a field.
func (p *patternParser) leaf(list []any, path []any) *leaf {
	l := &leaf{at: slices.Clone(path)}
	if len(list) == 0 {
		p.add(path, "a list can't be empty: nothing would match")
	}
	if p.values += len(list); p.values > maxValues {
		if p.values-len(list) <= maxValues {
			p.add(path, "more than %d values in one pattern", maxValues)
		}
		return l
	}
	for i, element := range list {
		here := append(slices.Clone(path), i)
		switch v := element.(type) {
		case string:
			l.texts = append(l.texts, v)
		case bool:
			c := condition{op: opFalse}
			if v {
				c.op = opTrue
			}
			l.others = append(l.others, c)
		case nil:
			l.others = append(l.others, condition{op: opNull})
		case map[string]any:
			p.operator(l, v, here)
		default:
			n, ok, err := parseNumber(element)
			switch {
			case !ok:
				p.add(here, "%s can't stand here; a list has strings, numbers, true, false, null and operators", kindOf(element))
			case err != nil:
				p.add(here, "%w", err)
			default:
				l.others = append(l.others, condition{op: opNumber, span: span{low: n, high: n}})
			}
		}
	}
	slices.Sort(l.texts)
	return l
}

// sorted returns the mistakes in the order of their places, each once.
func (p *patternParser) sorted() error {
	slices.SortStableFunc(p.found, func(a, b *PatternError) int { return comparePaths(a.Path, b.Path) })
	p.found = slices.CompactFunc(p.found, func(a, b *PatternError) bool { return a.Error() == b.Error() })
	return p.err()
}

func comparePaths(a, b []any) int {
	return slices.CompareFunc(a, b, func(x, y any) int {
		i, xi := x.(int)
		j, yj := y.(int)
		if xi && yj {
			return i - j
		}
		s, _ := x.(string)
		t, _ := y.(string)
		return strings.Compare(s, t)
	})
}

// kindOf names a value of the tree in an error.
func kindOf(v any) string {
	switch v := v.(type) {
	case nil:
		return "null"
	case bool:
		return "true or false"
	case string:
		return "a string"
	case map[string]any:
		return "an object"
	case []any:
		return "a list"
	default:
		if _, ok, _ := parseNumber(v); ok {
			return "a number"
		}
		return "something that JSON does not have"
	}
}
