package connectors

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/jmsbridge/jmsbridge/bridge"
	"github.com/jmsbridge/jmsbridge/bridge/reply"
	"github.com/jmsbridge/jmsbridge/config"
	"github.com/jmsbridge/jmsbridge/connectors/aws"
	"github.com/jmsbridge/jmsbridge/connectors/aws/awslocal"
)

// mapStore is a store in memory that tells until when it keeps what.
type mapStore struct {
	values  map[string]string
	expires map[string]time.Time
	err     error // of Keep
}

func newMapStore() *mapStore {
	return &mapStore{values: map[string]string{}, expires: map[string]time.Time{}}
}

func (s *mapStore) Keep(_ context.Context, key string, value []byte, expires time.Time) ([]byte, error) {
	if s.err != nil {
		return nil, s.err
	}
	if old, ok := s.values[key]; ok {
		return []byte(old), nil
	}
	s.values[key], s.expires[key] = string(value), expires
	return nil, nil
}

func (s *mapStore) Find(context.Context, string) ([]byte, error) { return nil, nil } // nobody has stored it yet

func (s *mapStore) Close() error { return nil }

// only is until when the one record is kept.
func (s *mapStore) only(t *testing.T) time.Time {
	t.Helper()
	if len(s.expires) != 1 {
		t.Fatalf("%d records", len(s.expires))
	}
	for _, at := range s.expires {
		return at
	}
	return time.Time{}
}

// whole is a sink whose calls fail as a whole.
type whole struct {
	*fakeSink
	err error
}

func (w whole) Send(ctx context.Context, batch []bridge.Outgoing, res []bridge.Result) error {
	_ = w.fakeSink.Send(ctx, batch, res)
	return w.err
}

func ignore(string) {}

func TestTheOutcomeThatIsStoredFirstCounts(t *testing.T) {
	s, deadline := newMapStore(), time.Now().Add(time.Minute)
	target := &onceTarget{around{&fakeSink{}}, s}
	ask := func(body string) bridge.Result {
		return sendOne(t, target, bridge.Outgoing{Message: &bridge.Message{Body: bridge.NewText(body)}, DedupID: "d", Deadline: deadline})
	}
	if !target.Limits().Dedup {
		t.Error("without a deduplication id there is nothing to store an outcome under")
	}
	ask("one") // by another replica, at the same time
	if got := ask("two"); got.Err != nil || got.Reply.Body.Data() != "answer to one" {
		t.Errorf("%+v", got)
	}
	if at := s.only(t); at.Sub(deadline) < 30*time.Second { // a copy of the request may be on its way as late as that
		t.Errorf("an outcome is kept until %v after its deadline", at.Sub(deadline))
	}
	s.err = errors.New("the disk is full")
	if got := ask("three"); bridge.ClassOf(got.Err) != bridge.Ambiguous || got.Err == nil || got.Reply != nil {
		t.Errorf("an answer that can't be stored is sent: %+v", got)
	}
}

func TestAClaimToAReplyIsOfItsRouteAndOutlivesIt(t *testing.T) {
	s, expiration := newMapStore(), time.Now().Add(time.Minute)
	answer := bridge.Outgoing{Message: &bridge.Message{Key: "k", Body: bridge.NewText("x"), Expiration: expiration}}
	inner := &fakeSink{}
	sendOne(t, newOnceReplies(inner, s, "prices", ignore), answer)
	if at := s.only(t); at.Sub(expiration) < 30*time.Second {
		t.Errorf("a claim is kept until %v after its reply expires", at.Sub(expiration))
	}
	sendOne(t, newOnceReplies(inner, s, "quotes", ignore), answer)
	if len(inner.sent) != 2 {
		t.Errorf("two routes have sent %d replies to messages of one id", len(inner.sent))
	}
}

func TestACallForAReplyThatEndsWithoutAWordIsNotMadeAgain(t *testing.T) {
	gone := &bridge.Error{Class: bridge.Ambiguous, Err: errors.New("the connection is gone")}
	r := newOnceReplies(whole{&fakeSink{}, gone}, newMapStore(), "r", ignore)
	if got := sendOne(t, r, bridge.Outgoing{Message: &bridge.Message{Key: "k"}}); got.Err != nil {
		t.Errorf("%v", got.Err)
	}
}

func TestWhatBecomesOfAReplyThatIsRefused(t *testing.T) {
	for code, want := range map[string]string{
		"DestinationDoesNotExistException": "orphaned", "InvalidDestinationException": "orphaned", "limit": "",
	} {
		inner, counts := &fakeSink{err: &bridge.Error{Class: bridge.Permanent, Code: code, Err: errors.New("refused")}}, map[string]int{}
		r := newReplies(inner, func(outcome string) { counts[outcome]++ })
		answer := bridge.Outgoing{Message: &bridge.Message{Key: "k"}}
		got := sendOne(t, r, answer)
		if (got.Err == nil) != (want != "") || counts[want] != len(counts) {
			t.Errorf("%s: %v, %v", code, got.Err, counts)
		}
		inner.err = nil
		if got := sendOne(t, r, answer); got.Err != nil || counts["sent"] != 1 {
			t.Errorf("%s: the next answer: %v, %v", code, got.Err, counts)
		}
	}
}

func TestAnswersGoToTheQueuesThatAreAllowed(t *testing.T) {
	q := &queueReplies{allow: []string{"https://sqs/1/a*-answers", "https://sqs/1/exact"}}
	for url, want := range map[string]bool{
		"https://sqs/1/a-answers": true, "https://sqs/1/abc-answers": true, "https://sqs/1/exact": true, "https://sqs/1/exactly": false,
		"https://sqs/1/b-answers": false, "https://sqs/1/a-answers-not": false, "https://sqs/1/a": false,
	} {
		if q.allows(url) != want {
			t.Errorf("%s: %v", url, !want)
		}
	}
	overlap := &queueReplies{allow: []string{"https://sqs/aba*aba"}}
	if overlap.allows("https://sqs/aba") {
		t.Error("what stands before the star is not what stands behind it")
	}
}

// toQueues returns the way of replies to any queue of an endpoint.
func toQueues(t *testing.T) (*queueReplies, *awslocal.Endpoint) {
	t.Helper()
	e := startSQS(t, awslocal.Options{})
	client := aws.NewClient(aws.Settings{EndpointURL: e.URL(), Region: e.Region()})
	t.Cleanup(client.Close)
	q := newQueueReplies(client, []string{"*"}, "")
	t.Cleanup(func() { _ = q.Close(context.Background()) })
	return q, e
}

func replyTo(url, key string) bridge.Outgoing {
	return bridge.Outgoing{Message: &bridge.Message{
		Key: key, Destination: bridge.Destination{Kind: bridge.Queue, Name: url}, Body: bridge.NewText("x"),
	}}
}

func TestAReplyToAFIFOQueueIsKnownAgain(t *testing.T) {
	q, e := toQueues(t)
	url, err := e.CreateQueue(awslocal.QueueOptions{Name: "answers.fifo"})
	if err != nil {
		t.Fatal(err)
	}
	for range 2 { // the second after a crash
		if got := sendOne(t, q, replyTo(url, "k")); got.Err != nil {
			t.Fatal(got.Err)
		}
	}
	if n := e.Depth("answers.fifo").Total(); n != 1 {
		t.Errorf("%d replies", n)
	}
}

func TestTheNumberOfRequestersQueuesIsBounded(t *testing.T) {
	q, e := toQueues(t)
	for i := range maxReplyQueues + 5 {
		url, err := e.CreateQueue(awslocal.QueueOptions{Name: fmt.Sprint("answers-", i)})
		if err != nil {
			t.Fatal(err)
		}
		if got := sendOne(t, q, replyTo(url, "k")); got.Err != nil {
			t.Fatal(got.Err)
		}
	}
	if len(q.sinks) != maxReplyQueues {
		t.Errorf("%d queues are known", len(q.sinks))
	}
}

func TestTheNewKeySealsAndTheOldOnesOpen(t *testing.T) {
	const renewed, old = "the new key, which has 32 bytes.", "the old key, which has 32 bytes."
	c, err := config.Parse("bridge.yaml", fmt.Appendf(nil, `brokers: [{name: mq, url: "stomp://localhost:61613"}]
routes:
- name: r
  from: {jms: {broker: mq, queue: q}}
  to: [{sqs: {queue: q}}]
  reply: {from: {sqs: {queue: r}}, key: %q, old_keys: [%q]}
`, renewed, old))
	if err != nil {
		t.Fatal(err)
	}
	both, err := sealerOf(c.Routes[0].Reply)
	if err != nil {
		t.Fatal(err)
	}
	alone := func(key string) *reply.Sealer {
		s, err := reply.NewSealer([]byte(key))
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	if _, err := alone(renewed).Open(both.Seal(&reply.Token{})); err != nil {
		t.Errorf("sealed by another key than the new one: %v", err)
	}
	if _, err := both.Open(alone(old).Seal(&reply.Token{})); err != nil {
		t.Errorf("a token of the old key: %v", err)
	}
}

func TestAFaultOfARequestersQueueIsOneOfItsReply(t *testing.T) {
	q, e := toQueues(t)
	got := sendOne(t, q, replyTo(e.URL()+"/000000000000/missing", "k"))
	if bridge.ClassOf(got.Err) != bridge.Permanent || got.Err == nil {
		t.Errorf("%v is %v, and would stop the others", got.Err, bridge.ClassOf(got.Err))
	}
}
