package stage_test

import (
	"context"
	"encoding/json"
	"math/big"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/jmsbridge/jmsbridge/bridge"
	"github.com/jmsbridge/jmsbridge/bridge/envelope"
	"github.com/jmsbridge/jmsbridge/bridge/stage"
)

func mustTransform(t testing.TB, source string) *stage.Transform {
	t.Helper()
	tr, err := stage.ParseTransform(source)
	if err != nil {
		t.Fatalf("%s: %v", source, err)
	}
	return tr
}

// text is the envelope of m.
func text(t testing.TB, m *bridge.Message) string {
	t.Helper()
	if m == nil {
		return "dropped"
	}
	data, err := envelope.Append(nil, m)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

func parse(t testing.TB, data string) *bridge.Message {
	t.Helper()
	m, err := envelope.Parse([]byte(data))
	if err != nil {
		t.Fatalf("%s: %v", data, err)
	}
	return m
}

func TestTransform(t *testing.T) {
	const rest = `"priority":4,"persistent":true,"redelivered":false,`
	for _, tc := range []struct{ name, program, in, want string }{
		{"nothing changes", `.`, `{"type": "a", "body": "x"}`, `{"type":"a",` + rest + `"body_type":"text","body":"x"}`},
		{"a header is set", `.type = "b" | .priority = 9 | .persistent = false`, `{"type": "a"}`, `{"type":"b","priority":9,"persistent":false,"redelivered":false,"body_type":"none"}`},
		{"a header is removed", `del(.type, .user_id)`, `{"type": "a", "user_id": "u"}`, `{` + rest + `"body_type":"none"}`},
		{"null is not set", `.type = null | .body = null`, `{"type": "a", "body": "x"}`, `{` + rest + `"body_type":"none"}`},
		{"a computed whole number is a header's", `.priority = (4.5 | floor)`, `{}`, `{` + rest + `"body_type":"none"}`},
		{"what is left out has its default", `{body}`, `{"priority": 9, "persistent": false, "body": "x"}`, `{` + rest + `"body_type":"text","body":"x"}`},
		{"a property is added", `.properties.region = "EU"`, `{}`, `{` + rest + `"properties":{"region":"EU"},"body_type":"none"}`},
		{"a property is removed with its type", `del(.properties.amount)`, `{"properties": {"amount": 5, "x": 1}, "property_types": {"amount": "long"}}`, `{` + rest + `"properties":{"x":1},"body_type":"none"}`},
		{"all properties are removed", `del(.properties)`, `{"properties": {"amount": 5}, "property_types": {"amount": "long"}}`, `{` + rest + `"body_type":"none"}`},
		{"a long stays one", `.properties.amount += 1`, `{"properties": {"amount": 5}, "property_types": {"amount": "long"}}`, `{` + rest + `"properties":{"amount":6},"property_types":{"amount":"long"},"body_type":"none"}`},
		{"a long beyond 2^53 is exact", `.properties.amount += 1`, `{"properties": {"amount": "9007199254740993"}, "property_types": {"amount": "long"}}`, `{` + rest + `"properties":{"amount":"9007199254740994"},"property_types":{"amount":"long"},"body_type":"none"}`},
		{"a long of computed form", `.properties.amount |= (. / 2 | floor)`, `{"properties": {"amount": 5}, "property_types": {"amount": "long"}}`, `{` + rest + `"properties":{"amount":2},"property_types":{"amount":"long"},"body_type":"none"}`},
		{"a long that became a fraction", `.properties.amount /= 2`, `{"properties": {"amount": 5}, "property_types": {"amount": "long"}}`, `{` + rest + `"properties":{"amount":2.5},"body_type":"none"}`},
		{"a long that became a string", `.properties.amount |= tostring`, `{"properties": {"amount": 5}, "property_types": {"amount": "long"}}`, `{` + rest + `"properties":{"amount":"5"},"body_type":"none"}`},
		{"a long becomes a string's long by name", `.properties.s |= "7" | .property_types.s = "long"`, `{"properties": {"s": "5"}}`, `{` + rest + `"properties":{"s":7},"property_types":{"s":"long"},"body_type":"none"}`},
		{"a short that grew is an int", `.properties.n *= 2`, `{"properties": {"n": 32000}, "property_types": {"n": "short"}}`, `{` + rest + `"properties":{"n":64000},"body_type":"none"}`},
		{"an int that grew is a long", `.properties.n *= 1000000`, `{"properties": {"n": 320000}}`, `{` + rest + `"properties":{"n":320000000000},"property_types":{"n":"long"},"body_type":"none"}`},
		{"a double stays one", `.properties.w *= 2`, `{"properties": {"w": 1.0}}`, `{` + rest + `"properties":{"w":2.0},"body_type":"none"}`},
		{"a float stays one", `.properties.w += 1`, `{"properties": {"w": 1.1}, "property_types": {"w": "float"}}`, `{` + rest + `"properties":{"w":2.1},"property_types":{"w":"float"},"body_type":"none"}`},
		{"NaN stays NaN", `.type = "x"`, `{"properties": {"w": "NaN"}, "property_types": {"w": "double"}}`, `{"type":"x",` + rest + `"properties":{"w":"NaN"},"property_types":{"w":"double"},"body_type":"none"}`},
		{"NaN of jq", `.properties.w = nan`, `{}`, `{` + rest + `"properties":{"w":"NaN"},"property_types":{"w":"double"},"body_type":"none"}`},
		{"infinity of jq", `.properties.w = -infinite`, `{}`, `{` + rest + `"properties":{"w":"-Infinity"},"property_types":{"w":"double"},"body_type":"none"}`},
		{"floor gives a double", `.properties.n = (1.5 | floor)`, `{}`, `{` + rest + `"properties":{"n":1.0},"body_type":"none"}`},
		{"unless its type is named", `.properties.n = (1.5 | floor) | .property_types.n = "int"`, `{}`, `{` + rest + `"properties":{"n":1},"body_type":"none"}`},
		{"a type is named", `.properties.n = 5 | .property_types.n = "byte"`, `{}`, `{` + rest + `"properties":{"n":5},"property_types":{"n":"byte"},"body_type":"none"}`},
		{"a property is null", `.properties.n = null`, `{}`, `{` + rest + `"properties":{"n":null},"property_types":{"n":"null"},"body_type":"none"}`},
		{"a property is renamed", `.properties.total = .properties.amount | del(.properties.amount)`, `{"properties": {"amount": 5}, "property_types": {"amount": "long"}}`, `{` + rest + `"properties":{"total":5},"body_type":"none"}`},
		{"names are escaped in types", `.properties["a/b~c"] = 5000000000`, `{}`, `{` + rest + `"properties":{"a/b~c":5000000000},"property_types":{"a~1b~0c":"long"},"body_type":"none"}`},
		{"bytes stay", `.type = "x"`, `{"properties": {"raw": "/w=="}, "property_types": {"raw": "bytes"}, "body_type": "bytes", "body": "AAE="}`, `{"type":"x",` + rest + `"properties":{"raw":"/w=="},"property_types":{"raw":"bytes"},"body_type":"bytes","body":"AAE="}`},
		{"maps inside keep their types", `.properties.o.a += 1`, `{"properties": {"o": {"a": 1, "b": 2}}, "property_types": {"o": "map", "o/a": "long", "o/b": "short"}}`, `{` + rest + `"properties":{"o":{"a":2,"b":2}},"property_types":{"o":"map","o/a":"long","o/b":"short"},"body_type":"none"}`},
		{"a list of the same length keeps its types", `.properties.l |= map(. + 1)`, `{"properties": {"l": [1, 2]}, "property_types": {"l": "list", "l/0": "long"}}`, `{` + rest + `"properties":{"l":[2,3]},"property_types":{"l":"list","l/0":"long"},"body_type":"none"}`},
		{"a list of another length does not", `.properties.l |= .[1:]`, `{"properties": {"l": [1, 2]}, "property_types": {"l": "list", "l/0": "long"}}`, `{` + rest + `"properties":{"l":[2]},"property_types":{"l":"list"},"body_type":"none"}`},
		{"a text body is changed", `.body |= (fromjson | .b = 1 | tojson)`, `{"body": "{\"a\":1}"}`, `{` + rest + `"body_type":"text","body":"{\"a\":1,\"b\":1}"}`},
		{"a text becomes a map", `.body |= fromjson`, `{"body": "{\"a\":1,\"b\":2.0,\"c\":5000000000}"}`, `{` + rest + `"body_type":"map","body":{"a":1,"b":2.0,"c":5000000000},"body_types":{"c":"long"}}`},
		{"a map becomes a text", `.body |= tojson`, `{"body_type": "map", "body": {"a": 1}, "body_types": {"a": "long"}}`, `{` + rest + `"body_type":"text","body":"{\"a\":1}"}`},
		{"a text becomes a stream", `.body |= [., 1]`, `{"body": "x"}`, `{` + rest + `"body_type":"stream","body":["x",1]}`},
		{"a body is removed", `del(.body)`, `{"body": "x"}`, `{` + rest + `"body_type":"none"}`},
		{"bytes become text by name", `.body = "hi" | .body_type = "text"`, `{"body_type": "bytes", "body": "AAE="}`, `{` + rest + `"body_type":"text","body":"hi"}`},
		{"bytes are decoded", `.body |= @base64d | .body_type = "text"`, `{"body_type": "bytes", "body": "aGk="}`, `{` + rest + `"body_type":"text","body":"hi"}`},
		{"a map's types are kept", `.body.a += 1`, `{"body_type": "map", "body": {"a": 1}, "body_types": {"a": "long"}}`, `{` + rest + `"body_type":"map","body":{"a":2},"body_types":{"a":"long"}}`},
		{"an inferred body is no longer when it changes its type", `.body |= [.]`, `{"body": "x", "body_type_inferred": true}`, `{` + rest + `"body_type":"stream","body":["x"]}`},
		{"an inferred body stays inferred", `.type = "t"`, `{"body": "x", "body_type_inferred": true}`, `{"type":"t",` + rest + `"body_type":"text","body_type_inferred":true,"body":"x"}`},
		{"instants and destinations", `.reply_to = "queue:a" | .timestamp = "2026-01-01T00:00:00Z" | del(.destination)`, `{"destination": "queue:b"}`, `{"reply_to":"queue:a","timestamp":"2026-01-01T00:00:00.000Z",` + rest + `"body_type":"none"}`},
		{"it is dropped", `empty`, `{"body": "x"}`, "dropped"},
		{"it is selected", `select(.type == "a")`, `{"type": "b"}`, "dropped"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			in := parse(t, tc.in)
			in.Key = "key"
			out, err := mustTransform(t, tc.program).Process(t.Context(), in)
			if err != nil {
				t.Fatalf("%s: %v", tc.program, err)
			}
			if diff := cmp.Diff(tc.want, text(t, out)); diff != "" {
				t.Errorf("%s: %s", tc.program, diff)
			}
			if out != nil && out.Key != "key" {
				t.Errorf("the key is %q", out.Key)
			}
		})
	}
}

func TestTransformLeavesItsInputAlone(t *testing.T) {
	m := order()
	before := text(t, m)
	for _, program := range []string{`.properties.region = "US"`, `.body |= [.]`, `del(.properties)`, `.properties.order.id += 1`, `.properties.tags[0] = 1`} {
		if _, err := mustTransform(t, program).Process(t.Context(), m); err != nil {
			t.Errorf("%s: %v", program, err)
		}
	}
	if diff := cmp.Diff(before, text(t, m)); diff != "" {
		t.Error(diff)
	}
}

// TestResultsThatAreNoEnvelope: the message goes to the dead letter, with what is wrong.
func TestResultsThatAreNoEnvelope(t *testing.T) {
	for program, want := range map[string]string{
		`1`:                             "it gives a number and no envelope; select(…) keeps or drops messages",
		`.type == "a"`:                  "it gives true or false and no envelope",
		`null`:                          "it gives null and no envelope",
		`[.]`:                           "it gives a list and no envelope",
		`., .`:                          "it gives more than one result",
		`. + {x: 1}`:                    "its result is no envelope: there is no such field in an envelope",
		`.priority = "high"`:            "its result is no envelope: priority: ",
		`.priority = 4.5`:               "priority: not a whole number in range",
		`.priority = 300`:               "priority: not a whole number in range",
		`.destination = "orders"`:       "destination: not a destination (queue:NAME",
		`.timestamp = "yesterday"`:      "timestamp: not an RFC 3339 instant",
		`.property_types.nope = "long"`: "it names the type of a value that is not there",
		`.properties.region = 1 | .property_types.region = "lng"`:    "property_types: region: there is no type of that name",
		`.properties.region = "x" | .property_types.region = "long"`: "properties: region: the value does not fit its type",
		`.property_types = "x"`:                "property_types: ",
		`.body_type = "map"`:                   "body: ",
		`.body_type = "txt"`:                   "body_type: not one of text",
		`.body = 5`:                            "body: ",
		`.properties = 5`:                      "properties: ",
		`.properties.n = 99999999999999999999`: "properties: n: too large for a long",
		`.properties.n = ("1e999" | fromjson)`: "properties: n: too large for a double",
		`.body = "hi" | .body_type = "bytes"`:  "body: not base64",
	} {
		in := parse(t, `{"type": "a", "properties": {"region": "EU"}, "body": "x"}`)
		_, err := mustTransform(t, program).Process(t.Context(), in)
		e := bridge.AsError(err)
		if err == nil || e.Class != bridge.Permanent || e.Code != stage.CodeExpression || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), "evaluating jq "+program) {
			t.Errorf("%s: got %v", program, err)
		}
	}
}

func TestBrokenTransformsAreRefusedWithTheirPosition(t *testing.T) {
	for program, want := range map[string]string{
		``:                         "character 1: an expression should be here",
		"# nothing":                "an expression should be here",
		`.type =`:                  `character 8: unexpected end`,
		`.type = "a`:               `character 11: unterminated string literal`,
		".type = \"a\"\n  | fo(1)": "line 2, character 5: function not defined: fo/1",
		`.typ = "a"`:               `character 1: the envelope has no field "typ"; did you mean "type"?`,
		`select(.type == "a") | .propertys.x = 1`:          `character 24: the envelope has no field "propertys"; did you mean "properties"?`,
		`.type = "a" | del(.bdy)`:                          `the envelope has no field "bdy"`,
		`. as {tipe: $t} | .type = $t | .tipe = 1`:         `the envelope has no field "tipe"`,
		`include "a"; .`:                                   "there are no modules",
		`.body | @nope`:                                    "",
		`break $out`:                                       "label not defined: $out",
		`def input: 1; .priority = input`:                  "",
		`.properties | .anything`:                          "",
		`.properties.x.y.z = 1`:                            "",
		`.body |= .anything`:                               "",
		`map(.anything)`:                                   "",
		`reduce .properties.l[] as $x (.; .whatever = $x)`: "",
		"\xff": "not valid UTF-8",
	} {
		_, err := stage.ParseTransform(program)
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want) || !strings.HasPrefix(err.Error(), "transform ")) {
			t.Errorf("%s: got %v, want %s", program, err, want)
		}
	}
}

// TestBudgets: what takes too long or makes too much ends soon, without much memory.
func TestBudgets(t *testing.T) {
	m := parse(t, `{"properties": {"n": 2000000000, "m": 2000000, "path": [2000000000]}, "property_types": {"path": "list"}, "body": "`+strings.Repeat("x", 1000)+`"}`)
	for program, code := range map[string]string{
		`[range(1e9)] | .[0]`: stage.CodeBudget,
		`def f: f; f`:         stage.CodeBudget,
		`def f: 1 + f; f`:     stage.CodeBudget,
		`repeat(.)`:           stage.CodeExpression, // a second result is one too many
		`., (def f: f; f)`:    stage.CodeBudget,
		`last(range(1e12))`:   stage.CodeBudget,
		`reduce range(1e9) as $i ("x"; "\(.)\(.)")`:                  stage.CodeBudget,
		`.body = "x" * 1e9`:                                          stage.CodeBudget,
		`.body = 1e9 * "x"`:                                          stage.CodeBudget,
		`.body *= 1e9`:                                               stage.CodeBudget,
		`.body *= .properties.n`:                                     stage.CodeBudget,
		`.body = "x" * .properties.n`:                                stage.CodeBudget,
		`.body = ([] | .[$__n] = 1)`:                                 "",
		`.properties.n as $n | .body = ([] | .[$n] = 1)`:             stage.CodeBudget,
		`.properties.n as $n | .body = ([] | nth($n) = 1)`:           stage.CodeBudget,
		`.properties.path as $p | .body = ([] | setpath($p; 1))`:     stage.CodeBudget,
		`.properties.path as $p | .body = ([] | getpath($p) = 1)`:    stage.CodeBudget,
		`.properties.path as $p | .body = fromstream([$p, 1], [$p])`: stage.CodeBudget,
		`.body = ([[range(2000)]] + [range(2000) | []] | transpose)`: stage.CodeBudget,
		`.body = ([range(2e6)] | tojson)`:                            stage.CodeBudget,
		// What is made on the way is bounded too, however small the result is.
		`.properties.m as $n | .body = ([] | .[$n] = 1 | length | tostring)`:             stage.CodeBudget,
		`.properties.m as $n | .body = ([] | setpath([$n]; 1) | length | tostring)`:      stage.CodeBudget,
		`.body = ([[range(2000)]] + [range(2000) | []] | transpose | length | tostring)`: stage.CodeBudget,
		`.body = ([[range(200)]] + [range(200) | []] | transpose | length | tostring)`:   "",
		`.body = reduce range(30) as $i (1; [., .])`:                                     stage.CodeBudget,
		`.body = reduce range(100) as $i (1; [.])`:                                       stage.CodeExpression, // too deep for an envelope
		`.body += "x" * 1100000`: stage.CodeBudget,
		`.body += "x" * 1000000`: "",
	} {
		tr, err := stage.ParseTransform(program)
		if strings.Contains(program, "$__n") {
			if err == nil {
				t.Errorf("%s: no error", program)
			}
			continue
		}
		if err != nil {
			t.Errorf("%s: %v", program, err)
			continue
		}
		start := time.Now()
		_, err = tr.Process(t.Context(), m)
		if took := time.Since(start); took > 3*time.Second {
			t.Errorf("%s: took %v", program, took)
		}
		if code == "" && err != nil || code != "" && bridge.AsError(err).Code != code {
			t.Errorf("%s: got %v", program, err)
		}
	}
}

func TestBudgetsCanBeSet(t *testing.T) {
	m := parse(t, `{"body": "x"}`)
	tr := mustTransform(t, `.body = "x" * 100`)
	if _, err := tr.Within(stage.Budget{Bytes: 50}).Process(t.Context(), m); bridge.AsError(err).Code != stage.CodeBudget {
		t.Errorf("got %v", err)
	}
	if _, err := tr.Within(stage.Budget{Bytes: 150}).Process(t.Context(), m); err != nil {
		t.Error(err)
	}
	start := time.Now()
	_, err := mustTransform(t, `def f: f; f`).Within(stage.Budget{Time: 5 * time.Millisecond}).Process(t.Context(), m)
	if bridge.AsError(err).Code != stage.CodeBudget || !strings.Contains(err.Error(), "ran longer than 5ms") || time.Since(start) > 2*time.Second {
		t.Errorf("got %v after %v", err, time.Since(start))
	}
}

// TestErrorsHoldNothingOfTheMessage: they go into logs, metrics' labels and dead letters' properties.
func TestErrorsHoldNothingOfTheMessage(t *testing.T) {
	const secret = "s3cr3t"
	for program, want := range map[string]string{
		`.body + 1`:              "cannot add: string and number",
		`.body - "x"`:            "cannot subtract: string and string",
		`1 / (.properties.zero)`: "cannot divide: number by number",
		`.body | tonumber`:       "tonumber cannot be applied",
		`.body | fromjson`:       "fromjson cannot be applied",
		`.body.x`:                "expected an object but got: string",
		`.body | keys`:           "keys cannot be applied to: string",
		`.body[]`:                "cannot iterate over: string",
		`error(.body)`:           "it called error, with a text that does not stand in the expression",
		`error({a: .body})`:      "it called error, with a text that does not stand in the expression",
		`error("no region")`:     "error: no region",
		`error`:                  "it called error",
		`error(null)`:            "it called error",
		`.body | test("[")`:      "test",
		`.body | test(.)`:        "",
		`.body | strptime("%Y")`: "strptime cannot be applied",
		`.body | implode`:        "implode cannot be applied to: string",
		`{(.properties.zero | tostring): .body} | .priority`: "",
		`{(.properties.list): 1}`:                            "expected a string for object key but got: array",
		`[.body] | join(1)`:                                  "",
		`.body | @csv`:                                       "@csv cannot be applied to: string",
		`[[.body]] | @csv`:                                   "",
		`[{a: .body}] | @csv`:                                "@csv cannot format an array including: object",
		`.body | format(.)`:                                  "format not defined",
		`.body | limit(-1; .)`:                               "limit doesn't support negative count",
		`.properties.list | .[.[0]]`:                         "expected an object but got: array",
		`.properties.list | .[true]`:                         "expected a number for indexing an array but got: boolean",
		`.body as [$a] | $a`:                                 "expected an array but got: string",
		`path(.body | tostring)`:                             "",
		`.body |= (.x = 1)`:                                  "",
		`[.body] | .[0] |= . + 1`:                            "cannot add: string and number",
		`.destination = .body`:                               "its result is no envelope: destination: not a destination",
		`.timestamp = .body`:                                 "its result is no envelope: timestamp: not an RFC 3339 instant",
		`. + {(.body): 1}`:                                   "its result is no envelope: there is no such field in an envelope",
		`.body_type = .body`:                                 "its result is no envelope: body_type: not one of text",
		`.property_types = {(.body): "long"}`:                "its result is no envelope: it names the type of a value that is not there",
		`.property_types.list = .body`:                       "its result is no envelope: property_types: list: there is no type of that name",
		`.priority = .body`:                                  "its result is no envelope: priority: ",
		`.properties = {(.body): 99999999999999999999}`:      "its result is no envelope: properties: too large for a long",
		`try error(.body) catch error("x\(.)")`:              "it called error, with a text that does not stand in the expression",
		`.body | error("a \(.) b")`:                          "it called error, with a text that does not stand in the expression",
		`.body | splits(1)`:                                  "",
		`.body | ascii`:                                      "",
	} {
		for _, content := range []string{secret, secret + `") and string ("` + secret, `x: ` + secret, `"` + secret + `": is not a `, "queue:\n" + secret} {
			in := &bridge.Message{Body: bridge.NewText(content), Properties: bridge.NewProperties([]bridge.Entry{
				{Name: "zero", Value: bridge.Int(0)}, {Name: "list", Value: bridge.ListValue([]bridge.Value{bridge.String(content)})},
			})}
			tr, err := stage.ParseTransform(program)
			if err != nil {
				if content == secret && want != "" {
					t.Errorf("%s: %v", program, err)
				}
				continue
			}
			_, err = tr.Process(t.Context(), in)
			if err == nil {
				if want != "" && content == secret {
					t.Errorf("%s: no error", program)
				}
				continue
			}
			if e := bridge.AsError(err); strings.Contains(err.Error(), secret) || strings.HasSuffix(err.Error(), ": ") || e.Class != bridge.Permanent || len(err.Error()) > 1000 {
				t.Errorf("%s: got %v", program, err)
			}
			if content == secret && !strings.Contains(err.Error(), want) {
				t.Errorf("%s: got %v, want %s", program, err, want)
			}
		}
	}
	tmpl, err := stage.ParseTemplate(`${.body | tonumber}`)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := tmpl.Expand(&bridge.Message{Body: bridge.NewText(secret)}); err == nil || strings.Contains(err.Error(), secret) || !strings.Contains(err.Error(), "evaluating jq .body | tonumber: tonumber cannot be applied") {
		t.Errorf("got %v", err)
	}
}

func TestLongExpressionsAreShortenedInErrors(t *testing.T) {
	_, err := mustTransform(t, `error("a") | `+strings.Repeat(". | ", 1000)+".").Process(t.Context(), &bridge.Message{})
	if err == nil || len(err.Error()) > 300 || !strings.Contains(err.Error(), "…: error: a") {
		t.Errorf("got %v", err)
	}
	_, err = mustTransform(t, `error("`+strings.Repeat("a", 1000)+`")`).Process(t.Context(), &bridge.Message{})
	if err == nil || len(err.Error()) > 600 {
		t.Errorf("got %v", err)
	}
}

func TestMessagesThatNoEnvelopeHoldsAreRefused(t *testing.T) {
	for _, m := range []*bridge.Message{
		{ID: "\xff"},
		{Body: bridge.NewText("\xff")},
		{Properties: bridge.NewProperties([]bridge.Entry{{Name: "a", Value: bridge.String("\xff")}})},
		{Properties: bridge.NewProperties([]bridge.Entry{{Name: "a"}, {Name: "a"}})},
		{Properties: bridge.NewProperties([]bridge.Entry{{Name: "a", Value: nestedList(70)}})},
		{Body: bridge.NewMap([]bridge.Entry{{Name: "\xff"}})},
		{Body: bridge.NewMap([]bridge.Entry{{Name: "a", Value: bridge.MapValue([]bridge.Entry{{Name: "x"}, {Name: "x"}})}})},
	} {
		if _, err := mustTransform(t, `.`).Process(t.Context(), m); bridge.ClassOf(err) != bridge.Permanent {
			t.Errorf("%v: got %v", m, err)
		}
	}
}

func nestedList(n int) bridge.Value {
	v := bridge.ListValue(nil)
	for range n {
		v = bridge.ListValue([]bridge.Value{v})
	}
	return v
}

// TestIdentityLosesNothing: the view of jq and the way back keep every message as it is.
func TestIdentityLosesNothing(t *testing.T) {
	identity, again := mustTransform(t, `.`), mustTransform(t, `with_entries(.) | {type} + . | .properties |= . | .body |= .`)
	rapid.Check(t, func(t *rapid.T) {
		m := writable().Draw(t, "message")
		m.Key = "key"
		before, err := envelope.Append(nil, m)
		if err != nil {
			t.Fatal(err)
		}
		for _, tr := range []*stage.Transform{identity, again} {
			out, err := tr.Process(t.Context(), m)
			if err != nil {
				t.Fatalf("%s: %v", before, err)
			}
			after, err := envelope.Append(nil, out)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(string(before), string(after)); diff != "" || out.Key != "key" {
				t.Fatalf("%s: %s", tr, diff)
			}
		}
	})
}

// TestJQSeesTheEnvelope: what jq gets is what a decoder of the envelope's JSON would give it, but for large longs.
func TestJQSeesTheEnvelope(t *testing.T) {
	tmpl, err := stage.ParseTemplate(`${. | tojson}`)
	if err != nil {
		t.Fatal(err)
	}
	rapid.Check(t, func(t *rapid.T) {
		m := writable().Draw(t, "message")
		data, err := envelope.Append(nil, m)
		if err != nil {
			t.Fatal(err)
		}
		got, err := tmpl.Expand(m)
		if err != nil {
			t.Fatal(err)
		}
		var want, have any
		for text, v := range map[string]*any{string(data): &want, got: &have} {
			d := json.NewDecoder(strings.NewReader(text))
			d.UseNumber()
			if err := d.Decode(v); err != nil {
				t.Fatal(err)
			}
		}
		if !sameJSON(want, have) {
			t.Fatal(cmp.Diff(want, have))
		}
	})
}

// sameJSON compares numbers by their value, and a string with the number that it is of.
func sameJSON(want, have any) bool {
	switch want := want.(type) {
	case map[string]any:
		have, ok := have.(map[string]any)
		if !ok || len(want) != len(have) {
			return false
		}
		for name := range want {
			if other, there := have[name]; !there || !sameJSON(want[name], other) {
				return false
			}
		}
		return true
	case []any:
		have, ok := have.([]any)
		return ok && slices.EqualFunc(want, have, sameJSON)
	case json.Number:
		number, ok := have.(json.Number)
		a, _ := new(big.Rat).SetString(string(want))
		b, isNumber := new(big.Rat).SetString(string(number))
		return ok && isNumber && a.Cmp(b) == 0
	case string:
		if number, ok := have.(json.Number); ok {
			return string(number) == want && len(want) >= len("9007199254740993")
		}
	}
	return want == have
}

func TestTransformsRunAtTheSameTime(t *testing.T) {
	tr := mustTransform(t, `.properties.region as $r | select(.type | test($r + "|o")) | .properties.n = 1`)
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			for range 500 {
				if out, err := tr.Process(t.Context(), order()); err != nil || out == nil {
					t.Error(out, err)
					return
				}
			}
		})
	}
	all.Wait()
}

func TestCancellingDoesNotFailAMessage(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := mustTransform(t, `.`).Process(ctx, order()); err != nil {
		t.Error(err)
	}
}
