package bridge

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"
)

// simTarget is a sink that keeps what it confirmed, in order, and fails as fault says.
type simTarget struct {
	mu        sync.Mutex
	limits    Limits
	noOrder   bool // the route keeps none, so that two copies of a message, which is its own group, may be in one call
	latency   func() time.Duration
	connected bool
	lost      bool // a call was told that there is no connection
	running   int
	connects  int
	sends     int
	log       []simSent      // everything that became durable, in order
	confirmed map[string]int // confirmations given, by key
	fault     func(batch []Outgoing) simFault
	refuse    func() error // asked at each Connect
	sizeErr   func(o *Outgoing) error
	tried     map[string]int           // calls that carried a message, by key
	stormy    int                      // calls that run and began while there were faults
	fresh     func(*Message)           // asked for each message of a call
	content   func(*Outgoing) string   // asked for each message of a call, at its start and its end; "": it is as it should be
	answer    func(*Outgoing) *Message // Result.Reply
	wrong     []string
}

// simSent is a message that became durable.
type simSent struct {
	key, group, dedup string
	seq               int32
	answered          bool // the engine was told
	at                time.Time
	attempt           int
	extra             Properties
}

// simFault is what happens to one call. Its zero value is no fault.
type simFault struct {
	err     error         // the call as a whole fails with it
	stored  bool          // … although everything was stored
	partial map[int]error // these entries fail
	stall   time.Duration // before the answer
	panics  bool
	stormy  bool // the call began while there were faults
}

func newSimTarget(l Limits) *simTarget {
	return &simTarget{limits: l, confirmed: map[string]int{}, tried: map[string]int{}}
}

func (t *simTarget) Connect(context.Context) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.connects++
	if t.running > 0 {
		t.wrong = append(t.wrong, "Connect while Send runs")
	}
	if t.refuse != nil {
		if err := t.refuse(); err != nil {
			return err
		}
	}
	t.connected, t.lost = true, false
	return nil
}

func (t *simTarget) Limits() Limits { return t.limits }

func (t *simTarget) Size(o *Outgoing) (int, error) {
	if t.sizeErr != nil {
		if err := t.sizeErr(o); err != nil {
			return 0, err
		}
	}
	return len(o.Message.Body.Data()) + 8*len(o.Message.Body.Map()) + 8*len(o.Message.Body.Stream()), nil
}

func (t *simTarget) Send(ctx context.Context, batch []Outgoing, res []Result) error {
	for i := range batch {
		if t.fresh != nil {
			t.fresh(batch[i].Message)
		}
	}
	bad := t.different(batch, "at the start")
	t.mu.Lock()
	t.wrong = append(t.wrong, bad...)
	t.sends++
	t.running++
	t.check(batch)
	var f simFault
	if t.fault != nil {
		f = t.fault(batch)
	}
	if f.stormy {
		t.stormy++
	}
	wait := f.stall
	if t.latency != nil {
		wait += t.latency()
	}
	t.mu.Unlock()
	trace(batch, "send")
	sleep(ctx, wait)
	bad = t.different(batch, "at the end")
	t.mu.Lock()
	defer t.mu.Unlock()
	t.wrong = append(t.wrong, bad...)
	t.running--
	if f.stormy {
		t.stormy--
	}
	trace(batch, "answer, call %v err %v stored %v", ctx.Err(), f.err, f.stored)
	if ctx.Err() != nil {
		if f.stored {
			t.store(batch, nil, false)
		}
		return &Error{Class: Ambiguous, Code: "timeout", Err: ctx.Err()}
	}
	if f.err != nil {
		if f.stored {
			t.store(batch, nil, false)
		}
		t.lost = t.lost || errors.Is(f.err, ErrNotConnected)
		return f.err
	}
	if f.panics {
		panic("a planted panic")
	}
	t.store(batch, f.partial, true)
	for i := range res {
		res[i] = Result{ID: "x", Err: f.partial[i]}
		if res[i].Err == nil && t.answer != nil {
			res[i].Reply = t.answer(&batch[i])
		}
	}
	return nil
}

// different says which messages of a call are not what was put.
func (t *simTarget) different(batch []Outgoing, when string) (bad []string) {
	if t.content == nil {
		return nil
	}
	for i := range batch {
		if text := t.content(&batch[i]); text != "" {
			bad = append(bad, fmt.Sprintf("%s, %s of a call: %s", batch[i].Message.Key, when, text))
		}
	}
	return bad
}

func (t *simTarget) check(batch []Outgoing) {
	if !t.connected {
		t.wrong = append(t.wrong, "Send without Connect")
	}
	if len(batch) == 0 || len(batch) > t.limits.Messages {
		t.wrong = append(t.wrong, fmt.Sprintf("a batch of %d", len(batch)))
	}
	if t.running > t.limits.Calls {
		t.wrong = append(t.wrong, fmt.Sprintf("%d calls at once", t.running))
	}
	sum, seen := 0, map[string]int{}
	for i := range batch {
		t.tried[batch[i].Message.Key]++
		n, _ := t.Size(&batch[i])
		sum += n + t.limits.Overhead
		if g := batch[i].Group; g != "" && t.limits.Run > 0 && !t.noOrder {
			if seen[g]++; seen[g] > t.limits.Run {
				t.wrong = append(t.wrong, "too many of one group in a call")
			}
		}
	}
	if t.limits.Bytes > 0 && sum > t.limits.Bytes {
		t.wrong = append(t.wrong, fmt.Sprintf("%d bytes in a call", sum))
	}
}

// store makes a batch durable, but for the entries that fail.
func (t *simTarget) store(batch []Outgoing, failed map[int]error, answered bool) {
	for i := range batch {
		if failed[i] != nil {
			continue
		}
		m := batch[i].Message
		t.log = append(t.log, simSent{
			key: m.Key, group: m.GroupID, dedup: batch[i].DedupID, seq: m.GroupSeq, answered: answered, at: time.Now(),
			attempt: batch[i].Attempt, extra: batch[i].Extra,
		})
		if answered {
			t.confirmed[m.Key]++
		}
	}
}

func (t *simTarget) Close(context.Context) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.running > 0 {
		t.wrong = append(t.wrong, "Close while Send runs")
	}
	t.connected = false
	return nil
}

func (t *simTarget) count() int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return len(t.log)
}

var errTransient = errors.New("a planted fault")

// has tells whether a message is durable here.
func (t *simTarget) has(key string) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	for i := range t.log {
		if t.log[i].key == key {
			return true
		}
	}
	return false
}

// trace prints what happens to the message that -sim.trace names.
func trace(batch []Outgoing, format string, args ...any) {
	for i := range batch {
		traceKey(batch[i].Message.Key, format, args...)
	}
}

func traceKey(key, format string, args ...any) {
	if key == *simTrace {
		fmt.Printf("%s %s: %s\n", time.Now().Format("05.000000"), key, fmt.Sprintf(format, args...))
	}
}
