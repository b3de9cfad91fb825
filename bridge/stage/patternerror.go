package stage

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// PatternError is one mistake in a pattern.
type PatternError struct {
	// Path leads to the mistake from the top of the pattern: the keys of objects as strings, the places in lists as ints,
	// counted from 0. It is empty for the pattern as a whole.
	Path []any
	// Err says what is wrong there.
	Err error
}

// Location returns the path as configuration errors write it: properties.region[0].prefix.
func (e *PatternError) Location() string {
	var b strings.Builder
	for _, step := range e.Path {
		switch step := step.(type) {
		case int:
			b.WriteString("[" + strconv.Itoa(step) + "]")
		case string:
			if b.Len() > 0 {
				b.WriteByte('.')
			}
			b.WriteString(step)
		}
	}
	return b.String()
}

// Error returns the location and what is wrong there.
func (e *PatternError) Error() string {
	if len(e.Path) == 0 {
		return e.Err.Error()
	}
	return e.Location() + ": " + e.Err.Error()
}

// Unwrap returns what is wrong.
func (e *PatternError) Unwrap() error { return e.Err }

// PatternErrors are all the mistakes in a pattern, in the order of their paths. There is at least one.
type PatternErrors []*PatternError

// Error returns the mistakes, one a line.
func (e PatternErrors) Error() string {
	lines := make([]string, len(e))
	for i := range e {
		lines[i] = e[i].Error()
	}
	return strings.Join(lines, "\n")
}

// Unwrap returns the mistakes one by one.
func (e PatternErrors) Unwrap() []error {
	all := make([]error, len(e))
	for i := range e {
		all[i] = e[i]
	}
	return all
}

// maxReported is how many mistakes are reported at once.
const maxReported = 50

// mistakes collects the errors in a pattern.
type mistakes struct {
	found PatternErrors
}

func (m *mistakes) add(path []any, format string, args ...any) {
	if len(m.found) < maxReported {
		m.found = append(m.found, &PatternError{Path: slices.Clone(path), Err: fmt.Errorf(format, args...)})
	}
}

func (m *mistakes) err() error {
	if len(m.found) == 0 {
		return nil
	}
	return m.found
}

// didYouMean returns "; did you mean …?" when one of words is near, and else what is known.
func didYouMean(word string, words []string) string {
	best, least := "", max(2, len(word)/3)+1
	for _, w := range words {
		if d := distance(strings.ToLower(word), w); d < least {
			best, least = w, d
		}
	}
	if best != "" {
		return fmt.Sprintf("; did you mean %q?", best)
	}
	return "; known here: " + strings.Join(words, ", ")
}

// distance is how many letters must be changed, added or taken away to make b of a.
func distance(a, b string) int {
	const longest = 64
	if len(a) > longest || len(b) > longest {
		return longest
	}
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		before := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := before
			if a[i] != b[j] {
				cost++
			}
			before = row[j+1]
			row[j+1] = min(cost, before+1, row[j]+1)
		}
	}
	return row[len(b)]
}
