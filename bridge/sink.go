package bridge

import (
	"context"
	"time"
)

// Outgoing is a message with what the engine adds for one send.
type Outgoing struct {
	Message *Message
	// Group is the ordering group; "" when the route keeps no order and the target needs no group.
	Group string
	// DedupID is the deduplication id, filled when [Limits.Dedup] asks for it.
	DedupID string
	// Attempt is 1 at the first try.
	Attempt int
	// Deadline is when the answer is no longer wanted; zero: none.
	Deadline time.Time
	// Ask says how the responder is to answer; nil: no answer is wanted.
	Ask *Ask
	// Extra are properties that the engine adds: the diagnosis of a dead letter.
	Extra Properties
}

// Ask is what a request carries to a responder that answers later, over a queue.
type Ask struct {
	// CorrelationID is what the responder copies into its answer.
	CorrelationID string
	// QueueURL is the SQS queue that it answers to.
	QueueURL string
	// Deadline is when nobody waits for the answer any more.
	Deadline time.Time
}

// Result is what became of one message of a batch. A nil Err means that the message is durable at the target.
type Result struct {
	// ID is the target's own id of the message.
	ID string
	// Reply is the answer of a target that answers in the call; nil: none.
	Reply *Message
	Err   error
}

// Sink is where messages go. Send may be called by up to Limits().Calls goroutines at once; Connect and Close by one,
// while no Send runs; Limits and Size by any, after Connect.
type Sink interface {
	// Connect dials, and looks up names and limits. ctx bounds it. It makes one attempt, and may be called again after
	// an [ErrNotConnected] or a Close.
	Connect(ctx context.Context) error
	// Limits returns what a call may hold. It may change with each Connect.
	Limits() Limits
	// Size returns an upper bound of the encoded bytes of one message. It is cheap, and keeps nothing of o. An error
	// means that the message can never be sent.
	Size(o *Outgoing) (int, error)
	// Send sends the batch and fills every entry of res, which has the length of batch and whose Err the engine has
	// preset to [ErrUnanswered]. A returned error means that the call as a whole failed and holds for every message in
	// it. The sink resends nothing and keeps nothing of batch or res.
	Send(ctx context.Context, batch []Outgoing, res []Result) error
	// Close disconnects. It is safe without Connect, and twice.
	Close(ctx context.Context) error
}

// Limits is what one call of a sink may hold.
type Limits struct {
	// Messages is the most messages in a call; at least 1.
	Messages int
	// Bytes is the most encoded bytes in a call, the sum of Size plus Overhead for each message; 0: no limit.
	Bytes int
	// MessageBytes is the most encoded bytes of one message; 0: Bytes.
	MessageBytes int
	// Overhead is added for each message of a call.
	Overhead int
	// Calls is the most calls at once; at least 1.
	Calls int
	// Run is the most messages of one group in a call: 1 unless the target refuses the rest of a group after a
	// failure. 0: the sink keeps no order, and the engine refuses an ordered route.
	Run int
	// OneGroup allows messages of one group only in a call, on a route with order.
	OneGroup bool
	// Timeout is the engine's deadline for a call.
	Timeout time.Duration
	// Linger is how long a batch that is not full may wait for more while other calls are in flight.
	Linger time.Duration
	// Window is how long a batch that is not full waits for more, whether other calls are in flight or not; 0: not at all.
	Window time.Duration
	// Dedup asks the engine to fill Outgoing.DedupID.
	Dedup bool
	// Group asks the engine to fill Outgoing.Group even on a route without order (SQS FIFO).
	Group bool
}
