package stage_test

import (
	"math"
	"time"

	"pgregory.net/rapid"

	"github.com/jmsbridge/jmsbridge/bridge"
	"github.com/jmsbridge/jmsbridge/bridge/envelope"
)

// words are strings that JSON, JSON Pointers, jq or patterns could get wrong.
var words = rapid.OneOf(
	rapid.String(),
	rapid.SampledFrom([]string{
		"", "null", "true", "12", "1.5", "NaN", "Infinity", "a/b", "a~b", "~1", "a.b", "x y", "\"", "\\", "\\(.)", "\x00", "\x1f\x7f", "\u2028",
		"</script>&", "😀", "\ufffd", "é", "ſ", "K", "*", "**", "a*b", "prefix", "$or", "10.0.0.1", "::1", "queue:a", "0",
	}),
)

var raws = rapid.Map(rapid.SliceOfN(rapid.Byte(), 0, 20), func(b []byte) string { return string(b) })

func scalars() *rapid.Generator[bridge.Value] {
	return rapid.OneOf(
		rapid.Just(bridge.Null()),
		rapid.Map(rapid.Bool(), bridge.Boolean),
		rapid.Map(rapid.Int8(), bridge.Byte),
		rapid.Map(rapid.Int16(), bridge.Short),
		rapid.Map(rapid.Int32(), bridge.Int),
		longs, floats, doubles,
		rapid.Map(rapid.OneOf(rapid.Uint16(), rapid.SampledFrom([]uint16{0, '"', 0xd800, 0xdfff, 0xffff})), bridge.Char),
		rapid.Map(words, bridge.String),
		rapid.Map(raws, bridge.Bytes),
	)
}

var (
	longs = rapid.Map(rapid.OneOf(rapid.Int64(), rapid.SampledFrom([]int64{1 << 53, 1<<53 + 1, -1<<53 - 1, math.MaxInt64, math.MinInt64, 300, 0})), bridge.Long)

	floats = rapid.Map(rapid.OneOf(rapid.Float32(), rapid.SampledFrom([]float32{
		0, float32(math.Copysign(0, -1)), float32(math.Inf(1)), 2, 1.1, 300, math.MaxFloat32, math.SmallestNonzeroFloat32,
	})), bridge.Float)

	doubles = rapid.Map(rapid.OneOf(rapid.Float64(), rapid.SampledFrom([]float64{
		0, math.Copysign(0, -1), math.Inf(1), math.Inf(-1), 2, 300, 1e21, 1e-7, math.MaxFloat64, math.SmallestNonzeroFloat64,
	})), func(f float64) bridge.Value {
		if math.IsNaN(f) {
			f = 0
		}
		return bridge.Double(f)
	})
)

func values(depth int) *rapid.Generator[bridge.Value] {
	if depth == 0 {
		return scalars()
	}
	return rapid.OneOf(
		scalars(),
		rapid.Map(entries(depth-1), bridge.MapValue),
		rapid.Map(rapid.SliceOfN(values(depth-1), 0, 5), bridge.ListValue),
	)
}

func entries(depth int) *rapid.Generator[[]bridge.Entry] {
	one := rapid.Custom(func(t *rapid.T) bridge.Entry {
		return bridge.Entry{Name: words.Draw(t, "name"), Value: values(depth).Draw(t, "value")}
	})
	return rapid.SliceOfNDistinct(one, 0, 8, func(e bridge.Entry) string { return e.Name })
}

func bodies() *rapid.Generator[bridge.Body] {
	return rapid.Custom(func(t *rapid.T) bridge.Body {
		b := rapid.OneOf(
			rapid.Just(bridge.Body{}),
			rapid.Map(words, bridge.NewText),
			rapid.Map(raws, bridge.NewBytes),
			rapid.Map(raws, bridge.NewObject),
			rapid.Map(entries(2), bridge.NewMap),
			rapid.Map(rapid.SliceOfN(values(2), 0, 5), bridge.NewStream),
		).Draw(t, "body")
		if rapid.Bool().Draw(t, "inferred") {
			b = b.Inferred()
		}
		return b
	})
}

var instants = rapid.OneOf(
	rapid.Just(time.Time{}),
	rapid.Map(rapid.Int64Range(0, 4e12), time.UnixMilli),
	rapid.Map(rapid.SampledFrom([]int64{math.MaxInt64, math.MinInt64, 253402300800000}), time.UnixMilli),
)

var destinations = rapid.Custom(func(t *rapid.T) bridge.Destination {
	kind := rapid.SampledFrom([]bridge.DestinationKind{bridge.NoDestination, bridge.Queue, bridge.Topic, bridge.TempQueue, bridge.TempTopic}).Draw(t, "kind")
	if kind == bridge.NoDestination {
		return bridge.Destination{}
	}
	return bridge.Destination{Kind: kind, Name: words.Filter(func(s string) bool { return s != "" }).Draw(t, "name")}
})

// writable draws messages that the envelope takes: it refuses names and texts that are no UTF-8, for instance.
func writable() *rapid.Generator[*bridge.Message] {
	return messages().Filter(func(m *bridge.Message) bool {
		_, err := envelope.Append(nil, m)
		return err == nil
	})
}

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
