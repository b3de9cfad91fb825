package awslocal_test

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge/types"
	"github.com/google/go-cmp/cmp"

	"github.com/jmsbridge/jmsbridge/connectors/aws/awslocal"
)

// eventsClient is an SDK client without retries and without a socket.
func eventsClient(e *awslocal.Endpoint) *eventbridge.Client {
	return eventbridge.New(eventbridge.Options{
		Region: e.Region(), BaseEndpoint: aws.String("http://events.test"), Retryer: aws.NopRetryer{}, HTTPClient: &http.Client{Transport: e.Transport()},
		Credentials: credentials.NewStaticCredentialsProvider("AKIDTEST", "secret", ""),
	})
}

func puts(n int) *eventbridge.PutEventsInput {
	in := &eventbridge.PutEventsInput{}
	for i := range n {
		in.Entries = append(in.Entries, types.PutEventsRequestEntry{
			Source: aws.String(fmt.Sprint("source-", i)), DetailType: aws.String("type"), Detail: aws.String(fmt.Sprintf(`{"n":%d}`, i)), EventBusName: aws.String("prices"),
		})
	}
	return in
}

// withBus is an endpoint with a bus, prices, and a queue of the same name that gets all of its events.
func withBus(t testing.TB, o awslocal.Options) *awslocal.Endpoint {
	t.Helper()
	e := awslocal.New(o, "http://aws.test")
	t.Cleanup(func() { _ = e.Close() })
	queue(t, e, "prices", nil)
	if _, err := e.CreateBus("prices"); err != nil {
		t.Fatal(err)
	}
	rule(t, e, awslocal.RuleOptions{Name: "all", Bus: "prices", Targets: []awslocal.EventTarget{{ARN: e.QueueARN("prices")}}})
	return e
}

func rule(t testing.TB, e *awslocal.Endpoint, o awslocal.RuleOptions) {
	t.Helper()
	if err := e.CreateRule(o); err != nil {
		t.Fatal(err)
	}
}

func TestEventsAreLoggedAndCounted(t *testing.T) {
	e := withBus(t, awslocal.Options{})
	in := puts(2)
	in.Entries[0].TraceHeader, in.Entries[0].Resources, in.Entries[0].Time = aws.String("Root=1-x"), []string{"r"}, aws.Time(time.UnixMilli(1700000000123))
	in.Entries[1].Source = nil
	if _, err := eventsClient(e).PutEvents(t.Context(), in); err != nil {
		t.Fatal(err)
	}
	got := e.Log().Events("prices")
	if len(got) != 2 {
		t.Fatalf("%d records", len(got))
	}
	first := awslocal.PutEvent{Bus: "prices", Source: "source-0", DetailType: "type", Resources: []string{"r"}, Time: time.UnixMilli(1700000000123)}
	if d := cmp.Diff(first, *got[0].Event); d != "" {
		t.Error(d)
	}
	if r := got[0]; r.Action != "PutEvents" || r.Queue != "prices" || r.Body != `{"n":0}` || r.Trace != "Root=1-x" || r.MessageID == "" || r.Outcome != awslocal.Accepted {
		t.Errorf("%+v", r)
	}
	if r := got[1]; r.Entry != 1 || r.MessageID != "" || r.Outcome != awslocal.Refused || r.Code != "InvalidArgument" || r.Faulted {
		t.Errorf("%+v", r)
	}
	if d := cmp.Diff(awslocal.BusCounts{Events: 1, Delivered: 1}, e.BusCounts("prices")); d != "" {
		t.Error(d)
	}
	if m := e.Messages("prices"); len(m) != 1 || m[0].Trace != "Root=1-x" {
		t.Errorf("%+v", m)
	}
}

func TestFaultsFailEventsByTheirPlace(t *testing.T) {
	e := withBus(t, awslocal.Options{})
	for _, code := range []string{"ThrottlingException", "InternalFailure", "NotAuthorizedForDetailTypeException"} {
		i := e.Inject(awslocal.Fault{
			Kind: awslocal.FailEntries, Actions: []string{"PutEvents"}, Queue: "prices", Code: code,
			Match: func(r *awslocal.Record) bool { return r.Event.Source == "source-1" },
		})
		out, err := eventsClient(e).PutEvents(t.Context(), puts(3))
		if err != nil {
			t.Fatal(err)
		}
		if i.Fired() != 1 || out.FailedEntryCount != 1 || aws.ToString(out.Entries[1].ErrorCode) != code || out.Entries[1].EventId != nil || out.Entries[2].EventId == nil {
			t.Errorf("%s: fired %d times, %+v", code, i.Fired(), out)
		}
		i.Remove()
	}
	if n := len(e.Drain("prices")); n != 6 {
		t.Errorf("%d events arrived", n)
	}
}

func TestFaultsRefuseCallsOfEvents(t *testing.T) {
	e := withBus(t, awslocal.Options{})
	for kind, want := range map[string]string{"": "InternalFailure", "ThrottlingException": "ThrottlingException", "OperationDisabledException": "OperationDisabledException"} {
		e.Inject(awslocal.Fault{Kind: awslocal.Refuse, Actions: []string{"PutEvents"}, Code: kind, Times: 1})
		if _, err := eventsClient(e).PutEvents(t.Context(), puts(1)); code(err) != want {
			t.Errorf("%v", err)
		}
	}
	e.Deny(awslocal.Rule{Action: "events:DescribeEventBus", Queue: "prices"})
	if _, err := eventsClient(e).DescribeEventBus(t.Context(), &eventbridge.DescribeEventBusInput{Name: aws.String("prices")}); code(err) != "AccessDeniedException" {
		t.Errorf("%v", err)
	}
	if n := e.Depth("prices").Total(); n != 0 {
		t.Errorf("%d events arrived", n)
	}
}

func TestFaultsCutConnectionsOfEvents(t *testing.T) {
	for kind, want := range map[awslocal.FaultKind]int{awslocal.ResetBefore: 0, awslocal.ResetAfter: 1, awslocal.StallBefore: 0, awslocal.StallAfter: 1} {
		synctest.Test(t, func(t *testing.T) {
			e := withBus(t, awslocal.Options{})
			e.Inject(awslocal.Fault{Kind: kind, Actions: []string{"PutEvents"}})
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			_, err := eventsClient(e).PutEvents(ctx, puts(1))
			if !errors.Is(err, syscall.ECONNRESET) && !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("%v", err)
			}
			synctest.Wait()
			r := e.Log().Events("")
			if n := e.Depth("prices").Total(); n != want || len(r) != 1 || (r[0].Outcome == awslocal.AnswerLost) != (want == 1) || !r[0].Faulted {
				t.Errorf("fault %d: %d events arrived, log %+v", kind, n, r)
			}
		})
	}
}

func TestLatencyHoldsForEvents(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := withBus(t, awslocal.Options{Latency: 20 * time.Millisecond})
		e.Inject(awslocal.Fault{Kind: awslocal.Latency, Actions: []string{"PutEvents"}, Delay: time.Second})
		start := time.Now()
		if _, err := eventsClient(e).PutEvents(t.Context(), puts(1)); err != nil {
			t.Fatal(err)
		}
		if d := time.Since(start); d != 1020*time.Millisecond {
			t.Errorf("it took %v", d)
		}
	})
}

func TestASignatureForAnotherServiceIsRefused(t *testing.T) {
	e := withBus(t, awslocal.Options{Keys: []awslocal.Key{{ID: "AKIDTEST", Secret: "secret"}}})
	if _, err := eventsClient(e).PutEvents(t.Context(), puts(1)); err != nil {
		t.Fatal(err)
	}
	body := `{"Entries":[]}`
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://events.test/", strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("X-Amz-Target", "AWSEvents.PutEvents")
	key := aws.Credentials{AccessKeyID: "AKIDTEST", SecretAccessKey: "secret"}
	hash := fmt.Sprintf("%x", sha256.Sum256([]byte(body)))
	if err := v4.NewSigner().SignHTTP(t.Context(), key, r, hash, "sqs", "us-east-1", time.Now()); err != nil {
		t.Fatal(err)
	}
	answer, err := e.Transport().RoundTrip(r)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusForbidden {
		t.Errorf("status %d", answer.StatusCode)
	}
}

func TestRulesMatchByAFunctionAndDeliverToOtherServices(t *testing.T) {
	e := withBus(t, awslocal.Options{})
	const arn = "arn:aws:lambda:us-east-1:123456789012:function:quotes"
	rule(t, e, awslocal.RuleOptions{
		Name: "odd", Bus: e.BusARN("prices"), Targets: []awslocal.EventTarget{{ARN: arn}},
		Match: func(event []byte) bool { return strings.Contains(string(event), `"detail":{"n":1}`) },
	})
	if got := e.Rules("prices"); !slices.Equal(got, []string{"all", "odd"}) {
		t.Errorf("rules %q", got)
	}
	send := func() {
		t.Helper()
		if _, err := eventsClient(e).PutEvents(t.Context(), puts(3)); err != nil {
			t.Fatal(err)
		}
	}
	send() // nobody serves Lambda
	var got []string
	e.DeliverEvents("lambda", func(arn string, event []byte) {
		e.Depth("prices") // it may call the endpoint
		got = append(got, arn)
	})
	send()
	e.DeliverEvents("lambda", nil)
	if !slices.Equal(got, []string{arn}) {
		t.Errorf("delivered %q", got)
	}
	if d := cmp.Diff(awslocal.BusCounts{Events: 6, Delivered: 7, Failed: 1}, e.BusCounts("prices")); d != "" {
		t.Error(d)
	}
}

func TestAQueueThatDoesNotTakeTheEventIsCounted(t *testing.T) {
	e := withBus(t, awslocal.Options{})
	queue(t, e, "small", map[string]string{"MaximumMessageSize": "1024"})
	queue(t, e, "plain.fifo", nil) // without content-based deduplication
	rule(t, e, awslocal.RuleOptions{Name: "more", Bus: "prices", Targets: []awslocal.EventTarget{
		{ID: "1", ARN: e.QueueARN("small")}, {ID: "2", ARN: e.QueueARN("none")}, {ID: "3", ARN: e.QueueARN("plain.fifo"), MessageGroupID: "g"},
	}})
	in := puts(1)
	in.Entries[0].Detail = aws.String(`{"x":"` + strings.Repeat("x", 1024) + `"}`)
	if _, err := eventsClient(e).PutEvents(t.Context(), in); err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(awslocal.BusCounts{Events: 1, Delivered: 1, Failed: 3}, e.BusCounts("prices")); d != "" {
		t.Error(d)
	}
}

func TestAFunctionThatIsNotThereOrTakesNoMoreIsCountedAsFailed(t *testing.T) {
	e := withBus(t, awslocal.Options{})
	release := make(chan struct{})
	if err := e.CreateFunction(awslocal.FunctionOptions{Name: "busy", EventQueue: 1, Aliases: map[string]string{"live": "7"}, Handler: func(context.Context, []byte) ([]byte, error) {
		<-release
		return nil, nil
	}}); err != nil {
		t.Fatal(err)
	}
	defer close(release)
	busy := e.FunctionARN("busy")
	var targets []awslocal.EventTarget
	for _, arn := range []string{
		busy + ":none", e.FunctionARN("none"), strings.Replace(busy, ":123456789012:", ":210987654321:", 1),
		busy + ":live", busy, // the second finds the queue full
	} {
		targets = append(targets, awslocal.EventTarget{ARN: arn})
	}
	rule(t, e, awslocal.RuleOptions{Name: "more", Bus: "prices", Targets: targets}) // beside the one to a queue
	if _, err := eventsClient(e).PutEvents(t.Context(), puts(1)); err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(awslocal.BusCounts{Events: 1, Delivered: 2, Failed: 4}, e.BusCounts("prices")); d != "" {
		t.Error(d)
	}
	if n := e.FunctionCounts("busy"); n.Queued != 1 {
		t.Errorf("%+v", n)
	}
}
