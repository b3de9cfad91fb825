package connectors

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/jmsbridge/jmsbridge/connectors/aws/awslocal"
	"github.com/jmsbridge/jmsbridge/connectors/jms/stomp/stomplocal"
)

// startSQS starts an endpoint and lets the process's credentials be made up.
func startSQS(t *testing.T, opt awslocal.Options) *awslocal.Endpoint {
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
	t.Setenv("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "secret")
	t.Setenv("AWS_EC2_METADATA_DISABLED", "true")
	return e
}

// sqsRoute returns a configuration with one ordered route to orders.fifo.
func sqsRoute(b *stomplocal.Broker, e *awslocal.Endpoint, more string) string {
	return fmt.Sprintf(`brokers: [{name: mq, url: %q}]
aws: {endpoint_url: %q, region: us-east-1}
routes:
- name: r
  from: {jms: {broker: mq, queue: q}}
  to: [{sqs: {queue: orders.fifo}}]
  order: group
  group_id: ${.type}
%s`, b.URL(), e.URL(), more)
}

func warned(r *RouteReport, text string) bool {
	for _, w := range r.Warnings {
		if strings.Contains(strings.ToLower(w.Text), strings.ToLower(text)) {
			return true
		}
	}
	return false
}

func TestCheckAsksAWSForTheTargets(t *testing.T) {
	b := startBroker(t, stomplocal.Options{})
	e := startSQS(t, awslocal.Options{Latency: 30 * time.Millisecond})
	for _, q := range []awslocal.QueueOptions{{Name: "orders.fifo"}, {Name: "dead", Attributes: map[string]string{"MaximumMessageSize": "4096"}}} {
		if _, err := e.CreateQueue(q); err != nil {
			t.Fatal(err)
		}
	}
	report := checked(t, sqsRoute(b, e, "  dead_letter: {sqs: {queue: dead}}\n"), 20*time.Second)
	if n := report.Errors(); n != 0 || report.Refused != "" {
		t.Fatalf("%+v", report)
	}
	route := &report.Routes[0]
	target := route.Ends[1]
	if target.Peer != "SQS FIFO queue orders.fifo" || target.fact("caller") == "" {
		t.Errorf("target = %+v", target)
	}
	if target.RoundTrip < 30*time.Millisecond || target.RoundTrip > 5*time.Second {
		t.Errorf("round trip = %v of an endpoint that takes 30ms", target.RoundTrip)
	}
	if want := fmt.Sprintf("groups × 1 ÷ the time of a call; a small call took %s just now: ", printLatency(target.RoundTrip)); !strings.Contains(route.Cost, want) {
		t.Errorf("cost = %q, want %q", route.Cost, want)
	}
	for _, text := range []string{"forgets a deduplication id after 5 minutes", "the dead letter takes messages of up to 4KiB"} {
		if !warned(route, text) {
			t.Errorf("nothing warns of %q: %+v", text, route.Warnings)
		}
	}
	for _, q := range []string{"orders.fifo", "dead"} {
		if n := e.Depth(q).Total(); n != 0 {
			t.Errorf("check has sent %d messages to %s", n, q)
		}
	}
	if n := e.Log().Calls("ReceiveMessage"); n != 0 {
		t.Errorf("check has received %d times", n)
	}
}

func TestCheckTellsAMissingQueue(t *testing.T) {
	b := startBroker(t, stomplocal.Options{})
	e := startSQS(t, awslocal.Options{})
	report := checked(t, sqsRoute(b, e, ""), 20*time.Second)
	target := report.Routes[0].Ends[1]
	if report.Errors() != 1 || target.Class != "fatal" || !strings.Contains(target.Error, "orders.fifo") {
		t.Errorf("target = %+v", target)
	}
	if report.Routes[0].Cost == "" {
		t.Error("the cost of order is not told without a target")
	}
}

func TestMissingRightsToAskAreWarnings(t *testing.T) {
	b := startBroker(t, stomplocal.Options{})
	e := startSQS(t, awslocal.Options{Deny: []awslocal.Rule{{Action: "GetQueueAttributes"}}})
	if _, err := e.CreateQueue(awslocal.QueueOptions{Name: "orders.fifo"}); err != nil {
		t.Fatal(err)
	}
	report := checked(t, sqsRoute(b, e, ""), 20*time.Second)
	route := &report.Routes[0]
	if n := report.Errors(); n != 0 {
		t.Fatalf("%+v", report)
	}
	if got := route.Ends[1].fact("largest message"); got != "262144 bytes" {
		t.Errorf("largest message = %q, want 256 KiB", got)
	}
	if !warned(route, "GetQueueAttributes") {
		t.Errorf("nothing warns of the missing right: %+v", route.Warnings)
	}
	if route.Ends[1].RoundTrip == 0 {
		t.Error("a refusal is an answer, and was not measured")
	}
}

// A private subnet often reaches SQS and not STS, and nothing but the caller's name is missing then.
func TestSTSThatIsNotReachedIsAWarning(t *testing.T) {
	b := startBroker(t, stomplocal.Options{})
	e := startSQS(t, awslocal.Options{})
	if _, err := e.CreateQueue(awslocal.QueueOptions{Name: "orders.fifo"}); err != nil {
		t.Fatal(err)
	}
	for name, fault := range map[string]awslocal.Fault{
		"reset":  {Kind: awslocal.ResetBefore},
		"denied": {Kind: awslocal.Refuse, Code: "AccessDenied"},
		"503":    {Kind: awslocal.Refuse, Code: "ServiceUnavailable"},
		"a page": {Kind: awslocal.Refuse, Status: 502, Code: "Whatever", Raw: "<html>Bad Gateway</html>"},
	} {
		t.Run(name, func(t *testing.T) {
			fault.Actions = []string{"GetCallerIdentity"}
			injected := e.Inject(fault)
			defer injected.Remove()
			report := checked(t, sqsRoute(b, e, ""), 20*time.Second)
			if injected.Fired() == 0 {
				t.Fatal("the fault did not fire")
			}
			if n := report.Errors(); n != 0 || report.Refused != "" {
				t.Fatalf("%d errors: %+v", n, report)
			}
			route := &report.Routes[0]
			target := &route.Ends[1]
			if target.Error != "" || target.Class != "" || target.fact("caller") != "" || target.RoundTrip == 0 {
				t.Errorf("target = %+v", target)
			}
			if target.fact("queue url") == "" || target.fact("largest message") == "" {
				t.Errorf("what SQS says of the queue is missing: %+v", target.Facts)
			}
			if !warned(route, "who the credentials belong to is not known") {
				t.Errorf("nothing warns of it: %+v", route.Warnings)
			}
		})
	}
}
