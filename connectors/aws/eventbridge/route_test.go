package eventbridge_test

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/jmsbridge/jmsbridge/bridge"
	"github.com/jmsbridge/jmsbridge/connectors/aws/awslocal"
)

// memory is a source that delivers its messages once and is told what becomes of them.
type memory struct {
	mu       sync.Mutex
	messages []*bridge.Message
	next     int
	accepted map[uint64]int
	done     chan struct{} // closed when all are accepted
}

func (m *memory) Connect(context.Context, int) error { return nil }

func (m *memory) Close(context.Context) error { return nil }

func (m *memory) Lost() bool { return false }

func (m *memory) Receive(ctx context.Context, dst []*bridge.Delivery) (int, error) {
	m.mu.Lock()
	n := 0
	for ; n < len(dst) && m.next < len(m.messages); n++ {
		dst[n] = &bridge.Delivery{Message: *m.messages[m.next], Lease: m, Tag: uint64(m.next), Size: 1000}
		m.next++
	}
	m.mu.Unlock()
	if n > 0 {
		return n, nil
	}
	<-ctx.Done()
	return 0, ctx.Err()
}

func (m *memory) Settle(tag uint64, _ bridge.Outcome) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.accepted[tag]++; len(m.accepted) == len(m.messages) {
		close(m.done)
	}
	return nil
}

// dead takes what can't be sent, and counts it.
type dead struct {
	mu   sync.Mutex
	keys []string
}

func (d *dead) Connect(context.Context) error { return nil }

func (d *dead) Close(context.Context) error { return nil }

func (d *dead) Limits() bridge.Limits {
	return bridge.Limits{Messages: 1, Calls: 1, Run: 1, Timeout: time.Second}
}

func (d *dead) Size(*bridge.Outgoing) (int, error) { return 1, nil }

func (d *dead) Send(_ context.Context, batch []bridge.Outgoing, res []bridge.Result) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	for i := range batch {
		d.keys, res[i].Err = append(d.keys, batch[i].Message.Key), nil
	}
	return nil
}

// moved runs a route from n messages to the bus until all are settled, and returns how often each event was put, whether
// or not the answer arrived, and what was dead-lettered. It is for a synctest bubble.
func moved(t *testing.T, e *awslocal.Endpoint, messages ...*bridge.Message) (put map[string]int, refused []string) {
	t.Helper()
	source := &memory{messages: messages, accepted: map[uint64]int{}, done: make(chan struct{})}
	letters := &dead{}
	set := settings(t, e.Transport())
	set.Body = true
	route, err := bridge.NewRoute(bridge.RouteSettings{
		Name: "prices", Sources: []bridge.Source{source}, Targets: []bridge.TargetSettings{{Sink: sink(t, set)}},
		DeadLetter: &bridge.PipelineSettings{Sink: letters},
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- route.Run(ctx, nil) }()
	select {
	case <-source.done:
	case <-time.After(time.Hour): // of virtual time
		t.Errorf("not settled: %+v", route.Status())
	}
	stop()
	if err := <-ended; err != nil {
		t.Error(err)
	}
	put = map[string]int{}
	for _, r := range e.Log().Events("prices") {
		if r.Stored() {
			put[r.Body]++
		}
	}
	return put, letters.keys
}

func numbered(n int) []*bridge.Message {
	out := make([]*bridge.Message, n)
	for i := range out {
		out[i] = text(fmt.Sprintf(`{"n":%d}`, i))
		out[i].ID = fmt.Sprint("ID:h-", i)
		out[i].Key = out[i].ID
	}
	return out
}

func once(t *testing.T, put map[string]int, n int) {
	t.Helper()
	for i := range n {
		if body := fmt.Sprintf(`{"n":%d}`, i); put[body] != 1 {
			t.Errorf("%s was put %d times", body, put[body])
		}
	}
}

func TestARouteWithoutFaultsPutsEachEventOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := endpoint(t, awslocal.Options{Latency: 5 * time.Millisecond})
		put, refused := moved(t, e, numbered(1000)...)
		once(t, put, 1000)
		if n := e.Log().Calls("PutEvents"); n > 200 || len(refused) > 0 {
			t.Errorf("%d calls, dead letters %q", n, refused)
		}
	})
}

func TestARouteSendsOnlyTheFailedEventsAgain(t *testing.T) {
	for name, failing := range map[string][]string{
		"first": {`{"n":0}`}, "middle": {`{"n":4}`, `{"n":5}`}, "last": {`{"n":9}`}, "all": {`{"n":`},
	} {
		for _, code := range []string{"InternalFailure", "ThrottlingException"} {
			t.Run(name+" "+code, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					e := endpoint(t, awslocal.Options{})
					failed := map[string]bool{}
					e.Inject(awslocal.Fault{
						Kind: awslocal.FailEntries, Actions: []string{"PutEvents"}, Code: code,
						Match: func(r *awslocal.Record) bool {
							for _, prefix := range failing {
								if strings.HasPrefix(r.Body, prefix) && !failed[r.Body] {
									failed[r.Body] = true
									return true
								}
							}
							return false
						},
					})
					put, refused := moved(t, e, numbered(10)...)
					once(t, put, 10)
					asked := 0
					for _, r := range e.Log().Events("prices") {
						asked++
						if r.Outcome == awslocal.Refused != r.Faulted {
							t.Errorf("%+v", r)
						}
					}
					if asked != 10+len(failed) || len(refused) > 0 {
						t.Errorf("%d events were asked for, %d had failed, dead letters %q", asked, len(failed), refused)
					}
				})
			})
		}
	}
}

func TestARouteDeadLettersWhatIsRefusedAndGoesOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := endpoint(t, awslocal.Options{})
		e.Inject(awslocal.Fault{
			Kind: awslocal.FailEntries, Actions: []string{"PutEvents"}, Code: "MalformedDetail",
			Match: func(r *awslocal.Record) bool { return r.Body == `{"n":3}` },
		})
		messages := numbered(20)
		messages[7].Body = bridge.NewText("\xff")                         // never sent
		messages[8].Body = bridge.NewText(strings.Repeat("x", 1<<20))     // too large
		messages[9].Body = bridge.NewText(strings.Repeat("[", 3000))      // no JSON
		messages[10].Body = bridge.NewText(`{"a":01,"b":NaN,"b":"\x00"}`) // nor this
		put, refused := moved(t, e, messages...)
		if len(put) != 17 || len(refused) != 3 {
			t.Errorf("%d put, dead letters %q", len(put), refused)
		}
		for body, n := range put {
			if n != 1 {
				t.Errorf("%.40q was put %d times", body, n)
			}
		}
	})
}

func TestARouteLosesNothingToTheNetwork(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := endpoint(t, awslocal.Options{Seed: 1})
		actions := []string{"PutEvents"}
		e.Inject(awslocal.Fault{Kind: awslocal.ResetBefore, Actions: actions, Share: 0.1, Times: 10})
		e.Inject(awslocal.Fault{Kind: awslocal.ResetAfter, Actions: actions, Share: 0.1, Times: 10})
		e.Inject(awslocal.Fault{Kind: awslocal.StallAfter, Actions: actions, Share: 0.1, Times: 3})
		e.Inject(awslocal.Fault{Kind: awslocal.Refuse, Actions: actions, Code: "ThrottlingException", Share: 0.1, Times: 10})
		e.Inject(awslocal.Fault{Kind: awslocal.FailEntries, Actions: actions, Code: "InternalFailure", Share: 0.1})
		put, refused := moved(t, e, numbered(500)...)
		if len(put) != 500 || len(refused) > 0 {
			t.Errorf("%d put, dead letters %q", len(put), refused)
		}
		again := 0
		for _, n := range put {
			again += n - 1
		}
		lost := e.Log().Count(func(r *awslocal.Record) bool { return r.Event != nil && r.Stored() && r.Outcome == awslocal.AnswerLost })
		if again > lost {
			t.Errorf("%d events were put again, and %d answers were lost", again, lost)
		}
	})
}
