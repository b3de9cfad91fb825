package sqs_test

import (
	"testing"

	"pgregory.net/rapid"

	"github.com/jmsbridge/jmsbridge/bridge"
	"github.com/jmsbridge/jmsbridge/connectors/aws"
	"github.com/jmsbridge/jmsbridge/connectors/aws/awslocal"
	"github.com/jmsbridge/jmsbridge/connectors/aws/sqs"
)

// inMemory returns an endpoint without a socket and a client of it.
func inMemory(t testing.TB) (*awslocal.Endpoint, *aws.Client) {
	t.Helper()
	e := awslocal.New(awslocal.Options{LogRecords: 1}, "http://sqs.test")
	t.Cleanup(func() { _ = e.Close() })
	return e, clientFor(t, e, func(s *aws.Settings) { s.RoundTripper = e.Transport() })
}

// sameMessage compares what arrived with what was sent, with the engine's additions over it.
func sameMessage(t *rapid.T, got, want *bridge.Message, extra bridge.Properties) {
	expected := *want
	for name, v := range extra.All() {
		expected.Properties = expected.Properties.With(name, v)
	}
	if !got.Properties.Equal(expected.Properties) {
		t.Fatalf("properties\n%+v\nwere\n%+v", got.Properties, expected.Properties)
	}
	if !got.Body.Equal(expected.Body) || got.Body.IsInferred() != expected.Body.IsInferred() {
		t.Fatalf("body %+v was %+v", got.Body, expected.Body)
	}
	if !got.Timestamp.Equal(expected.Timestamp) || !got.Expiration.Equal(expected.Expiration) {
		t.Fatalf("times %v %v were %v %v", got.Timestamp, got.Expiration, expected.Timestamp, expected.Expiration)
	}
	type headers struct {
		id, correlation, kind, user, group string
		to, reply                          bridge.Destination
		priority                           uint8
		persistent, redelivered            bool
		seq                                int32
	}
	of := func(m *bridge.Message) headers {
		return headers{m.ID, m.CorrelationID, m.Type, m.UserID, m.GroupID, m.Destination, m.ReplyTo, m.Priority, m.Persistent, m.Redelivered, m.GroupSeq}
	}
	if of(got) != of(&expected) {
		t.Fatalf("headers\n%+v\nwere\n%+v", of(got), of(&expected))
	}
}

func TestThereAndBackLosesNothing(t *testing.T) {
	for _, queueName := range []string{"orders", "orders.fifo"} {
		for _, form := range []string{"body", "envelope"} {
			t.Run(queueName+"/"+form, func(t *testing.T) {
				e, client := inMemory(t)
				queue(t, e, queueName, nil)
				named := []string{"order.id", "JMSPriority", "JMSXGroupID", "x"}
				s := connected(t, sqs.SinkSettings{
					Client: client, Queue: queueName, Envelope: form == "envelope", ObjectBase64: true, Attributes: named,
				})
				rapid.Check(t, func(r *rapid.T) {
					m, extra := messages.Draw(r, "message"), diagnoses.Draw(r, "extra")
					o := bridge.Outgoing{Message: m, Group: words.Draw(r, "group"), Extra: extra}
					size, err := s.Size(&o)
					if err != nil {
						r.Fatal(err)
					}
					res := unanswered(1)
					if err := s.Send(t.Context(), []bridge.Outgoing{o}, res); err != nil {
						r.Fatal(err)
					}
					if res[0].Err != nil {
						r.Fatal(res[0].Err)
					}
					got := e.Drain(queueName)
					if len(got) != 1 {
						r.Fatalf("%d messages arrived", len(got))
					}
					counted := len(got[0].Body)
					attributes := map[string]sqs.Attribute{}
					for name, a := range got[0].Attributes {
						attributes[name] = sqs.Attribute{DataType: a.DataType, StringValue: a.StringValue, BinaryValue: a.BinaryValue}
						counted += len(name) + len(a.DataType) + len(a.StringValue)
					}
					if size < counted {
						r.Fatalf("size %d, but SQS counts %d", size, counted)
					}
					back, err := sqs.Decode(got[0].Body, attributes)
					if err != nil {
						r.Fatal(err)
					}
					sameMessage(r, back, m, extra)
				})
			})
		}
	}
}
