package main

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// printable returns text that came from elsewhere as a terminal may get it: control characters, which could clear the
// screen or fake a line, and characters that turn the direction of writing, are escaped.
func printable(s string) string { return escaped(s, "") }

// printableLines is printable for text of several lines.
func printableLines(s string) string { return escaped(s, "\n\t") }

func escaped(s, kept string) string {
	var b strings.Builder
	for i, r := range s {
		switch {
		case strings.ContainsRune(kept, r):
			b.WriteRune(r)
		case r == utf8.RuneError && !strings.HasPrefix(s[i:], string(utf8.RuneError)):
			fmt.Fprintf(&b, `\x%02x`, s[i]) // no UTF-8: some terminals take such bytes for control characters
		case unicode.IsControl(r) && r < 0x80:
			fmt.Fprintf(&b, `\x%02x`, r)
		case unicode.IsControl(r), unicode.Is(unicode.Cf, r), r == '\u2028', r == '\u2029':
			fmt.Fprintf(&b, `\u%04x`, r)
		default:
			b.WriteRune(r)
		}
	}
	return b.String()
}
