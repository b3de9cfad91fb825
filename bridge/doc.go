// Package bridge is the engine: it moves messages from a [Source] to a [Sink] and settles each at its source only
// after the sink, or a dead letter, has confirmed it.
//
// The package knows no protocol and no AWS service. It imports the standard library, zap and the Prometheus API, and
// nothing of this module outside bridge. It takes time only from package time and does I/O only through Source and
// Sink, so a whole route runs inside a testing/synctest bubble.
//
// What a connector implements is in message.go, delivery.go, source.go, sink.go, stage.go, inspect.go and errors.go.
// A connector dials, translates and classifies; it never retries, batches, sleeps, or logs an error that it returns.
package bridge
