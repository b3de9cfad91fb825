package bridge

import "context"

// Inspector is implemented by sources and sinks that can look at their end without consuming or sending anything.
// `jmsbridge check` prints what they find.
type Inspector interface {
	// Inspect dials, looks and disconnects. An error says that the route can't work now; its class tells whether it
	// might later.
	Inspect(ctx context.Context) (Inspection, error)
}

// Inspection is what an [Inspector] found.
type Inspection struct {
	// Peer names the other end and its version ("ActiveMQ Classic 6.1.7", "SQS FIFO queue orders.fifo").
	Peer string
	// Facts are name and value pairs worth a line each, in the order to print them.
	Facts []Fact
	// Warnings are what an operator should know before relying on the route.
	Warnings []Warning
}

// Fact is one thing found.
type Fact struct{ Name, Value string }

// Warning says what loses, duplicates, reorders or costs, and what to do about it.
type Warning struct {
	// Text says what happens and when, in a sentence.
	Text string
	// Remedy says what to change, in a sentence; "" when nothing can be.
	Remedy string
}
