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
