package routetest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/goccy/go-yaml/ast"

	"github.com/jmsbridge/jmsbridge/bridge"
	"github.com/jmsbridge/jmsbridge/bridge/envelope"
	"github.com/jmsbridge/jmsbridge/config"
	"github.com/jmsbridge/jmsbridge/connectors"
)

// Case is one message for one route, and what is expected to become of it.
type Case struct {
	Name    string
	Line    int
	Route   *config.Route
	Message *bridge.Message
	// Expect are the outcomes at targets; Filtered and Failed those of the route as a whole; Reply is "" where nothing is
	// expected of it.
	Expect   []Expectation
	Filtered bool
	Failed   string
	Reply    connectors.ReplyPreview
}

// Asks tells whether anything is expected at all.
func (c *Case) Asks() bool { return len(c.Expect) > 0 || c.Filtered || c.Failed != "" || c.Reply != "" }

// Expectation is the outcome at one target: one of Sent, Filtered and Failed is set.
type Expectation struct {
	Target   string
	Sent     any // JSON as package json reads it with numbers kept
	Filtered bool
	Failed   string // part of the error
}

// The keys of a file, and the fields of an envelope (see package envelope).
var (
	fileKeys   = []string{"cases"}
	caseKeys   = []string{"name", "route", "message", "expect", "filtered", "failed", "reply"}
	expectKeys = []string{"target", "sent", "filtered", "failed"}
	replyWords = []string{
		string(connectors.ReplyAllowed), string(connectors.ReplyRefused), string(connectors.ReplyNone),
	}
	envelopeKeys = []string{
		"message_id", "correlation_id", "reply_to", "type", "destination", "timestamp", "expiration", "priority", "persistent", "redelivered",
		"delivery_count", "group_id", "group_seq", "user_id", "properties", "property_types", "body_type", "body_type_inferred", "body", "body_types",
	}
)

// maxFile is the most bytes of a file of cases.
const maxFile = 64 << 20

// Load reads the cases in a file. When the file can't be read the error is the system's; else it is a [*config.Error] with
// every mistake.
func Load(path string, c *config.Config) ([]Case, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, fmt.Errorf("reading the cases: %w", err)
	}
	if info.Size() > maxFile {
		return nil, fmt.Errorf("reading the cases: %s is larger than %v", path, config.Size(maxFile))
	}
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("reading the cases: %w", err)
	}
	return Parse(path, data, c)
}

// Parse is Load for bytes; path names them in errors.
func Parse(path string, data []byte, c *config.Config) ([]Case, error) {
	r := &caseReader{reader: reader{file: path, anchors: map[string]ast.Node{}}, config: c, names: map[string]int{}}
	if root := r.parse(bytes.TrimPrefix(data, []byte("\ufeff"))); root != nil {
		r.read(root)
	}
	if err := r.err(); err != nil {
		return nil, err
	}
	return r.cases, nil
}

type caseReader struct {
	reader
	config *config.Config
	names  map[string]int // lines of cases by name
	cases  []Case
}

func (r *caseReader) read(root ast.Node) {
	names, all, ok := r.members(root, "", 0)
	if !ok || !r.known(names, all, fileKeys, "") {
		return
	}
	m, ok := all["cases"]
	if !ok {
		r.add(root, "", "there are no cases", "begin with \"cases:\"")
		return
	}
	entries, ok := r.list(m.value, "cases")
	if !ok {
		return
	}
	if len(entries) == 0 {
		r.add(m.value, "cases", "there are no cases", "")
	}
	for i, n := range entries {
		r.one(n, fmt.Sprintf("cases[%d]", i))
	}
}

// one reads a case.
func (r *caseReader) one(n ast.Node, path string) {
	names, all, ok := r.members(n, path, 0)
	if !ok || len(names) == 0 {
		return
	}
	r.known(names, all, caseKeys, path)
	c := Case{Line: all[names[0]].key.GetToken().Position.Line}
	for _, key := range []string{"name", "route", "message"} {
		if _, there := all[key]; !there && !slices.ContainsFunc(names, func(s string) bool { return nearest(s, []string{key}) != "" }) {
			r.add(all[names[0]].key, join(path, key), "this key is missing", "")
		}
	}
	if m, there := all["name"]; there {
		if c.Name, ok = r.text(m.value, join(path, "name")); ok {
			if line, twice := r.names[c.Name]; twice {
				r.add(m.value, join(path, "name"), fmt.Sprintf("another case is called %q", c.Name), fmt.Sprintf("it is in line %d", line))
			}
			r.names[c.Name] = c.Line
		}
	}
	if m, there := all["route"]; there {
		c.Route = r.route(m.value, join(path, "route"))
	}
	if m, there := all["message"]; there {
		c.Message = r.message(m.value, join(path, "message"))
	}
	r.expectations(&c, all, path)
	r.cases = append(r.cases, c)
}

func (r *caseReader) route(n ast.Node, path string) *config.Route {
	name, ok := r.text(n, path)
	if !ok {
		return nil
	}
	var names []string
	for i := range r.config.Routes {
		if r.config.Routes[i].Name == name {
			return &r.config.Routes[i]
		}
		names = append(names, r.config.Routes[i].Name)
	}
	r.add(n, path, fmt.Sprintf("there is no route %q", name), suggestion(name, names, "routes"))
	return nil
}

func suggestion(word string, words []string, what string) string {
	if near := nearest(word, words); near != "" {
		return fmt.Sprintf("did you mean %q?", near)
	}
	return what + ": " + strings.Join(words, ", ")
}

// message reads an envelope.
func (r *caseReader) message(n ast.Node, path string) *bridge.Message {
	names, all, ok := r.members(n, path, 0)
	if !ok || !r.known(names, all, envelopeKeys, path) {
		return nil
	}
	data := []byte{'{'}
	for _, name := range names {
		if _, unset := r.resolve(all[name].value).(*ast.NullNode); unset { // what was merged in can be taken away
			continue
		}
		if len(data) > 1 {
			data = append(data, ',')
		}
		data = append(appendString(data, name), ':')
		if data, ok = r.json(data, all[name].value, join(path, name), 0); !ok {
			return nil
		}
	}
	m, err := envelope.Parse(append(data, '}'))
	if err == nil {
		return m
	}
	text := strings.TrimPrefix(err.Error(), "reading envelope: ")
	field, rest, cut := strings.Cut(text, ": ") // errors of Parse name the field, or what is in it
	top, _, _ := strings.Cut(field, "/")
	if at, there := all[top]; cut && there {
		r.add(at.value, join(path, field), rest, "")
		return nil
	}
	r.add(n, path, text, "")
	return nil
}

// expectations reads what is expected of a case.
func (r *caseReader) expectations(c *Case, all map[string]member, path string) {
	var said []string
	for _, key := range []string{"expect", "filtered", "failed"} {
		if _, there := all[key]; there {
			said = append(said, key)
		}
	}
	if len(said) > 1 {
		r.add(all[said[1]].key, join(path, said[1]), fmt.Sprintf("%s and %s exclude each other", said[0], said[1]),
			"expect is for each target, filtered and failed for the route as a whole")
	}
	if m, there := all["filtered"]; there {
		c.Filtered = r.yes(m.value, join(path, "filtered"))
	}
	if m, there := all["failed"]; there {
		c.Failed, _ = r.text(m.value, join(path, "failed"))
	}
	if m, there := all["reply"]; there {
		word, ok := r.text(m.value, join(path, "reply"))
		if ok && !slices.Contains(replyWords, word) {
			r.add(m.value, join(path, "reply"), fmt.Sprintf("%q is none of %s", word, strings.Join(replyWords, ", ")), "")
		}
		c.Reply = connectors.ReplyPreview(word)
	}
	m, there := all["expect"]
	if !there {
		return
	}
	entries, ok := r.list(m.value, join(path, "expect"))
	if !ok {
		return
	}
	if len(entries) == 0 {
		r.add(m.value, join(path, "expect"), "nothing is expected", "leave the key out to see what would be sent")
	}
	seen := map[string]bool{}
	for i, n := range entries {
		r.expectation(c, n, fmt.Sprintf("%s.expect[%d]", path, i), seen)
	}
}

func (r *caseReader) expectation(c *Case, n ast.Node, path string, seen map[string]bool) {
	names, all, ok := r.members(n, path, 0)
	if !ok || !r.known(names, all, expectKeys, path) {
		return
	}
	var e Expectation
	said := 0
	if m, there := all["sent"]; there {
		said++
		e.Sent = r.sent(m.value, join(path, "sent"))
	}
	if m, there := all["filtered"]; there {
		said++
		e.Filtered = r.yes(m.value, join(path, "filtered"))
	}
	if m, there := all["failed"]; there {
		said++
		e.Failed, _ = r.text(m.value, join(path, "failed"))
	}
	if said != 1 {
		r.add(n, path, "expected one of sent, filtered and failed", "sent: {} is for whatever is sent")
	}
	if c.Route == nil {
		return
	}
	targets := connectors.TargetNames(c.Route)
	m, there := all["target"]
	switch {
	case there:
		at := m.value
		if e.Target, ok = r.text(at, join(path, "target")); ok && !slices.Contains(targets, e.Target) {
			r.add(at, join(path, "target"), fmt.Sprintf("route %s has no target %q", c.Route.Name, e.Target), suggestion(e.Target, targets, "targets"))
		}
	case len(targets) == 1:
		e.Target = targets[0]
	default:
		r.add(n, join(path, "target"), "this key is missing", "targets: "+strings.Join(targets, ", "))
	}
	if seen[e.Target] && e.Target != "" {
		r.add(n, path, fmt.Sprintf("of target %q something is expected already", e.Target), "")
	}
	seen[e.Target] = true
	c.Expect = append(c.Expect, e)
}

// sent reads what is compared with JSON.
func (r *caseReader) sent(n ast.Node, path string) any {
	data, ok := r.json(nil, n, path, 0)
	if !ok {
		return nil
	}
	v, err := decode(data)
	if err != nil {
		r.add(n, path, err.Error(), "")
		return nil
	}
	if _, block := v.(map[string]any); !block {
		r.add(n, path, "expected keys with values, found "+kindOf(r.resolve(n)), "sent: {} is for whatever is sent")
	}
	return v
}

// decode reads JSON with its numbers as they stand.
func decode(data []byte) (v any, err error) {
	d := json.NewDecoder(bytes.NewReader(data))
	d.UseNumber()
	if err := d.Decode(&v); err != nil {
		return nil, fmt.Errorf("reading JSON: %w", err)
	}
	return v, nil
}
