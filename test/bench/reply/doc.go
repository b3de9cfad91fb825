// This program benchmarks request and reply: it is a command, not a test.
//
//	go run ./test/bench/reply       what make bench-reply runs
//	go run ./test/bench/reply -h    the flags that make it shorter
//
// A requester in Java, on Apache's client with a temporary queue for the answers, asks at a constant rate, whatever became
// of the requests before. It asks in turns a queue from which jmsbridge calls a Lambda function that takes no time (stood
// in for by cmd/endpoint), and one from which a responder in Java answers by itself: the same requester, the same broker,
// the same answer. A latency counts from when the request should have been sent, so that a responder that stands still
// is not measured only by the requests that it let through (coordinated omission).
package main
