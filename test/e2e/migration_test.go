//go:build integration

package e2e_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/jmsbridge/jmsbridge/bridge"
	"github.com/jmsbridge/jmsbridge/bridge/envelope"
	"github.com/jmsbridge/jmsbridge/connectors/aws/awslocal"
	"github.com/jmsbridge/jmsbridge/connectors/aws/sqs"
	"github.com/jmsbridge/jmsbridge/test/brokers"
	"github.com/jmsbridge/jmsbridge/test/java"
)

// These are the steps of docs/migration.md, with a Java consumer as the old one.

// Beside the old consumer, cut over, roll back: at every step each message is with exactly one of the two.
func TestMigrationMovesTheConsumerAndBack(t *testing.T) {
	b := classic6.Broker(t)
	e := startAWS(t, awslocal.Options{}, "orders")
	const queue = "migration.orders"
	config := configuration(e, brokerYAML("mq", b.URL("stomp+ssl"), brokers.App, b.CAFile()), routeYAML("orders", queue, "orders",
		"dead_letter:", "  jms:", "    broker: mq", "    queue: DLQ."+queue))
	seen := map[int]string{}
	took := func(who string, numbers ...int) {
		t.Helper()
		for _, n := range numbers {
			if before := seen[n]; before != "" {
				t.Errorf("%s got message %d, which %s had", who, n, before)
			}
			seen[n] = who
		}
	}
	send := func(from, to int) {
		t.Helper()
		java.Send(t, java.ActiveMQ6, b.URL("tcp"), brokers.App, queue, orders(from, to)...)
	}
	old := func(n int) []int {
		t.Helper()
		return orderNumbers(t, java.Receive(t, java.ActiveMQ6, b.URL("tcp"), brokers.App, queue, n, time.Second))
	}

	runCommand(t, config, 0, "check") // look

	send(0, 40) // beside the old consumer, which takes a share
	took("the old consumer", old(15)...)
	p := startBridge(t, config)
	waitArrived(t, e, "orders", 25, 30*time.Second)
	send(40, 80) // cut over
	waitArrived(t, e, "orders", 65, 30*time.Second)
	b.WaitDepth(t, queue, 0, 10*time.Second)
	if s := p.status("orders"); s.State != bridge.StateRunning || s.HeldCount != 0 {
		t.Errorf("after the cut-over: %+v", s)
	}
	p.stop() // roll back
	send(80, 100)
	took("the old consumer", old(20)...)
	took("the bridge", orderNumbers(t, arrivals(t, e, "orders"))...)
	if len(seen) != 100 {
		t.Errorf("%d of 100 messages were processed", len(seen))
	}
	b.WaitDepth(t, queue, 0, 10*time.Second)
}

// A dead letter is looked at, and redriven by a route of its own: what arrives is what would have arrived at once.
func TestMigrationRedrivesDeadLettersAsTheyWere(t *testing.T) {
	for _, shared := range []*brokers.Shared{classic6, artemis} {
		b := shared.Broker(t)
		t.Run(string(b.Kind()), func(t *testing.T) {
			e := startAWS(t, awslocal.Options{}, "orders", "direct")
			queue, dead := "migration.redrive", "DLQ.migration.redrive"
			mq := brokerYAML("mq", b.URL("stomp+ssl"), brokers.App, b.CAFile())
			broker := []string{"dead_letter:", "  jms:", "    broker: mq", "    queue: " + dead}
			messages := []bridge.Message{order(1), order(2), order(3)}
			messages[1].Body = bridge.NewBytes("\x00\x01\xfe\xff bytes")
			messages[2].Body = bridge.NewText("a text with <&> \"quotes\", a tab\t and Grüße")

			// What arrives when nothing fails.
			java.Send(t, java.ActiveMQ6, b.URL("tcp"), brokers.App, queue, messages...)
			p := startBridge(t, configuration(e, mq, routeYAML("orders", queue, "direct", broker...)))
			waitArrived(t, e, "direct", len(messages), 30*time.Second)
			p.stop()

			// The target refuses them: they are dead letters, with the reason.
			refuse := e.Inject(awslocal.Fault{Kind: awslocal.FailEntries, Queue: "orders", Code: "InvalidMessageContents", SenderFault: true})
			java.Send(t, java.ActiveMQ6, b.URL("tcp"), brokers.App, queue, messages...)
			p = startBridge(t, configuration(e, mq, routeYAML("orders", queue, "orders", broker...)))
			b.WaitDepth(t, dead, len(messages), 30*time.Second)
			b.WaitDepth(t, queue, 0, 10*time.Second)
			p.stop()
			if refuse.Fired() < len(messages) {
				t.Fatalf("the target refused %d of %d", refuse.Fired(), len(messages))
			}
			refuse.Remove()
			redrive := configuration(e, mq, routeYAML("orders-redrive", dead, "orders",
				"dead_letter:", "  jms:", "    broker: mq", "    queue: "+dead+".again"))
			looked := lookedAt(t, runCommand(t, redrive, 0, "receive", "--broker", "mq", "queue:"+dead))
			if len(looked) != len(messages) {
				t.Fatalf("receive showed %d of %d dead letters", len(looked), len(messages))
			}
			for _, m := range looked {
				wantProperty(t, m, "JMSBridgeErrorCode", "InvalidMessageContents")
				wantProperty(t, m, "JMSBridgeOriginalDestination", "queue:"+queue)
				wantProperty(t, m, "JMSBridgeRoute", "orders")
			}
			b.WaitDepth(t, dead, len(messages), 10*time.Second) // looking took nothing

			p = startBridge(t, redrive)
			waitArrived(t, e, "orders", len(messages), 30*time.Second)
			b.WaitDepth(t, dead, 0, 10*time.Second)
			p.stop()
			direct, redriven := arrivals(t, e, "direct"), arrivals(t, e, "orders")
			for i := range direct {
				if diff := cmp.Diff(unchanged(direct[i]), unchanged(redriven[i])); diff != "" {
					t.Errorf("message %d differs after the redrive (-direct +redriven):\n%s", i, diff)
				}
			}
		})
	}
}

// order is message n of the migration.
func order(n int) bridge.Message {
	return bridge.Message{
		CorrelationID: "correlation-" + strconv.Itoa(n), Type: "order", Priority: 7,
		ReplyTo: bridge.Destination{Kind: bridge.Queue, Name: "migration.replies"},
		Properties: bridge.NewProperties([]bridge.Entry{
			{Name: "number", Value: bridge.Int(int32(n))},
			{Name: "account", Value: bridge.String("a" + strconv.Itoa(n%3))},
			{Name: "orderRegion", Value: bridge.String("EU")},
		}),
		Body: bridge.NewText("order " + strconv.Itoa(n)),
	}
}

func orderNumbers(t testing.TB, messages []bridge.Message) []int {
	t.Helper()
	var numbers []int
	for _, m := range messages {
		v, _ := m.Properties.Lookup("number")
		n := int(v.Int64())
		if v.Type() == bridge.StringType {
			var err error
			if n, err = strconv.Atoi(v.Str()); err != nil {
				t.Fatalf("reading the number of %s: %v", m.ID, err)
			}
		}
		numbers = append(numbers, n)
	}
	return numbers
}

func sequence(from, to int) []int {
	var s []int
	for n := from; n < to; n++ {
		s = append(s, n)
	}
	return s
}

// arrivals are the messages of an SQS queue, read back as JMS messages, by correlation id: the routes keep no order.
func arrivals(t testing.TB, e *awslocal.Endpoint, queue string) []bridge.Message {
	t.Helper()
	var all []bridge.Message
	for _, m := range e.Messages(queue) {
		attributes := map[string]sqs.Attribute{}
		for name, a := range m.Attributes {
			attributes[name] = sqs.Attribute{DataType: a.DataType, StringValue: a.StringValue, BinaryValue: a.BinaryValue}
		}
		decoded, err := sqs.Decode(m.Body, attributes)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, *decoded)
	}
	slices.SortStableFunc(all, func(a, b bridge.Message) int { return strings.Compare(a.CorrelationID, b.CorrelationID) })
	return all
}

// unchanged is what a redrive must not change: all but where and when the copy came from, its id and the diagnosis.
func unchanged(m bridge.Message) string {
	m.ID, m.Key, m.Timestamp, m.Destination, m.Redelivered = "", "", time.Time{}, bridge.Destination{}, false
	var entries []bridge.Entry
	for name, v := range m.Properties.All() {
		if !strings.HasPrefix(name, "JMSBridge") {
			entries = append(entries, bridge.Entry{Name: name, Value: v})
		}
	}
	m.Properties = bridge.NewProperties(entries)
	text, err := envelope.Append(nil, &m)
	if err != nil {
		return err.Error()
	}
	return string(text)
}

func wantProperty(t testing.TB, m bridge.Message, name, want string) {
	t.Helper()
	if v, _ := m.Properties.Lookup(name); v.Str() != want {
		t.Errorf("property %s is %q, want %q", name, v.Str(), want)
	}
}

// lookedAt reads the envelopes that `jmsbridge receive` has printed.
func lookedAt(t testing.TB, out string) []bridge.Message {
	t.Helper()
	var all []bridge.Message
	for line := range strings.Lines(out) {
		m, err := envelope.Parse([]byte(strings.TrimSpace(line)))
		if err != nil {
			t.Fatalf("%v: %s", err, line)
		}
		all = append(all, *m)
	}
	return all
}

// runCommand runs another command of the program with a configuration and returns its standard output.
func runCommand(t testing.TB, yaml string, code int, command string, args ...string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "bridge.yaml")
	if err := os.WriteFile(file, []byte(yaml), 0o600); err != nil {
		t.Fatal(err)
	}
	c := exec.CommandContext(t.Context(), binary, append([]string{command, "-c", file}, args...)...)
	c.Env = append(os.Environ(), "AWS_ACCESS_KEY_ID=AKIDEXAMPLE", "AWS_SECRET_ACCESS_KEY=secret-k8Vb21", "AWS_REGION=us-east-1")
	var out, errs strings.Builder
	c.Stdout, c.Stderr = &out, &errs
	err := c.Run()
	if c.ProcessState.ExitCode() != code {
		t.Fatalf("%s: %v\n%s\n%s", command, err, out.String(), errs.String())
	}
	return out.String()
}
