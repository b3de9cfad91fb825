package config

import (
	"encoding/json"
	"fmt"
	"reflect"

	"github.com/invopop/jsonschema"
)

// reference is what a string may hold instead of what its key asks for.
const reference = `\$\{(env|file):`

// Schema returns the JSON Schema (draft 2020-12) of bridge.yaml, indented and with a final newline. Editors complete
// and check a file that names it in its first line.
func Schema() ([]byte, error) {
	r := &jsonschema.Reflector{
		FieldNameTag:               "mapstructure",
		Anonymous:                  true,
		RequiredFromJSONSchemaTags: true,
		ExpandedStruct:             true,
		Mapper:                     leafSchema,
	}
	s := r.Reflect(&Config{})
	s.Title = "bridge.yaml: the configuration of jmsbridge"
	complete(s, reflect.TypeFor[Config](), s.Definitions)
	text, err := json.MarshalIndent(s, "", "  ")
	if err != nil {
		return nil, fmt.Errorf("writing the schema: %w", err)
	}
	return append(text, '\n'), nil
}

// leafSchema describes the leaf types of the tree.
func leafSchema(t reflect.Type) *jsonschema.Schema {
	switch t {
	case durationType:
		return &jsonschema.Schema{Type: "string", Pattern: `^([0-9]+(\.[0-9]+)?(ns|us|µs|ms|s|m|h))+$|` + reference}
	case sizeType:
		return &jsonschema.Schema{Type: "string", Pattern: `^[0-9]+ *([KMGT]i?B|kB|B)$|` + reference}
	case secretType:
		return &jsonschema.Schema{Type: "string"}
	case patternType:
		return &jsonschema.Schema{Type: "object"}
	case expressionType:
		return &jsonschema.Schema{Type: "string"}
	case templateType:
		return &jsonschema.Schema{Type: "string", Extras: map[string]any{"x-template": true}}
	default:
		return nil
	}
}

// complete adds what the tags of a struct type and its defaults say to its schema, and goes on to the types below.
func complete(s *jsonschema.Schema, t reflect.Type, definitions jsonschema.Definitions) {
	base := defaults(t)
	s.Required = nil
	for _, f := range fields(t) {
		property, ok := s.Properties.Get(f.key)
		if !ok {
			continue // a field without a property would fail the test that compares both
		}
		if f.required {
			s.Required = append(s.Required, f.key)
		}
		s.Properties.Set(f.key, completeKey(property, f, base.Field(f.index)))
		below := f.typ
		for below.Kind() == reflect.Pointer || below.Kind() == reflect.Slice {
			below = below.Elem()
		}
		if isBlock(below) {
			complete(definitions[below.Name()], below, definitions)
		}
	}
	switch t {
	case reflect.TypeFor[From](), reflect.TypeFor[Store](), deadLetterType, replyFromType:
		one := uint64(1)
		s.MinProperties, s.MaxProperties = &one, &one
	case reflect.TypeFor[Target]():
		for _, f := range fields(t) {
			if f.typ.Kind() == reflect.Pointer && f.typ != reflect.TypeFor[*Retry]() {
				s.OneOf = append(s.OneOf, &jsonschema.Schema{Required: []string{f.key}})
			}
		}
	}
}

// completeKey returns the schema of one key with its default, words and bounds.
func completeKey(s *jsonschema.Schema, f field, base reflect.Value) *jsonschema.Schema {
	s.Description = f.doc
	switch {
	case f.enum != nil:
		words := make([]any, len(f.enum))
		for i, w := range f.enum {
			words[i] = w
		}
		s.Type = ""
		s.AnyOf = []*jsonschema.Schema{{Enum: words}, {Type: "string", Pattern: reference}}
		s.Default = base.String()
	case f.typ == durationType || f.typ == sizeType:
		s.Default = fmt.Sprint(printed(base))
		s.Description += fmt.Sprintf(" (%s to %s)", f.min, f.max)
	case f.typ.Kind() == reflect.Int:
		s.Default = base.Int()
		s.Minimum, s.Maximum = json.Number(f.min), json.Number(f.max)
	case f.typ.Kind() == reflect.Bool:
		s.Default = base.Bool()
	case f.typ.Kind() == reflect.String && !f.required:
		s.Default = base.String()
	case f.typ.Kind() == reflect.Slice && f.required:
		one := uint64(1)
		s.MinItems = &one
	case f.typ == reflect.PointerTo(deadLetterType):
		// A $ref stands beside nothing in older drafts, so the block and the word are alternatives of one key.
		return &jsonschema.Schema{Description: f.doc, AnyOf: []*jsonschema.Schema{{Ref: s.Ref}, {Const: "drop"}}}
	case f.typ == replyFromType:
		return &jsonschema.Schema{Description: f.doc, AnyOf: []*jsonschema.Schema{{Ref: s.Ref}, {Const: "call"}}}
	}
	return s
}
