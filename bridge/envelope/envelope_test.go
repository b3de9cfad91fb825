package envelope_test

import (
	"encoding/json"
	"flag"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/jmsbridge/jmsbridge/bridge"
	"github.com/jmsbridge/jmsbridge/bridge/envelope"
)

var update = flag.Bool("update", false, "write the golden files anew")

// equal compares messages, instants by their moment, and tells the inferred body from the known one.
func equal(a, b *bridge.Message) bool {
	x, y := *a, *b
	same := x.Timestamp.Equal(y.Timestamp) && x.Expiration.Equal(y.Expiration) && x.Properties.Equal(y.Properties) &&
		x.Body.Equal(y.Body) && x.Body.IsInferred() == y.Body.IsInferred()
	for _, m := range []*bridge.Message{&x, &y} {
		m.Timestamp, m.Expiration, m.Properties, m.Body = time.Time{}, time.Time{}, bridge.Properties{}, bridge.Body{}
	}
	return same && x.ID == y.ID && x.CorrelationID == y.CorrelationID && x.Type == y.Type && x.UserID == y.UserID &&
		x.Destination == y.Destination && x.ReplyTo == y.ReplyTo && x.Priority == y.Priority && x.Persistent == y.Persistent &&
		x.Redelivered == y.Redelivered && x.DeliveryCount == y.DeliveryCount && x.GroupID == y.GroupID && x.GroupSeq == y.GroupSeq
}

func TestEveryMessageComesBackAsItWas(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := messages().Draw(t, "message")
		data, err := envelope.Append(nil, m)
		if err != nil {
			t.Fatal(err)
		}
		if !json.Valid(data) {
			t.Fatalf("not JSON: %s", data)
		}
		if bound := envelope.Bound(m); bound < len(data) {
			t.Fatalf("bound %d, but %d bytes: %s", bound, len(data), data)
		}
		back, err := envelope.Parse(data)
		if err != nil {
			t.Fatalf("%v\n%s", err, data)
		}
		if !equal(m, back) {
			t.Fatalf("changed on the way:\n%+v\n%+v\n%s", m, back, data)
		}
		again, err := envelope.Append([]byte("before"), back)
		if err != nil || string(again) != "before"+string(data) {
			t.Fatalf("the second encoding differs (%v):\n%s\n%s", err, data, again)
		}
	})
}

func TestOrderOfPropertiesOnTheWireDoesNotShow(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		list := entries(2).Draw(t, "entries")
		other := slices.Clone(list)
		slices.Reverse(other)
		a, errA := envelope.Append(nil, &bridge.Message{Properties: bridge.NewProperties(list), Body: bridge.NewMap(list)})
		b, errB := envelope.Append(nil, &bridge.Message{Properties: bridge.NewProperties(other), Body: bridge.NewMap(other)})
		if errA != nil || errB != nil || string(a) != string(b) {
			t.Fatalf("%v %v\n%s\n%s", errA, errB, a, b)
		}
	})
}

func TestPartsComeBackAsTheyWere(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		list, body := entries(2).Draw(t, "entries"), bodies().Draw(t, "body")
		data, err := envelope.AppendProperties(nil, list)
		if err != nil {
			t.Fatal(err)
		}
		back, err := envelope.ParseProperties(data)
		if err != nil || !bridge.NewProperties(back).Equal(bridge.NewProperties(list)) {
			t.Fatalf("%v: %s", err, data)
		}
		if data, err = envelope.AppendBody(nil, body); err != nil {
			t.Fatal(err)
		}
		other, err := envelope.ParseBody(data)
		if err != nil || !other.Equal(body) || other.IsInferred() != body.IsInferred() {
			t.Fatalf("%v: %s", err, data)
		}
		content, err := envelope.AppendContent(nil, body)
		if err != nil {
			t.Fatal(err)
		}
		types, err := envelope.AppendContentTypes(nil, body)
		if err != nil {
			t.Fatal(err)
		}
		if other, err = envelope.ParseContent(body.Kind(), content, types); err != nil || !other.Equal(body) {
			t.Fatalf("%v: %s %s", err, content, types)
		}
	})
}

func TestRedeliveryDiffersOnlyInItsMarks(t *testing.T) {
	m := sample()
	first, _ := envelope.Append(nil, &m)
	m.Redelivered, m.DeliveryCount = true, 2
	second, _ := envelope.Append(nil, &m)
	want := strings.Replace(string(first), `"redelivered":false,`, `"redelivered":true,"delivery_count":2,`, 1)
	if string(second) != want {
		t.Errorf("got  %s\nwant %s", second, want)
	}
}

// sample is a message as an order system sends it.
func sample() bridge.Message {
	return bridge.Message{
		Key: "not written", ID: "ID:host-1:1:1:1", CorrelationID: "order-17", Type: "order", UserID: "app",
		Destination: bridge.Destination{Kind: bridge.Queue, Name: "orders"}, ReplyTo: bridge.Destination{Kind: bridge.TempQueue, Name: "ID:host-1:1:2"},
		Timestamp: time.UnixMilli(1795341276729), Expiration: time.UnixMilli(1795341336700),
		Priority: 4, Persistent: true, GroupID: "account-9", GroupSeq: 3,
		Properties: bridge.NewProperties([]bridge.Entry{
			{Name: "region", Value: bridge.String("EU")},
			{Name: "amount", Value: bridge.Long(1250)},
			{Name: "express", Value: bridge.Boolean(true)},
			{Name: "lines", Value: bridge.Int(3)},
			{Name: "weight", Value: bridge.Double(2)},
		}),
		Body: bridge.NewText("<order id=\"17\">Zoë & Co</order>\n"),
	}
}

func golden() map[string]bridge.Message {
	all := []bridge.Entry{
		{Name: "string", Value: bridge.String("a\u2028<b>\x01\"\\\u00e9😀")},
		{Name: "true", Value: bridge.Boolean(true)},
		{Name: "byte", Value: bridge.Byte(-128)},
		{Name: "short", Value: bridge.Short(-32768)},
		{Name: "int", Value: bridge.Int(math.MinInt32)},
		{Name: "long", Value: bridge.Long(1 << 53)},
		{Name: "longer", Value: bridge.Long(1<<53 + 1)},
		{Name: "float", Value: bridge.Float(1.1)},
		{Name: "floatWhole", Value: bridge.Float(2)},
		{Name: "floatNaN", Value: bridge.Float(float32(math.NaN()))},
		{Name: "double", Value: bridge.Double(0.1)},
		{Name: "doubleWhole", Value: bridge.Double(-2)},
		{Name: "doubleSmall", Value: bridge.Double(1e-7)},
		{Name: "doubleLarge", Value: bridge.Double(1e21)},
		{Name: "doubleBelow", Value: bridge.Double(1e20)},
		{Name: "doubleInf", Value: bridge.Double(math.Inf(-1))},
		{Name: "minusZero", Value: bridge.Double(math.Copysign(0, -1))},
		{Name: "char", Value: bridge.Char('c')},
		{Name: "charZero", Value: bridge.Char(0)},
		{Name: "charHalf", Value: bridge.Char(0xd83d)},
		{Name: "bytes", Value: bridge.Bytes("\x00\xff")},
		{Name: "null", Value: bridge.Null()},
		{Name: "a/b~c", Value: bridge.Byte(1)},
		{Name: "map", Value: bridge.MapValue([]bridge.Entry{
			{Name: "z", Value: bridge.Long(1)}, {Name: "a", Value: bridge.ListValue([]bridge.Value{bridge.Int(1), bridge.Short(2), bridge.MapValue(nil)})},
		})},
	}
	stream := []bridge.Value{bridge.String("x"), bridge.Bytes("raw"), bridge.Int(1), bridge.Long(2), bridge.ListValue([]bridge.Value{bridge.Char('c')})}
	far := bridge.Message{Timestamp: time.UnixMilli(math.MinInt64), Expiration: time.UnixMilli(math.MaxInt64)}
	return map[string]bridge.Message{
		"order":  sample(),
		"empty":  {},
		"types":  {Properties: bridge.NewProperties(all), Body: bridge.NewMap(all)},
		"stream": {Body: bridge.NewStream(stream)},
		"bytes":  {Body: bridge.NewBytes("\x00\x01\xfe\xff").Inferred()},
		"object": {Body: bridge.NewObject("\xac\xed\x00\x05")},
		"text":   {Body: bridge.NewText("")},
		"far":    far,
	}
}

func TestGoldenFiles(t *testing.T) {
	for name, m := range golden() {
		t.Run(name, func(t *testing.T) {
			file := filepath.Join("testdata", "golden", name+".json")
			got, err := envelope.Append(nil, &m)
			if err != nil {
				t.Fatal(err)
			}
			got = append(got, '\n')
			if *update {
				if err := os.WriteFile(file, got, 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(string(want), string(got)); diff != "" {
				t.Errorf("the form of the envelope has changed (-want +got):\n%s", diff)
			}
			if _, err := envelope.Parse(want); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestWhatJSONCannotHoldIsRefused(t *testing.T) {
	bad := "a\xffb"
	property := func(e bridge.Entry) bridge.Message {
		return bridge.Message{Properties: bridge.NewProperties([]bridge.Entry{e})}
	}
	cases := map[string]struct {
		m    bridge.Message
		want string
	}{
		"message id":     {bridge.Message{ID: bad}, "message_id is not valid UTF-8"},
		"destination":    {bridge.Message{Destination: bridge.Destination{Kind: bridge.Queue, Name: bad}}, "destination is not valid UTF-8"},
		"no name":        {bridge.Message{ReplyTo: bridge.Destination{Kind: bridge.Queue}}, "reply_to has no name"},
		"kind":           {bridge.Message{ReplyTo: bridge.Destination{Kind: 9, Name: "x"}}, "reply_to has an unknown kind 9"},
		"property name":  {property(bridge.Entry{Name: bad}), "is not valid UTF-8"},
		"property value": {property(bridge.Entry{Name: "region", Value: bridge.String(bad)}), "region is not valid UTF-8"},
		"text":           {bridge.Message{Body: bridge.NewText(bad)}, "the text body is not valid UTF-8"},
		"map":            {bridge.Message{Body: bridge.NewMap([]bridge.Entry{{Name: "x", Value: bridge.ListValue([]bridge.Value{bridge.String(bad)})}})}, "x is not valid UTF-8"},
		"stream":         {bridge.Message{Body: bridge.NewStream([]bridge.Value{bridge.String(bad)})}, "stream body is not valid UTF-8"},
		"two of a name":  {bridge.Message{Properties: bridge.NewProperties([]bridge.Entry{{Name: "a"}, {Name: "b"}, {Name: "a"}})}, `two entries are named "a"`},
		"too deep":       {bridge.Message{Body: bridge.NewStream([]bridge.Value{nested(envelope.MaxDepth)})}, "more than 64 levels"},
		"types too large": {
			bridge.Message{Body: bridge.NewMap([]bridge.Entry{{
				Name: strings.Repeat("n", 1<<20), Value: bridge.ListValue(slices.Repeat([]bridge.Value{bridge.Null()}, 64)),
			}})},
			"naming the types of its values takes more than",
		},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			got, err := envelope.Append([]byte("x"), &c.m)
			if err == nil || !strings.Contains(err.Error(), c.want) || bridge.ClassOf(err) != bridge.Permanent {
				t.Errorf("got error %v (%s), want a permanent one with %q", err, bridge.ClassOf(err), c.want)
			}
			if string(got) != "x" {
				t.Errorf("got %q besides the error", got)
			}
		})
	}
	deep := bridge.Message{Body: bridge.NewStream([]bridge.Value{nested(envelope.MaxDepth - 1)})}
	if _, err := envelope.Append(nil, &deep); err != nil {
		t.Errorf("the deepest that is allowed: %v", err)
	}
}

func TestEveryNaNBecomesTheOneOfJava(t *testing.T) {
	m := bridge.Message{Body: bridge.NewStream([]bridge.Value{
		bridge.Double(math.Float64frombits(0xfff8000000000123)), bridge.Float(math.Float32frombits(0xffc00123)),
	})}
	data, err := envelope.Append(nil, &m)
	if err != nil {
		t.Fatal(err)
	}
	back, err := envelope.Parse(data)
	if err != nil {
		t.Fatal(err)
	}
	want := []bridge.Value{bridge.Double(math.Float64frombits(0x7ff8000000000000)), bridge.Float(math.Float32frombits(0x7fc00000))}
	if !slices.EqualFunc(back.Body.Stream(), want, bridge.Value.Equal) {
		t.Errorf("got %v", back.Body.Stream())
	}
}

func TestNumbersAreWrittenAsJavaScriptReadsThem(t *testing.T) {
	for _, c := range []struct {
		v    bridge.Value
		want string
	}{
		{bridge.Long(1 << 53), `9007199254740992`},
		{bridge.Long(1<<53 + 1), `"9007199254740993"`},
		{bridge.Long(-1 << 53), `-9007199254740992`},
		{bridge.Long(-1<<53 - 1), `"-9007199254740993"`},
		{bridge.Double(1e-6), `0.000001`},
		{bridge.Double(9e-7), `9e-07`},
		{bridge.Double(1e20), `100000000000000000000.0`},
		{bridge.Double(1e21), `1e+21`},
	} {
		got, err := envelope.AppendContent(nil, bridge.NewStream([]bridge.Value{c.v}))
		if err != nil || string(got) != "["+c.want+"]" {
			t.Errorf("got %s, %v; want %s", got, err, c.want)
		}
	}
}

// The generated messages are small, and the fixed part of the bound would hide what is forgotten of them.
func TestTheBoundHoldsForLargeContent(t *testing.T) {
	const size = 10_000
	controls, raw := strings.Repeat("\x01", size), strings.Repeat("\xff", size)
	destination := bridge.Destination{Kind: bridge.Queue, Name: controls}
	named := func(v bridge.Value) []bridge.Entry { return []bridge.Entry{{Name: "n", Value: v}} }
	for name, m := range map[string]bridge.Message{
		"headers":         {ID: controls, CorrelationID: controls, Type: controls, UserID: controls, GroupID: controls, Destination: destination, ReplyTo: destination},
		"text":            {Body: bridge.NewText(controls)},
		"bytes":           {Body: bridge.NewBytes(raw)},
		"object":          {Body: bridge.NewObject(raw)},
		"string property": {Properties: bridge.NewProperties(named(bridge.String(controls)))},
		"bytes property":  {Properties: bridge.NewProperties(named(bridge.Bytes(raw)))},
		"property name":   {Properties: bridge.NewProperties([]bridge.Entry{{Name: controls, Value: bridge.Byte(-1)}})},
		"map":             {Body: bridge.NewMap(named(bridge.MapValue(named(bridge.String(controls)))))},
		"stream":          {Body: bridge.NewStream(slices.Repeat([]bridge.Value{bridge.Double(-1.2345678901234567e-300)}, size))},
	} {
		data, err := envelope.Append(nil, &m)
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if bound := envelope.Bound(&m); bound < len(data) {
			t.Errorf("%s: bound %d, but %d bytes", name, bound, len(data))
		}
	}
}

func TestValuesAsText(t *testing.T) {
	cases := []struct {
		v    bridge.Value
		want string
	}{
		{bridge.String("a\"b"), `a"b`},
		{bridge.Long(math.MaxInt64), "9223372036854775807"},
		{bridge.Byte(-1), "-1"},
		{bridge.Boolean(true), "true"},
		{bridge.Double(2), "2.0"},
		{bridge.Double(math.NaN()), "NaN"},
		{bridge.Float(float32(math.Inf(-1))), "-Infinity"},
		{bridge.Char('"'), `"`},
		{bridge.Char(0xd800), "55296"},
		{bridge.Bytes("\x00\xff"), "AP8="},
		{bridge.Bytes(""), ""},
		{bridge.Null(), ""},
		{bridge.ListValue([]bridge.Value{bridge.Int(1), bridge.String("x")}), `[1,"x"]`},
	}
	for _, c := range cases {
		got, err := envelope.AppendValue([]byte("-"), c.v)
		if err != nil || string(got) != "-"+c.want {
			t.Errorf("%s %v: got %q, %v; want %q", c.v.Type(), c.v, got, err, "-"+c.want)
		}
	}
	if _, err := envelope.AppendValue(nil, bridge.String("\xff")); err == nil {
		t.Error("invalid UTF-8 is accepted")
	}
	if got := string(envelope.AppendInstant([]byte("at "), time.UnixMilli(1795341276729))); got != "at 2026-11-22T09:54:36.729Z" {
		t.Errorf("got %q", got)
	}
}

// TestEscapesAtEveryPlace: eight bytes are looked at together.
func TestEscapesAtEveryPlace(t *testing.T) {
	for c := range 0x80 {
		for at := range 20 {
			text := strings.Repeat("é", 2) + strings.Repeat("x", at) + string(rune(c)) + strings.Repeat("y", 20-at)
			data, err := envelope.AppendContent(nil, bridge.NewText(text))
			if err != nil {
				t.Fatal(err)
			}
			var back string
			if err := json.Unmarshal(data, &back); err != nil || back != text {
				t.Fatalf("%q became %s: %v", text, data, err)
			}
		}
	}
}
