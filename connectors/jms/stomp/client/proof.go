package client

import (
	"errors"
	"os"
	"sync/atomic"
	"time"

	"github.com/go-stomp/stomp/v3/frame"
)

const (
	// loaded is the time between two reads below which the next frame is likely to be near, and it proves as much.
	loaded = 500 * time.Microsecond
	// proofTimeout is how long the broker may take for a receipt that proves the end of a text.
	proofTimeout = 30 * time.Second
)

// endProof is how the end of a text is told that nothing follows, on Classic, which sends no length and, since 5.18.6 and
// 6.1.4, NUL characters as they are: the broker is asked for a receipt, whose id no sender of a text can guess. It begins
// where the frame before it has ended. All but asked is the reader's own.
type endProof struct {
	last   time.Time     // when something was read
	paused bool          // it came after a pause
	asked  atomic.Bool   // the receipt is on its way; whoever takes it, or ends the connection, resets it
	left   time.Duration // how much longer it may take
}

// read notes that n bytes have been read just now, which took so long.
func (p *endProof) read(n int, from time.Time) {
	now := time.Now()
	p.left -= now.Sub(from)
	if n > 0 {
		p.paused, p.last = now.Sub(p.last) >= loaded, now
	}
}

// readEnd is Read where a text has ended if what comes next is a frame of this connection: it makes sure that one comes.
func (s source) readEnd(b []byte) (int, error) {
	p := &s.c.proof
	if !p.paused {
		if n, err := s.readWithin(b, loaded); n > 0 || !errors.Is(err, os.ErrDeadlineExceeded) {
			return n, err
		}
	}
	s.c.prove()
	n, err := s.readWithin(b, p.left)
	if n == 0 && errors.Is(err, os.ErrDeadlineExceeded) {
		err = &ProtocolError{Reason: "the broker sends no receipt for BEGIN, which would prove where the text before it ends"}
	}
	return n, err
}

// readWithin is Read for a limited time.
func (s source) readWithin(b []byte, d time.Duration) (int, error) {
	c := s.c
	c.handler.BeforeRead(c.done)
	from := time.Now()
	_ = c.nc.SetReadDeadline(from.Add(d)) // what is wrong with the connection, the read tells
	c.limited = true
	n, err := c.nc.Read(b)
	c.proof.read(n, from)
	return n, err
}

// prove asks for a receipt, unless one is on its way: what has come meanwhile is proved by it too. A transaction with
// nothing in it changes nothing and needs no rights; no other frame is like that.
func (c *Conn) prove() {
	if !c.proof.asked.CompareAndSwap(false, true) {
		return
	}
	c.proof.left = proofTimeout
	c.Post(func(dst []byte, receipt string) []byte {
		dst = AppendHeader(AppendCommand(dst, frame.BEGIN), frame.Transaction, receipt)
		dst = AppendBody(AppendHeader(dst, frame.Receipt, receipt), "")
		dst = AppendHeader(AppendCommand(dst, frame.ABORT), frame.Transaction, receipt)
		return AppendBody(dst, "")
	}, func(error) { c.proof.asked.Store(false) }) // an ERROR for it is as good
}
