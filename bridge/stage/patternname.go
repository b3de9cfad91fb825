package stage

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"
)

// operators are what may stand in an object of a list.
var operators = []string{"anything-but", "cidr", "equals-ignore-case", "exists", "numeric", "prefix", "suffix", "wildcard"}

// comparisons are the operators of numeric.
var comparisons = []string{"=", "<", "<=", ">", ">="}

// fieldNames are the fields of the envelope.
func fieldNames() []string {
	return slices.Sorted(func(yield func(string) bool) {
		for name := range maps.Keys(headers) {
			if !yield(name) {
				return
			}
		}
		for name := range maps.Keys(columns) {
			if !yield(name) {
				return
			}
		}
	})
}

// fieldName judges the name of a field; here ends with it. object tells that an object follows, not a list.
func (p *patternParser) fieldName(here []any, inOr, object bool) bool {
	name := here[len(here)-1].(string)
	if inOr && slices.Contains(operators, name) {
		p.add(here, "AWS reserves the names of operators in $or; an operator stands in a list, as in \"type\": [%s]", example(name))
		return false
	}
	names := keysOf(here)
	switch {
	case len(names) == 1:
		return p.envelopeField(here, name, object)
	case len(names) > 2 && (names[0] == "property_types" || names[0] == "body_types"):
		p.add(here, "%s has no objects inside: its names are JSON Pointers, like \"order/lines/0\"", names[0])
		return false
	case len(names) == 2 && object && (names[0] == "property_types" || names[0] == "body_types"):
		p.add(here, "a type is a word: write a list, like [\"long\"]")
		return false
	}
	return true
}

// keysOf returns the path's fields, without the steps that $or makes.
func keysOf(path []any) []string {
	var names []string
	for i, step := range path {
		name, ok := step.(string)
		if !ok || name == orKey && i+1 < len(path) {
			continue
		}
		names = append(names, name)
	}
	return names
}

// envelopeField judges a field at the top.
func (p *patternParser) envelopeField(here []any, name string, object bool) bool {
	kind, isColumn := columns[name]
	_, isHeader := headers[name]
	switch {
	case !isColumn && !isHeader:
		p.add(here, "the envelope has no field %q%s", name, didYouMean(name, fieldNames()))
	case object && (isHeader || kind == columnInferred):
		p.add(here, "%s is no object in the envelope: write a list", name)
	case !object && (kind == columnProperties || kind == columnPropertyTypes || kind == columnBodyTypes) && isColumn:
		p.add(here, "%s is an object in the envelope: name a field in it, as in %s", name, columnExamples[kind])
	default:
		return true
	}
	return false
}

var columnExamples = map[column]string{
	columnProperties:    `"properties": {"region": ["EU"]}`,
	columnPropertyTypes: `"property_types": {"amount": ["long"]}`,
	columnBodyTypes:     `"body_types": {"amount": ["long"]}`,
}

// scalarField reports a value without a list around it.
func (p *patternParser) scalarField(here []any, inOr bool, value any) {
	name := here[len(here)-1].(string)
	switch {
	case name == orKey:
		p.add(here, "$or has a list of objects, not %s", kindOf(value))
	case slices.Contains(operators, name):
		p.add(here, "an operator stands in a list: write [{%q: %s}]", name, literal(value))
	case p.fieldName(here, inOr, false):
		p.add(here, "the values to match stand in a list: write [%s]", literal(value))
	}
}

// noOperator refuses an object that was meant as an operator: a field of that name would never match.
func (p *patternParser) noOperator(here []any, value map[string]any) bool {
	if len(value) != 1 {
		return true
	}
	for name, operand := range value {
		list, ok := operand.([]any)
		_, isObject := operand.(map[string]any)
		switch {
		case name == "anything-but", name == "equals-ignore-case":
		case name == "numeric" && ok && len(list) > 0 && isComparison(list[0]):
		case slices.Contains(operators, name) && !ok && !isObject:
		case (name == "prefix" || name == "suffix") && isFold(operand):
		default:
			return true
		}
		p.add(here, "an operator stands in a list: write [{%q: %s}]", name, literal(operand))
	}
	return false
}

// noOperand refuses a list that was meant as the operand of an operator.
func (p *patternParser) noOperand(here []any, list []any) bool {
	if here[len(here)-1] == "numeric" && len(list) > 0 && isComparison(list[0]) {
		p.add(here, "an operator stands in a list: write [{\"numeric\": %s}]", literal(list))
		return false
	}
	return true
}

// isFold tells that v is the object that prefix and suffix may have.
func isFold(v any) bool {
	m, _ := v.(map[string]any)
	_, ok := m["equals-ignore-case"].(string)
	return ok && len(m) == 1
}

func isComparison(v any) bool {
	s, ok := v.(string)
	return ok && slices.Contains(comparisons, s)
}

// example shows an operator.
func example(name string) string {
	return map[string]string{
		"anything-but": `{"anything-but": ["a", "b"]}`, "cidr": `{"cidr": "10.0.0.0/8"}`, "exists": `{"exists": true}`,
		"equals-ignore-case": `{"equals-ignore-case": "a"}`, "numeric": `{"numeric": [">", 0, "<=", 5]}`,
		"prefix": `{"prefix": "a"}`, "suffix": `{"suffix": "z"}`, "wildcard": `{"wildcard": "a*z"}`,
	}[name]
}

// literal shows a value of the tree as JSON, when it is short.
func literal(v any) string {
	if n, ok := v.(json.Number); ok && !json.Valid([]byte(n)) {
		return "…"
	}
	var b strings.Builder
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil || b.Len() > 60 {
		return "…"
	}
	return strings.TrimSpace(b.String())
}
