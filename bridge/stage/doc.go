// Package stage holds what looks at a message between its source and its target: event patterns, which keep or drop
// messages; templates, the `${…}` in configuration keys such as group_id; and transforms, jq programs that make another
// message. All of them see the envelope of the message, as package envelope writes it, and mean what docs/filters.md
// says. [Pattern] and [Transform] are a bridge.Stage.
//
// # Patterns
//
// pattern.go and patternfield.go match, patternparse.go, patternname.go and operator.go read, patternor.go works out $or
// beforehand, condition.go, number.go, wildcard.go and text.go compare. A pattern is matched against the message itself:
// no JSON is made, and nothing is allocated for headers and scalar properties.
//
// # jq
//
// jq.go runs gojq's interpreter, jqscan.go finds where an expression ends, jqcheck.go judges it when it is read,
// jqguard.go bounds single steps, jqinput.go makes of a message what jq sees, jqoutput.go and jqtypes.go write what it
// gave, jqexplain.go says what failed without saying what the message held. The commonest templates, one header or
// property with or without a literal to fall back on, need none of it (expression.go): they cost one allocation at
// most, and none where a string is taken as it is.
//
// The package imports bridge, bridge/envelope and gojq; it does no I/O and knows no configuration.
package stage
