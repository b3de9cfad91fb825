package client

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// Clip returns what a peer has written as it may be shown: at most n bytes of it, without control characters.
func Clip(s string, n int) string {
	cut := len(s) > n
	if cut {
		s = s[:n]
		for len(s) > 0 && !utf8.RuneStart(s[len(s)-1]) { // no half of a character
			s = s[:len(s)-1]
		}
		if r, size := utf8.DecodeLastRuneInString(s); r == utf8.RuneError && size == 1 {
			s = s[:len(s)-1]
		}
	}
	s = strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return ' '
		}
		return r
	}, s)
	if cut {
		s += "…"
	}
	return s
}
