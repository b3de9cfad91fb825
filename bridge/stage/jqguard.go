package stage

import (
	"errors"
	"fmt"
	"math"

	"github.com/itchyny/gojq"
)

// The time budget bounds what jq's loops make, a few million values. These bound what one step could make of a number
// that a message holds: a text times n, an element at place n, a table of n columns. Their names can't be written in jq.
const (
	guardMultiply  = "guard multiply"
	guardIndex     = "guard index"
	guardPath      = "guard path"
	guardStream    = "guard stream"
	guardTranspose = "guard transpose"
	guardRegexp    = "guard regexp"
	guardDigits    = "guard digits"
)

const (
	maxText  = 16 << 20 // bytes that * makes of a text
	maxIndex = 1 << 20  // the greatest place in a list
	// readDigits is how many digits of a number are read: with a million, one sum takes seconds.
	readDigits = 100_000
)

// guards are the functions behind the names, but for guardRegexp.
func guards() []gojq.CompilerOption {
	return []gojq.CompilerOption{
		gojq.WithFunction(guardMultiply, 2, 2, func(_ any, args []any) any { return multiplied(args[0], args[1]) }),
		gojq.WithFunction(guardIndex, 0, 0, func(v any, _ []any) any { return orError(v, checkIndex(v)) }),
		gojq.WithFunction(guardPath, 0, 0, func(v any, _ []any) any { return orError(v, checkPath(v)) }),
		gojq.WithFunction(guardStream, 0, 0, func(v any, _ []any) any {
			if event, ok := v.([]any); ok && len(event) > 0 {
				return orError(v, checkPath(event[0]))
			}
			return v
		}),
		gojq.WithFunction(guardDigits, 0, 0, func(v any, _ []any) any { return orError(v, checkDigits(v)) }),
		gojq.WithFunction(guardMatches, 2, 2, checkMatches),
		gojq.WithFunction(guardTranspose, 0, 0, func(v any, _ []any) any { return orError(v, checkTable(v)) }),
	}
}

func orError(v any, err error) any {
	if err != nil {
		return err
	}
	return v
}

// guardError is what a guard says. It holds nothing of a message.
type guardError struct{ error }

func guardErrorf(format string, args ...any) error { return guardError{fmt.Errorf(format, args...)} }

var errIndex = guardError{errors.New("the place in a list is too large")}

// multiplied returns both operands as a list, unless * would make too long a text of them.
func multiplied(l, r any) any {
	s, isText := l.(string)
	n, isNumber := gojq.ToFloat64(r)
	if !isText {
		s, isText = r.(string)
		n, isNumber = gojq.ToFloat64(l)
	}
	if isText && isNumber && float64(len(s))*n > maxText {
		return guardErrorf("* would make a text of more than %d bytes", maxText)
	}
	return []any{l, r}
}

func checkIndex(v any) error {
	if n, ok := gojq.ToFloat64(v); ok && !math.IsNaN(n) && n > maxIndex {
		return errIndex
	}
	return nil
}

func checkPath(v any) error {
	path, _ := v.([]any)
	for _, step := range path {
		if err := checkIndex(step); err != nil {
			return err
		}
	}
	return nil
}

// checkDigits looks for a number of too many digits in a text that is to be read.
func checkDigits(v any) error {
	text, _ := v.(string)
	for end, run := 0, 0; end < len(text); end++ {
		if c := text[end]; c < '0' || c > '9' {
			run = 0
		} else if run++; run > readDigits {
			return guardErrorf("a number has more than %d digits", readDigits)
		}
	}
	return nil
}

func checkTable(v any) error {
	rows, _ := v.([]any)
	longest := 0
	for _, row := range rows {
		if cells, ok := row.([]any); ok {
			longest = max(longest, len(cells))
		}
	}
	if longest*len(rows) > maxIndex {
		return guardErrorf("transpose would make more than %d values", maxIndex)
	}
	return nil
}

func call(name string, args ...*gojq.Query) *gojq.Query {
	return &gojq.Query{Term: &gojq.Term{Type: gojq.TermTypeFunc, Func: &gojq.Func{Name: name, Args: args}}}
}

func pipe(left, right *gojq.Query) *gojq.Query {
	return &gojq.Query{Left: left, Op: gojq.OpPipe, Right: right}
}

func identity() *gojq.Query { return &gojq.Query{Term: &gojq.Term{Type: gojq.TermTypeIdentity}} }

// times is the product of the two elements of a list.
func times() *gojq.Query {
	at := func(place string) *gojq.Query {
		number := &gojq.Query{Term: &gojq.Term{Type: gojq.TermTypeNumber, Number: place}}
		return &gojq.Query{Term: &gojq.Term{Type: gojq.TermTypeIndex, Index: &gojq.Index{Start: number}}}
	}
	return &gojq.Query{Left: at("0"), Op: gojq.OpMul, Right: at("1")}
}

// guardProduct makes l * r check its operands first.
func guardProduct(q *gojq.Query) {
	operands := call(guardMultiply, q.Left, q.Right)
	q.Left, q.Op, q.Right = operands, gojq.OpPipe, times()
}

// guardUpdate makes of l *= r: r as $x | l |= . * $x, checked.
func guardUpdate(q *gojq.Query) {
	const name = "$factor of an update"
	product := pipe(call(guardMultiply, identity(), call(name)), times())
	update := &gojq.Query{Left: q.Left, Op: gojq.OpModify, Right: product}
	q.Left, q.Op, q.Right, q.Patterns = q.Right, gojq.OpPipe, update, []*gojq.Pattern{{Name: name}}
}
