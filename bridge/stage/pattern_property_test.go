package stage_test

import (
	"encoding/base64"
	"encoding/json"
	"math"
	"math/big"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"unicode/utf16"
	"unicode/utf8"

	"pgregory.net/rapid"

	"github.com/jmsbridge/jmsbridge/bridge"
	"github.com/jmsbridge/jmsbridge/bridge/envelope"
	"github.com/jmsbridge/jmsbridge/bridge/stage"
)

func matches(t *rapid.T, pattern any, m *bridge.Message) bool {
	p, err := stage.ParsePattern(pattern)
	if err != nil {
		t.Fatalf("%v: %v", pattern, err)
	}
	ok, err := p.Matches(m)
	if err != nil {
		t.Fatalf("%v: %v", pattern, err)
	}
	return ok
}

// exact is what a pattern has to name to match v, as the envelope writes it; ok is false for maps and lists.
func exact(v bridge.Value) (any, bool) {
	switch v.Type() {
	case bridge.NullType:
		return nil, true
	case bridge.BooleanType:
		return v.Bool(), true
	case bridge.LongType:
		return v.Int64(), true
	case bridge.CharType:
		if utf16.IsSurrogate(rune(v.Int64())) {
			return v.Int64(), true
		}
		return string(rune(v.Int64())), true
	case bridge.BytesType:
		return base64.StdEncoding.EncodeToString([]byte(v.Str())), true
	case bridge.StringType:
		return v.Str(), true
	case bridge.MapType, bridge.ListType:
		return nil, false
	}
	text, err := envelope.AppendValue(nil, v)
	if err != nil {
		return nil, false
	}
	if json.Valid(text) {
		return json.Number(text), true
	}
	return string(text), true // NaN, Infinity
}

// TestAPatternOfItsOwnFieldsMatches, all of them at once and each of them, and nothing of another type.
func TestAPatternOfItsOwnFieldsMatches(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := messages().Draw(t, "message")
		properties := map[string]any{}
		for name, v := range m.Properties.All() {
			want, ok := exact(v)
			if !ok || name == "$or" {
				continue
			}
			properties[name] = []any{want}
			if _, isText := want.(string); isText {
				properties[name] = []any{"no", want, map[string]any{"prefix": "never"}}
			}
			but := func(x any) any {
				return map[string]any{"properties": map[string]any{name: []any{map[string]any{"anything-but": x}}}}
			}
			switch want.(type) {
			case nil, bool:
			default:
				if matches(t, but(want), m) || matches(t, but([]any{want}), m) {
					t.Fatalf("anything-but %v matches it", want)
				}
			}
			if !matches(t, but("another"), m) && want != "another" {
				t.Fatalf("anything-but another does not match %v", want)
			}
		}
		pattern := map[string]any{"priority": []any{int64(m.Priority)}, "persistent": []any{m.Persistent}}
		if len(properties) > 0 {
			pattern["properties"] = properties
		}
		for name, text := range map[string]string{
			"message_id": m.ID, "type": m.Type, "destination": m.Destination.String(), "reply_to": m.ReplyTo.String(), "group_id": m.GroupID,
		} {
			if pattern[name] = []any{text}; text == "" {
				pattern[name] = []any{map[string]any{"exists": false}}
			}
		}
		if m.Body.Kind() == bridge.TextBody {
			pattern["body"] = []any{m.Body.Data()}
		}
		if !matches(t, pattern, m) {
			t.Fatalf("%v does not match", pattern)
		}
	})
}

// TestNumericAgreesWithExactNumbers: with the decimal numbers that the envelope writes, not with their nearest doubles.
func TestNumericAgreesWithExactNumbers(t *testing.T) {
	operand := rapid.OneOf(
		rapid.Map(rapid.Int64(), func(n int64) any { return n }),
		rapid.Map(rapid.Float64(), func(f float64) any { return f }),
		rapid.Map(rapid.Int64Range(-400, 400), func(n int64) any { return json.Number(strconv.FormatInt(n, 10) + ".0") }),
		rapid.Map(rapid.SampledFrom([]string{
			"9007199254740993", "9007199254740992.5", "1.1", "1.10000002384185791015625", "1.1000000000000000888", "0.1", "1e-7", "3.4028234663852886e38",
			"9223372036854775807.5", "9223372036854775808", "-9223372036854775809", "18446744073709551615", "0", "-0.0", "0e99999999", "300", "2.5e1",
		}), func(s string) any { return json.Number(s) }),
	)
	numbers := rapid.OneOf(longs, floats, doubles, rapid.Map(rapid.Int32(), bridge.Int), rapid.Map(rapid.Int16(), bridge.Short),
		rapid.Map(rapid.Float32Range(-2, 2), bridge.Float))
	rapid.Check(t, func(t *rapid.T) {
		v := numbers.Filter(func(v bridge.Value) bool { return !math.IsInf(v.Float64(), 0) && !math.IsNaN(v.Float64()) }).Draw(t, "value")
		n := operand.Filter(func(n any) bool { f, ok := n.(float64); return !ok || !math.IsNaN(f) && !math.IsInf(f, 0) }).Draw(t, "operand")
		if rapid.Bool().Draw(t, "the same") {
			n, _ = exact(v)
		}
		order := rational(t, v).Cmp(rationalOf(t, n))
		m := &bridge.Message{Properties: bridge.NewProperties([]bridge.Entry{{Name: "n", Value: v}})}
		of := func(list ...any) any {
			return map[string]any{"properties": map[string]any{"n": []any{map[string]any{"numeric": list}}}}
		}
		for comparison, want := range map[string]bool{"=": order == 0, "<": order < 0, "<=": order <= 0, ">": order > 0, ">=": order >= 0} {
			if got := matches(t, of(comparison, n), m); got != want {
				t.Fatalf("%v %s %v: got %v", v, comparison, n, got)
			}
		}
		if got := matches(t, map[string]any{"properties": map[string]any{"n": []any{n}}}, m); got != (order == 0) {
			t.Fatalf("%v in [%v]: got %v", v, n, got)
		}
		if got := matches(t, map[string]any{"properties": map[string]any{"n": []any{map[string]any{"anything-but": n}}}}, m); got != (order != 0) {
			t.Fatalf("%v anything-but %v: got %v", v, n, got)
		}
		high := new(big.Rat).Add(rationalOf(t, n), big.NewRat(1, 1))
		upper := json.Number(high.FloatString(300))
		if len(upper) < 400 {
			if got, want := matches(t, of(">=", n, "<", upper), m), order >= 0 && rational(t, v).Cmp(rationalOf(t, upper)) < 0; got != want {
				t.Fatalf("%v from %v to %v: got %v", v, n, upper, got)
			}
		}
	})
}

// rational is the number that the envelope writes for v.
func rational(t *rapid.T, v bridge.Value) *big.Rat {
	text, err := envelope.AppendValue(nil, v)
	if err != nil {
		t.Fatal(err)
	}
	return rationalOf(t, json.Number(text))
}

func rationalOf(t *rapid.T, n any) *big.Rat {
	var text string
	switch n := n.(type) {
	case json.Number:
		text = string(n)
	case int64:
		text = strconv.FormatInt(n, 10)
	case float64:
		text = strconv.FormatFloat(n, 'g', -1, 64)
	}
	if strings.HasPrefix(text, "0e") {
		text = "0"
	}
	r, ok := new(big.Rat).SetString(text)
	if !ok {
		t.Fatalf("%v is not a number", n)
	}
	return r
}

func TestWildcardsAgreeWithRegularExpressions(t *testing.T) {
	piece := rapid.SampledFrom([]string{"a", "b", "ab", `\*`, `\\`, "é", ".", "queue:", "u", ":"})
	rapid.Check(t, func(t *rapid.T) {
		var wild, oracle strings.Builder
		for i, p := range rapid.SliceOfN(piece, 0, 6).Draw(t, "pieces") {
			if i > 0 && rapid.Bool().Draw(t, "star") {
				wild.WriteByte('*')
				oracle.WriteString(`(?s:.*)`)
			}
			wild.WriteString(p)
			oracle.WriteString(regexp.QuoteMeta(strings.NewReplacer(`\*`, "*", `\\`, `\`).Replace(p)))
		}
		for range rapid.IntRange(0, 1).Draw(t, "last star") {
			wild.WriteByte('*')
			oracle.WriteString(`(?s:.*)`)
		}
		want := regexp.MustCompile("^" + oracle.String() + "$")
		text := strings.Join(rapid.SliceOfN(rapid.SampledFrom([]string{"a", "b", "*", `\`, "é", ".", "\n", "u", ":"}), 0, 10).Draw(t, "text"), "")
		m := &bridge.Message{Type: text, Destination: bridge.Destination{Kind: bridge.Queue, Name: text}}
		pattern := func(field string) any {
			return map[string]any{field: []any{map[string]any{"wildcard": wild.String()}}}
		}
		if got := matches(t, pattern("type"), m); text != "" && got != want.MatchString(text) {
			t.Fatalf("%q on %q: got %v", wild.String(), text, got)
		}
		if got := matches(t, pattern("destination"), m); got != want.MatchString("queue:"+text) {
			t.Fatalf("%q on %q: got %v", wild.String(), "queue:"+text, got)
		}
	})
}

func TestTextOperatorsAgreeOnDestinationsAndStrings(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		name := rapid.StringOfN(rapid.SampledFrom([]rune("aAeEuUqQ:kKſé")), 1, 8, -1).Draw(t, "name")
		whole := "queue:" + name
		operand := rapid.OneOf(
			rapid.Map(rapid.IntRange(0, len(whole)), func(n int) string { return whole[:n] }),
			rapid.Map(rapid.IntRange(0, len(whole)), func(n int) string { return whole[n:] }),
			rapid.Map(rapid.IntRange(0, len(whole)), func(n int) string { return strings.ToUpper(whole[n:]) }),
			rapid.Map(rapid.IntRange(0, len(whole)), func(n int) string { return strings.ToUpper(whole[:n]) }),
			words,
		).Filter(utf8.ValidString).Draw(t, "operand")
		m := &bridge.Message{Type: whole, Destination: bridge.Destination{Kind: bridge.Queue, Name: name}}
		for _, condition := range []any{
			operand,
			map[string]any{"prefix": operand},
			map[string]any{"suffix": operand},
			map[string]any{"equals-ignore-case": operand},
			map[string]any{"prefix": map[string]any{"equals-ignore-case": operand}},
			map[string]any{"suffix": map[string]any{"equals-ignore-case": operand}},
			map[string]any{"anything-but": operand},
		} {
			onText := matches(t, map[string]any{"type": []any{condition}}, m)
			if onDestination := matches(t, map[string]any{"destination": []any{condition}}, m); onText != onDestination {
				t.Fatalf("%v: %v on the string, %v on the destination", condition, onText, onDestination)
			}
		}
		fold := matches(t, map[string]any{"type": []any{map[string]any{"equals-ignore-case": operand}}}, m)
		if fold != strings.EqualFold(operand, whole) {
			t.Fatalf("equals-ignore-case %q on %q: got %v", operand, whole, fold)
		}
		if matches(t, map[string]any{"type": []any{map[string]any{"prefix": operand}}}, m) != strings.HasPrefix(whole, operand) {
			t.Fatalf("prefix %q on %q", operand, whole)
		}
	})
}

// TestTypesAreThoseOfTheEnvelope: what a pattern sees in property_types and body_types is what the envelope writes.
func TestTypesAreThoseOfTheEnvelope(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := writable().Draw(t, "message")
		data, err := envelope.Append(nil, m)
		if err != nil {
			t.Fatal(err)
		}
		var e struct {
			PropertyTypes map[string]string `json:"property_types"`
			BodyTypes     map[string]string `json:"body_types"`
		}
		if err := json.Unmarshal(data, &e); err != nil {
			t.Fatal(err)
		}
		for field, types := range map[string]map[string]string{"property_types": e.PropertyTypes, "body_types": e.BodyTypes} {
			for pointer, word := range types {
				if pointer != "$or" && !matches(t, map[string]any{field: map[string]any{pointer: []any{word}}}, m) {
					t.Fatalf("%s.%s is not %s", field, pointer, word)
				}
			}
		}
		for name := range m.Properties.All() {
			pointer := strings.NewReplacer("~", "~0", "/", "~1").Replace(name)
			if pointer == "$or" {
				continue
			}
			absent := matches(t, map[string]any{"property_types": map[string]any{pointer: []any{map[string]any{"exists": false}}}}, m)
			if _, there := e.PropertyTypes[pointer]; absent == there {
				t.Fatalf("property_types.%s: absent is %v", pointer, absent)
			}
		}
	})
}
