package stomp

import "time"

// creditWatch suspects that the window of an Artemis subscription holds messages that never arrive. What can be seen of
// that is a broker that stops sending long before the window is full, and goes on at once when something is acknowledged.
// Artemis 2.44 skips a StreamMessage without a word and without taking credit for it, so there it never shows; and a
// sender that waits for the answer to each message looks the same. The subscription's lock guards it.
type creditWatch struct {
	window   int // bytes; 0: nothing to watch
	unacked  int // bytes that arrived and whose acknowledgement is not written
	arrival  time.Time
	level    int       // unacked at the acknowledgement that ended a silence
	released time.Time // when that was; zero: none
	hits     int       // in a row
}

const (
	creditSilence = 200 * time.Millisecond // the broker has stopped sending; and how soon it goes on
	creditHits    = 5
)

// arrived notes bytes that came.
func (w *creditWatch) arrived(n int, now time.Time) {
	if w.window == 0 {
		return
	}
	if !w.released.IsZero() {
		if now.Sub(w.released) <= creditSilence {
			w.hits++
		} else {
			w.hits = 0
		}
		w.released = time.Time{}
	}
	w.unacked += n
	w.arrival = now
	if w.unacked > w.window/2 {
		w.hits = 0
	}
}

// acknowledged notes bytes whose acknowledgement is being written.
func (w *creditWatch) acknowledged(n int, now time.Time) {
	if w.window == 0 || n == 0 {
		return
	}
	if !w.released.IsZero() && now.Sub(w.released) > creditSilence {
		w.hits, w.released = 0, time.Time{} // the one before brought nothing
	}
	if w.released.IsZero() && now.Sub(w.arrival) >= creditSilence {
		w.level, w.released = w.unacked, now
	}
	w.unacked = max(w.unacked-n, 0)
}

// missing returns how many bytes of the window seem to be taken by what never arrived; 0: no suspicion.
func (w *creditWatch) missing() int {
	if w.hits < creditHits || w.level > w.window/2 {
		return 0
	}
	return w.window - w.level
}
