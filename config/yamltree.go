package config

import (
	"errors"
	"strings"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/lexer"
	"github.com/goccy/go-yaml/parser"
)

// position is a place in the file; the zero position is unknown.
type position struct{ line, column int }

func positionOf(n ast.Node) position {
	if n == nil || n.GetToken() == nil || n.GetToken().Position == nil {
		return position{}
	}
	p := n.GetToken().Position
	return position{line: p.Line, column: p.Column}
}

// tree is the file as goccy/go-yaml reads it: with places, case and order.
type tree struct {
	root    ast.Node // nil: the file is empty
	at      map[string]position
	inner   map[string]position // places inside what is of free shape
	anchors map[string]ast.Node
}

// find returns the place of the value at path, or of the nearest thing above it that is there.
func (t *tree) find(path string) position {
	for path != "" {
		if at, ok := t.at[path]; ok {
			return at
		}
		if at, ok := t.inner[path]; ok {
			return at
		}
		path = parentPath(path)
	}
	return position{line: 1, column: 1}
}

// parseTree parses the file. What is wrong is added to l, and then the tree is nil.
func parseTree(data []byte, l *problemList) *tree {
	tokens := lexer.Tokenize(string(data))
	if tk, wrong := tooNested(tokens); tk != nil {
		l.addAt(position{line: tk.Position.Line, column: tk.Position.Column}, "", wrong, "")
		return nil
	}
	file, err := parser.Parse(tokens, 0, parser.AllowDuplicateMapKey())
	if err != nil {
		l.addSyntax(data, err)
		return nil
	}
	t := &tree{at: map[string]position{}, inner: map[string]position{}, anchors: map[string]ast.Node{}}
	for i, doc := range file.Docs {
		if i > 0 && doc.Body != nil {
			l.addAt(positionOf(doc.Body), "", "a second YAML document begins here", "one file holds one configuration")
			return nil
		}
		if doc.Body != nil && doc.Body.Type() != ast.NullType {
			t.root = doc.Body
		}
	}
	if t.root != nil {
		ast.Walk(anchorCollector(t.anchors), t.root)
	}
	return t
}

// anchorCollector notes what each anchor names.
type anchorCollector map[string]ast.Node

func (c anchorCollector) Visit(n ast.Node) ast.Visitor {
	if a, ok := n.(*ast.AnchorNode); ok {
		c[a.Name.GetToken().Value] = a.Value
	}
	return c
}

// resolve returns what a node stands for: the value behind anchors, aliases and tags. It returns nil for an alias
// without an anchor.
func (t *tree) resolve(n ast.Node) ast.Node {
	for range 16 { // an alias may name an alias, but not for ever
		switch v := n.(type) {
		case *ast.AnchorNode:
			n = v.Value
		case *ast.AliasNode:
			n = t.anchors[v.Value.GetToken().Value]
		case *ast.TagNode:
			n = v.Value
		default:
			return n
		}
	}
	return nil
}

// addSyntax reports that the file is no YAML, and says what to quote where that is the likely cause.
func (l *problemList) addSyntax(data []byte, err error) {
	text, at := err.Error(), position{}
	var syntax *yaml.SyntaxError
	if errors.As(err, &syntax) {
		text = syntax.GetMessage()
		if tk := syntax.GetToken(); tk != nil && tk.Position != nil {
			at = position{line: tk.Position.Line, column: tk.Position.Column}
		}
	}
	l.addAt(at, "", "this is no YAML: "+text, quoteHint(lineOf(data, at.line)))
}

// lineOf returns a line of the file, counted from 1; "" when there is none.
func lineOf(data []byte, line int) string {
	for text := range strings.Lines(string(data)) {
		line--
		if line == 0 {
			return strings.TrimRight(text, "\r\n")
		}
	}
	return ""
}

// quoteHint says what to quote in a line that YAML reads otherwise than its writer meant; "" when nothing suggests it.
func quoteHint(line string) string {
	switch {
	case strings.HasPrefix(strings.TrimLeft(line, " "), "\t"):
		return "indent with spaces, not tabs"
	case strings.Contains(line, "selector:"):
		return `put the whole selector in double quotes: selector: "region = 'EU'"`
	case strings.Contains(line, "${"):
		return `in braces and brackets, quote what holds ${…}: {password: "${env:MQ_PASSWORD}"}`
	case strings.Contains(line, "url:"):
		return `quote the URL: url: "failover:(stomp://a:61613,stomp://b:61613)"`
	case strings.ContainsAny(line, "{[") || strings.Contains(line, ": "):
		return "quote values that hold any of : , # { } [ ] & * ! | > ' \" % @"
	default:
		return ""
	}
}
