package bridge

import (
	"context"
	"time"
)

// watch samples what the route holds, for as long as the world lives: twice a second, and beside that whenever a source
// is asked for more, a call begins or a verdict falls, for just before those it holds most.
func (w *simWorld) watch(ctx context.Context) {
	for ctx.Err() == nil {
		sleep(ctx, 500*time.Millisecond)
		w.sample()
	}
}

// sample checks I7 at this moment: no more messages in flight than the window allows, nor more bytes than it allows and
// what each source gave with one Receive.
func (w *simWorld) sample() {
	r := w.route.Load()
	if r == nil {
		return
	}
	count, _, bytes, _ := r.window.size()
	most := max(w.set.Window.Messages, len(w.set.Sources))
	if w.set.Window.Messages == 0 {
		most = w.set.Credit * len(w.set.Sources)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if count > most {
		w.problem("I7", "%d messages in flight, and the window has room for %d", count, most)
	}
	limit := w.set.Window.Bytes
	for _, n := range w.most {
		limit += n
	}
	if bytes > limit {
		w.problem("I7", "%d bytes in flight, the window being %d and with one Receive of each source %d", bytes, w.set.Window.Bytes, limit)
	}
	if count == most {
		w.fire("window full of messages")
	}
	if bytes >= w.set.Window.Bytes {
		w.fire("window full of bytes")
	}
}

// entering is told of each Receive: a window that is full asks for no more.
func (w *simWorld) entering(s *simSource) {
	w.sample()
	r := w.route.Load()
	count, _, bytes, _ := r.window.size()
	w.mu.Lock()
	defer w.mu.Unlock()
	limit := w.set.Window.Bytes
	for other, n := range w.most {
		if other != s { // it may have received since this one looked
			limit += n
		}
	}
	if count > 0 && bytes >= limit {
		w.problem("I7", "a Receive with %d bytes in flight, the window being %d", bytes, w.set.Window.Bytes)
	}
}

// received is told of the bytes that a Receive gave, before the engine gets them.
func (w *simWorld) received(s *simSource, bytes int64) {
	w.mu.Lock()
	w.most[s] = max(w.most[s], bytes)
	w.mu.Unlock()
}

const (
	// probeTime is how long a probe may take after the last fault.
	probeTime = 30 * time.Second
	// afterWait is how long it may take after a wait that outlasts probeTime. Its share of what has piled up, 300 messages
	// at 20 ms each at most, is within it.
	afterWait = 10 * time.Second
	// longestWait is how long the engine may rest before it tries again, as documented: the cap of reconnects and of the
	// waits after a Fatal, and the time between two tries of a login that was refused. All three are half a minute.
	longestWait = 30 * time.Second
)

// probe puts one message at the moment when faults end, in a group of its own, and checks I6: the target has it and it
// is settled within probeTime.
//
// The engine may be in one of its documented waits at that moment, or in a call that began before and is yet to fail and
// to cause one. Where that takes longer, the probe has afterWait from when source and targets are connected and no such
// call runs. As a route that never connects, or not for long, would never be late, there is a second limit, from the end
// of the faults: the longest call, the longest wait, and afterWait. Nobody refuses anything by then, so one wait does not
// follow the other.
func (w *simWorld) probe(b *simBroker) {
	began := time.Now()
	key := "ID:" + b.name + "probe"
	b.putAs(key, "group of "+key, time.Time{})
	limit := w.target.limits.Timeout + longestWait + afterWait
	for ready := (time.Time{}); ; sleep(context.Background(), 100*time.Millisecond) {
		now := time.Now()
		switch {
		case b.isSettled(key):
			safe := w.target.has(key)
			w.mu.Lock()
			defer w.mu.Unlock()
			w.slowest = max(w.slowest, now.Sub(began))
			if !ready.IsZero() {
				w.slowestReady = max(w.slowestReady, now.Sub(ready))
			}
			if !safe {
				w.problem("I6", "the probe %s was settled without the target", key)
			}
			return
		case !b.connected() || !w.target.calm() || !w.dead.calm() && w.set.DeadLetter != nil:
			ready = time.Time{}
		case ready.IsZero():
			ready = now
		}
		took := now.Sub(began)
		if late := !ready.IsZero() && took > probeTime && now.Sub(ready) > afterWait; late || took > limit {
			status := w.route.Load().Status()
			w.mu.Lock()
			defer w.mu.Unlock()
			w.problem("I6", "the probe %s is not settled %v after the last fault; ready since %v, now %v: %+v",
				key, took, ready, now, status)
			return
		}
	}
}

// isSettled tells whether the broker has a verdict for a message.
func (b *simBroker) isSettled(key string) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.settled[key] != 0
}

func (b *simBroker) connected() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.conn != nil
}

// calm tells that the target is connected, and that no call runs that began while there were faults.
func (t *simTarget) calm() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.connected && !t.lost && t.stormy == 0
}
