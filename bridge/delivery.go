package bridge

import "sync/atomic"

// Outcome is a verdict about a delivery.
type Outcome uint8

const (
	// Accept says that the message has been taken over: the broker forgets it.
	Accept Outcome = iota + 1
	// Reject lets the broker dispose of the message in its own way. Only where the route chose that.
	Reject
)

// Lease is the right to settle the deliveries of one connection and subscription. The source implements it; it is
// safe for concurrent use.
type Lease interface {
	// Settle records a verdict for the delivery with this tag. It does no I/O and does not wait: the connection's
	// writer coalesces. It returns [ErrLost] when the connection is gone.
	Settle(tag uint64, o Outcome) error
	// Lost tells that the connection is gone and its deliveries will come again. Once true, always true.
	Lost() bool
}

// Delivery is a message plus the duty to settle it exactly once. A source allocates it together with its message and
// hands it over; from then on the receiver owns it. Not settling it before [Source.Close] gives it back.
type Delivery struct {
	// Message is the message as it was delivered.
	Message Message
	// Hold, if set, says why this message can't be passed on as what it is, or can't be settled, over this wire. The
	// engine holds such a delivery: it stays unsettled, is named and counted, and the others go on.
	Hold error
	// Refuse, if set, says why this message is not what it claims to be, although it can be settled. The engine sends it
	// to the dead letter as it stands.
	Refuse error
	// Lease and Tag settle the delivery at its source.
	Lease Lease
	Tag   uint64
	// Size is the number of bytes the delivery occupies while it waits, as the source estimates it.
	Size int

	settled atomic.Bool
}

// Settle records the verdict. The first call decides; later ones return [ErrSettled]. It returns [ErrLost] when the
// connection is gone: the message will come again. nil means that the verdict is recorded; [Source.Close] flushes it.
func (d *Delivery) Settle(o Outcome) error {
	if !d.settled.CompareAndSwap(false, true) {
		return ErrSettled
	}
	return d.Lease.Settle(d.Tag, o)
}

// Lost tells that the delivery's connection is gone.
func (d *Delivery) Lost() bool { return d.Lease.Lost() }
