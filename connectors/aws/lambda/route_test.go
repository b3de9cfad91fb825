package lambda_test

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-lambda-go/events"

	"github.com/jmsbridge/jmsbridge/bridge"
	"github.com/jmsbridge/jmsbridge/bridge/reply"
	"github.com/jmsbridge/jmsbridge/connectors/aws/awslocal"
	"github.com/jmsbridge/jmsbridge/connectors/aws/lambda"
)

// queue is a source in memory; it is its own lease.
type queue struct {
	mu       sync.Mutex
	waiting  []*bridge.Message
	given    []string // ids by tag
	open     int
	credit   int
	accepted map[string]int
	changed  chan struct{} // holds one
}

func newQueue(messages ...*bridge.Message) *queue {
	return &queue{waiting: messages, accepted: map[string]int{}, changed: make(chan struct{}, 1)}
}

func (q *queue) Connect(_ context.Context, credit int) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.credit = credit
	return nil
}

func (q *queue) Receive(ctx context.Context, dst []*bridge.Delivery) (n int, err error) {
	for {
		q.mu.Lock()
		for n < len(dst) && len(q.waiting) > 0 && q.open < q.credit {
			m := q.waiting[0]
			q.waiting = q.waiting[1:]
			dst[n] = &bridge.Delivery{Message: *m, Lease: q, Tag: uint64(len(q.given)), Size: 100}
			q.given = append(q.given, m.ID)
			q.open++
			n++
		}
		q.mu.Unlock()
		if n > 0 {
			return n, nil
		}
		select {
		case <-q.changed:
		case <-ctx.Done():
			return 0, ctx.Err()
		}
	}
}

func (q *queue) Settle(tag uint64, _ bridge.Outcome) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.open--
	q.accepted[q.given[tag]]++
	select {
	case q.changed <- struct{}{}:
	default:
	}
	return nil
}

func (q *queue) Lost() bool                  { return false }
func (q *queue) Close(context.Context) error { return nil }

func (q *queue) settled() int {
	q.mu.Lock()
	defer q.mu.Unlock()
	return len(q.accepted)
}

// sink keeps what it is sent.
type sink struct {
	mu  sync.Mutex
	got []bridge.Outgoing
}

func (s *sink) Connect(context.Context) error { return nil }
func (s *sink) Close(context.Context) error   { return nil }
func (s *sink) Limits() bridge.Limits {
	return bridge.Limits{Messages: 10, Calls: 4, Run: 1, Timeout: 10 * time.Second}
}

func (s *sink) Size(o *bridge.Outgoing) (int, error) { return len(o.Message.Body.Data()), nil }

func (s *sink) Send(_ context.Context, batch []bridge.Outgoing, res []bridge.Result) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.got = append(s.got, batch...)
	clear(res)
	return nil
}

func (s *sink) all() []bridge.Outgoing {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.got)
}

// run runs a route until its queue is settled, inside a synctest bubble.
func run(t *testing.T, q *queue, set bridge.RouteSettings, messages int) {
	t.Helper()
	set.Name, set.Sources = "r", []bridge.Source{q}
	r, err := bridge.NewRoute(set)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- r.Run(ctx, nil) }()
	for range 600 {
		<-time.After(time.Second)
		synctest.Wait()
		if q.settled() == messages {
			break
		}
	}
	cancel()
	if err := <-ended; err != nil && !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	if n := q.settled(); n != messages {
		t.Fatalf("%d of %d messages are settled", n, messages)
	}
	for id, n := range q.accepted {
		if n != 1 {
			t.Errorf("%s is settled %d times", id, n)
		}
	}
}

// texts are messages with these bodies.
func texts(all ...string) []*bridge.Message {
	out := make([]*bridge.Message, len(all))
	for i, text := range all {
		id := fmt.Sprint("ID:", i)
		out[i] = &bridge.Message{Key: id, ID: id, Priority: 4, Persistent: true, Body: bridge.NewText(text)}
	}
	return out
}

// consumer is a function for the event of the mapping, which can't digest "poison".
type consumer struct {
	mu    sync.Mutex
	calls [][]string
	done  map[string]int // what was digested
}

func (c *consumer) handle(_ context.Context, payload []byte) ([]byte, error) {
	var e events.ActiveMQEvent
	if err := json.Unmarshal(payload, &e); err != nil {
		return nil, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	var call []string
	for _, m := range e.Messages {
		data, err := base64.StdEncoding.DecodeString(m.Data)
		if err != nil {
			return nil, err
		}
		call = append(call, string(data))
	}
	c.calls = append(c.calls, call)
	if slices.Contains(call, "poison") {
		return nil, errors.New("cannot digest it")
	}
	for _, text := range call {
		c.done[text]++
	}
	return []byte("null"), nil
}

// TestAPoisonMessageIsFoundByHalving has it at each place: nothing that succeeds later may be what counts its attempts.
func TestAPoisonMessageIsFoundByHalving(t *testing.T) {
	for place := range 10 {
		t.Run(fmt.Sprint(place), func(t *testing.T) { findPoison(t, place) })
	}
}

func findPoison(t *testing.T, place int) {
	synctest.Test(t, func(t *testing.T) {
		c := &consumer{done: map[string]int{}}
		e := local(t)
		create(t, e, awslocal.FunctionOptions{Handler: c.handle})
		target, err := lambda.NewSink(lambda.SinkSettings{Client: client(t, e), Function: "orders", Payload: lambda.ActiveMQ, Messages: 10, Window: time.Second})
		if err != nil {
			t.Fatal(err)
		}
		all := strings.Split("abcdefghij", "")
		all[place] = "poison"
		q, dead := newQueue(texts(all...)...), &sink{}
		run(t, q, bridge.RouteSettings{
			Targets:    []bridge.TargetSettings{{Name: "orders", Sink: target}},
			DeadLetter: &bridge.PipelineSettings{Name: "dead", Sink: dead}, Retry: bridge.RetrySettings{Attempts: 3},
		}, 10)
		if got := dead.all(); len(got) != 1 || got[0].Message.ID != fmt.Sprint("ID:", place) {
			t.Fatalf("dead letters %+v", got)
		}
		said, _ := dead.all()[0].Extra.Lookup(bridge.DeadError)
		if !strings.Contains(said.Str(), "cannot digest it") {
			t.Errorf("its diagnosis is %q", said.Str())
		}
		for _, text := range all {
			if want := map[bool]int{true: 0, false: 1}[text == "poison"]; c.done[text] != want {
				t.Errorf("%s was digested %d times", text, c.done[text])
			}
		}
		if len(c.calls[0]) != 10 {
			t.Errorf("the first call had %d messages", len(c.calls[0]))
		}
		alone := 0
		for _, call := range c.calls {
			if slices.Equal(call, []string{"poison"}) {
				alone++
			}
		}
		// 10, then 5 and 5, 3 and 2 …: once it is alone it has its attempts.
		if alone != 3 || len(c.calls) > 12 {
			t.Errorf("alone %d times, in %d calls: %q", alone, len(c.calls), c.calls)
		}
	})
}

func TestOnlyTheMessagesThatAFunctionNamesAreSentAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := local(t)
		var mu sync.Mutex
		tries := map[string]int{}
		create(t, e, awslocal.FunctionOptions{Handler: func(_ context.Context, payload []byte) ([]byte, error) {
			var list []struct {
				ID   string `json:"message_id"`
				Body string `json:"body"`
			}
			if err := json.Unmarshal(payload, &list); err != nil {
				return nil, err
			}
			mu.Lock()
			defer mu.Unlock()
			var out events.SQSEventResponse
			for _, m := range list {
				tries[m.Body]++
				if m.Body == "never" || m.Body == "second" && tries[m.Body] < 2 {
					out.BatchItemFailures = append(out.BatchItemFailures, events.SQSBatchItemFailure{ItemIdentifier: m.ID})
				}
			}
			return json.Marshal(out)
		}})
		target, err := lambda.NewSink(lambda.SinkSettings{Client: client(t, e), Function: "orders", Messages: 10, Window: time.Second})
		if err != nil {
			t.Fatal(err)
		}
		q, dead := newQueue(texts("a", "never", "b", "second")...), &sink{}
		run(t, q, bridge.RouteSettings{
			Targets:    []bridge.TargetSettings{{Name: "orders", Sink: target}},
			DeadLetter: &bridge.PipelineSettings{Name: "dead", Sink: dead}, Retry: bridge.RetrySettings{Attempts: 3},
		}, 4)
		if want := map[string]int{"a": 1, "b": 1, "never": 3, "second": 2}; !maps.Equal(tries, want) {
			t.Errorf("tries %v", tries)
		}
		if got := dead.all(); len(got) != 1 || got[0].Message.Body.Data() != "never" {
			t.Errorf("dead letters %+v", got)
		}
	})
}

func TestWithOrderACallHasOneGroup(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := local(t, func(o *awslocal.Options) { o.Latency = 10 * time.Millisecond })
		var mu sync.Mutex
		next := map[string]int32{}
		largest := 0
		create(t, e, awslocal.FunctionOptions{Handler: func(_ context.Context, payload []byte) ([]byte, error) {
			var list []struct {
				Group string `json:"group_id"`
				Seq   int32  `json:"group_seq"`
			}
			if err := json.Unmarshal(payload, &list); err != nil {
				return nil, err
			}
			mu.Lock()
			defer mu.Unlock()
			largest = max(largest, len(list))
			for _, m := range list {
				if m.Group != list[0].Group {
					t.Errorf("a call has the groups %s and %s", list[0].Group, m.Group)
				}
				if m.Seq != next[m.Group]+1 {
					t.Errorf("group %s: %d comes after %d", m.Group, m.Seq, next[m.Group])
				}
				next[m.Group] = m.Seq
			}
			return []byte("{}"), nil
		}})
		e.Inject(awslocal.Fault{Actions: []string{"Invoke"}, Share: 0.3, Code: "TooManyRequestsException"})
		target, err := lambda.NewSink(lambda.SinkSettings{Client: client(t, e), Function: "orders", Messages: 10, Calls: 5})
		if err != nil {
			t.Fatal(err)
		}
		var all []*bridge.Message
		for i := range 400 {
			id := fmt.Sprint("ID:", i)
			all = append(all, &bridge.Message{Key: id, ID: id, GroupID: fmt.Sprint("g", i%8), GroupSeq: int32(i/8 + 1), Body: bridge.NewText("x")})
		}
		run(t, newQueue(all...), bridge.RouteSettings{
			Targets: []bridge.TargetSettings{{Name: "orders", Sink: target}}, Order: bridge.OrderGroup, DeadLetter: &bridge.PipelineSettings{Name: "dead", Sink: &sink{}},
		}, 400)
		for group, seq := range next {
			if seq != 50 {
				t.Errorf("group %s ends with %d", group, seq)
			}
		}
		if largest < 2 {
			t.Error("no call had more than one message")
		}
	})
}

func TestTheResultBecomesTheReply(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := local(t)
		create(t, e, awslocal.FunctionOptions{Handler: func(_ context.Context, payload []byte) ([]byte, error) {
			if string(payload) == `"poison"` {
				return nil, &awslocal.FunctionError{Type: "Bad", Message: "cannot digest it"}
			}
			return append([]byte(`{"answer to":`), append(payload, '}')...), nil
		}})
		target, err := lambda.NewSink(lambda.SinkSettings{Client: client(t, e), Function: "orders", Payload: lambda.Body})
		if err != nil {
			t.Fatal(err)
		}
		allow, err := reply.ParseAllow([]string{"temp-queue:*"})
		if err != nil {
			t.Fatal(err)
		}
		maker := &reply.Maker{Allow: allow, Result: true}
		requests := texts("a", "poison", "nobody waits")
		requests[0].CorrelationID = "c-1"
		for _, m := range requests[:2] {
			m.ReplyTo = bridge.Destination{Kind: bridge.TempQueue, Name: "answers"}
		}
		q, requester, dead := newQueue(requests...), &sink{}, &sink{}
		run(t, q, bridge.RouteSettings{
			Targets:    []bridge.TargetSettings{{Name: "orders", Sink: target, Answers: true}},
			Reply:      &bridge.ReplySettings{PipelineSettings: bridge.PipelineSettings{Name: "requester", Sink: requester}, Make: maker.Reply, Timeout: 5 * time.Minute},
			DeadLetter: &bridge.PipelineSettings{Name: "dead", Sink: dead}, Retry: bridge.RetrySettings{Attempts: 2},
		}, 3)
		got := requester.all()
		if len(got) != 1 {
			t.Fatalf("%d replies", len(got))
		}
		m := got[0].Message
		if m.CorrelationID != "c-1" || m.Destination.Name != "answers" || m.Body.Data() != `{"answer to":"a"}` || m.Body.Kind() != bridge.TextBody || !m.Persistent || m.Expiration.IsZero() {
			t.Errorf("%+v", m)
		}
		if got := dead.all(); len(got) != 1 || got[0].Message.ID != "ID:1" {
			t.Errorf("dead letters %+v", got)
		}
	})
}

func TestAPoisonMessageAloneIsDeadLettered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := &consumer{done: map[string]int{}}
		e := local(t)
		create(t, e, awslocal.FunctionOptions{Handler: c.handle})
		target, err := lambda.NewSink(lambda.SinkSettings{Client: client(t, e), Function: "orders", Payload: lambda.ActiveMQ})
		if err != nil {
			t.Fatal(err)
		}
		q, dead := newQueue(texts("poison")...), &sink{}
		run(t, q, bridge.RouteSettings{
			Targets: []bridge.TargetSettings{{Name: "orders", Sink: target}}, DeadLetter: &bridge.PipelineSettings{Name: "dead", Sink: dead},
		}, 1)
		if len(dead.all()) != 1 || len(c.calls) != 5 {
			t.Errorf("%d dead letters after %d calls", len(dead.all()), len(c.calls))
		}
	})
}

func TestAnOutageOfLambdaLosesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := &consumer{done: map[string]int{}}
		e := local(t)
		create(t, e, awslocal.FunctionOptions{Handler: c.handle})
		down := e.Inject(awslocal.Fault{Actions: []string{"*"}, Code: "ServiceException"})
		target, err := lambda.NewSink(lambda.SinkSettings{Client: client(t, e), Function: "orders", Payload: lambda.ActiveMQ, Messages: 10})
		if err != nil {
			t.Fatal(err)
		}
		go func() {
			<-time.After(5 * time.Minute)
			down.Remove()
		}()
		q, dead := newQueue(texts("a", "b", "c", "d", "e")...), &sink{}
		run(t, q, bridge.RouteSettings{
			Targets: []bridge.TargetSettings{{Name: "orders", Sink: target}}, DeadLetter: &bridge.PipelineSettings{Name: "dead", Sink: dead},
		}, 5)
		if len(dead.all()) != 0 || len(c.done) != 5 || down.Fired() < 5 {
			t.Errorf("%d dead letters, %v, refused %d times", len(dead.all()), c.done, down.Fired())
		}
	})
}
