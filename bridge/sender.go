package bridge

import (
	"context"
	"fmt"
	"time"
)

// run is a sender: it sends one batch after the other and ends when none is due.
func (p *pipeline) run(c *call) {
	for c != nil {
		p.send(c)
		c = p.finish(c)
	}
	p.letGo()
}

// letGo says that a goroutine holds none of the pipeline's messages any more.
func (p *pipeline) letGo() {
	p.mu.Lock()
	p.hands--
	p.mu.Unlock()
	if p.route.ending.Load() {
		p.route.poke() // the end of the phase waits for it
	}
}

// send makes the call. A panic of the sink is an error of the call: what it did before is not known.
func (p *pipeline) send(c *call) {
	r := p.route
	n := len(c.items)
	c.out, c.res = grown(c.out, n), grown(c.res, n)
	for i, it := range c.items {
		c.out[i] = it.out
		c.res[i] = Result{Err: ErrUnanswered}
	}
	if r.set.bug == bugSettleEarly {
		for _, it := range c.items {
			_ = it.d.Settle(Accept)
		}
	}
	if r.set.bug != bugNone {
		r.set.bug.outgoing(c.out[:n])
	}
	ctx := r.callContext(c, p.limits.Timeout)
	if last := c.deadline(); !last.IsZero() {
		bounded, cancel := context.WithDeadline(ctx, last)
		defer cancel()
		ctx = bounded
	}
	c.err = p.protect("sending", func() error { return p.sink.Send(ctx, c.out[:n], c.res[:n]) })
	c.took = time.Since(c.started)
}

// deadline is when nobody waits for any answer of the call any more; zero: somebody does without an end.
func (c *call) deadline() (last time.Time) {
	for _, it := range c.items {
		at := it.out.Deadline
		if at.IsZero() {
			return at
		}
		if at.After(last) {
			last = at
		}
	}
	return last
}

// allOfTarget tells that every message of an answered call has failed by the target's own fault.
func (c *call) allOfTarget() bool {
	for i := range c.items {
		err := c.res[i].Err
		if err == nil {
			return false
		}
		if e := AsError(err); e.Class != Transient || !e.OfTarget {
			return false
		}
	}
	return true
}

func grown[T any](s []T, n int) []T {
	if cap(s) < n {
		return make([]T, n, max(n, 2*cap(s)))
	}
	return s[:n]
}

// protect turns a panic into an Ambiguous error.
func (p *pipeline) protect(doing string, f func() error) (err error) {
	defer func() {
		if v := recover(); v != nil {
			p.route.metrics.panics.Inc()
			err = &Error{Class: Ambiguous, Code: "panic", Err: fmt.Errorf("%s: panic: %v", doing, v)}
		}
	}()
	return f()
}

// callContext returns the context of a call: it ends after the sink's timeout, and when the stop cancels sends. It is
// reused by the calls of one buffer for a sixteenth of the timeout, so a call gets at least fifteen sixteenths.
func (r *Route) callContext(c *call, timeout time.Duration) context.Context {
	if timeout <= 0 {
		return r.sendCtx
	}
	if c.ctx == nil || c.started.Sub(c.ctxFrom) > timeout/16 || c.ctx.Err() != nil {
		if c.cancel != nil {
			c.cancel()
		}
		c.ctx, c.cancel = context.WithTimeout(r.sendCtx, timeout)
		c.ctxFrom = c.started
	}
	return c.ctx
}

// finish judges the results of a call, settles what was confirmed, returns the rest to the scheduler, and returns the
// next call, if one is due.
func (p *pipeline) finish(c *call) *call {
	now := time.Now()
	confirmed := p.settle(c, now)
	p.metrics.call(c, confirmed)

	p.mu.Lock()
	p.landed(c, confirmed, now)
	next := p.take(now)
	if next != nil {
		p.start(now) // the limit may have grown, or an outage have ended
	}
	p.redialIfLost()
	c.moved = p.takeAside(c.moved)
	p.mu.Unlock()

	p.route.window.leave(c.spent)
	p.route.dispose(c.moved)
	p.rouse(c.wakened)
	p.recycle(c)
	return next
}

// recycle clears the buffers and returns them to the pool.
func (p *pipeline) recycle(c *call) {
	clear(c.items)
	clear(c.out)
	clear(c.res)
	clear(c.spent)
	clear(c.moved)
	clear(c.wakened)
	c.items, c.spent, c.moved, c.wakened, c.err = c.items[:0], c.spent[:0], c.moved[:0], c.wakened[:0], nil
	p.mu.Lock()
	c.next, p.free = p.free, c
	p.mu.Unlock()
}

// settle accepts at the source what the sink confirmed, and returns how many those are. It runs before the call lands,
// so that a lane goes on only after it.
func (p *pipeline) settle(c *call, now time.Time) int {
	if p.route.set.bug == bugResend {
		for i := range c.items {
			if c.err == nil {
				c.err = c.res[i].Err
			}
		}
	}
	if c.err != nil {
		return 0
	}
	r := p.route
	confirmed, ended, accepted := 0, 0, 0
	for i, it := range c.items {
		if c.res[i].Err != nil {
			continue
		}
		confirmed++
		e := p.ending(it)
		switch {
		case p.moves(it, &c.res[i]):
		case it.branch:
			r.part(it, e)
		case p.kind == toReply:
			if r.accept(it) {
				r.metrics.ended[e].Inc()
			} else {
				r.metrics.released.Inc()
			}
		default:
			ended++
			if r.accept(it) {
				accepted++
				if p.kind == toTarget {
					r.metrics.observe(&it.d.Message, now)
				}
			}
		}
	}
	outcome := r.metrics.delivered
	if p.kind == toDead {
		outcome = r.metrics.deadLettered
	}
	outcome.Add(float64(accepted))
	r.metrics.released.Add(float64(ended - accepted))
	return confirmed
}

// ending is how the duty for a message that this pipeline's sink has confirmed ends.
func (p *pipeline) ending(it *item) ending {
	switch p.kind {
	case toDead:
		return endDeadLettered
	case toReply:
		if it.fault {
			p.route.metrics.replies.faults.Inc()
		} else {
			p.route.metrics.replies.sent.Inc()
		}
		return it.ending
	default:
		return endDelivered
	}
}

// moves tells whether a confirmed message has a reply to send before its duty ends, and marks it so.
func (p *pipeline) moves(it *item, res *Result) bool {
	r := p.route
	switch {
	case r.set.Reply == nil || p.kind == toReply || r.set.bug == bugSettleBeforeReply:
		return false
	case p.kind == toDead:
		it.ending = endDeadLettered // also where the fault has no place to go
		return r.set.Reply.Fault != nil && r.wantsReply(&it.d.Message)
	case !p.answers || res.Reply == nil:
		return false
	}
	it.answer, it.ending = res.Reply, endDelivered
	return true
}

// landed does the part of finish that needs the lock.
func (p *pipeline) landed(c *call, confirmed int, now time.Time) {
	p.confirmed += uint64(confirmed)
	p.land(c)
	failure := c.err
	// From last to first, or the order of those that go back would turn round.
	for i := len(c.items) - 1; i >= 0; i-- {
		it := c.items[i]
		err := c.err
		if err == nil {
			err = c.res[i].Err
		}
		if err == nil {
			if it.lane != nil {
				it.lane.broken = false
			}
			p.sched.done(it, gone, time.Time{}, now)
			if p.moves(it, &c.res[i]) {
				why := asideReply
				if p.kind == toDead {
					why = asideFault
				}
				p.aside = append(p.aside, aside{it, why, nil})
				continue
			}
			p.resolve(c, it, true)
			c.spent = append(c.spent, it)
			continue
		}
		if failure == nil || ClassOf(failure) != Fatal {
			failure = err
		}
		p.failed(c, it, err, now)
	}
	p.judgeTarget(c, confirmed, failure, now)
}

// resolve tells the memory of lost deliveries what became of an item whose connection is gone.
func (p *pipeline) resolve(c *call, it *item, confirmed bool) {
	if !it.pending && !it.stale() {
		return
	}
	w := p.route.window
	w.mu.Lock()
	waiters, done := w.ghosts.resolve(it, confirmed)
	w.mu.Unlock()
	for _, waiter := range waiters {
		if done {
			p.aside = append(p.aside, aside{waiter, asideSuppressed, nil})
		} else {
			c.wakened = append(c.wakened, waiter)
		}
	}
}

// rouse puts redeliveries that waited for a call at the head of where they belong.
func (p *pipeline) rouse(items []*item) {
	now := time.Now()
	for _, it := range items {
		it.pipe.mu.Lock()
		it.pipe.sched.pushFront(it, now)
		it.pipe.mu.Unlock()
	}
	if len(items) == 0 {
		return
	}
	for _, p := range p.route.pipes { // the items have owners of their own by now
		p.kick()
	}
}
