package lambdatest_test

import (
	"context"
	"encoding/base64"
	"errors"
	"net/http"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/lambda/types"
	smithy "github.com/aws/smithy-go"
	"go.uber.org/goleak"

	"github.com/jmsbridge/jmsbridge/connectors/aws/awslocal"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var keys = []awslocal.Key{{ID: "AKIDTEST", Secret: "secret"}}

// start returns an endpoint on a socket, which checks signatures, and a client of it.
func start(t testing.TB, change ...func(*awslocal.Options)) (*awslocal.Endpoint, *lambda.Client) {
	t.Helper()
	o := awslocal.Options{Keys: keys}
	for _, f := range change {
		f(&o)
	}
	e, err := awslocal.Start(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := e.Close(); err != nil {
			t.Error(err)
		}
	})
	own := &http.Transport{MaxIdleConnsPerHost: 32}
	t.Cleanup(own.CloseIdleConnections)
	return e, client(e.URL(), own)
}

func client(url string, transport http.RoundTripper) *lambda.Client {
	return lambda.New(lambda.Options{
		Region: "us-east-1", BaseEndpoint: aws.String(url), Retryer: aws.NopRetryer{}, HTTPClient: &http.Client{Transport: transport},
		Credentials: credentials.NewStaticCredentialsProvider("AKIDTEST", "secret", ""),
	})
}

func create(t testing.TB, e *awslocal.Endpoint, o awslocal.FunctionOptions) {
	t.Helper()
	if o.Name == "" {
		o.Name = "f"
	}
	if err := e.CreateFunction(o); err != nil {
		t.Fatal(err)
	}
}

func echo(_ context.Context, payload []byte) ([]byte, error) { return payload, nil }

// invoke calls f and fails the test when it can't.
func invoke(t testing.TB, c *lambda.Client, payload string, change ...func(*lambda.InvokeInput)) *lambda.InvokeOutput {
	t.Helper()
	out, err := try(t, c, payload, change...)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func try(t testing.TB, c *lambda.Client, payload string, change ...func(*lambda.InvokeInput)) (*lambda.InvokeOutput, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	in := &lambda.InvokeInput{FunctionName: aws.String("f"), Payload: []byte(payload)}
	for _, f := range change {
		f(in)
	}
	return c.Invoke(ctx, in)
}

func withTail(in *lambda.InvokeInput) { in.LogType = types.LogTypeTail }

func asEvent(in *lambda.InvokeInput) { in.InvocationType = types.InvocationTypeEvent }

func named(function, qualifier string) func(*lambda.InvokeInput) {
	return func(in *lambda.InvokeInput) {
		in.FunctionName = &function
		if qualifier != "" {
			in.Qualifier = &qualifier
		}
	}
}

func tail(t testing.TB, out *lambda.InvokeOutput) string {
	t.Helper()
	text, err := base64.StdEncoding.DecodeString(aws.ToString(out.LogResult))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func code(err error) string {
	var api smithy.APIError
	if errors.As(err, &api) {
		return api.ErrorCode()
	}
	return ""
}

func status(err error) int {
	var answer interface{ HTTPStatusCode() int }
	if errors.As(err, &answer) {
		return answer.HTTPStatusCode()
	}
	return 0
}

// eventually waits for a condition.
func eventually(t testing.TB, what string, ok func() bool) {
	t.Helper()
	limit := time.After(time.Minute)
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for !ok() {
		select {
		case <-limit:
			t.Fatal("waited in vain for " + what)
		case <-tick.C:
		}
	}
}
