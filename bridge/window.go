package bridge

import (
	"sync"
	"time"
)

// heldShown bounds how many held messages a status lists. All are counted.
const heldShown = 100

// window knows every unsettled message of a route: it bounds their number and bytes, and gives the oldest. Its lock
// also guards the pool of items, the held messages and the memory of lost deliveries. It is taken after a pipeline's
// lock, and never held across a call to a source or a sink.
type window struct {
	limit   int
	share   int // the most that one receiver is promised; resize knows how much that is
	bytes   int64
	budget  *Budget
	targets int // of the route

	mu     sync.Mutex
	oldest *item
	newest *item
	count  int
	vowed  int // promised to receivers that wait for messages
	used   int64
	free   *item
	held   []heldMessage
	ghosts ghosts
	full   bool // a receiver waits for room

	poke func() // tells receivers and the stop that there may be room; called without the lock
}

// heldMessage is a delivery that can neither be sent nor settled now. Nothing of its memory is kept, for no limit counts
// it any more: nothing will settle it, and the broker gives it again over another connection.
type heldMessage struct {
	id     string
	reason string
	since  time.Time
	sess   *session
}

// enter makes items for deliveries that were just received, and takes back what was promised for them.
func (w *window) enter(ds []*Delivery, sess *session, promised int, now time.Time, out []*item) []*item {
	w.mu.Lock()
	w.vowed -= promised
	var sum int64
	for _, d := range ds {
		it := w.fresh()
		it.d, it.sess, it.received = d, sess, now
		it.out.Message = &d.Message
		it.weight = weigh(d)
		sum += it.weight
		it.older = w.newest
		if w.newest != nil {
			w.newest.newer = it
		} else {
			w.oldest = it
		}
		w.newest = it
		out = append(out, it)
	}
	w.count += len(ds)
	w.used += sum
	poke := w.roomMade()
	w.mu.Unlock()
	w.budget.add(sum)
	if poke {
		w.poke()
	}
	return out
}

// fresh takes an item from the pool. The caller holds the lock.
func (w *window) fresh() *item {
	it := w.free
	if it == nil {
		w.grow()
		it = w.free
	}
	w.free, it.next = it.next, nil
	return it
}

func weigh(d *Delivery) int64 {
	if d.Size > 0 {
		return int64(d.Size)
	}
	return int64(len(d.Message.Body.Data())) + 512
}

// grow adds items to the pool, many at once, so that a message costs no allocation of its own.
func (w *window) grow() {
	chunk := make([]item, 64)
	for i := range chunk {
		chunk[i].next = w.free
		w.free = &chunk[i]
	}
}

// leave forgets items whose duty is done and returns them to the pool.
func (w *window) leave(items []*item) {
	if len(items) == 0 {
		return
	}
	var sum int64
	w.mu.Lock()
	for _, it := range items {
		if it.branch {
			if it.bestEffort {
				it.pipe.kept--
				it.pipe.keptBytes -= it.weight
			}
			*it = item{next: w.free}
			w.free = it
			continue
		}
		sum += it.weight
		w.unlink(it)
		w.count--
	}
	w.used -= sum
	poke := w.roomMade() || w.count == 0
	w.mu.Unlock()
	w.budget.free(sum)
	if poke {
		w.poke()
	}
}

// unlink takes the item out of the list, clears it and puts it into the pool.
func (w *window) unlink(it *item) {
	if it.older != nil {
		it.older.newer = it.newer
	} else {
		w.oldest = it.newer
	}
	if it.newer != nil {
		it.newer.older = it.older
	} else {
		w.newest = it.older
	}
	*it = item{next: w.free}
	w.free = it
}

func (w *window) hasRoom() bool {
	return w.count+w.vowed < w.limit && (w.used < w.bytes || w.count == 0)
}

// roomMade tells whether somebody waits for room and there is some now. The caller holds the lock, and pokes without.
func (w *window) roomMade() bool {
	if !w.full || !w.hasRoom() {
		return false
	}
	w.full = false
	return true
}

// fits tells whether there is room for a message. If not, poke will tell.
func (w *window) fits() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.hasRoom() {
		return true
	}
	w.full = true
	return false
}

// room promises room for messages to a receiver, n at most, and returns for how many: enter or decline takes the
// promise back. 0 means that poke will tell.
func (w *window) room(n int) int {
	w.mu.Lock()
	defer w.mu.Unlock()
	if !w.hasRoom() {
		w.full = true
		return 0
	}
	n = min(n, w.share, w.limit-w.count-w.vowed)
	if w.count > 0 { // as many as are likely to fit, for their size is known only afterwards
		if mean := w.used / int64(w.count); mean > 0 {
			n = max(1, min(n, int((w.bytes-w.used)/mean)))
		}
	}
	w.vowed += n
	return n
}

// decline takes back a promise of which nothing came.
func (w *window) decline(n int) {
	w.mu.Lock()
	w.vowed -= n
	poke := w.roomMade()
	w.mu.Unlock()
	if poke {
		w.poke()
	}
}

// hold moves an item to the held messages. With remember it goes straight to the dead letter when it comes again.
func (w *window) hold(it *item, reason string, remember bool, now time.Time) {
	w.mu.Lock()
	if remember {
		w.ghosts.remember(it, ghostAttempts)
	}
	w.held = append(w.held, heldMessage{id: clip(nameOf(it.d), maxShownID), reason: clip(reason, maxReason), since: now, sess: it.sess})
	w.mu.Unlock()
	w.leave([]*item{it})
}

// unhold forgets the held messages of sessions that are gone and returns how many there were.
func (w *window) unhold() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	kept := w.held[:0]
	for _, h := range w.held {
		if !h.sess.gone.Load() {
			kept = append(kept, h)
		}
	}
	n := len(w.held) - len(kept)
	clear(w.held[len(kept):])
	w.held = kept
	return n
}

func (w *window) size() (count, held int, bytes int64, oldest time.Time) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.oldest != nil {
		oldest = w.oldest.received
	}
	return w.count, len(w.held), w.used, oldest
}

// nameOf names a message for people: its id, else its key.
func nameOf(d *Delivery) string {
	if d.Message.ID != "" {
		return d.Message.ID
	}
	return d.Message.Key
}

func (w *window) empty() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.count == 0
}

// finished tells that nothing is unsettled, and that no best-effort target has anything left.
func (w *window) finished(targets []*pipeline) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	left := w.count
	for _, p := range targets {
		left += p.kept
	}
	return left == 0
}

// resize sets how many messages fit: limit, but at least one for each source, or where that is 0, the credit of all
// sources.
//
// A receiver that waits for messages holds what it was promised, for nobody knows which of them gets some. So where they
// are several the promise is small enough that one that gets all of them finds room for its credit, or, where the limit
// leaves it less than that, for three quarters of the limit.
func (w *window) resize(limit, credit, sources int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.limit = max(limit, sources)
	if limit <= 0 {
		w.limit = credit
	}
	w.share = w.limit
	if sources > 1 {
		w.share /= sources
		if w.limit < credit {
			w.share /= 4
		}
		w.share = max(w.share, 1)
	}
	w.ghosts.limit = max(4*w.limit, 1024) * max(w.targets, 1)
}

// heldMessages lists the first held messages.
func (w *window) heldMessages(most int) []HeldMessage {
	w.mu.Lock()
	defer w.mu.Unlock()
	var out []HeldMessage
	for _, h := range w.held[:min(len(w.held), most)] {
		out = append(out, HeldMessage{ID: h.id, Reason: h.reason, Since: h.since})
	}
	return out
}
