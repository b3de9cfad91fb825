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

func TestOtherJQIsRefusedWithItsPosition(t *testing.T) {
	cases := map[string]string{
		`${`:                         "character 3: an expression begins with a point",
		`${}`:                        "character 3: an expression begins with a point",
		`é${env:X}`:                  "character 4: an expression begins with a point",
		`${.}`:                       "character 4: the name of a field should be here",
		`${.type`:                    "character 8: the closing } is missing",
		`${.types}`:                  "character 3: the envelope has no field .types that a template can use; it has .body_type, .correlation_id",
		`${.body}`:                   "the envelope has no field .body",
		`${.properties}`:             "character 14: one property should be named",
		`${.properties.}`:            "the name of a property should be here",
		`${.properties.a-b}`:         "character 16: only a field",
		`${.properties.order.id}`:    "character 20: only a field",
		`${.properties["a}`:          "the closing quote is missing",
		`${.properties["a"}`:         "] should be here",
		`${.properties[0]}`:          "a string in double quotes should be here",
		`${.properties["\(.type)"]}`: "is not a string of JSON",
		`${.type // "\ud800"}`:       "is not a string of JSON",
		`${.type | ascii_downcase}`:  "character 9: only a field, and // with a literal after it",
		`${.type // }`:               "after // a literal should be here",
		`${.type // .group_id}`:      "after // a literal should be here",
		`${.type // 1.}`:             "after // a literal should be here",
		`${.type // "a" // "b"}`:     "only a field",
	}
	for source, want := range cases {
		if _, err := stage.ParseTemplate(source); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, want %s", source, err, want)
		}
	}
}

func TestFields(t *testing.T) {
	tmpl, err := stage.ParseTemplate(`a${.type}b${.properties["x y"] // "z"}`)
	if err != nil {
		t.Fatal(err)
	}
	if got := tmpl.Fields(); !slices.Equal(got, []string{".type", `.properties["x y"]`}) {
		t.Errorf("got %q", got)
	}
}

// FuzzParseTemplate: text without ${ means itself, and what parses expands without a panic.
func FuzzParseTemplate(f *testing.F) {
	for _, seed := range []string{"plain", "$${x}", `${.properties["a.b"] // "c"}`, "${.type}${.destination}", "${", `${.properties."\u0041"}`} {
		f.Add(seed)
	}
	m := message()
	f.Fuzz(func(t *testing.T, source string) {
		tmpl, err := stage.ParseTemplate(source)
		if err != nil {
			if !strings.Contains(source, "${") {
				t.Fatalf("plain text is refused: %v", err)
			}
			return
		}
		got, err := tmpl.Expand(m)
		if !strings.Contains(source, "${") && (err != nil || got != source) {
			t.Fatalf("%q became %q, %v", source, got, err)
		}
		if tmpl.IsLiteral() && err != nil {
			t.Fatalf("literal %q fails: %v", source, err)
		}
	})
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

func BenchmarkExpand(b *testing.B) {
	m := message()
	for _, source := range []string{`${.properties.region}`, `${.properties.region}-${.type}-${.priority}`} {
		tmpl, err := stage.ParseTemplate(source)
		if err != nil {
			b.Fatal(err)
		}
		b.Run(source, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				_, _ = tmpl.Expand(m)
			}
		})
	}
}
