package stage_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jmsbridge/jmsbridge/bridge"
	"github.com/jmsbridge/jmsbridge/bridge/stage"
)

func message() *bridge.Message {
	return &bridge.Message{
		ID: "ID:1", CorrelationID: "c-1", Type: "order", GroupID: "g",
		Destination: bridge.Destination{Kind: bridge.Queue, Name: "orders"},
		Timestamp:   time.UnixMilli(1795341276729), Priority: 4, Persistent: true,
		Properties: bridge.NewProperties([]bridge.Entry{
			{Name: "region", Value: bridge.String("EU")},
			{Name: "a.b", Value: bridge.String("dotted")},
			{Name: "empty", Value: bridge.String("")},
			{Name: "amount", Value: bridge.Long(9007199254740993)},
			{Name: "weight", Value: bridge.Double(2)},
			{Name: "express", Value: bridge.Boolean(false)},
			{Name: "raw", Value: bridge.Bytes("\xff")},
			{Name: "gone", Value: bridge.Null()},
			{Name: "list", Value: bridge.ListValue([]bridge.Value{bridge.Int(1)})},
			{Name: "broken", Value: bridge.String("\xff")},
			{Name: "caseKept", Value: bridge.String("yes")},
		}),
	}
}

func TestExpand(t *testing.T) {
	cases := map[string]string{
		``:                                  "",
		`plain`:                             "plain",
		`$5 and $$ and } and {`:             "$5 and $$ and } and {",
		`$${.type}`:                         "${.type}",
		`$$${.type}`:                        "$${.type}",
		`a$${b}${.type}`:                    "a${b}order",
		`${.properties.region}`:             "EU",
		`${ .properties.region }`:           "EU",
		`${.properties["a.b"]}`:             "dotted",
		`${.properties."a.b"}`:              "dotted",
		`${.properties.caseKept}`:           "yes",
		`${.properties.empty}`:              "",
		`${.properties.empty // "x"}`:       "",
		`${.properties.amount}`:             "9007199254740993",
		`${.properties.weight}`:             "2.0",
		`${.properties.express}`:            "false",
		`${.properties.express // "no"}`:    "no",
		`${.properties.raw}`:                "/w==",
		`${.properties.list}`:               "[1]",
		`${.properties.gone // "none"}`:     "none",
		`${.properties.absent // "a}\"b"}x`: `a}"bx`,
		`${.properties.absent//0}`:          "0",
		`${.properties.region // "none"}`:   "EU",
		`mq.${.destination}/${.type}!`:      "mq.queue:orders/order!",
		`${.message_id} ${.correlation_id}`: "ID:1 c-1",
		`${.timestamp}`:                     "2026-11-22T09:54:36.729Z",
		`${.priority}${.persistent}`:        "4true",
		`${.group_id}`:                      "g",
		`${.body_type}`:                     "none",
		`${.reply_to // ""}|`:               "|",
		`${.group_seq // 0}`:                "0",
		`${.user_id // "é"}`:                "é",
	}
	for source, want := range cases {
		tmpl, err := stage.ParseTemplate(source)
		if err != nil {
			t.Errorf("%s: %v", source, err)
			continue
		}
		if got, err := tmpl.Expand(message()); err != nil || got != want {
			t.Errorf("%s: got %q, %v; want %q", source, got, err, want)
		}
		if tmpl.String() != source {
			t.Errorf("%s: its String is %q", source, tmpl)
		}
		if literal := !strings.Contains(strings.ReplaceAll(source, "$${", ""), "${"); tmpl.IsLiteral() != literal && source != "$$${.type}" {
			t.Errorf("%s: IsLiteral is %v", source, tmpl.IsLiteral())
		}
	}
}

func TestMissingFieldIsAPermanentErrorThatNamesIt(t *testing.T) {
	cases := map[string]string{
		`${.properties.absent}`:         "the message has no .properties.absent",
		`x${.properties["no.such"]}`:    `the message has no .properties["no.such"]`,
		`${.properties.gone}`:           "the message has no .properties.gone",
		`${.user_id}`:                   "the message has no .user_id",
		`${.reply_to}`:                  "the message has no .reply_to",
		`${.expiration}`:                "the message has no .expiration",
		`${.delivery_count}`:            "the message has no .delivery_count",
		`${.type}${.properties.broken}`: ".properties.broken: the string is not valid UTF-8",
	}
	for source, want := range cases {
		tmpl, err := stage.ParseTemplate(source)
		if err != nil {
			t.Fatal(err)
		}
		got, err := tmpl.Expand(message())
		if err == nil || !strings.Contains(err.Error(), want) || bridge.ClassOf(err) != bridge.Permanent {
			t.Errorf("%s: got %q, %v (%s)", source, got, err, bridge.ClassOf(err))
		}
	}
}

func TestBrokenExpressionsAreRefusedWithTheirPosition(t *testing.T) {
	const hint = "; ${…} holds jq over the envelope, like ${.type}, and $${ is a literal ${"
	cases := map[string]string{
		`${`:                     "character 3: the closing } is missing" + hint,
		`${}`:                    "character 3: an expression should be here" + hint,
		`${ # }`:                 "character 7: the closing } is missing" + hint,
		`é${env:X}`:              `character 7: unexpected token ":"` + hint,
		`${.type`:                "character 8: the closing } is missing",
		`${.type | "}`:           "character 13: the closing } is missing",
		`${.types}`:              `character 3: the envelope has no field "types"; did you mean "type"?`,
		`a${.type}${.types}`:     `character 12: the envelope has no field "types"`,
		`${.headers.x}`:          `character 3: the envelope has no field "headers"; known here: body, body_type,`,
		`${.["tipe"]}`:           `the envelope has no field "tipe"`,
		`${select(.typ == "x")}`: `character 10: the envelope has no field "typ"; did you mean "type"?`,
		`${{a: .type, b: .usr}}`: `character 17: the envelope has no field "usr"`,
		`${{tipe}}`:              `character 4: the envelope has no field "tipe"`,
		`${"\(.tipe)"}`:          `character 6: the envelope has no field "tipe"`,
		`${.properties.}`:        "character 15: unexpected end",
		`${.properties.a-b}`:     `character 17: function not defined: b/0; a name with other characters than letters, digits and _ is written .properties["a-b"]`,
		`${.properties["a}`:      "the closing } is missing",
		`${.properties["a"}`:     "the closing } is missing",
		`${.type // }`:           "character 12: unexpected end",
		`${.type // 1.}`:         "",
		`${.type | nope}`:        "character 11: function not defined: nope/0",
		`${.type | $x}`:          "character 11: variable not defined: $x",
		`${.type | "\q"}`:        `character 12: invalid escape sequence "\q" in string literal`,
		"${.type\n| nope\n}":     "line 2, character 3: function not defined: nope/0",
		`${input}`:               "character 3: input can't be used: there is no other input than the message",
		`${[inputs]}`:            "character 4: inputs can't be used",
		`${.type | debug}`:       "debug can't be used: there is nowhere to print to",
		`${.type | halt}`:        "halt can't be used: write empty to give no result",
		`${import "a" as a; 1}`:  "there are no modules",
		`${.body[9999999]}`:      "the place in a list is too large",
		`${` + strings.Repeat(" ", 70000) + `.type | 1}`: "an expression of more than 65536 bytes",
	}
	for source, want := range cases {
		_, err := stage.ParseTemplate(source)
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%.60s: got %v, want %s", source, err, want)
		}
	}
}

func TestExpandWithJQ(t *testing.T) {
	cases := map[string]string{
		`${.type | ascii_upcase}`:                              "ORDER",
		`a${.type}-${.priority + 1}-${.persistent | not}`:      "aorder-5-false",
		`${.type // .group_id}`:                                "order",
		`${.user_id // .group_id}`:                             "g",
		`${.user_id // "a" // "b"}`:                            "a",
		`${.properties.gone // .properties.express // "none"}`: "none",
		`${.properties.express | not}`:                         "true",
		`${.properties.amount + 1}`:                            "9007199254740994",
		`${.properties.amount | type}`:                         "number",
		`${.properties.weight * 2}`:                            "4",
		`${.properties.weight / 3}`:                            "0.6666666666666666",
		`${{b: .type, a: [1, 2.5, null, true]}}`:               `{"a":[1,2.5,null,true],"b":"order"}`,
		`${.properties.list}!`:                                 "[1]!",
		`${.properties | keys | length}`:                       "10",
		`${"}" + .type + "{\("}\(.type){")"}`:                  "}order{}order{",
		`${.type # a comment with } and "
		}`: "order",
		`${[.properties.list[]] | @csv}`:                                       "1",
		`${.destination | split(":") | last}`:                                  "orders",
		`${.destination | ltrimstr("queue:")}`:                                 "orders",
		`${.timestamp[:10]}`:                                                   "2026-11-22",
		`${.timestamp | sub("\\.\\d+Z"; "Z") | fromdate}`:                      "1795341276",
		`${.properties["a.b"] | length}`:                                       "6",
		`${.property_types.amount}`:                                            "long",
		`${.body // "none"}`:                                                   "none",
		`${.body_type}${if .priority > 3 then "!" else "" end}`:                "none!",
		`${first(.properties | to_entries[] | select(.value == "EU") | .key)}`: "region",
		`${"x" * 3}`:                                      "xxx",
		`${env | length}${$ENV | length}`:                 "00",
		`${getpath(["properties", "region"])}`:            "EU",
		`${def f: .type; f}`:                              "order",
		`${"a" as $x | $x + .type}`:                       "aorder",
		`${.properties.region as $r | {EU: "e"} | .[$r]}`: "e",
		`${[.type, .group_id] | join("/")}`:               "order/g",
		`${.properties."a.b" + "x"}`:                      "dottedx",
		`${try error("x") catch .}`:                       "x",
		`${.properties | has("region")}`:                  "true",
		`${[limit(3; repeat(1))] | add}`:                  "3",
		`${"\u00e9"}`:                                     "é",
	}
	for source, want := range cases {
		m := message()
		m.Properties = without(m.Properties, "broken")
		tmpl, err := stage.ParseTemplate(source)
		if err != nil {
			t.Errorf("%s: %v", source, err)
			continue
		}
		if got, err := tmpl.Expand(m); err != nil || got != want {
			t.Errorf("%s: got %q, %v; want %q", source, got, err, want)
		}
		if tmpl.IsLiteral() {
			t.Errorf("%s: IsLiteral", source)
		}
		if got, err := tmpl.Append([]byte("before "), m); err != nil || string(got) != "before "+want {
			t.Errorf("%s: Append gave %q, %v", source, got, err)
		}
	}
}

func without(p bridge.Properties, name string) bridge.Properties {
	var entries []bridge.Entry
	for n, v := range p.All() {
		if n != name {
			entries = append(entries, bridge.Entry{Name: n, Value: v})
		}
	}
	return bridge.NewProperties(entries)
}

func TestExpressionsThatGiveNothingAreMissing(t *testing.T) {
	for _, source := range []string{`${.user_id | select(. != null)}`, `${empty}`, `${.properties.gone | .}`, `${.body}`, `${.properties.order.id}`, `x${.properties.absent[0]}`} {
		tmpl, err := stage.ParseTemplate(source)
		if err != nil {
			t.Fatal(err)
		}
		m := message()
		m.Properties = without(m.Properties, "broken")
		got, err := tmpl.Append([]byte("before"), m)
		if e := bridge.AsError(err); err == nil || e.Code != stage.CodeMissing || e.Class != bridge.Permanent || string(got) != "before" {
			t.Errorf("%s: got %q, %v", source, got, err)
		}
	}
}

func TestFields(t *testing.T) {
	for source, want := range map[string][]string{
		`a`:                                      nil,
		`a${.type}b${.properties["x y"] // "z"}`: {".type", `.properties["x y"]`},
		`${.properties.region | ascii_downcase}-${[.type, .properties["a.b"]] | join("")}`: {".properties.region", ".type", `.properties["a.b"]`},
		`${select(.type == "x") | .body}`:                                                  {".type", ".body"},
		`${.properties[.type]}`:                                                            {".properties", ".type"},
		`${tojson}`:                                                                        nil,
		`${. | tojson}`:                                                                    {"."},
		`${{type, user_id}}`:                                                               {".type", ".user_id"},
	} {
		tmpl, err := stage.ParseTemplate(source)
		if err != nil {
			t.Fatal(err)
		}
		if got := tmpl.Fields(); !slices.Equal(got, want) {
			t.Errorf("%s: got %q", source, got)
		}
	}
}

func TestExpandAllocates(t *testing.T) {
	m := message()
	for source, most := range map[string]float64{`${.properties.region}`: 0, `fixed`: 0, `${.type}`: 0, `${.properties.region // "none"}`: 0, `${.destination}-${.priority}`: 1} {
		tmpl, err := stage.ParseTemplate(source)
		if err != nil {
			t.Fatal(err)
		}
		if n := testing.AllocsPerRun(100, func() { _, _ = tmpl.Expand(m) }); n > most {
			t.Errorf("%s: %v allocations", source, n)
		}
	}
}
