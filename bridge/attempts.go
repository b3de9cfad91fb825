package bridge

import (
	"errors"
	"math"
	"time"
)

// downAfter is how many rounds of failed calls, with nothing confirmed between, make a target count as down.
const downAfter = 3

// failed decides what happens to a message whose send failed. The caller holds the lock.
func (p *pipeline) failed(c *call, it *item, err error, now time.Time) {
	r := p.route
	e := AsError(err)
	whole := c.err != nil
	n := len(c.items)
	p.metrics.failure(e.Class)

	stopped := r.sendCtx.Err() != nil // cancelled by the stop: never counted
	if !stopped {
		if it.firstFail.IsZero() {
			it.firstFail = now
		}
		it.lastFail, it.err = now, err
	}
	counted := false
	// A dead letter that refuses means that the message is held, and a best-effort target that refuses, that it is dropped.
	dead := e.Class == Permanent || (e.Class == Fatal && (p.kind == toDead || p.bestEffort))
	switch e.Class {
	case Permanent, Throttled, Fatal:
	case Suspect:
		if n > 1 {
			if r.set.bug != bugHalveInPlace {
				it.limit = (n + 1) / 2
			}
		} else {
			counted = true
		}
	case Transient, Ambiguous:
		answered := !whole && e.Class == Transient && !e.OfTarget
		// The target has confirmed others since this one last failed, or first flew: so it works.
		charged := answered || p.confirmed != it.mark || r.set.bug == bugOutageBudget
		if c.crowded && errors.Is(err, ErrNotConnected) {
			charged = false // which of the calls cost the connection, nobody knows; next they go one by one
		}
		if charged && whole && n > 1 && r.set.bug != bugOutageBudget {
			it.limit = (n + 1) / 2 // one of them may be the cause: it counts for one that fails alone
		} else {
			counted = charged
		}
	}
	it.mark = p.confirmed
	if counted && !stopped {
		it.attempts++
		budget := p.retry.Attempts
		if it.lane != nil && it.lane.broken {
			budget = 1
		}
		if it.attempts >= budget && (!whole && !e.OfTarget || p.unlikely(it.attempts) || r.set.bug == bugOutageBudget) {
			dead = true
			if it.lane != nil {
				it.lane.broken = true
			}
		}
		if p.retry.MaxAge > 0 && p.age(now)-it.born >= p.retry.MaxAge {
			dead = true
		}
	}
	switch {
	case it.stale() && r.set.bug != bugStaleCopy && p.kind != toReply:
		p.sched.done(it, gone, time.Time{}, now)
		p.resolve(c, it, false)
		if it.branch {
			p.aside = append(p.aside, aside{it, asideParted, nil})
			return
		}
		r.metrics.released.Inc()
		c.spent = append(c.spent, it)
	case dead && !stopped:
		p.sched.done(it, gone, time.Time{}, now)
		p.aside = append(p.aside, aside{it, asideDead, err})
	case p.draining || stopped:
		p.giveBackLane(it, now)
	default:
		f := first
		if whole && e.Class != Suspect {
			f = behind // if it is this one that fails all calls, the others prove it
		}
		p.sched.done(it, f, p.retryAt(it, e, whole, counted, now), now)
	}
}

// innocent is how likely it may be that a message whose calls failed again and again is innocent of that.
const innocent = 1e-6

// unlikely tells that so many failures of calls in a row are no chance, at the rate at which calls fail just now: when
// half of them do, five in a row prove nothing against a message.
func (p *pipeline) unlikely(failures int) bool {
	return p.failing <= 0 || math.Pow(p.failing, float64(failures)) <= innocent || failures >= maxFailures
}

// maxFailures is when a message is at fault whatever else fails.
const maxFailures = 1000

// weighFailure keeps the share of calls that fail, the last twenty or so counting most. Calls of messages that have
// failed before are not asked: a bad message must not speak for itself.
func (p *pipeline) weighFailure(failed bool) {
	const weight = 0.05
	p.failing *= 1 - weight
	if failed {
		p.failing += weight
	}
}

// retryAt returns when a failed message may be tried again; zero: with the next call.
func (p *pipeline) retryAt(it *item, e *Error, whole, counted bool, now time.Time) time.Time {
	set := &p.retry
	switch {
	case e.Class == Suspect && it.limit > 0 && !counted, e.Class == Fatal:
		return time.Time{}
	case whole && !counted && e.Class != Throttled:
		return time.Time{} // the pipeline as a whole waits
	}
	wait := max(p.route.backoff(it.tries, set.Base, set.Cap), e.After)
	return now.Add(wait)
}

// giveBackLane gives a message back to the broker, and with it what waits behind it in its lane: it must not overtake.
func (p *pipeline) giveBackLane(it *item, now time.Time) {
	ln := it.lane
	p.aside = append(p.aside, aside{it, asideGivenBack, nil})
	p.sched.done(it, gone, time.Time{}, now)
	if ln == nil || ln.items.n == 0 {
		return
	}
	for _, later := range p.sched.purgeLane(ln, func(*item) bool { return true }, now, nil) {
		p.aside = append(p.aside, aside{later, asideGivenBack, nil})
	}
}

// judgeTarget draws the conclusions of a call for the target as a whole. The caller holds the lock.
func (p *pipeline) judgeTarget(c *call, confirmed int, failure error, now time.Time) {
	class := ClassOf(failure)
	p.age(now)
	whole := c.err != nil || confirmed == 0 && c.allOfTarget()
	if c.fresh {
		p.weighFailure(whole && class != Suspect && class != Permanent)
	}
	if confirmed > 0 {
		p.limitAfter(failure != nil && class == Throttled, now)
		p.standby = false
		p.recovered()
		if failure == nil {
			return
		}
	} else if failure != nil {
		p.limitAfter(whole && class != Suspect && class != Permanent || class == Throttled, now)
		p.standby = p.standby || class == Throttled
	}
	switch {
	case failure == nil:
	case p.route.sendCtx.Err() != nil:
	case class == Fatal && p.kind != toDead && !p.bestEffort:
		p.paused = true
		p.route.fatal(p, failure)
	case errors.Is(failure, ErrNotConnected):
		p.lose(failure)
	case class == Throttled && c.err == nil:
		p.reason = failure
	case whole && confirmed == 0 && class != Suspect && class != Permanent && !c.started.Before(p.failedAt):
		// One round of calls counts once, however many ran at the same time.
		p.streak++
		p.failedAt = now
		p.reason = failure
		set := &p.retry
		p.notBefore = now.Add(max(p.route.backoff(p.streak, set.Base, set.Cap), AsError(failure).After))
		if p.streak >= downAfter && !p.down {
			p.down, p.standby = true, true
			p.route.refreshLater()
		}
	}
}

func (p *pipeline) limitAfter(bad bool, now time.Time) {
	if bad {
		p.limiter.bad(now)
	} else {
		p.limiter.good()
	}
}

// recovered notes that the target confirmed something.
func (p *pipeline) recovered() {
	p.streak, p.notBefore, p.probing, p.reason = 0, time.Time{}, false, nil
	if p.down {
		p.down = false
		p.route.refreshLater()
	}
	p.route.proven(p)
}
