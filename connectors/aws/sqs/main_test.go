package sqs_test

import (
	"context"
	"net/http"
	"testing"

	sdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	sqsapi "github.com/aws/aws-sdk-go-v2/service/sqs"
	"go.uber.org/goleak"

	"github.com/jmsbridge/jmsbridge/bridge"
	"github.com/jmsbridge/jmsbridge/connectors/aws"
	"github.com/jmsbridge/jmsbridge/connectors/aws/awslocal"
	"github.com/jmsbridge/jmsbridge/connectors/aws/sqs"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// start returns an endpoint that the test stops.
func start(t testing.TB, o awslocal.Options) *awslocal.Endpoint {
	t.Helper()
	e, err := awslocal.Start(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := e.Close(); err != nil {
			t.Error(err)
		}
	})
	return e
}

// environment gives the SDK's chain these credentials and nothing of the machine's.
func environment(t testing.TB, id, secret, token string) {
	t.Helper()
	for name, value := range map[string]string{
		"AWS_ACCESS_KEY_ID": id, "AWS_SECRET_ACCESS_KEY": secret, "AWS_SESSION_TOKEN": token, "AWS_REGION": "us-east-1",
		"AWS_CONFIG_FILE": "/dev/null", "AWS_SHARED_CREDENTIALS_FILE": "/dev/null", "AWS_EC2_METADATA_DISABLED": "true",
		"AWS_ENDPOINT_URL": "", "AWS_PROFILE": "", "AWS_CA_BUNDLE": "",
	} {
		t.Setenv(name, value)
	}
}

func clientFor(t testing.TB, e *awslocal.Endpoint, change ...func(*aws.Settings)) *aws.Client {
	t.Helper()
	environment(t, "AKIDEXAMPLE", "secret", "")
	set := aws.Settings{EndpointURL: e.URL(), Region: e.Region()}
	for _, f := range change {
		f(&set)
	}
	c := aws.NewClient(set)
	t.Cleanup(c.Close)
	return c
}

func queue(t testing.TB, e *awslocal.Endpoint, name string, attributes map[string]string) string {
	t.Helper()
	url, err := e.CreateQueue(awslocal.QueueOptions{Name: name, Attributes: attributes})
	if err != nil {
		t.Fatal(err)
	}
	return url
}

// connected returns a sink that is connected, and closed at the end.
func connected(t testing.TB, set sqs.SinkSettings) *sqs.Sink {
	t.Helper()
	s, err := sqs.NewSink(set)
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

// send sends messages and fails the test unless all are taken.
func send(t testing.TB, s *sqs.Sink, messages ...bridge.Outgoing) []bridge.Result {
	t.Helper()
	res := unanswered(len(messages))
	if err := s.Send(t.Context(), messages, res); err != nil {
		t.Fatal(err)
	}
	for i := range res {
		if res[i].Err != nil {
			t.Fatalf("message %d: %v", i, res[i].Err)
		}
	}
	return res
}

// decoded reads back what an endpoint holds.
func decoded(t testing.TB, m *awslocal.Message) *bridge.Message {
	t.Helper()
	attributes := make(map[string]sqs.Attribute, len(m.Attributes))
	for name, a := range m.Attributes {
		attributes[name] = sqs.Attribute{DataType: a.DataType, StringValue: a.StringValue, BinaryValue: a.BinaryValue}
	}
	out, err := sqs.Decode(m.Body, attributes)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func text(s string) *bridge.Message {
	return &bridge.Message{ID: "ID:host-1:1", Priority: 4, Persistent: true, Body: bridge.NewText(s)}
}

// setAttribute changes a queue as its owner would.
func setAttribute(t testing.TB, e *awslocal.Endpoint, queueName, name, value string) {
	t.Helper()
	client := sqsapi.New(sqsapi.Options{
		Region: e.Region(), BaseEndpoint: sdk.String(e.URL()), HTTPClient: &http.Client{Transport: e.Transport()},
		Credentials: credentials.NewStaticCredentialsProvider("AKIDEXAMPLE", "secret", ""),
	})
	_, err := client.SetQueueAttributes(t.Context(), &sqsapi.SetQueueAttributesInput{
		QueueUrl: sdk.String(e.QueueURL(queueName)), Attributes: map[string]string{name: value},
	})
	if err != nil {
		t.Fatal(err)
	}
}
