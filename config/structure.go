package config

import (
	"fmt"
	"maps"
	"reflect"
	"strconv"
	"strings"
	"time"

	"github.com/goccy/go-yaml/ast"
)

// structure compares the file's tree with the typed one: keys, their case, their repetition, and the kind of each
// value. It fills tree.at on the way, and returns what is right as plain values for viper, so that one mistake hides no
// other.
type structure struct {
	*problemList
	refs *references
	expansion
}

// later names keys that the grammar reserves and this version does not offer, by the type they stand in.
var later = map[reflect.Type][]string{
	reflect.TypeFor[Target]():    {"sns", "step_functions", "kinesis", "firehose", "s3"},
	reflect.TypeFor[Reply]():     {"correlation"},
	reflect.TypeFor[SQSTarget](): {"dialect", "claim_check"},
}

// block reads a mapping as a struct type. It returns nil when it is none.
func (s *structure) block(n ast.Node, t reflect.Type, path string) map[string]any {
	var pairs []*ast.MappingValueNode
	switch m := n.(type) {
	case *ast.MappingNode:
		pairs = m.Values
	case *ast.MappingValueNode:
		pairs = []*ast.MappingValueNode{m}
	default:
		s.addAt(positionOf(n), path, "expected keys with values, found "+describe(n), "known keys: "+keyList(t))
		return nil
	}
	known, seen := fields(t), map[string]position{}
	values, merged := map[string]any{}, map[string]any{}
	for _, pair := range pairs {
		if _, merge := pair.Key.(*ast.MergeKeyNode); merge {
			v := s.tree.resolve(pair.Value)
			if v == nil {
				s.addAt(positionOf(pair.Key), path, "<< merges an alias that has no anchor", "write the anchor, &NAME, before it")
				continue
			}
			maps.Copy(merged, s.mergeOf(pair.Key, v, t, path))
			continue
		}
		if key, value := s.pair(pair, known, t, path, seen); value != nil {
			values[key] = value
		}
	}
	maps.Copy(merged, values) // what the block itself says goes first
	return merged
}

// mergeOf reads what a merge key names as a block of type t; nil where that can't be.
func (s *structure) mergeOf(key ast.Node, n ast.Node, t reflect.Type, path string) map[string]any {
	done, wrong := s.merge(n)
	if wrong != "" {
		s.addAt(positionOf(key), path, wrong, "")
	}
	if done == nil {
		return nil
	}
	defer done()
	return s.block(n, t, path)
}

// counted counts a value at a place and tells whether it may be read; it reports the first one that may not.
func (s *structure) counted(at position, path string) bool {
	ok, wrong := s.count()
	if wrong != "" {
		s.addAt(at, path, wrong, "")
	}
	return ok
}

// pair reads a key and its value; the value is nil when there is something wrong with it.
func (s *structure) pair(
	pair *ast.MappingValueNode, known []field, t reflect.Type, path string, seen map[string]position,
) (string, any) {
	key, at := pair.Key.GetToken().Value, positionOf(pair.Key)
	here := join(path, key)
	if !s.counted(at, here) {
		return key, nil
	}
	if before, twice := seen[key]; twice {
		s.addAt(at, here, "this key stands here twice", fmt.Sprintf("the first is in line %d", before.line))
		return key, nil
	}
	seen[key] = at
	i := indexOf(known, key)
	if i < 0 {
		s.unknown(key, at, known, t, path)
		return key, nil
	}
	value := s.tree.resolve(pair.Value)
	s.tree.at[here] = at
	if value == nil {
		// The alias itself is not printed: it may be a password that begins with a star.
		s.addAt(at, here, "the value begins with * and so is an alias, which has no anchor", "quote a value that begins with any of * & ! @ %")
		return key, nil
	}
	if value.Type() == ast.NullType {
		s.addAt(at, here, "this key has no value", "write one, or leave the key out for its default")
		return key, nil
	}
	if isScalar(value) {
		s.tree.at[here] = positionOf(value)
	}
	return key, s.value(value, known[i], known[i].typ, here)
}

// unknown reports a key that the block does not have.
func (s *structure) unknown(key string, at position, known []field, t reflect.Type, path string) {
	keys := make([]string, len(known))
	for i, f := range known {
		keys[i] = f.key
	}
	for _, word := range later[t] {
		if word == key {
			s.addAt(at, join(path, key), "this key is not supported yet", "supported here now: "+strings.Join(keys, ", "))
			return
		}
	}
	text := fmt.Sprintf("unknown key %q", key)
	switch near := nearest(key, keys); {
	case near != "" && strings.EqualFold(key, near):
		s.broken[join(path, near)] = true
		s.addAt(at, join(path, key), text, fmt.Sprintf("keys are exact in case: write %q", near))
	case strings.ContainsAny(key, " ()'\"=<>/"):
		s.addAt(at, join(path, key), text, "a value with a comma or a colon before it may need quotes")
	case near != "":
		s.broken[join(path, near)] = true
		s.addAt(at, join(path, key), text, fmt.Sprintf("did you mean %q?", near))
	default:
		s.addAt(at, join(path, key), text, "known keys: "+strings.Join(keys, ", "))
	}
}

// value reads a value as the type that its key has; nil when it is none.
func (s *structure) value(n ast.Node, f field, t reflect.Type, path string) any {
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	at := positionOf(n)
	switch {
	case t == deadLetterType && isString(n):
		word, _ := text(n)
		if word == "drop" {
			return word
		}
		s.addAt(at, path, fmt.Sprintf("expected sqs, jms or the word drop, found %q", word), "")
	case t == replyFromType && isString(n):
		word, _ := text(n)
		if word == "call" {
			return word
		}
		s.addAt(at, path, fmt.Sprintf("expected sqs, jms or the word call, found %q", word), "")
	case t == patternType:
		return s.pattern(n, path)
	case isBlock(t):
		if values := s.block(n, t, path); values != nil {
			return values
		}
	case t.Kind() == reflect.Slice:
		return s.list(n, f, t.Elem(), path)
	case t.Kind() == reflect.Bool:
		if b, ok := n.(*ast.BoolNode); ok {
			return b.Value
		}
		s.addAt(at, path, "expected true or false, found "+describe(n), "")
	case t.Kind() == reflect.Int:
		if i, ok := n.(*ast.IntegerNode); ok {
			return i.Value
		}
		s.addAt(at, path, "expected a whole number, found "+describe(n), "")
	default:
		return s.scalar(n, f, t, path)
	}
	return nil
}

func (s *structure) list(n ast.Node, f field, elem reflect.Type, path string) any {
	seq, ok := n.(*ast.SequenceNode)
	if !ok {
		s.addAt(positionOf(n), path, "expected a list, found "+describe(n), "begin each entry with \"- \"")
		return nil
	}
	values := make([]any, len(seq.Values)) // a bad entry stays as an empty one, so that the others keep their paths
	for i, item := range seq.Values {
		here := path + "[" + strconv.Itoa(i) + "]"
		if !s.counted(positionOf(item), here) {
			break
		}
		value := s.tree.resolve(item)
		s.tree.at[here] = positionOf(item)
		if value == nil || value.Type() == ast.NullType {
			s.addAt(positionOf(item), here, "this entry of the list is empty", "")
			continue
		}
		if m, ok := value.(*ast.MappingNode); ok && len(m.Values) > 0 {
			s.tree.at[here] = positionOf(m.Values[0].Key)
		}
		values[i] = s.value(value, f, elem, here)
	}
	return values
}

// scalar reads what is written as a string: text, words, durations, sizes, secrets, templates.
func (s *structure) scalar(n ast.Node, f field, t reflect.Type, path string) any {
	at := positionOf(n)
	raw, ok := text(n)
	if !ok {
		hint := "write " + sample(t)
		if _, list := n.(*ast.SequenceNode); list {
			hint = "write one string; where several are allowed, commas part them: a,b"
		}
		s.addAt(at, path, "expected "+wanted(t)+", found "+describeFor(n, t), hint)
		return nil
	}
	if err := s.judge(raw, f, t); err != nil {
		s.addAt(at, path, err.Error(), "")
		return nil
	}
	return raw
}

// judge tells what is wrong with a string as a value of type t.
func (s *structure) judge(raw string, f field, t reflect.Type) error {
	if t == secretType {
		_, err := s.refs.secret(raw)
		return err
	}
	value, err := s.refs.expand(raw, t == templateType || t == expressionType)
	switch {
	case err != nil:
		return err
	case t == durationType:
		_, err = parseDuration(value)
	case t == sizeType:
		_, err = ParseSize(value)
	case f.enum != nil:
		err = oneOf(value, f.enum)
	}
	return err
}

// wanted names what a key of type t takes, and sample shows one.
func wanted(t reflect.Type) string {
	switch t {
	case durationType:
		return "a duration with its unit"
	case sizeType:
		return "a size with its unit"
	default:
		return "a string"
	}
}

func sample(t reflect.Type) string {
	switch t {
	case durationType:
		return "500ms, 5s or 2m"
	case sizeType:
		return "64KiB or 64MiB"
	default:
		return "it in quotes"
	}
}

// describeFor is describe, but never shows what was written where a secret belongs.
func describeFor(n ast.Node, t reflect.Type) string {
	if t == secretType {
		return kindOf(n)
	}
	return describe(n)
}

// parseDuration reads a duration with its unit; 0 has one too.
func parseDuration(s string) (time.Duration, error) {
	d, err := time.ParseDuration(s)
	if err != nil || d < 0 || s == "0" {
		return 0, fmt.Errorf("%q is not a duration: write a number and a unit (ms, s, m, h), such as 5s", s)
	}
	return d, nil
}

func oneOf(value string, words []string) error {
	for _, w := range words {
		if w == value {
			return nil
		}
	}
	list := strings.Join(words, ", ")
	if near := nearest(value, words); near != "" {
		return fmt.Errorf("%q is none of %s; did you mean %q?", value, list, near)
	}
	return fmt.Errorf("%q is none of %s", value, list)
}

// text returns the text of a string; ok tells whether the node is one.
func text(n ast.Node) (s string, ok bool) {
	switch v := n.(type) {
	case *ast.StringNode:
		return v.Value, true
	case *ast.LiteralNode:
		return v.Value.Value, true
	default:
		return "", false
	}
}

func isString(n ast.Node) bool { _, ok := text(n); return ok }

func isScalar(n ast.Node) bool { _, ok := n.(ast.ScalarNode); return ok }

// kindOf names what kind of value a node is.
func kindOf(n ast.Node) string {
	switch n.Type() {
	case ast.MappingType, ast.MappingValueType:
		return "a block of keys"
	case ast.SequenceType:
		return "a list"
	case ast.BoolType:
		return "true or false"
	case ast.IntegerType, ast.FloatType, ast.InfinityType, ast.NanType:
		return "a number"
	case ast.StringType, ast.LiteralType:
		return "a string"
	default:
		return "something else"
	}
}

// describe names a value, with the value itself when it is short.
func describe(n ast.Node) string {
	if isScalar(n) {
		if value := n.GetToken().Value; len(value) <= 40 {
			return kindOf(n) + " (" + value + ")"
		}
	}
	return kindOf(n)
}

func indexOf(known []field, key string) int {
	for i, f := range known {
		if f.key == key {
			return i
		}
	}
	return -1
}

func keyList(t reflect.Type) string {
	var keys []string
	for _, f := range fields(t) {
		keys = append(keys, f.key)
	}
	return strings.Join(keys, ", ")
}
