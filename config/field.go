package config

import (
	"reflect"
	"strings"
	"time"

	"github.com/agnivade/levenshtein"
)

// field is a key of a struct of the tree, as its tags describe it.
type field struct {
	index    int
	key      string
	doc      string
	required bool
	enum     []string
	min, max string
	typ      reflect.Type
}

// fields returns the keys of a struct type of the tree, in their order.
func fields(t reflect.Type) []field {
	var out []field
	for i := range t.NumField() {
		f := t.Field(i)
		key := f.Tag.Get("mapstructure")
		if key == "" || key == "-" {
			continue
		}
		var enum []string
		if words := f.Tag.Get("enum"); words != "" {
			enum = strings.Split(words, "|")
		}
		out = append(out, field{
			index: i, key: key, doc: f.Tag.Get("doc"), required: f.Tag.Get("required") == "true",
			enum: enum, min: f.Tag.Get("min"), max: f.Tag.Get("max"), typ: f.Type,
		})
	}
	return out
}

// The leaf types of the tree that are more than their kind.
var (
	durationType   = reflect.TypeFor[time.Duration]()
	sizeType       = reflect.TypeFor[Size]()
	secretType     = reflect.TypeFor[Secret]()
	templateType   = reflect.TypeFor[Template]()
	deadLetterType = reflect.TypeFor[DeadLetter]()
	replyFromType  = reflect.TypeFor[ReplyFrom]()
	patternType    = reflect.TypeFor[Pattern]()
	expressionType = reflect.TypeFor[Expression]()
)

// isBlock tells that a type is written as a mapping.
func isBlock(t reflect.Type) bool {
	return t.Kind() == reflect.Struct && t != secretType && t != patternType
}

// nearest returns the word among words that differs least from word, when so little that it is likely meant; else "".
func nearest(word string, words []string) string {
	best, least := "", max(2, len(word)/3)+1
	for _, w := range words {
		if d := levenshtein.ComputeDistance(strings.ToLower(word), w); d < least {
			best, least = w, d
		}
	}
	return best
}
