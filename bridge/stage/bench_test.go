package stage_test

import (
	"strings"
	"testing"

	"github.com/jmsbridge/jmsbridge/bridge"
	"github.com/jmsbridge/jmsbridge/bridge/stage"
)

func BenchmarkMatches(b *testing.B) {
	m := order()
	for _, pattern := range append(fastPatterns, `{"$or": [{"properties": {"region": ["US"]}}, {"properties": {"lines": [{"numeric": [">", 500]}]}}, {"type": ["x"]}]}`) {
		p := mustParse(b, pattern)
		b.Run(short(pattern), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				_, _ = p.Matches(m)
			}
		})
	}
}

func BenchmarkExpand(b *testing.B) {
	m := message()
	m.Properties = without(m.Properties, "broken")
	for _, source := range []string{
		`${.properties.region}`, `${.properties.region}-${.type}-${.priority}`, // without jq
		`${.type | ascii_upcase}`, `${.properties.region as $r | {EU: "e"} | .[$r] // "x"}`,
	} {
		tmpl, err := stage.ParseTemplate(source)
		if err != nil {
			b.Fatal(err)
		}
		b.Run(short(source), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := tmpl.Expand(m); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkTransform(b *testing.B) {
	m := order()
	for _, program := range []string{`.`, `.properties.region |= ascii_downcase`, `select(.type == "x")`, `.body = "\(.type): \(.body)" | del(.properties.tags)`} {
		tr := mustTransform(b, program)
		b.Run(short(program), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := tr.Process(b.Context(), m); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkTransformOfALargeBody(b *testing.B) {
	m := message()
	m.Properties = without(m.Properties, "broken")
	m.Body = bridge.NewText(strings.Repeat("0123456789 \"x\" ", 10000))
	tr := mustTransform(b, `.properties.region = "US"`)
	b.ReportAllocs()
	b.SetBytes(int64(len(m.Body.Data())))
	for b.Loop() {
		if _, err := tr.Process(b.Context(), m); err != nil {
			b.Fatal(err)
		}
	}
}

func short(s string) string {
	return strings.Map(func(r rune) rune {
		if r == ' ' || r == '/' {
			return -1
		}
		return r
	}, s[:min(len(s), 60)])
}
