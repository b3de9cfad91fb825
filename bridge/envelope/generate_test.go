package envelope_test

import (
	"math"
	"strings"
	"time"

	"pgregory.net/rapid"

	"github.com/jmsbridge/jmsbridge/bridge"
)

// words are strings that JSON, JSON Pointers or the rules of the envelope could get wrong.
var words = rapid.OneOf(
	rapid.String(),
	rapid.SampledFrom([]string{
		"", "null", "true", "12", "1.5", "NaN", "a/b", "a~b", "~1", "a.b", "x y", "\"", "\\", "\\u0000", "\x00", "\x1f\x7f", "\u2028\u2029",
		"</script>&", "😀", "\ufffd", "é", "\t\r\n\b\f", "0", "ID:host-1:2:3:4",
	}),
)

var chars = rapid.OneOf(rapid.Uint16(), rapid.SampledFrom([]uint16{0, '"', '\\', 0xd800, 0xdbff, 0xdc00, 0xdfff, 0xfffe, 0xffff}))

var raws = rapid.Map(rapid.SliceOf(rapid.Byte()), func(b []byte) string { return string(b) })

// javaDouble makes every NaN the one that Java has.
func javaDouble(f float64) bridge.Value {
	if math.IsNaN(f) {
		return bridge.Double(math.Float64frombits(0x7ff8000000000000))
	}
	return bridge.Double(f)
}

func javaFloat(f float32) bridge.Value {
	if f != f {
		return bridge.Float(math.Float32frombits(0x7fc00000))
	}
	return bridge.Float(f)
}

func values(depth int) *rapid.Generator[bridge.Value] {
	kinds := []*rapid.Generator[bridge.Value]{
		rapid.Just(bridge.Null()),
		rapid.Map(rapid.Bool(), bridge.Boolean),
		rapid.Map(rapid.Int8(), bridge.Byte),
		rapid.Map(rapid.Int16(), bridge.Short),
		rapid.Map(rapid.Int32(), bridge.Int),
		rapid.Map(rapid.OneOf(rapid.Int64(), rapid.SampledFrom([]int64{
			1 << 53, 1<<53 + 1, -1 << 53, -1<<53 - 1, math.MaxInt64, math.MinInt64,
		})), bridge.Long),
		rapid.Map(rapid.OneOf(rapid.Float32(), rapid.SampledFrom([]float32{
			0, float32(math.Copysign(0, -1)), float32(math.Inf(1)), float32(math.Inf(-1)), float32(math.NaN()), 2, 1.1, math.MaxFloat32, math.SmallestNonzeroFloat32,
		})), javaFloat),
		rapid.Map(rapid.OneOf(rapid.Float64(), rapid.Map(rapid.Uint64(), math.Float64frombits), rapid.SampledFrom([]float64{
			0, math.Copysign(0, -1), math.Inf(1), math.Inf(-1), math.NaN(), 2, 1e21, 1e-7, math.MaxFloat64, math.SmallestNonzeroFloat64,
		})), javaDouble),
		rapid.Map(chars, bridge.Char),
		rapid.Map(words, bridge.String),
		rapid.Map(raws, bridge.Bytes),
	}
	if depth > 0 {
		kinds = append(kinds, rapid.Map(entries(depth-1), bridge.MapValue), rapid.Map(lists(depth-1), bridge.ListValue))
	}
	return rapid.OneOf(kinds...)
}

func lists(depth int) *rapid.Generator[[]bridge.Value] { return rapid.SliceOfN(values(depth), 0, 20) }

func entries(depth int) *rapid.Generator[[]bridge.Entry] {
	one := rapid.Custom(func(t *rapid.T) bridge.Entry {
		return bridge.Entry{Name: words.Draw(t, "name"), Value: values(depth).Draw(t, "value")}
	})
	return rapid.SliceOfNDistinct(one, 0, 20, func(e bridge.Entry) string { return e.Name })
}

func bodies() *rapid.Generator[bridge.Body] {
	return rapid.Custom(func(t *rapid.T) bridge.Body {
		b := rapid.OneOf(
			rapid.Just(bridge.Body{}),
			rapid.Map(words, bridge.NewText),
			rapid.Map(raws, bridge.NewBytes),
			rapid.Map(raws, bridge.NewObject),
			rapid.Map(entries(3), bridge.NewMap),
			rapid.Map(lists(3), bridge.NewStream),
		).Draw(t, "body")
		if rapid.Bool().Draw(t, "inferred") {
			b = b.Inferred()
		}
		return b
	})
}

// instants are zero, or any number of milliseconds that a Java long holds.
var instants = rapid.OneOf(
	rapid.Just(time.Time{}),
	rapid.Map(rapid.Int64Range(0, 4e12), time.UnixMilli),
	rapid.Map(rapid.OneOf(rapid.Int64(), rapid.SampledFrom([]int64{math.MaxInt64, math.MinInt64, -62135596800001, -62167219200001, 253402300799999, 253402300800000})), time.UnixMilli),
)

var destinations = rapid.Custom(func(t *rapid.T) bridge.Destination {
	kind := rapid.SampledFrom([]bridge.DestinationKind{bridge.NoDestination, bridge.Queue, bridge.Topic, bridge.TempQueue, bridge.TempTopic}).Draw(t, "kind")
	if kind == bridge.NoDestination {
		return bridge.Destination{}
	}
	return bridge.Destination{Kind: kind, Name: words.Filter(func(s string) bool { return s != "" }).Draw(t, "name")}
})

func messages() *rapid.Generator[*bridge.Message] {
	return rapid.Custom(func(t *rapid.T) *bridge.Message {
		return &bridge.Message{
			ID: words.Draw(t, "id"), CorrelationID: words.Draw(t, "correlation"), Type: words.Draw(t, "type"), UserID: words.Draw(t, "user"),
			Destination: destinations.Draw(t, "destination"), ReplyTo: destinations.Draw(t, "reply to"),
			Timestamp: instants.Draw(t, "timestamp"), Expiration: instants.Draw(t, "expiration"),
			Priority: rapid.Byte().Draw(t, "priority"), Persistent: rapid.Bool().Draw(t, "persistent"),
			Redelivered: rapid.Bool().Draw(t, "redelivered"), DeliveryCount: rapid.IntRange(0, math.MaxInt).Draw(t, "count"),
			GroupID: words.Draw(t, "group"), GroupSeq: rapid.Int32().Draw(t, "sequence"),
			Properties: bridge.NewProperties(entries(2).Draw(t, "properties")), Body: bodies().Draw(t, "body"),
		}
	})
}

// nested returns a list inside lists, n levels of them.
func nested(n int) bridge.Value {
	v := bridge.ListValue(nil)
	for range n - 1 {
		v = bridge.ListValue([]bridge.Value{v})
	}
	return v
}

func nestedJSON(n int) string { return strings.Repeat("[", n) + strings.Repeat("]", n) }
