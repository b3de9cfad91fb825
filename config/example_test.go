package config

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"
	"github.com/google/go-cmp/cmp"
	"github.com/santhosh-tekuri/jsonschema/v6"
)

// update rewrites what is made from the tree: go test ./config -run 'Example|Schema' -update
var update = flag.Bool("update", false, "rewrite bridge.schema.json and the explanations in bridge.yaml.example")

const (
	exampleFile = "../bridge.yaml.example"
	schemaFile  = "../bridge.schema.json"
)

func readFile(t *testing.T, path string) []byte {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// example returns the example, its tree and the text it was read from.
func example(t *testing.T) (*Config, *tree, string) {
	t.Helper()
	data := readFile(t, exampleFile)
	c, err := Parse(exampleFile, data, WithEnv(func(string) (string, bool) { return strings.Repeat("x", 32), true }))
	if err != nil {
		t.Fatalf("the example is wrong:\n%v", err)
	}
	l := newProblemList(exampleFile)
	l.tree = parseTree(data, l)
	s := &structure{problemList: l, refs: &references{lookupEnv: func(string) (string, bool) { return strings.Repeat("x", 32), true }}}
	s.block(l.tree.resolve(l.tree.root), reflect.TypeFor[Config](), "")
	return c, l.tree, string(data)
}

// eachKey calls visit for every key of the tree, once for each type it stands in.
func eachKey(t reflect.Type, visit func(in reflect.Type, f field)) {
	seen := map[reflect.Type]bool{}
	var walk func(reflect.Type)
	walk = func(t reflect.Type) {
		for t.Kind() == reflect.Pointer || t.Kind() == reflect.Slice {
			t = t.Elem()
		}
		if !isBlock(t) || seen[t] {
			return
		}
		seen[t] = true
		for _, f := range fields(t) {
			visit(t, f)
			walk(f.typ)
		}
	}
	walk(t)
}

// keyAt returns the type that the key at path stands in, and the key.
func keyAt(path string) (reflect.Type, field) {
	t := reflect.TypeFor[Config]()
	var in reflect.Type
	var found field
	for word := range strings.SplitSeq(path, ".") {
		for t.Kind() == reflect.Pointer || t.Kind() == reflect.Slice {
			t = t.Elem()
		}
		key, _, _ := strings.Cut(word, "[")
		known := fields(t)
		in, found = t, known[indexOf(known, key)]
		t = found.typ
	}
	return in, found
}

func TestTreeIsDescribedAndItsBoundsAreReadable(t *testing.T) {
	eachKey(reflect.TypeFor[Config](), func(in reflect.Type, f field) {
		name := in.Name() + "." + f.key
		if f.doc == "" || len(f.doc) > 110 || strings.HasSuffix(f.doc, ".") {
			t.Errorf("%s needs a description of one line, without a final point: %q", name, f.doc)
		}
		if f.key != strings.ToLower(f.key) {
			t.Errorf("%s has capitals, which viper does not keep", name)
		}
		countable := f.typ == durationType || f.typ == sizeType || f.typ.Kind() == reflect.Int
		if countable != (f.max != "") || countable != (f.min != "") {
			t.Errorf("%s: bounds are for numbers, and each number has both", name)
		}
		if !countable {
			return
		}
		value := defaults(in).Field(f.index)
		if in == reflect.TypeFor[Retry]() || in == reflect.TypeFor[Window]() {
			route := defaults(reflect.TypeFor[Route]()).Interface().(Route)
			value = reflect.ValueOf(route).FieldByName(in.Name()).Field(f.index)
		}
		if in == reflect.TypeFor[Limits]() {
			value = reflect.ValueOf(Default().Limits).Field(f.index)
		}
		low, high := number(f.min, f.typ), number(f.max, f.typ)
		if n := value.Int(); low > high || high == 0 || n < low || n > high {
			t.Errorf("%s: default %v is not between %s (%d) and %s (%d)", name, printed(value), f.min, low, f.max, high)
		}
	})
}

func TestExampleHasEveryKey(t *testing.T) {
	_, tr, text := example(t)
	there := map[reflect.Type]map[string]bool{}
	for path := range tr.at {
		if strings.HasSuffix(path, "]") {
			continue
		}
		in, f := keyAt(path)
		if there[in] == nil {
			there[in] = map[string]bool{}
		}
		there[in][f.key] = true
	}
	eachKey(reflect.TypeFor[Config](), func(in reflect.Type, f field) {
		if !there[in][f.key] && !(alternative(in, f.key) && strings.Contains(text, f.key+": ")) {
			t.Errorf("bridge.yaml.example lacks the key %s of %s", f.key, in.Name())
		}
	})
}

// alternative tells that a key excludes one that the example has, and so can only stand in a comment there.
func alternative(in reflect.Type, key string) bool {
	return in == reflect.TypeFor[Store]() && key == "dynamodb" || in == reflect.TypeFor[DynamoDBStore]()
}

// shown are keys whose value in the example is something to replace rather than their default, which is nothing.
var shown = []string{
	"brokers", "brokers[0].username", "brokers[0].password", "routes[0].from.jms.queue", "routes[0].from.jms",
}

func TestExampleShowsTheDefaults(t *testing.T) {
	c, tr, _ := example(t)
	compared := 0
	var compare func(block, base reflect.Value, path string)
	compare = func(block, base reflect.Value, path string) {
		for _, f := range fields(block.Type()) {
			here := join(path, f.key)
			value, want := block.Field(f.index), base.Field(f.index)
			_, written := tr.at[here]
			switch {
			case f.typ.Kind() == reflect.Pointer:
				if !value.IsNil() && written {
					compare(value.Elem(), defaults(f.typ.Elem()), here)
				}
			case isBlock(f.typ):
				compare(value, want, here)
			case f.typ.Kind() == reflect.Slice && isBlock(f.typ.Elem()):
				compare(value.Index(0), defaults(f.typ.Elem()), here+"[0]")
			case f.required || slices.Contains(shown, here) || !written:
			case f.typ.Kind() == reflect.Slice && value.Len() == 0 && want.Len() == 0:
			default:
				compared++
				if !reflect.DeepEqual(value.Interface(), want.Interface()) {
					t.Errorf("%s is %v in the example, and %v by default", here, printed(value), printed(want))
				}
			}
		}
	}
	compare(reflect.ValueOf(*c), reflect.ValueOf(*Default()), "")
	if compared < 40 {
		t.Errorf("compared only %d keys", compared)
	}
}

func TestExampleExplainsEveryKey(t *testing.T) {
	_, tr, text := example(t)
	want := explained(tr, text)
	if *update {
		if err := os.WriteFile(exampleFile, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if diff := cmp.Diff(want, text); diff != "" {
		t.Errorf("the explanations are not those of the tree; run with -update (-want +got):\n%s", diff)
	}
}

// explained returns the example with each key's description behind its first appearance.
func explained(tr *tree, text string) string {
	lines := strings.SplitAfter(text, "\n")
	docs := map[int]string{}
	type key struct {
		in  reflect.Type
		key string
	}
	first := map[key]int{}
	for path, at := range tr.at {
		if strings.HasSuffix(path, "]") {
			continue
		}
		in, f := keyAt(path)
		k := key{in, f.key}
		if n, ok := first[k]; !ok || at.line < n {
			first[k] = at.line
		}
	}
	for path, at := range tr.at {
		if strings.HasSuffix(path, "]") {
			continue
		}
		in, f := keyAt(path)
		if first[key{in, f.key}] == at.line {
			docs[at.line-1] = f.doc
		}
	}
	for i, doc := range docs {
		code, _, _ := strings.Cut(strings.TrimRight(lines[i], "\n"), " # ")
		lines[i] = pad(strings.TrimRight(code, " "), 34) + "# " + doc + "\n"
	}
	return strings.Join(lines, "")
}

func pad(s string, width int) string {
	return s + strings.Repeat(" ", max(1, width-len(s)))
}

func TestSchemaInTheRepositoryIsUpToDate(t *testing.T) {
	want, err := Schema()
	if err != nil {
		t.Fatal(err)
	}
	if *update {
		if err := os.WriteFile(schemaFile, want, 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if diff := cmp.Diff(string(want), string(readFile(t, schemaFile))); diff != "" {
		t.Errorf("bridge.schema.json is not made from the tree as it is now; run with -update (-want +got):\n%s", diff)
	}
}

// compiled returns the schema of the repository, read by a library that did not make it.
func compiled(t *testing.T) *jsonschema.Schema {
	t.Helper()
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(readFile(t, schemaFile)))
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	if err := c.AddResource("bridge.schema.json", doc); err != nil {
		t.Fatal(err)
	}
	s, err := c.Compile("bridge.schema.json")
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// asJSON returns YAML as the schema library reads it.
func asJSON(t *testing.T, text string) any {
	t.Helper()
	raw, err := yaml.YAMLToJSON([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(raw))
	if err != nil {
		t.Fatal(err)
	}
	return doc
}

func TestSchemaAcceptsTheExampleAndRefusesMistakes(t *testing.T) {
	schema := compiled(t)
	text := string(readFile(t, exampleFile))
	if err := schema.Validate(asJSON(t, text)); err != nil {
		t.Fatalf("the example: %v", err)
	}
	for _, tc := range []struct{ what, from, to string }{
		{"an unknown key", "    enabled: true", "    enable: true"},
		{"a missing key", "  - name: mq\n", "  - "},
		{"a number for a duration", "drain: 25s", "drain: 25"},
		{"a duration without a unit", "drain: 25s", `drain: "25"`},
		{"a size without a unit", "memory: 256MiB", `memory: "256"`},
		{"a wrong word", "order: none", "order: nine"},
		{"a number out of bounds", "consumers: 1", "consumers: 0"},
		{"a wrong dead letter", "dead_letter: drop", "dead_letter: keep"},
		{"a target without a kind", "      - file:\n          path: audit.jsonl", "      - {}"},
	} {
		t.Run(tc.what, func(t *testing.T) {
			lines := strings.Split(text, "\n")
			for i, line := range lines {
				lines[i], _, _ = strings.Cut(line, " # ")
				lines[i] = strings.TrimRight(lines[i], " ")
			}
			plain := strings.Join(lines, "\n")
			changed := strings.Replace(plain, tc.from, tc.to, 1)
			if tc.what == "a target without a kind" {
				changed = strings.Replace(changed, "\n          no_sync: false", "", 1)
			}
			if tc.what == "a missing key" {
				changed = strings.Replace(changed, "  -     url", "  - url", 1)
			}
			if changed == plain {
				t.Fatalf("the example does not hold %q", tc.from)
			}
			if err := schema.Validate(asJSON(t, changed)); err == nil {
				t.Errorf("the schema accepts it")
			}
		})
	}
	if err := schema.Validate(asJSON(t, strings.Replace(text, "level: info", "level: ${env:LEVEL}", 1))); err != nil {
		t.Errorf("a reference: %v", err)
	}
}

// A schema that lacks a key would mark a right file as wrong.
func TestSchemaHasEveryKey(t *testing.T) {
	var doc struct {
		Defs map[string]struct {
			Properties map[string]struct{ Description string }
		} `json:"$defs"`
		Properties map[string]struct{ Description string }
	}
	if err := json.Unmarshal(readFile(t, schemaFile), &doc); err != nil {
		t.Fatal(err)
	}
	eachKey(reflect.TypeFor[Config](), func(in reflect.Type, f field) {
		properties := doc.Properties
		if in != reflect.TypeFor[Config]() {
			properties = doc.Defs[in.Name()].Properties
		}
		if p, ok := properties[f.key]; !ok || !strings.HasPrefix(p.Description, f.doc) {
			t.Errorf("the schema lacks %s.%s, or its description: %s", in.Name(), f.key, strconv.Quote(p.Description))
		}
	})
}
