package bridge

// laneState says which list or heap a lane is in.
type laneState uint8

const (
	laneIdle   laneState = iota // in none
	laneReady                   // in the scheduler's list of ready lanes
	laneAsleep                  // in its heap
	laneFlying                  // some of its messages are in a call
)

// lane holds the messages of one group in order. At most one call at a time carries messages of it.
type lane struct {
	key        string
	prev, next *lane // in the list of ready lanes; next also in the free list
	items      itemList
	state      laneState
	flying     int  // messages in the call
	share      int  // its part of scheduler.avail while it is ready
	failed     bool // a message of the running call came back, to go before other lanes
	broken     bool // a message used up its budget and none has succeeded since: one try each
	sleep      sleeper
}

type laneList struct{ head, tail *lane }

func (l *laneList) pushBack(ln *lane) {
	ln.prev, ln.next = l.tail, nil
	if l.tail != nil {
		l.tail.next = ln
	} else {
		l.head = ln
	}
	l.tail = ln
}

func (l *laneList) pushFront(ln *lane) {
	ln.prev, ln.next = nil, l.head
	if l.head != nil {
		l.head.prev = ln
	} else {
		l.tail = ln
	}
	l.head = ln
}

func (l *laneList) remove(ln *lane) {
	if ln.prev != nil {
		ln.prev.next = ln.next
	} else {
		l.head = ln.next
	}
	if ln.next != nil {
		ln.next.prev = ln.prev
	} else {
		l.tail = ln.prev
	}
	ln.prev, ln.next = nil, nil
}
