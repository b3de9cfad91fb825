package stage_test

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/jmsbridge/jmsbridge/bridge"
	"github.com/jmsbridge/jmsbridge/bridge/envelope"
	"github.com/jmsbridge/jmsbridge/bridge/stage"
)

// soon fails when something took longer than anything here may, on a busy machine too.
func soon(t *testing.T, start time.Time, what string) {
	t.Helper()
	if took := time.Since(start); took > 5*time.Second {
		t.Errorf("%.200s: took %v", what, took)
	}
}

// FuzzPattern: whatever JSON a pattern is, it is read or its mistakes are placed; what was read matches without a panic
// and always the same. The message is an envelope.
func FuzzPattern(f *testing.F) {
	const event = `{"type":"order","destination":"queue:orders","timestamp":"2026-11-22T09:54:36.729Z","properties":{"region":"EU","n":300,"w":2.0,"l":[1,{"a":[2]}]},"property_types":{"l":"list","l/1":"map","l/1/a":"list"},"body":"x"}`
	for _, tc := range awsExamples {
		f.Add(`{"body": `+tc.pattern+`}`, `{"body_type": "map", "body": `+tc.event+`}`)
	}
	for _, pattern := range fastPatterns {
		f.Add(pattern, event)
	}
	for _, pattern := range []string{
		`{"properties": {"region": [{"prefx": "E"}]}}`, `{"$or": [{"type": ["a"]}, {"type": [{"exists": false}]}]}`, `{"type": [1e-325, 0e99999999]}`,
		`{"body": {"$or": [{"a": {"b": [1]}}, {"a": {"c": [{"anything-but": {"wildcard": ["*a*", "b*"]}}]}}], "a": {"d": [null]}}}`,
		`{"properties": {"n": [{"numeric": [">", 1, "<=", 1e3]}]}, "property_types": {"l/1/a": ["list"]}}`,
	} {
		f.Add(pattern, event)
	}
	f.Fuzz(func(t *testing.T, pattern, event string) {
		if len(pattern) > 20000 || len(event) > 20000 || !json.Valid([]byte(pattern)) {
			return
		}
		start := time.Now()
		p, err := stage.ParsePattern(tree(t, pattern))
		soon(t, start, pattern)
		if err != nil {
			var all stage.PatternErrors
			if !errors.As(err, &all) || len(all) == 0 || err.Error() == "" {
				t.Fatalf("%s: %v", pattern, err)
			}
			return
		}
		m, err := envelope.Parse([]byte(event))
		if err != nil {
			m = order()
		}
		first, err := p.Matches(m)
		if err != nil && bridge.ClassOf(err) != bridge.Permanent {
			t.Fatal(err)
		}
		if again, _ := p.Matches(m); again != first {
			t.Fatalf("%s: %v, then %v", pattern, first, again)
		}
		soon(t, start, pattern)
	})
}

// budget keeps the fuzzing of endless loops short.
var budget = stage.Budget{Time: 20 * time.Millisecond, Bytes: 100000}

// FuzzTransform: no program panics or runs on, and what it makes is an envelope.
func FuzzTransform(f *testing.F) {
	for _, program := range []string{
		`.`, `.type = "b" | .priority = 9`, `del(.properties.region)`, `.body |= (fromjson | tojson)`, `empty`, `., .`, `.properties.n *= 2`,
		`.properties |= with_entries(.key |= ascii_downcase)`, `[range(1e9)]`, `def f: f; f`, `.body = "x" * 1e9`, `.body = {a: [1, 2.5, null]}`,
		`select(.properties.region | test("^E"))`, `.properties.x = (.properties | to_entries | map(.key) | join(","))`, `reduce range(40) as $i (.; .body += .body)`,
		`. as {type: $t, $body} | {type: $t, body: ($body // "x")}`, `.body |= @base64 | .body_type = "bytes"`, `try error("x") catch .`, `.properties.l[1].a[5] = 1`,
		`"\(.type) \("a" + "\(1)")"`, `.properties |= (. * {o: {p: 1}})`, `label $out | foreach .properties[] as $x (0; 1; break $out)`,
		`.properties.amount = 5000000000 | .property_types.region = "char"`, `input`, `env.PATH`, `$ENV`, `.["type"] ?// 1`, `limit(3; .properties | .. )`, `getpath(["a", 9999999])`,
	} {
		f.Add(program, "EU", int64(300))
	}
	f.Fuzz(func(t *testing.T, program, region string, n int64) {
		if len(program) > 2000 {
			return
		}
		start := time.Now()
		tr, err := stage.ParseTransform(program)
		soon(t, start, program)
		if err != nil {
			return
		}
		m := order()
		m.Properties = m.Properties.With("region", bridge.String(region)).With("n", bridge.Long(n)).With("o", bridge.MapValue(nil))
		m.Body = bridge.NewText(`{"a": 1}`)
		before := text(t, order())
		out, err := tr.Within(budget).Process(t.Context(), m)
		soon(t, start, program)
		if before != text(t, order()) {
			t.Fatalf("%s changed its input", program)
		}
		if err != nil {
			if bridge.ClassOf(err) != bridge.Permanent || len(err.Error()) > 2000 {
				t.Fatalf("%s: %v", program, err)
			}
			return
		}
		if out == nil {
			return
		}
		if _, err := envelope.Append(nil, out); err != nil {
			t.Fatalf("%s: %v", program, err)
		}
	})
}

// FuzzTemplate: text without ${ means itself, the closing brace is found where jq ends, and what parses expands without
// a panic.
func FuzzTemplate(f *testing.F) {
	for _, seed := range []string{
		"plain", "$${x}", `${.properties["a.b"] // "c"}`, "${.type}${.destination}", "${", `${.properties."\u0041"}`, `a${"}\("}")"}b${.type}`,
		"${.type # }\n}", `${{a: {b: "{"}}}`, `${"\("\(.type)}")"}`, `${.user_id // empty}`, "${# a \\\n } \n.type}", `${"\\"}}`, `${[.properties.tags[] | tojson] | join("}")}`,
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, source string) {
		if len(source) > 2000 {
			return
		}
		start := time.Now()
		tmpl, err := stage.ParseTemplate(source)
		if err != nil {
			if !strings.Contains(source, "${") {
				t.Fatalf("plain text is refused: %v", err)
			}
			return
		}
		got, err := tmpl.Expand(message())
		if !strings.Contains(source, "${") && (err != nil || got != source) {
			t.Fatalf("%q became %q, %v", source, got, err)
		}
		if tmpl.IsLiteral() && err != nil {
			t.Fatalf("literal %q fails: %v", source, err)
		}
		soon(t, start, source)
	})
}
