package aws_test

import (
	"encoding/json"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/jmsbridge/jmsbridge/connectors/aws"
)

// TestNoncharactersAreEscapedAndNothingElse compares with a replacement of each, for texts full of what looks alike.
func TestNoncharactersAreEscapedAndNothingElse(t *testing.T) {
	pieces := rapid.SliceOf(rapid.SampledFrom([]string{"\ufffe", "\uffff", "\ufffd", "\uffc0", "\U0001fffe", "é", "a", "\\", "\"", "\xef\xbf"[:1] + "\xbc\x81"}))
	rapid.Check(t, func(t *rapid.T) {
		text := strings.Join(pieces.Draw(t, "text"), "")
		b, err := json.Marshal(text)
		if err != nil {
			t.Fatal(err)
		}
		const before = "\ufffe"
		got := string(aws.EscapeNoncharacters(append([]byte(before), b...), len(before)))
		want := before + strings.NewReplacer("\ufffe", `\ufffe`, "\uffff", `\uffff`).Replace(string(b))
		if got != want {
			t.Fatalf("%q became %q, not %q", b, got, want)
		}
		var back string
		if err := json.Unmarshal([]byte(got[len(before):]), &back); err != nil || back != text {
			t.Fatalf("%q means %q: %v", got, back, err)
		}
		if has := strings.ContainsAny(text, "\ufffe\uffff"); aws.HasNoncharacter(text) != has {
			t.Fatalf("%q has one: %v", text, has)
		}
	})
}
