// Package stomp is the STOMP 1.2 connector: a [Source] that consumes from ActiveMQ Classic or ActiveMQ Artemis, and a
// [Sink] that produces there.
//
// It translates between frames and messages as each broker really does it, settles in the way that loses nothing on
// that broker, and classifies what the brokers answer. It dials through package jms and speaks through package client.
// It never retries, batches, sleeps, or logs an error that it returns; the engine does that.
//
// What the wire can't carry is never passed on as something else. Types of properties, Map, Stream and Object bodies
// don't cross STOMP; on Artemis, Text and Bytes are told apart only by inference. Between two ends of this package
// nothing is lost: the sink adds the string properties named in companions.go where a reader could not know better,
// and the source takes them back.
//
// Walk: source.go (life of a subscription), subscription.go (what arrives, credit, verdicts), decode.go (frame to
// message), encode.go (message to frame), sink.go, errors.go, inspect.go.
package stomp
