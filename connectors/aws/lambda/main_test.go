package lambda_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/credentials"
	"go.uber.org/goleak"

	"github.com/jmsbridge/jmsbridge/bridge"
	"github.com/jmsbridge/jmsbridge/connectors/aws"
	"github.com/jmsbridge/jmsbridge/connectors/aws/awslocal"
	"github.com/jmsbridge/jmsbridge/connectors/aws/lambda"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	keyID  = "AKIDEXAMPLEEXAMPLE"
	secret = "wJalrXUtnFEMI-example"
	token  = "session-token-example"
)

// local returns an endpoint in memory, which checks signatures; it works in virtual time too.
func local(t testing.TB, change ...func(*awslocal.Options)) *awslocal.Endpoint {
	t.Helper()
	o := awslocal.Options{Keys: []awslocal.Key{{ID: keyID, Secret: secret, SessionToken: token}}}
	for _, f := range change {
		f(&o)
	}
	e := awslocal.New(o, "http://lambda.test")
	t.Cleanup(func() {
		if err := e.Close(); err != nil {
			t.Error(err)
		}
	})
	return e
}

// client returns a client of an endpoint in memory.
func client(t testing.TB, e *awslocal.Endpoint, change ...func(*aws.Settings)) *aws.Client {
	t.Helper()
	set := aws.Settings{
		EndpointURL: e.URL(), Region: e.Region(), RoundTripper: e.Transport(), Credentials: credentials.NewStaticCredentialsProvider(keyID, secret, token),
	}
	for _, f := range change {
		f(&set)
	}
	c := aws.NewClient(set)
	t.Cleanup(c.Close)
	return c
}

func create(t testing.TB, e *awslocal.Endpoint, o awslocal.FunctionOptions) {
	t.Helper()
	if o.Name == "" {
		o.Name = "orders"
	}
	if err := e.CreateFunction(o); err != nil {
		t.Fatal(err)
	}
}

// answers makes a function that answers the same each time.
func answers(t testing.TB, e *awslocal.Endpoint, result string) {
	t.Helper()
	create(t, e, awslocal.FunctionOptions{Handler: func(context.Context, []byte) ([]byte, error) { return []byte(result), nil }})
}

// connected returns a sink of the function orders, which is connected, and closed at the end.
func connected(t testing.TB, e *awslocal.Endpoint, change ...func(*lambda.SinkSettings)) *lambda.Sink {
	t.Helper()
	set := lambda.SinkSettings{Client: client(t, e), Function: "orders"}
	for _, f := range change {
		f(&set)
	}
	s, err := lambda.NewSink(set)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close(context.Background()) })
	if err := s.Connect(t.Context()); err != nil {
		t.Fatal(err)
	}
	return s
}

func several(n int) func(*lambda.SinkSettings) {
	return func(s *lambda.SinkSettings) { s.Messages = n }
}

func payload(p lambda.Payload) func(*lambda.SinkSettings) {
	return func(s *lambda.SinkSettings) { s.Payload = p }
}

func asEvent(s *lambda.SinkSettings) { s.Event = true }

func unanswered(n int) []bridge.Result {
	res := make([]bridge.Result, n)
	for i := range res {
		res[i].Err = bridge.ErrUnanswered
	}
	return res
}

// send sends messages; the error is the call's, or of the only message.
func send(t testing.TB, s *lambda.Sink, messages ...*bridge.Message) ([]bridge.Result, error) {
	t.Helper()
	out := make([]bridge.Outgoing, len(messages))
	for i, m := range messages {
		out[i].Message = m
	}
	res := unanswered(len(out))
	err := s.Send(t.Context(), out, res)
	if err == nil && len(res) == 1 {
		err = res[0].Err
	}
	if err != nil {
		for _, hidden := range []string{keyID, secret, token} {
			if strings.Contains(err.Error(), hidden) {
				t.Errorf("%q shows %q", err, hidden)
			}
		}
	}
	return res, err
}

// numbered are n texts with ids ID:0, ID:1, ….
func numbered(n int) []*bridge.Message {
	out := make([]*bridge.Message, n)
	for i := range out {
		out[i] = &bridge.Message{ID: fmt.Sprint("ID:", i), Priority: 4, Timestamp: instant, Body: bridge.NewText(fmt.Sprint("text ", i))}
	}
	return out
}

var instant = time.UnixMilli(1700000000123)

// bodies are what the function was called with.
func bodies(e *awslocal.Endpoint) (out []string) {
	for r := range e.Log().All() {
		if r.Action == "Invoke" {
			out = append(out, r.Body)
		}
	}
	return out
}
