package sqs_test

import (
	"math"
	"strings"
	"time"

	"pgregory.net/rapid"

	"github.com/jmsbridge/jmsbridge/bridge"
)

// words are strings that SQS, JSON or our own names could get wrong.
var words = rapid.OneOf(
	rapid.String(),
	rapid.StringMatching(`[A-Za-z0-9_.-]{1,12}`),
	rapid.SampledFrom([]string{
		"", " ", "null", "12", "1.5", "\"", "\\", "\x00", "\x1f\x7f", "\u2028", "</a>&", "😀", "\ufffd", "\ufffe", "a\uffffb", "é\ufffe\ufffe",
		"\t\r\n\b\f", "12345678\"", "1234567\\", "1234567é", "0123456789abcdef\x01", strings.Repeat("x", 300),
	}),
)

// names are words, and names that are taken or that SQS refuses.
var names = rapid.OneOf(words, rapid.SampledFrom([]string{
	"MessageID", "CorrelationID", "ReplyTo", "JMSType", "JMSXGroupID", "JMSTimestamp", "JMSRedelivered", "JMS_SQSMessageType", "JMSX", "JMS",
	"jmsbridge.more", "jmsbridge.encoding", "jmsbridge.x", "AWS.x", "aws.trace", "Amazon.", "ExtendedPayloadSize", ".a", "a.", "a..b", "traceparent",
	"AWSTraceHeader", "J", "M", "order.id", "a/b~c", "ordine-è", bridge.DeadRoute, bridge.DeadError,
}))

var raws = rapid.Map(rapid.SliceOf(rapid.Byte()), func(b []byte) string { return string(b) })

func values(depth int) *rapid.Generator[bridge.Value] {
	kinds := []*rapid.Generator[bridge.Value]{
		rapid.Just(bridge.Null()),
		rapid.Map(rapid.Bool(), bridge.Boolean),
		rapid.Map(rapid.Int8(), bridge.Byte),
		rapid.Map(rapid.Int16(), bridge.Short),
		rapid.Map(rapid.Int32(), bridge.Int),
		rapid.Map(rapid.Int64(), bridge.Long),
		rapid.Map(rapid.OneOf(rapid.Float32(), rapid.SampledFrom([]float32{
			float32(math.Copysign(0, -1)), float32(math.Inf(1)), 2, 1.1, math.MaxFloat32, math.SmallestNonzeroFloat32,
		})), bridge.Float),
		rapid.Map(rapid.OneOf(rapid.Float64(), rapid.SampledFrom([]float64{
			math.Copysign(0, -1), math.Inf(-1), 2, 1e21, 1e-7, 1e126, 1.1e126, 1e-128, 9e-129, 123456789012345680000, math.MaxFloat64, math.SmallestNonzeroFloat64,
		})), bridge.Double),
		rapid.Just(bridge.Double(math.Float64frombits(0x7ff8000000000000))),
		rapid.Map(rapid.Uint16(), bridge.Char),
		rapid.Map(words, bridge.String),
		rapid.Map(words, bridge.String),
		rapid.Map(raws, bridge.Bytes),
	}
	if depth > 0 {
		kinds = append(kinds, rapid.Map(entries(depth-1), bridge.MapValue), rapid.Map(lists(depth-1), bridge.ListValue))
	}
	return rapid.OneOf(kinds...)
}

func lists(depth int) *rapid.Generator[[]bridge.Value] { return rapid.SliceOfN(values(depth), 0, 12) }

func entries(depth int) *rapid.Generator[[]bridge.Entry] {
	one := rapid.Custom(func(t *rapid.T) bridge.Entry {
		return bridge.Entry{Name: names.Draw(t, "name"), Value: values(depth).Draw(t, "value")}
	})
	return rapid.SliceOfNDistinct(one, 0, 16, func(e bridge.Entry) string { return e.Name })
}

var bodies = rapid.Custom(func(t *rapid.T) bridge.Body {
	b := rapid.OneOf(
		rapid.Just(bridge.Body{}),
		rapid.Map(words, bridge.NewText),
		rapid.Map(words, bridge.NewText),
		rapid.Map(raws, bridge.NewBytes),
		rapid.Map(raws, bridge.NewObject),
		rapid.Map(entries(2), bridge.NewMap),
		rapid.Map(lists(2), bridge.NewStream),
	).Draw(t, "body")
	if rapid.Bool().Draw(t, "inferred") {
		b = b.Inferred()
	}
	return b
})

var instants = rapid.OneOf(
	rapid.Just(time.Time{}),
	rapid.Map(rapid.Int64Range(0, 4e12), time.UnixMilli),
	rapid.Map(rapid.SampledFrom([]int64{math.MaxInt64, math.MinInt64, -1, 253402300800000}), time.UnixMilli),
)

var destinations = rapid.Custom(func(t *rapid.T) bridge.Destination {
	kind := rapid.SampledFrom([]bridge.DestinationKind{bridge.NoDestination, bridge.Queue, bridge.Topic, bridge.TempQueue, bridge.TempTopic}).Draw(t, "kind")
	if kind == bridge.NoDestination {
		return bridge.Destination{}
	}
	return bridge.Destination{Kind: kind, Name: words.Filter(func(s string) bool { return s != "" }).Draw(t, "name")}
})

var messages = rapid.Custom(func(t *rapid.T) *bridge.Message {
	return &bridge.Message{
		ID: words.Draw(t, "id"), CorrelationID: words.Draw(t, "correlation"), Type: words.Draw(t, "type"), UserID: words.Draw(t, "user"),
		Destination: destinations.Draw(t, "destination"), ReplyTo: destinations.Draw(t, "reply to"),
		Timestamp: instants.Draw(t, "timestamp"), Expiration: instants.Draw(t, "expiration"),
		Priority: rapid.Uint8Range(0, 9).Draw(t, "priority"), Persistent: rapid.Bool().Draw(t, "persistent"),
		Redelivered: rapid.Bool().Draw(t, "redelivered"), DeliveryCount: rapid.IntRange(0, 9).Draw(t, "count"),
		GroupID: words.Draw(t, "group"), GroupSeq: rapid.Int32().Draw(t, "sequence"),
		Properties: bridge.NewProperties(entries(2).Draw(t, "properties")), Body: bodies.Draw(t, "body"),
	}
})

// diagnoses are nothing, or what the engine adds to a dead letter.
var diagnoses = rapid.Custom(func(t *rapid.T) bridge.Properties {
	if rapid.Bool().Draw(t, "delivered") {
		return bridge.Properties{}
	}
	all := []bridge.Entry{
		{Name: bridge.DeadRoute, Value: bridge.String("orders")},
		{Name: bridge.DeadTarget, Value: bridge.String("sqs")},
		{Name: bridge.DeadErrorClass, Value: bridge.String("permanent")},
		{Name: bridge.DeadError, Value: bridge.String(words.Draw(t, "error"))},
		{Name: bridge.DeadAttempts, Value: bridge.Int(5)},
		{Name: bridge.DeadFirstTime, Value: bridge.Long(1)},
		{Name: bridge.DeadLastTime, Value: bridge.Long(2)},
		{Name: bridge.DeadErrorCode, Value: bridge.String("InvalidMessageContents")},
		{Name: bridge.DeadRequestID, Value: bridge.String("1-2-3")},
		{Name: bridge.DeadDestination, Value: bridge.String("queue:orders")},
		{Name: "reply_token", Value: bridge.String("x")},
	}
	return bridge.NewProperties(all[:rapid.IntRange(1, len(all)).Draw(t, "extras")])
})
