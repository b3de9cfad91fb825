package bridge

import (
	"strings"
	"unicode/utf8"
)

const (
	// maxShownID bounds what is kept of a message's id to show it, and maxReason what is kept of a reason, in bytes.
	maxShownID = 200
	maxReason  = 2 << 10
)

// clip returns s, or its beginning with an ellipsis where it is longer than most bytes. The copy is memory of its own:
// an id is often part of a whole frame, which would stay in memory, counted by nothing, as long as the id does.
func clip(s string, most int) string {
	const ellipsis = "…"
	if len(s) <= most {
		return strings.Clone(s)
	}
	end := most - len(ellipsis)
	for end > 0 && !utf8.RuneStart(s[end]) {
		end--
	}
	return s[:end] + ellipsis
}

// plain returns s with a space for each control character, which some wires can't carry and terminals obey.
func plain(s string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r >= 0x7f && r < 0xa0 {
			return ' '
		}
		return r
	}, s)
}
