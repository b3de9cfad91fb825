package stage

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"time"
	"unicode/utf8"

	"github.com/itchyny/gojq"

	"github.com/jmsbridge/jmsbridge/bridge"
)

// Budget bounds what a jq expression may take for one message.
type Budget struct {
	// Time is how long it may run, in wall time; 0: 100 ms. It is looked at between jq's steps, so that one long step
	// ends a little later. An expression that was too slow gets the same time once more, because a machine that stood
	// still for a moment must not cost a message.
	Time time.Duration
	// Bytes is how much larger than the message the result may be, in bytes of text and 8 for each value; 0: 1 MiB.
	Bytes int
}

// The defaults of a Budget.
const (
	DefaultTime  = 100 * time.Millisecond
	DefaultBytes = 1 << 20
)

func (b Budget) orDefault() Budget {
	if b.Time <= 0 {
		b.Time = DefaultTime
	}
	if b.Bytes <= 0 {
		b.Bytes = DefaultBytes
	}
	return b
}

// Codes of errors of class Permanent that say that an expression failed on a message.
const (
	// CodeExpression is for an expression that failed, or whose result is not what it should be.
	CodeExpression = "ExpressionFailed"
	// CodeBudget is for one that took too long or made too much.
	CodeBudget = "ExpressionBudget"
)

// maxSource is how long a jq expression may be, in bytes.
const maxSource = 64 << 10

// maxRegexps is how many regular expressions that messages made may be kept. jq keeps each that it compiles.
const maxRegexps = 1000

// program is a jq expression over the envelope. It is safe for concurrent use.
type program struct {
	source   string
	query    *gojq.Query
	code     atomic.Pointer[gojq.Code]
	regexps  atomic.Int64    // made by messages, since code was compiled
	literals map[string]bool // the strings that stand in source
	fields   []string        // the paths from the top of the envelope that it names, in their order
	needs    needs           // what it looks at of the envelope
}

// compileProgram reads a jq expression. A mistake is a *sourceError.
func compileProgram(source string) (*program, error) {
	switch {
	case len(source) > maxSource:
		return nil, &sourceError{source: source[:maxSource], at: maxSource, text: fmt.Sprintf("an expression of more than %d bytes", maxSource)}
	case !utf8.ValidString(source):
		return nil, &sourceError{source: source, at: len(source), text: "the expression is not valid UTF-8"}
	}
	query, err := gojq.Parse(source)
	if err != nil {
		return nil, parseError(source, err)
	}
	p := &program{source: source, query: query, literals: map[string]bool{}}
	c := checker{program: p}
	if err := c.check(); err != nil {
		return nil, err
	}
	if err := p.compile(); err != nil {
		return nil, compileError(source, err)
	}
	return p, nil
}

func (p *program) compile() error {
	code, err := gojq.Compile(p.query, append(guards(), gojq.WithFunction(guardRegexp, 0, 0, func(v any, _ []any) any {
		p.regexps.Add(1)
		return v
	}))...)
	if err != nil {
		return err
	}
	p.regexps.Store(0)
	p.code.Store(code)
	return nil
}

// errMany is for expressions that gave more than one result.
var errMany = errors.New("it gives more than one result")

var errPanic = errors.New("the interpreter of jq panicked")

// run returns the one result for input; ok is false when there is none. The error is a *bridge.Error.
func (p *program) run(input any, b Budget) (v any, ok bool, err error) {
	if p.regexps.Load() > maxRegexps {
		if err := p.compile(); err != nil {
			return nil, false, p.failed(err)
		}
	}
	for again := true; ; again = false {
		v, ok, err = p.once(input, b)
		if err == nil {
			return v, ok, nil
		}
		if !errors.Is(err, context.DeadlineExceeded) {
			return nil, false, p.failed(err)
		}
		if !again {
			return nil, false, &bridge.Error{
				Class: bridge.Permanent, Code: CodeBudget, Err: fmt.Errorf("%s ran longer than %v", p.name(), b.Time),
				Remedy: "make the expression simpler",
			}
		}
	}
}

func (p *program) once(input any, b Budget) (v any, ok bool, err error) {
	defer func() {
		if recover() != nil { // a mistake in the interpreter concerns this message alone
			v, ok, err = nil, false, errPanic
		}
	}()
	ctx, cancel := context.WithTimeout(context.Background(), b.Time)
	defer cancel()
	results := p.code.Load().RunWithContext(ctx, input)
	v, ok = results.Next()
	if !ok {
		return nil, false, nil
	}
	if err, failed := v.(error); failed {
		return nil, false, err
	}
	more, isMore := results.Next()
	if !isMore {
		return v, true, nil
	}
	if err, failed := more.(error); failed {
		return nil, false, err
	}
	return nil, false, errMany
}

// failed returns the error for a message on which the expression failed.
func (p *program) failed(err error) *bridge.Error {
	e := &bridge.Error{Class: bridge.Permanent, Code: CodeExpression, Err: fmt.Errorf("%s: %s", p.name(), p.explain(err))}
	var guard guardError
	if errors.As(err, &guard) {
		e.Code = CodeBudget
	}
	return e
}

// maxName is how much of an expression an error shows, in characters.
const maxName = 120

// name shows the expression in an error.
func (p *program) name() string {
	text := strings.Join(strings.Fields(p.source), " ")
	if utf8.RuneCountInString(text) > maxName {
		text = string([]rune(text)[:maxName]) + "…"
	}
	return "evaluating jq " + text
}

// sourceError is a mistake in an expression, with its place.
type sourceError struct {
	source string
	at     int // in bytes
	text   string
	syntax bool // it is no jq at all
}

// Error names the character, counted from 1, and the line when there is more than one.
func (e *sourceError) Error() string {
	before := e.source[:min(e.at, len(e.source))]
	line := strings.Count(before, "\n") + 1
	column := utf8.RuneCountInString(before[strings.LastIndexByte(before, '\n')+1:]) + 1
	if strings.Contains(e.source, "\n") {
		return fmt.Sprintf("line %d, character %d: %s", line, column, e.text)
	}
	return fmt.Sprintf("character %d: %s", column, e.text)
}

func parseError(source string, err error) *sourceError {
	var mistake *gojq.ParseError
	if !errors.As(err, &mistake) {
		return &sourceError{source: source, text: err.Error()}
	}
	at := max(mistake.Offset-len(mistake.Token), 0)
	return &sourceError{source: source, at: at, text: strings.Replace(mistake.Error(), "EOF", "end", 1), syntax: true}
}

// compileError finds the name that the compiler complains about; it does not tell where that is.
func compileError(source string, err error) *sourceError {
	text := err.Error()
	e := &sourceError{source: source, text: text}
	if strings.HasPrefix(text, "missing query") {
		e.text, e.syntax = "an expression should be here", true
	}
	if _, name, ok := strings.Cut(text, ": "); ok {
		name, arguments, _ := strings.Cut(name, "/")
		e.at = max(find(source, name), 0)
		if arguments == "0" && e.at > 0 && source[e.at-1] == '-' {
			e.text += `; a name with other characters than letters, digits and _ is written .properties["a-b"]`
		}
	}
	return e
}
