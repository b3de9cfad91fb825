package stage

import (
	"encoding/json"
	"strings"
	"unicode/utf8"
)

// expression reads what needs no interpreter: PATH or PATH // LITERAL, where PATH is one header or property. It means
// what jq means by it. All else is left to jq, mistakes included.
type expression struct {
	rest string
}

// simple reads an expression; ok is false when it is not so simple.
func simple(source string) (p part, ok bool) {
	x := expression{rest: source}
	x.space()
	begin := x.rest
	if !x.take(".") {
		return p, false
	}
	field := x.name()
	if field == "properties" {
		p.from = property
		if p.name, ok = x.propertyName(); !ok {
			return p, false
		}
	} else if p.from, ok = headers[field]; !ok {
		return p, false
	}
	p.path = begin[:len(begin)-len(x.rest)]
	x.space()
	if x.take("//") {
		x.space()
		if p.text, ok = x.literal(); !ok {
			return p, false
		}
		p.fallback = true
		x.space()
	}
	return p, x.rest == ""
}

func (x *expression) space() { x.rest = strings.TrimLeft(x.rest, " \t\r\n") }

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

// propertyName reads .NAME or ["NAME"] or ."NAME".
func (x *expression) propertyName() (string, bool) {
	switch {
	case x.take("["):
		name, ok := x.quoted()
		return name, ok && x.take("]")
	case x.take("."):
		if strings.HasPrefix(x.rest, `"`) {
			return x.quoted()
		}
		name := x.name()
		return name, name != ""
	default:
		return "", false
	}
}

// literal reads a string or a number.
func (x *expression) literal() (string, bool) {
	if strings.HasPrefix(x.rest, `"`) {
		return x.quoted()
	}
	n := strings.IndexFunc(x.rest, func(r rune) bool { return !strings.ContainsRune("+-.0123456789eE", r) })
	if n < 0 {
		n = len(x.rest)
	}
	word := x.rest[:n]
	if n == 0 || !json.Valid([]byte(word)) {
		return "", false
	}
	x.rest = x.rest[n:]
	return word, true
}

// quoted reads a string of JSON, which is one of jq unless it holds \(.
func (x *expression) quoted() (string, bool) {
	if !strings.HasPrefix(x.rest, `"`) {
		return "", false
	}
	for n := 1; n < len(x.rest); n++ {
		switch x.rest[n] {
		case '\\':
			n++
		case '"':
			var s string
			if err := json.Unmarshal([]byte(x.rest[:n+1]), &s); err != nil || strings.ContainsRune(s, utf8.RuneError) {
				return "", false
			}
			x.rest = x.rest[n+1:]
			return s, true
		}
	}
	return "", false
}
