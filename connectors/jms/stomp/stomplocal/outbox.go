package stomplocal

import (
	"sync"
	"sync/atomic"
	"time"
)

const (
	// maxOut is how much may wait to be written to a client before no more is dispatched to it, and nothing more is
	// read from it.
	maxOut = 4 << 20
	// writeTimeout ends a connection whose peer takes nothing.
	writeTimeout = 30 * time.Second
)

// outbox collects what is to be written to a client; a goroutine writes it, all that is there at once.
type outbox struct {
	c    *conn
	wake chan struct{} // capacity 1
	room chan struct{} // capacity 1: something was written
	done chan struct{} // closed with the connection

	size    atomic.Int64
	starved atomic.Bool // dispatch has passed over this connection for lack of room

	mu     sync.Mutex
	buf    []byte
	held   []heldReceipt // receipts that a fault holds back, in order
	every  time.Duration // heart-beat; 0: none
	ending bool          // close after the last byte
	abort  bool          // … with a reset
}

type heldReceipt struct {
	id    string
	due   time.Time
	cause *Injection // its removal releases the receipt too
}

func (o *outbox) init(c *conn) {
	o.c = c
	o.wake, o.room, o.done = make(chan struct{}, 1), make(chan struct{}, 1), make(chan struct{})
}

func (o *outbox) signal() {
	select {
	case o.wake <- struct{}{}:
	default:
	}
}

// add appends whole frames.
func (o *outbox) add(frames []byte) {
	o.mu.Lock()
	if !o.ending {
		o.buf = append(o.buf, frames...)
		o.size.Add(int64(len(frames)))
	}
	o.mu.Unlock()
	o.signal()
}

// addReceipt appends a receipt, or holds it back where a fault says so or others are held back already.
func (o *outbox) addReceipt(id string, f *frame) {
	var cause *Injection
	if o.c.b.faults.active.Load() != 0 {
		cause = o.c.b.faults.onReceipt(f)
	}
	o.mu.Lock()
	switch {
	case o.ending:
	case cause != nil:
		h := heldReceipt{id: id, cause: cause}
		if cause.fault.Delay > 0 {
			h.due = time.Now().Add(cause.fault.Delay)
		}
		o.held = append(o.held, h)
	case len(o.held) > 0:
		o.held = append(o.held, heldReceipt{id: id, due: time.Now()})
	default:
		n := len(o.buf)
		o.buf = appendReceipt(o.buf, id)
		o.size.Add(int64(len(o.buf) - n))
	}
	o.mu.Unlock()
	o.signal()
}

// message appends a MESSAGE frame in place.
func (o *outbox) message(e *entry, s *subscription) {
	o.mu.Lock()
	if !o.ending {
		n := len(o.buf)
		o.buf = s.appendMessage(o.buf, e)
		if o.c.b.faults.active.Load() != 0 {
			switch o.c.b.faults.onMessage(e.queue.shown) {
			case Cut:
				o.buf = o.buf[:n+(len(o.buf)-n)/2]
				o.ending, o.abort = true, true
			case Drop:
				o.buf = o.buf[:n]
				o.ending, o.abort = true, true
			default:
			}
		}
		o.size.Add(int64(len(o.buf) - n))
	}
	o.mu.Unlock()
	o.signal()
}

// beat sets the interval of heart-beats.
func (o *outbox) beat(every time.Duration) {
	o.mu.Lock()
	o.every = every
	o.mu.Unlock()
	o.signal()
}

// finish lets the writer end after what is there.
func (o *outbox) finish() {
	o.mu.Lock()
	o.ending = true
	o.mu.Unlock()
	o.signal()
}

// mute lets the client hear nothing more; the connection is reset.
func (o *outbox) mute() {
	o.mu.Lock()
	o.ending, o.abort = true, true
	o.mu.Unlock()
}

// full tells that the client has to take what there is first; it is then dispatched to again.
func (o *outbox) full() bool {
	if o.size.Load() < maxOut {
		return false
	}
	o.starved.Store(true)
	return o.size.Load() >= maxOut
}

// waitRoom waits until the client has taken enough of what it asked for; false: the connection is gone.
func (o *outbox) waitRoom() bool {
	for o.size.Load() >= maxOut {
		select {
		case <-o.room:
		case <-o.done:
			return false
		}
	}
	return true
}

// take returns what is to be written, and when to look again (0: when woken).
func (o *outbox) take(spare []byte) (b []byte, wait time.Duration, ending, abort bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	now := time.Now()
	for len(o.held) > 0 {
		h := &o.held[0]
		if due := !h.due.IsZero() && !h.due.After(now); !due && (h.cause == nil || !h.cause.removed()) {
			if !h.due.IsZero() {
				wait = h.due.Sub(now)
			}
			break
		}
		n := len(o.buf)
		o.buf = appendReceipt(o.buf, h.id)
		o.size.Add(int64(len(o.buf) - n))
		o.held = o.held[1:]
	}
	if o.every > 0 && (wait == 0 || o.every < wait) {
		wait = o.every
	}
	b, o.buf = o.buf, spare[:0]
	waiting := len(o.held) > 0 && !o.held[0].due.IsZero()
	return b, wait, o.ending && !waiting, o.abort
}

// write is the goroutine that writes.
func (o *outbox) write() {
	timer := time.NewTimer(0)
	defer timer.Stop()
	var spare []byte
	last := time.Now()
	for {
		changed := o.c.b.faults.watch() // before take, which asks for removals
		b, wait, ending, abort := o.take(spare)
		if len(b) == 0 && !ending && o.interval() > 0 && time.Since(last) >= o.interval() {
			b = append(b, '\n')
			o.size.Add(1)
		}
		if len(b) > 0 {
			if !o.flush(b) {
				return
			}
			last, spare = time.Now(), b
			if cap(spare) > maxOut {
				spare = nil
			}
			continue
		}
		spare = b
		if ending {
			if abort {
				o.c.reset()
			}
			return
		}
		var tick <-chan time.Time
		if wait > 0 {
			if o.interval() == wait {
				wait = max(wait-time.Since(last), 0)
			}
			timer.Reset(wait)
			tick = timer.C
		}
		select {
		case <-o.wake:
		case <-tick:
		case <-changed:
		case <-o.done:
			return
		}
	}
}

func (o *outbox) interval() time.Duration {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.every
}

// flush writes b; false: the connection is over.
func (o *outbox) flush(b []byte) bool {
	c := o.c
	if c.b.faults.active.Load() != 0 && !c.b.faults.stall(o.done) {
		return false
	}
	if c.receiving.Load() { // else the deadline of the login holds
		_ = c.nc.SetWriteDeadline(time.Now().Add(writeTimeout)) // a failure shows in the write
	}
	_, err := c.nc.Write(b)
	o.size.Add(-int64(len(b)))
	select {
	case o.room <- struct{}{}:
	default:
	}
	if err != nil {
		c.shut()
		return false
	}
	if o.starved.Swap(false) {
		c.b.resume(c)
	}
	return true
}
