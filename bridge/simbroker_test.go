package bridge

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"
)

// simBroker is one queue of a broker: it gives messages out in order to one connection at a time, keeps what is not
// settled, and puts it back at the head when the connection goes.
type simBroker struct {
	mu      sync.Mutex
	queue   []*simMessage
	conn    *simConn            // the standing connection; nil: none
	name    string              // in keys, where there are several brokers
	mixed   bool                // bodies of every kind, and messages of many sizes
	sent    int                 // messages put so far
	keys    []string            // in the order in which they were put, or came from another broker
	was     map[string]*Message // what was put, by key; nothing else refers to it
	settled map[string]Outcome
	wake    chan struct{} // closed when something changes

	connects     int
	credits      []int                   // asked for, at each Connect
	refuse       func() error            // asked at each Connect; nil: accept
	hold         func(key string) error  // sets Delivery.Hold
	flushIn      time.Duration           // verdicts reach the broker after this time; 0: at once
	wrong        []string                // what a broker should never see
	lostVerdicts map[string]int          // verdicts that were recorded, and lost with the connection, by key
	verdict      func(key string)        // asked at each verdict
	given        map[*Message]*simGiven  // what was delivered
	settling     func()                  // told of each verdict, before anything else
	entered      func(s *simSource)      // told of each Receive, before it waits
	received     func(*simSource, int64) // told of each Receive that has something, with its bytes

	// The same message may be there more than once: a producer sent it again after a failover, or the broker lost its
	// memory of an acknowledgement.
	twin       func(key string) simTwin // asked at each delivery of a message that has none yet; nil: never
	again      func(key string) bool    // asked at a reset, of what was settled last; nil: never
	other      *simBroker               // where twinElsewhere goes
	last       *simMessage              // settled last
	owed       map[string]int           // how often a key is to be settled yet
	copied     map[string]bool          // keys that were there more than once
	deliveries map[string]int           // by key
}

// simTwin says where a second copy of a message is.
type simTwin uint8

const (
	twinNone      simTwin = iota
	twinNext              // next in the queue
	twinLast              // last in the queue
	twinElsewhere         // on the other broker
)

type simMessage struct {
	m          Message
	size       int
	deliveries int
}

// simGiven is a delivery.
type simGiven struct {
	conn        *simConn
	redelivered bool
}

// simConn is a connection with its subscription, and the lease of its deliveries.
type simConn struct {
	b        *simBroker
	credit   int
	lost     bool // guarded by b.mu
	lostAt   time.Time
	tags     uint64
	open     map[uint64]*simMessage // unsettled
	recorded []uint64               // settled, and not flushed
	verdicts map[uint64]Outcome
}

func newSimBroker() *simBroker {
	return &simBroker{
		settled: map[string]Outcome{}, wake: make(chan struct{}), lostVerdicts: map[string]int{}, given: map[*Message]*simGiven{},
		was: map[string]*Message{}, owed: map[string]int{}, copied: map[string]bool{}, deliveries: map[string]int{},
	}
}

// changed wakes everybody who waits. The caller holds the lock.
func (b *simBroker) changed() {
	close(b.wake)
	b.wake = make(chan struct{})
}

// put adds a message at the end of the queue.
func (b *simBroker) put(group string, expires time.Time) string {
	b.mu.Lock()
	key := b.key(b.sent + 1)
	b.mu.Unlock()
	b.putAs(key, group, expires)
	return key
}

// putWith adds a message that change has made its own.
func (b *simBroker) putWith(change func(*Message)) string {
	b.mu.Lock()
	key := b.key(b.sent + 1)
	b.mu.Unlock()
	b.putChanged(key, "", time.Time{}, change)
	return key
}

// putAs adds a message with this key at the end of the queue.
func (b *simBroker) putAs(key, group string, expires time.Time) {
	b.putChanged(key, group, expires, func(*Message) {})
}

func (b *simBroker) putChanged(key, group string, expires time.Time, change func(*Message)) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.sent++
	now := time.Now().Truncate(time.Millisecond)
	kept := simContent(key, b.sent, group, expires, now, b.mixed)
	m := &simMessage{m: simContent(key, b.sent, group, expires, now, b.mixed), size: 100}
	change(&kept)
	change(&m.m)
	if b.mixed {
		m.size = 20 + b.sent*37%300
	}
	b.queue = append(b.queue, m)
	b.was[key] = &kept
	b.keys = append(b.keys, key)
	b.owed[key]++
	b.changed()
}

// adopt adds a message of another broker.
func (b *simBroker) adopt(m *simMessage, kept *Message) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.keys = append(b.keys, kept.Key)
	b.was[kept.Key] = kept
	b.owed[kept.Key]++
	b.copied[kept.Key] = true
	b.queue = append(b.queue, &simMessage{m: m.m, size: m.size})
	b.changed()
}

// key returns the key of the nth message, from 1.
func (b *simBroker) key(n int) string { return fmt.Sprintf("ID:%s%d", b.name, n) }

// reset cuts the connection: what is not settled at the broker goes back to the head, in order.
func (b *simBroker) reset() {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.conn != nil {
		for _, tag := range b.conn.recorded {
			b.lostVerdicts[b.conn.open[tag].m.Key]++
		}
		b.drop(b.conn)
	}
	if m := b.last; m != nil && b.again != nil && b.again(m.m.Key) {
		b.last = nil
		b.queue = append([]*simMessage{m}, b.queue...)
		b.copied[m.m.Key] = true
		b.owed[m.m.Key]++
		b.changed()
	}
}

func (b *simBroker) drop(c *simConn) {
	c.lost, c.lostAt = true, time.Now()
	b.conn = nil
	tags := make([]uint64, 0, len(c.open))
	for tag := range c.open {
		tags = append(tags, tag)
	}
	slices.Sort(tags)
	back := make([]*simMessage, 0, len(tags))
	for _, tag := range tags {
		back = append(back, c.open[tag])
		traceKey(c.open[tag].m.Key, "back to the head")
	}
	b.queue = append(back, b.queue...)
	c.open, c.recorded = nil, nil
	b.changed()
}

// left returns how many messages the broker still has.
func (b *simBroker) left() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	n := len(b.queue)
	if b.conn != nil {
		n += len(b.conn.open)
	}
	return n
}

func (c *simConn) Settle(tag uint64, o Outcome) error {
	b := c.b
	if b.settling != nil {
		b.settling()
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if c.lost {
		traceKey("", "a verdict too late")
		return ErrLost
	}
	m, ok := c.open[tag]
	if _, twice := c.verdicts[tag]; !ok || twice {
		b.wrong = append(b.wrong, fmt.Sprintf("verdict for tag %d, which is not open", tag))
		return nil
	}
	if b.verdict != nil {
		b.verdict(m.m.Key)
	}
	traceKey(m.m.Key, "settled")
	c.verdicts[tag] = o
	c.recorded = append(c.recorded, tag)
	if b.flushIn == 0 {
		c.flush()
	} else if len(c.recorded) == 1 {
		time.AfterFunc(b.flushIn, func() {
			b.mu.Lock()
			defer b.mu.Unlock()
			if !c.lost {
				c.flush()
			}
		})
	}
	return nil
}

// flush brings the recorded verdicts to the broker. The caller holds the lock.
func (c *simConn) flush() {
	for _, tag := range c.recorded {
		m := c.open[tag]
		c.b.settled[m.m.Key] = c.verdicts[tag]
		c.b.owed[m.m.Key]--
		c.b.last = m
		delete(c.open, tag)
	}
	c.recorded = nil
	c.b.changed()
}

func (c *simConn) Lost() bool {
	c.b.mu.Lock()
	defer c.b.mu.Unlock()
	return c.lost
}

// simSource is a Source on a simBroker.
type simSource struct {
	b    *simBroker
	conn *simConn
}

func (s *simSource) Connect(_ context.Context, credit int) error {
	s.b.mu.Lock()
	defer s.b.mu.Unlock()
	s.b.connects++
	if credit < 1 {
		s.b.wrong = append(s.b.wrong, fmt.Sprintf("credit %d", credit))
	}
	if s.b.refuse != nil {
		if err := s.b.refuse(); err != nil {
			return err
		}
	}
	if s.b.conn != nil {
		s.b.wrong = append(s.b.wrong, "connected twice")
		s.b.drop(s.b.conn)
	}
	s.b.credits = append(s.b.credits, credit)
	s.conn = &simConn{b: s.b, credit: credit, open: map[uint64]*simMessage{}, verdicts: map[uint64]Outcome{}}
	s.b.conn = s.conn
	return nil
}

func (s *simSource) Receive(ctx context.Context, dst []*Delivery) (int, error) {
	b := s.b
	if b.entered != nil {
		b.entered(s)
	}
	for {
		if ctx.Err() != nil {
			return 0, ctx.Err()
		}
		b.mu.Lock()
		c := s.conn
		if c == nil || c.lost {
			b.mu.Unlock()
			return 0, fmt.Errorf("receiving: %w", ErrNotConnected)
		}
		n, bytes, elsewhere := 0, 0, []*simMessage(nil)
		for n < len(dst) && len(b.queue) > 0 && len(c.open) < c.credit {
			m := b.queue[0]
			b.queue = b.queue[1:]
			if b.copy(m) == twinElsewhere {
				elsewhere = append(elsewhere, m)
			}
			dst[n] = c.give(m)
			bytes += m.size
			n++
		}
		wake := b.wake
		b.mu.Unlock()
		for _, m := range elsewhere {
			b.other.adopt(m, b.putMessage(m.m.Key))
		}
		if n > 0 {
			if b.received != nil {
				b.received(s, int64(bytes))
			}
			return n, nil
		}
		select {
		case <-wake:
		case <-ctx.Done():
		}
	}
}

// give delivers a message. The caller holds the lock.
func (c *simConn) give(m *simMessage) *Delivery {
	b := c.b
	c.tags++
	c.open[c.tags] = m
	d := &Delivery{Message: m.m, Lease: c, Tag: c.tags, Size: m.size}
	d.Message.Redelivered = m.deliveries > 0
	m.deliveries++
	b.deliveries[m.m.Key]++
	if b.hold != nil {
		d.Hold = b.hold(m.m.Key)
	}
	traceKey(m.m.Key, "delivered as tag %d", c.tags)
	b.given[&d.Message] = &simGiven{c, d.Message.Redelivered}
	return d
}

// copy puts a second copy of a message that is about to be delivered where b.twin says. The caller holds the lock, and
// takes it to the other broker without.
func (b *simBroker) copy(m *simMessage) simTwin {
	key := m.m.Key
	if b.twin == nil || b.copied[key] {
		return twinNone
	}
	where := b.twin(key)
	if where == twinNone {
		return where
	}
	b.copied[key] = true
	twin := &simMessage{m: m.m, size: m.size}
	switch where {
	case twinNext:
		b.queue = append([]*simMessage{twin}, b.queue...)
	case twinLast:
		b.queue = append(b.queue, twin)
	default:
		return where
	}
	b.owed[key]++
	return where
}

// putMessage returns what was put under a key; nil: nothing was.
func (b *simBroker) putMessage(key string) *Message {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.was[key]
}

func (s *simSource) Close(context.Context) error {
	s.b.mu.Lock()
	defer s.b.mu.Unlock()
	if s.conn != nil && !s.conn.lost {
		s.conn.flush()
		s.b.drop(s.conn)
	}
	s.conn = nil
	return nil
}

// lostAt tells whether the connection of a delivered message is gone, and since when.
func (b *simBroker) lostAt(m *Message) (time.Time, bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	given := b.given[m]
	if given == nil { // another broker's
		return time.Time{}, false
	}
	return given.conn.lostAt, given.conn.lost
}

// gave tells whether a message is one that was delivered from here, and was marked as redelivered.
func (b *simBroker) gave(m *Message) (redelivered, ok bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	given := b.given[m]
	return given != nil && given.redelivered, given != nil
}

func (b *simBroker) connectCount() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.connects
}
