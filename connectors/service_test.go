package connectors

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	sdk "github.com/aws/aws-sdk-go-v2/aws"
	sqsapi "github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"

	"github.com/jmsbridge/jmsbridge/bridge"
	"github.com/jmsbridge/jmsbridge/connectors/jms/stomp/stomplocal"
)

const serviceRoute = `
- name: lookups
  from:
    sqs: {queue: lookup-requests, wait: 1s}
  to:
  - jms: {broker: mq, queue: lookups}
  dead_letter:
    sqs: {queue: dlq}
  reply:
    from:
      jms: {broker: mq, queue: bridge.replies}
    timeout: 5s
    fault: true
    allow: ["ENDPOINT*"]
`

// serve is a JMS service on a queue: it answers to JMSReplyTo with the request's correlation id.
func (x *exchange) serve(queue string, answer func(stomplocal.Message) string) {
	ctx, cancel := context.WithCancel(context.Background())
	var working sync.WaitGroup
	x.t.Cleanup(func() {
		cancel()
		working.Wait()
	})
	working.Go(func() {
		served := map[string]bool{}
		for ctx.Err() == nil {
			for _, m := range x.broker.Browse("/queue/"+queue, 1000) {
				if served[m.ID] {
					continue
				}
				served[m.ID] = true
				if body := answer(m); body != "" {
					if _, err := x.broker.Publish(m.ReplyTo, stomplocal.Message{CorrelationID: m.CorrelationID, Body: []byte(body)}); err != nil {
						x.t.Error(err)
					}
				}
			}
			<-time.After(10 * time.Millisecond)
		}
	})
}

// request puts a request for a JMS service into a queue.
func (x *exchange) request(queue, replyTo, correlation, body string) {
	x.t.Helper()
	url, reply := x.aws.QueueURL(queue), x.aws.QueueURL(replyTo)
	text := func(s string) types.MessageAttributeValue {
		return types.MessageAttributeValue{DataType: sdk.String("String"), StringValue: &s}
	}
	_, err := x.sqs.SendMessage(x.t.Context(), &sqsapi.SendMessageInput{
		QueueUrl: &url, MessageBody: &body,
		MessageAttributes: map[string]types.MessageAttributeValue{"CorrelationID": text(correlation), "ReplyTo": text(reply), "region": text("EU")},
	})
	if err != nil {
		x.t.Fatal(err)
	}
}

// answers takes n messages off an SQS queue, and returns bodies by correlation id.
func (x *exchange) answersIn(queue string, n int) map[string]string {
	x.t.Helper()
	url, out := x.aws.QueueURL(queue), map[string]string{}
	for end := time.Now().Add(20 * time.Second); len(out) < n; {
		if time.Now().After(end) {
			for _, r := range x.routes {
				x.t.Logf("%+v", r.Status())
			}
			x.t.Fatalf("%d answers of %d", len(out), n)
		}
		got, err := x.sqs.ReceiveMessage(x.t.Context(), &sqsapi.ReceiveMessageInput{
			QueueUrl: &url, MaxNumberOfMessages: 10, WaitTimeSeconds: 1, MessageAttributeNames: []string{"All"},
		})
		if err != nil {
			x.t.Fatal(err)
		}
		for _, m := range got.Messages {
			out[*m.MessageAttributes["CorrelationID"].StringValue] = *m.Body
		}
	}
	return out
}

func TestARequesterBehindSQSIsAnsweredByAJMSService(t *testing.T) {
	x := startExchange(t, serviceRoute, "lookup-requests", "answers", "dlq")
	x.serve("lookups", func(m stomplocal.Message) string {
		if m.CorrelationID == "" || !strings.HasPrefix(m.CorrelationID, "jmsbridge.lookups.") || m.Expires.IsZero() {
			t.Errorf("the request has correlation id %q and expires at %v", m.CorrelationID, m.Expires)
		}
		return "answer to " + string(m.Body)
	})
	for i := range 40 {
		x.request("lookup-requests", "answers", fmt.Sprint("c-", i), fmt.Sprint("request ", i))
	}
	got := x.answersIn("answers", 40)
	for i := range 40 {
		if want := fmt.Sprint("answer to request ", i); got[fmt.Sprint("c-", i)] != want {
			t.Errorf("c-%d is answered with %q", i, got[fmt.Sprint("c-", i)])
		}
	}
	for end := time.Now().Add(10 * time.Second); x.aws.Depth("lookup-requests").Total() > 0; {
		if time.Now().After(end) {
			t.Fatalf("%d requests are left", x.aws.Depth("lookup-requests").Total())
		}
		<-time.After(10 * time.Millisecond)
	}
}

// Without a queue for answers they come to a temporary one, which is lost with the connection: what was asked over it is
// asked again.
func TestAServiceAnswersAtATemporaryQueue(t *testing.T) {
	x := startExchange(t, strings.Replace(serviceRoute, ", queue: bridge.replies", "", 1), "lookup-requests", "answers", "dlq")
	var asked atomic.Int64
	cut := make(chan struct{})
	x.serve("lookups", func(m stomplocal.Message) string {
		if !strings.HasPrefix(m.ReplyTo, "/remote-temp-queue/") {
			t.Errorf("the service is to answer to %q", m.ReplyTo)
		}
		if asked.Add(1) > 20 {
			select {
			case <-cut:
			default:
				return "" // the connection is lost before the answer
			}
		}
		return "answer to " + string(m.Body)
	})
	const n = 40
	for i := range n {
		x.request("lookup-requests", "answers", fmt.Sprint("c-", i), fmt.Sprint("request ", i))
	}
	for end := time.Now().Add(20 * time.Second); asked.Load() < n || x.aws.Depth("answers").Total() < 20; {
		if time.Now().After(end) {
			t.Fatalf("the service was asked %d times", asked.Load())
		}
		<-time.After(10 * time.Millisecond)
	}
	close(cut)
	lost := time.Now()
	x.broker.DropConnections()
	got := x.answersIn("answers", n)
	if took := time.Since(lost); took > 4*time.Second {
		t.Errorf("the rest was answered after %s: it was not asked again when the connection was lost", took)
	}
	for i := range n {
		if want := fmt.Sprint("answer to request ", i); got[fmt.Sprint("c-", i)] != want {
			t.Errorf("c-%d is answered with %q", i, got[fmt.Sprint("c-", i)])
		}
	}
	if k := asked.Load(); k != n+20 {
		t.Errorf("the service was asked %d times, with 20 of %d requests under way when the connection was lost", k, n)
	}
	for end := time.Now().Add(10 * time.Second); x.aws.Depth("lookup-requests").Total() > 0; {
		if time.Now().After(end) {
			t.Fatalf("%d requests are left", x.aws.Depth("lookup-requests").Total())
		}
		<-time.After(10 * time.Millisecond)
	}
	if k := x.aws.Depth("dlq").Total(); k != 0 {
		t.Errorf("%d dead letters", k)
	}
}

// A request that the service does not answer in time is a dead letter; a fault would come too late for its requester.
func TestAServiceThatDoesNotAnswerIsNotWaitedForLonger(t *testing.T) {
	x := startExchange(t, strings.Replace(serviceRoute, "timeout: 5s", "timeout: 1s", 1), "lookup-requests", "answers", "dlq")
	x.request("lookup-requests", "answers", "c", "request")
	for end := time.Now().Add(20 * time.Second); x.aws.Depth("dlq").Total() == 0 || x.aws.Depth("lookup-requests").Total() > 0; {
		if time.Now().After(end) {
			t.Fatalf("%d dead letters, %d requests", x.aws.Depth("dlq").Total(), x.aws.Depth("lookup-requests").Total())
		}
		<-time.After(10 * time.Millisecond)
	}
	if s := x.routes[0].Status(); s.Replies.Late != 1 || x.aws.Depth("answers").Total() != 0 {
		t.Errorf("%+v, %d answers", s.Replies, x.aws.Depth("answers").Total())
	}
}

func TestARequestThatCanNotBeSentIsAnsweredWithAFault(t *testing.T) {
	x := startExchange(t, serviceRoute, "lookup-requests", "answers", "dlq")
	url, reply := x.aws.QueueURL("lookup-requests"), x.aws.QueueURL("answers")
	text := func(s string) types.MessageAttributeValue {
		return types.MessageAttributeValue{DataType: sdk.String("String"), StringValue: &s}
	}
	_, err := x.sqs.SendMessage(t.Context(), &sqsapi.SendMessageInput{
		QueueUrl: &url, MessageBody: sdk.String("***"), MessageAttributes: map[string]types.MessageAttributeValue{
			"CorrelationID": text("c"), "ReplyTo": text(reply), "jmsbridge.encoding": text("base64"),
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	if got := x.answersIn("answers", 1); !strings.Contains(got["c"], "base64") {
		t.Errorf("answered with %q", got["c"])
	}
}

// What names no queue for an answer is a message like any other: nobody answers it, and nobody waits.
func TestARequestThatWantsNoAnswerIsOnlyPassedOn(t *testing.T) {
	x := startExchange(t, serviceRoute, "lookup-requests", "answers", "dlq")
	url := x.aws.QueueURL("lookup-requests")
	if _, err := x.sqs.SendMessage(t.Context(), &sqsapi.SendMessageInput{QueueUrl: &url, MessageBody: sdk.String("one way")}); err != nil {
		t.Fatal(err)
	}
	for end := time.Now().Add(4 * time.Second); x.broker.Depth("/queue/lookups") == 0 || x.aws.Depth("lookup-requests").Total() > 0; {
		if time.Now().After(end) {
			t.Fatalf("the service has %d, %d are not settled", x.broker.Depth("/queue/lookups"), x.aws.Depth("lookup-requests").Total())
		}
		<-time.After(10 * time.Millisecond)
	}
	for _, m := range x.broker.Browse("/queue/lookups", 10) {
		if m.ReplyTo != "" || m.CorrelationID != "" || string(m.Body) != "one way" {
			t.Errorf("the service got %+v", m)
		}
	}
	if n := x.broker.Depth("/queue/lookups") + x.aws.Depth("dlq").Total(); n != 1 {
		t.Errorf("%d copies", n)
	}
}

// A request that is asked again is a new one: Artemis would drop what has the deduplication id of the first.
func TestAServiceIsAskedAgainWithoutADeduplicationID(t *testing.T) {
	inner := &seenSink{}
	s := &service{around: around{inner}, box: newMailbox("r", func() {}), timeout: time.Minute}
	if err := s.Connect(t.Context()); err != nil {
		t.Fatal(err)
	}
	inner.answer = func(m *bridge.Message) { s.box.put(&bridge.Message{CorrelationID: m.CorrelationID}, nil) }
	for range 2 {
		res := sendOne(t, s, bridge.Outgoing{Message: &bridge.Message{}, DedupID: "d", Deadline: time.Now().Add(time.Minute)})
		if res.Err != nil || res.Reply == nil {
			t.Fatalf("%+v", res)
		}
	}
	first, second := inner.seen[0], inner.seen[1]
	if first.DedupID != "" || second.DedupID != "" || first.Message.CorrelationID == second.Message.CorrelationID {
		t.Errorf("asked with %q and %q, then with %q and %q", first.DedupID, first.Message.CorrelationID, second.DedupID, second.Message.CorrelationID)
	}
}

// seenSink keeps what is sent, and answers it.
type seenSink struct {
	bridge.Sink
	seen   []bridge.Outgoing
	answer func(*bridge.Message)
}

func (s *seenSink) Connect(context.Context) error { return nil }
func (s *seenSink) Limits() bridge.Limits         { return bridge.Limits{Messages: 1, Calls: 1} }

func (s *seenSink) Send(_ context.Context, batch []bridge.Outgoing, res []bridge.Result) error {
	s.seen = append(s.seen, batch[0])
	res[0] = bridge.Result{}
	s.answer(batch[0].Message)
	return nil
}

func TestNoAnswerGoesToTheRequestQueueItself(t *testing.T) {
	x := startExchange(t, serviceRoute, "lookup-requests", "answers", "dlq")
	var mu sync.Mutex
	var asked []string
	x.serve("lookups", func(m stomplocal.Message) string {
		mu.Lock()
		defer mu.Unlock()
		asked = append(asked, string(m.Body))
		return "answer to " + string(m.Body)
	})
	x.request("lookup-requests", "lookup-requests", "evil", "mine")
	x.request("lookup-requests", "answers", "good", "yours")
	if got := x.answersIn("answers", 1); got["good"] != "answer to yours" {
		t.Errorf("answered with %q", got)
	}
	for end := time.Now().Add(20 * time.Second); x.aws.Depth("lookup-requests").Total() > 0; {
		if time.Now().After(end) {
			t.Fatalf("%d requests are left", x.aws.Depth("lookup-requests").Total())
		}
		<-time.After(10 * time.Millisecond)
	}
	mu.Lock()
	defer mu.Unlock()
	slices.Sort(asked)
	if s := x.routes[0].Status(); s.Replies.Refused != 1 || !slices.Equal(asked, []string{"mine", "yours"}) {
		t.Errorf("%+v, the service was asked %q", s.Replies, asked)
	}
}
