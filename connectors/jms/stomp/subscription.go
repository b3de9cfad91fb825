package stomp

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jmsbridge/jmsbridge/bridge"
	"github.com/jmsbridge/jmsbridge/connectors/jms/stomp/client"
)

// subscription is the life of one connection of a Source: what has arrived, who holds it, and the verdicts. It is the
// lease of its deliveries, so a verdict can never reach another connection, and the handler of its connection.
//
// The connection's reader calls Message, BeforeRead and Failed; its writer AppendOutput; the engine receive and, from
// any goroutine, Settle and Lost.
type subscription struct {
	src    *Source
	conn   *client.Conn
	kind   client.Kind
	id     string
	credit int           // messages
	window int           // bytes, for Artemis
	ready  chan struct{} // capacity 1: receive should look again
	room   chan struct{} // capacity 1: the reader should look again
	gone   atomic.Bool   // the connection has ended, or is being left

	// The reader's.
	decode decoder
	batch  []*delivery // decoded, not yet in the inbox

	mu       sync.Mutex
	inbox    []*delivery // arrived, not yet received; from head on
	head     int
	bytes    int // of the inbox
	handed   int // received and not settled
	leaving  bool
	cause    error
	verdicts verdicts
	settled  int // bytes of the verdicts that are not written
	credits  creditWatch
	flush    *time.Timer // runs out verdictDelay after the first verdict that is not written

	settledAll chan struct{} // closed, once broken, when nothing is out any more and the verdicts are written; else nil
	strays     strays
}

// verdictDelay is how long a verdict waits for company.
const verdictDelay = 5 * time.Millisecond

// publishAt is how many decoded messages enter the inbox together at most.
const publishAt = 64

func newSubscription(s *Source, c *client.Conn, credit int) *subscription {
	sub := &subscription{
		src: s, conn: c, kind: c.Kind(), id: c.Subscription(), credit: credit, window: artemisWindow(credit, s.set.MaxBytes),
		ready: make(chan struct{}, 1), room: make(chan struct{}, 1),
	}
	sub.verdicts.cumulative = s.cumulative(sub.kind)
	if sub.kind == client.Artemis && sub.window > 1 {
		sub.credits.window = sub.window
	}
	sub.decode = newDecoder(sub.kind, c.Version(), s.set)
	sub.flush = time.AfterFunc(time.Hour, c.Kick)
	sub.flush.Stop()
	return sub
}

// artemisWindow is the window in bytes that stands for a credit in messages. A window of 1 gives one message at a time;
// else a message counts as 2 KiB: fewer fit of larger ones, and of smaller ones no more than the credit is handed out.
func artemisWindow(credit, maxBytes int) int {
	if credit == 1 {
		return 1
	}
	return min(credit*2048, maxBytes)
}

func (s *subscription) ackMode() string {
	if s.verdicts.cumulative {
		return "client"
	}
	return "client-individual"
}

// Message decodes a frame. The decoded enter the inbox together before the reader next waits for the socket.
func (s *subscription) Message(f *client.Frame) error {
	d, err := s.decode.delivery(f, s.id)
	if err != nil {
		return err
	}
	if d.Hold != nil && s.verdicts.cumulative {
		s.src.individual.Store(true)
		return errHoldCumulative
	}
	d.Lease = s
	s.batch = append(s.batch, d)
	if len(s.batch) == publishAt {
		s.publish()
	}
	return nil
}

// errHoldCumulative ends a connection with cumulative acknowledgement: what is behind a held message could never be
// acknowledged. The next one acknowledges one by one.
var errHoldCumulative = errors.New("a message must be held, which cumulative acknowledgement can't; from now on messages are acknowledged one by one")

func (s *subscription) publish() {
	now := time.Time{}
	if s.credits.window > 0 {
		now = time.Now()
	}
	s.mu.Lock()
	if !s.leaving { // else UNSUBSCRIBE gives them back
		if s.head == len(s.inbox) {
			s.inbox, s.head = s.inbox[:0], 0
		}
		for _, d := range s.batch {
			ack := d.ack
			if d.Size > pinned {
				ack = strings.Clone(ack) // what is settled and not written yet must not keep the frame
			}
			d.Tag = s.verdicts.arrived(ack, d.wire)
			s.bytes += d.Size
			s.credits.arrived(d.wire, now)
		}
		s.inbox = append(s.inbox, s.batch...)
	}
	s.mu.Unlock()
	clear(s.batch)
	s.batch = s.batch[:0]
	wake(s.ready)
}

// pinned is the size up to which an acknowledgement id may keep its delivery's memory a moment longer than the delivery:
// a copy would cost each message an allocation.
const pinned = 4 << 10

// BeforeRead hands over what is decoded and waits while the inbox is full of bytes. The writer goes on meanwhile.
func (s *subscription) BeforeRead(stop <-chan struct{}) {
	if len(s.batch) > 0 {
		s.publish()
	}
	for {
		s.mu.Lock()
		full := s.bytes >= s.src.set.MaxBytes && !s.leaving
		s.mu.Unlock()
		if !full {
			return
		}
		select {
		case <-s.room:
		case <-stop:
			return
		}
	}
}

// Broken hands over what was decoded, and gives it time to be settled: else what is ahead of a frame that can't be read
// would come again for ever, and never get through.
func (s *subscription) Broken(stop <-chan struct{}) {
	s.publish()
	s.mu.Lock()
	done := make(chan struct{})
	s.settledAll = done
	s.checkSettled()
	s.mu.Unlock()
	limit := time.NewTimer(brokenGrace)
	defer limit.Stop()
	select {
	case <-done:
	case <-limit.C:
	case <-stop:
	}
}

// brokenGrace is how long what came before an unreadable frame may take to be settled.
const brokenGrace = 5 * time.Second

// checkSettled tells Broken, if it waits, that the verdicts of all that was handed over are written; s.mu is held.
func (s *subscription) checkSettled() {
	idle := s.leaving || s.handed == 0 && s.head == len(s.inbox)
	if s.settledAll != nil && idle && s.verdicts.waiting() == 0 {
		close(s.settledAll)
		s.settledAll = nil
	}
}

// Failed notes an ERROR frame that ends nothing, such as the answer to an acknowledgement that came too late.
func (s *subscription) Failed(e *client.ServerError) {
	s.strays.note(s.src.set.Log, s.src.set.Broker.Name, e)
}

// AppendOutput appends the ACK frames of the recorded verdicts.
func (s *subscription) AppendOutput(dst []byte) []byte {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.credits.window > 0 {
		s.credits.acknowledged(s.settled, time.Now())
		s.settled = 0
	}
	s.checkSettled() // the writer asks again when it has written, so nothing waits now only if that is written
	return s.verdicts.appendFrames(dst)
}

// Closed ends the lease.
func (s *subscription) Closed(cause error) {
	s.flush.Stop()
	s.strays.end(s.src.set.Log, s.src.set.Broker.Name)
	s.mu.Lock()
	s.cause = cause // before gone: who sees that asks why
	s.gone.Store(true)
	s.mu.Unlock()
	wake(s.ready)
}

// receive waits for a delivery and takes what else is there, while no more than the credit is out.
func (s *subscription) receive(ctx context.Context, dst []*bridge.Delivery) (int, error) {
	for {
		if n, err := s.take(dst); n > 0 || err != nil {
			return n, err
		}
		select {
		case <-s.ready:
		case <-ctx.Done():
			return 0, ctx.Err()
		}
	}
}

func (s *subscription) take(dst []*bridge.Delivery) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.gone.Load() {
		// What is in the inbox can't be settled any more and will come again.
		return 0, fmt.Errorf("receiving from %s: %w: %w", s.src.set.Destination, bridge.ErrNotConnected, classify(s.cause, s.kind))
	}
	n := min(len(dst), len(s.inbox)-s.head, s.credit-s.handed)
	if n <= 0 {
		return 0, nil
	}
	full := s.bytes >= s.src.set.MaxBytes
	for i, d := range s.inbox[s.head : s.head+n] {
		dst[i] = &d.Delivery
		s.bytes -= d.Size
		s.inbox[s.head+i] = nil
	}
	s.head += n
	s.handed += n
	if full && s.bytes < s.src.set.MaxBytes {
		wake(s.room)
	}
	if s.head < len(s.inbox) {
		wake(s.ready) // the signal was one for all of them
	}
	return n, nil
}

// Settle records a verdict. The writer is told at a quarter of the credit, or when nothing is out any more, else by
// the timer.
func (s *subscription) Settle(tag uint64, o bridge.Outcome) error {
	if o != bridge.Accept && (o != bridge.Reject || s.kind != client.Classic || s.verdicts.cumulative) {
		return bridge.Errorf(bridge.Fatal, "settling: %s can't reject a message over STOMP as this route acknowledges", s.kind)
	}
	s.mu.Lock()
	if s.gone.Load() {
		s.mu.Unlock()
		return bridge.ErrLost
	}
	before := s.verdicts.waiting()
	s.settled += s.verdicts.settled(tag, o == bridge.Reject)
	s.handed--
	full := s.handed == s.credit-1 && s.head < len(s.inbox)
	due := s.verdicts.waiting()
	now := due >= (s.credit+3)/4 || s.handed == 0 && s.head == len(s.inbox)
	s.mu.Unlock()
	switch {
	case now:
		s.conn.Kick()
	case before == 0 && due > 0:
		s.flush.Reset(verdictDelay)
	}
	if full {
		wake(s.ready)
	}
	return nil
}

// Lost tells that the connection has ended.
func (s *subscription) Lost() bool { return s.gone.Load() }

// leave stops taking in messages: the reader throws away what comes, so that receipts get through.
func (s *subscription) leave() {
	s.mu.Lock()
	s.leaving = true
	s.inbox, s.head, s.bytes = nil, 0, 0
	s.mu.Unlock()
	wake(s.room)
}

func wake(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}
