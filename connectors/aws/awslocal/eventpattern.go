package awslocal

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
)

// pattern is an event pattern, of those that tests and the demo need: exact values, prefix, suffix, anything-but without
// operators inside, exists. What it does not know is refused when the rule is made, so that nothing is matched wrongly;
// [RuleOptions.Match] is for the rest.
type pattern map[string]any

func decodeJSON(text []byte) (any, error) {
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	var v any
	if err := d.Decode(&v); err != nil {
		return nil, err
	}
	if d.More() {
		return nil, errors.New("there is more after it")
	}
	return v, nil
}

func parsePattern(text string) (pattern, error) {
	v, err := decodeJSON([]byte(text))
	if err != nil {
		return nil, err
	}
	fields, ok := v.(map[string]any)
	if !ok {
		return nil, errors.New("filter is not an object")
	}
	return fields, checkPattern(fields)
}

func checkPattern(fields map[string]any) error {
	for name, want := range fields {
		if strings.HasPrefix(name, "$") {
			return fmt.Errorf("%s is not known here", name)
		}
		switch w := want.(type) {
		case map[string]any:
			if len(w) == 0 {
				return fmt.Errorf("empty objects are not allowed: %s", name)
			}
			if err := checkPattern(w); err != nil {
				return err
			}
		case []any:
			if len(w) == 0 {
				return fmt.Errorf("empty arrays are not allowed: %s", name)
			}
			for _, one := range w {
				if err := checkAlternative(one); err != nil {
					return fmt.Errorf("%s: %w", name, err)
				}
			}
		default:
			return fmt.Errorf("%q must be an object or an array", name)
		}
	}
	return nil
}

func checkAlternative(one any) error {
	operator, isOperator := one.(map[string]any)
	if _, isList := one.([]any); isList {
		return errors.New("match value must be string, number, true, false, or null")
	}
	if !isOperator {
		return nil
	}
	if len(operator) != 1 {
		return errors.New("only one key allowed in match expression")
	}
	for name, operand := range operator {
		var ok bool
		switch name {
		case "prefix", "suffix":
			_, ok = operand.(string)
		case "exists":
			_, ok = operand.(bool)
		case "anything-but":
			_, nested := operand.(map[string]any)
			ok = !nested
		default:
			return fmt.Errorf("unrecognized match type %s, or one that is not known here", name)
		}
		if !ok {
			return fmt.Errorf("%s has an operand that is not known here", name)
		}
	}
	return nil
}

// matches judges a decoded event.
func (p pattern) matches(decoded any) bool {
	fields, ok := decoded.(map[string]any)
	if !ok {
		return false
	}
	for name, want := range p {
		value, there := fields[name]
		switch w := want.(type) {
		case map[string]any:
			if !pattern(w).matches(value) {
				// What is not there may be asked for: {"detail": {"x": [{"exists": false}]}} of an event without.
				if there || !pattern(w).matches(map[string]any{}) {
					return false
				}
			}
		case []any:
			if !anyMatches(w, value, there) {
				return false
			}
		}
	}
	return true
}

func anyMatches(alternatives []any, value any, there bool) bool {
	values, isList := value.([]any)
	if !isList {
		values = []any{value}
	}
	for _, one := range alternatives {
		if operator, ok := one.(map[string]any); ok {
			if want, ok := operator["exists"].(bool); ok {
				if want == there {
					return true
				}
				continue
			}
		}
		if !there {
			continue
		}
		for _, v := range values {
			if alternativeMatches(one, v) {
				return true
			}
		}
	}
	return false
}

func alternativeMatches(one, value any) bool {
	operator, ok := one.(map[string]any)
	if !ok {
		return sameScalar(one, value)
	}
	text, isText := value.(string)
	if prefix, ok := operator["prefix"].(string); ok {
		return isText && strings.HasPrefix(text, prefix)
	}
	if suffix, ok := operator["suffix"].(string); ok {
		return isText && strings.HasSuffix(text, suffix)
	}
	but, isList := operator["anything-but"].([]any)
	if !isList {
		but = []any{operator["anything-but"]}
	}
	for _, b := range but {
		if sameScalar(b, value) {
			return false
		}
	}
	return true
}

func sameScalar(a, b any) bool {
	if x, ok := a.(json.Number); ok {
		y, ok := b.(json.Number)
		if !ok {
			return false
		}
		f, _ := x.Float64()
		g, _ := y.Float64()
		return x == y || f == g
	}
	switch b.(type) {
	case map[string]any, []any:
		return false
	}
	return a == b
}
