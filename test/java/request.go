package java

import (
	"bytes"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/jmsbridge/jmsbridge/bridge"
	"github.com/jmsbridge/jmsbridge/test/brokers"
)

// Requester is a client that waits for the answer to its request.
type Requester struct {
	t    testing.TB
	done chan struct{}
	out  []byte
	err  error
}

// Request sends a message whose JMSReplyTo is the reply destination, and waits for an answer there for as long as the
// patience; the message's own ReplyTo is not looked at. A temporary destination's name is the client's to choose.
// [Requester.Answer] must be called, and ends when the client has gone and its temporary destination with it.
func Request(t testing.TB, c Client, url string, u brokers.User, queue string, reply bridge.Destination, m bridge.Message, patience time.Duration) *Requester {
	t.Helper()
	var in strings.Builder
	m.ReplyTo = bridge.Destination{}
	if err := writeMessage(&in, &m); err != nil {
		t.Fatal(err)
	}
	if _, err := c.install(t.Context()); err != nil { // here, so that whoever waits for the request waits only for that
		t.Fatal(err)
	}
	r := &Requester{t: t, done: make(chan struct{})}
	ctx := t.Context()
	go func() {
		defer close(r.done)
		r.out, r.err = c.run(ctx, in.String(), "request", url, u.Name, u.Password, queue, reply.String(), strconv.FormatInt(patience.Milliseconds(), 10))
	}()
	t.Cleanup(func() {
		<-r.done
		if r.err != nil && t.Failed() {
			t.Logf("the requester: %v", r.err) // it may be why no request came
		}
	})
	return r
}

// Answer waits until the client has ended. It returns the JMSMessageID of the request and the answers, none or one.
func (r *Requester) Answer() (id string, answers []bridge.Message) {
	r.t.Helper()
	<-r.done
	if r.err != nil {
		r.t.Fatal(r.err)
	}
	first, rest, _ := bytes.Cut(r.out, []byte("\n"))
	return string(first), parseMessages(r.t, rest)
}
