package awslocal

import (
	"container/heap"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"strconv"
	"strings"
	"time"
)

const (
	dedupWindow = 5 * time.Minute
	maxInFlight = 120_000
)

type queueKey struct{ account, name string }

// queue is one queue; e.mu guards it.
type queue struct {
	queueKey
	e          *Endpoint
	url, arn   string
	fifo       bool
	created    time.Time
	modified   time.Time
	purged     time.Time
	attributes map[string]string // settable ones, as given or by default
	set        settings
	tags       map[string]string

	byID    map[string]*message
	all     chain // by arrival
	visible chain // standard: what can be received
	waiting dueHeap
	delays  int // delayed ones in waiting

	lanes map[string]*lane // FIFO: groups that hold messages
	open  laneList         // FIFO: lanes with a visible message and none in flight
	dedup map[string]sentBefore
	ages  []dedupAge // deduplication ids by age

	waiters int
	wake    chan struct{} // closed when a message becomes visible while somebody waits
}

type sentBefore struct {
	id       string
	sequence uint64
	at       time.Time
}

type dedupAge struct {
	key string
	at  time.Time
}

// lane is a message group.
type lane struct {
	visible  chain
	inFlight int
	members  int // delayed ones too
	listed   bool
	prev     *lane
	next     *lane
}

// laneList is a list of lanes, oldest wish first.
type laneList struct{ head, tail *lane }

func (l *laneList) push(g *lane) {
	g.listed, g.prev, g.next = true, l.tail, nil
	if l.tail == nil {
		l.head = g
	} else {
		l.tail.next = g
	}
	l.tail = g
}

func (l *laneList) remove(g *lane) {
	if g.prev == nil {
		l.head = g.next
	} else {
		g.prev.next = g.next
	}
	if g.next == nil {
		l.tail = g.prev
	} else {
		g.next.prev = g.prev
	}
	g.listed, g.prev, g.next = false, nil, nil
}

func (e *Endpoint) newQueue(key queueKey, set settings, attributes map[string]string, now time.Time) *queue {
	return &queue{
		queueKey: key, e: e,
		url:  e.url + "/" + key.account + "/" + key.name,
		arn:  "arn:aws:sqs:" + e.opt.Region + ":" + key.account + ":" + key.name,
		fifo: strings.HasSuffix(key.name, ".fifo"), created: now, modified: now,
		attributes: attributes, set: set, tags: map[string]string{},
		byID: map[string]*message{}, all: chain{which: 1},
		lanes: map[string]*lane{}, dedup: map[string]sentBefore{},
		wake: make(chan struct{}),
	}
}

// duplicate looks up a deduplication id, and forgets those that are old.
func (q *queue) duplicate(key string, now time.Time) (sentBefore, bool) {
	n := 0
	for n < len(q.ages) && now.Sub(q.ages[n].at) >= dedupWindow {
		if q.dedup[q.ages[n].key].at.Equal(q.ages[n].at) {
			delete(q.dedup, q.ages[n].key)
		}
		n++
	}
	q.ages = q.ages[n:]
	before, ok := q.dedup[key]
	return before, ok
}

// add takes a new message, whose sequence is set in a FIFO queue.
func (q *queue) add(m *message, delay time.Duration, now time.Time) {
	q.e.arrivals++
	m.order = q.e.arrivals
	q.byID[m.id] = m
	q.all.insert(m, q.all.tail)
	if q.fifo {
		m.lane = q.lanes[m.group]
		if m.lane == nil {
			m.lane = &lane{}
			q.lanes[m.group] = m.lane
		}
		m.lane.members++
	}
	if delay > 0 {
		m.state, m.due = delayed, now.Add(delay)
		q.delays++
		heap.Push(&q.waiting, m)
		return
	}
	q.show(m, false)
}

// show makes a message visible; back: it was seen before, and goes to the front.
func (q *queue) show(m *message, back bool) {
	m.state = ready
	switch {
	case m.lane != nil:
		m.lane.visible.sorted(m)
		q.list(m.lane)
	case back:
		q.visible.insert(m, nil)
	default:
		q.visible.insert(m, q.visible.tail)
	}
	if q.waiters > 0 {
		q.waiters = 0
		close(q.wake)
		q.wake = make(chan struct{})
	}
}

// list puts a lane among the open ones, or takes it away.
func (q *queue) list(g *lane) {
	open := g.inFlight == 0 && g.visible.n > 0
	if open && !g.listed {
		q.open.push(g)
	}
	if !open && g.listed {
		q.open.remove(g)
	}
}

// settle removes a message from wherever it is.
func (q *queue) settle(m *message) {
	switch m.state {
	case delayed:
		q.delays--
		heap.Remove(&q.waiting, m.index)
	case inFlight:
		heap.Remove(&q.waiting, m.index)
		if m.lane != nil {
			m.lane.inFlight--
			q.list(m.lane)
		}
	case ready:
		if m.lane != nil {
			m.lane.visible.remove(m)
			q.list(m.lane)
		} else {
			q.visible.remove(m)
		}
	case gone:
		return
	}
	m.state = gone
	q.all.remove(m)
	delete(q.byID, m.id)
	if m.lane != nil {
		if m.lane.members--; m.lane.members == 0 {
			delete(q.lanes, m.group)
		}
	}
}

// tick makes visible what is due, and forgets what is older than the retention period.
func (q *queue) tick(now time.Time) {
	for len(q.waiting) > 0 && !q.waiting[0].due.After(now) {
		m := heap.Pop(&q.waiting).(*message)
		if m.state == delayed {
			q.delays--
			q.show(m, false)
			continue
		}
		if m.lane != nil {
			m.lane.inFlight--
		}
		q.show(m, true)
	}
	for m := q.all.head; m != nil && now.Sub(m.sent) > q.set.retention; m = q.all.head {
		q.settle(m)
	}
}

// take returns up to limit visible messages, marked in flight for the visibility timeout.
func (q *queue) take(limit int, visibility time.Duration, now time.Time) []*message {
	q.tick(now)
	var out []*message
	var current *lane
	for len(out) < limit {
		m := q.head(current)
		if m == nil {
			break
		}
		if q.exhausted(m) {
			q.redrive(m, now)
			continue
		}
		if m.lane != nil {
			m.lane.visible.remove(m)
			m.lane.inFlight++
			q.list(m.lane)
		} else {
			q.visible.remove(m)
		}
		m.receives++
		if m.firstSeen.IsZero() {
			m.firstSeen = now
		}
		q.e.handles++
		m.handle = q.e.handles
		m.state, m.due = inFlight, now.Add(visibility)
		heap.Push(&q.waiting, m)
		out = append(out, m)
		current = m.lane
	}
	return out
}

// head is the next message to receive: of a FIFO queue one more of the current group first, as AWS does.
func (q *queue) head(current *lane) *message {
	switch {
	case !q.fifo:
		return q.visible.head
	case current != nil && current.visible.n > 0:
		return current.visible.head
	case q.open.head != nil:
		return q.open.head.visible.head
	}
	return nil
}

func (q *queue) exhausted(m *message) bool {
	return q.set.redrive.target != (queueKey{}) && m.receives >= q.set.redrive.max && q.e.queues[q.set.redrive.target] != nil
}

// redrive moves a message to the dead-letter queue. It keeps its id and its attributes; in a standard queue its age too.
func (q *queue) redrive(m *message, now time.Time) {
	to := q.e.queues[q.set.redrive.target]
	q.settle(m)
	moved := &message{
		id: m.id, body: m.body, bodyMD5: m.bodyMD5, attributes: m.attributes, trace: m.trace, sender: m.sender,
		sent: m.sent, receives: m.receives, firstSeen: m.firstSeen, group: m.group, dedup: m.dedup, source: q.arn,
	}
	if to.fifo {
		moved.sent = now
		moved.sequence = q.e.nextSequence()
	}
	to.add(moved, 0, now)
}

func (e *Endpoint) nextSequence() uint64 {
	e.sequence += 256
	return e.sequence
}

// sequenceNumber is the 20-digit form.
func sequenceNumber(n uint64) string { return fmt.Sprintf("188%017d", n) }

// next returns when the next delayed or hidden message becomes visible; zero: none waits.
func (q *queue) next() time.Time {
	if len(q.waiting) == 0 {
		return time.Time{}
	}
	return q.waiting[0].due
}

func (q *queue) counts(now time.Time) (visible, hidden, delayed int) {
	q.tick(now)
	return q.all.n - len(q.waiting), len(q.waiting) - q.delays, q.delays
}

// receipt is the handle of a message's latest receive.
func (q *queue) receipt(m *message) string {
	text := q.name + "/" + m.id + "/" + strconv.FormatUint(m.handle, 10)
	return base64.StdEncoding.EncodeToString([]byte(text + "/" + q.seal(text)))
}

func (q *queue) seal(text string) string {
	sum := sha256.Sum256([]byte(q.arn + text))
	return hex.EncodeToString(sum[:6])
}

// find returns the message of a receipt handle: nil when it is gone, current when no later receive has replaced the
// handle; ok is false for what never was a handle of this queue.
func (q *queue) find(receipt string) (m *message, current, ok bool) {
	raw, err := base64.StdEncoding.DecodeString(receipt)
	if err != nil {
		return nil, false, false
	}
	text, seal, cut := cutLast(string(raw))
	if !cut || q.seal(text) != seal {
		return nil, false, false
	}
	text, handle, _ := cutLast(text)
	name, id, _ := strings.Cut(text, "/")
	if name != q.name {
		return nil, false, false
	}
	m = q.byID[id]
	return m, m != nil && strconv.FormatUint(m.handle, 10) == handle, true
}

func cutLast(text string) (before, after string, ok bool) {
	i := strings.LastIndexByte(text, '/')
	if i < 0 {
		return text, "", false
	}
	return text[:i], text[i+1:], true
}
