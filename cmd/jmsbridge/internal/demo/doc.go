// Package demo moves messages from an embedded broker to an embedded SQS endpoint through a real route, injects faults
// into both, and judges what arrived, message by message.
//
// Nothing here is rigged: the route, the source and the target are those of the daemon, over loopback TCP. What arrived
// is judged against what was sent by this package alone, from the raw attributes in the queue, and duplicates are
// counted in the endpoint's log of requests, before its deduplication.
//
// [RunReply] does the same for requests and their answers: requesters ask a function and a service behind SQS, and each
// answer is compared with its request.
//
// What may be touched: messages, faults, words. What may not: the judge must not use the connectors' own decoder, and a
// fault that did not fire fails the demo.
package demo
