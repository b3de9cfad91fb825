package sqstest_test

import (
	"net/http"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"go.uber.org/goleak"

	"github.com/jmsbridge/jmsbridge/connectors/aws/awslocal"
	"github.com/jmsbridge/jmsbridge/test/sqstest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// newClient is a client without retries; its connections end with the test.
func newClient(t testing.TB, url string, transport http.RoundTripper) *sqs.Client {
	if transport == nil {
		own := &http.Transport{MaxIdleConnsPerHost: 8}
		t.Cleanup(own.CloseIdleConnections)
		transport = own
	}
	return sqs.New(sqs.Options{
		Region: "us-east-1", BaseEndpoint: aws.String(url), Retryer: aws.NopRetryer{}, HTTPClient: &http.Client{Transport: transport},
		Credentials: credentials.NewStaticCredentialsProvider("AKIDTEST", "secret", ""),
	})
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
	sqstest.Run(t, sqstest.Harness{Name: "awslocal", Client: func(t testing.TB) *sqs.Client { return newClient(t, e.URL(), nil) }})
}

func TestAwslocalConformsInVirtualTime(t *testing.T) {
	sqstest.Run(t, sqstest.Harness{Name: "awslocal", VirtualTime: true, Client: func(t testing.TB) *sqs.Client {
		e := awslocal.New(awslocal.Options{Keys: keys}, "http://sqs.test")
		t.Cleanup(func() { _ = e.Close() })
		return newClient(t, e.URL(), e.Transport())
	}})
}
