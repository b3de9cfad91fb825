package stage

import (
	"net/netip"
	"slices"
	"strings"
)

// operator reads an object in the list of a field.
func (p *patternParser) operator(l *leaf, m map[string]any, path []any) {
	if len(m) != 1 {
		p.add(path, "an operator stands alone in its braces; here are %d names", len(m))
		return
	}
	for name, operand := range m {
		here := append(slices.Clone(path), name)
		if name == "exists" {
			there, ok := operand.(bool)
			switch {
			case !ok:
				p.add(here, "exists is true or false, not %s", kindOf(operand))
			case there:
				l.others = append(l.others, condition{op: opExists})
			default:
				l.absent = true
			}
			return
		}
		if c, ok := p.condition(name, operand, here); ok {
			l.others = append(l.others, c)
		}
	}
}

func (p *patternParser) condition(name string, operand any, here []any) (condition, bool) {
	switch name {
	case "prefix", "suffix":
		if inner, ok := operand.(map[string]any); ok {
			return p.affixFold(name, inner, here)
		}
		return p.textCondition(name, operand, here)
	case "equals-ignore-case", "wildcard", "cidr":
		return p.textCondition(name, operand, here)
	case "numeric":
		return p.numeric(operand, here)
	case "anything-but":
		return p.anythingBut(operand, here)
	default:
		p.add(here, "there is no operator %q%s", name, didYouMean(name, operators))
		return condition{}, false
	}
}

// textCondition reads the operators whose operand is a string.
func (p *patternParser) textCondition(name string, operand any, here []any) (condition, bool) {
	s, ok := operand.(string)
	if !ok {
		p.add(here, "%s has a string, not %s", name, kindOf(operand))
		return condition{}, false
	}
	c := condition{text: s}
	switch name {
	case "prefix":
		c.op = opPrefix
	case "suffix":
		c.op = opSuffix
	case "equals-ignore-case":
		c.op = opEqualFold
	case "wildcard":
		w, err := parseWildcard(s)
		if err != nil {
			p.add(here, "%w", err)
			return c, false
		}
		c.op, c.wild = opWildcard, w
	case "cidr":
		block, err := netip.ParsePrefix(s)
		if err != nil || block.Addr().Is4In6() || strings.Contains(s, "%") {
			p.add(here, "%.60q is not a block of addresses, like 10.0.0.0/8 or 2001:db8::/32", s)
			return c, false
		}
		c.op, c.cidr = opCIDR, block.Masked()
	}
	return c, true
}

// affixFold reads {"equals-ignore-case": …} in prefix and suffix.
func (p *patternParser) affixFold(name string, m map[string]any, here []any) (condition, bool) {
	operand, ok := m["equals-ignore-case"]
	if !ok || len(m) != 1 {
		p.add(here, `%s has a string, or {"equals-ignore-case": "…"}`, name)
		return condition{}, false
	}
	c, ok := p.textCondition("equals-ignore-case", operand, append(slices.Clone(here), "equals-ignore-case"))
	c.op = opPrefixFold
	if name == "suffix" {
		c.op = opSuffixFold
	}
	return c, ok
}

// numeric reads ["=", n], ["<", n], ["<=", n], [">", n], [">=", n], and the last two with an upper end.
func (p *patternParser) numeric(operand any, here []any) (condition, bool) {
	list, ok := operand.([]any)
	if !ok || len(list) != 2 && len(list) != 4 {
		p.add(here, `numeric has a list of a comparison and a number, like [">", 0] or [">", 0, "<=", 5]`)
		return condition{}, false
	}
	c := condition{op: opNumber}
	ok = p.bound(&c.span, list[0], list[1], here, 0)
	if len(list) == 2 || !ok {
		return c, ok
	}
	lower, _ := list[0].(string)
	upper, _ := list[2].(string)
	if lower[0] != '>' || upper == "" || upper[0] != '<' {
		p.add(here, `a range begins with > or >= and ends with < or <=, like [">", 0, "<=", 5]`)
		return c, false
	}
	if !p.bound(&c.span, list[2], list[3], here, 2) {
		return c, false
	}
	if c.span.low.exact.Cmp(c.span.high.exact) >= 0 {
		p.add(here, "the lower end of a range is below the upper one")
		return c, false
	}
	return c, true
}

// bound reads one comparison and its number into s; i is its place in the list.
func (p *patternParser) bound(s *span, comparison, operand any, here []any, i int) bool {
	word, isText := comparison.(string)
	if !isText || !slices.Contains(comparisons, word) {
		p.add(append(slices.Clone(here), i), "%s is no comparison; there are %s", literal(comparison), strings.Join(comparisons, " "))
		return false
	}
	n, isNumber, err := parseNumber(operand)
	switch {
	case !isNumber:
		p.add(append(slices.Clone(here), i+1), "a number follows %s, not %s", word, kindOf(operand))
		return false
	case err != nil:
		p.add(append(slices.Clone(here), i+1), "%w", err)
		return false
	}
	switch word {
	case "=":
		s.low, s.high = n, n
	case ">", ">=":
		s.low, s.lowOpen = n, word == ">"
	default:
		s.high, s.highOpen = n, word == "<"
	}
	return true
}

// anythingBut reads a string or number, a list of strings or of numbers, or an operator over one string or a list.
func (p *patternParser) anythingBut(operand any, here []any) (condition, bool) {
	c := condition{op: opAnythingBut, but: &leaf{}}
	list := []any{operand}
	name := ""
	at := here
	if m, ok := operand.(map[string]any); ok {
		for name, operand = range m {
		}
		if len(m) != 1 || !slices.Contains([]string{"prefix", "suffix", "equals-ignore-case", "wildcard"}, name) {
			p.add(here, "anything-but has a value, a list of them, or one of prefix, suffix, equals-ignore-case, wildcard")
			return c, false
		}
		at, list = append(slices.Clone(here), name), []any{operand}
	}
	inList := false
	if l, ok := operand.([]any); ok {
		list, inList = l, true
		if len(l) == 0 {
			p.add(at, "a list can't be empty: everything would match")
			return c, false
		}
	}
	if p.values += len(list); p.values > maxValues {
		p.add(here, "more than %d values in one pattern", maxValues)
		return c, false
	}
	good := true
	for i, element := range list {
		place := at
		if inList {
			place = append(slices.Clone(at), i)
		}
		good = p.exclude(c.but, name, element, place) && good
	}
	if len(c.but.texts) > 0 && len(c.but.others) > 0 && name == "" {
		p.add(here, "a list in anything-but has only strings or only numbers")
		return c, false
	}
	slices.Sort(c.but.texts)
	return c, good
}

// exclude adds one value to what must not match.
func (p *patternParser) exclude(but *leaf, name string, element any, here []any) bool {
	if name != "" {
		if s, ok := element.(string); ok && s == "" && (name == "prefix" || name == "suffix") {
			p.add(here, "every string has an empty %s: nothing would match", name)
			return false
		}
		c, ok := p.textCondition(name, element, here)
		but.others = append(but.others, c)
		return ok
	}
	if s, ok := element.(string); ok {
		but.texts = append(but.texts, s)
		return true
	}
	n, ok, err := parseNumber(element)
	switch {
	case !ok:
		p.add(here, "anything-but has strings or numbers, not %s", kindOf(element))
		return false
	case err != nil:
		p.add(here, "%w", err)
		return false
	}
	but.others = append(but.others, condition{op: opNumber, span: span{low: n, high: n}})
	return true
}
