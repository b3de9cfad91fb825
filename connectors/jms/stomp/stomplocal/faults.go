package stomplocal

import (
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// FaultKind is what a fault does.
type FaultKind uint8

const (
	// Refuse closes a new connection without a byte, as a broker at its connection limit does.
	Refuse FaultKind = iota
	// RefuseLogin answers CONNECT as if the password were wrong, and closes.
	RefuseLogin
	// Swallow ignores a frame: it has no effect and no answer. For CONNECT that is a peer that accepts and says nothing.
	Swallow
	// Drop resets the connection. The frame (Fault.Command) has no effect; a "MESSAGE" is not written.
	Drop
	// DropAfter resets the connection after the frame took effect and before its receipt is written: what a client
	// must take for ambiguous.
	DropAfter
	// Cut writes the first half of a MESSAGE, then resets the connection.
	Cut
	// Fail answers a frame with an ERROR of Fault.Message and Body; it has no effect. The connection stays open unless
	// Fault.Close says otherwise.
	Fail
	// HoldReceipt keeps receipts back for Fault.Delay, or until the fault is removed; other frames go on. Classic does
	// that to SENDs while a queue is full.
	HoldReceipt
	// Stall writes nothing to any client for Fault.Delay, or until the fault is removed; reading goes on.
	Stall
)

// Fault is what is to go wrong, with which frames, and how often.
type Fault struct {
	Kind FaultKind
	// Command is the frame it is for: one of a client ("SEND", "ACK", …), or "MESSAGE" for Drop; "": any of a client.
	// Not for Refuse, RefuseLogin, Cut and Stall.
	Command string
	// Destination is the destination header it is for ("/queue/orders"), in SEND, SUBSCRIBE and MESSAGE; "": any.
	Destination string
	// After is how many such frames pass before the fault begins.
	After int
	// Times is how often it fires before it is over; 0: until removed.
	Times int
	// Delay is for HoldReceipt and Stall.
	Delay time.Duration
	// Message and Body are for Fail; "": "injected" and the message.
	Message, Body string
	// Close ends the connection after the ERROR of a Fail.
	Close bool
}

// Injection is a fault at work.
type Injection struct {
	all   *faults
	fault Fault
	seen  int
	fired int
	over  bool
	until time.Time // Stall: when this one ends
}

type faults struct {
	active atomic.Int32 // how many there are: the hot path looks here only

	mu      sync.Mutex // guards what follows, and each injection; taken after Broker.mu and outbox.mu
	list    []*Injection
	changed chan struct{} // closed and replaced when a fault is removed
}

// Inject sets a fault, after those that are there. The first that applies decides.
func (b *Broker) Inject(f Fault) *Injection {
	if f.Message == "" {
		f.Message = "injected"
	}
	if f.Body == "" {
		f.Body = f.Message
	}
	b.faults.mu.Lock()
	defer b.faults.mu.Unlock()
	i := &Injection{all: &b.faults, fault: f}
	b.faults.list = append(b.faults.list, i)
	b.faults.active.Store(int32(len(b.faults.list)))
	return i
}

// ClearFaults removes all faults.
func (b *Broker) ClearFaults() {
	b.faults.mu.Lock()
	all := slices.Clone(b.faults.list)
	b.faults.mu.Unlock()
	for _, i := range all {
		i.Remove()
	}
}

// Fired is how often the fault has hit a connection or a frame.
func (i *Injection) Fired() int {
	i.all.mu.Lock()
	defer i.all.mu.Unlock()
	return i.fired
}

// Over says that the fault has fired as often as it should, or was removed.
func (i *Injection) Over() bool {
	i.all.mu.Lock()
	defer i.all.mu.Unlock()
	return i.over
}

// Remove ends the fault; what it holds back goes on. It is safe twice.
func (i *Injection) Remove() {
	i.all.mu.Lock()
	defer i.all.mu.Unlock()
	i.over = true
	i.all.list = slices.DeleteFunc(i.all.list, func(o *Injection) bool { return o == i })
	i.all.active.Store(int32(len(i.all.list)))
	close(i.all.changed)
	i.all.changed = make(chan struct{})
}

// removed tells that the fault is no longer in the list: what it holds until then is let go.
func (i *Injection) removed() bool {
	i.all.mu.Lock()
	defer i.all.mu.Unlock()
	return !slices.Contains(i.all.list, i)
}

// fire counts the fault where it is its turn; mu is held. One that is over stays in the list until it is removed, for
// it may still hold something back.
func (i *Injection) fire() bool {
	if i.over {
		return false
	}
	if i.seen++; i.seen <= i.fault.After {
		return false
	}
	i.fired++
	i.over = i.fault.Times > 0 && i.fired >= i.fault.Times
	return true
}

func (f *Fault) concerns(command, destination string) bool {
	return (f.Command == "" || f.Command == command) && (f.Destination == "" || f.Destination == destination)
}

// find returns the first fault of these kinds that fires.
func (f *faults) find(match func(*Fault) bool) *Injection {
	if f.active.Load() == 0 {
		return nil
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, i := range f.list {
		if match(&i.fault) && i.fire() {
			return i
		}
	}
	return nil
}

func (f *faults) onAccept() *Injection {
	return f.find(func(t *Fault) bool { return t.Kind == Refuse })
}

func (f *faults) onFrame(fr *frame, destination string) *Injection {
	login := fr.command == "CONNECT" || fr.command == "STOMP"
	return f.find(func(t *Fault) bool {
		switch t.Kind {
		case RefuseLogin:
			return login
		case Swallow, Drop:
			if login {
				return t.Command == fr.command
			}
			return t.concerns(fr.command, destination)
		case Fail, DropAfter:
			return !login && t.concerns(fr.command, destination)
		default:
			return false
		}
	})
}

// onMessage tells what happens to a MESSAGE: Cut, Drop, or nothing of that (Refuse).
func (f *faults) onMessage(destination string) FaultKind {
	i := f.find(func(t *Fault) bool {
		return (t.Kind == Cut || t.Kind == Drop && t.Command == "MESSAGE") && (t.Destination == "" || t.Destination == destination)
	})
	if i == nil {
		return Refuse
	}
	return i.fault.Kind
}

func (f *faults) onReceipt(fr *frame) *Injection {
	return f.find(func(t *Fault) bool { return t.Kind == HoldReceipt && t.concerns(fr.command, fr.value("destination")) })
}

// watch returns a channel that is closed when a fault is removed.
func (f *faults) watch() <-chan struct{} {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.changed
}

// stall waits while a Stall is on; false: done was closed meanwhile.
func (f *faults) stall(done <-chan struct{}) bool {
	for {
		f.mu.Lock()
		changed, wait, stalled := f.changed, time.Duration(0), false
		now := time.Now()
		for _, i := range f.list {
			if i.fault.Kind != Stall || i.over && !i.until.After(now) && i.fault.Delay > 0 {
				continue
			}
			switch {
			case i.until.After(now): // on
			case i.fault.Delay <= 0 && i.fired > 0: // on until removed
			case !i.fire():
				continue
			default:
				i.until = now.Add(i.fault.Delay)
			}
			stalled = true
			if i.fault.Delay > 0 {
				wait = max(wait, i.until.Sub(now))
			}
		}
		f.mu.Unlock()
		if !stalled {
			return true
		}
		var end <-chan time.Time
		if wait > 0 {
			end = time.After(wait)
		}
		select {
		case <-end:
		case <-changed:
		case <-done:
			return false
		}
	}
}

// applyFaults lets a fault have the frame of a client that has logged in; over: it is done with.
func (c *conn) applyFaults(f *frame) (over bool, err error) {
	i := c.b.faults.onFrame(f, f.value("destination"))
	if i == nil {
		return false, nil
	}
	switch i.fault.Kind {
	case Swallow:
		return true, nil
	case Drop:
		c.reset()
		return true, errLost
	case DropAfter:
		c.b.mu.Lock()
		defer c.b.mu.Unlock()
		c.out.mute() // nothing of what follows is written
		c.b.stats.Frames++
		_ = c.execute(f) // whatever it is, the client never hears of it
		c.reset()
		return true, errLost
	default: // Fail
		c.out.add(appendError(nil, f.value("receipt"), i.fault.Message, i.fault.Body))
		if i.fault.Close {
			return true, errDone
		}
		return true, nil
	}
}
