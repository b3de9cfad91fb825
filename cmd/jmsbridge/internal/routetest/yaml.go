package routetest

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/agnivade/levenshtein"
	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"

	"github.com/jmsbridge/jmsbridge/config"
)

// reader reads a YAML tree strictly and collects the mistakes. It goes by the tree and not by decoded values because those
// have neither places nor the difference between 2 and 2.0, which are an int and a double in an envelope.
type reader struct {
	file     string
	anchors  map[string]ast.Node
	problems []config.Problem
}

// maxDepth bounds nesting, which aliases could make endless, and maxJSON what one value becomes, which they could multiply.
const (
	maxDepth = 200
	maxJSON  = 64 << 20
)

// add notes a mistake at a node.
func (r *reader) add(n ast.Node, path, text, hint string) {
	p := config.Problem{File: r.file, Path: path, Text: text, Hint: hint}
	if n != nil && n.GetToken() != nil && n.GetToken().Position != nil {
		p.Line, p.Column = n.GetToken().Position.Line, n.GetToken().Position.Column
	}
	r.problems = append(r.problems, p)
}

// err returns the mistakes in the order of the file; nil when there is none.
func (r *reader) err() error {
	if len(r.problems) == 0 {
		return nil
	}
	slices.SortStableFunc(r.problems, func(a, b config.Problem) int {
		return cmp.Or(cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column))
	})
	return &config.Error{Problems: r.problems}
}

// parse returns the root of the one document; nil when something is wrong.
func (r *reader) parse(data []byte) ast.Node {
	file, err := parser.ParseBytes(data, 0, parser.AllowDuplicateMapKey())
	if err != nil {
		p := config.Problem{File: r.file, Text: "this is no YAML: " + err.Error()}
		var syntax *yaml.SyntaxError
		if errors.As(err, &syntax) {
			p.Text = "this is no YAML: " + syntax.GetMessage()
			if t := syntax.GetToken(); t != nil && t.Position != nil {
				p.Line, p.Column = t.Position.Line, t.Position.Column
			}
		}
		r.problems = append(r.problems, p)
		return nil
	}
	var root ast.Node
	for i, doc := range file.Docs {
		if i > 0 && doc.Body != nil {
			r.add(doc.Body, "", "a second YAML document begins here", "one file holds one list of cases")
			return nil
		}
		root = doc.Body
	}
	if root == nil {
		r.problems = append(r.problems, config.Problem{File: r.file, Line: 1, Column: 1, Text: "the file is empty", Hint: "begin with \"cases:\""})
		return nil
	}
	ast.Walk(anchors(r.anchors), root)
	return root
}

// anchors notes what each anchor names.
type anchors map[string]ast.Node

func (c anchors) Visit(n ast.Node) ast.Visitor {
	if a, ok := n.(*ast.AnchorNode); ok {
		c[a.Name.GetToken().Value] = a.Value
	}
	return c
}

// resolve returns what a node stands for; nil for an alias without an anchor.
func (r *reader) resolve(n ast.Node) ast.Node {
	for range maxDepth {
		switch v := n.(type) {
		case *ast.AnchorNode:
			n = v.Value
		case *ast.AliasNode:
			n = r.anchors[v.Value.GetToken().Value]
		case *ast.TagNode:
			n = v.Value
		default:
			return n
		}
	}
	return nil
}

// member is a key of a block and its value.
type member struct{ key, value ast.Node }

// members returns a block's keys in their order, those that are merged in (<<) included; false: it is none, which has
// been noted.
func (r *reader) members(n ast.Node, path string, depth int) (names []string, all map[string]member, ok bool) {
	var pairs []*ast.MappingValueNode
	switch m := r.resolve(n).(type) {
	case *ast.MappingNode:
		pairs = m.Values
	case *ast.MappingValueNode:
		pairs = []*ast.MappingValueNode{m}
	default:
		r.add(n, path, "expected keys with values, found "+kindOf(m), "")
		return nil, nil, false
	}
	all = map[string]member{}
	merged := map[string]member{}
	ok = true
	for _, pair := range pairs {
		if _, merge := pair.Key.(*ast.MergeKeyNode); merge {
			if depth > maxDepth {
				r.add(pair.Key, path, "this is nested too deep", "")
				return nil, nil, false
			}
			_, more, fine := r.members(pair.Value, path, depth+1)
			ok = ok && fine
			for name, m := range more {
				merged[name] = m
			}
			continue
		}
		name := keyOf(pair.Key)
		if before, twice := all[name]; twice {
			r.add(pair.Key, join(path, name), "this key stands here twice", fmt.Sprintf("the first is in line %d", before.key.GetToken().Position.Line))
			ok = false
			continue
		}
		names = append(names, name)
		all[name] = member{pair.Key, pair.Value}
	}
	for name, m := range merged {
		if _, own := all[name]; !own { // what the block itself says goes first
			names = append(names, name)
			all[name] = m
		}
	}
	return names, all, ok
}

// keyOf returns the text of a key, without its quotes.
func keyOf(key ast.Node) string {
	if s, ok := key.(*ast.StringNode); ok {
		return s.Value
	}
	return key.GetToken().Value
}

// known notes the keys that are none of words, with the nearest.
func (r *reader) known(names []string, all map[string]member, words []string, path string) bool {
	ok := true
	for _, name := range names {
		if slices.Contains(words, name) {
			continue
		}
		ok = false
		hint := "known keys: " + strings.Join(words, ", ")
		if near := nearest(name, words); near != "" {
			hint = fmt.Sprintf("did you mean %q?", near)
		}
		r.add(all[name].key, join(path, name), fmt.Sprintf("unknown key %q", name), hint)
	}
	return ok
}

// text returns a string; false: it is none, which has been noted.
func (r *reader) text(n ast.Node, path string) (string, bool) {
	switch v := r.resolve(n).(type) {
	case *ast.StringNode:
		if v.Value != "" {
			return v.Value, true
		}
		r.add(n, path, "this text is empty", "")
	case *ast.LiteralNode:
		return v.Value.Value, true
	default:
		r.add(n, path, "expected a text, found "+kindOf(v), "")
	}
	return "", false
}

// yes reads the word true, the only one that says something.
func (r *reader) yes(n ast.Node, path string) bool {
	if b, ok := r.resolve(n).(*ast.BoolNode); ok && b.Value {
		return true
	}
	r.add(n, path, "expected true", "leave the key out, and say what is expected instead")
	return false
}

// list returns the entries of a list; false: it is none, which has been noted.
func (r *reader) list(n ast.Node, path string) ([]ast.Node, bool) {
	seq, ok := r.resolve(n).(*ast.SequenceNode)
	if !ok {
		r.add(n, path, "expected a list, found "+kindOf(r.resolve(n)), "begin each entry with \"- \"")
		return nil, false
	}
	return seq.Values, true
}

// json appends a value as JSON, each number as it is written; false: it has none, which has been noted.
func (r *reader) json(dst []byte, n ast.Node, path string, depth int) ([]byte, bool) {
	if depth > maxDepth || len(dst) > maxJSON {
		r.add(n, path, "this is nested too deep or too long", "")
		return dst, false
	}
	switch v := r.resolve(n).(type) {
	case *ast.StringNode:
		return appendString(dst, v.Value), true
	case *ast.LiteralNode:
		return appendString(dst, v.Value.Value), true
	case *ast.BoolNode:
		return strconv.AppendBool(dst, v.Value), true
	case *ast.NullNode:
		return append(dst, "null"...), true
	case *ast.IntegerNode:
		return fmt.Append(dst, v.Value), true
	case *ast.FloatNode:
		if token := v.GetToken().Value; json.Valid([]byte(token)) {
			return append(dst, token...), true
		}
		return strconv.AppendFloat(dst, v.Value, 'e', -1, 64), true
	case *ast.SequenceNode:
		dst = append(dst, '[')
		for i, entry := range v.Values {
			if i > 0 {
				dst = append(dst, ',')
			}
			var ok bool
			if dst, ok = r.json(dst, entry, fmt.Sprintf("%s[%d]", path, i), depth+1); !ok {
				return dst, false
			}
		}
		return append(dst, ']'), true
	case *ast.MappingNode, *ast.MappingValueNode:
		names, all, ok := r.members(n, path, depth)
		if !ok {
			return dst, false
		}
		dst = append(dst, '{')
		for i, name := range names {
			if i > 0 {
				dst = append(dst, ',')
			}
			dst = append(appendString(dst, name), ':')
			if dst, ok = r.json(dst, all[name].value, join(path, name), depth+1); !ok {
				return dst, false
			}
		}
		return append(dst, '}'), true
	default:
		r.add(n, path, "this value is nothing that JSON has", "quote it, if it is a text")
		return dst, false
	}
}

func appendString(dst []byte, s string) []byte {
	text, err := json.Marshal(s)
	if err != nil {
		panic(err) // a string can't fail
	}
	return append(dst, text...)
}

func kindOf(n ast.Node) string {
	switch n.(type) {
	case *ast.MappingNode, *ast.MappingValueNode:
		return "a block of keys"
	case *ast.SequenceNode:
		return "a list"
	case *ast.BoolNode:
		return "true or false"
	case *ast.IntegerNode, *ast.FloatNode, *ast.InfinityNode, *ast.NanNode:
		return "a number"
	case *ast.StringNode, *ast.LiteralNode:
		return "a text"
	case *ast.NullNode:
		return "nothing"
	case nil:
		return "an alias without an anchor"
	default:
		return "something else"
	}
}

func join(path, key string) string {
	if path == "" {
		return key
	}
	return path + "." + key
}

// nearest returns the word that differs least from word, when so little that it is likely meant; else "".
func nearest(word string, words []string) string {
	best, least := "", max(2, len(word)/3)+1
	for _, w := range words {
		if d := levenshtein.ComputeDistance(strings.ToLower(word), strings.ToLower(w)); d < least {
			best, least = w, d
		}
	}
	return best
}
