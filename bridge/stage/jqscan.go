package stage

import "strings"

// endOfExpression returns where the } stands that closes a ${, given what follows the ${; -1: nowhere. It knows as much
// of jq as that takes: brackets, strings with \( ) in them, and comments.
func endOfExpression(s string) int {
	return scan(s, '}')
}

// scan returns where the closing bracket stands at the level at which s begins; -1: nowhere.
func scan(s string, closing byte) int {
	var open []byte
	for i := 0; i < len(s); i++ {
		switch c := s[i]; c {
		case '{':
			open = append(open, '}')
		case '[':
			open = append(open, ']')
		case '(':
			open = append(open, ')')
		case '}', ']', ')':
			if len(open) == 0 {
				if c == closing {
					return i
				}
				continue // a mistake, which jq's parser names
			}
			open = open[:len(open)-1]
		case '#':
			i += comment(s[i:]) - 1
		case '"':
			n := stringLength(s[i:])
			if n < 0 {
				return -1
			}
			i += n - 1
		}
	}
	return -1
}

// comment returns the length of a comment, without its line break. As in jq, a backslash hides a line break that
// follows it, unless it is itself hidden.
func comment(s string) int {
	for i := 0; i < len(s); i++ {
		switch s[i] {
		case '\n', '\r':
			return i
		case '\\':
			if rest := s[i+1:]; strings.HasPrefix(rest, "\r\n") {
				i += 2
			} else if rest != "" && strings.IndexByte("\\\n\r", rest[0]) >= 0 {
				i++
			}
		}
	}
	return len(s)
}

// stringLength returns the length of the string at the beginning of s, quotes included; -1: it does not end.
func stringLength(s string) int {
	for i := 1; i < len(s); i++ {
		switch s[i] {
		case '"':
			return i + 1
		case '\\':
			if i++; i < len(s) && s[i] == '(' {
				n := scan(s[i+1:], ')')
				if n < 0 {
					return -1
				}
				i += n + 1
			}
		}
	}
	return -1
}

// find returns where a name of jq, as a whole word, first stands in s outside strings and comments; -1: nowhere.
func find(s, name string) int {
	isWord := func(c byte) bool {
		return c == '_' || c == ':' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9'
	}
	for i := 0; i < len(s); i++ {
		switch s[i] {
		case '#':
			i += comment(s[i:]) - 1
			continue
		case '"':
			n := stringLength(s[i:])
			if n < 0 {
				return -1
			}
			if at := findInside(s[i:i+n], name); at >= 0 {
				return i + at
			}
			i += n - 1
			continue
		}
		if !strings.HasPrefix(s[i:], name) || i+len(name) < len(s) && isWord(s[i+len(name)]) && isWord(name[len(name)-1]) {
			continue
		}
		if i == 0 || !isWord(s[i-1]) && s[i-1] != '$' && s[i-1] != '.' && s[i-1] != '@' || !isWord(name[0]) {
			return i
		}
	}
	return -1
}

// findInside does the same in what a string has in \( ).
func findInside(s, name string) int {
	for i := 1; i < len(s); i++ {
		if s[i] != '\\' {
			continue
		}
		if i++; i < len(s) && s[i] == '(' {
			n := scan(s[i+1:], ')')
			if n < 0 {
				return -1
			}
			if at := find(s[i+1:i+1+n], name); at >= 0 {
				return i + 1 + at
			}
			i += n + 1
		}
	}
	return -1
}
