package bridge

import "time"

// item is a delivery on its way through the engine. It has one owner at a time: the receiver that makes it, the
// scheduler or call of one pipeline, or the memory of lost deliveries. Items are pooled by the window.
type item struct {
	prev, next   *item // in the one itemList that holds it
	older, newer *item // in the window's list of unsettled messages; guarded by the window's lock
	d            *Delivery
	sess         *session
	pipe         *pipeline
	lane         *lane    // while it flies in an ordered pipeline
	duty         *duty    // of a delivery that goes to several targets: root and branches share it
	branch       bool     // it is for one target of several, and no member of the window's list
	bestEffort   bool     // … which is not waited for
	target       uint8    // the place of its target in the route; dead letter and reply keep it
	answer       *Message // the target's, until the reply is made of it
	fault        bool     // the reply says that the request has failed
	ending       ending   // how the duty ends once the reply is sent
	pending      bool     // its lost delivery is remembered as being on its way; guarded by the window's lock
	out          Outgoing // what the sink gets
	key          string   // lane
	size         int      // encoded bytes in a call, overhead included, at its pipeline
	weight       int64    // bytes that it occupies in the window
	tries        int      // sends begun, this pipeline
	attempts     int      // failures counted, this pipeline
	mark         uint64   // the pipeline's confirmations when it last failed, or first flew
	limit        int      // most messages in a call with this one; 0: no limit
	born         time.Duration
	received     time.Time
	firstFail    time.Time
	lastFail     time.Time
	err          error // last failure
	dead         *deadLetter
	sleep        sleeper
}

// stale tells that the message will come again over another connection, so that this copy must not be sent.
func (it *item) stale() bool {
	if it.bestEffort && it.duty.settled.Load() {
		return false
	}
	return it.sess.gone.Load() || it.d.Lost()
}

// itemList is an intrusive list; an item is in one at most.
type itemList struct {
	head, tail *item
	n          int
}

func (l *itemList) pushBack(it *item) {
	it.prev, it.next = l.tail, nil
	if l.tail != nil {
		l.tail.next = it
	} else {
		l.head = it
	}
	l.tail = it
	l.n++
}

func (l *itemList) pushFront(it *item) {
	it.prev, it.next = nil, l.head
	if l.head != nil {
		l.head.prev = it
	} else {
		l.tail = it
	}
	l.head = it
	l.n++
}

func (l *itemList) remove(it *item) {
	if it.prev != nil {
		it.prev.next = it.next
	} else {
		l.head = it.next
	}
	if it.next != nil {
		it.next.prev = it.prev
	} else {
		l.tail = it.prev
	}
	it.prev, it.next = nil, nil
	l.n--
}
