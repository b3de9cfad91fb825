package bridge

import "time"

// wantsReply tells whether somebody waits for an answer to this message.
func (r *Route) wantsReply(m *Message) bool {
	switch {
	case r.set.Reply == nil:
		return false
	case r.set.Reply.Wants != nil:
		return r.set.Reply.Wants(m)
	default:
		return !m.ReplyTo.IsZero()
	}
}

// replyDeadline is when nobody waits for the answer to a request any more.
func (r *Route) replyDeadline(it *item) time.Time {
	if at := it.d.Message.Expiration; !at.IsZero() {
		return at
	}
	return it.received.Add(r.set.Reply.Timeout)
}

// expectAnswer sets the deadline of a request, and how its responder is to answer.
func (r *Route) expectAnswer(it *item) error {
	request := &it.d.Message
	if it.pipe.answers && r.wantsReply(request) {
		it.out.Deadline = r.replyDeadline(it)
	}
	if it.pipe.ask == nil {
		return nil
	}
	ask, err := it.pipe.ask(request, it.received)
	if err != nil {
		return Classed(Permanent, err)
	}
	if it.out.Ask = ask; ask != nil {
		it.out.Deadline = ask.Deadline
	}
	return nil
}

// reply sends the answer that a target gave back to the requester. The request is settled once that is confirmed. The
// caller owns the item and holds no lock.
func (r *Route) reply(it *item) {
	answer := it.answer
	it.answer = nil
	m, err := r.make(func() (*Message, error) {
		return r.set.Reply.Make(&it.d.Message, answer, r.replyDeadline(it))
	})
	switch {
	case err != nil:
		r.unanswered(it, err, true)
	case m == nil:
		r.metrics.replies.unwanted.Inc()
		r.closeExchange(it)
	default:
		r.sendReply(it, m)
	}
}

// answerFault tells the requester that its request has failed for good, and then ends the duty in the given way. false:
// nobody wants to know.
func (r *Route) answerFault(it *item, e ending) bool {
	if !r.wantsReply(&it.d.Message) || r.set.Reply.Fault == nil || it.fault || it.dead == nil || it.bestEffort {
		return false
	}
	deadline := r.replyDeadline(it)
	m, err := r.make(func() (*Message, error) { return r.set.Reply.Fault(&it.d.Message, it.dead.failure, deadline) })
	if err != nil || m == nil {
		return false
	}
	it.fault, it.ending = true, e
	r.sendReply(it, m)
	return true
}

// make calls a function that makes a reply; a panic there is an error.
func (r *Route) make(f func() (*Message, error)) (m *Message, err error) {
	defer func() {
		if v := recover(); v != nil {
			r.metrics.panics.Inc()
			m, err = nil, Errorf(Permanent, "making the reply: panic: %v", v)
		}
	}()
	return f()
}

// sendReply hands a reply to its pipeline.
func (r *Route) sendReply(it *item, m *Message) {
	p := r.replies
	it.pipe = p
	it.tries, it.attempts, it.limit, it.mark = 0, 0, 0, 0
	it.firstFail, it.lastFail, it.err = time.Time{}, time.Time{}, nil
	it.out = Outgoing{Message: m}
	if err := r.address(it); err != nil {
		r.unanswered(it, err, true)
		return
	}
	now := time.Now()
	p.mu.Lock()
	r.window.mu.Lock()
	if it.sess.gone.Load() { // it comes again, and must wait for this reply
		r.window.ghosts.await(it)
	}
	r.window.mu.Unlock()
	it.born = p.age(now)
	p.sched.push(it, now)
	p.mu.Unlock()
	p.kick()
}

// unanswered ends an exchange whose reply can't be sent: the requester has gone, or it asked for an answer at a place
// where none may go. When it is the answer itself that is spoilt, a fault may still be sent.
func (r *Route) unanswered(it *item, err error, spoilt bool) {
	switch {
	case AsError(err).Code == CodeReplyRefused:
		r.metrics.replies.refused.Inc()
	case spoilt:
		if it.dead == nil {
			it.dead = r.diagnose(it, err, time.Now())
		}
		r.metrics.replies.failed.Inc()
		if r.answerFault(it, it.ending) {
			return
		}
	default:
		r.metrics.replies.orphaned.Inc()
	}
	r.closeExchange(it)
}

// CodeReplyRefused is the code of the error when a request asks for its reply at a destination that is not allowed.
const CodeReplyRefused = "ReplyDestination"

// closeExchange ends the duty for a request whose reply is not sent.
func (r *Route) closeExchange(it *item) {
	if it.pending || it.stale() {
		r.resolveReply(it)
	}
	r.conclude(it, it.ending)
}

// resolveReply tells the memory of lost deliveries that the exchange is over: a copy that comes again is accepted.
func (r *Route) resolveReply(it *item) {
	w := r.window
	w.mu.Lock()
	waiters, done := w.ghosts.resolve(it, true)
	w.mu.Unlock()
	if !done {
		r.target(it).rouse(waiters)
		return
	}
	for _, waiter := range waiters {
		r.suppress(waiter)
	}
}

// target is the pipeline of the target that an item is for, wherever it is now.
func (r *Route) target(it *item) *pipeline { return r.targets[it.target] }
