package eventbridge_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/credentials"
	"go.uber.org/goleak"

	"github.com/jmsbridge/jmsbridge/bridge"
	"github.com/jmsbridge/jmsbridge/bridge/stage"
	"github.com/jmsbridge/jmsbridge/connectors/aws"
	"github.com/jmsbridge/jmsbridge/connectors/aws/awslocal"
	"github.com/jmsbridge/jmsbridge/connectors/aws/eventbridge"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// endpoint is one without a socket, with a bus, prices, whose events all go to the queue of that name.
func endpoint(t testing.TB, o awslocal.Options) *awslocal.Endpoint {
	t.Helper()
	e := awslocal.New(o, "http://aws.test")
	t.Cleanup(func() { _ = e.Close() })
	if _, err := e.CreateQueue(awslocal.QueueOptions{Name: "prices"}); err != nil {
		t.Fatal(err)
	}
	if _, err := e.CreateBus("prices"); err != nil {
		t.Fatal(err)
	}
	err := e.CreateRule(awslocal.RuleOptions{Name: "all", Bus: "prices", Targets: []awslocal.EventTarget{{ARN: e.QueueARN("prices")}}})
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// clientOf reaches what trip serves.
func clientOf(trip http.RoundTripper) *aws.Client {
	return aws.NewClient(aws.Settings{
		EndpointURL: "http://events.test", Region: "us-east-1", RoundTripper: trip,
		Credentials: staticKeys,
	})
}

func template(t testing.TB, text string) *stage.Template {
	t.Helper()
	made, err := stage.ParseTemplate(text)
	if err != nil {
		t.Fatal(err)
	}
	return made
}

// settings are for the bus prices and fixed names.
func settings(t testing.TB, trip http.RoundTripper) eventbridge.SinkSettings {
	return eventbridge.SinkSettings{
		Client: clientOf(trip), Bus: template(t, "prices"), Source: template(t, "mq.prices"), DetailType: template(t, "price"), ObjectBase64: true,
	}
}

// connected returns a sink that is connected, and closed at the end.
func connected(t testing.TB, set eventbridge.SinkSettings) *eventbridge.Sink {
	t.Helper()
	s, err := eventbridge.NewSink(set)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close(context.Background()) })
	if err := s.Connect(t.Context()); err != nil {
		t.Fatal(err)
	}
	return s
}

func unanswered(n int) []bridge.Result {
	res := make([]bridge.Result, n)
	for i := range res {
		res[i].Err = bridge.ErrUnanswered
	}
	return res
}

// outgoing are messages as the engine hands them over.
func outgoing(messages ...*bridge.Message) []bridge.Outgoing {
	out := make([]bridge.Outgoing, len(messages))
	for i, m := range messages {
		out[i].Message = m
	}
	return out
}

// send sends messages, and fails the test unless the call as a whole succeeds.
func send(t testing.TB, s *eventbridge.Sink, batch ...bridge.Outgoing) []bridge.Result {
	t.Helper()
	res := unanswered(len(batch))
	if err := s.Send(t.Context(), batch, res); err != nil {
		t.Fatal(err)
	}
	return res
}

// sent sends one message, and returns the entry that the endpoint got.
func sent(t testing.TB, e *awslocal.Endpoint, s *eventbridge.Sink, o bridge.Outgoing) *awslocal.Record {
	t.Helper()
	before := len(e.Log().Events(""))
	res := send(t, s, o)
	if res[0].Err != nil {
		t.Fatal(res[0].Err)
	}
	all := e.Log().Events("")
	if len(all) != before+1 || all[before].MessageID != res[0].ID {
		t.Fatalf("%d entries were put, and the result's id is %q", len(all)-before, res[0].ID)
	}
	return &all[before]
}

func text(s string) *bridge.Message {
	return &bridge.Message{ID: "ID:host-1:1", Priority: 4, Persistent: true, Body: bridge.NewText(s)}
}

func batchOf(n int) []bridge.Outgoing {
	messages := make([]*bridge.Message, n)
	for i := range messages {
		messages[i] = text(fmt.Sprintf(`{"n":%d}`, i))
	}
	return outgoing(messages...)
}

// want fails unless an error has this class, and this code when one is given.
func want(t testing.TB, err error, class bridge.Class, code string) {
	t.Helper()
	var e *bridge.Error
	switch {
	case err == nil:
		t.Errorf("no error, want %v", class)
	case !errors.As(err, &e) || e.Class != class || code != "" && e.Code != code:
		t.Errorf("%v is %v, want %v %s", err, bridge.ClassOf(err), class, code)
	}
}

var staticKeys = credentials.NewStaticCredentialsProvider("AKIDTEST", "secret", "")

var instant = time.UnixMilli(1700000000123)
