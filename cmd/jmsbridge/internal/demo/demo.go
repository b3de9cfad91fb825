package demo

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"go.uber.org/zap"

	"github.com/jmsbridge/jmsbridge/connectors/aws/awslocal"
)

// The bounds of Options.Messages: fewer would not meet every fault, more would fill the memory of a small machine.
const (
	MinMessages = 100
	MaxMessages = 1_000_000
)

// Options of a run.
type Options struct {
	// Messages is how many are sent, MinMessages to MaxMessages.
	Messages int
	// Observe, if set, is called about ten times a second, and at the end; Event at each event that a viewer should
	// see, in words. Both from one goroutine.
	Observe func(Progress)
	Event   func(text string)
	// Log takes what the daemon would log; nil: nothing.
	Log *zap.Logger
}

// Progress is where a run stands.
type Progress struct {
	Total, Sent, Settled, InFlight int
	// Duplicates are messages that SQS was sent more than once, counted before its deduplication.
	Duplicates int
	Faults     int // injected so far
	Elapsed    time.Duration
	// Rate is settled messages a second, of late.
	Rate float64
}

// stuck is how long a run may stand still before it is given up.
const stuck = time.Minute

var errStuck = fmt.Errorf("nothing has arrived for %v", stuck)

// Run runs the demo. When ctx ends it stops sending, lets the route finish what it has, and judges what there is; the
// report then says Interrupted. An error means that the demo could not run.
func Run(ctx context.Context, opt Options) (*Report, error) {
	if opt.Messages < MinMessages || opt.Messages > MaxMessages {
		return nil, fmt.Errorf("the number of messages must be %d to %d", MinMessages, MaxMessages)
	}
	if opt.Log == nil {
		opt.Log = zap.NewNop()
	}
	if opt.Observe == nil {
		opt.Observe = func(Progress) {}
	}
	if opt.Event == nil {
		opt.Event = func(string) {}
	}
	w, err := build(ctx, opt.Log)
	if err != nil {
		return nil, err
	}
	defer w.close()
	r := &run{
		world: w, opt: opt, groups: groupsFor(opt.Messages), faults: plan(opt.Messages),
		gate: make(chan struct{}, 1), finished: make(chan error, 1),
	}
	return r.run(ctx)
}

// run is one run of the demo.
type run struct {
	*world
	opt     Options
	groups  int
	faults  []*plannedFault
	started time.Time

	sent     atomic.Int64
	reached  atomic.Int64  // how many faults have been injected: the producer waits for them
	gate     chan struct{} // capacity 1: reached has changed
	finished chan error    // the producer's

	// The conductor's goroutine only.
	next        int // of faults
	interrupted bool
	lastCount   int
	lastMove    time.Time
	samples     []sample
}

type sample struct {
	at    time.Time
	count int
}

func (r *run) run(ctx context.Context) (*Report, error) {
	r.started = time.Now()
	r.opt.Event(fmt.Sprintf("an embedded broker listens on %s, an embedded SQS endpoint on %s", r.broker.URL(), r.sqs.URL()))
	routeCtx, stopRoute := context.WithCancel(context.WithoutCancel(ctx))
	defer stopRoute()
	var routeErr error
	var working sync.WaitGroup
	working.Go(func() { routeErr = r.route.Run(routeCtx, nil) })
	produceCtx, stopProducer := context.WithCancel(context.WithoutCancel(ctx))
	defer stopProducer()
	working.Go(func() { r.finished <- r.produce(ctx, produceCtx) })

	err := r.conduct(ctx)
	moved := time.Since(r.started)
	r.interrupted = ctx.Err() != nil
	for _, f := range r.faults {
		if f.at != nil {
			f.Fired = f.at.Fired()
			f.at.Remove()
		}
	}
	if err != nil {
		stopProducer()
	}
	stopRoute()
	working.Wait()
	r.opt.Observe(r.progress())
	report := r.judge(moved)
	report.fail("the run", err)
	report.fail("the route stopped in order", routeErr)
	return report, nil
}

// produce sends all messages. It runs ahead of the bridge, but stops where a fault is to be injected first. soft ends
// it between two batches, hard at once.
func (r *run) produce(soft, hard context.Context) error {
	parts := len(r.faults) + 1
	for part := range parts {
		for int(r.reached.Load()) < part {
			select {
			case <-r.gate:
			case <-soft.Done():
				return nil
			}
		}
		end := r.opt.Messages * (part + 1) / parts
		for from := int(r.sent.Load()); from < end; from = int(r.sent.Load()) {
			if soft.Err() != nil {
				return nil //nolint:nilerr // the user wants no more
			}
			n, err := r.send(hard, from, min(from+produceBatch, end), r.groups)
			r.sent.Add(int64(n))
			if err != nil {
				return err
			}
		}
	}
	return nil
}

// conduct injects the faults when their time comes and waits for the end.
func (r *run) conduct(ctx context.Context) error {
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	r.lastMove = time.Now()
	producing := true
	for n := 0; ; n++ {
		select {
		case err := <-r.finished:
			producing = false
			if err != nil {
				return err
			}
		case <-tick.C:
		case <-ctx.Done():
			r.opt.Event("stopping: what is in flight is finished, the rest stays on the broker")
			if producing {
				return <-r.finished
			}
			return nil
		}
		p := r.count()
		if n%5 == 0 {
			r.opt.Observe(r.progress())
		}
		r.follow(p)
		if time.Since(r.lastMove) > stuck {
			return errStuck
		}
		if !producing && r.next == len(r.faults) && r.broker.Depth("/queue/"+brokerQueue) == 0 {
			r.follow(r.count()) // the last messages may have been settled since
			return nil
		}
	}
}

// follow watches the fault at work, and injects the next one when it is time.
func (r *run) follow(count int) {
	if r.next > 0 {
		f := r.faults[r.next-1]
		if f.overAt < 0 && f.at.Over() && (f.back == nil || f.back(r.world)) {
			f.overAt = count
		}
		if f.Survived == 0 && f.overAt >= 0 && (count > f.overAt || count >= r.opt.Messages) {
			f.Survived = time.Since(f.injected)
			r.opt.Event(fmt.Sprintf("survived: messages arrive again, %v after it began", f.Survived.Round(time.Millisecond)))
		}
		if f.Survived == 0 {
			return
		}
	}
	if r.next == len(r.faults) {
		return
	}
	// ahead lets the route stay busy while the producer waits for the fault.
	const ahead = 2000
	if count < r.opt.Messages*(r.next+1)/(len(r.faults)+1)-ahead {
		return
	}
	f := r.faults[r.next]
	f.After, f.injected = count, time.Now()
	f.at = f.inject(r.world)
	r.opt.Event("fault: " + f.Name)
	r.next++
	r.reached.Store(int64(r.next))
	select {
	case r.gate <- struct{}{}:
	default:
	}
}

// count returns how many messages are settled, and notes when that changes.
func (r *run) count() int {
	n := r.settled()
	if n != r.lastCount {
		r.lastCount, r.lastMove = n, time.Now()
	}
	return n
}

// settled returns how many messages the broker has been told to forget.
func (r *run) settled() int { return int(r.broker.Stats().Acked) }

func (r *run) progress() Progress {
	s := r.route.Status()
	now := time.Now()
	p := Progress{
		Total: r.opt.Messages, Sent: int(r.sent.Load()), Settled: r.settled(), InFlight: s.InFlight + s.HeldCount,
		Faults: r.next, Elapsed: now.Sub(r.started), Duplicates: r.duplicates(),
	}
	r.samples = append(r.samples, sample{now, p.Settled})
	for len(r.samples) > 2 && now.Sub(r.samples[0].at) > time.Second {
		r.samples = r.samples[1:]
	}
	if first := r.samples[0]; now.After(first.at) {
		p.Rate = float64(p.Settled-first.count) / now.Sub(first.at).Seconds()
	}
	return p
}

// duplicates counts what SQS stored, or recognised as stored, beyond the first time.
func (r *run) duplicates() int {
	return r.sqs.Log().Count(func(rec *awslocal.Record) bool { return rec.Deduplicated })
}
