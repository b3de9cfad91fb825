package awslocal

import (
	"crypto/md5" // SQS's digests are MD5 by its API
	"encoding/binary"
	"encoding/hex"
	"hash"
	"io"
	"slices"
	"time"
)

// Attribute is a message attribute as it travels.
type Attribute struct {
	DataType    string
	StringValue string `json:",omitempty"`
	BinaryValue []byte `json:",omitempty"`
}

// size is what an attribute counts toward the size of its message, without the name.
func (a Attribute) size() int { return len(a.DataType) + len(a.StringValue) + len(a.BinaryValue) }

// state is where a message is.
type state uint8

const (
	ready    state = iota // visible
	delayed               // in the heap, not seen yet
	inFlight              // in the heap, received
	gone                  // deleted or moved
)

// message is one message of a queue; e.mu guards it.
type message struct {
	id         string
	body       string
	bodyMD5    string
	attributes map[string]Attribute
	trace      string // system attribute AWSTraceHeader
	sender     string
	sent       time.Time
	firstSeen  time.Time
	receives   int
	group      string
	dedup      string
	sequence   uint64 // 0 in a standard queue
	order      uint64 // of arrival
	source     string // ARN of the queue that gave it up
	handle     uint64 // of the latest receive; 0: never received

	state state
	due   time.Time // when delayed or inFlight: visible from then on
	index int       // in the heap
	link  [2]link   // see chain
	lane  *lane     // in a FIFO queue
}

type link struct{ prev, next *message }

// chain is a list of messages through their link of number which: 0 the visible ones, 1 all by arrival.
type chain struct {
	head, tail *message
	which, n   int
}

// insert puts m behind after; nil: at the head.
func (c *chain) insert(m, after *message) {
	var next *message
	if after == nil {
		next, c.head = c.head, m
	} else {
		next = after.link[c.which].next
		after.link[c.which].next = m
	}
	m.link[c.which] = link{after, next}
	if next == nil {
		c.tail = m
	} else {
		next.link[c.which].prev = m
	}
	c.n++
}

func (c *chain) remove(m *message) {
	l := m.link[c.which]
	if l.prev == nil {
		c.head = l.next
	} else {
		l.prev.link[c.which].next = l.next
	}
	if l.next == nil {
		c.tail = l.prev
	} else {
		l.next.link[c.which].prev = l.prev
	}
	m.link[c.which] = link{}
	c.n--
}

// sorted inserts by sequence, looking from the head: what comes back is older than what waits.
func (c *chain) sorted(m *message) {
	if c.tail == nil || c.tail.sequence < m.sequence {
		c.insert(m, c.tail)
		return
	}
	var after *message
	for at := c.head; at != nil && at.sequence < m.sequence; at = at.link[c.which].next {
		after = at
	}
	c.insert(m, after)
}

// dueHeap orders delayed and in-flight messages by when they become visible.
type dueHeap []*message

func (h dueHeap) Len() int { return len(h) }
func (h dueHeap) Less(i, j int) bool {
	if !h[i].due.Equal(h[j].due) {
		return h[i].due.Before(h[j].due)
	}
	if h[i].state == inFlight { // go back to the front one by one
		return h[i].order > h[j].order
	}
	return h[i].order < h[j].order
}
func (h dueHeap) Swap(i, j int) { h[i], h[j] = h[j], h[i]; h[i].index, h[j].index = i, j }
func (h *dueHeap) Push(x any) {
	m := x.(*message)
	m.index = len(*h)
	*h = append(*h, m)
}

func (h *dueHeap) Pop() any {
	old := *h
	m := old[len(old)-1]
	old[len(old)-1] = nil
	*h = old[:len(old)-1]
	return m
}

func md5Hex(text string) string {
	h := md5.New()
	_, _ = io.WriteString(h, text)
	return hex.EncodeToString(h.Sum(nil))
}

// md5Attributes is the digest of message attributes as the SQS developer guide has it: by name, each of name, type and
// value with its length in four bytes, and a byte for the transport type between type and value.
func md5Attributes(attributes map[string]Attribute) string {
	if len(attributes) == 0 {
		return ""
	}
	names := make([]string, 0, len(attributes))
	for name := range attributes {
		names = append(names, name)
	}
	slices.Sort(names)
	h := md5.New()
	for _, name := range names {
		a := attributes[name]
		md5Part(h, name)
		md5Part(h, a.DataType)
		if a.BinaryValue != nil {
			_, _ = h.Write([]byte{2})
			md5Part(h, string(a.BinaryValue))
		} else {
			_, _ = h.Write([]byte{1})
			md5Part(h, a.StringValue)
		}
	}
	return hex.EncodeToString(h.Sum(nil))
}

func md5Part(h hash.Hash, text string) {
	var length [4]byte
	binary.BigEndian.PutUint32(length[:], uint32(len(text)))
	_, _ = h.Write(length[:])
	_, _ = io.WriteString(h, text)
}
