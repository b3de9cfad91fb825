package lambda_test

import (
	"encoding/json"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/jmsbridge/jmsbridge/bridge"
	"github.com/jmsbridge/jmsbridge/connectors/aws"
	"github.com/jmsbridge/jmsbridge/connectors/aws/awslocal"
	"github.com/jmsbridge/jmsbridge/connectors/aws/lambda"
)

var words = rapid.OneOf(rapid.String(), rapid.SampledFrom([]string{"", "\"", "\\", "\x00", "\u2028", "<&>", "😀", "é", strings.Repeat("x", 300)}))

var raws = rapid.Map(rapid.SliceOf(rapid.Byte()), func(b []byte) string { return string(b) })

var values = rapid.OneOf(
	rapid.Just(bridge.Null()), rapid.Map(rapid.Bool(), bridge.Boolean), rapid.Map(rapid.Int8(), bridge.Byte), rapid.Map(rapid.Int64(), bridge.Long),
	rapid.Map(rapid.Float32(), bridge.Float), rapid.Map(rapid.Float64(), bridge.Double), rapid.Map(rapid.Uint16(), bridge.Char),
	rapid.Map(words, bridge.String), rapid.Map(raws, bridge.Bytes),
	rapid.Map(words, func(s string) bridge.Value { return bridge.ListValue([]bridge.Value{bridge.String(s)}) }),
)

var entries = rapid.Map(rapid.MapOfN(words, values, 0, 8), func(m map[string]bridge.Value) (out []bridge.Entry) {
	for name, v := range m {
		out = append(out, bridge.Entry{Name: name, Value: v})
	}
	return out
})

var bodyOf = rapid.OneOf(
	rapid.Map(words, bridge.NewText), rapid.Map(raws, bridge.NewBytes), rapid.Map(raws, bridge.NewObject), rapid.Map(entries, bridge.NewMap),
	rapid.Map(rapid.SliceOfN(values, 0, 8), bridge.NewStream), rapid.Just(bridge.Body{}), rapid.Just(bridge.NewText(`{"a":1}`)),
)

var flat = rapid.OneOf(rapid.Map(words, bridge.NewText), rapid.Map(raws, bridge.NewBytes))

func messageOf(r *rapid.T, b *rapid.Generator[bridge.Body]) *bridge.Message {
	m := &bridge.Message{
		ID: words.Draw(r, "id"), CorrelationID: words.Draw(r, "correlation"), Type: words.Draw(r, "type"), GroupID: words.Draw(r, "group"),
		Destination: bridge.Destination{Kind: bridge.Topic, Name: "x" + words.Draw(r, "destination")}, Priority: rapid.Uint8Max(9).Draw(r, "priority"),
		Redelivered: rapid.Bool().Draw(r, "redelivered"), DeliveryCount: rapid.IntRange(0, 12).Draw(r, "count"),
		Properties: bridge.NewProperties(entries.Draw(r, "properties")), Body: b.Draw(r, "body"),
	}
	if rapid.Bool().Draw(r, "timed") {
		m.Timestamp, m.Expiration = instant, instant.AddDate(0, 0, 1)
		m.ReplyTo = bridge.Destination{Kind: bridge.Queue, Name: "r" + words.Draw(r, "reply")}
	}
	return m
}

func TestABatchThatFitsByItsSizesFitsIntoACall(t *testing.T) {
	for name, set := range map[string]lambda.SinkSettings{
		"envelope": {}, "envelopes": {Messages: 10}, "body": {Payload: lambda.Body}, "event": {Payload: lambda.ActiveMQ}, "events": {Payload: lambda.ActiveMQ, Messages: 10},
		"long arn": {Payload: lambda.ActiveMQ, Messages: 10, SourceARN: "arn:" + strings.Repeat("\"ü\x01", 500)},
	} {
		t.Run(name, func(t *testing.T) {
			e := local(t, func(o *awslocal.Options) { o.LogRecords = 10 })
			answers(t, e, "null")
			set.Client, set.Function, set.ObjectBase64 = client(t, e), "orders", true
			body := bodyOf
			if set.Payload == lambda.ActiveMQ {
				body = flat
			}
			s := connected(t, e, func(out *lambda.SinkSettings) { *out = set })
			l := s.Limits()
			rapid.Check(t, func(r *rapid.T) {
				var messages []*bridge.Message
				// What is not in the limit of a call's bytes is the frame.
				bound := 6<<20 - l.Bytes
				for range rapid.IntRange(1, l.Messages).Draw(r, "messages") {
					m := messageOf(r, body)
					n, err := s.Size(&bridge.Outgoing{Message: m})
					if err != nil {
						r.Fatal(err)
					}
					messages = append(messages, m)
					bound += n + l.Overhead
				}
				if res, err := send(t, s, messages...); err != nil || res[0].Err != nil {
					r.Fatal(err, res[0].Err)
				}
				all := bodies(e)
				got := all[len(all)-1]
				if len(got) > bound {
					r.Fatalf("%d bytes, %d by the sizes: %s", len(got), bound, got)
				}
				if len(got) < bound-len(messages)-2*len(messages) {
					r.Fatalf("%d bytes, %d by the sizes: they are not near: %s", len(got), bound, got)
				}
				if !json.Valid([]byte(got)) {
					r.Fatalf("no JSON: %s", got)
				}
			})
		})
	}
}

func TestTheLargestPayloadPassesAndOneByteMoreDoesNot(t *testing.T) {
	e := local(t, func(o *awslocal.Options) { o.LogWithoutBodies = true })
	answers(t, e, "null")
	for name, tt := range map[string]struct {
		change []func(*lambda.SinkSettings)
		most   int
	}{
		"synchronous":  {nil, 6 << 20},
		"asynchronous": {[]func(*lambda.SinkSettings){asEvent}, 1 << 20},
		"event of mq":  {[]func(*lambda.SinkSettings){payload(lambda.ActiveMQ), several(10), withARN}, 6 << 20},
	} {
		s := connected(t, e, tt.change...)
		l := s.Limits()
		size := func(n int) int {
			got, err := s.Size(&bridge.Outgoing{Message: &bridge.Message{Body: bridge.NewText(strings.Repeat("x", n))}})
			if err != nil {
				t.Fatal(err)
			}
			return got + l.Overhead
		}
		n := tt.most / 2
		for step := tt.most / 4; step > 0; step /= 2 { // the longest text that fits
			for size(n+step) <= l.Bytes {
				n += step
			}
		}
		e.Log().Reset()
		if _, err := send(t, s, &bridge.Message{Body: bridge.NewText(strings.Repeat("x", n))}); err != nil {
			t.Errorf("%s: %d bytes of %d: %v", name, size(n), l.Bytes, err)
		}
		for r := range e.Log().All() { // data of the event is base64
			if r.Action == "Invoke" && (r.BodySize > tt.most || r.BodySize <= tt.most-4 || r.BodySize != tt.most && !strings.HasPrefix(name, "event of")) {
				t.Errorf("%s: the largest payload has %d bytes, and Lambda takes %d", name, r.BodySize, tt.most)
			}
		}
		_, err := send(t, s, &bridge.Message{Body: bridge.NewText(strings.Repeat("x", n+8))})
		if bridge.ClassOf(err) != bridge.Permanent || bridge.AsError(err).Code != "RequestTooLargeException" {
			t.Errorf("%s: %v is %v", name, err, bridge.ClassOf(err))
		}
	}
}

func TestSettingsThatCannotWorkAreRefused(t *testing.T) {
	c := aws.NewClient(aws.Settings{})
	for name, set := range map[string]lambda.SinkSettings{
		"no client":            {Function: "f"},
		"no function":          {Client: c},
		"a name that is none":  {Client: c, Function: "a b"},
		"a long name":          {Client: c, Function: strings.Repeat("x", 65)},
		"an arn of a queue":    {Client: c, Function: "arn:aws:sqs:us-east-1:123456789012:f"},
		"an arn with a path":   {Client: c, Function: "arn:aws:lambda:us-east-1:123456789012:function:f/invocations?x="},
		"a broken qualifier":   {Client: c, Function: "f", Qualifier: "a&b"},
		"two qualifiers":       {Client: c, Function: "f:live", Qualifier: "test"},
		"many bodies":          {Client: c, Function: "f", Payload: lambda.Body, Messages: 2},
		"a broker's long arn":  {Client: c, Function: "f", SourceARN: strings.Repeat("x", 3000)},
		"a broker's odd arn":   {Client: c, Function: "f", SourceARN: "\xff"},
		"no room for a header": {Client: c, Function: "f", Payload: lambda.ActiveMQ, SourceARN: brokerARN, Bytes: 100},
	} {
		if s, err := lambda.NewSink(set); err == nil {
			t.Errorf("%s is taken, with %d bytes a call", name, s.Limits().Bytes)
		}
	}
	for _, name := range []string{
		"f", "f:live", "f:$LATEST", "arn:aws:lambda:us-east-1:123456789012:function:f", "arn:aws-us-gov:lambda:us-gov-west-1:123456789012:function:f:7", "123456789012:function:f",
	} {
		if _, err := lambda.NewSink(lambda.SinkSettings{Client: c, Function: name}); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}
