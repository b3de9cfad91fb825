package stage

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"
)

// expression reads what stands between ${ and }.
type expression struct {
	source, rest string
}

func (x *expression) errorf(format string, args ...any) error {
	at := utf8.RuneCountInString(x.source[:len(x.source)-len(x.rest)]) + 1
	return fmt.Errorf("template %q, character %d: %s", x.source, at, fmt.Sprintf(format, args...))
}

func (x *expression) space() { x.rest = strings.TrimLeft(x.rest, " \t") }

// take passes over prefix if it is next.
func (x *expression) take(prefix string) bool {
	rest, ok := strings.CutPrefix(x.rest, prefix)
	x.rest = rest
	return ok
}

// name passes over an identifier of jq.
func (x *expression) name() string {
	n := 0
	for n < len(x.rest) {
		c := x.rest[n]
		if c == '_' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || n > 0 && c >= '0' && c <= '9' {
			n++
			continue
		}
		break
	}
	name := x.rest[:n]
	x.rest = x.rest[n:]
	return name
}

// parse reads PATH } or PATH // LITERAL }.
func (x *expression) parse() (part, error) {
	var p part
	x.space()
	begin := x.rest
	if !x.take(".") {
		return p, x.errorf("an expression begins with a point and a field of the envelope, like ${.type} or ${.properties.region}; " +
			"write $${ for a literal ${")
	}
	field := x.name()
	switch from, ok := headers[field]; {
	case field == "properties":
		p.from = property
		var err error
		if p.name, err = x.propertyName(); err != nil {
			return p, err
		}
	case ok:
		p.from = from
	case field == "":
		return p, x.errorf("the name of a field should be here")
	default:
		x.rest = begin
		return p, x.errorf("the envelope has no field .%s that a template can use; it has %s, .properties.NAME", field, fieldList())
	}
	p.path = begin[:len(begin)-len(x.rest)]
	x.space()
	if x.take("//") {
		x.space()
		var err error
		if p.text, err = x.literal(); err != nil {
			return p, err
		}
		p.fallback = true
		x.space()
	}
	if x.rest == "" {
		return p, x.errorf("the closing } is missing")
	}
	if !x.take("}") {
		return p, x.errorf(`only a field, and // with a literal after it, can be used here; other jq is not supported`)
	}
	return p, nil
}

// propertyName reads .NAME or ["NAME"] or ."NAME".
func (x *expression) propertyName() (string, error) {
	switch {
	case x.take("["):
		name, err := x.quoted()
		if err != nil {
			return "", err
		}
		if !x.take("]") {
			return "", x.errorf("] should be here")
		}
		return name, nil
	case x.take("."):
		if strings.HasPrefix(x.rest, `"`) {
			return x.quoted()
		}
		name := x.name()
		if name == "" {
			return "", x.errorf(`the name of a property should be here; one with other characters than letters, digits and _ is written .properties["a.b"]`)
		}
		return name, nil
	default:
		return "", x.errorf("one property should be named, as in ${.properties.region}")
	}
}

// literal reads a string or a number.
func (x *expression) literal() (string, error) {
	if strings.HasPrefix(x.rest, `"`) {
		return x.quoted()
	}
	n := strings.IndexFunc(x.rest, func(r rune) bool { return !strings.ContainsRune("+-.0123456789eE", r) })
	if n < 0 {
		n = len(x.rest)
	}
	word := x.rest[:n]
	if n == 0 || !json.Valid([]byte(word)) {
		return "", x.errorf(`after // a literal should be here, like "none" or 0`)
	}
	x.rest = x.rest[n:]
	return word, nil
}

// quoted reads a string of JSON, which is one of jq unless it holds \(.
func (x *expression) quoted() (string, error) {
	if !strings.HasPrefix(x.rest, `"`) {
		return "", x.errorf(`a string in double quotes should be here`)
	}
	for n := 1; n < len(x.rest); n++ {
		switch x.rest[n] {
		case '\\':
			n++
		case '"':
			var s string
			if err := json.Unmarshal([]byte(x.rest[:n+1]), &s); err != nil || strings.ContainsRune(s, utf8.RuneError) {
				return "", x.errorf("%s is not a string of JSON", x.rest[:n+1])
			}
			x.rest = x.rest[n+1:]
			return s, nil
		}
	}
	return "", x.errorf("the closing quote is missing")
}

func fieldList() string {
	names := make([]string, 0, len(headers))
	for name := range headers {
		names = append(names, "."+name)
	}
	slices.Sort(names)
	return strings.Join(names, ", ")
}
