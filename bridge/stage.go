package bridge

import "context"

// Stage looks at a message on its way from the source to the targets and may replace or drop it. It uses the CPU
// only: what does I/O around a target is a [Sink] around a Sink. It is safe for concurrent use.
type Stage interface {
	// Process returns m itself, another message, or nil to drop it (counted as filtered). An error concerns this
	// message alone and dead-letters it, unless its class says otherwise.
	Process(ctx context.Context, m *Message) (*Message, error)
}
