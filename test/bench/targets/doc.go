// This program benchmarks each kind of target: it is a command, not a test.
//
//	go run ./test/bench/targets       what make bench-targets runs
//	go run ./test/bench/targets -h    the flags that make it shorter
//
// Messages are made in the measured process (cmd/targets) and go to an endpoint in another one (cmd/endpoint), which
// answers each call after a fixed time: once through jmsbridge's engine and sink, once in a bare loop over AWS's SDK, with
// as many calls at once, in turns.
package main
