package stage

import (
	"regexp"
	"slices"
	"strings"

	"github.com/itchyny/gojq"
)

// jq counts the characters before each match from the beginning of the text, in one step that no time budget ends: many
// matches in a long text take hours. So their number times the length is bounded beforehand.
const (
	guardMatches = "guard matches"
	textOfMatch  = "$text of a match"

	shortText    = 4 << 10   // bytes of a text in which any number of matches takes no time
	maxMatchWork = 128 << 20 // matches, and groups in them, times bytes: a few times what fits into the time budget
)

var errMatches = guardErrorf("a regular expression finds too many matches in so long a text")

// findsAll tells whether a call of a regular expression's function looks for every match, as far as can be told before it
// runs, and with which flags; known is false where they are made by a message.
func findsAll(f *gojq.Func) (flags string, known, all bool) {
	n := len(f.Args)
	place := map[string]int{"match": 1, "capture": 1, "scan": 1, "splits": 1, "split": 1, "sub": 2, "gsub": 2}
	at, is := place[f.Name]
	if !is || n == 0 || n > at+1 || f.Name == "split" && n < 2 || (f.Name == "sub" || f.Name == "gsub") && n < 2 {
		return "", false, false
	}
	known = true
	if n == at+1 {
		if known = isLiteral(f.Args[at]); known {
			flags = f.Args[at].Term.Str.Str
		}
	}
	always := slices.Contains([]string{"scan", "splits", "split", "gsub"}, f.Name)
	listed := (f.Name == "match" || f.Name == "capture") && n == 1 && !isLiteral(f.Args[0]) // may be [expression, flags]
	return flags, known && !listed, always || listed || !known || strings.Contains(flags, "g")
}

// guardMatching makes of f(re; …): . as $text | f(re | checked with $text; …).
func guardMatching(t *gojq.Term) {
	f := t.Func
	flags, known, all := findsAll(f)
	if !all {
		return
	}
	tried := []string{strings.ReplaceAll(flags, "g", "")}
	if !known {
		tried = []string{"", "i", "m", "im"}
	}
	list := call(guardMatches, call(textOfMatch), textQuery(strings.Join(tried, ",")))
	f.Args[0] = pipe(f.Args[0], list)
	whole := &gojq.Query{Term: &gojq.Term{Type: gojq.TermTypeFunc, Func: f}}
	t.Type, t.Func = gojq.TermTypeQuery, nil
	t.Query = &gojq.Query{Left: identity(), Op: gojq.OpPipe, Right: whole, Patterns: []*gojq.Pattern{{Name: textOfMatch}}}
}

func textQuery(text string) *gojq.Query {
	return &gojq.Query{Term: &gojq.Term{Type: gojq.TermTypeString, Str: &gojq.String{Str: text}}}
}

// checkMatches returns the expression, unless it matches a text too often. What is no expression, jq itself refuses.
func checkMatches(re any, args []any) any {
	source, flags := re, strings.Split(args[1].(string), ",")
	if list, ok := re.([]any); ok && len(list) > 0 {
		source = list[0]
	}
	expression, ok := source.(string)
	text, isText := args[0].(string)
	if !ok || !isText || len(text) <= shortText {
		return re
	}
	for _, some := range flags {
		r, err := regexp.Compile(goFlags(some) + expression)
		if err != nil {
			return re
		}
		most := maxMatchWork / len(text) / (1 + r.NumSubexp())
		if len(r.FindAllStringIndex(text, most+1)) > most {
			return errMatches
		}
	}
	return re
}

// goFlags writes jq's flags as Go's.
func goFlags(flags string) string {
	text := ""
	if strings.Contains(flags, "i") {
		text += "(?i)"
	}
	if strings.Contains(flags, "m") {
		text += "(?s)"
	}
	return text
}
