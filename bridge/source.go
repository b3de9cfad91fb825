package bridge

import "context"

// Source is where messages come from. The engine calls Connect, Receive and Close from one goroutine at a time, and
// settles deliveries from any.
type Source interface {
	// Connect dials if needed and subscribes, so that at most credit messages are unsettled at a time (at least one;
	// where a broker counts bytes, the source translates). ctx bounds only the connecting. It makes one attempt over the
	// endpoints it knows; the engine waits and calls again. It may follow an [ErrNotConnected] or a Close.
	Connect(ctx context.Context, credit int) error
	// Receive waits for one delivery and takes what else is there, up to len(dst). n > 0 may come with an error, and
	// those deliveries count. A cancelled ctx loses nothing. ErrNotConnected (wrapped) means that Connect is needed.
	Receive(ctx context.Context, dst []*Delivery) (n int, err error)
	// Close writes the recorded verdicts, gives the rest back to the broker uncounted where the wire allows it, and
	// disconnects. ctx bounds it. It is safe without Connect, and twice.
	Close(ctx context.Context) error
}

// Remarker is implemented by a source or sink that has noticed something the operator should see in the route's
// status, for instance a subscription whose credit shrinks without deliveries.
type Remarker interface {
	// Remarks returns what is noticed now, one sentence each. It is safe for concurrent use.
	Remarks() []string
}
