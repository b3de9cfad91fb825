package stomplocal

import (
	"slices"
	"time"
)

// queue holds the messages of a queue, of a temporary queue, or of a topic subscription. b.mu guards it.
type queue struct {
	b     *Broker
	name  string // without prefix
	shown string // the destination header; "" for a topic subscription, whose messages say it
	owner *conn  // of a temporary queue

	pending entryList // in the order of seq
	unacked int
	lastSeq uint64
	subs    []*subscription
	turn    int // whose turn it is among subs
	private bool
	removed bool
}

// queueNamed returns the queue, which is made when it is not there.
func (b *Broker) queueNamed(name string) *queue {
	q := b.queues[name]
	if q == nil {
		q = &queue{b: b, name: name, shown: prefixQueue + name}
		b.queues[name] = q
		b.topics.bind(q)
		for _, s := range b.pattern {
			if matches(s.patternOf(name), name) {
				s.attach(q)
			}
		}
	}
	return q
}

// put adds a message at the end and returns its entry.
func (q *queue) put(m *message) {
	if q.removed {
		return
	}
	q.lastSeq++
	q.pending.pushBack(&entry{message: m, queue: q, seq: q.lastSeq})
	q.dispatch()
}

// take removes a pending entry; cursors that stand on it step back.
func (q *queue) take(e *entry) {
	for _, s := range q.subs {
		if s.selector != nil && s.cursor[q] == e {
			s.setCursor(q, e.prev)
		}
	}
	q.pending.remove(e)
}

// giveBack returns entries to the head, in order, flagged redelivered.
func (q *queue) giveBack(back []*entry) {
	slices.SortFunc(back, func(a, b *entry) int {
		if a.seq < b.seq {
			return -1
		}
		return 1
	})
	var at *entry
	for _, e := range back {
		q.unacked--
		if q.removed {
			continue
		}
		e.sub, e.redelivered = nil, true
		next := q.pending.head
		if at != nil {
			next = at.next
		}
		for next != nil && next.seq < e.seq {
			at, next = next, next.next
		}
		q.pending.insertAfter(e, at)
		at = e
	}
	for _, s := range q.subs {
		if s.selector != nil {
			s.setCursor(q, nil)
		}
	}
}

// dispatch hands out what can be handed out.
func (q *queue) dispatch() {
	selective := false
	for _, s := range q.subs {
		if s.selector != nil {
			selective = true
			q.dispatchSelected(s)
		}
	}
	for e := q.pending.head; e != nil; e = q.pending.head {
		if q.expire(e) {
			continue
		}
		s := q.next(selective)
		if s == nil {
			return
		}
		q.take(e)
		s.deliver(e)
	}
}

// dispatchSelected hands to s what its selector chooses, beginning where it stopped the last time.
func (q *queue) dispatchSelected(s *subscription) {
	if !q.eligible(s) {
		return
	}
	for s.ready() {
		e := q.pending.head
		if at := s.cursor[q]; at != nil {
			e = at.next
		}
		if e == nil {
			return
		}
		if q.expire(e) {
			continue
		}
		if !s.selector.matches(e.message) {
			s.setCursor(q, e)
			continue
		}
		q.take(e)
		s.deliver(e)
	}
}

// next returns the subscription without a selector whose turn it is, or nil when none can take a message.
func (q *queue) next(selective bool) *subscription {
	n := len(q.subs)
	for i := range n {
		at := (q.turn + i) % n
		s := q.subs[at]
		if selective && s.selector != nil || !q.eligible(s) || !s.ready() {
			continue
		}
		q.turn = (at + 1) % n
		return s
	}
	return nil
}

// eligible tells whether s may get messages: where an exclusive consumer is, only the first of them may.
func (q *queue) eligible(s *subscription) bool {
	for _, o := range q.subs {
		if o.exclusive {
			return o == s
		}
	}
	return true
}

// expire moves an expired entry away.
func (q *queue) expire(e *entry) bool {
	if e.expires == 0 || e.expires > time.Now().UnixMilli() {
		return false
	}
	q.take(e)
	q.b.bury(e)
	return true
}

// expireAll moves all expired messages away.
func (q *queue) expireAll() {
	for e := q.pending.head; e != nil; {
		next := e.next
		q.expire(e)
		e = next
	}
}

// bury moves a poisoned or expired message to the dead letter queue, or discards it when it isn't persistent.
func (b *Broker) bury(e *entry) {
	if !e.persistent || e.queue.shown == DeadLetterQueue {
		b.stats.Discarded++
		return
	}
	b.stats.DeadLettered++
	m := *e.message
	m.expires = 0
	if m.original = e.queue.shown; m.original == "" {
		m.original = e.original
	}
	m.seal()
	b.queueNamed(DeadLetterQueue[len(prefixQueue):]).put(&m)
}

// remove forgets the queue and what is in it.
func (q *queue) remove() {
	q.removed = true
	q.pending = entryList{}
	q.b.topics.unbind(q)
	delete(q.b.queues, q.name)
	for _, s := range q.subs {
		s.queues = slices.DeleteFunc(s.queues, func(o *queue) bool { return o == q })
	}
	q.subs = nil
}

// resume dispatches to a connection that had no room before.
func (b *Broker) resume(c *conn) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, s := range slices.Clone(c.subs) {
		s.pull()
	}
}
