package awslocal_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"
	"github.com/aws/smithy-go"
	"go.uber.org/goleak"

	"github.com/jmsbridge/jmsbridge/connectors/aws/awslocal"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// start returns an endpoint that the test stops.
func start(t testing.TB, opt awslocal.Options) *awslocal.Endpoint {
	t.Helper()
	e, err := awslocal.Start(opt)
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

// client is an SDK client without retries, with its own connections.
func client(t testing.TB, e *awslocal.Endpoint, change ...func(*sqs.Options)) *sqs.Client {
	t.Helper()
	hc := transportOf(t)
	o := sqs.Options{
		Region: e.Region(), BaseEndpoint: aws.String(e.URL()), Retryer: aws.NopRetryer{}, HTTPClient: hc,
		Credentials: credentials.NewStaticCredentialsProvider("AKIDTEST", "secret", ""),
	}
	for _, f := range change {
		f(&o)
	}
	return sqs.New(o)
}

func queue(t testing.TB, e *awslocal.Endpoint, name string, attributes map[string]string) *string {
	t.Helper()
	url, err := e.CreateQueue(awslocal.QueueOptions{Name: name, Attributes: attributes})
	if err != nil {
		t.Fatal(err)
	}
	return &url
}

// entries are n batch entries with the bodies prefix0, prefix1, ….
func entries(prefix string, n int) []types.SendMessageBatchRequestEntry {
	out := make([]types.SendMessageBatchRequestEntry, n)
	for i := range out {
		out[i] = types.SendMessageBatchRequestEntry{
			Id: aws.String(fmt.Sprint(i)), MessageBody: aws.String(fmt.Sprint(prefix, i)),
			MessageAttributes: map[string]types.MessageAttributeValue{
				"MessageID": {DataType: aws.String("String"), StringValue: aws.String(fmt.Sprint("ID:", prefix, i))},
			},
		}
	}
	return out
}

func code(err error) string {
	var api smithy.APIError
	if errors.As(err, &api) {
		return api.ErrorCode()
	}
	return ""
}

func within(t testing.TB, d time.Duration) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), d)
	t.Cleanup(cancel)
	return ctx
}
