package stage

import (
	"strconv"
	"testing"

	"github.com/jmsbridge/jmsbridge/bridge"
)

// TestRegularExpressionsOfMessagesAreForgotten: gojq keeps each that it compiles, and a daemon runs for months.
func TestRegularExpressionsOfMessagesAreForgotten(t *testing.T) {
	p, err := compileProgram(`(.type | test("^\(.)$")) and ("constant" | test("^c"))`)
	if err != nil {
		t.Fatal(err)
	}
	code, compiled := p.code.Load(), 0
	for i := range 5 * maxRegexps {
		in, _, err := viewOf(&bridge.Message{Type: strconv.Itoa(i)}, &p.needs)
		if err != nil {
			t.Fatal(err)
		}
		if v, _, err := p.run(in, Budget{}.orDefault()); v != true || err != nil {
			t.Fatal(v, err)
		}
		if now := p.code.Load(); now != code {
			code, compiled = now, compiled+1
		}
		if n := p.regexps.Load(); n > maxRegexps+1 {
			t.Fatalf("%d are kept", n)
		}
	}
	if compiled != 4 {
		t.Errorf("compiled anew %d times", compiled)
	}
}

func TestNamesAreFoundOutsideStringsAndComments(t *testing.T) {
	for _, tc := range []struct {
		source, name string
		want         int
	}{
		{`a | foo`, "foo", 4},
		{`"foo" | foo`, "foo", 8},
		{"# foo\n foo", "foo", 7},
		{`.foo | foo`, "foo", 7},
		{`food | foo`, "foo", 7},
		{`$foo | foo`, "foo", 7},
		{`"\(1 | foo)"`, "foo", 7},
		{`"\("a" + "\(foo)")"`, "foo", 12},
		{`$x`, "$x", 0},
		{`.foo`, ".foo", 0},
		{`"foo`, "foo", -1},
		{`bar`, "foo", -1},
	} {
		if got := find(tc.source, tc.name); got != tc.want {
			t.Errorf("%s in %s: got %d", tc.name, tc.source, got)
		}
	}
}

func TestDistance(t *testing.T) {
	for _, tc := range []struct {
		a, b string
		want int
	}{{"", "", 0}, {"prefx", "prefix", 1}, {"abc", "", 3}, {"kitten", "sitting", 3}, {"type", "type", 0}} {
		if got := distance(tc.a, tc.b); got != tc.want || distance(tc.b, tc.a) != tc.want {
			t.Errorf("%s, %s: got %d", tc.a, tc.b, got)
		}
	}
}
