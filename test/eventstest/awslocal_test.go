package eventstest_test

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"go.uber.org/goleak"

	"github.com/jmsbridge/jmsbridge/connectors/aws/awslocal"
	"github.com/jmsbridge/jmsbridge/test/eventstest"
	"github.com/jmsbridge/jmsbridge/test/lambdatest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// clients are without retries; their connections end with the test.
func clients(t testing.TB, url string, transport http.RoundTripper) eventstest.Endpoint {
	if transport == nil {
		own := &http.Transport{MaxIdleConnsPerHost: 8}
		t.Cleanup(own.CloseIdleConnections)
		transport = own
	}
	cfg := aws.Config{
		Region: "us-east-1", BaseEndpoint: &url, HTTPClient: &http.Client{Transport: transport},
		Retryer:     func() aws.Retryer { return aws.NopRetryer{} },
		Credentials: credentials.NewStaticCredentialsProvider("AKIDTEST", "secret", ""),
	}
	return eventstest.Endpoint{Events: eventbridge.NewFromConfig(cfg), Queues: sqs.NewFromConfig(cfg)}
}

var keys = []awslocal.Key{{ID: "AKIDTEST", Secret: "secret"}}

// retry is the wait before a function's second try: a minute at AWS.
const retry = 20 * time.Millisecond

// Functions are real ones here: programs on AWS's runtime.
func TestAwslocalConformsOverASocket(t *testing.T) {
	e, err := awslocal.Start(awslocal.Options{Keys: keys})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { // after the subtests, which run in parallel
		if err := e.Close(); err != nil {
			t.Error(err)
		}
	})
	program := lambdatest.Build(t)
	eventstest.Run(t, eventstest.Harness{Name: "awslocal", Functions: true, Endpoint: func(t testing.TB) eventstest.Endpoint {
		out := clients(t, e.URL(), nil)
		out.Function = func(name, queueURL string) (string, error) {
			return e.FunctionARN(name), e.CreateFunction(awslocal.FunctionOptions{
				Name: name, Timeout: 20 * time.Second, Concurrency: 1, EventRetry: retry, Command: []string{program},
				Environment: []string{
					"FUNCTION_MODE=forward", "FUNCTION_QUEUE=" + queueURL,
					"AWS_ENDPOINT_URL=" + e.URL(), "AWS_ACCESS_KEY_ID=AKIDTEST", "AWS_SECRET_ACCESS_KEY=secret",
				},
			})
		}
		return out
	}})
}

func TestAwslocalConformsInMemory(t *testing.T) {
	eventstest.Run(t, eventstest.Harness{Name: "awslocal", Functions: true, Endpoint: func(t testing.TB) eventstest.Endpoint {
		e := awslocal.New(awslocal.Options{Keys: keys}, "http://aws.test")
		t.Cleanup(func() { _ = e.Close() })
		out := clients(t, e.URL(), e.Transport())
		out.Function = func(name, queueURL string) (string, error) {
			return e.FunctionARN(name), e.CreateFunction(awslocal.FunctionOptions{
				Name: name, Concurrency: 1, EventRetry: retry, Handler: forwarder(out.Queues, queueURL),
			})
		}
		return out
	}})
}

// forwarder is the function of mode forward without its program, which needs a socket.
func forwarder(queues *sqs.Client, url string) func(context.Context, []byte) ([]byte, error) {
	failed := 0
	return func(ctx context.Context, raw []byte) ([]byte, error) {
		var e struct{ Detail struct{ Fail int } }
		if err := json.Unmarshal(raw, &e); err != nil {
			return nil, err
		}
		if _, err := queues.SendMessage(ctx, &sqs.SendMessageInput{QueueUrl: &url, MessageBody: aws.String(string(raw))}); err != nil {
			return nil, err
		}
		if failed < e.Detail.Fail {
			failed++
			return nil, errors.New("failing as asked")
		}
		return []byte("null"), nil
	}
}
