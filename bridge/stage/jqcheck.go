package stage

import (
	"fmt"
	"slices"
	"strconv"

	"github.com/itchyny/gojq"
)

// refused are functions that mean nothing here, and why.
var refused = map[string]string{
	"input":        "there is no other input than the message",
	"inputs":       "there is no other input than the message",
	"debug":        "there is nowhere to print to",
	"stderr":       "there is nowhere to print to",
	"halt":         "write empty to give no result",
	"halt_error":   "write error to fail",
	"modulemeta":   "there are no modules",
	"$__prog_args": "there are no arguments",
}

// sameInput are functions whose arguments see the input of the function itself.
var sameInput = []string{
	"select", "first", "last", "limit", "skip", "nth", "isempty", "path", "del", "delpaths", "getpath", "setpath", "pick", "error", "has",
	"test", "match", "capture", "scan", "split", "splits", "startswith", "endswith", "ltrimstr", "rtrimstr", "trimstr", "join", "index",
	"rindex", "indices", "contains", "inside", "range", "strftime", "strptime",
}

// noInput are functions that do not look at their own input; their arguments may.
var noInput = []string{"empty", "now", "env", "nan", "infinite", "range", "first", "last", "limit", "skip", "isempty", "error"}

// regexps are functions whose first argument is a regular expression.
var regexps = []string{"test", "match", "capture", "scan", "split", "splits", "sub", "gsub"}

// checker walks through an expression once: it finds fields that no envelope has, and functions that are refused, and
// sets the guards.
type checker struct {
	*program
	defined map[string]bool // functions of the expression's own
	mistake *sourceError    // the first
}

func (c *checker) check() error {
	if len(c.query.Imports) > 0 || c.query.Meta != nil {
		return &sourceError{source: c.source, text: "there are no modules"}
	}
	c.defined = map[string]bool{}
	c.walk(c.query, true)
	if c.mistake != nil {
		return c.mistake
	}
	return nil
}

func (c *checker) fail(name, format string, args ...any) {
	if c.mistake == nil {
		c.mistake = &sourceError{source: c.source, at: max(find(c.source, name), 0), text: fmt.Sprintf(format, args...)}
	}
}

// walk goes through q. top tells that its input is the envelope.
func (c *checker) walk(q *gojq.Query, top bool) {
	if q == nil {
		return
	}
	for _, f := range q.FuncDefs {
		c.defined[f.Name] = true
		c.needs.whole = true // what it is given is not followed
		c.walk(f.Body, false)
	}
	if q.Term != nil {
		c.term(q.Term, top)
		return
	}
	right := top
	switch {
	case q.Op == gojq.OpPipe:
		right = top && (len(q.Patterns) > 0 || isEnvelope(q.Left))
	case isUpdate(q.Op):
		c.needs.whole = c.needs.whole || top
		right = top && q.Op != gojq.OpModify
	}
	c.walk(q.Left, top)
	c.patterns(q.Patterns, top)
	c.walk(q.Right, right)
	switch q.Op {
	case gojq.OpMul:
		guardProduct(q)
	case gojq.OpUpdateMul:
		guardUpdate(q)
	}
}

func isUpdate(op gojq.Operator) bool { return op >= gojq.OpAssign && op <= gojq.OpUpdateAlt }

// isEnvelope tells that q, given the envelope, gives it back, changed or not.
func isEnvelope(q *gojq.Query) bool {
	if q.Term == nil {
		if q.Op == gojq.OpPipe {
			return len(q.Patterns) == 0 && isEnvelope(q.Left) && isEnvelope(q.Right)
		}
		return isUpdate(q.Op)
	}
	if len(q.Term.SuffixList) > 0 {
		return false
	}
	switch q.Term.Type {
	case gojq.TermTypeIdentity:
		return true
	case gojq.TermTypeFunc:
		name, args := q.Term.Func.Name, len(q.Term.Func.Args)
		return (name == "select" || name == "del") && args == 1
	case gojq.TermTypeQuery:
		return isEnvelope(q.Term.Query)
	}
	return false
}

func (c *checker) term(t *gojq.Term, top bool) {
	if top && (t.Type == gojq.TermTypeIndex || t.Type == gojq.TermTypeIdentity) {
		c.path(t)
	}
	switch t.Type {
	case gojq.TermTypeRecurse:
		c.needs.whole = c.needs.whole || top
	case gojq.TermTypeIndex:
		c.index(t.Index, top)
	case gojq.TermTypeFunc:
		c.function(t, top)
	case gojq.TermTypeObject:
		for _, pair := range t.Object.KeyVals {
			c.pair(pair, top)
		}
	case gojq.TermTypeArray:
		c.walk(t.Array.Query, top)
	case gojq.TermTypeUnary:
		c.term(t.Unary.Term, top)
	case gojq.TermTypeString, gojq.TermTypeFormat:
		c.needs.whole = c.needs.whole || top && t.Str == nil // @json alone is of the input
		c.text(t.Str, top)
	case gojq.TermTypeIf:
		c.branches(t.If, top)
	case gojq.TermTypeTry:
		c.walk(t.Try.Body, top)
		c.walk(t.Try.Catch, false)
	case gojq.TermTypeReduce:
		c.walk(t.Reduce.Query, top)
		c.patterns(t.Reduce.Patterns, false)
		c.walk(t.Reduce.Start, top)
		c.walk(t.Reduce.Update, false)
	case gojq.TermTypeForeach:
		c.walk(t.Foreach.Query, top)
		c.patterns(t.Foreach.Patterns, false)
		c.walk(t.Foreach.Start, top)
		c.walk(t.Foreach.Update, false)
		c.walk(t.Foreach.Extract, false)
	case gojq.TermTypeLabel:
		c.walk(t.Label.Body, top)
	case gojq.TermTypeQuery:
		c.walk(t.Query, top)
	}
	for _, s := range t.SuffixList {
		if s.Index != nil {
			c.index(s.Index, top)
		}
	}
}

func (c *checker) branches(b *gojq.If, top bool) {
	c.walk(b.Cond, top)
	c.walk(b.Then, top)
	for _, e := range b.Elif {
		c.walk(e.Cond, top)
		c.walk(e.Then, top)
	}
	c.needs.whole = c.needs.whole || top && b.Else == nil // which is the input
	c.walk(b.Else, top)
}

func (c *checker) text(s *gojq.String, top bool) {
	if s == nil {
		return
	}
	if s.Queries == nil {
		c.literals[s.Str] = true
	}
	for _, q := range s.Queries {
		c.walk(q, top)
	}
}

func (c *checker) pair(p *gojq.ObjectKeyVal, top bool) {
	c.text(p.KeyString, top)
	c.walk(p.KeyQuery, top)
	c.walk(p.Val, top)
	if p.Val != nil || !top {
		return
	}
	switch { // {type} and {"type"} are {type: .type}
	case p.KeyString != nil && p.KeyString.Queries == nil:
		c.field([]string{p.KeyString.Str})
	case p.Key == "" || p.Key[0] != '$':
		if p.Key == "" {
			c.needs.whole = true
			return
		}
		c.field([]string{p.Key})
	}
}

func (c *checker) patterns(patterns []*gojq.Pattern, top bool) {
	for _, p := range patterns {
		c.patterns(p.Array, false)
		for _, o := range p.Object {
			c.text(o.KeyString, top)
			c.walk(o.KeyQuery, top)
			if o.Val != nil {
				c.patterns([]*gojq.Pattern{o.Val}, false)
			}
		}
	}
}

// index judges .[…]; the input of the expression in it is that of the whole term.
func (c *checker) index(x *gojq.Index, top bool) {
	c.text(x.Str, top)
	c.walk(x.Start, top)
	c.walk(x.End, top)
	if x.Start == nil || x.IsSlice {
		return
	}
	if t := x.Start.Term; t != nil && len(t.SuffixList) == 0 {
		switch t.Type {
		case gojq.TermTypeString:
			return
		case gojq.TermTypeNumber:
			if n, err := strconv.ParseFloat(t.Number, 64); err != nil || n > maxIndex {
				c.fail(t.Number, "the place in a list is too large")
			}
			return
		}
	}
	x.Start = pipe(x.Start, call(guardIndex))
}

func (c *checker) function(t *gojq.Term, top bool) {
	f := t.Func
	if why, is := refused[f.Name]; is && !c.defined[f.Name] {
		c.fail(f.Name, "%s can't be used: %s", f.Name, why)
	}
	if top && f.Name[0] != '$' && (!slices.Contains(noInput, f.Name) || len(f.Args) == 0 && slices.Contains(sameInput, f.Name)) {
		c.needs.whole = true
	}
	for _, arg := range f.Args {
		c.walk(arg, top && slices.Contains(sameInput, f.Name))
	}
	switch {
	case len(f.Args) > 0 && slices.Contains(regexps, f.Name) && !c.defined[f.Name]:
		literal := isLiteral(f.Args[0])
		guardMatching(t)
		if !literal {
			f.Args[0] = pipe(f.Args[0], call(guardRegexp))
		}
	case len(f.Args) > 0 && (f.Name == "setpath" || f.Name == "getpath"):
		f.Args[0] = pipe(f.Args[0], call(guardPath))
	case len(f.Args) == 1 && f.Name == "nth":
		f.Args[0] = pipe(f.Args[0], call(guardIndex))
	case len(f.Args) == 1 && f.Name == "fromstream":
		f.Args[0] = pipe(f.Args[0], call(guardStream))
	case len(f.Args) == 0 && (f.Name == "fromjson" || f.Name == "tonumber") && !c.defined[f.Name]:
		t.Type, t.Func, t.Query = gojq.TermTypeQuery, nil, pipe(call(guardDigits), call(f.Name))
	case len(f.Args) == 0 && f.Name == "transpose":
		t.Type, t.Func, t.Query = gojq.TermTypeQuery, nil, pipe(call(guardTranspose), call("transpose"))
	}
}

func isLiteral(q *gojq.Query) bool {
	return q.Term != nil && q.Term.Type == gojq.TermTypeString && q.Term.Str.Queries == nil && len(q.Term.SuffixList) == 0
}

// path judges a term that begins at the top of the envelope, and keeps what it names.
func (c *checker) path(t *gojq.Term) {
	var names []string
	if t.Type == gojq.TermTypeIndex {
		names = append(names, nameIn(t.Index))
	}
	for _, s := range t.SuffixList {
		if s.Index != nil {
			names = append(names, nameIn(s.Index))
		} else if !s.Optional { // []
			break
		}
	}
	if end := slices.Index(names, ""); end >= 0 { // jq computes what follows
		names = names[:end]
	}
	if len(names) == 0 {
		c.needs.whole = true
		c.fields = append(c.fields, ".")
		return
	}
	c.field(names)
}

// field judges and keeps a path from the top.
func (c *checker) field(path []string) {
	if names := fieldNames(); !slices.Contains(names, path[0]) {
		c.failField(path[0], names)
	}
	text := ""
	for _, name := range path {
		text += step(name)
	}
	c.fields = append(c.fields, text)
	c.needs.add(path)
}

func (c *checker) failField(name string, names []string) {
	at := find(c.source, "."+name)
	if at < 0 {
		at = max(find(c.source, name), find(c.source, strconv.Quote(name)), 0)
	}
	if c.mistake == nil {
		c.mistake = &sourceError{source: c.source, at: at, text: fmt.Sprintf("the envelope has no field %q%s", name, didYouMean(name, names))}
	}
}

// nameIn returns the name in .name, ."name" or .["name"]; "" for anything else.
func nameIn(x *gojq.Index) string {
	switch {
	case x.Name != "":
		return x.Name
	case x.Str != nil && x.Str.Queries == nil:
		return x.Str.Str
	case x.Start != nil && !x.IsSlice && isLiteral(x.Start):
		return x.Start.Term.Str.Str
	default:
		return ""
	}
}

// step writes a name as jq does in a path.
func step(name string) string {
	x := expression{rest: name}
	if x.name() != "" && x.rest == "" {
		return "." + name
	}
	return "[" + strconv.Quote(name) + "]"
}
