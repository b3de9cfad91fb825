package stomplocal

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"
)

// maxSelectorDepth bounds how deep parentheses and NOTs may nest.
const maxSelectorDepth = 64

type tokenKind uint8

const (
	endToken tokenKind = iota
	wordToken
	stringToken
	numberToken
	signToken
)

type token struct {
	kind tokenKind
	text string
}

// is tells whether the token is this keyword or sign.
func (t token) is(word string) bool {
	return (t.kind == wordToken || t.kind == signToken) && strings.EqualFold(t.text, word)
}

// selectorParser reads a selector by recursive descent.
type selectorParser struct {
	tokens []token
	at     int
	depth  int
}

func parseSelector(text string) (*selector, error) {
	tokens, err := scanSelector(text)
	if err != nil {
		return nil, err
	}
	p := &selectorParser{tokens: tokens}
	root, err := p.or()
	if err != nil {
		return nil, err
	}
	if t := p.peek(); t.kind != endToken {
		return nil, fmt.Errorf("unexpected %q", t.text)
	}
	return &selector{text: text, root: root}, nil
}

func (p *selectorParser) peek() token { return p.tokens[p.at] }

func (p *selectorParser) next() token {
	t := p.tokens[p.at]
	if t.kind != endToken {
		p.at++
	}
	return t
}

// accept takes the token when it is this word.
func (p *selectorParser) accept(word string) bool {
	if !p.peek().is(word) {
		return false
	}
	p.at++
	return true
}

func (p *selectorParser) expect(word string) error {
	if !p.accept(word) {
		return fmt.Errorf("expected %q, found %q", word, p.peek().text)
	}
	return nil
}

func (p *selectorParser) or() (condition, error) {
	a, err := p.and()
	for err == nil && p.accept("OR") {
		var b condition
		b, err = p.and()
		a = or{a, b}
	}
	return a, err
}

func (p *selectorParser) and() (condition, error) {
	a, err := p.not()
	for err == nil && p.accept("AND") {
		var b condition
		b, err = p.not()
		a = and{a, b}
	}
	return a, err
}

func (p *selectorParser) not() (condition, error) {
	if p.depth++; p.depth > maxSelectorDepth {
		return nil, errors.New("nested too deep")
	}
	defer func() { p.depth-- }()
	if p.accept("NOT") {
		a, err := p.not()
		return not{a}, err
	}
	if p.accept("(") {
		a, err := p.or()
		if err != nil {
			return nil, err
		}
		return a, p.expect(")")
	}
	return p.predicate()
}

func (p *selectorParser) predicate() (condition, error) {
	a, err := p.operand()
	if err != nil {
		return nil, err
	}
	t := p.peek()
	if t.kind == signToken {
		switch t.text {
		case "=", "<>", "<", "<=", ">", ">=":
			p.at++
			b, err := p.operand()
			return compare{a, b, t.text}, err
		}
	}
	if p.accept("IS") {
		negated := p.accept("NOT")
		return negate(isNull{a}, negated), p.expect("NULL")
	}
	negated := p.accept("NOT")
	var c condition
	switch {
	case p.accept("IN"):
		c, err = p.in(a)
	case p.accept("LIKE"):
		c, err = p.like(a)
	case p.accept("BETWEEN"):
		c, err = p.between(a)
	case negated:
		return nil, errors.New("expected IN, LIKE or BETWEEN after NOT")
	default:
		if a.name == "" && a.literal.kind != boolValue {
			return nil, fmt.Errorf("unexpected %q", p.peek().text)
		}
		return boolean{a}, nil
	}
	return negate(c, negated), err
}

func negate(c condition, negated bool) condition {
	if negated {
		return not{c}
	}
	return c
}

func (p *selectorParser) in(a operand) (condition, error) {
	set := map[string]bool{}
	err := p.expect("(")
	for err == nil {
		t := p.next()
		if t.kind != stringToken {
			return nil, fmt.Errorf("expected a string in IN, found %q", t.text)
		}
		set[t.text] = true
		if !p.accept(",") {
			return in{a, set}, p.expect(")")
		}
	}
	return nil, err
}

func (p *selectorParser) like(a operand) (condition, error) {
	t := p.next()
	if t.kind != stringToken {
		return nil, fmt.Errorf("expected a string after LIKE, found %q", t.text)
	}
	escape := rune(-1)
	if p.accept("ESCAPE") {
		e := p.next()
		if e.kind != stringToken || utf8.RuneCountInString(e.text) != 1 {
			return nil, errors.New("ESCAPE needs one character")
		}
		escape, _ = utf8.DecodeRuneInString(e.text)
	}
	var pattern []likePart
	escaped := false
	for _, r := range t.text {
		switch {
		case escaped:
			pattern, escaped = append(pattern, likePart{r: r}), false
		case r == escape:
			escaped = true
		case r == '%':
			pattern = append(pattern, likePart{any: true})
		case r == '_':
			pattern = append(pattern, likePart{one: true})
		default:
			pattern = append(pattern, likePart{r: r})
		}
	}
	return like{a, pattern}, nil
}

func (p *selectorParser) between(a operand) (condition, error) {
	low, err := p.operand()
	if err != nil {
		return nil, err
	}
	if err := p.expect("AND"); err != nil {
		return nil, err
	}
	high, err := p.operand()
	return and{compare{a, low, ">="}, compare{a, high, "<="}}, err
}

func (p *selectorParser) operand() (operand, error) {
	t := p.next()
	switch t.kind {
	case stringToken:
		return operand{literal: value{kind: stringValue, text: t.text}}, nil
	case numberToken:
		n, err := strconv.ParseFloat(t.text, 64)
		if err != nil {
			return operand{}, fmt.Errorf("%q is no number", t.text)
		}
		return operand{literal: value{kind: numberValue, number: n}}, nil
	case wordToken:
		switch strings.ToUpper(t.text) {
		case "TRUE", "FALSE":
			return operand{literal: value{kind: boolValue, flag: strings.EqualFold(t.text, "TRUE")}}, nil
		case "AND", "OR", "NOT", "IN", "LIKE", "BETWEEN", "IS", "NULL", "ESCAPE":
			return operand{}, fmt.Errorf("unexpected %q", t.text)
		}
		return operand{name: t.text}, nil
	default:
		return operand{}, fmt.Errorf("expected a name or a value, found %q", t.text)
	}
}

// scanSelector cuts a selector into tokens, an end token last.
func scanSelector(s string) ([]token, error) {
	var out []token
	for i := 0; i < len(s); {
		c := s[i]
		switch {
		case c == ' ' || c == '\t' || c == '\n' || c == '\r':
			i++
		case c == '\'':
			text, n, err := scanString(s[i:])
			if err != nil {
				return nil, err
			}
			out = append(out, token{stringToken, text})
			i += n
		case isDigit(c) || (c == '-' || c == '+' || c == '.') && i+1 < len(s) && (isDigit(s[i+1]) || s[i+1] == '.'):
			n := 1
			for i+n < len(s) && (isDigit(s[i+n]) || s[i+n] == '.' || s[i+n]|0x20 == 'e' ||
				(s[i+n] == '-' || s[i+n] == '+') && s[i+n-1]|0x20 == 'e') {
				n++
			}
			out = append(out, token{numberToken, s[i : i+n]})
			i += n
		case isNameByte(c):
			n := 1
			for i+n < len(s) && (isNameByte(s[i+n]) || isDigit(s[i+n])) {
				n++
			}
			out = append(out, token{wordToken, s[i : i+n]})
			i += n
		case strings.HasPrefix(s[i:], "<>") || strings.HasPrefix(s[i:], "<=") || strings.HasPrefix(s[i:], ">="):
			out = append(out, token{signToken, s[i : i+2]})
			i += 2
		case strings.IndexByte("=<>(),", c) >= 0:
			out = append(out, token{signToken, s[i : i+1]})
			i++
		default:
			return nil, fmt.Errorf("%q is not supported", s[i:i+1])
		}
	}
	return append(out, token{endToken, "the end"}), nil
}

// scanString reads a quoted string, in which a quote is doubled.
func scanString(s string) (text string, n int, err error) {
	var b strings.Builder
	for i := 1; i < len(s); i++ {
		if s[i] != '\'' {
			b.WriteByte(s[i])
			continue
		}
		if i+1 < len(s) && s[i+1] == '\'' {
			b.WriteByte('\'')
			i++
			continue
		}
		return b.String(), i + 1, nil
	}
	return "", 0, errors.New("a string has no end")
}

func isDigit(c byte) bool { return c >= '0' && c <= '9' }

func isNameByte(c byte) bool {
	return c == '_' || c == '$' || c >= 0x80 || c|0x20 >= 'a' && c|0x20 <= 'z'
}
