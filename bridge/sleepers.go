package bridge

import "time"

// sleeper is what waits for an instant: an item where no order is kept, a lane where it is.
type sleeper struct {
	at    time.Time
	place int // index in the heap plus one; 0: awake
	item  *item
	lane  *lane
}

// sleepHeap is a binary heap of sleepers, the earliest first. Each sleeper knows its place, so that one that is purged
// leaves in the middle.
type sleepHeap struct{ s []*sleeper }

func (h *sleepHeap) earliest() *sleeper {
	if len(h.s) == 0 {
		return nil
	}
	return h.s[0]
}

func (h *sleepHeap) push(s *sleeper) {
	h.s = append(h.s, s)
	s.place = len(h.s)
	h.up(len(h.s) - 1)
}

func (h *sleepHeap) remove(s *sleeper) {
	i, last := s.place-1, len(h.s)-1
	h.swap(i, last)
	h.s[last] = nil
	h.s = h.s[:last]
	s.place = 0
	if i < last {
		h.down(i)
		h.up(i)
	}
}

func (h *sleepHeap) swap(i, j int) {
	h.s[i], h.s[j] = h.s[j], h.s[i]
	h.s[i].place, h.s[j].place = i+1, j+1
}

func (h *sleepHeap) up(i int) {
	for i > 0 {
		parent := (i - 1) / 2
		if !h.s[i].at.Before(h.s[parent].at) {
			return
		}
		h.swap(i, parent)
		i = parent
	}
}

func (h *sleepHeap) down(i int) {
	for {
		child := 2*i + 1
		if child >= len(h.s) {
			return
		}
		if right := child + 1; right < len(h.s) && h.s[right].at.Before(h.s[child].at) {
			child = right
		}
		if !h.s[child].at.Before(h.s[i].at) {
			return
		}
		h.swap(i, child)
		i = child
	}
}
