package connectors

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/credentials"

	"github.com/jmsbridge/jmsbridge/bridge"
	"github.com/jmsbridge/jmsbridge/config"
	"github.com/jmsbridge/jmsbridge/connectors/aws"
	"github.com/jmsbridge/jmsbridge/connectors/aws/awslocal"
	"github.com/jmsbridge/jmsbridge/connectors/jms/stomp/stomplocal"
)

// patience is for what takes milliseconds.
const patience = time.Minute

var (
	errSeveral = errors.New("there is not one message in it")
	errForm    = errors.New("it has not the form that it should have")
)

// world is what the targets of the table are.
type world struct {
	t      *testing.T
	broker *stomplocal.Broker
	aws    *awslocal.Endpoint
	called chan []byte // payloads of the function
	file   string
	back   bridge.Source // of the broker's queue
	ids    sequence
	filler string
	huge   bool // the message at hand is
}

func startWorld(t *testing.T) *world {
	t.Helper()
	w := &world{
		t: t, broker: startBroker(t, stomplocal.Options{MaxBody: bodyLimit}), called: make(chan []byte, 10), file: filepath.Join(t.TempDir(), "table.jsonl"),
	}
	var err error
	if w.aws, err = awslocal.Start(awslocal.Options{LogWithoutBodies: true}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = w.aws.Close() })
	limit := map[string]string{"MaximumMessageSize": fmt.Sprint(queueLimit)}
	for _, q := range []awslocal.QueueOptions{{Name: "table", Attributes: limit}, {Name: "table.fifo", Attributes: limit}, {Name: "events"}, {Name: "dead"}} {
		if _, err := w.aws.CreateQueue(q); err != nil {
			t.Fatal(err)
		}
	}
	err = w.aws.CreateFunction(awslocal.FunctionOptions{Name: "table", Timeout: patience, Handler: func(_ context.Context, payload []byte) ([]byte, error) {
		w.called <- payload
		return []byte("null"), nil
	}})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.aws.CreateBus("table"); err != nil {
		t.Fatal(err)
	}
	if err := w.aws.CreateRule(awslocal.RuleOptions{Name: "all", Bus: "table", Targets: []awslocal.EventTarget{{ARN: w.aws.QueueARN("events")}}}); err != nil {
		t.Fatal(err)
	}
	w.readBack()
	return w
}

// readBack makes a source of the queue of the target jms.
func (w *world) readBack() {
	set := w.set("file: {path: FILE}", "jms: {broker: mq, queue: table, max_body: 200MiB}")
	parts, err := set.Parts(&set.config.Routes[0])
	if err != nil {
		w.t.Fatal(err)
	}
	w.back = parts.Sources[0]
}

// set makes the parts of a configuration with one route to a target.
func (w *world) set(to, from string) *Set {
	text := fmt.Sprintf(`
brokers: [{name: mq, url: %q}]
routes:
- name: table
  from:
    %s
  to:
  - %s
  dead_letter:
    sqs: {queue: dead}
`, w.broker.URL(), from, strings.ReplaceAll(to, "FILE", strconv.Quote(w.file)))
	c, err := config.Parse(filepath.Join(w.t.TempDir(), "bridge.yaml"), []byte(text))
	if err != nil {
		w.t.Fatal(err)
	}
	set := NewSet(c, nil, bridge.NewMetrics(nil))
	set.UseAWS(aws.NewClient(aws.Settings{
		Region: w.aws.Region(), EndpointURL: w.aws.URL(), Credentials: credentials.NewStaticCredentialsProvider("AKIDEXAMPLE", "secret", ""),
	}))
	w.t.Cleanup(func() { _ = set.Close() })
	return set
}

// feed is a source that is given one message after the other: what wires carry is not the table's matter.
type feed struct {
	next    chan *bridge.Delivery
	settled chan bridge.Outcome
}

func (f *feed) Connect(context.Context, int) error { return nil }
func (f *feed) Close(context.Context) error        { return nil }
func (f *feed) Lost() bool                         { return false }

func (f *feed) Receive(ctx context.Context, dst []*bridge.Delivery) (int, error) {
	select {
	case dst[0] = <-f.next:
		return 1, nil
	case <-ctx.Done():
		return 0, ctx.Err()
	}
}

func (f *feed) Settle(_ uint64, o bridge.Outcome) error {
	f.settled <- o
	return nil
}

// trial is a route to a target, running.
type trial struct {
	*world
	t      *testing.T
	target *target
	feed   *feed
	route  *bridge.Route
	sent   int
}

// start runs the route that a configuration makes, with a feed for its source, until the test ends.
func (w *world) start(t *testing.T, target *target, object string) *trial {
	t.Helper()
	setting := ""
	if object != "" {
		setting = "object: " + object
	}
	set := w.set(strings.Replace(target.yaml, "OBJECT", setting, 1), "jms: {broker: mq, queue: in, prefetch: 1000}")
	parts, err := set.Parts(&set.config.Routes[0])
	if err != nil {
		t.Fatal(err)
	}
	tr := &trial{world: w, t: t, target: target, feed: &feed{next: make(chan *bridge.Delivery), settled: make(chan bridge.Outcome, 1)}}
	parts.Sources = []bridge.Source{tr.feed}
	settings, err := set.settings(parts)
	if err != nil {
		t.Fatal(err)
	}
	if tr.route, err = bridge.NewRoute(*settings); err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() {
		if err := tr.route.Run(ctx, nil); err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(func() {
		stop()
		running.Wait()
	})
	return tr
}

// conserved says that the route itself knows of each message what became of it. It counts a moment after it settles.
func (tr *trial) conserved() {
	if tr == nil {
		return
	}
	tr.t.Helper()
	for end := time.Now().Add(patience); ; <-time.After(time.Millisecond) {
		s := tr.route.Status()
		c := s.Counters
		if c.Delivered+c.DeadLettered+uint64(s.HeldCount) == c.Received && int(c.Received) == tr.sent {
			return
		}
		if time.Now().After(end) {
			tr.t.Errorf("%d messages were sent, and the route counts %+v", tr.sent, s)
			return
		}
	}
}

// fate is what became of a message.
type fate struct {
	arrived *arrival // nil: it did not
	unlike  []string // what of it arrived otherwise
	dead    *note    // it is a dead letter
	held    *note    // it is held at the broker
}

// note is why a message did not arrive.
type note struct{ class, code, reason string }

// send sends one message and finds what became of it. Exactly one thing may, else the test fails.
func (tr *trial) send(s *shape, m bridge.Message) fate {
	tr.t.Helper()
	tr.sent++
	tr.huge = len(m.Body.Data()) > syncLimit
	tr.feed.next <- &bridge.Delivery{Message: m, Lease: tr.feed, Size: len(m.Body.Data()) + 1024}
	held := tr.wait(m.ID)
	var f fate
	letters := readQueue("dead")(tr.world, s)
	arrivals := tr.arrivals(s, held == nil && len(letters) == 0)
	switch {
	case len(letters)+len(arrivals) > 1, held != nil && len(letters)+len(arrivals) > 0:
		tr.t.Errorf("%s: %s is %d times at the target and %d times a dead letter, held: %v", s.name, m.ID, len(arrivals), len(letters), held)
	case held != nil:
		f.held = held
	case len(letters) == 1:
		f.dead = tr.deadLetter(s, &m, &letters[0])
	case len(arrivals) == 1:
		f.arrived = &arrivals[0]
		f.unlike = tr.judge(s, &m, f.arrived)
	default:
		tr.t.Errorf("%s: %s was settled and is nowhere: lost", s.name, m.ID)
	}
	return f
}

// wait waits until the message is settled, nil, or held.
func (tr *trial) wait(id string) *note {
	tr.t.Helper()
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	end := time.After(patience)
	for {
		select {
		case o := <-tr.feed.settled:
			if o != bridge.Accept {
				tr.t.Errorf("%s is settled with %d", id, o)
			}
			return nil
		case <-tick.C:
			for _, h := range tr.route.Status().Held {
				if h.ID == id {
					return &note{reason: h.Reason}
				}
			}
		case <-end:
			tr.t.Fatalf("%s is neither settled nor held: %+v", id, tr.route.Status())
		}
	}
}

// arrivals takes what is at the target. A function that is called asynchronously gets it a moment after Lambda has
// taken it.
func (tr *trial) arrivals(s *shape, expected bool) []arrival {
	end := time.Now().Add(patience)
	for {
		all := tr.target.read(tr.world, s)
		if len(all) > 0 || !expected || time.Now().After(end) || !strings.Contains(tr.target.yaml, "invocation: event") {
			return all
		}
		<-time.After(time.Millisecond)
	}
}

// judge compares what arrived with what was sent. Nothing may differ but what the target is documented to leave out.
func (tr *trial) judge(s *shape, m *bridge.Message, a *arrival) []string {
	tr.t.Helper()
	if a.err != nil {
		tr.t.Errorf("%s: what arrived can't be read: %v", s.name, a.err)
		return nil
	}
	unlike := append(differences(m, a.message), a.untold...)
	if wrong := surplus(unlike, tr.target.unlike); len(wrong) > 0 {
		tr.t.Errorf("%s: %q arrived otherwise than they were sent:\nsent    %.300q\narrived %.300q", s.name, wrong, fmt.Sprint(*m), fmt.Sprint(*a.message))
	}
	return unlike
}

// deadLetter compares a dead letter with what was sent: it has all of it, and why.
func (tr *trial) deadLetter(s *shape, m *bridge.Message, a *arrival) *note {
	tr.t.Helper()
	if a.err != nil {
		tr.t.Errorf("%s: the dead letter can't be read: %v", s.name, a.err)
		return &note{}
	}
	got := *a.message
	var entries []bridge.Entry
	said := map[string]bridge.Value{}
	for name, v := range got.Properties.All() {
		if strings.HasPrefix(name, "JMSBridge") {
			said[name] = v
		} else {
			entries = append(entries, bridge.Entry{Name: name, Value: v})
		}
	}
	got.Properties = bridge.NewProperties(entries)
	if at := said[bridge.DeadExpiration]; got.Expiration.IsZero() && at.Type() == bridge.LongType {
		got.Expiration = time.UnixMilli(at.Int64())
	}
	if wrong := differences(m, &got); len(wrong) > 0 {
		tr.t.Errorf("%s: in the dead letter %q are not what was sent", s.name, wrong)
	}
	n := &note{class: said[bridge.DeadErrorClass].Str(), code: said[bridge.DeadErrorCode].Str(), reason: said[bridge.DeadError].Str()}
	if n.class != bridge.Permanent.String() || n.reason == "" || said[bridge.DeadRoute].Str() != "table" {
		tr.t.Errorf("%s: the dead letter says %v", s.name, said)
	}
	return n
}
