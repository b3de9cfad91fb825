package bridge

import (
	"fmt"
	"time"
)

// The names of the properties that diagnose a dead letter. They are Java identifiers, as JMS wants.
const (
	DeadRoute       = "JMSBridgeRoute"
	DeadTarget      = "JMSBridgeTarget"
	DeadErrorClass  = "JMSBridgeErrorClass"
	DeadErrorCode   = "JMSBridgeErrorCode"
	DeadError       = "JMSBridgeError"
	DeadRequestID   = "JMSBridgeRequestID"
	DeadAttempts    = "JMSBridgeAttempts"
	DeadFirstTime   = "JMSBridgeFirstTime"
	DeadLastTime    = "JMSBridgeLastTime"
	DeadDestination = "JMSBridgeOriginalDestination"
	DeadExpiration  = "JMSBridgeOriginalExpiration"
)

// maxDiagnosis bounds the text of an error in a diagnosis, and maxDiagnosisWord what is one word of the peer's, in bytes:
// a dead letter must not become too large by its diagnosis.
const (
	maxDiagnosis     = 1024
	maxDiagnosisWord = 256
)

// deadLetter is why a message goes to the dead letter.
type deadLetter struct {
	reason  string
	failure Failure
	extra   Properties
}

// diagnose words why a message goes to the dead letter.
func (r *Route) diagnose(it *item, err error, now time.Time) *deadLetter {
	e := AsError(err)
	m := &it.d.Message
	text := clip(plain(e.Error()), maxDiagnosis)
	first, last := it.firstFail, it.lastFail
	if first.IsZero() {
		first, last = now, now
	}
	entries := []Entry{
		{DeadRoute, String(r.set.Name)},
		{DeadErrorClass, String(deadClass(e))},
		{DeadError, String(text)},
		{DeadAttempts, Int(int32(max(it.attempts, min(it.tries, 1))))},
		{DeadFirstTime, Long(first.UnixMilli())},
		{DeadLastTime, Long(last.UnixMilli())},
	}
	target := ""
	if it.pipe != nil { // nil: it failed before it went to any of several targets
		target = it.pipe.name
	}
	optional := []Entry{
		{DeadTarget, String(target)},
		{DeadErrorCode, String(clip(e.Code, maxDiagnosisWord))},
		{DeadRequestID, String(clip(e.RequestID, maxDiagnosisWord))},
		{DeadDestination, String(m.Destination.String())},
	}
	for _, o := range optional {
		if o.Value.Str() != "" {
			entries = append(entries, o)
		}
	}
	if !m.Expiration.IsZero() {
		entries = append(entries, Entry{DeadExpiration, Long(m.Expiration.UnixMilli())})
	}
	failure := Failure{Class: e.Class, Code: e.Code, Text: text}
	return &deadLetter{reason: text, failure: failure, extra: NewProperties(entries)}
}

func deadClass(e *Error) string {
	if e.Code == codeExpired {
		return "expired"
	}
	return e.Class.String()
}

const codeExpired = "Expired"

// divert takes a message that can't reach its target: to the dead letter, or away, or it is held. The caller owns the
// item and holds no lock.
func (r *Route) divert(it *item, err error) {
	now := time.Now()
	switch {
	case it.pipe != nil && it.pipe.kind == toReply:
		r.unanswered(it, err, AsError(err).Unsent)
		return
	case it.bestEffort:
		r.forgone(it)
		return
	case it.pipe != nil && it.pipe.kind == toDead:
		r.holdDead(it, err)
		return
	}
	if it.dead == nil {
		it.dead = r.diagnose(it, err, now)
	}
	switch {
	case r.set.DropDead:
		if !r.answerFault(it, endDropped) {
			r.conclude(it, endDropped)
		}
		return
	case r.dead == nil:
		r.hold(it, it.dead.reason)
		return
	}
	p := r.dead
	it.pipe = p
	it.tries, it.attempts, it.limit, it.mark = 0, 0, 0, 0
	it.firstFail, it.lastFail, it.err = time.Time{}, time.Time{}, nil
	it.out.Extra, it.out.Deadline, it.out.Ask = it.dead.extra, time.Time{}, nil
	if !it.out.Message.Expiration.IsZero() { // a broker would drop the copy as expired; the diagnosis has the instant
		lasting := *it.out.Message
		lasting.Expiration = time.Time{}
		it.out.Message = &lasting
	}
	if err := r.address(it); err != nil {
		r.holdDead(it, err)
		return
	}
	p.mu.Lock()
	it.born = p.age(now)
	p.sched.push(it, now)
	p.mu.Unlock()
	p.kick()
}

// holdDead holds what the dead letter can't take, and names both reasons.
func (r *Route) holdDead(it *item, err error) {
	r.hold(it, fmt.Sprintf("the dead letter can't take it: %v; it went there because: %s", err, it.dead.reason))
}

// hold keeps a delivery unsettled, named and counted.
func (r *Route) hold(it *item, reason string) {
	if r.set.bug == bugForgetHeld {
		r.window.leave([]*item{it})
		return
	}
	if it.branch {
		r.holdBranch(it, reason)
		return
	}
	r.holdNow(it, reason)
}

// holdNow holds a delivery as a whole.
func (r *Route) holdNow(it *item, reason string) {
	sess := it.sess
	held := sess.held.Add(1)
	r.window.hold(it, reason, r.dead != nil, time.Now())
	r.refreshLater()
	most := int64(sess.credit+1) / 2
	if r.probing.Load() {
		most = int64(sess.credit) // another message beside it would do
	}
	if r.set.Order == OrderStrict || held >= most {
		select {
		case r.heldUp <- struct{}{}:
		default:
		}
	}
}

// conclude ends the duty for a message in a way of its own, without a call.
func (r *Route) conclude(it *item, e ending) {
	switch {
	case it.branch:
		r.part(it, e)
	case r.accept(it):
		r.metrics.ended[e].Inc()
	default:
		r.metrics.released.Inc()
	}
	r.window.leave([]*item{it})
}

// accept settles a delivery. false: its connection is gone, and the message will come again.
func (r *Route) accept(it *item) bool {
	err := it.d.Settle(Accept)
	if err != nil && r.set.bug == bugSettleElsewhere {
		if l := r.anyLease.Load(); l != nil {
			_ = (*l).Settle(it.d.Tag, Accept)
		}
	}
	if err == nil && !it.sess.settled.Load() { // written once, for the cache line is every sender's
		it.sess.settled.Store(true)
	}
	return err == nil
}

// dispose ends, or moves on, what a pipeline put aside. No lock is held.
func (r *Route) dispose(moved []aside) {
	for _, a := range moved {
		switch a.why {
		case asideStale, asideGivenBack:
			r.giveBack(a.it)
		case asideSuppressed:
			r.suppress(a.it)
		case asideDead:
			r.divert(a.it, a.err)
		case asideExpired:
			r.expire(a.it)
		case asideParted:
			r.part(a.it, endGivenBack)
			r.window.leave([]*item{a.it})
		case asideReply:
			r.reply(a.it)
		case asideFault:
			if !r.answerFault(a.it, endDeadLettered) {
				r.closeExchange(a.it)
			}
		case asideLate:
			r.metrics.replies.late.Inc()
			r.closeExchange(a.it)
		}
	}
}

// expire ends a message whose time is over.
func (r *Route) expire(it *item) {
	switch {
	case it.bestEffort:
		r.forgone(it)
		return
	case r.set.Expired == ExpireDrop:
		r.conclude(it, endExpired)
		return
	}
	text, at := "expired", it.d.Message.Expiration
	if at.IsZero() {
		text, at = "the time for an answer ended", it.out.Deadline
	}
	age := time.Since(at).Round(time.Millisecond)
	r.divert(it, &Error{Class: Permanent, Code: codeExpired, Err: fmt.Errorf("%s %v ago", text, age)})
}

// suppress accepts a redelivery that the target has had already.
func (r *Route) suppress(it *item) {
	if it.branch {
		r.metrics.suppressed.Inc()
		r.conclude(it, endDelivered)
		return
	}
	if r.accept(it) {
		r.metrics.suppressed.Inc()
		r.metrics.delivered.Inc()
	} else { // this connection is gone as well: it comes once more
		r.window.mu.Lock()
		r.window.ghosts.remember(it, ghostConfirmed)
		r.window.mu.Unlock()
		r.metrics.released.Inc()
	}
	r.window.leave([]*item{it})
}

// giveBack leaves a delivery unsettled: the broker gives it again. What was learnt of it is remembered by key.
func (r *Route) giveBack(it *item) {
	if r.set.bug == bugLoseAtStop && r.Status().State == StateStopping {
		r.conclude(it, endDelivered)
		return
	}
	if it.bestEffort && it.duty.settled.Load() { // nobody gives it again
		r.forgone(it)
		return
	}
	r.window.mu.Lock()
	r.window.ghosts.remember(it, ghostAttempts)
	r.window.mu.Unlock()
	if it.branch {
		r.part(it, endGivenBack)
	} else {
		r.metrics.released.Inc()
	}
	r.window.leave([]*item{it})
}

// tooLate tells that nobody waits for the answer to a request any more.
func (r *Route) tooLate(it *item, now time.Time) bool {
	return r.set.Expired != ExpireForward && !it.out.Deadline.IsZero() && now.After(it.out.Deadline)
}

func (r *Route) expired(m *Message, now time.Time) bool {
	return r.set.Expired != ExpireForward && !m.Expiration.IsZero() && now.Sub(m.Expiration) > expiryTolerance
}
