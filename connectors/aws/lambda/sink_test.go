package lambda_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	sdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	lambdaapi "github.com/aws/aws-sdk-go-v2/service/lambda"

	"github.com/jmsbridge/jmsbridge/bridge"
	"github.com/jmsbridge/jmsbridge/connectors/aws"
	"github.com/jmsbridge/jmsbridge/connectors/aws/awslocal"
	"github.com/jmsbridge/jmsbridge/connectors/aws/lambda"
)

// What each code means is what the errors of "Invoke" in Lambda's API reference say of it.
func TestEachErrorOfLambdaHasItsClass(t *testing.T) {
	e := local(t)
	answers(t, e, "null")
	one, many := connected(t, e), connected(t, e, several(10))
	for code, want := range map[string]bridge.Class{
		"CodeArtifactUserPendingException":         bridge.Transient,
		"EC2AccessDeniedException":                 bridge.Transient,
		"EC2ThrottledException":                    bridge.Throttled,
		"EC2UnexpectedException":                   bridge.Transient,
		"EFSIOException":                           bridge.Transient,
		"EFSMountConnectivityException":            bridge.Transient,
		"EFSMountFailureException":                 bridge.Transient,
		"EFSMountTimeoutException":                 bridge.Transient,
		"ENILimitReachedException":                 bridge.Transient,
		"ENINotReadyException":                     bridge.Transient,
		"InvalidParameterValueException":           bridge.Fatal,
		"InvalidRequestContentException":           bridge.Permanent,
		"InvalidRuntimeException":                  bridge.Fatal,
		"InvalidSecurityGroupIDException":          bridge.Fatal,
		"InvalidSubnetIDException":                 bridge.Fatal,
		"InvalidZipFileException":                  bridge.Fatal,
		"KMSAccessDeniedException":                 bridge.Fatal,
		"KMSDisabledException":                     bridge.Fatal,
		"KMSInvalidStateException":                 bridge.Fatal,
		"KMSNotFoundException":                     bridge.Fatal,
		"RecursiveInvocationException":             bridge.Permanent,
		"RequestTooLargeException":                 bridge.Permanent,
		"ResourceConflictException":                bridge.Fatal,
		"ResourceNotFoundException":                bridge.Fatal,
		"ResourceNotReadyException":                bridge.Transient,
		"S3FilesMountConnectivityException":        bridge.Transient,
		"S3FilesMountFailureException":             bridge.Transient,
		"S3FilesMountTimeoutException":             bridge.Transient,
		"SerializedRequestEntityTooLargeException": bridge.Permanent,
		"ServiceException":                         bridge.Transient,
		"SnapStartException":                       bridge.Fatal,
		"SnapStartNotReadyException":               bridge.Transient,
		"SnapStartTimeoutException":                bridge.Transient,
		"SubnetIPAddressLimitReachedException":     bridge.Fatal,
		"TooManyRequestsException":                 bridge.Throttled,
		"UnsupportedMediaTypeException":            bridge.Permanent,
		// of every service
		"AccessDeniedException":       bridge.Fatal,
		"UnrecognizedClientException": bridge.Fatal,
		"ThrottlingException":         bridge.Throttled,
		"ServiceUnavailableException": bridge.Transient,
		"SomethingNew":                bridge.Transient,
	} {
		for n, s := range map[int]*lambda.Sink{1: one, 3: many} {
			if err := s.Connect(t.Context()); err != nil { // credentials that were refused are read again
				t.Fatal(err)
			}
			e.Inject(awslocal.Fault{Actions: []string{"Invoke"}, Code: code, Message: "why it is", Times: 1})
			_, err := send(t, s, numbered(n)...)
			got := bridge.AsError(err)
			class := want
			if n > 1 && want == bridge.Permanent {
				class = bridge.Suspect
			}
			if err == nil || got.Class != class || !strings.HasPrefix(got.Code, code) && want != bridge.Throttled || got.RequestID == "" || !strings.Contains(err.Error(), "why it is") {
				t.Errorf("%s, %d messages: %v is %v, code %q", code, n, err, bridge.ClassOf(err), got.Code)
			}
			if want == bridge.Fatal && got.Remedy == "" {
				t.Errorf("%s: what is to be done is not said", code)
			}
		}
	}
}

func TestThrottlingIsToldApartByItsReason(t *testing.T) {
	e := local(t)
	answers(t, e, "null")
	s := connected(t, e)
	for reason, want := range map[string]string{
		"ConcurrentInvocationLimitExceeded":                 "account",
		"ReservedFunctionConcurrentInvocationLimitExceeded": "reserved",
		"FunctionInvocationRateLimitExceeded":               "a second",
		"ReservedFunctionInvocationRateLimitExceeded":       "a second",
		"CallerRateLimitExceeded":                           "a second",
		"ConcurrentSnapshotCreateLimitExceeded":             "",
	} {
		e.Inject(awslocal.Fault{Actions: []string{"Invoke", "GetFunctionConfiguration"}, Code: "TooManyRequestsException", Reason: reason, Times: 2})
		_, err := send(t, s, numbered(1)...)
		for doing, err := range map[string]error{"sending": err, "connecting": s.Connect(t.Context())} {
			got := bridge.AsError(err)
			if err == nil || got.Class != bridge.Throttled || got.Code != reason || !strings.Contains(got.Remedy, want) || (want == "") != (got.Remedy == "") || !strings.Contains(err.Error(), reason) {
				t.Errorf("%s: %v is %v, code %q", doing, err, bridge.ClassOf(err), got.Code)
			}
		}
	}
	create(t, e, awslocal.FunctionOptions{Concurrency: -1, Handler: func(context.Context, []byte) ([]byte, error) { return nil, nil }})
	if _, err := send(t, s, numbered(1)...); bridge.AsError(err).Code != "ReservedFunctionConcurrentInvocationLimitExceeded" {
		t.Errorf("%v", err)
	}
}

func TestACallWithoutAnAnswerMayHaveRun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := local(t)
		answers(t, e, "null")
		s := connected(t, e)
		for kind, runs := range map[awslocal.FaultKind]int{awslocal.ResetBefore: 0, awslocal.ResetAfter: 1, awslocal.StallBefore: 0, awslocal.StallAfter: 1} {
			before := e.FunctionCounts("orders").Runs
			e.Inject(awslocal.Fault{Kind: kind, Actions: []string{"Invoke"}, Times: 1})
			ctx, cancel := context.WithTimeout(t.Context(), s.Limits().Timeout)
			began := time.Now()
			res := unanswered(1)
			err := s.Send(ctx, []bridge.Outgoing{{Message: numbered(1)[0]}}, res)
			cancel()
			if bridge.ClassOf(err) != bridge.Ambiguous || res[0].Reply != nil {
				t.Errorf("%d: %v is %v", kind, err, bridge.ClassOf(err))
			}
			if stalled := kind == awslocal.StallBefore || kind == awslocal.StallAfter; stalled != (time.Since(began) == 8*time.Second) {
				t.Errorf("%d: took %v", kind, time.Since(began))
			}
			if n := e.FunctionCounts("orders").Runs - before; n != runs {
				t.Errorf("%d: the function ran %d times", kind, n)
			}
		}
	})
}

func TestAProxysAnswerIsNoResult(t *testing.T) {
	e := local(t)
	answers(t, e, "null")
	s := connected(t, e)
	for status, want := range map[int]bridge.Class{403: bridge.Fatal, 404: bridge.Fatal, 429: bridge.Throttled, 502: bridge.Transient, 503: bridge.Transient} {
		e.Inject(awslocal.Fault{Actions: []string{"Invoke"}, Status: status, Raw: "<html>no</html>", Times: 1})
		if _, err := send(t, s, numbered(1)...); bridge.ClassOf(err) != want {
			t.Errorf("%d: %v is %v", status, err, bridge.ClassOf(err))
		}
	}
}

func TestAnEventIsConfirmedByLambdasQueue(t *testing.T) {
	e := local(t)
	answers(t, e, `{"batchItemFailures":[{"itemIdentifier":"ID:0"}]}`)
	s := connected(t, e, asEvent, several(10))
	res, err := send(t, s, numbered(3)...)
	if err != nil {
		t.Fatal(err)
	}
	for i := range res {
		if res[i].Err != nil || res[i].Reply != nil || res[i].ID == "" {
			t.Errorf("%+v", res[i])
		}
	}
	l := s.Limits()
	if l.Run != 0 || l.Timeout != 30*time.Second || l.Bytes >= 1<<20 {
		t.Errorf("%+v", l)
	}
	for r := range e.Log().All() {
		if r.Action == "Invoke" && (r.Invocation != "Event" || r.Outcome != awslocal.Accepted) {
			t.Errorf("%+v", r)
		}
	}
}

// recorder keeps the last call of a function that went through it.
type recorder struct {
	next http.RoundTripper

	mu   sync.Mutex
	last *http.Request
}

func (r *recorder) RoundTrip(req *http.Request) (*http.Response, error) {
	if req.Method == http.MethodPost {
		r.mu.Lock()
		r.last = req.Clone(context.Background())
		r.mu.Unlock()
	}
	return r.next.RoundTrip(req)
}

// TestCallsGoWhereTheSDKWouldSendThem has an endpoint that checks signatures, for each with the SDK as the oracle of path
// and query.
func TestCallsGoWhereTheSDKWouldSendThem(t *testing.T) {
	for _, region := range []string{"us-east-1", "eu-west-1"} {
		e := local(t, func(o *awslocal.Options) { o.Region = region })
		create(t, e, awslocal.FunctionOptions{Name: "a-b_C", Handler: func(context.Context, []byte) ([]byte, error) { return nil, nil }, Aliases: map[string]string{"live": "7", "a_b-C": "8"}})
		arn := e.FunctionARN("a-b_C")
		for _, tt := range []struct{ function, qualifier string }{
			{"a-b_C", ""},
			{"a-b_C", "$LATEST"},
			{"a-b_C", "live"},
			{"a-b_C", "a_b-C"},
			{"a-b_C", "7"},
			{"a-b_C:live", ""},
			{"a-b_C:$LATEST", ""},
			{"a-b_C:$LATEST", "$LATEST"},
			{arn, ""},
			{arn, "$LATEST"},
			{arn + ":live", ""},
			{arn + ":$LATEST", ""},
			{"123456789012:function:a-b_C:7", ""},
		} {
			ours, theirs := &recorder{next: e.Transport()}, &recorder{next: e.Transport()}
			s := connected(t, e, func(set *lambda.SinkSettings) {
				set.Client = client(t, e, func(s *aws.Settings) { s.RoundTripper = ours })
				set.Function, set.Qualifier = tt.function, tt.qualifier
			})
			if _, err := send(t, s, numbered(1)...); err != nil {
				t.Errorf("%s, %s: %v", tt.function, tt.qualifier, err)
				continue
			}
			api := lambdaapi.New(lambdaapi.Options{
				Region: region, BaseEndpoint: sdk.String(e.URL()), Retryer: sdk.NopRetryer{}, HTTPClient: &http.Client{Transport: theirs},
				Credentials: credentials.NewStaticCredentialsProvider(keyID, secret, token),
			})
			in := &lambdaapi.InvokeInput{FunctionName: &tt.function}
			if tt.qualifier != "" {
				in.Qualifier = &tt.qualifier
			}
			if _, err := api.Invoke(t.Context(), in); err != nil {
				t.Fatal(err)
			}
			if a, b := ours.last.URL.RequestURI(), theirs.last.URL.RequestURI(); a != b {
				t.Errorf("%s, %s: to %s, the SDK to %s", tt.function, tt.qualifier, a, b)
			}
			if tail := ours.last.Header.Get("X-Amz-Log-Type"); tail != "Tail" {
				t.Errorf("X-Amz-Log-Type is %q", tail)
			}
		}
	}
}

func TestTheRegionOfAnARNIsWhereItsCallsGo(t *testing.T) {
	e := local(t, func(o *awslocal.Options) { o.Region = "eu-west-1" })
	answers(t, e, "null")
	rec := &recorder{next: e.Transport()}
	s := connected(t, e, func(set *lambda.SinkSettings) {
		set.Client = client(t, e, func(s *aws.Settings) { s.Region, s.RoundTripper = "us-east-1", rec })
		set.Function = e.FunctionARN("orders")
	})
	if _, err := send(t, s, numbered(1)...); err != nil {
		t.Fatal(err)
	}
	if a := rec.last.Header.Get("Authorization"); !strings.Contains(a, "/eu-west-1/lambda/") {
		t.Errorf("signed for %s", a)
	}
}

func TestAFunctionThatMayNotBeLookedAtIsCalledAllTheSame(t *testing.T) {
	e := local(t)
	answers(t, e, "1")
	e.Deny(awslocal.Rule{Action: "lambda:GetFunctionConfiguration"})
	for _, event := range []bool{false, true} {
		s := connected(t, e, func(set *lambda.SinkSettings) { set.Event = event })
		want := lambda.LongestCall
		if event {
			want = 30 * time.Second
		}
		if got := s.Limits().Timeout; got != want {
			t.Errorf("a call may take %v, not %v", got, want)
		}
		if r := s.Remarks(); len(r) != 1 || !strings.Contains(r[0], "lambda:GetFunctionConfiguration is denied") || event == strings.Contains(r[0], "15 minutes") {
			t.Errorf("remarks %q", r)
		}
		if _, err := send(t, s, numbered(1)...); err != nil {
			t.Error(err)
		}
		in, err := s.Inspect(t.Context())
		if err != nil || !strings.Contains(in.Warnings[0].Remedy, "lambda:GetFunctionConfiguration") {
			t.Errorf("%+v, %v", in, err)
		}
	}
}

func TestWhyAFunctionCannotBeReachedIsSaid(t *testing.T) {
	for name, tt := range map[string]struct {
		change func(*awslocal.Endpoint, *aws.Settings, *lambda.SinkSettings)
		class  bridge.Class
		code   string
	}{
		"missing":   {func(_ *awslocal.Endpoint, _ *aws.Settings, s *lambda.SinkSettings) { s.Function = "none" }, bridge.Fatal, "ResourceNotFoundException"},
		"qualifier": {func(_ *awslocal.Endpoint, _ *aws.Settings, s *lambda.SinkSettings) { s.Qualifier = "none" }, bridge.Fatal, "ResourceNotFoundException"},
		"key": {func(_ *awslocal.Endpoint, a *aws.Settings, _ *lambda.SinkSettings) {
			a.Credentials = credentials.NewStaticCredentialsProvider(keyID, "another", token)
		}, bridge.Fatal, "InvalidSignatureException"},
		"throttled": {func(e *awslocal.Endpoint, _ *aws.Settings, _ *lambda.SinkSettings) {
			e.Inject(awslocal.Fault{Actions: []string{"*"}, Code: "TooManyRequestsException"})
		}, bridge.Throttled, "ConcurrentInvocationLimitExceeded"},
		"reset": {func(e *awslocal.Endpoint, _ *aws.Settings, _ *lambda.SinkSettings) {
			e.Inject(awslocal.Fault{Kind: awslocal.ResetAfter, Actions: []string{"*"}})
		}, bridge.Transient, ""},
		"5xx": {func(e *awslocal.Endpoint, _ *aws.Settings, _ *lambda.SinkSettings) {
			e.Inject(awslocal.Fault{Actions: []string{"*"}})
		}, bridge.Transient, "ServiceException"},
		"invalid": {func(e *awslocal.Endpoint, _ *aws.Settings, _ *lambda.SinkSettings) {
			e.Inject(awslocal.Fault{Actions: []string{"*"}, Code: "InvalidRequestContentException"})
		}, bridge.Fatal, "InvalidRequestContentException"},
	} {
		t.Run(name, func(t *testing.T) {
			e := local(t)
			answers(t, e, "null")
			set := lambda.SinkSettings{Function: "orders"}
			set.Client = client(t, e, func(a *aws.Settings) { tt.change(e, a, &set) })
			s, err := lambda.NewSink(set)
			if err != nil {
				t.Fatal(err)
			}
			_, looked := s.Inspect(t.Context())
			for _, err := range []error{s.Connect(t.Context()), looked} {
				got := bridge.AsError(err)
				if err == nil || got.Class != tt.class || got.Code != tt.code || !strings.Contains(err.Error(), "function "+set.Function) || tt.class == bridge.Fatal && name != "invalid" && got.Remedy == "" {
					t.Errorf("%v is %v, code %q", err, bridge.ClassOf(err), got.Code)
				}
				for _, hidden := range []string{keyID, secret, token} {
					if err != nil && strings.Contains(err.Error(), hidden) {
						t.Errorf("%q shows %q", err, hidden)
					}
				}
			}
			if err := s.Send(t.Context(), []bridge.Outgoing{{Message: numbered(1)[0]}}, unanswered(1)); !errors.Is(err, bridge.ErrNotConnected) {
				t.Errorf("sent without a connection: %v", err)
			}
		})
	}
}

func TestInspectSaysWhatTheFunctionIs(t *testing.T) {
	e := local(t)
	create(t, e, awslocal.FunctionOptions{Timeout: 2 * time.Minute, MemoryMB: 512, Handler: func(context.Context, []byte) ([]byte, error) { return nil, nil }, Aliases: map[string]string{"live": "7"}})
	look := func(change ...func(*lambda.SinkSettings)) (map[string]string, string) {
		set := lambda.SinkSettings{Client: client(t, e), Function: "orders", Qualifier: "live"}
		for _, f := range change {
			f(&set)
		}
		s, err := lambda.NewSink(set)
		if err != nil {
			t.Fatal(err)
		}
		in, err := s.Inspect(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		facts := map[string]string{"peer": in.Peer}
		for _, f := range in.Facts {
			facts[f.Name] = f.Value
		}
		var warnings strings.Builder
		for _, w := range in.Warnings {
			_, _ = io.WriteString(&warnings, w.Text+"\n")
		}
		return facts, warnings.String()
	}
	facts, warnings := look()
	for name, want := range map[string]string{
		"peer": "Lambda function orders", "its timeout": "2m0s", "its memory": "512 MB", "qualifier": "live", "region": "us-east-1", "state": "Active",
		"endpoint": e.URL(), "runtime": "provided.al2023",
	} {
		if facts[name] != want {
			t.Errorf("%s is %q, not %q", name, facts[name], want)
		}
	}
	if warnings != "" {
		t.Errorf("warnings %s", warnings)
	}
	_, warnings = look(asEvent, payload(lambda.ActiveMQ))
	for _, want := range []string{"tries an event twice more", "before the function has run", "eventSourceArn is empty"} {
		if !strings.Contains(warnings, want) {
			t.Errorf("no warning of %q in\n%s", want, warnings)
		}
	}
	create(t, e, awslocal.FunctionOptions{DeadLetterARN: e.QueueARN("dead"), State: "Failed", Handler: func(context.Context, []byte) ([]byte, error) { return nil, nil }})
	_, warnings = look(asEvent, func(s *lambda.SinkSettings) { s.Qualifier = "" })
	if strings.Contains(warnings, "tries an event twice more") || !strings.Contains(warnings, "the function is failed") {
		t.Errorf("warnings %s", warnings)
	}
	if n := len(bodies(e)); n != 0 {
		t.Errorf("%d calls", n)
	}
}

func TestASinkCanBeConnectedAgain(t *testing.T) {
	e := local(t)
	answers(t, e, "1")
	s := connected(t, e)
	for range 2 {
		if err := s.Close(t.Context()); err != nil {
			t.Error(err)
		}
	}
	if err := s.Connect(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := send(t, s, numbered(1)...); err != nil {
		t.Error(err)
	}
}

// TestAClientThatIsNotPatientGivesUp says why the client of a sink needs an AnswerTimeout of LongestCall: what it gives up
// has run, and runs again.
func TestAClientThatIsNotPatientGivesUp(t *testing.T) {
	e, err := awslocal.Start(awslocal.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = e.Close() })
	create(t, e, awslocal.FunctionOptions{Timeout: time.Minute, Handler: func(ctx context.Context, _ []byte) ([]byte, error) {
		select {
		case <-time.After(500 * time.Millisecond):
			return []byte("1"), nil
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}})
	for patience, ok := range map[time.Duration]bool{50 * time.Millisecond: false, lambda.LongestCall: true} {
		s := connected(t, e, func(set *lambda.SinkSettings) {
			set.Client = client(t, e, func(s *aws.Settings) { s.RoundTripper, s.AnswerTimeout = nil, patience })
		})
		if _, err := send(t, s, numbered(1)...); (err == nil) != ok || !ok && bridge.ClassOf(err) != bridge.Ambiguous {
			t.Errorf("%v: %v is %v", patience, err, bridge.ClassOf(err))
		}
	}
}
