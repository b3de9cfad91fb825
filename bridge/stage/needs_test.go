package stage

import (
	"errors"
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/itchyny/gojq"

	"github.com/jmsbridge/jmsbridge/bridge"
)

// expressions look at the envelope in all the ways that jq has.
var expressions = []string{
	`.type`, `.`, `..`, `.["type"]`, `."type"`, `.type?`, `.properties`, `.properties.a`, `.properties["a"]`, `.properties.a.b[0]`, `.[.type]`, `.[]`, `.properties[]`,
	`.properties[.type]`, `keys`, `tojson`, `@json`, `@base64 "\(.type)"`, `"\(.type) \(.)"`, `{type}`, `{"type"}`, `{"\(.type)": 1}`, `{"ty\("pe")"}`, `{(.type): .body}`,
	`{$__none: 1}`, `. as $x | $x.type`, `. as {type: $t} | $t`, `.type as $t | .user_id // $t`, `[.type, .body]`, `-.priority`, `.priority + .group_seq`,
	`if .type == "order" then .body else . end`, `if .type then .type elif .body then 1 else 2 end`, `if .type == "x" then .body end`, `try .type catch .`, `try error catch .`, `error`, `error(.type)`,
	`reduce .properties[] as $x (0; . + 1)`, `reduce (1, 2) as $x (.; .)`, `foreach .properties[] as $x (.; .; [$x, .])`, `label $f | .type, break $f`,
	`first(.type)`, `first`, `last`, `nth(0)`, `nth(0; .type)`, `limit(1; .body)`, `select(.type == "order")`, `select(.type == "order") | .body`, `del(.body)`,
	`del(.body) | keys`, `.type = "x"`, `.type |= "x" | keys`, `.priority += 1 | length`, `def f: .type; f`, `def f(g): g; f(.body)`, `map_values(1)`, `to_entries | length`,
	`has("body")`, `path(..)`, `paths`, `getpath(["type"])`, `getpath(["properties", "a"])`, `length`, `isempty(.type)`, `isempty(.)`, `env`, `now | . > 0`, `empty`, `1`,
	`.body_type`, `.body_types`, `.property_types`, `.property_types.n`, `.property_types | keys`, `.body_type_inferred`, `(.type)`, `(.) | .type`, `(. | .properties).a`,
	`.type | length`, `.type | tojson`, `[.[] | tojson]`, `.properties | to_entries`, `with_entries(.)`, `range(.priority)`, `[limit(3; repeat(.type))]`, `.type // .`,
	`.type and .body`, `any(. == 1)`, `any(.type; . == "order")`, `splits(.)`, `.type | test(".")`, `input_line_number?`, `@text`, `not`, `.type ?// 1`, `[..] | length`,
	`.properties | has("a")`, `.timestamp[:10]`, `.timestamp[.priority:]`, `ascii`, `walk(.)`, `env.PATH`, `$ENV`, `-1`, `"a"`, `null`, `[.properties | .[]]`, `.properties.a as [$x] | $x`,
}

func whole(t testing.TB) *bridge.Message {
	return &bridge.Message{
		ID: "ID:1", Type: "order", UserID: "app", Priority: 4, GroupSeq: 3, Timestamp: time.UnixMilli(1795341276729),
		Properties: bridge.NewProperties([]bridge.Entry{
			{Name: "a", Value: bridge.MapValue([]bridge.Entry{{Name: "b", Value: bridge.ListValue([]bridge.Value{bridge.Long(1)})}})},
			{Name: "n", Value: bridge.Long(5)},
			{Name: "order", Value: bridge.String("x")},
			{Name: "nan", Value: bridge.Double(math.NaN())},
		}),
		Body: bridge.NewMap([]bridge.Entry{{Name: "l", Value: bridge.Long(1)}}).Inferred(),
	}
}

// sameOnWhatItNeeds compares an expression's results on the whole envelope with those on what it is thought to need.
func sameOnWhatItNeeds(t testing.TB, source string) {
	p, err := compileProgram(source)
	if err != nil {
		return
	}
	results := func(need *needs) string {
		in, _, err := viewOf(whole(t), need)
		if err != nil {
			t.Fatal(err)
		}
		v, ok, err := p.run(in, Budget{Time: 20 * time.Millisecond}.orDefault())
		if err != nil && bridge.AsError(err).Code == CodeBudget {
			return "too slow"
		}
		w := writer{weight: 1 << 20, float: jqText}
		if ok && w.value(v, nil, false, 1) != nil {
			return "too large"
		}
		return fmt.Sprint(string(w.buf), ok, err)
	}
	if diff := cmp.Diff(results(&needs{whole: true}), results(&p.needs)); diff != "" {
		t.Errorf("%s: %s", source, diff)
	}
}

func TestExpressionsGetWhatTheyNeed(t *testing.T) {
	compiled := 0
	for _, source := range expressions {
		sameOnWhatItNeeds(t, source)
		for _, then := range []string{" | .", " | tojson", ", .type"} {
			sameOnWhatItNeeds(t, "first("+source+")"+then)
		}
		for _, around := range []string{"[%s]", "{x: (%s)}", "(%s) as $v | .user_id", "try (%s) catch 0", "select(%s) | .type", "if (%s) then .type else . end", "def g: %s; g", "[%s][0]"} {
			sameOnWhatItNeeds(t, fmt.Sprintf(around, source))
		}
		if _, err := compileProgram(source); err == nil {
			compiled++
		}
	}
	if compiled < 90 {
		t.Errorf("only %d of %d compile", compiled, len(expressions))
	}
	if p, err := compileProgram(`.type | ascii_upcase`); err != nil || p.needs.whole || len(p.needs.fields) != 1 {
		t.Errorf("got %+v, %v", p.needs, err)
	}
}

// FuzzNeeds looks for expressions that see more of the envelope than they are thought to.
func FuzzNeeds(f *testing.F) {
	for _, source := range expressions {
		f.Add(source)
	}
	f.Fuzz(func(t *testing.T, source string) {
		if len(source) < 500 && !strings.Contains(source, "now") { // which is never the same twice
			sameOnWhatItNeeds(t, source)
		}
	})
}

// TestBracesAreFoundWhereJQEnds compares with jq's own parser: what is cut off is a whole expression, whatever follows.
func TestBracesAreFoundWhereJQEnds(t *testing.T) {
	for _, source := range append(expressions, `"}"`, `"\("}")"`, `{a: {b: "{"}} | .a`, "# }\n.type", "1 # \\\n }\n", `"\"}"`, `"\\"`, `"\("\("}")")"`) {
		for _, behind := range []string{"", "}", " } \"", "{", `"`} {
			if got := endOfExpression(source + "\n}" + behind); got != len(source)+1 {
				t.Errorf("%s: got %d, want %d", source, got, len(source)+1)
			}
		}
	}
}

// FuzzBraces compares the end of an expression with the place where jq's own parser finds one brace too many.
func FuzzBraces(f *testing.F) {
	for _, source := range append(expressions, `"}"`, `"\("}")"`, "# }\n.type", "1 # \\\n }\n", `"\"}"`, `{"a": "\(1)}"}`, "[1 # ]\r]") {
		f.Add(source, "}")
	}
	f.Fuzz(func(t *testing.T, source, behind string) {
		if len(source) > 1000 || len(behind) > 100 {
			return
		}
		if _, err := gojq.Parse(source); err != nil {
			return
		}
		var mistake *gojq.ParseError
		if _, err := gojq.Parse(source + "\n}"); !errors.As(err, &mistake) || mistake.Token != "}" || mistake.Offset != len(source)+2 {
			return // a comment goes on over the line break
		}
		if got := endOfExpression(source + "\n}" + behind); got != len(source)+1 {
			t.Errorf("%q: got %d, want %d", source, got, len(source)+1)
		}
	})
}
