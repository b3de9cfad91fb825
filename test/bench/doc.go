// This program benchmarks whole processes: it is a command, not a test.
//
//	go run ./test/bench       what make bench-spine runs
//	go run ./test/bench -h    the flags that make it shorter
//
// It starts real brokers, fills a queue, and lets two processes move it to an SQS endpoint, one after
// the other, several times: jmsbridge as it is built, and a bare loop of the obvious libraries (cmd/bareloop). The
// endpoint (lean, cmd/endpoint) answers each request after a fixed time and costs as little CPU as it can, for it shares
// the machine with what is measured. CPU time and memory are those of the measured process alone.
//
// The command itself may import test/brokers; cmd/endpoint and cmd/bareloop import nothing of the project but lean.
package main
