// Package e2e proves the guarantee with nothing but the program itself: the built binary, run as a process with a
// bridge.yaml, between real brokers and the embedded SQS endpoint, while both ends and the process break.
//
// What is lost, repeated or out of order is judged as follows. A producer sends messages that are a pure function of their
// number; each one that the broker confirmed is owed. At the end, after the faults, every owed message has arrived whole, nothing
// arrived that was not sent, the broker's queue is empty, and duplicates (counted in the endpoint's log, before its
// deduplication) are only there after a fault and carry the same deduplication id. A test also shows that each fault
// has fired: one in which nothing broke proves nothing.
//
// The tests have the build tag integration. JMSBRIDGE_E2E_SCALE multiplies their numbers of messages and their times;
// `make soak` uses it.
package e2e
