package sqs_test

import (
	"context"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/credentials"

	"github.com/jmsbridge/jmsbridge/bridge"
	"github.com/jmsbridge/jmsbridge/connectors/aws"
	"github.com/jmsbridge/jmsbridge/connectors/aws/awslocal"
	"github.com/jmsbridge/jmsbridge/connectors/aws/sqs"
)

// backlog is a source in memory: it gives out what was put, in order, up to its credit, and forgets what is accepted.
type backlog struct {
	mu      sync.Mutex
	put     int
	waiting []*bridge.Message
	given   *lease          // of the connection that stands; nil: none
	settled map[string]bool // bodies
	more    chan struct{}   // closed when there may be something to receive
}

// lease is one connection's right to settle.
type lease struct {
	from   *backlog
	credit int
	tag    uint64
	open   map[uint64]*bridge.Message
	lost   bool
}

func newBacklog() *backlog { return &backlog{settled: map[string]bool{}, more: make(chan struct{})} }

// add puts n messages, of fifty groups in turn.
func (b *backlog) add(n int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for range n {
		b.put++
		body := fmt.Sprint("message-", b.put)
		b.waiting = append(b.waiting, &bridge.Message{
			Key: "ID:" + body, ID: "ID:" + body, GroupID: fmt.Sprint("group-", b.put%50), Destination: bridge.Destination{Kind: bridge.Queue, Name: "in"},
			Timestamp: time.Now(), Priority: 4, Persistent: true, Body: bridge.NewText(body),
		})
	}
	b.changed()
}

func (b *backlog) changed() {
	close(b.more)
	b.more = make(chan struct{})
}

// missing returns how many of the first n messages are not settled.
func (b *backlog) missing(n int) int {
	b.mu.Lock()
	defer b.mu.Unlock()
	for i := range n {
		if b.settled[fmt.Sprint("message-", i+1)] {
			n--
		}
	}
	return n
}

func (b *backlog) count() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.put
}

func (b *backlog) Connect(_ context.Context, credit int) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.giveBack()
	b.given = &lease{from: b, credit: credit, open: map[uint64]*bridge.Message{}}
	return nil
}

func (b *backlog) Receive(ctx context.Context, dst []*bridge.Delivery) (int, error) {
	for {
		b.mu.Lock()
		l, n := b.given, 0
		if l == nil {
			b.mu.Unlock()
			return 0, bridge.ErrNotConnected
		}
		for n < len(dst) && len(b.waiting) > 0 && len(l.open) < l.credit {
			m := b.waiting[0]
			b.waiting = b.waiting[1:]
			l.tag++
			l.open[l.tag] = m
			dst[n] = &bridge.Delivery{Message: *m, Lease: l, Tag: l.tag, Size: 100}
			n++
		}
		more := b.more
		b.mu.Unlock()
		if n > 0 {
			return n, nil
		}
		select {
		case <-more:
		case <-ctx.Done():
			return 0, ctx.Err()
		}
	}
}

func (b *backlog) Close(context.Context) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.giveBack()
	return nil
}

// giveBack puts what the connection has not settled at the head again. The caller holds the lock.
func (b *backlog) giveBack() {
	if b.given == nil {
		return
	}
	b.given.lost = true
	var back []*bridge.Message
	for _, tag := range slices.Sorted(maps.Keys(b.given.open)) {
		back = append(back, b.given.open[tag])
	}
	b.waiting = append(back, b.waiting...)
	b.given = nil
	b.changed()
}

func (l *lease) Settle(tag uint64, _ bridge.Outcome) error {
	l.from.mu.Lock()
	defer l.from.mu.Unlock()
	if l.lost {
		return bridge.ErrLost
	}
	l.from.settled[l.open[tag].Body.Data()] = true
	delete(l.open, tag)
	l.from.changed()
	return nil
}

func (l *lease) Lost() bool {
	l.from.mu.Lock()
	defer l.from.mu.Unlock()
	return l.lost
}

// outage is one way for SQS to be gone. It begins, and ends with how often it was met.
type outage struct {
	name  string
	begin func(*awslocal.Endpoint, *faulty) (end func() (fired int))
	// stored says that SQS takes the messages and nobody hears of it: then, and only then, there may be duplicates.
	stored bool
}

// injected is an outage of all calls at the endpoint.
func injected(name string, f awslocal.Fault) outage {
	f.Actions = []string{"*"}
	return outage{
		name: name, stored: f.Kind == awslocal.StallAfter,
		begin: func(e *awslocal.Endpoint, _ *faulty) func() int {
			i := e.Inject(f)
			return func() int {
				i.Remove()
				return i.Fired()
			}
		},
	}
}

func outages() []outage {
	return []outage{
		injected("reset", awslocal.Fault{Kind: awslocal.ResetBefore}),
		injected("stall", awslocal.Fault{Kind: awslocal.StallBefore}),
		injected("503", awslocal.Fault{Kind: awslocal.Refuse, Code: "ServiceUnavailable"}),
		{name: "DNS", begin: func(_ *awslocal.Endpoint, network *faulty) func() int {
			var fired atomic.Int32
			network.set(func(r *http.Request) error {
				fired.Add(1)
				return unresolved(r.URL.Hostname())
			})
			return func() int {
				network.set(nil)
				return int(fired.Load())
			}
		}},
		injected("lost answers", awslocal.Fault{Kind: awslocal.StallAfter}),
	}
}

// Each runs a route with the real sink for an hour of virtual time in which SQS can't be used.
func TestSQSIsGoneForAnHour(t *testing.T) {
	for _, o := range outages() {
		t.Run(o.name, func(t *testing.T) { goneForAnHour(t, "orders", bridge.OrderNone, 10*time.Second, o) })
	}
	t.Run("each in turn, in order", func(t *testing.T) {
		goneForAnHour(t, "orders.fifo", bridge.OrderGroup, 10*time.Second, outages()...)
	})
	t.Run("each in turn, from the start", func(t *testing.T) {
		all := outages()
		slices.Reverse(all) // a lookup that is silent at the end of the outage would cost its minute
		goneForAnHour(t, "orders", bridge.OrderNone, 0, all...)
	})
}

// goneForAnHour lets SQS be there for a while, then gone for an hour, then there.
func goneForAnHour(t *testing.T, name string, order bridge.Order, before time.Duration, gone ...outage) {
	synctest.Test(t, func(t *testing.T) {
		key := awslocal.Key{ID: "AKIDEXAMPLE", Secret: "secret"}
		e := awslocal.New(awslocal.Options{Keys: []awslocal.Key{key}, Latency: 20 * time.Millisecond}, "http://sqs.test")
		dead := "dead"
		if order != bridge.OrderNone {
			dead += ".fifo"
		}
		queue(t, e, name, nil)
		queue(t, e, dead, nil)
		network := &faulty{next: e.Transport()}
		client := aws.NewClient(aws.Settings{
			EndpointURL: e.URL(), Region: e.Region(), RoundTripper: network, Credentials: credentials.NewStaticCredentialsProvider(key.ID, key.Secret, ""),
		})
		sink := func(queue string) bridge.Sink {
			s, err := sqs.NewSink(sqs.SinkSettings{Client: client, Queue: queue})
			if err != nil {
				t.Fatal(err)
			}
			return s
		}
		source := newBacklog()
		route, err := bridge.NewRoute(bridge.RouteSettings{
			Name: "orders", Sources: []bridge.Source{source}, Order: order,
			Targets:    []bridge.TargetSettings{{Name: "sqs", Sink: sink(name)}},
			DeadLetter: &bridge.PipelineSettings{Name: "dead_letter", Sink: sink(dead)},
		})
		if err != nil {
			t.Fatal(err)
		}
		source.add(500)
		ctx, stop := context.WithCancel(t.Context())
		producing, produced := context.WithCancel(t.Context())
		var running sync.WaitGroup
		start := func() {
			running.Go(func() {
				if err := route.Run(ctx, nil); err != nil {
					t.Error(err)
				}
			})
			running.Go(func() {
				for producing.Err() == nil {
					source.add(1)
					<-time.After(time.Second)
				}
			})
		}
		if before > 0 {
			start()
			<-time.After(before)
			if n := source.missing(500); n != 0 {
				t.Errorf("before the outage %d messages are missing", n)
			}
		}
		stored := false
		for i, o := range gone {
			stored = stored || o.stored
			end := o.begin(e, network)
			if i == 0 && before == 0 { // not even connecting works
				start()
			}
			part := time.Hour / time.Duration(len(gone))
			<-time.After(part / 2)
			if s := route.Status(); s.State != bridge.StateTargetDown || s.Reason == "" || s.Counters.DeadLettered != 0 {
				t.Errorf("%s: the state is %q for the reason %q, %d dead letters", o.name, s.State, s.Reason, s.Counters.DeadLettered)
			}
			<-time.After(part - part/2)
			if fired := end(); fired < 10 {
				t.Errorf("%s was met %d times", o.name, fired)
			}
		}
		sofar := source.count()
		if missing := source.missing(sofar); missing < 3500 {
			t.Errorf("in the outage all but %d of %d messages were settled", missing, sofar)
		}
		<-time.After(time.Minute)
		if missing := source.missing(sofar); missing != 0 {
			t.Errorf("a minute after the outage %d of %d messages are missing", missing, sofar)
		}
		if s := route.Status(); s.State != bridge.StateRunning {
			t.Errorf("a minute after the outage the state is %q for the reason %q", s.State, s.Reason)
		}
		produced()
		<-time.After(10 * time.Second)
		stop()
		running.Wait()

		if n := e.Depth(dead).Total() + len(e.Log().Sends(dead)); n != 0 {
			t.Errorf("%d messages were dead-lettered", n)
		}
		delivered(t, e, name, source, order, stored)
		_ = e.Close()
	})
}

// delivered checks that each message of a source is in the queue: once, unless answers were lost, and never again after
// a success was answered.
func delivered(t *testing.T, e *awslocal.Endpoint, name string, source *backlog, order bridge.Order, lost bool) {
	t.Helper()
	sends := e.Log().Group(name, func(r *awslocal.Record) string { return r.Body })
	there := map[string]int{}
	last := map[string]int{} // number of the last message, by group
	for _, m := range e.Messages(name) {
		there[m.Body]++
		var n int
		if _, err := fmt.Sscanf(m.Body, "message-%d", &n); err != nil {
			t.Fatal(err)
		}
		if order != bridge.OrderNone && there[m.Body] == 1 && n <= last[m.Group] {
			t.Errorf("%s came after message %d of its group", m.Body, last[m.Group])
		}
		last[m.Group] = max(last[m.Group], n)
	}
	total := source.count()
	if missing := source.missing(total); missing != 0 {
		t.Errorf("%d of %d messages are not settled at the source", missing, total)
	}
	wrong := map[string][]string{} // bodies
	for i := range total {
		body := fmt.Sprint("message-", i+1)
		note := func(what string) { wrong[what] = append(wrong[what], body) }
		switch n := there[body]; {
		case n == 0:
			note("lost")
		case n > 1 && !lost:
			note("there twice, and no answer was lost")
		}
		confirmed := false
		for _, r := range sends[body] {
			if confirmed {
				note("answered as successful and sent again")
			}
			confirmed = confirmed || r.Outcome == awslocal.Accepted
		}
		if !confirmed {
			note("settled and never answered as successful")
		}
	}
	for what, bodies := range wrong {
		t.Errorf("%d messages were %s, the first %s", len(bodies), what, bodies[0])
	}
	if len(there) != total {
		t.Errorf("%d messages are there, %d were sent", len(there), total)
	}
}
