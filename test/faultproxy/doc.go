// Package faultproxy is a TCP proxy for tests that breaks connections on purpose: it cuts them (at once, or at an exact
// byte), stalls, freezes and slows them, and refuses new ones. It counts each fault that had an effect, so that a test
// can prove that what it survived has happened.
//
// It is a small program of our own, for the known libraries can't tell whether a fault fired, and leave goroutines behind after
// a cut in the middle of a stream.
package faultproxy
