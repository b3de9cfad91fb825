//go:build integration

package e2e_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jmsbridge/jmsbridge/connectors/aws/awslocal"
	"github.com/jmsbridge/jmsbridge/test/brokers"
	"github.com/jmsbridge/jmsbridge/test/java"
	"github.com/jmsbridge/jmsbridge/test/lambdatest"
)

// wires are the protocols that the bridge talks to a broker, as the scheme of its URL. Another one is another row.
var wires = []string{"stomp+ssl"}

// replyRoute is a route from a queue of broker mq, whose requests are answered.
func replyRoute(name, to string, reply ...string) string {
	s := fmt.Sprintf("  - name: %s\n    from:\n      jms:\n        broker: mq\n        queue: %s\n    to:\n      - %s\n", name, name, to)
	return s + "    reply:\n" + indent(prefixed("  ", reply))
}

func prefixed(prefix string, lines []string) []string {
	out := slices.Clone(lines)
	for i := range out {
		out[i] = prefix + out[i]
	}
	return out
}

// overSQS are the lines of a reply that comes over a queue.
func overSQS(queue string, more ...string) []string {
	return append([]string{
		"from:", "  sqs:", "    queue: " + queue, "    consumers: 2", "key: " + replyKey, `allow: ["temp-queue:*", "queue:*"]`,
	}, more...)
}

// inCall are the lines of a reply that the target gives in the call.
func inCall(more ...string) []string {
	return append([]string{"from: call", `allow: ["temp-queue:*", "queue:REPLY.*"]`}, more...)
}

// responders makes everything that answers: a real function, a service behind SQS, and one behind an event bus.
func responders(t testing.TB) *awslocal.Endpoint {
	t.Helper()
	e := startAWS(t, awslocal.Options{}, "asked", "answers", "whole-asked", "whole-answers", "events-asked", "events-answers", "function-answers")
	program := []string{lambdatest.Build(t)}
	for _, f := range []awslocal.FunctionOptions{
		{Name: "quotes", Timeout: 30 * time.Second, Command: program},
		{Name: "behind-a-bus", Timeout: 30 * time.Second, Command: program, Environment: []string{
			"FUNCTION_MODE=answer", "AWS_ENDPOINT_URL=" + e.URL(), "AWS_ACCESS_KEY_ID=AKIDEXAMPLE", "AWS_SECRET_ACCESS_KEY=secret-k8Vb21",
		}},
	} {
		if err := e.CreateFunction(f); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := e.CreateBus("prices"); err != nil {
		t.Fatal(err)
	}
	for _, r := range []awslocal.RuleOptions{
		{Name: "to-service", Pattern: `{"source":["mq.prices"]}`, Targets: []awslocal.EventTarget{{ARN: e.QueueARN("events-asked")}}},
		{Name: "to-function", Pattern: `{"source":["mq.quotes"]}`, Targets: []awslocal.EventTarget{{ARN: e.FunctionARN("behind-a-bus")}}},
	} {
		r.Bus = "prices"
		if err := e.CreateRule(r); err != nil {
			t.Fatal(err)
		}
	}
	s := newService(t, e.URL())
	s.respond("asked", asked, once)
	s.respond("whole-asked", asked, func(q question) []answer { return []answer{{q.token, wholeAnswer(q.body), nil}} })
	s.respond("events-asked", askedByEvent, once)
	return e
}

// wholeAnswer is an envelope: an answer with properties, type and priority.
func wholeAnswer(body string) string {
	raw, err := json.Marshal(map[string]any{
		"type": "Quote", "priority": 7, "persistent": true, "properties": map[string]any{"answers": body}, "body_type": "text", "body": "answer to " + body,
	})
	if err != nil {
		panic(err) // strings and numbers only
	}
	return string(raw)
}

// callOf is a request that has the function return a value.
func callOf(value func(text string) string) func(text string) string {
	return func(text string) string { return fmt.Sprintf(`{"do":"echo","value":%s}`, value(text)) }
}

func quoted(text string) string {
	raw, err := json.Marshal("answer to " + text)
	if err != nil {
		panic(err)
	}
	return string(raw)
}

// replyCells are the responders of the matrix, and the requests that they understand.
var replyCells = []struct {
	name, to string
	reply    []string
	request  func(text string) string
	whole    bool // the answer is a message with properties
}{
	{"lambda", "lambda: {function: quotes, payload: body}", inCall(), callOf(quoted), false},
	{"lambda.whole", "lambda: {function: quotes, payload: body}", inCall("format: envelope"), callOf(wholeAnswer), true},
	{"sqs", "sqs: {queue: asked}", overSQS("answers"), plain, false},
	{"sqs.whole", "sqs: {queue: whole-asked}", overSQS("whole-answers", "format: envelope"), plain, true},
	{"eventbridge", "eventbridge: {bus: prices, source: mq.prices, detail_type: Asked}", overSQS("events-answers"), plain, false},
	{"eventbridge.lambda", "eventbridge: {bus: prices, source: mq.quotes, detail_type: Asked}", overSQS("function-answers"), plain, false},
}

// The Java clients as they are, fifty threads of one connection, half of them with a temporary queue and half with a
// reply queue and a selector: nobody notices that the responder isn't a JMS client, and each answer is the right one.
func TestJavaRequestersAreAnswered(t *testing.T) {
	for _, wire := range wires {
		for _, row := range []struct {
			broker *brokers.Shared
			client java.Client
		}{{classic6, java.ActiveMQ6}, {artemis, java.ActiveMQ5}, {artemis, java.Core}} {
			b := row.broker.Broker(t)
			t.Run(fmt.Sprintf("%s on %s over %s", row.client, b.Kind(), wire), func(t *testing.T) {
				e := responders(t)
				prefix := strings.NewReplacer("+", "", "-", "", ".", "").Replace(wire + string(row.client))
				var routes strings.Builder
				for _, c := range replyCells {
					routes.WriteString(replyRoute(prefix+"."+c.name, c.to, c.reply...))
				}
				p := startBridge(t, configuration(e, brokerYAML("mq", b.URL(wire), brokers.App, b.CAFile()), routes.String()))
				for i := range replyCells {
					if row.client == java.Core && replyCells[i].whole {
						continue // what the bridge sends is no different
					}
					t.Run(replyCells[i].name, func(t *testing.T) { testReplyCell(t, p, b, row.client, prefix, i) })
				}
				p.stop()
			})
		}
	}
}

// testReplyCell asks one responder.
func testReplyCell(t *testing.T, p *bridgeProcess, b *brokers.Broker, client java.Client, prefix string, cell int) {
	c := &replyCells[cell]
	queue, replies := prefix+"."+c.name, "REPLY."+prefix+"."+c.name
	n := 300
	if c.whole || client == java.Core {
		n = 100 // the matrix proper has 300 a cell; these look at one thing more
	}
	// Over STOMP Artemis does not show the message id of a core client, which so can't be its answer's correlation id.
	sent := requests(c.name, scaled(n), client == java.Core, c.request)
	start := time.Now()
	got, stray := java.Exchange{
		Queue: queue, Replies: []string{"temp-queue:", "queue:" + replies}, Threads: 50, Patience: 40 * time.Second, Requests: sent,
	}.Start(t, client, b.URL("tcp"), brokers.App).Results()
	took := time.Since(start)
	text := func(i int) string { return fmt.Sprintf("%s %d äöü", c.name, i) }
	checkAnswered(t, sent, got, stray, func(i int) string { return "answer to " + text(i) })
	for i, x := range got {
		if slices.Contains(x.Faults, true) {
			t.Errorf("the answer to request %d says that it is a fault", i)
		}
	}
	if c.whole || c.name == "sqs" || strings.HasPrefix(c.name, "eventbridge") { // attributes of an answer are properties too
		for i, x := range got {
			if len(x.Answers) != 1 {
				continue // it is told above
			}
			m := &x.Answers[0]
			if v, _ := m.Properties.Lookup("answers"); v.Str() != text(i) {
				t.Errorf("the answer to request %d has the property %q", i, v.Str())
			}
			if c.whole && (m.Type != "Quote" || m.Priority != 7) {
				t.Errorf("the answer to request %d has type %q and priority %d", i, m.Type, m.Priority)
			}
		}
	}
	p.waitIdle(queue, len(sent))
	b.WaitDepth(t, queue, 0, 10*time.Second)
	b.WaitDepth(t, replies, 0, 10*time.Second) // a second answer would have stayed
	slices.SortFunc(got, func(x, y java.Exchanged) int { return int(x.Took - y.Took) })
	t.Logf("%d requests in %s, median %s", len(sent), took.Round(time.Millisecond), got[len(got)/2].Took)
}
