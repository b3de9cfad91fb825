package bridge

import (
	"errors"
	"strings"
	"time"
)

// headTimes is how often in a row a connection may end with the same message at its head before that is tried alone.
const headTimes = 3

// headWatch notices a message with which the connection ends again and again. Its receiver owns it.
type headWatch struct {
	current *Delivery // the first of this connection
	key     string
	times   int // connections in a row that ended with it at their head
	single  bool
	failed  bool

	settledAt time.Time // since when the current one is known to be settled
}

// received notes the first delivery of a connection.
func (h *headWatch) received(d *Delivery) {
	if h.current == nil && d.Hold == nil {
		h.current = d
	}
}

// ended notes the end of a connection. Only one that ended without a word counts.
func (h *headWatch) ended(err error) {
	d := h.current
	h.current, h.settledAt = nil, time.Time{}
	if errors.Is(err, errWidened) {
		*h = headWatch{}
		return
	}
	if d == nil {
		return
	}
	key := d.Message.Key
	if key == "" || ClassOf(err) != Transient {
		*h = headWatch{}
		return
	}
	if key != h.key {
		h.key, h.times, h.single = strings.Clone(key), 0, false // it may be part of a whole frame
	}
	h.times++
	h.failed = h.single && !h.failed
	h.single = h.times >= headTimes
}

// alone tells that the next connection should ask for one message at a time.
func (h *headWatch) alone() bool { return h.single }

// passed tells that the message that was tried alone is settled, and that the connection has outlived that.
func (h *headWatch) passed(now time.Time) bool {
	if h.current == nil || !h.current.settled.Load() {
		return false
	}
	if h.settledAt.IsZero() {
		h.settledAt = now
	}
	return now.Sub(h.settledAt) >= aloneLook
}

// named returns the message's key when it has just failed alone.
func (h *headWatch) named() string {
	if h.failed {
		return h.key
	}
	return ""
}
