package bridge

import (
	"fmt"
	"sync/atomic"
	"time"
)

// ending is how the duty for a message ended, at one target or as a whole. Of several targets' endings the greatest is
// that of the message.
type ending uint8

const (
	endFiltered ending = iota
	endDelivered
	endExpired
	endDropped
	endDeadLettered
	endHeldBack  // held: it stays unsettled
	endGivenBack // not ended at all: the message comes again
)

// duty is a delivery that goes to several targets. For each of them there is an item of its own, a branch; the item that
// was received, the root, only waits. The duty ends when all required branches have ended. The window's lock guards it.
type duty struct {
	root  *item
	open  int    // required branches that have not ended
	done  uint32 // bits of the targets that have the message, or whose dead letter has it
	worst ending
	why   string // why a branch is held
	// settled tells that the delivery is accepted: what best-effort branches still do is their own affair.
	settled atomic.Bool
}

// bestEffortMessages and bestEffortBytes bound what a best-effort target may still have while others have settled it.
const (
	bestEffortMessages = 1000
	bestEffortBytes    = 16 << 20
)

// fork makes the branches of a root: one for each target, in their order. A
// best-effort target that is not connected yet, or has too much already, gets none.
func (w *window) fork(root *item, targets []*pipeline, out []*item) []*item {
	d := &duty{root: root}
	w.mu.Lock()
	defer w.mu.Unlock()
	root.duty = d
	for _, p := range targets {
		if p.bestEffort {
			if p.seen.Load() == nil || p.kept >= bestEffortMessages || p.keptBytes+root.weight > bestEffortBytes {
				p.metrics.dropped.Inc()
				continue
			}
			p.kept++
			p.keptBytes += root.weight
		} else {
			d.open++
		}
		it := w.fresh()
		it.d, it.sess, it.received, it.out = root.d, root.sess, root.received, root.out
		it.duty, it.branch, it.pipe, it.target, it.bestEffort, it.weight = d, true, p, p.index, p.bestEffort, root.weight
		out = append(out, it)
	}
	return out
}

// part ends a branch, and with the last one the duty. The branch itself still has to leave the window.
func (r *Route) part(it *item, e ending) {
	d, w := it.duty, r.window
	w.mu.Lock()
	if e != endFiltered && e < endHeldBack {
		d.done |= 1 << it.target
	}
	last := false
	if !it.bestEffort {
		d.open--
		d.worst = max(d.worst, e)
		last = d.open == 0
		if r.set.bug == bugSettleAtFirst && e == endDelivered && d.open > 0 {
			d.open, last = 0, true
		}
	}
	w.mu.Unlock()
	if last {
		r.endDuty(d)
	}
}

// endDuty settles a delivery whose required branches have all ended.
func (r *Route) endDuty(d *duty) {
	root := d.root
	switch {
	case d.worst == endGivenBack:
		r.rememberDone(d)
		r.metrics.released.Inc()
		r.window.leave([]*item{root})
		return
	case d.worst == endHeldBack:
		r.rememberDone(d)
		r.holdNow(root, d.why)
		return
	}
	d.settled.Store(true)
	if r.accept(root) {
		r.metrics.ended[d.worst].Inc()
		if d.worst == endDelivered {
			r.metrics.observe(&root.d.Message, time.Now())
		}
		if r.probing.Load() {
			r.proveNow()
		}
	} else {
		d.settled.Store(false)
		r.rememberDone(d)
		r.metrics.released.Inc()
	}
	r.window.leave([]*item{root})
}

// rememberDone keeps, for a delivery that comes again, which targets have it already.
func (r *Route) rememberDone(d *duty) {
	if r.set.bug == bugForgetDone {
		return
	}
	w := r.window
	w.mu.Lock()
	defer w.mu.Unlock()
	w.rememberDone(d)
}

// rememberDone is called with the lock held.
func (w *window) rememberDone(d *duty) {
	for target := range maxTargets {
		if d.done&(1<<target) != 0 {
			w.ghosts.confirm(d.root, uint8(target))
		}
	}
}

// forgone drops what a best-effort target does not get.
func (r *Route) forgone(it *item) {
	it.pipe.metrics.dropped.Inc()
	r.window.leave([]*item{it})
}

// holdBranch keeps a delivery unsettled because of one of its targets. The others go on.
func (r *Route) holdBranch(it *item, reason string) {
	w := r.window
	w.mu.Lock()
	d := it.duty
	if d.why == "" {
		d.why = fmt.Sprintf("target %s: %s", r.targets[it.target].name, reason)
	}
	if r.dead != nil {
		w.ghosts.remember(it, ghostAttempts)
	}
	w.mu.Unlock()
	r.part(it, endHeldBack)
	w.leave([]*item{it})
}
