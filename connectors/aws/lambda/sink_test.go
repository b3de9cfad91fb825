package lambda_test

import (
	"context"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	sdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	lambdaapi "github.com/aws/aws-sdk-go-v2/service/lambda"

	"github.com/jmsbridge/jmsbridge/connectors/aws"
	"github.com/jmsbridge/jmsbridge/connectors/aws/awslocal"
	"github.com/jmsbridge/jmsbridge/connectors/aws/lambda"
)

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
		want := 15*time.Minute + 5*time.Second
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
