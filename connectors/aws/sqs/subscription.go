package sqs

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jmsbridge/jmsbridge/bridge"
	"github.com/jmsbridge/jmsbridge/connectors/aws"
)

// subscription is what Connect makes: a goroutine that receives, one that deletes, and one that keeps messages hidden.
// close stops them and waits.
type subscription struct {
	source                  *Source
	url                     string
	credit                  int
	receive, remove, change *aws.Caller

	stop    context.CancelFunc // of receiving
	finish  context.CancelFunc // of the other two
	polling sync.WaitGroup
	keeping sync.WaitGroup
	gone    atomic.Bool

	arrived  chan struct{} // something for Receive
	room     chan struct{} // fewer are unsettled
	verdicts chan struct{} // something to delete

	mu        sync.Mutex
	open      map[uint64]*receipt // received and not deleted
	tags      uint64
	unsettled int
	buffer    []*bridge.Delivery
	settled   []*receipt // to be deleted
	deleting  int        // receipts in a running delete call
	failure   error      // of receiving, for good
	trouble   string     // of receiving or deleting, for now
}

// receipt is the duty to delete one message. It is the message's own lease: visibility may end for one alone.
type receipt struct {
	sub    *subscription
	tag    uint64
	handle string
	lost   atomic.Bool

	hidden  time.Time // until then; guarded by the subscription's lock
	settled bool
}

// Settle records a verdict.
func (r *receipt) Settle(_ uint64, o bridge.Outcome) error {
	s := r.sub
	s.mu.Lock()
	defer s.mu.Unlock()
	if r.Lost() {
		return bridge.ErrLost
	}
	s.unsettled--
	signal(s.room)
	if o != bridge.Accept { // the queue's own way: its redrive policy counts the receive
		delete(s.open, r.tag)
		return nil
	}
	r.settled = true
	s.settled = append(s.settled, r)
	signal(s.verdicts)
	return nil
}

// Lost tells that the message may have become visible to others, or that the source is closed.
func (r *receipt) Lost() bool { return r.lost.Load() || r.sub.gone.Load() }

func signal(ch chan struct{}) {
	select {
	case ch <- struct{}{}:
	default:
	}
}

func (s *subscription) start() {
	ctx, stop := context.WithCancel(context.Background())
	work, finish := context.WithCancel(context.Background())
	s.stop, s.finish = stop, finish
	s.polling.Go(func() { s.poll(ctx) })
	s.keeping.Go(func() { s.keep(work) })
	s.keeping.Go(func() { s.sweep(work) })
}

// take moves what has arrived to dst.
func (s *subscription) take(dst []*bridge.Delivery) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := copy(dst, s.buffer)
	clear(s.buffer[:n])
	s.buffer = s.buffer[n:]
	switch {
	case n > 0:
		if len(s.buffer) > 0 || s.failure != nil {
			signal(s.arrived)
		}
		return n, nil
	case s.gone.Load():
		return 0, fmt.Errorf("receiving: %w: %w", errClosed, bridge.ErrNotConnected)
	default:
		return 0, s.failure
	}
}

// patience is how long receiving may fail in passing before that is a failure of the source.
const patience = 30 * time.Second

// poll receives until ctx ends or receiving fails for good. A receive call that fails in passing is made again by
// itself: it is no connection, and what was received before is not lost with it.
func (s *subscription) poll(ctx context.Context) {
	var failing time.Time
	for try := 0; ctx.Err() == nil; {
		n := s.wanted(ctx)
		if n == 0 {
			return
		}
		err := s.pollOnce(ctx, n)
		switch {
		case ctx.Err() != nil:
			return
		case err == nil:
			try, failing = 0, time.Time{}
			s.note("")
			continue
		case failing.IsZero():
			failing = time.Now()
		}
		if bridge.ClassOf(err) == bridge.Fatal || time.Since(failing) > patience {
			s.fail(err)
			return
		}
		try++
		s.note(fmt.Sprintf("receiving fails: %v", err))
		pause(ctx, try, bridge.AsError(err).After)
	}
}

// pause waits a random time up to 100 ms, doubling up to 5 s; at least as long as AWS asked for.
func pause(ctx context.Context, try int, least time.Duration) {
	most := min(100*time.Millisecond<<min(try-1, 10), 5*time.Second)
	timer := time.NewTimer(max(rand.N(most)+1, least))
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}

func (s *subscription) note(trouble string) {
	s.mu.Lock()
	s.trouble = trouble
	s.mu.Unlock()
}

func (s *subscription) fail(err error) {
	s.mu.Lock()
	s.failure = fmt.Errorf("receiving from queue %s: %w", s.source.settings.Queue, err)
	s.mu.Unlock()
	signal(s.arrived)
}

// wanted waits for room and returns how many messages may be asked for; 0: ctx has ended.
func (s *subscription) wanted(ctx context.Context) int {
	for {
		s.mu.Lock()
		n := s.credit - s.unsettled
		s.mu.Unlock()
		if n > 0 {
			return min(n, receiveMost)
		}
		select {
		case <-s.room:
		case <-ctx.Done():
			return 0
		}
	}
}

// pollOnce makes one receive call.
func (s *subscription) pollOnce(ctx context.Context, n int) error {
	set := &s.source.settings
	ctx, cancel := context.WithTimeout(ctx, set.Wait+defaultTimeout)
	defer cancel()
	call := s.receive.Acquire()
	defer call.Release()
	call.Body = appendReceive(call.Body[:0], s.url, n, set.Visibility, set.Wait)
	asked := time.Now()
	if err := call.Do(ctx); err != nil {
		return harmless(err)
	}
	var answer struct{ Messages []received }
	if err := json.Unmarshal(call.Answer, &answer); err != nil {
		return &bridge.Error{Class: bridge.Transient, Code: "BadAnswer", RequestID: call.RequestID, Err: fmt.Errorf("reading the answer: %w", err)}
	}
	if len(answer.Messages) == 0 {
		return nil
	}
	s.mu.Lock()
	for i := range answer.Messages {
		m := &answer.Messages[i]
		s.tags++
		r := &receipt{sub: s, tag: s.tags, handle: m.ReceiptHandle, hidden: asked.Add(set.Visibility)}
		s.open[r.tag] = r
		s.unsettled++
		s.buffer = append(s.buffer, m.delivery(s.source.sink.address.name, r))
	}
	s.mu.Unlock()
	signal(s.arrived)
	return nil
}

// close ends everything. What has a verdict is deleted, the rest is made visible.
func (s *subscription) close(ctx context.Context) error {
	s.stop()
	s.polling.Wait()
	left := s.flush(ctx)
	s.finish()
	s.keeping.Wait()
	s.gone.Store(true)
	signal(s.arrived)
	s.giveBack(ctx)
	if left > 0 {
		return fmt.Errorf("deleting from queue %s: %d messages are not deleted and come again", s.source.settings.Queue, left)
	}
	return nil
}

// flush waits until all verdicts are written, or ctx ends, and returns how many are not.
func (s *subscription) flush(ctx context.Context) int {
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for {
		s.mu.Lock()
		left := len(s.settled) + s.deleting
		s.mu.Unlock()
		if left == 0 {
			return 0
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return left
		}
	}
}
