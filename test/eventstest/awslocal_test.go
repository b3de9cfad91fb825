package eventstest_test

import (
	"net/http"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"go.uber.org/goleak"

	"github.com/jmsbridge/jmsbridge/connectors/aws/awslocal"
	"github.com/jmsbridge/jmsbridge/test/eventstest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// clients are without retries; their connections end with the test.
func clients(t testing.TB, url string, transport http.RoundTripper) (*eventbridge.Client, *sqs.Client) {
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
	return eventbridge.NewFromConfig(cfg), sqs.NewFromConfig(cfg)
}

var keys = []awslocal.Key{{ID: "AKIDTEST", Secret: "secret"}}

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
	eventstest.Run(t, eventstest.Harness{Name: "awslocal", Clients: func(t testing.TB) (*eventbridge.Client, *sqs.Client) { return clients(t, e.URL(), nil) }})
}

func TestAwslocalConformsInMemory(t *testing.T) {
	eventstest.Run(t, eventstest.Harness{Name: "awslocal", Clients: func(t testing.TB) (*eventbridge.Client, *sqs.Client) {
		e := awslocal.New(awslocal.Options{Keys: keys}, "http://aws.test")
		t.Cleanup(func() { _ = e.Close() })
		return clients(t, e.URL(), e.Transport())
	}})
}
