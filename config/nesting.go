package config

import (
	"fmt"
	"slices"

	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/token"
)

const (
	// maxNesting is how deep blocks, and braces and brackets, may be nested. The grammar needs fewer than ten levels;
	// the parser's time and memory grow with the square of the depth.
	maxNesting = 64
	// maxEntries is how many keys or entries a block may have, for which the parser's time grows in the same way.
	maxEntries = 10_000
)

// level is a block that is open at a token.
type level struct{ column, entries int }

// tooNested looks whether the parser can be given these tokens, and returns the first that goes too far, with the reason.
func tooNested(tokens token.Tokens) (*token.Token, string) {
	flow, marks, line := 0, 0, 0
	var open []level
	var before *token.Token
	for _, tk := range tokens {
		first := tk.Position.Line != line
		if first {
			line, marks = tk.Position.Line, 0
		}
		switch tk.Type {
		case token.SequenceStartType, token.MappingStartType:
			flow++
		case token.SequenceEndType, token.MappingEndType:
			flow = max(0, flow-1)
		case token.TagType, token.AnchorType, token.MappingKeyType:
			marks++ // each nests what follows it
		}
		if flow == 0 && (first || before != nil && before.Type == token.SequenceEntryType) && tk.Type != token.CommentType {
			for len(open) > 0 && open[len(open)-1].column > tk.Position.Column {
				open = open[:len(open)-1]
			}
			if len(open) == 0 || open[len(open)-1].column < tk.Position.Column {
				open = append(open, level{column: tk.Position.Column})
			}
			open[len(open)-1].entries++
		}
		switch {
		case flow > maxNesting, marks > maxNesting, len(open) > maxNesting:
			return tk, fmt.Sprintf("this is nested more than %d levels deep", maxNesting)
		case len(open) > 0 && open[len(open)-1].entries > maxEntries:
			return tk, fmt.Sprintf("this block has more than %d entries", maxEntries)
		}
		before = tk
	}
	return nil, ""
}

const (
	// maxMerges is how many blocks may be merged into others, each counted as often as an alias repeats it, and
	// maxMergeDepth how many one in the other.
	maxMerges     = 1000
	maxMergeDepth = 16
	// maxValues is how many values a file may have, each counted as often as an alias repeats it.
	maxValues = 200_000
)

// expansion bounds what aliases and merge keys make of a file: a few lines of them can stand for more than any memory
// holds, and a block can be merged into itself.
type expansion struct {
	values, merges int
	merging        []ast.Node // the blocks that are being merged, each into the one before it
	spent          bool       // a bound was reached, and it has been said
}

// count counts a value. The text is not empty the first time that there are too many; then no further ones are read.
func (e *expansion) count() (ok bool, text string) {
	if e.values++; e.values <= maxValues || e.spent {
		return !e.spent, ""
	}
	e.spent = true
	return false, fmt.Sprintf("up to here there are more than %d values, each counted as often as an alias repeats it", maxValues)
}

// merge counts a block that is to be merged. The text says why it can't be; done ends a merge that could.
func (e *expansion) merge(n ast.Node) (done func(), text string) {
	if slices.Contains(e.merging, n) {
		return nil, "this merges a block into itself"
	}
	e.merges++
	switch {
	case e.spent:
		return nil, ""
	case len(e.merging) == maxMergeDepth:
		text = fmt.Sprintf("blocks are merged more than %d levels deep", maxMergeDepth)
	case e.merges > maxMerges:
		text = fmt.Sprintf("more than %d blocks are merged", maxMerges)
	}
	if text != "" {
		e.spent = true
		return nil, text
	}
	e.merging = append(e.merging, n)
	return func() { e.merging = e.merging[:len(e.merging)-1] }, ""
}
