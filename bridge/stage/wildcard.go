package stage

import (
	"errors"
	"fmt"
	"strings"
)

// maxStars is how many * one wildcard may have. Matching takes no longer for more of them, but nobody reads them.
const maxStars = 64

// wildcard is a pattern in which * stands for any text, also none. The parts are what stands between the stars; one
// part has no star.
type wildcard struct {
	parts []string
}

// parseWildcard reads a wildcard: \* stands for a star, \\ for a backslash, and no other escapes, as AWS has it.
func parseWildcard(s string) (wildcard, error) {
	var w wildcard
	var part strings.Builder
	for i := 0; i < len(s); i++ {
		switch c := s[i]; c {
		case '*':
			if i+1 < len(s) && s[i+1] == '*' {
				return w, errors.New(`two stars can't follow each other: one stands for any text`)
			}
			w.parts = append(w.parts, part.String())
			part.Reset()
		case '\\':
			if i++; i == len(s) || s[i] != '*' && s[i] != '\\' {
				return w, errors.New(`a backslash stands only before * and \: write \\ for a backslash`)
			}
			part.WriteByte(s[i])
		default:
			part.WriteByte(c)
		}
	}
	w.parts = append(w.parts, part.String())
	if len(w.parts)-1 > maxStars {
		return w, fmt.Errorf("more than %d stars", maxStars)
	}
	return w, nil
}

// matches tells whether the whole text is of this form. Each part is taken where it comes first, which leaves the most
// for the others; so it looks at the text once.
func (w *wildcard) matches(t textOf) bool {
	first, last := w.parts[0], w.parts[len(w.parts)-1]
	if len(w.parts) == 1 {
		return t.compare(first) == 0
	}
	if !t.hasPrefix(first) {
		return false
	}
	t = t.drop(len(first))
	for _, part := range w.parts[1 : len(w.parts)-1] {
		var ok bool
		if t, ok = t.after(part); !ok {
			return false
		}
	}
	return t.hasSuffix(last)
}
