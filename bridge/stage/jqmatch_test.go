package stage_test

import (
	"strings"
	"testing"
	"time"

	"github.com/jmsbridge/jmsbridge/bridge"
	"github.com/jmsbridge/jmsbridge/bridge/stage"
)

// transformed runs a transform on a message with a body.
func transformed(t *testing.T, program, body string) (string, error) {
	t.Helper()
	m, err := mustTransform(t, program).Within(stage.Budget{Time: time.Minute}).Process(t.Context(), &bridge.Message{Body: bridge.NewText(body)})
	if err != nil {
		return "", err
	}
	return m.Body.Data(), nil
}

func TestManyMatchesInALongTextAreRefused(t *testing.T) {
	long := strings.Repeat("a", 30_000) // ten times as long takes a hundred times as long
	for _, program := range []string{
		`.body |= gsub("a"; "b")`,
		`.body |= gsub("A"; "b"; "i")`,
		`.body |= sub("a"; "b"; "g")`,
		`.body |= ([scan("a")] | length | tostring)`,
		`.body |= ([splits("a")] | length | tostring)`,
		`.body |= (split("a"; null) | length | tostring)`,
		`.body |= ([match("a"; "g")] | length | tostring)`,
		`.body |= ([match(["a", "g"])] | length | tostring)`,
		`.body |= ([capture("(?<x>a)"; "g")] | length | tostring)`,
		`("g" | ascii_downcase) as $f | .body |= ([match("a"; $f)] | length | tostring)`,
		`"a" as $re | .body |= gsub($re; "b")`,
		`def all: gsub("a"; "b"); .body |= all`,
	} {
		begun := time.Now()
		_, err := transformed(t, program, long)
		if e := bridge.AsError(err); e == nil || e.Code != stage.CodeBudget || !strings.Contains(err.Error(), "too many matches") {
			t.Errorf("%s: %v", program, err)
		}
		if took := time.Since(begun); took > 10*time.Second {
			t.Fatalf("%s took %v", program, took)
		}
	}
}

func TestMatchesThatTakeNoTimeAreMade(t *testing.T) {
	long := strings.Repeat("a", 200_000) + "x"
	for _, c := range []struct{ program, body, want string }{
		{`.body |= gsub("a"; "b")`, strings.Repeat("a", 4096), strings.Repeat("b", 4096)},
		{`.body |= gsub("x"; "y")`, long, strings.Repeat("a", 200_000) + "y"},
		{`.body |= sub("a"; "b")`, long, "b" + long[1:]},
		{`.body |= (test("a") | tostring)`, long, "true"},
		{`.body |= (match("a").offset | tostring)`, long, "0"},
		{`.body |= (match(["x", "g"]).offset | tostring)`, long, "200000"},
		{`.body |= (split("a") | length | tostring)`, long, "200001"},
		{`.body |= ([scan("a", "x")] | length | tostring)`, "aax", "3"},
		{`.body |= ([scan("(a)(.)")] | tojson)`, "abac", `[["a","b"],["a","c"]]`},
		{`.body |= gsub("(?<first>[a-z])"; "<\(.first)>")`, "ab", "<a><b>"},
		{`def gsub(a; b): a + b; .body |= gsub(.; "!")`, long, long + "!"},
	} {
		if got, err := transformed(t, c.program, c.body); err != nil || got != c.want {
			t.Errorf("%s: %.80q, %v, want %.80q", c.program, got, err, c.want)
		}
	}
}

func TestNumbersOfTooManyDigitsAreNotRead(t *testing.T) {
	digits := strings.Repeat("7", 400_000) // ten times as many take a hundred times as long
	for _, program := range []string{
		`.body |= (fromjson | .a + 1 | tostring)`, `.body |= (fromjson | -(.a) | tostring)`,
		`.body |= (.[5:-1] | tonumber | . + 1 | tostring)`,
	} {
		if _, err := transformed(t, program, `{"a":`+digits+"}"); err == nil || bridge.AsError(err).Code != stage.CodeBudget {
			t.Errorf("%s: %v", program, err)
		}
	}
	for _, c := range []struct{ program, body, want string }{
		{`.body |= (fromjson | .a + 1 | tostring)`, `{"a":` + digits[:400] + "}", digits[:399] + "8"},
		{`.body |= (fromjson | .b)`, `{"a":12,"b":"` + digits[:9000] + `"}`, digits[:9000]},
		{`.body |= (tonumber | . + 1 | tostring)`, "41", "42"},
		{`def fromjson: "own"; .body |= fromjson`, digits, "own"},
	} {
		if got, err := transformed(t, c.program, c.body); err != nil || got != c.want {
			t.Errorf("%s: %.80q, %v, want %.80q", c.program, got, err, c.want)
		}
	}
}
