package bridge

import "time"

// sweepEvery is how often a full window is swept.
const sweepEvery = time.Second

// sweep disposes of what has expired in any lane, when the window is full: an expired message must not keep others out.
func (r *Route) sweep() {
	if r.set.Expired == ExpireForward {
		return
	}
	now := time.Now()
	var gone []*item
	for _, p := range r.targets {
		gone = p.purge(func(it *item) bool { return it.dead == nil && (r.expired(&it.d.Message, now) || r.tooLate(it, now)) }, gone)
	}
	moved := make([]aside, 0, len(gone))
	for _, it := range gone {
		moved = append(moved, aside{it, asideExpired, nil})
	}
	r.dispose(moved)
}
