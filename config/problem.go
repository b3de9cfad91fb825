package config

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// Problem is one mistake in a configuration.
type Problem struct {
	File string `json:"file"`
	// Line and Column begin at 1; 0 means that the place is not known.
	Line   int `json:"line,omitempty"`
	Column int `json:"column,omitempty"`
	// Path is the key's path, such as routes[0].from.jms.queue; "" for the file as a whole.
	Path string `json:"path,omitempty"`
	// Text says what is wrong, and Hint what to write instead; Hint may be "".
	Text string `json:"text"`
	Hint string `json:"hint,omitempty"`
}

// String returns "FILE:LINE:COLUMN: PATH: TEXT; HINT" without what is not known.
func (p Problem) String() string {
	var b strings.Builder
	b.WriteString(p.File)
	if p.Line > 0 {
		fmt.Fprintf(&b, ":%d:%d", p.Line, p.Column)
	}
	b.WriteString(": ")
	if p.Path != "" {
		b.WriteString(p.Path + ": ")
	}
	b.WriteString(p.Text)
	if p.Hint != "" {
		b.WriteString("; " + p.Hint)
	}
	return b.String()
}

// Error is everything that is wrong with a configuration: at least one problem, in the order of the file.
type Error struct{ Problems []Problem }

// Error returns the problems, one a line.
func (e *Error) Error() string {
	lines := make([]string, len(e.Problems))
	for i, p := range e.Problems {
		lines[i] = p.String()
	}
	return strings.Join(lines, "\n")
}

// problemList collects problems.
type problemList struct {
	file     string
	tree     *tree // nil: the file could not be parsed
	problems []Problem
	// broken are the paths that already have a problem; what follows from it is not reported again.
	broken map[string]bool
}

func newProblemList(file string) *problemList {
	return &problemList{file: file, broken: map[string]bool{}}
}

// addAt adds a problem at a place of the file.
func (l *problemList) addAt(at position, path, text, hint string) {
	l.broken[path] = true
	l.problems = append(l.problems, Problem{
		File: l.file, Line: at.line, Column: at.column, Path: path, Text: text, Hint: hint,
	})
}

// add adds a problem with the value at path, or with its absence, unless the path or one above it is broken already.
func (l *problemList) add(path, text, hint string) {
	for p := path; !l.broken[p]; p = parentPath(p) {
		if p == "" {
			l.addAt(l.tree.find(path), path, text, hint)
			return
		}
	}
}

// brokenBelow tells whether anything below path is broken, which may explain what is missing at path.
func (l *problemList) brokenBelow(path string) bool {
	for p := range l.broken {
		if len(p) > len(path) && strings.HasPrefix(p, path) && (p[len(path)] == '.' || p[len(path)] == '[') {
			return true
		}
	}
	return false
}

// err returns the problems as an *Error; nil when there is none.
func (l *problemList) err() error {
	if len(l.problems) == 0 {
		return nil
	}
	slices.SortStableFunc(l.problems, func(a, b Problem) int {
		return cmp.Or(cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column))
	})
	return &Error{Problems: l.problems}
}

// parentPath returns the path of what holds path: a.b for a.b.c and for a.b[1].
func parentPath(path string) string {
	return path[:max(0, strings.LastIndexAny(path, ".["))]
}

// join returns the path of a key below path.
func join(path, key string) string {
	if path == "" {
		return key
	}
	return path + "." + key
}
