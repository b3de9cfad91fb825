package bridge

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"
)

// receiveMost is the most deliveries taken with one Receive.
const receiveMost = 64

// session is one connection of a source. Deliveries of one that is gone come again over another.
type session struct {
	gone   atomic.Bool
	held   atomic.Int64 // how many of its messages are held
	credit int          // what the phase gives each source

	settled atomic.Bool // a message of it has been settled
}

// steady is how long a connection stands before it counts as one that works, even if no message comes.
const steady = 10 * time.Second

// receiver drives one source: it connects, receives, and passes what came to the target's pipeline. Its goroutine is
// the only one that calls the source, until it has ended; one that was left behind has its source for good.
type receiver struct {
	route  *Route
	source Source
	pokes  chan struct{} // there may be room, or the target may work again

	sess     *session // the current connection; nil: none
	dst      []*Delivery
	items    []*item
	branches []*item
	ready    [][]*item // by target
	moved    []aside
	dials    int           // connections made, over the life of the route
	ended    chan struct{} // closed when the goroutine of this phase has ended
	left     atomic.Bool   // it did not end when the route stopped: what it still receives is not taken

	heads headWatch

	mu        sync.Mutex // guards what status shows
	connected bool
	reason    error
	seen      bool // has been connected before
}

// run connects and receives until ctx ends. It closes nothing then: verdicts may still be due.
func (rc *receiver) run(ctx context.Context, credit int) {
	for try := 0; ctx.Err() == nil; {
		want := credit
		if rc.heads.alone() {
			want = 1
		}
		err := rc.connect(ctx, want, credit)
		if err != nil {
			if ctx.Err() != nil {
				return
			}
			try++
			rc.note(false, err)
			sleep(ctx, rc.pause(try, err))
			continue
		}
		began := time.Now()
		rc.note(true, nil)
		err = rc.receive(ctx, want < credit)
		if ctx.Err() != nil {
			return
		}
		// A peer that takes a connection and drops it is no better than one that refuses it.
		if rc.sess.settled.Load() || time.Since(began) >= steady {
			try = 0
		}
		rc.disconnected(err)
		if errors.Is(err, errWidened) {
			continue
		}
		try++
		rc.note(false, err)
		sleep(ctx, rc.pause(try, err))
	}
}

// refusedEvery is how often a refused login is tried, so that no account is locked.
const refusedEvery = 30 * time.Second

// pause returns how long to wait before the next attempt to connect: full jitter, the first within a second.
func (rc *receiver) pause(try int, err error) time.Duration {
	r := rc.route
	wait := r.backoff(try, time.Second, r.set.ReconnectCap)
	if ClassOf(err) == Fatal {
		wait = max(wait, min(refusedEvery, r.set.ReconnectCap))
	}
	return r.set.bug.pause(try, max(wait, AsError(err).After))
}

// connect makes one attempt. share is the credit of this phase, which a message that is tried alone does not get.
func (rc *receiver) connect(ctx context.Context, credit, share int) error {
	ctx, cancel := context.WithTimeout(ctx, connectTimeout)
	defer cancel()
	if err := rc.protect("connecting", func() error { return rc.source.Connect(ctx, credit) }); err != nil {
		return fmt.Errorf("connecting to the source: %w", err)
	}
	if rc.dials++; rc.dials > 1 {
		rc.route.metrics.reconnects.Inc()
	}
	rc.sess = &session{credit: share}
	return nil
}

func (rc *receiver) protect(doing string, f func() error) (err error) {
	defer func() {
		if v := recover(); v != nil {
			rc.route.metrics.panics.Inc()
			err = &Error{Class: Transient, Code: "panic", Err: fmt.Errorf("%s: panic: %v", doing, v)}
		}
	}()
	return f()
}

// aloneLook is how often it is looked whether the message that is tried alone is through.
const aloneLook = time.Second

// errWidened says that the message that was tried alone is through, so that the full credit may be asked for again.
var errWidened = errors.New("the message that was tried alone is settled")

// receive passes deliveries on until the connection ends.
func (rc *receiver) receive(ctx context.Context, alone bool) error {
	for {
		n := rc.admitted(ctx)
		if n == 0 {
			return ctx.Err()
		}
		var got int
		look, done := ctx, context.CancelFunc(func() {})
		if alone { // what is tried alone may be settled, or held, while we wait for another
			look, done = context.WithTimeout(ctx, aloneLook)
		}
		err := rc.protect("receiving", func() (err error) {
			got, err = rc.source.Receive(look, rc.dst[:n])
			return err
		})
		waited := look.Err() != nil
		done()
		if got > 0 && !rc.left.Load() {
			rc.take(ctx, rc.dst[:got], n)
			clear(rc.dst[:got])
		} else {
			rc.route.window.decline(n)
		}
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case err != nil && !waited:
			return err
		case alone && (rc.sess.held.Load() > 0 || rc.heads.passed(time.Now())):
			return errWidened
		case got == 0 && !waited: // a source that returns nothing would make this loop spin
			sleep(ctx, time.Millisecond)
		}
	}
}

// admitted waits for room and returns how many messages may be received; 0: ctx has ended. While the target is down
// nothing is received, but for one message to probe it with when none is left.
func (rc *receiver) admitted(ctx context.Context) int {
	r := rc.route
	for ctx.Err() == nil {
		h := r.health()
		n := 0
		switch {
		case h.works:
			n = receiveMost
		case h.probes && r.window.empty():
			n = 1
		}
		switch over := n > 0 && r.set.TotalBytes.full() && !r.window.empty(); {
		case over && r.window.fits():
			r.set.TotalBytes.wait(ctx, rc.pokes)
			continue
		case over:
			n = 0
		case n > 0:
			n = r.window.room(n)
		}
		if n > 0 {
			return n
		}
		r.sweep()
		rc.waitForRoom(ctx)
	}
	return 0
}

// waitForRoom waits for a poke, and a while at most, so that what expires meanwhile makes room.
func (rc *receiver) waitForRoom(ctx context.Context) {
	again := time.NewTimer(sweepEvery)
	defer again.Stop()
	select {
	case <-rc.pokes:
	case <-again.C:
	case <-ctx.Done():
	}
}

// take passes received deliveries, for which the window had promised room, through the stages and to the target's
// pipeline.
func (rc *receiver) take(ctx context.Context, ds []*Delivery, promised int) {
	r := rc.route
	now := time.Now()
	r.metrics.received.Add(float64(len(ds)))
	for _, d := range ds {
		if d.Message.Redelivered {
			r.metrics.redeliveries.Inc()
		}
	}
	rc.heads.received(ds[0])
	if r.set.bug == bugSettleElsewhere {
		r.anyLease.Store(&ds[0].Lease)
	}
	rc.items = r.window.enter(ds, rc.sess, promised, now, rc.items[:0])
	for _, it := range rc.items {
		rc.spread(ctx, it)
	}
	for i, p := range r.targets {
		ready := rc.ready[i]
		if len(ready) == 0 {
			continue
		}
		moved := p.feed(ready, rc.moved[:0])
		clear(ready)
		rc.ready[i] = ready[:0]
		r.dispose(moved)
		clear(moved)
		rc.moved = moved[:0]
	}
}

// spread runs the route's stages and makes the message ready for each of the targets.
func (rc *receiver) spread(ctx context.Context, it *item) {
	r := rc.route
	if len(r.targets) == 1 {
		it.pipe = r.targets[0]
	}
	if it.d.Hold != nil {
		r.hold(it, it.d.Hold.Error())
		return
	}
	if r.set.bug == bugTwin {
		if sess, twice := r.twins.Swap(it.d.Message.Key, it.sess); twice && sess == it.sess {
			r.conclude(it, endDelivered)
			return
		}
	}
	if it.d.Refuse != nil {
		r.divert(it, Classed(Permanent, it.d.Refuse))
		return
	}
	if !r.through(ctx, it, r.set.Stages) {
		return
	}
	if len(r.targets) == 1 {
		if r.aim(ctx, it) {
			rc.ready[0] = append(rc.ready[0], it)
		}
		return
	}
	rc.branches = r.window.fork(it, r.targets, rc.branches[:0])
	for _, branch := range rc.branches {
		if i := branch.target; r.aim(ctx, branch) {
			rc.ready[i] = append(rc.ready[i], branch)
		}
	}
	clear(rc.branches)
}

// through runs stages. false: the message has gone elsewhere.
func (r *Route) through(ctx context.Context, it *item, stages []Stage) bool {
	for _, s := range stages {
		m, err := r.process(ctx, s, it.out.Message)
		if err != nil {
			if e := AsError(err); e.Class == Fatal {
				r.fatalStage(err)
				r.giveBack(it)
				return false
			}
			r.divert(it, Classed(Permanent, err))
			return false
		}
		if m == nil {
			r.conclude(it, endFiltered)
			return false
		}
		it.out.Message = m
	}
	return true
}

// aim runs the stages of the item's target, and finds lane, ids and size for it. false: the message has gone elsewhere.
func (r *Route) aim(ctx context.Context, it *item) bool {
	p := it.pipe
	if !r.through(ctx, it, p.stages) {
		return false
	}
	err := r.assign(it)
	if err == nil && (p.answers || p.ask != nil) {
		err = r.expectAnswer(it)
	}
	if err == nil {
		err = r.address(it)
	}
	if err != nil {
		r.divert(it, err)
		return false
	}
	return true
}

// process runs a stage; a panic there means that this message can never pass it.
func (r *Route) process(ctx context.Context, s Stage, m *Message) (out *Message, err error) {
	defer func() {
		if v := recover(); v != nil {
			r.metrics.panics.Inc()
			out, err = nil, &Error{Class: Permanent, Code: "panic", Err: fmt.Errorf("processing the message: panic: %v", v)}
		}
	}()
	return s.Process(ctx, m)
}

// disconnected purges what came over the connection that has ended.
func (rc *receiver) disconnected(err error) {
	r := rc.route
	if !errors.Is(err, ErrNotConnected) {
		rc.close(closeTimeout) // writes the verdicts, so that what is settled does not come again
	}
	rc.leave()
	rc.heads.ended(err)
	if id := rc.heads.named(); id != "" {
		r.remark("the connection has ended %d times with message %q at its head, the last time with that message alone", rc.heads.times, clip(id, maxShownID))
	}
}

// leave declares the current connection gone, remembers what flies, and gives back what waits.
func (rc *receiver) leave() {
	sess := rc.sess
	if sess == nil {
		return
	}
	rc.sess = nil
	r := rc.route
	sess.gone.Store(true)
	mine := func(it *item) bool { return it.sess == sess && !(it.bestEffort && it.duty.settled.Load()) }
	if r.set.bug == bugStaleCopy {
		r.released(r.window.unhold())
		return
	}
	r.rememberTargets(mine)
	var waiting []*item
	for _, p := range r.pipes {
		p.mu.Lock()
		r.window.mu.Lock()
		for c := p.flights; c != nil; c = c.next {
			for _, it := range c.items {
				if mine(it) {
					r.window.ghosts.await(it)
				}
			}
		}
		if p.kind == toReply { // what has been answered must not be asked again
			for it := range p.sched.all() {
				if mine(it) {
					r.window.ghosts.await(it)
				}
			}
		}
		r.window.mu.Unlock()
		p.mu.Unlock()
		if p.kind != toReply {
			waiting = p.purge(mine, waiting)
		}
	}
	r.window.mu.Lock()
	waiting = r.window.ghosts.purge(mine, waiting)
	r.window.mu.Unlock()
	for _, it := range waiting {
		r.giveBack(it)
	}
	r.released(r.window.unhold())
}

// rememberTargets keeps which of several targets have the messages of a lost connection.
func (r *Route) rememberTargets(mine func(*item) bool) {
	if len(r.targets) == 1 || r.set.bug == bugForgetDone {
		return
	}
	w := r.window
	w.mu.Lock()
	defer w.mu.Unlock()
	for it := w.oldest; it != nil; it = it.newer {
		if it.duty != nil && mine(it) {
			w.rememberDone(it.duty)
		}
	}
}

// closeTimeout bounds a Close outside of the stop.
const closeTimeout = 10 * time.Second

func (rc *receiver) close(limit time.Duration) {
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	err := rc.protect("closing", func() error { return rc.source.Close(ctx) })
	if err != nil {
		rc.note(false, fmt.Errorf("closing the source: %w", err))
	}
}

// note records what status shows of the connection.
func (rc *receiver) note(connected bool, reason error) {
	rc.mu.Lock()
	rc.connected, rc.reason = connected, reason
	rc.seen = rc.seen || connected
	rc.mu.Unlock()
	rc.route.refresh()
}
