//go:build integration

package e2e_test

import (
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	sdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"

	"github.com/jmsbridge/jmsbridge/bridge"
	"github.com/jmsbridge/jmsbridge/connectors/aws/awslocal"
	"github.com/jmsbridge/jmsbridge/test/brokers"
	"github.com/jmsbridge/jmsbridge/test/java"
)

// roundRows are the brokers of the way round, the services that fit, and where these answer.
var roundRows = []struct {
	name    string
	broker  *brokers.Shared
	client  java.Client
	replies string // the queue for answers; "": a temporary one
}{
	{"classic", classic6, java.ActiveMQ6, "bridge.replies"},
	{"classic with a temporary queue", classic6, java.ActiveMQ6, ""},
	{"artemis", artemis, java.ActiveMQ5, "bridge.replies"},
}

// round is a bridge whose one route takes requests from SQS to a JMS service.
type round struct {
	t       *testing.T
	queue   string // of the service
	replies string
	broker  *brokers.Broker
	aws     *awslocal.Endpoint
	sqs     *service // the requesters' client
	bridge  *bridgeProcess
	service *java.Service
}

// startRound starts a bridge and a service, which answers once it is released.
func startRound(t *testing.T, row int) *round {
	t.Helper()
	b := roundRows[row].broker.Broker(t)
	return startRoundOver(t, row, brokerYAML("mq", b.URL(wires[0]), brokers.App, b.CAFile()))
}

// startRoundOver is startRound with a broker of the configuration.
func startRoundOver(t *testing.T, row int, brokerList string) *round {
	t.Helper()
	r := &roundRows[row]
	x := &round{t: t, broker: r.broker.Broker(t), aws: startAWS(t, awslocal.Options{}, "asked", "answers-0", "answers-1", "dead")}
	x.queue = "round." + strings.ReplaceAll(t.Name(), "/", ".") + "." + strconv.Itoa(row)
	x.sqs = newService(t, x.aws.URL())
	lines := []string{"from:", "  jms:", "    broker: mq"}
	if r.replies != "" {
		x.replies = r.replies + "." + x.queue
		lines = append(lines, "    queue: "+x.replies)
	}
	lines = append(lines, "timeout: 60s", fmt.Sprintf("allow: [%q]", x.aws.URL()+"/*"))
	x.bridge = startBridge(t, configuration(x.aws, brokerList,
		"  - name: round\n    from:\n      sqs:\n        queue: asked\n        visibility: 10s\n        wait: 1s\n    to:\n      - jms:\n          broker: mq\n          queue: "+x.queue+
			"\n    dead_letter:\n      sqs:\n        queue: dead\n    window:\n      messages: "+strconv.Itoa(roundWindow)+"\n    reply:\n"+indent(prefixed("  ", lines))))
	x.service = java.Serve(t, r.client, x.broker.URL("tcp"), brokers.App, x.queue, 8)
	return x
}

func roundBody(i int) string { return fmt.Sprintf("lookup %d äöü", i) }

// ask puts n requests into the queue, of two requesters in turn, each with a queue for its answers.
func (x *round) ask(n int) {
	x.t.Helper()
	url := x.sqs.url("asked")
	text := func(s string) types.MessageAttributeValue {
		return types.MessageAttributeValue{DataType: sdk.String("String"), StringValue: &s}
	}
	for from := 0; from < n; from += 10 {
		var batch []types.SendMessageBatchRequestEntry
		for i := from; i < min(n, from+10); i++ {
			batch = append(batch, types.SendMessageBatchRequestEntry{
				Id: sdk.String(strconv.Itoa(i)), MessageBody: sdk.String(roundBody(i)),
				MessageAttributes: map[string]types.MessageAttributeValue{
					"CorrelationID": text(fmt.Sprintf("c-%d", i)), "ReplyTo": text(x.aws.QueueURL(fmt.Sprintf("answers-%d", i%2))),
				},
			})
		}
		out, err := x.sqs.sqs.SendMessageBatch(x.t.Context(), &sqs.SendMessageBatchInput{QueueUrl: &url, Entries: batch})
		if err != nil || len(out.Failed) > 0 {
			x.t.Fatalf("sending requests: %v, %v", err, out)
		}
	}
}

// roundWindow is how many requests are on their way at once. Classic looks no further than 200 messages for those that a
// selector wants (maxPageSize), so as many answers to a process that died would hide the others.
const roundWindow = 150

// waitAsked waits until the bridge has n requests, or all that it takes at once, and the service the first of them.
func (x *round) waitAsked(n int) {
	x.t.Helper()
	eventually(x.t, 30*time.Second, func() (bool, string) {
		got, asked := x.bridge.status("round").InFlight, len(x.service.Asked())
		return got == min(n, roundWindow) && asked > 0, fmt.Sprintf("%d of %d requests are on their way; the service has %d", got, n, asked)
	})
}

// answers is how many answers the requesters have.
func (x *round) answers() int {
	return x.aws.Depth("answers-0").Total() + x.aws.Depth("answers-1").Total()
}

// waitAnswered waits until nothing is asked any more: a request is deleted after its answer was sent.
func (x *round) waitAnswered(limit time.Duration) {
	x.t.Helper()
	eventually(x.t, limit, func() (bool, string) {
		left := x.aws.Depth("asked").Total()
		return left == 0, fmt.Sprintf("%d requests are left, there are %d answers and %d dead letters; the service was asked %d times: %+v",
			left, x.answers(), x.aws.Depth("dead").Total(), len(x.service.Asked()), x.bridge.status("round"))
	})
}

// judge wants each of n requests to be answered at its requester's queue with what is its own. It returns how many
// answers came besides.
func (x *round) judge(n int) (again int) {
	x.t.Helper()
	complain := limitedErrors(x.t, 10)
	have := make([]int, n)
	for q := range 2 {
		for _, m := range x.aws.Messages(fmt.Sprintf("answers-%d", q)) {
			correlation := m.Text("CorrelationID")
			i, err := strconv.Atoi(strings.TrimPrefix(correlation, "c-"))
			switch {
			case err != nil || i < 0 || i >= n || i%2 != q:
				complain("an answer with correlation id %q came to requester %d: %q", correlation, q, m.Body)
				continue
			case m.Body != "answer to "+roundBody(i):
				complain("request %d is answered with %q", i, m.Body)
			}
			have[i]++
		}
	}
	for i, k := range have {
		if k == 0 {
			complain("request %d has no answer", i)
		}
		again += max(0, k-1)
	}
	if k := x.aws.Depth("dead").Total(); k != 0 {
		x.t.Errorf("%d dead letters", k)
	}
	return again
}

// A service of Java answers what requesters behind SQS ask: each has its own answers, once, nothing is left at either end.
func TestRequestersBehindSQSAreAnsweredByAServiceInJava(t *testing.T) {
	for row := range roundRows {
		t.Run(roundRows[row].name, func(t *testing.T) {
			n := scaled(300)
			x := startRound(t, row)
			x.service.Release()
			x.ask(n)
			x.waitAnswered(60 * time.Second)
			if again := x.judge(n); again != 0 {
				t.Errorf("%d were answered again", again)
			}
			if k := len(x.service.Asked()); k != n {
				t.Errorf("the service was asked %d times for %d requests", k, n)
			}
			for _, m := range x.service.Asked() {
				if m.Expiration.IsZero() || m.CorrelationID == "" || strings.HasPrefix(m.CorrelationID, "c-") || m.ReplyTo.IsZero() {
					t.Fatalf("the service was asked by %+v", m)
				}
			}
			x.broker.WaitDepth(t, x.queue, 0, 10*time.Second)
			if x.replies != "" {
				x.broker.WaitDepth(t, x.replies, 0, 10*time.Second)
			}
			x.bridge.waitReplies("round", "sent", n)
			x.bridge.stop()
		})
	}
}

// While the service takes longer than the visibility of its request, and while the requesters' queues take no answer, the
// request stays hidden from others and in its queue. It is deleted once its answer is there.
func TestARequestBehindSQSStaysUntilItsAnswerIsSent(t *testing.T) {
	const n, visibility = 20, 10 * time.Second
	rounds := make([]*round, len(roundRows))
	for row := range roundRows {
		rounds[row] = startRound(t, row)
		rounds[row].ask(n)
	}
	stay := func(x *round) {
		t.Helper()
		for _, m := range x.aws.Messages("asked") {
			if !m.InFlight || m.Receives != 1 {
				t.Fatalf("a request whose answer is not sent was received %d times; in flight: %v", m.Receives, m.InFlight)
			}
		}
		if have := x.aws.Depth("asked").Total(); have != n || x.answers() != 0 {
			t.Fatalf("%d of %d requests are left, %d are answered", have, n, x.answers())
		}
	}
	for _, x := range rounds {
		x.waitAsked(n)
	}
	asked := time.Now()
	eventually(t, 30*time.Second, func() (bool, string) {
		for _, x := range rounds {
			stay(x)
		}
		return time.Since(asked) > visibility+2*time.Second, "the service waits"
	})
	var refused []*awslocal.Injection
	for _, x := range rounds {
		for q := range 2 {
			refused = append(refused, x.aws.Inject(awslocal.Fault{Kind: awslocal.Refuse, Queue: fmt.Sprintf("answers-%d", q)}))
		}
		x.service.Release()
	}
	for _, f := range refused {
		eventually(t, 20*time.Second, func() (bool, string) { return f.Fired() > 2, fmt.Sprintf("%d calls were refused", f.Fired()) })
	}
	for _, x := range rounds {
		stay(x)
		x.aws.ClearFaults()
		x.waitAnswered(60 * time.Second)
		if again := x.judge(n); again != 0 {
			t.Errorf("%d were answered again", again)
		}
		if k := len(x.service.Asked()); k != n {
			t.Errorf("the service was asked %d times for %d requests", k, n)
		}
		x.bridge.stop()
	}
}

// The bridge dies while the service has requests. The next one asks again for whatever was not settled, and every request
// is answered.
func TestABridgeIsKilledWhileAServiceAnswers(t *testing.T) {
	for row := range roundRows {
		t.Run(roundRows[row].name, func(t *testing.T) {
			n := scaled(300)
			x := startRound(t, row)
			x.ask(n)
			x.waitAsked(n)
			x.service.Release()
			eventually(t, 30*time.Second, func() (bool, string) { return x.answers() >= n/10, fmt.Sprintf("%d answers", x.answers()) })
			x.bridge.kill()
			left, answered := x.aws.Depth("asked").Total(), x.answers()
			if left == 0 {
				t.Fatal("the bridge was killed too late")
			}
			x.bridge = runBridge(t, x.bridge.file)
			x.waitAnswered(90 * time.Second)
			again := x.judge(n)
			if again > left {
				t.Errorf("%d were answered again, and %d were not settled", again, left)
			}
			x.broker.WaitDepth(t, x.queue, 0, 10*time.Second)
			lost := 0
			if x.replies != "" {
				lost = len(x.broker.Drain(t, x.replies))
			}
			t.Logf("%d of %d requests were left and %d answered when the bridge died; the service was asked %d times, %d answers came again, %d found nobody",
				left, n, answered, len(x.service.Asked()), again, lost)
			x.bridge.stop()
		})
	}
}

// The connection that asked is lost, and a temporary queue with it: what was asked over it is asked again. Answers in a
// queue of a name wait there, and nobody is asked again.
func TestTheConnectionToAServiceIsLost(t *testing.T) {
	for row := range roundRows {
		t.Run(roundRows[row].name, func(t *testing.T) {
			const n = 100
			proxy := openProxy(t, roundRows[row].broker.Broker(t))
			x := startRoundOver(t, row, brokerYAML("mq", "stomp://"+proxy.Addr(), brokers.App, ""))
			x.ask(n)
			x.waitAsked(n)
			x.broker.WaitDepth(t, x.queue, n, 10*time.Second)
			if proxy.Cut() == 0 {
				t.Fatal("nothing was cut")
			}
			want := n
			if x.replies == "" {
				want = 2 * n
				x.broker.WaitDepth(t, x.queue, n+1, 20*time.Second) // one alone, until it is answered
			}
			x.service.Release()
			x.waitAnswered(20 * time.Second)
			if again := x.judge(n); again != 0 {
				t.Errorf("%d were answered again", again)
			}
			x.broker.WaitDepth(t, x.queue, 0, 10*time.Second)
			if k := len(x.service.Asked()); k != want {
				t.Errorf("the service was asked %d times for %d requests, want %d", k, n, want)
			}
			x.bridge.stop()
		})
	}
}

// On Artemis there is no temporary queue over STOMP: an ordinary one would stay. Both run and check say so, and nothing is lost.
func TestATemporaryQueueForAnswersIsRefusedOnArtemis(t *testing.T) {
	b, e := artemis.Broker(t), startAWS(t, awslocal.Options{}, "asked")
	yaml := configuration(e, brokerYAML("mq", b.URL(wires[0]), brokers.App, b.CAFile()),
		"  - name: round\n    from:\n      sqs:\n        queue: asked\n    to:\n      - jms:\n          broker: mq\n          queue: refused\n    reply:\n"+
			indent([]string{"  from:", "    jms:", "      broker: mq", fmt.Sprintf("  allow: [%q]", e.URL()+"/*")}))
	const reason = "ActiveMQ Artemis has no temporary queues over STOMP"
	if said := runCommand(t, yaml, 1, "check"); !strings.Contains(said, reason) {
		t.Errorf("check says %s", said)
	}
	x := &round{t: t, aws: e, sqs: newService(t, e.URL())}
	x.ask(1)
	p := startBridge(t, yaml)
	p.waitStatus("round", 20*time.Second, func(s bridge.RouteStatus) bool { return strings.Contains(s.Reason, reason) })
	if n := e.Depth("asked").Total(); n != 1 {
		t.Errorf("%d requests are left", n)
	}
	b.WaitDepth(t, "refused", 0, 10*time.Second)
	p.stop()
}
