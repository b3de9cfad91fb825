package config

import (
	"strconv"

	"github.com/goccy/go-yaml/ast"
)

// Pattern is an event pattern: of free shape, its keys' case kept.
type Pattern struct {
	// Tree is the pattern as plain maps, lists and scalars; nil: there is none.
	Tree map[string]any
}

// Expression is a jq program.
type Expression string

// PatternProblem is one mistake in a pattern: where inside it, and what is wrong.
type PatternProblem struct {
	// Path is such as "properties.region[0]"; "": the pattern as a whole.
	Path string
	Text string
	Hint string
}

// maxPatternDepth bounds how deep a pattern is nested.
const maxPatternDepth = 64

// pattern reads a block of free shape, and notes where each of its parts stands.
func (s *structure) pattern(n ast.Node, path string) any {
	if _, ok := n.(*ast.MappingNode); !ok {
		if _, ok := n.(*ast.MappingValueNode); !ok {
			s.addAt(positionOf(n), path, "expected a pattern, found "+describe(n), "write such as properties: {region: [EU, US]}")
			return nil
		}
	}
	tree, ok := s.plain(n, path, 0).(map[string]any)
	if !ok {
		return nil
	}
	if s.refs.patterns == nil {
		s.refs.patterns = map[string]map[string]any{}
	}
	s.refs.patterns[path] = tree
	return path // viper lowers the case of keys, so the tree itself stays here
}

// plain returns a node as maps, lists and scalars.
func (s *structure) plain(n ast.Node, path string, depth int) any {
	n = s.tree.resolve(n)
	if n == nil {
		return nil
	}
	s.tree.inner[path] = positionOf(n)
	if depth > maxPatternDepth {
		s.addAt(positionOf(n), path, "the pattern is nested too deeply", "")
		return nil
	}
	switch v := n.(type) {
	case *ast.MappingNode:
		out := make(map[string]any, len(v.Values))
		for _, pair := range v.Values {
			s.plainPair(pair, out, path, depth)
		}
		return out
	case *ast.MappingValueNode:
		out := map[string]any{}
		s.plainPair(v, out, path, depth)
		return out
	case *ast.SequenceNode:
		out := make([]any, len(v.Values))
		for i, item := range v.Values {
			out[i] = s.plain(item, path+"["+strconv.Itoa(i)+"]", depth+1)
		}
		return out
	case *ast.LiteralNode:
		return v.Value.Value
	case *ast.NullNode:
		return nil
	case ast.ScalarNode:
		return v.GetValue()
	default:
		s.addAt(positionOf(n), path, "a pattern has no such value: "+describe(n), "")
		return nil
	}
}

func (s *structure) plainPair(pair *ast.MappingValueNode, out map[string]any, path string, depth int) {
	key := pair.Key.GetToken().Value
	here := join(path, key)
	if _, twice := out[key]; twice {
		s.addAt(positionOf(pair.Key), here, "this key stands here twice", "")
		return
	}
	out[key] = s.plain(pair.Value, here, depth+1)
	s.tree.inner[here] = positionOf(pair.Key)
}
