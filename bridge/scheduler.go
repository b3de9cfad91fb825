package bridge

import (
	"iter"
	"time"
)

// maxBroken bounds how many empty lanes are remembered as broken.
const maxBroken = 1024

// scheduler decides which messages the next call carries. It is pure: it has no lock, no goroutine and no clock.
//
// Without order there is one queue; with order each group has a lane, and a list holds the lanes that are ready. What
// has failed sleeps in one heap: single items without order, whole lanes with it.
type scheduler struct {
	ordered bool
	run     int // messages of one lane in a call

	queue  itemList
	lanes  map[string]*lane
	ready  laneList
	asleep sleepHeap

	waiting    int       // messages pushed and not in a call
	avail      int       // messages that calls could take now
	availBytes int       // their encoded bytes; counted without order only
	since      time.Time // since when any have been available
	broken     int       // empty lanes kept because they are broken
	free       *lane

	overtake bool // a planted bug
	// inspect looks at a message that is about to be taken. false: it has gone elsewhere.
	inspect func(*item, time.Time) bool
}

func newScheduler(ordered bool, run int, inspect func(*item, time.Time) bool) *scheduler {
	return &scheduler{ordered: ordered, run: max(run, 1), lanes: map[string]*lane{}, inspect: inspect}
}

// push adds a message at the end of its lane.
func (s *scheduler) push(it *item, now time.Time) {
	s.waiting++
	if !s.ordered {
		s.queue.pushBack(it)
		s.made(1, it.size, now)
		return
	}
	ln := s.lane(it.key)
	ln.items.pushBack(it)
	s.fed(ln, now)
}

// pushFront adds a message at the head of its lane, for one that has waited elsewhere meanwhile.
func (s *scheduler) pushFront(it *item, now time.Time) {
	s.waiting++
	if !s.ordered {
		s.queue.pushFront(it)
		s.made(1, it.size, now)
		return
	}
	ln := s.lane(it.key)
	ln.items.pushFront(it)
	s.fed(ln, now)
}

// fed accounts for one more message in a lane.
func (s *scheduler) fed(ln *lane, now time.Time) {
	switch ln.state {
	case laneIdle:
		s.makeReady(ln, false, now)
	case laneReady:
		if ln.share < s.run {
			ln.share++
			s.made(1, 0, now)
		}
	case laneAsleep, laneFlying:
	}
}

func (s *scheduler) made(n, bytes int, now time.Time) {
	if s.avail == 0 {
		s.since = now
	}
	s.avail += n
	s.availBytes += bytes
}

func (s *scheduler) lane(key string) *lane {
	if ln, ok := s.lanes[key]; ok {
		if ln.items.n == 0 && ln.state == laneIdle {
			s.broken--
		}
		return ln
	}
	ln := s.free
	if ln != nil {
		s.free, ln.next = ln.next, nil
	} else {
		ln = &lane{}
		ln.sleep.lane = ln
	}
	ln.key = key
	s.lanes[key] = ln
	return ln
}

// retire forgets a lane that is empty and in no list, unless it is broken.
func (s *scheduler) retire(ln *lane) {
	ln.state = laneIdle
	if ln.broken && s.broken < maxBroken {
		s.broken++
		return
	}
	delete(s.lanes, ln.key)
	*ln = lane{next: s.free}
	ln.sleep.lane = ln
	s.free = ln
}

func (s *scheduler) makeReady(ln *lane, front bool, now time.Time) {
	ln.state = laneReady
	ln.share = min(ln.items.n, s.run)
	s.made(ln.share, 0, now)
	if front {
		s.ready.pushFront(ln)
	} else {
		s.ready.pushBack(ln)
	}
}

func (s *scheduler) unready(ln *lane) {
	s.avail -= ln.share
	ln.share = 0
	s.ready.remove(ln)
	ln.state = laneIdle
}

// wakeUp makes ready what has slept long enough.
func (s *scheduler) wakeUp(now time.Time) {
	for {
		sl := s.asleep.earliest()
		if sl == nil || sl.at.After(now) {
			return
		}
		s.asleep.remove(sl)
		if sl.lane != nil {
			s.makeReady(sl.lane, true, now)
			continue
		}
		s.queue.pushFront(sl.item)
		s.made(1, sl.item.size, now)
	}
}

// next appends to buf the messages of the next call, within most messages and l.Bytes. When there is none yet it
// returns buf as it was and the instant at which to ask again (zero: when something is pushed or done). While other
// calls are in flight a call that is not full waits up to l.Linger, and always up to l.Window, unless flush is set.
func (s *scheduler) next(now time.Time, l Limits, most int, busy, flush bool, buf []*item) ([]*item, time.Time) {
	s.wakeUp(now)
	wait := l.Window
	if busy {
		wait = max(wait, l.Linger)
	}
	if s.avail > 0 && wait > 0 && !flush && s.avail < most && (l.Bytes <= 0 || s.availBytes < l.Bytes) {
		if due := s.since.Add(wait); due.After(now) {
			return buf, s.earlier(due)
		}
	}
	b := batch{items: buf, most: most, bytes: l.Bytes, oneLane: l.OneGroup}
	if s.ordered {
		s.takeLanes(&b, now)
	} else {
		for it := s.queue.head; it != nil && b.fits(it); it = s.queue.head {
			s.queue.remove(it)
			s.avail--
			s.availBytes -= it.size
			s.take(&b, it, now)
		}
	}
	s.since = now
	if b.n > 0 {
		return b.items, time.Time{}
	}
	return buf, s.earlier(time.Time{})
}

// earlier returns the earlier of t and the first sleeper's instant; zero means never.
func (s *scheduler) earlier(t time.Time) time.Time {
	if sl := s.asleep.earliest(); sl != nil && (t.IsZero() || sl.at.Before(t)) {
		return sl.at
	}
	return t
}

func (s *scheduler) take(b *batch, it *item, now time.Time) bool {
	s.waiting--
	if !s.inspect(it, now) {
		return false
	}
	b.add(it)
	return true
}

func (s *scheduler) takeLanes(b *batch, now time.Time) {
	for ln := s.ready.head; ln != nil && b.fits(ln.items.head); ln = s.ready.head {
		s.unready(ln)
		for it := ln.items.head; it != nil && ln.flying < s.run && b.fits(it); it = ln.items.head {
			ln.items.remove(it)
			if s.take(b, it, now) {
				it.lane = ln
				ln.flying++
			}
		}
		switch {
		case ln.flying > 0:
			ln.state = laneFlying
		case ln.items.n > 0: // what was taken has gone elsewhere, and the next does not fit into this call
			s.makeReady(ln, true, now)
		default:
			s.retire(ln)
		}
		if b.oneLane && b.n > 0 {
			return
		}
	}
}

// fate is what becomes of a message whose call has ended.
type fate uint8

const (
	gone   fate = iota // its duty has ended, or goes on elsewhere
	first              // it goes back to the head of its lane, and that before the others
	behind             // it goes back to the head of its lane, and that behind the others: they shall try their luck
)

// done ends the flight of a message. One that goes back waits until at (zero: not at all). The messages of one call are
// handed in from last to first, or their order would turn round.
func (s *scheduler) done(it *item, f fate, at, now time.Time) {
	ln := it.lane
	it.lane = nil
	if f != gone {
		s.waiting++
	}
	if ln == nil {
		switch {
		case f == gone:
		case at.After(now):
			it.sleep.at, it.sleep.item = at, it
			s.asleep.push(&it.sleep)
		case f == behind:
			s.queue.pushBack(it)
			s.made(1, it.size, now)
		default:
			s.queue.pushFront(it)
			s.made(1, it.size, now)
		}
		return
	}
	ln.flying--
	if f != gone {
		if s.overtake {
			ln.items.pushBack(it)
		} else {
			ln.items.pushFront(it)
		}
		ln.failed = f == first
		if at.After(ln.sleep.at) {
			ln.sleep.at = at
		}
	}
	if ln.flying > 0 {
		return
	}
	wait, failed := ln.sleep.at, ln.failed
	ln.sleep.at, ln.failed = time.Time{}, false
	switch {
	case ln.items.n == 0:
		s.retire(ln)
	case wait.After(now):
		ln.sleep.at = wait
		ln.state = laneAsleep
		s.asleep.push(&ln.sleep)
	default:
		s.makeReady(ln, failed, now)
	}
}

// batch is a call in the making.
type batch struct {
	items       []*item
	n, most     int
	sum, bytes  int
	smallestCap int
	oneLane     bool // take of one lane only
}

func (b *batch) fits(it *item) bool {
	if b.n == 0 {
		return b.most > 0
	}
	most := b.most
	if b.smallestCap > 0 {
		most = min(most, b.smallestCap)
	}
	if it.limit > 0 {
		most = min(most, it.limit)
	}
	return b.n < most && (b.bytes <= 0 || b.sum+it.size <= b.bytes)
}

func (b *batch) add(it *item) {
	b.items = append(b.items, it)
	b.n++
	b.sum += it.size
	if it.limit > 0 && (b.smallestCap == 0 || it.limit < b.smallestCap) {
		b.smallestCap = it.limit
	}
}

// all ranges over what waits, in no order that means anything.
func (s *scheduler) all() iter.Seq[*item] {
	return func(yield func(*item) bool) {
		if s == nil {
			return
		}
		lists := []*itemList{&s.queue}
		for _, ln := range s.lanes {
			lists = append(lists, &ln.items)
		}
		for _, l := range lists {
			for it := l.head; it != nil; it = it.next {
				if !yield(it) {
					return
				}
			}
		}
		for _, sl := range s.asleep.s {
			if sl.item != nil && !yield(sl.item) {
				return
			}
		}
	}
}

// purge removes every waiting message that matches and appends it to out. Messages in a call stay.
func (s *scheduler) purge(match func(*item) bool, now time.Time, out []*item) []*item {
	if !s.ordered {
		for it := s.queue.head; it != nil; {
			next := it.next
			if match(it) {
				s.queue.remove(it)
				s.waiting--
				s.avail--
				s.availBytes -= it.size
				out = append(out, it)
			}
			it = next
		}
		first := len(out)
		for _, sl := range s.asleep.s {
			if match(sl.item) {
				out = append(out, sl.item)
			}
		}
		for _, it := range out[first:] {
			s.asleep.remove(&it.sleep)
			s.waiting--
		}
		return out
	}
	for _, ln := range s.lanes {
		out = s.purgeLane(ln, match, now, out)
	}
	return out
}

func (s *scheduler) purgeLane(ln *lane, match func(*item) bool, now time.Time, out []*item) []*item {
	before := ln.items.n
	for it := ln.items.head; it != nil; {
		next := it.next
		if match(it) {
			ln.items.remove(it)
			s.waiting--
			out = append(out, it)
		}
		it = next
	}
	if ln.items.n == before {
		return out
	}
	switch ln.state {
	case laneReady:
		s.unready(ln)
		if ln.items.n > 0 {
			s.makeReady(ln, false, now)
		} else {
			s.retire(ln)
		}
	case laneAsleep:
		if ln.items.n == 0 {
			s.asleep.remove(&ln.sleep)
			ln.sleep.at = time.Time{}
			s.retire(ln)
		}
	case laneIdle, laneFlying:
	}
	return out
}

// sleeping tells whether a message waits out a failure: it sleeps, or stands in a lane that does.
func (s *scheduler) sleeping(it *item) bool {
	if !s.ordered {
		return it.sleep.place > 0
	}
	ln := s.lanes[it.key]
	return ln != nil && ln.state == laneAsleep
}
