package lambda_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/credentials"

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

// A function may take longer than other services take for an answer: a call that is given up has run, and runs again.
func TestAFunctionMayTakeItsTime(t *testing.T) {
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
	s := connected(t, e, func(set *lambda.SinkSettings) {
		set.Client = client(t, e, func(s *aws.Settings) { s.RoundTripper, s.AnswerTimeout = nil, 50*time.Millisecond })
	})
	if _, err := send(t, s, numbered(1)...); err != nil {
		t.Errorf("%v is %v", err, bridge.ClassOf(err))
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
