package stage

import (
	"cmp"
	"maps"
	"slices"
)

// combination is a pattern without $or: what one combination of its choices asks for.
type combination struct {
	leaves map[string]*leaf
	inner  map[string]*combination
}

// expand returns the combinations of an object. $or is worked out here, and not while matching, because the fields of
// a choice and those beside it have to hold for the same element of a list.
func (p *patternParser) expand(o *readObject) []*combination {
	all := []*combination{{leaves: o.leaves, inner: map[string]*combination{}}}
	for _, name := range slices.Sorted(maps.Keys(o.inner)) {
		var inner []*combination
		for _, c := range p.expand(o.inner[name]) {
			inner = append(inner, &combination{inner: map[string]*combination{name: c}})
		}
		all = p.cross(all, inner, o.at)
	}
	for _, choice := range o.choices {
		var either []*combination
		for _, one := range choice {
			either = append(either, p.expand(one)...)
		}
		all = p.cross(all, either, o.at)
	}
	return all
}

// cross joins each of a with each of b.
func (p *patternParser) cross(a, b []*combination, at []any) []*combination {
	if len(a)*len(b) > maxCombinations {
		p.add(at, "$or makes more than %d combinations", maxCombinations)
		return a
	}
	if len(b) == 1 && len(a) == 1 && len(a[0].leaves) == 0 && len(a[0].inner) == 0 {
		return b
	}
	conditions := 0
	out := make([]*combination, 0, len(a)*len(b))
	for _, x := range a {
		for _, y := range b {
			both := p.merge(x, y)
			if conditions += both.size(); conditions > maxConditions {
				p.add(at, "$or makes too much of this pattern: more than %d conditions in its combinations", maxConditions)
				return out
			}
			out = append(out, both)
		}
	}
	return out
}

// merge returns what asks for both. One field may not stand in both: for AWS the last in the text counts, which nobody
// who reads it expects.
func (p *patternParser) merge(a, b *combination) *combination {
	out := &combination{leaves: maps.Clone(a.leaves), inner: maps.Clone(a.inner)}
	if out.leaves == nil {
		out.leaves = map[string]*leaf{}
	}
	if out.inner == nil {
		out.inner = map[string]*combination{}
	}
	for name, l := range b.leaves {
		if out.leaves[name] != nil || out.inner[name] != nil {
			p.add(l.at, "this field is matched twice, here and beside the $or or in another one: write one list for it")
		}
		out.leaves[name] = l
	}
	for name, c := range b.inner {
		switch {
		case out.leaves[name] != nil:
			p.add(out.leaves[name].at, "this field has a list here, and an object beside the $or or in another one")
		case out.inner[name] != nil:
			c = p.merge(out.inner[name], c)
		}
		out.inner[name] = c
	}
	return out
}

func (c *combination) size() int {
	n := 0
	for _, l := range c.leaves {
		n += len(l.others) + 1
	}
	for _, inner := range c.inner {
		n += inner.size()
	}
	return n
}

// compile makes an object to match with. top tells that its fields are those of the envelope.
func (c *combination) compile(top bool) object {
	var o object
	for name, l := range c.leaves {
		o.fields = append(o.fields, field{name: name, leaf: l, absent: l.absent})
	}
	for name, inner := range c.inner {
		compiled := inner.compile(false)
		absent := !slices.ContainsFunc(compiled.fields, func(f field) bool { return !f.absent })
		o.fields = append(o.fields, field{name: name, inner: &compiled, absent: absent})
	}
	if top {
		for i := range o.fields {
			f := &o.fields[i]
			f.column, f.from = columns[f.name], headers[f.name]
		}
	}
	// What costs least comes first: headers, properties, the body; by name for the same order each time.
	slices.SortFunc(o.fields, func(a, b field) int {
		return cmp.Or(cmp.Compare(a.column, b.column), cmp.Compare(a.name, b.name))
	})
	return o
}
