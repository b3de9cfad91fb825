//go:build integration

package e2e_test

import (
	"fmt"
	"strconv"
	"strings"
	"sync"
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

// held are questions whose answers a test sends when it likes.
type held struct {
	mu        sync.Mutex
	questions []question
}

func (h *held) keep(q question) []answer {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.questions = append(h.questions, q)
	return nil
}

func (h *held) all() []question {
	h.mu.Lock()
	defer h.mu.Unlock()
	return append([]question(nil), h.questions...)
}

func (h *held) wait(t testing.TB, n int) []question {
	t.Helper()
	eventually(t, 30*time.Second, func() (bool, string) {
		have := len(h.all())
		return have >= n, fmt.Sprintf("%d of %d requests have arrived", have, n)
	})
	return h.all()
}

// eachBroker runs a test on both brokers, with a queue of its own, requesters that fit and a bridge that answers by SQS.
func eachBroker(t *testing.T, test func(t *testing.T, x *sqsExchange), reply ...string) {
	for _, row := range []struct {
		broker *brokers.Shared
		client java.Client
	}{{classic6, java.ActiveMQ6}, {artemis, java.ActiveMQ5}} {
		b := row.broker.Broker(t)
		t.Run(string(b.Kind()), func(t *testing.T) {
			e := startAWS(t, awslocal.Options{}, "asked", "answers", "dead", "dead-answers")
			x := &sqsExchange{t: t, broker: b, client: row.client, aws: e, service: newService(t, e.URL()), queue: "asks." + strings.Split(t.Name(), "/")[0]}
			x.yaml = func(key string, more ...string) string {
				lines := append([]string{"dead_letter:", "  sqs:", "    queue: dead-answers"}, append(reply, more...)...)
				route := replyRoute(x.queue, "sqs: {queue: asked}", overSQS("answers", lines...)...)
				route += indent([]string{"dead_letter:", "  sqs:", "    queue: dead"})
				return configuration(e, brokerYAML("mq", b.URL(wires[0]), brokers.App, b.CAFile()), strings.Replace(route, "key: "+replyKey, "key: "+key, 1))
			}
			x.bridge = startBridge(t, x.yaml(replyKey))
			test(t, x)
			if x.bridge.running() {
				x.bridge.stop()
			}
		})
	}
}

// sqsExchange is a broker and a bridge whose one route asks a service behind SQS.
type sqsExchange struct {
	t       *testing.T
	broker  *brokers.Broker
	client  java.Client
	aws     *awslocal.Endpoint
	service *service
	queue   string
	yaml    func(key string, more ...string) string
	bridge  *bridgeProcess
}

// ask starts requesters, half of them with a temporary queue.
func (x *sqsExchange) ask(sent []bridge.Message, threads int, patience time.Duration) *java.Exchanging {
	x.t.Helper()
	return java.Exchange{
		Queue: x.queue, Replies: []string{"temp-queue:", "queue:" + x.replies()}, Threads: threads, Patience: patience, Requests: sent,
	}.Start(x.t, x.client, x.broker.URL("tcp"), brokers.App)
}

func (x *sqsExchange) replies() string { return "REPLY." + x.queue }

// again starts the bridge with another configuration.
func (x *sqsExchange) again(yaml string) {
	x.t.Helper()
	x.bridge = startBridge(x.t, yaml)
}

// checkAll wants each request to have its answer, and nothing to be left anywhere.
func (x *sqsExchange) checkAll(sent []bridge.Message, running *java.Exchanging) {
	x.t.Helper()
	got, stray := running.Results()
	checkAnswered(x.t, sent, got, stray, func(i int) string { return "answer to " + sent[i].Body.Data() })
	x.broker.WaitDepth(x.t, x.queue, 0, 30*time.Second)
	x.broker.WaitDepth(x.t, x.replies(), 0, 10*time.Second)
}

// A responder that is late, answers twice, makes up the correlation id or says nothing spoils nobody's exchange but its
// own, and nothing is left hanging.
func TestBadRespondersSpoilOnlyTheirOwnAnswers(t *testing.T) {
	eachBroker(t, func(t *testing.T, x *sqsExchange) {
		var late held
		x.service.respond("asked", asked, func(q question) []answer {
			switch number(q.body) % 5 {
			case 1:
				return append(once(q), once(q)...) // a standard queue has no order: which one is first nobody can say
			case 2:
				return []answer{{"c-" + q.body, "to a correlation id that nobody has sealed", nil}}
			case 3:
				return nil
			case 4:
				return late.keep(q)
			default:
				return once(q)
			}
		})
		const each = 20
		sent := requests("bad", 5*each, false, plain)
		got, stray := x.ask(sent, 50, 5*time.Second).Results() // longer than the route's timeout
		for _, q := range late.wait(t, each) {
			if err := x.service.send(t.Context(), q.replyURL, once(q)[0]); err != nil {
				t.Fatal(err)
			}
		}
		for i, r := range got {
			if i%5 > 1 {
				if len(r.Answers) != 0 {
					t.Errorf("request %d is answered: %+v", i, r.Answers)
				}
				continue
			}
			if len(r.Answers) != 1 {
				t.Errorf("request %d has %d answers", i, len(r.Answers))
			} else if err := isAnswer(&sent[i], r, "answer to "+sent[i].Body.Data()); err != nil {
				t.Errorf("request %d: %v", i, err)
			}
		}
		if len(stray) != 0 {
			t.Errorf("%d answers that nobody waits for: %+v", len(stray), stray[0])
		}
		x.bridge.waitReplies(x.queue, "sent", 2*each)
		x.bridge.waitReplies(x.queue, "duplicate", each)
		x.bridge.waitReplies(x.queue, "forged", each)
		x.bridge.waitReplies(x.queue, "late", each)
		x.bridge.waitIdle(x.queue, len(sent))
		waitArrived(t, x.aws, "dead-answers", each, 10*time.Second)
		if n := x.aws.Depth("dead-answers").Total(); n != each || x.aws.Depth("dead").Total() != 0 {
			t.Errorf("%d dead answers and %d dead requests, want %d and none", n, x.aws.Depth("dead").Total(), each)
		}
		x.broker.WaitDepth(t, x.replies(), 0, 10*time.Second)
		eventually(t, 10*time.Second, func() (bool, string) {
			n := x.aws.Depth("answers").Total()
			return n == 0, fmt.Sprintf("%d answers are left in the reply queue", n)
		})
	}, "timeout: 3s")
}

// number is the one in a request's body.
func number(body string) int {
	n, err := strconv.Atoi(strings.Fields(body)[1])
	if err != nil {
		panic(err)
	}
	return n
}

// A requester that is gone before its answer comes: Classic tells, and it is counted; Artemis would keep the answer for
// ever, but for its time to live. In both cases the others are answered, and the request is settled.
func TestARequesterThatIsGoneHoldsUpNobody(t *testing.T) {
	eachBroker(t, func(t *testing.T, x *sqsExchange) {
		var waiting held
		x.service.respond("asked", asked, func(q question) []answer {
			if strings.HasPrefix(q.body, "gone") {
				return waiting.keep(q)
			}
			return once(q)
		})
		gone := bridge.Message{Body: bridge.NewText("gone"), CorrelationID: "c-gone"}
		java.Request(t, x.client, x.broker.URL("tcp"), brokers.App, x.queue, bridge.Destination{Kind: bridge.TempQueue}, gone, time.Millisecond).Answer()
		q := waiting.wait(t, 1)[0]
		sent := requests("others", 100, false, plain)
		others := x.ask(sent, 20, 30*time.Second)
		if err := x.service.send(t.Context(), q.replyURL, once(q)[0]); err != nil {
			t.Fatal(err)
		}
		x.checkAll(sent, others)
		x.bridge.waitIdle(x.queue, 1+len(sent))
		orphans := 0
		if x.broker.Kind().Classic() {
			orphans = 1
		}
		x.bridge.waitReplies(x.queue, "orphaned", orphans)
		x.bridge.waitReplies(x.queue, "sent", 1+len(sent)-orphans)
		if n := x.aws.Depth("dead").Total() + x.aws.Depth("dead-answers").Total(); n != 0 {
			t.Errorf("%d dead letters", n)
		}
	})
}

// A thousand messages that belong to no request lie in the reply queue, and more come: the real answers pass.
func TestAFloodOfForeignMessagesDoesNotKeepAnswersBack(t *testing.T) {
	eachBroker(t, func(t *testing.T, x *sqsExchange) {
		x.service.respond("asked", asked, once)
		const foreign = 1000
		url := x.service.url("answers")
		flood := func(from, to int) {
			for ; from < to; from += 10 {
				in := &sqs.SendMessageBatchInput{QueueUrl: &url}
				for i := range 10 {
					m := types.SendMessageBatchRequestEntry{Id: sdk.String(strconv.Itoa(i)), MessageBody: sdk.String("foreign")}
					if i%2 == 0 {
						m.MessageAttributes = map[string]types.MessageAttributeValue{
							"CorrelationID": {DataType: sdk.String("String"), StringValue: sdk.String(strings.Repeat("A", 100+i))},
						}
					}
					in.Entries = append(in.Entries, m)
				}
				if _, err := x.service.sqs.SendMessageBatch(t.Context(), in); err != nil {
					t.Errorf("flooding the reply queue: %v", err)
					return
				}
			}
		}
		flood(0, foreign/2)
		sent := requests("flood", 100, false, plain)
		running := x.ask(sent, 20, 30*time.Second)
		flood(foreign/2, foreign)
		x.checkAll(sent, running)
		x.bridge.waitReplies(x.queue, "forged", foreign)
		waitArrived(t, x.aws, "dead-answers", foreign, 30*time.Second)
		if n := x.aws.Depth("dead-answers").Total(); n != foreign {
			t.Errorf("%d dead answers, want %d", n, foreign)
		}
	})
}

// The key is rotated while answers are on their way: the new one seals, and the old one still opens. Without the old one
// those answers are nobody's.
func TestAKeyIsRotatedUnderLoad(t *testing.T) {
	eachBroker(t, func(t *testing.T, x *sqsExchange) {
		var waiting held
		x.service.respond("asked", asked, waiting.keep) // the test says when it answers
		sent := requests("rotation", 150, false, plain)
		running := x.ask(sent, 50, 40*time.Second)
		old := waiting.wait(t, 50) // each thread has asked once, and all wait
		x.bridge.stop()
		x.again(x.yaml(secondKey, "old_keys:", "  - "+replyKey))
		answered := 0
		for running.Running() { // all of them, as they come
			all := waiting.all()
			for _, q := range all[answered:] {
				if err := x.service.send(t.Context(), q.replyURL, once(q)[0]); err != nil {
					t.Fatal(err)
				}
			}
			answered = len(all)
			<-time.After(5 * time.Millisecond)
		}
		x.checkAll(sent, running)
		x.bridge.waitReplies(x.queue, "sent", len(sent))
		x.bridge.stop()

		x.again(x.yaml(secondKey))
		if err := x.service.send(t.Context(), old[0].replyURL, once(old[0])[0]); err != nil {
			t.Fatal(err)
		}
		x.bridge.waitReplies(x.queue, "forged", 1)
		waitArrived(t, x.aws, "dead-answers", 1, 10*time.Second)
	})
}

// A JMSReplyTo that is more than one plain destination, the broker's own or the route's own gets no answer, whatever the
// patterns say: the request is a dead letter, and nobody works for it.
func TestRepliesGoToPlainDestinationsOnly(t *testing.T) {
	eachBroker(t, func(t *testing.T, x *sqsExchange) {
		x.service.respond("asked", asked, func(q question) []answer {
			t.Errorf("a responder was asked %q", q.body)
			return once(q)
		})
		names := []string{"REPLY.a,REPLY.b", "REPLY.>", "REPLY.*", "ActiveMQ.Advisory.Connection", "ActiveMQ.DLQ", x.queue}
		var sent []bridge.Message
		for _, name := range names {
			sent = append(sent, bridge.Message{
				Body: bridge.NewText(name), CorrelationID: "c", ReplyTo: bridge.Destination{Kind: bridge.Queue, Name: name},
			})
		}
		java.Send(t, x.client, x.broker.URL("tcp"), brokers.App, x.queue, sent...)
		if x.broker.Kind() == brokers.Artemis { // Classic takes the options off itself, and a plain name is left
			optioned := "/queue/REPLY.a?consumer.exclusive=true"
			x.broker.Publish(t, x.queue, brokers.Message{
				Headers: []brokers.Header{{Name: "reply-to", Value: optioned}, {Name: "correlation-id", Value: "c"}}, Body: optioned,
			})
			names = append(names, optioned)
		}
		waitArrived(t, x.aws, "dead", len(names), 30*time.Second)
		found := map[string]bool{}
		for _, m := range x.aws.Messages("dead") {
			found[m.Body] = true
			if !strings.Contains(fmt.Sprint(m.Attributes), bridge.CodeReplyRefused) {
				t.Errorf("the dead letter of %q does not say why: %v", m.Body, m.Attributes)
			}
		}
		for _, name := range names {
			if !found[name] {
				t.Errorf("the request to be answered at %q is no dead letter", name)
			}
		}
		x.bridge.waitStatus(x.queue, 10*time.Second, func(s bridge.RouteStatus) bool {
			return s.Counters.DeadLettered == uint64(len(names)) && s.InFlight == 0
		})
		x.broker.WaitDepth(t, x.queue, 0, 10*time.Second)
		for _, queue := range []string{"REPLY.a", "REPLY.b"} {
			x.broker.WaitDepth(t, queue, 0, 10*time.Second)
		}
	})
}

// fault: true has a requester told of what its request failed by.
func TestAFailureIsTold(t *testing.T) {
	for _, row := range []struct {
		broker *brokers.Shared
		client java.Client
	}{{classic6, java.ActiveMQ6}, {artemis, java.ActiveMQ5}, {artemis, java.Core}} {
		b := row.broker.Broker(t)
		t.Run(string(row.client)+" on "+string(b.Kind()), func(t *testing.T) {
			e := responders(t)
			createQueue(t, e, "dead", nil)
			route := replyRoute("faults", "lambda: {function: quotes, payload: body}", "from: call", "fault: true") +
				indent([]string{"dead_letter:", "  sqs:", "    queue: dead", "retry:", "  attempts: 1"})
			p := startBridge(t, configuration(e, brokerYAML("mq", b.URL(wires[0]), brokers.App, b.CAFile()), route))
			sent := requests("fault", 20, row.client == java.Core, func(text string) string {
				return fmt.Sprintf(`{"do":"fail","text":"no such price: %s"}`, text)
			})
			got, stray := java.Exchange{
				Queue: "faults", Replies: []string{"temp-queue:"}, Threads: 5, Patience: 30 * time.Second, Requests: sent,
			}.Start(t, row.client, b.URL("tcp"), brokers.App).Results()
			for i, r := range got {
				if len(r.Answers) != 1 {
					t.Errorf("request %d has %d answers", i, len(r.Answers))
					continue
				}
				m := &r.Answers[0]
				property := func(name string) string {
					v, _ := m.Properties.Lookup(name)
					return v.Str()
				}
				// STOMP carries strings only; getBooleanProperty reads "true" as Java's true.
				if !r.Faults[0] {
					t.Errorf("getBooleanProperty does not tell the fault for request %d", i)
				}
				// Artemis's own client does not enumerate what begins with JMS.
				if row.client != java.Core && (property("JMSBridgeFault") != "true" || property("JMSBridgeErrorCode") == "") {
					t.Errorf("the fault for request %d: %v", i, m.Properties)
				}
				if want := fmt.Sprintf("no such price: fault %d äöü", i); !strings.Contains(m.Body.Data(), want) {
					t.Errorf("the fault for request %d says %q, not %q", i, m.Body.Data(), want)
				}
				if want := sent[i].CorrelationID; want != "" && m.CorrelationID != want || want == "" && m.CorrelationID != r.ID {
					t.Errorf("the fault for request %d has correlation id %q", i, m.CorrelationID)
				}
			}
			if len(stray) != 0 {
				t.Errorf("%d stray answers", len(stray))
			}
			p.waitReplies("faults", "fault", len(sent))
			waitArrived(t, e, "dead", len(sent), 10*time.Second)
			p.stop()
		})
	}
}
