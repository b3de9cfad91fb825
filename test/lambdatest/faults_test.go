package lambdatest_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/lambda/types"

	"github.com/jmsbridge/jmsbridge/connectors/aws/awslocal"
)

func TestSignaturesOfLambdaAreChecked(t *testing.T) {
	e, _ := start(t)
	create(t, e, awslocal.FunctionOptions{Handler: echo})
	own := &http.Transport{}
	t.Cleanup(own.CloseIdleConnections)
	for _, tt := range []struct{ id, secret, code string }{
		{"AKIDTEST", "wrong", "InvalidSignatureException"},
		{"AKIDOTHER", "secret", "UnrecognizedClientException"},
	} {
		c := lambda.New(lambda.Options{
			Region: "us-east-1", BaseEndpoint: aws.String(e.URL()), Retryer: aws.NopRetryer{}, HTTPClient: &http.Client{Transport: own},
			Credentials: credentials.NewStaticCredentialsProvider(tt.id, tt.secret, ""),
		})
		if _, err := try(t, c, "{}"); code(err) != tt.code || status(err) != 403 {
			t.Errorf("%s: %v", tt.id, err)
		}
	}
}

func TestFaultsAndLatencyWorkForCallsOfLambda(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := awslocal.New(awslocal.Options{Keys: keys}, "http://lambda.test")
		defer func() { _ = e.Close() }()
		c := client(e.URL(), e.Transport())
		create(t, e, awslocal.FunctionOptions{Handler: echo})
		create(t, e, awslocal.FunctionOptions{Name: "g", Handler: echo})
		both := []string{"Invoke", "GetFunctionConfiguration"}
		fault := e.Inject(awslocal.Fault{Actions: both, Queue: "f", Code: "TooManyRequestsException", Reason: "CallerRateLimitExceeded", Times: 2})
		_, err := try(t, c, "{}")
		var throttled *types.TooManyRequestsException
		if !errors.As(err, &throttled) || throttled.Reason != types.ThrottleReasonCallerRateLimitExceeded || status(err) != 429 {
			t.Errorf("%v", err)
		}
		if _, err := c.GetFunctionConfiguration(t.Context(), &lambda.GetFunctionConfigurationInput{FunctionName: aws.String("f")}); code(err) != "TooManyRequestsException" {
			t.Errorf("%v", err)
		}
		invoke(t, c, "{}", named("g", ""))
		if fault.Fired() != 2 || !fault.Over() {
			t.Errorf("fired %d", fault.Fired())
		}
		e.Inject(awslocal.Fault{Kind: awslocal.ResetBefore, Actions: both, Times: 1})
		if _, err := try(t, c, `"before"`); err == nil {
			t.Error("answered")
		}
		e.Inject(awslocal.Fault{Kind: awslocal.ResetAfter, Actions: both, Times: 1})
		if _, err := try(t, c, `"after"`); err == nil {
			t.Error("answered")
		}
		if n := e.FunctionCounts("f").Runs; n != 1 {
			t.Errorf("%d runs", n)
		}
		e.Inject(awslocal.Fault{Kind: awslocal.Latency, Actions: both, Delay: time.Second})
		e.SetLatency(20 * time.Millisecond)
		began := time.Now()
		invoke(t, c, `"late"`)
		if took := time.Since(began); took != 1020*time.Millisecond {
			t.Errorf("took %v", took)
		}
		var said []string
		for r := range e.Log().All() {
			if r.Action == "Invoke" && r.Queue == "f" {
				said = append(said, fmt.Sprint(r.Invocation, " ", r.Body, " ", r.BodySize, " ", r.Outcome, " ", r.Code, " ", r.Faulted))
			}
		}
		want := []string{
			`RequestResponse {} 2 refused TooManyRequestsException true`, `RequestResponse "before" 8 not processed  true`,
			`RequestResponse "after" 7 answer lost  true`, `RequestResponse "late" 6 accepted  false`,
		}
		if fmt.Sprint(said) != fmt.Sprint(want) {
			t.Errorf("log %q", said)
		}
	})
}

func TestEveryErrorHasTheTypeThatTheSDKKnows(t *testing.T) {
	e, c := start(t)
	create(t, e, awslocal.FunctionOptions{Handler: echo})
	for kind, want := range map[string]int{
		"EC2AccessDeniedException": 502, "EC2ThrottledException": 502, "EFSIOException": 410, "EFSMountFailureException": 403, "EFSMountTimeoutException": 408,
		"ENILimitReachedException": 502, "InvalidParameterValueException": 400, "InvalidRuntimeException": 502, "KMSDisabledException": 502,
		"RecursiveInvocationException": 400, "ResourceConflictException": 409, "ResourceNotReadyException": 502, "ServiceException": 500,
		"SnapStartException": 400, "SnapStartNotReadyException": 409, "SnapStartTimeoutException": 408, "UnsupportedMediaTypeException": 415,
	} {
		e.Inject(awslocal.Fault{Actions: []string{"Invoke"}, Code: kind, Message: "why", Times: 1})
		_, err := try(t, c, "{}")
		if code(err) != kind || status(err) != want || !strings.Contains(err.Error(), "why") || strings.Contains(fmt.Sprintf("%T", errors.Unwrap(err)), "Generic") {
			t.Errorf("%s: %v", kind, err)
		}
	}
}

func TestALostCallerDoesNotStopTheFunction(t *testing.T) {
	e, c := start(t)
	begun, goOn := make(chan struct{}), make(chan struct{})
	create(t, e, awslocal.FunctionOptions{Timeout: time.Minute, Handler: func(ctx context.Context, p []byte) ([]byte, error) {
		close(begun)
		select {
		case <-goOn:
		case <-ctx.Done():
		}
		return p, nil
	}})
	ctx, cancel := context.WithCancel(t.Context())
	gone := make(chan error)
	go func() {
		_, err := c.Invoke(ctx, &lambda.InvokeInput{FunctionName: aws.String("f"), Payload: []byte("{}")})
		gone <- err
	}()
	<-begun
	cancel()
	if err := <-gone; err == nil {
		t.Error("the caller got an answer")
	}
	eventually(t, "the endpoint to notice", func() bool {
		return e.Log().Count(func(r *awslocal.Record) bool { return r.Outcome == awslocal.AnswerLost }) == 1
	})
	close(goOn)
	eventually(t, "the end of the run", func() bool { n := e.FunctionCounts("f"); return n.Runs == 1 && n.Errors == 0 })
}

func TestClosingEndsCallsThatRun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := awslocal.New(awslocal.Options{}, "http://lambda.test")
		c := client(e.URL(), e.Transport())
		create(t, e, awslocal.FunctionOptions{Timeout: time.Hour, Handler: func(ctx context.Context, _ []byte) ([]byte, error) {
			<-ctx.Done()
			return nil, ctx.Err()
		}})
		invoke(t, c, "{}", asEvent)
		done := make(chan struct{})
		go func() {
			defer close(done)
			if out, err := try(t, c, "{}"); err == nil && out.FunctionError == nil {
				t.Errorf("a call that was cut off went well: %s", out.Payload)
			}
		}()
		synctest.Wait()
		if err := e.Close(); err != nil {
			t.Error(err)
		}
		<-done
		if err := e.CreateFunction(awslocal.FunctionOptions{Name: "late", Handler: echo}); err == nil {
			t.Error("a function was made after the end")
		}
	})
}

func TestAFunctionMayTakeLongerThanARequestMayTakeToBeRead(t *testing.T) {
	e, c := start(t, func(o *awslocal.Options) { o.ReadTimeout = 200 * time.Millisecond })
	create(t, e, awslocal.FunctionOptions{Timeout: time.Minute, Handler: func(ctx context.Context, p []byte) ([]byte, error) {
		select {
		case <-time.After(time.Second):
			return p, nil
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}})
	if out := invoke(t, c, `"late"`); string(out.Payload) != `"late"` || out.FunctionError != nil {
		t.Errorf("%+v", out)
	}
}
