package stage

import (
	"errors"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/itchyny/gojq"
)

// An error of jq shows the values that it failed on, and so what a message holds. What is told of it is what has a
// closed vocabulary: the kind of failure, the names of functions, and the types of values.

const jqTypes = `null|boolean|number|string|array|object`

var (
	// cannotApply is NAME cannot be applied to: TYPE (…), or NAME(…) cannot be applied to …
	cannotApply = regexp.MustCompile(`^(@?[a-z_][a-z0-9_]*)(?:\(.*\))? cannot be applied to(?:: (` + jqTypes + `)\b)?`)
	// binary is cannot VERB: TYPE (…) and TYPE (…)
	binary = regexp.MustCompile(`^(cannot [a-z]+):? (` + jqTypes + `)\b(?:.* (and|by:) (` + jqTypes + `)(?: \(|$))?`)
	// got is one value of a wrong type.
	got = regexp.MustCompile(`^(expected an object but got|expected an array but got|cannot iterate over|` +
		`expected a string for object key but got|expected a number for indexing an array but got|` +
		`expected a number for indexing a string but got|expected "start" and "end" for slicing but got|` +
		`invalid path against|invalid path on iterating against|@[a-z0-9]+ cannot format an array including): (` + jqTypes + `)\b`)
)

// plainErrors are the beginnings of messages, up to the values.
var plainErrors = []string{
	"array index should not be negative", "array index too large", "repeat string result too large", "length mismatch",
	"flatten depth should not be negative", "expected an array of 8 numbers", "number of seconds is out of range", "number is out of range",
	"format not defined", "limit doesn't support negative count", "skip doesn't support negative count", "nth doesn't support negative index",
}

// explain says why the expression failed, without anything of the message.
func (p *program) explain(err error) string {
	var guard guardError
	var result *resultError
	var raised gojq.ValueError
	switch {
	case errors.Is(err, errMany), errors.Is(err, errPanic), errors.As(err, &guard), errors.As(err, &result):
		return err.Error()
	case errors.As(err, &raised):
		text, isText := raised.Value().(string)
		switch {
		case isText && p.literals[text]: // it stands in the expression
			return "error: " + shortened(text)
		case raised.Value() == nil:
			return "it called error"
		}
		for _, known := range plainErrors {
			if text == known {
				return known
			}
		}
		return "it called error, with a text that does not stand in the expression"
	}
	text := strings.ReplaceAll(err.Error(), "\n", " ")
	if m := cannotApply.FindStringSubmatch(text); m != nil {
		if m[2] == "" {
			return m[1] + " cannot be applied"
		}
		return m[1] + " cannot be applied to: " + m[2]
	}
	if m := got.FindStringSubmatch(text); m != nil {
		return m[1] + ": " + m[2]
	}
	if m := binary.FindStringSubmatch(text); m != nil {
		if m[3] == "" {
			return m[1] + ": " + m[2]
		}
		return m[1] + ": " + m[2] + " " + strings.TrimSuffix(m[3], ":") + " " + m[4]
	}
	for _, known := range plainErrors {
		if strings.HasPrefix(text, known) {
			return known
		}
	}
	return "it failed"
}

func shortened(text string) string {
	const longest = 200
	if utf8.RuneCountInString(text) > longest {
		return string([]rune(text)[:longest]) + "…"
	}
	return text
}

// parseReasons are what envelope.Parse says, by words of it that no message can change.
var parseReasons = []struct{ words, say string }{
	{"there is no such field in an envelope", "there is no such field in an envelope"},
	{"a body that is no string is", `body_type is missing: a body that is no string is "map" or "stream"`},
	{"a body of type", "the body that body_type names is missing"},
	{`body_type is "none", and there is a body`, `body_type is "none", and there is a body`},
	{"is not one of text, bytes", "not one of text, bytes, map, stream, object, none"},
	{"not base64", "not base64"},
	{"is not a whole number", "not a whole number in range"},
	{"is not a destination", "not a destination (queue:NAME, topic:NAME, temp-queue:NAME, temp-topic:NAME)"},
	{"not an RFC 3339 instant", "not an RFC 3339 instant (2006-01-02T15:04:05.000Z)"},
	{"finer than a millisecond", "JMS knows no instants finer than a millisecond"},
	{"there is no type", "there is no type of that name"},
	{"which is not there", "it names the type of a value that is not there"},
	{"a char is one UTF-16 unit", "a char is one UTF-16 unit"},
	{"too large for a float", "too large for a float"},
	{"too large for a double", "too large for a double"},
	{"too large for an int", "too large for a long"},
	{"levels of objects and arrays", "too many levels of objects and arrays"},
	{"but it is", "the type that is named for it is another than its form"},
	{"is neither a number nor NaN", "not a number"},
	{"is not a ", "the value does not fit its type"},
	{"should be here", "a value of another kind should be here"},
}

// wrongEnvelope says why a result is no envelope, without anything of the message. Parse names the field first.
func (p *program) wrongEnvelope(err error) string {
	text := strings.TrimPrefix(err.Error(), "reading envelope: ")
	where := ""
	for range 2 { // a field of the envelope, and a name below it
		name, rest, more := strings.Cut(text, ": ")
		if !more || !slices.Contains(fieldNames(), name) && (where == "" || !strings.Contains(p.source, name)) {
			break
		}
		where, text = where+name+": ", rest
	}
	for _, r := range parseReasons {
		if strings.Contains(err.Error(), r.words) {
			return where + r.say
		}
	}
	return where + "it can't be read"
}
