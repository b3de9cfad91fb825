package envelope

import (
	"errors"
	"fmt"
	"unicode/utf16"
	"unicode/utf8"
)

// The standard library's decoder is not used: it replaces invalid UTF-8 and unpaired surrogates without a word, takes
// the last of two equal names, and matches names in any case.

// scanner reads strict JSON (RFC 8259) from data. It allocates nothing but the strings that it returns.
type scanner struct {
	data []byte
	pos  int
}

func (s *scanner) errorf(format string, args ...any) error {
	return fmt.Errorf("byte %d: %w", s.pos, fmt.Errorf(format, args...))
}

var errEnd = errors.New("the text ends too early")

func (s *scanner) space() {
	for s.pos < len(s.data) {
		switch s.data[s.pos] {
		case ' ', '\t', '\n', '\r':
			s.pos++
		default:
			return
		}
	}
}

// peek returns the next byte that is not white space, or 0 at the end.
func (s *scanner) peek() byte {
	s.space()
	if s.pos == len(s.data) {
		return 0
	}
	return s.data[s.pos]
}

// fieldNames spares an allocation for what nearly every envelope says.
var fieldNames = func() map[string]string {
	m := make(map[string]string)
	for _, name := range [...]string{
		"message_id", "correlation_id", "reply_to", "type", "destination", "timestamp", "expiration", "priority", "persistent",
		"redelivered", "delivery_count", "group_id", "group_seq", "user_id", "properties", "property_types", "body_type",
		"body_type_inferred", "body", "body_types", "text", "bytes", "long",
	} {
		m[name] = name
	}
	return m
}()

func (s *scanner) expect(c byte) error {
	if got := s.peek(); got != c {
		if s.pos == len(s.data) {
			return s.errorf("%w, where %q should be", errEnd, c)
		}
		return s.errorf("%q should be here, not %q", c, got)
	}
	s.pos++
	return nil
}

// members calls each for each member of an object, with the scanner at its value; each reads the value. Two members
// of one name are refused.
func (s *scanner) members(each func(name string) error) error {
	if err := s.expect('{'); err != nil {
		return err
	}
	if s.peek() == '}' {
		s.pos++
		return nil
	}
	seen := names{few: make([]string, 0, 24)}
	for {
		if s.peek() != '"' {
			return s.errorf("a name in quotes should be here")
		}
		name, err := s.text()
		if err != nil {
			return err
		}
		if !seen.add(name) {
			return s.errorf("the name %q is there twice", name)
		}
		if err := s.expect(':'); err != nil {
			return err
		}
		if err := each(name); err != nil {
			return err
		}
		if s.peek() == '}' {
			s.pos++
			return nil
		}
		if err := s.expect(','); err != nil {
			return err
		}
	}
}

// elements calls each for each element of an array, with the scanner at it.
func (s *scanner) elements(each func(i int) error) error {
	if err := s.expect('['); err != nil {
		return err
	}
	if s.peek() == ']' {
		s.pos++
		return nil
	}
	for i := 0; ; i++ {
		if err := each(i); err != nil {
			return err
		}
		if s.peek() == ']' {
			s.pos++
			return nil
		}
		if err := s.expect(','); err != nil {
			return err
		}
	}
}

// names is a set that stays a slice while it is small.
type names struct {
	few  []string
	many map[string]struct{}
}

func (n *names) add(name string) bool {
	if n.many == nil {
		for _, other := range n.few {
			if other == name {
				return false
			}
		}
		n.few = append(n.few, name)
		if len(n.few) > 32 {
			n.many = make(map[string]struct{}, 2*len(n.few))
			for _, other := range n.few {
				n.many[other] = struct{}{}
			}
		}
		return true
	}
	if _, there := n.many[name]; there {
		return false
	}
	n.many[name] = struct{}{}
	return true
}

// skip passes over one value and returns a scanner for it. It looks at brackets and quotes only, and bounds the depth;
// whoever reads the value judges it, to its end.
func (s *scanner) skip() (scanner, error) {
	s.space()
	start, depth := s.pos, 0
	for ; s.pos < len(s.data); s.pos++ {
		switch s.data[s.pos] {
		case '"':
			s.skipString()
		case '{', '[':
			if depth++; depth > MaxDepth {
				return scanner{}, s.errorf("more than %d levels of objects and arrays", MaxDepth)
			}
			continue
		case '}', ']':
			if depth == 0 { // a scalar has ended before
				return s.since(start)
			}
			depth--
		case ',':
			if depth == 0 {
				return s.since(start)
			}
			continue
		default:
			continue
		}
		if depth == 0 {
			if s.pos < len(s.data) {
				s.pos++
			}
			return s.since(start)
		}
	}
	return s.since(start)
}

// skipString goes on to the closing quote, or the end.
func (s *scanner) skipString() {
	for s.pos++; s.pos < len(s.data) && s.data[s.pos] != '"'; s.pos++ {
		if s.data[s.pos] == '\\' {
			s.pos++
		}
	}
}

func (s *scanner) since(start int) (scanner, error) {
	s.pos = min(s.pos, len(s.data))
	if s.pos == start {
		return scanner{}, s.errorf("a value should be here")
	}
	return scanner{data: s.data[:s.pos], pos: start}, nil
}

// there tells whether the scanner has anything to read; the zero scanner has not.
func (s *scanner) there() bool { return s.data != nil }

// word reads true, false or null.
func (s *scanner) word() (string, error) {
	s.space()
	for _, w := range [...]string{"true", "false", "null"} {
		if len(s.data)-s.pos >= len(w) && string(s.data[s.pos:s.pos+len(w)]) == w {
			s.pos += len(w)
			return w, nil
		}
	}
	if s.pos == len(s.data) {
		return "", s.errorf("%w, where a value should be", errEnd)
	}
	return "", s.errorf("a value should be here, not %q", s.data[s.pos])
}

// number reads a number and tells whether it has neither fraction nor exponent.
func (s *scanner) number() (literal string, whole bool, err error) {
	s.space()
	start := s.pos
	whole = true
	s.take('-')
	switch {
	case s.take('0'):
	case s.digits() == 0:
		return "", false, s.errorf("a digit should be here")
	}
	if s.take('.') {
		whole = false
		if s.digits() == 0 {
			return "", false, s.errorf("a digit should follow the point")
		}
	}
	if s.take('e') || s.take('E') {
		whole = false
		if !s.take('+') {
			s.take('-')
		}
		if s.digits() == 0 {
			return "", false, s.errorf("a digit should be in the exponent")
		}
	}
	return string(s.data[start:s.pos]), whole, nil
}

func (s *scanner) take(c byte) bool {
	if s.pos < len(s.data) && s.data[s.pos] == c {
		s.pos++
		return true
	}
	return false
}

func (s *scanner) digits() int {
	n := 0
	for s.pos < len(s.data) && s.data[s.pos] >= '0' && s.data[s.pos] <= '9' {
		s.pos++
		n++
	}
	return n
}

// text reads a string.
func (s *scanner) text() (string, error) {
	if err := s.expect('"'); err != nil {
		return "", err
	}
	start := s.pos
	for s.pos < len(s.data) && plain[s.data[s.pos]] {
		s.pos++
	}
	if s.pos < len(s.data) && s.data[s.pos] == '"' {
		text, known := fieldNames[string(s.data[start:s.pos])]
		if !known {
			text = string(s.data[start:s.pos])
		}
		if !utf8.ValidString(text) {
			return "", s.errorf("the string before this is not valid UTF-8")
		}
		s.pos++
		return text, nil
	}
	out := append([]byte(nil), s.data[start:s.pos]...)
	for s.pos < len(s.data) {
		switch c := s.data[s.pos]; {
		case c == '"':
			if !utf8.Valid(out) {
				return "", s.errorf("the string before this is not valid UTF-8")
			}
			s.pos++
			return string(out), nil
		case c == '\\':
			var err error
			if out, err = s.escape(out); err != nil {
				return "", err
			}
		case c < 0x20:
			return "", s.errorf("a control character stands in a string without an escape")
		default:
			out = append(out, c)
			s.pos++
		}
	}
	return "", s.errorf("%w, in a string", errEnd)
}

// escape reads one escape, with its second half where it is a surrogate pair.
func (s *scanner) escape(out []byte) ([]byte, error) {
	if s.pos+1 >= len(s.data) {
		return nil, s.errorf("%w, in a string", errEnd)
	}
	c := s.data[s.pos+1]
	if c != 'u' {
		r, ok := short(c)
		if !ok {
			return nil, s.errorf("there is no escape %q", `\`+string(rune(c)))
		}
		s.pos += 2
		return append(out, r), nil
	}
	first, err := s.unit()
	if err != nil {
		return nil, err
	}
	if !utf16.IsSurrogate(first) {
		return utf8.AppendRune(out, first), nil
	}
	if s.pos+1 < len(s.data) && s.data[s.pos] == '\\' && s.data[s.pos+1] == 'u' {
		second, err := s.unit()
		if err != nil {
			return nil, err
		}
		if r := utf16.DecodeRune(first, second); r != utf8.RuneError {
			return utf8.AppendRune(out, r), nil
		}
	}
	return nil, s.errorf("half of a surrogate pair is no text")
}

// unit reads \uXXXX.
func (s *scanner) unit() (rune, error) {
	if s.pos+6 > len(s.data) {
		return 0, s.errorf("%w, in an escape", errEnd)
	}
	var r rune
	for _, c := range s.data[s.pos+2 : s.pos+6] {
		switch {
		case c >= '0' && c <= '9':
			r = r<<4 | rune(c-'0')
		case c >= 'a' && c <= 'f':
			r = r<<4 | rune(c-'a'+10)
		case c >= 'A' && c <= 'F':
			r = r<<4 | rune(c-'A'+10)
		default:
			return 0, s.errorf("four hexadecimal digits should follow \\u")
		}
	}
	s.pos += 6
	return r, nil
}

func short(c byte) (byte, bool) {
	switch c {
	case '"', '\\', '/':
		return c, true
	case 'b':
		return '\b', true
	case 'f':
		return '\f', true
	case 'n':
		return '\n', true
	case 'r':
		return '\r', true
	case 't':
		return '\t', true
	default:
		return 0, false
	}
}

// end checks that nothing but white space is left.
func (s *scanner) end() error {
	if s.peek(); s.pos != len(s.data) {
		return s.errorf("something follows the JSON text")
	}
	return nil
}
