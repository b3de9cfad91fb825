package lambdatest_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/lambda/types"

	"github.com/jmsbridge/jmsbridge/connectors/aws/awslocal"
)

func TestACallGivesItsResultAndSaysWhatRan(t *testing.T) {
	e, c := start(t)
	create(t, e, awslocal.FunctionOptions{
		Handler: func(ctx context.Context, payload []byte) ([]byte, error) {
			fmt.Fprintln(awslocal.FunctionLog(ctx), "working")
			return append([]byte("got "), payload...), nil
		},
		Aliases: map[string]string{"live": "7"},
	})
	out := invoke(t, c, `{"a":1}`, withTail, named("f", "live"))
	if out.StatusCode != 200 || string(out.Payload) != `got {"a":1}` || aws.ToString(out.ExecutedVersion) != "7" || out.FunctionError != nil {
		t.Errorf("%+v, payload %s", out, out.Payload)
	}
	lines := strings.Split(tail(t, out), "\n")
	if len(lines) != 5 || !strings.HasPrefix(lines[0], "START RequestId: ") || lines[1] != "working" || !strings.HasPrefix(lines[2], "END ") || !strings.HasPrefix(lines[3], "REPORT ") {
		t.Errorf("log %q", lines)
	}
	if out := invoke(t, c, ""); string(out.Payload) != "got {}" || out.LogResult != nil || aws.ToString(out.ExecutedVersion) != "$LATEST" {
		t.Errorf("without a payload: %+v, payload %s", out, out.Payload)
	}
	if n := e.FunctionCounts("f"); n.Runs != 2 || n.Errors != 0 {
		t.Errorf("%+v", n)
	}
}

func TestAFunctionIsFoundByEveryNameItHas(t *testing.T) {
	e, c := start(t)
	create(t, e, awslocal.FunctionOptions{Name: "a-b_C", Handler: echo, Aliases: map[string]string{"live": "7"}})
	arn := e.FunctionARN("a-b_C")
	for _, tt := range []struct{ name, qualifier, version string }{
		{"a-b_C", "", "$LATEST"},
		{"a-b_C", "$LATEST", "$LATEST"},
		{"a-b_C", "live", "7"},
		{"a-b_C", "7", "7"},
		{"a-b_C:live", "", "7"},
		{"a-b_C:$LATEST", "", "$LATEST"},
		{arn, "", "$LATEST"},
		{arn + ":live", "", "7"},
		{arn + ":$LATEST", "", "$LATEST"},
		{arn, "live", "7"},
		{"123456789012:function:a-b_C", "", "$LATEST"},
		{"123456789012:function:a-b_C:live", "live", "7"},
	} {
		out, err := try(t, c, "{}", named(tt.name, tt.qualifier))
		if err != nil || aws.ToString(out.ExecutedVersion) != tt.version {
			t.Errorf("%s, %s: %v, %+v", tt.name, tt.qualifier, err, out)
		}
	}
	for _, tt := range []struct{ name, qualifier, code string }{
		{"none", "", "ResourceNotFoundException"},
		{"a-b_C", "none", "ResourceNotFoundException"},
		{"a-b_C", "8", "ResourceNotFoundException"},
		{"arn:aws:lambda:us-east-1:999999999999:function:a-b_C", "", "ResourceNotFoundException"},
		{"a-b_C:live", "7", "InvalidParameterValueException"},
		{"a b", "", "ValidationException"},
		{"a-b_C:", "", "ValidationException"},
	} {
		if _, err := try(t, c, "{}", named(tt.name, tt.qualifier)); code(err) != tt.code {
			t.Errorf("%s, %s: %v", tt.name, tt.qualifier, err)
		}
	}
	_, err := try(t, c, "{}", named("none", "v1"))
	var missing *types.ResourceNotFoundException
	if !errors.As(err, &missing) || status(err) != 404 || aws.ToString(missing.Type) != "User" ||
		missing.ErrorMessage() != "Function not found: arn:aws:lambda:us-east-1:123456789012:function:none:v1" {
		t.Errorf("%v, %+v", err, missing)
	}
}

func TestAnErrorOfTheFunctionIsInTheAnswer(t *testing.T) {
	e, c := start(t)
	for name, tt := range map[string]struct {
		err           error
		kind, payload string
	}{
		"plain":   {errors.New("no"), "Unhandled", `{"errorMessage":"no","errorType":"errorString"}`},
		"typed":   {&awslocal.FunctionError{Type: "Bad", Message: "no"}, "Unhandled", `{"errorMessage":"no","errorType":"Bad"}`},
		"handled": {&awslocal.FunctionError{Handled: true, Type: "Bad", Message: "no"}, "Handled", `{"errorMessage":"no","errorType":"Bad"}`},
		"its own": {fmt.Errorf("around: %w", &awslocal.FunctionError{Payload: []byte(`"x"`)}), "Unhandled", `"x"`},
	} {
		create(t, e, awslocal.FunctionOptions{Handler: func(context.Context, []byte) ([]byte, error) { return nil, tt.err }})
		out := invoke(t, c, "{}", withTail)
		if out.StatusCode != 200 || aws.ToString(out.FunctionError) != tt.kind || string(out.Payload) != tt.payload {
			t.Errorf("%s: %+v, payload %s", name, out, out.Payload)
		}
	}
	create(t, e, awslocal.FunctionOptions{Handler: func(context.Context, []byte) ([]byte, error) { panic("boo") }})
	if out := invoke(t, c, "{}"); aws.ToString(out.FunctionError) != "Unhandled" || !strings.Contains(string(out.Payload), "boo") {
		t.Errorf("panic: %+v, payload %s", out, out.Payload)
	}
}

func TestAFunctionThatTakesTooLongTimesOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := awslocal.New(awslocal.Options{Keys: keys}, "http://lambda.test")
		defer func() { _ = e.Close() }()
		c := client(e.URL(), e.Transport())
		create(t, e, awslocal.FunctionOptions{Timeout: 2500 * time.Millisecond, Handler: func(ctx context.Context, _ []byte) ([]byte, error) {
			<-ctx.Done()
			return nil, ctx.Err()
		}})
		began := time.Now()
		out := invoke(t, c, "{}", withTail)
		if took := time.Since(began); took != 2500*time.Millisecond {
			t.Errorf("took %v", took)
		}
		if aws.ToString(out.FunctionError) != "Unhandled" || !strings.Contains(string(out.Payload), "Task timed out after 2.50 seconds") || !strings.Contains(tail(t, out), "Task timed out") {
			t.Errorf("payload %s, log %s", out.Payload, tail(t, out))
		}
	})
}

func TestMoreCallsThanTheConcurrencyAreThrottled(t *testing.T) {
	e, c := start(t)
	begun, goOn := make(chan struct{}, 2), make(chan struct{})
	create(t, e, awslocal.FunctionOptions{Concurrency: 2, Timeout: time.Minute, Handler: func(ctx context.Context, p []byte) ([]byte, error) {
		begun <- struct{}{}
		select {
		case <-goOn:
		case <-ctx.Done():
		}
		return p, nil
	}})
	var running sync.WaitGroup
	for range 2 {
		running.Go(func() {
			if _, err := try(t, c, "{}"); err != nil {
				t.Error(err)
			}
		})
	}
	<-begun
	<-begun
	_, err := try(t, c, "{}")
	var throttled *types.TooManyRequestsException
	if !errors.As(err, &throttled) || status(err) != 429 || throttled.Reason != types.ThrottleReasonReservedFunctionConcurrentInvocationLimitExceeded {
		t.Errorf("%v, %+v", err, throttled)
	}
	close(goOn)
	running.Wait()
	if _, err := try(t, c, "{}"); err != nil {
		t.Errorf("afterwards: %v", err)
	}
	if n := e.FunctionCounts("f"); n.Runs != 3 || n.Throttled != 1 {
		t.Errorf("%+v", n)
	}
}

func TestWhatIsNoCallIsRefused(t *testing.T) {
	e, c := start(t)
	create(t, e, awslocal.FunctionOptions{Handler: echo})
	create(t, e, awslocal.FunctionOptions{Name: "pending", State: "Pending", Handler: echo})
	create(t, e, awslocal.FunctionOptions{Name: "none", Concurrency: -1, Handler: echo})
	large := func(n int) string { return `"` + strings.Repeat("x", n-2) + `"` }
	for name, tt := range map[string]struct {
		payload string
		change  func(*lambda.InvokeInput)
		code    string
		status  int
	}{
		"too large":       {large(6<<20 + 1), withTail, "RequestTooLargeException", 413},
		"too large event": {large(1<<20 + 1), asEvent, "RequestTooLargeException", 413},
		"no JSON":         {"{", withTail, "InvalidRequestContentException", 400},
		"no such type":    {"{}", func(in *lambda.InvokeInput) { in.InvocationType = "Sometimes" }, "InvalidParameterValueException", 400},
		"pending":         {"{}", named("pending", ""), "ResourceConflictException", 409},
		"no concurrency":  {"{}", named("none", ""), "TooManyRequestsException", 429},
	} {
		if _, err := try(t, c, tt.payload, tt.change); code(err) != tt.code || status(err) != tt.status {
			t.Errorf("%s: %v", name, err)
		}
	}
	if out := invoke(t, c, large(6<<20)); len(out.Payload) != 6<<20 {
		t.Errorf("%d bytes came back", len(out.Payload))
	}
	invoke(t, c, large(1<<20), asEvent)
	create(t, e, awslocal.FunctionOptions{Handler: func(context.Context, []byte) ([]byte, error) { return make([]byte, 6<<20+101), nil }})
	if out := invoke(t, c, "{}"); aws.ToString(out.FunctionError) != "Unhandled" || !strings.Contains(string(out.Payload), "Function.ResponseSizeTooLarge") {
		t.Errorf("%.200s", out.Payload)
	}
}

func TestADryRunRunsNothing(t *testing.T) {
	e, c := start(t)
	create(t, e, awslocal.FunctionOptions{Handler: echo})
	dry := func(in *lambda.InvokeInput) { in.InvocationType = types.InvocationTypeDryRun }
	if out := invoke(t, c, "{}", dry); out.StatusCode != 204 {
		t.Errorf("%+v", out)
	}
	if n := e.FunctionCounts("f"); n.Runs != 0 {
		t.Errorf("%+v", n)
	}
	e.Deny(awslocal.Rule{Action: "lambda:InvokeFunction", Queue: "f"})
	if _, err := try(t, c, "{}", dry); code(err) != "AccessDeniedException" || status(err) != 403 || !strings.Contains(err.Error(), "lambda:InvokeFunction on resource: arn:aws:lambda") {
		t.Errorf("%v", err)
	}
}

func TestAnEventIsTriedThreeTimes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := awslocal.New(awslocal.Options{Keys: keys}, "http://lambda.test")
		defer func() { _ = e.Close() }()
		c := client(e.URL(), e.Transport())
		var mu sync.Mutex
		tries := map[string][]time.Duration{}
		began := time.Now()
		create(t, e, awslocal.FunctionOptions{EventQueue: 2, Handler: func(_ context.Context, p []byte) ([]byte, error) {
			mu.Lock()
			defer mu.Unlock()
			tries[string(p)] = append(tries[string(p)], time.Since(began))
			if string(p) == `"never"` || len(tries[string(p)]) < 2 {
				return nil, errors.New("no")
			}
			return nil, nil
		}})
		for _, payload := range []string{`"never"`, `"second"`} {
			if out := invoke(t, c, payload, asEvent); out.StatusCode != 202 || len(out.Payload) != 0 {
				t.Errorf("%+v", out)
			}
		}
		if _, err := try(t, c, `"third"`, asEvent); code(err) != "TooManyRequestsException" {
			t.Errorf("over the queue: %v", err)
		}
		<-time.After(10 * time.Minute)
		mu.Lock()
		got := fmt.Sprint(tries)
		mu.Unlock()
		if got != `map["never":[0s 1m0s 3m0s] "second":[0s 1m0s]]` {
			t.Error(got)
		}
		if n := e.FunctionCounts("f"); n.Runs != 5 || n.Errors != 4 || n.Done != 1 || n.Lost != 1 || n.Queued != 0 || n.Throttled != 1 {
			t.Errorf("%+v", n)
		}
	})
}

func TestTheConfigurationIsTold(t *testing.T) {
	e, c := start(t)
	create(t, e, awslocal.FunctionOptions{Timeout: 90 * time.Second, MemoryMB: 512, Handler: echo, Aliases: map[string]string{"live": "7"}, DeadLetterARN: e.QueueARN("dead")})
	out, err := c.GetFunctionConfiguration(t.Context(), &lambda.GetFunctionConfigurationInput{FunctionName: aws.String(e.FunctionARN("f")), Qualifier: aws.String("live")})
	if err != nil {
		t.Fatal(err)
	}
	if *out.Timeout != 90 || *out.MemorySize != 512 || *out.FunctionName != "f" || *out.FunctionArn != e.FunctionARN("f")+":live" || *out.Version != "7" ||
		out.State != types.StateActive || *out.DeadLetterConfig.TargetArn != e.QueueARN("dead") {
		t.Errorf("%+v", out)
	}
	if e.Log().Calls("GetFunctionConfiguration") != 1 {
		t.Error("it is not in the log")
	}
	if _, err := c.GetFunctionConfiguration(t.Context(), &lambda.GetFunctionConfigurationInput{FunctionName: aws.String("none")}); code(err) != "ResourceNotFoundException" {
		t.Errorf("%v", err)
	}
	if _, err := c.ListFunctions(t.Context(), &lambda.ListFunctionsInput{}); err == nil {
		t.Error("what is not served is answered")
	}
}

func TestTheAnswerIsJSONOfTheRequestID(t *testing.T) {
	e, _ := start(t, func(o *awslocal.Options) { o.Keys = nil })
	create(t, e, awslocal.FunctionOptions{Handler: echo})
	own := &http.Transport{}
	t.Cleanup(own.CloseIdleConnections)
	for path, want := range map[string]int{"f/invocations": 200, "none/invocations": 404, "f/policy": 400} {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, e.URL()+"/2015-03-31/functions/"+path, strings.NewReader(`{}`))
		if err != nil {
			t.Fatal(err)
		}
		res, err := (&http.Client{Transport: own}).Do(r)
		if err != nil {
			t.Fatal(err)
		}
		var body map[string]string
		if err := json.NewDecoder(res.Body).Decode(&body); err != nil {
			t.Error(err)
		}
		_ = res.Body.Close()
		if res.StatusCode != want || res.Header.Get("X-Amzn-Requestid") == "" || (want != 200) != (body["Type"] == "User") || (want != 200) != (res.Header.Get("X-Amzn-Errortype") != "") {
			t.Errorf("%s: %d, %v, %v", path, res.StatusCode, res.Header, body)
		}
	}
}
