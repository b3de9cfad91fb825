package stage_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/jmsbridge/jmsbridge/bridge"
)

// The oracle matches as the Ruler's README defines it: an event is flat fields, each with the elements of lists it came
// through; a rule is flat conditions; a match picks a field for each condition, and no two fields of a match are in
// different elements of one list. A condition that allows absence holds when no field of its name goes with the others.

// flat is a field of an event.
type flat struct {
	path   string
	value  int
	within map[string]int // the element, for each list it came through
}

func flatten(v any, path string, within map[string]int, list string, out []flat) []flat {
	switch v := v.(type) {
	case map[string]any:
		for name, element := range v {
			out = flatten(element, path+"."+name, within, "", out)
		}
	case []any:
		here := path + list + "[]"
		for i, element := range v {
			deeper := map[string]int{here: i}
			for k, n := range within {
				deeper[k] = n
			}
			out = flatten(element, path, deeper, list+"[]", out)
		}
	case int:
		out = append(out, flat{path, v, within})
	}
	return out
}

func consistent(a, b flat) bool {
	for list, i := range a.within {
		if j, both := b.within[list]; both && i != j {
			return false
		}
	}
	return true
}

// rule is one combination of a pattern: for each path the values that match, and whether absence does.
type rule map[string]ruleValues

type ruleValues struct {
	values []int
	absent bool
}

func (r rule) matches(fields []flat) bool {
	paths := make([]string, 0, len(r))
	for path := range r {
		paths = append(paths, path)
	}
	slices.Sort(paths)
	return r.pick(paths, fields, nil, nil)
}

func (r rule) pick(paths []string, fields, picked []flat, absent []string) bool {
	if len(paths) == 0 {
		for _, f := range fields {
			if slices.Contains(absent, f.path) && !slices.ContainsFunc(picked, func(p flat) bool { return !consistent(p, f) }) {
				return false
			}
		}
		return true
	}
	path := paths[0]
	for _, f := range fields {
		if f.path == path && slices.Contains(r[path].values, f.value) && !slices.ContainsFunc(picked, func(p flat) bool { return !consistent(p, f) }) {
			if r.pick(paths[1:], fields, append(slices.Clone(picked), f), absent) {
				return true
			}
		}
	}
	return r[path].absent && r.pick(paths[1:], fields, picked, append(slices.Clone(absent), path))
}

// events are trees of a few names and numbers.
func events(depth int) *rapid.Generator[any] {
	return rapid.Custom(func(t *rapid.T) any {
		kind := rapid.IntRange(0, 4).Draw(t, "kind")
		if depth == 0 {
			kind = 0
		}
		switch kind {
		case 1, 2:
			m := map[string]any{}
			for _, name := range []string{"a", "b", "c"} {
				if rapid.Bool().Draw(t, "there") {
					m[name] = events(depth-1).Draw(t, name)
				}
			}
			return m
		case 3, 4:
			return rapid.SliceOfN(events(depth-1), 0, 3).Draw(t, "list")
		default:
			return rapid.IntRange(0, 2).Draw(t, "n")
		}
	})
}

// patterns returns an object and its combinations; names that stand beside a $or are not used in it.
func patterns(t *rapid.T, depth int, path string, names []string) (map[string]any, []rule) {
	object, rules := map[string]any{}, []rule{{}}
	for len(object) == 0 {
		for _, name := range names {
			switch kind := rapid.IntRange(0, 3).Draw(t, "kind of "+name); {
			case kind == 1:
				list, values := leafOf(t)
				object[name] = list
				rules = crossRules(rules, []rule{{path + "." + name: values}})
			case kind == 2 && depth > 0:
				inner, more := patterns(t, depth-1, path+"."+name, []string{"a", "b", "c"})
				object[name] = inner
				rules = crossRules(rules, more)
			}
		}
	}
	return object, rules
}

func leafOf(t *rapid.T) ([]any, ruleValues) {
	var list []any
	var v ruleValues
	for _, n := range rapid.SliceOfNDistinct(rapid.IntRange(0, 2), 0, 2, rapid.ID[int]).Draw(t, "values") {
		list, v.values = append(list, n), append(v.values, n)
	}
	if rapid.IntRange(0, 3).Draw(t, "exists") == 0 {
		list, v.values = append(list, map[string]any{"exists": true}), []int{0, 1, 2}
	}
	if len(list) == 0 || rapid.IntRange(0, 2).Draw(t, "absent") == 0 {
		list, v.absent = append(list, map[string]any{"exists": false}), true
	}
	return list, v
}

func crossRules(a, b []rule) []rule {
	var out []rule
	for _, x := range a {
		for _, y := range b {
			both := rule{}
			for _, r := range []rule{x, y} {
				for path, v := range r {
					both[path] = v
				}
			}
			out = append(out, both)
		}
	}
	return out
}

func TestListsMatchAsTheRulerDefines(t *testing.T) {
	matched := 0
	rapid.Check(t, func(t *rapid.T) {
		event := events(4).Draw(t, "event")
		pattern, rules := patterns(t, 2, ".e", []string{"a", "b"})
		if rapid.Bool().Draw(t, "or") {
			// The choices are about c, or about another field of the same objects.
			first, firstRules := patterns(t, 1, ".e", []string{"c"})
			list, values := leafOf(t)
			pattern["$or"] = []any{first, map[string]any{"c": list}}
			rules = crossRules(rules, append(firstRules, rule{".e.c": values}))
		}
		m := &bridge.Message{Properties: bridge.NewProperties([]bridge.Entry{{Name: "e", Value: treeValue(event)}})}
		got := matches(t, map[string]any{"properties": map[string]any{"e": pattern}}, m)
		fields := flatten(event, ".e", nil, "", nil)
		want := slices.ContainsFunc(rules, func(r rule) bool { return r.matches(fields) })
		if got != want {
			t.Fatalf("got %v for\n%v\non\n%v\n%s", got, pattern, event, strings.ReplaceAll(fmt.Sprint(rules), "] ", "]\n"))
		}
		if got {
			matched++
		}
	})
	if matched == 0 {
		t.Error("nothing matched")
	}
}

func treeValue(v any) bridge.Value {
	switch v := v.(type) {
	case map[string]any:
		var entries []bridge.Entry
		for name, element := range v {
			entries = append(entries, bridge.Entry{Name: name, Value: treeValue(element)})
		}
		return bridge.MapValue(entries)
	case []any:
		values := make([]bridge.Value, len(v))
		for i := range v {
			values[i] = treeValue(v[i])
		}
		return bridge.ListValue(values)
	default:
		return bridge.Int(int32(v.(int)))
	}
}
