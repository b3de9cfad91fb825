package sourcetest

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jmsbridge/jmsbridge/bridge"
)

// Options are what a test wants of a source beside its destination.
type Options struct {
	Selector     string
	Subscription string
	// MaxBytes bounds what waits in the source; 0: its default.
	MaxBytes int
}

// Harness connects the suite with one broker. Its functions fail the test when they can't do what they say.
type Harness struct {
	// Source returns a source that is not connected. Each call is another client.
	Source func(t testing.TB, d bridge.Destination, o Options) bridge.Source
	// Sink returns a sink that is not connected; nil: RunSink can't be called.
	Sink func(t testing.TB, d bridge.Destination) bridge.Sink
	// Publish puts messages on a destination by a client that shares nothing with the connector, and returns when the
	// broker has confirmed them. Only Text and Bytes bodies and string properties are asked for.
	Publish func(t testing.TB, d bridge.Destination, messages ...bridge.Message)
	// Depth returns how many messages the broker keeps in a queue, delivered ones included.
	Depth func(t testing.TB, queue string) int
	// Drop breaks all connections of the sources and sinks of this harness, without a word.
	Drop func(t testing.TB)
	Features
}

// Features say what a broker does over this wire.
type Features struct {
	// Inferred: Text and Bytes are told apart by inference, and marked so.
	Inferred bool
	// EmptyHeld: a message without body is held, unless the connector's own sink has sent it.
	EmptyHeld bool
	// Groups: a foreign sender's JMSXGroupID reaches the source.
	Groups bool
	// ReturnsUnflagged: what Close gives back is not flagged as redelivered.
	ReturnsUnflagged bool
	// NULInText: a text with a NUL character can be sent and received.
	NULInText bool
	// Cumulative: the source acknowledges finished prefixes, so a verdict waits for those before it. What must be held ends
	// that with the connection, and the next one acknowledges each message by itself.
	Cumulative bool
	// ForeignID: the source sees JMSMessageID of messages that STOMP clients sent.
	ForeignID bool
}

// patience is how long the suite waits for what must come; quiet how long for what must not.
const (
	patience = 20 * time.Second
	quiet    = 250 * time.Millisecond
)

var names atomic.Int64

// queue returns a queue of the test's own.
func queue() bridge.Destination {
	return bridge.Destination{Kind: bridge.Queue, Name: fmt.Sprintf("sourcetest.%x.%d", time.Now().UnixNano(), names.Add(1))}
}

func topic() bridge.Destination {
	return bridge.Destination{Kind: bridge.Topic, Name: queue().Name}
}

// texts returns n messages with the bodies "0", "1", ….
func texts(n int) []bridge.Message {
	all := make([]bridge.Message, n)
	for i := range all {
		all[i] = bridge.Message{Body: bridge.NewText(fmt.Sprint(i)), Persistent: true, Priority: bridge.DefaultPriority}
	}
	return all
}

// connect connects a source and closes it at the end of the test.
func connect(t testing.TB, s bridge.Source, credit int) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if err := s.Connect(ctx, credit); err != nil {
		t.Fatalf("connecting: %v", err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		if err := s.Close(ctx); err != nil && !errors.Is(err, bridge.ErrNotConnected) {
			t.Logf("closing at the end of the test: %v", err)
		}
	})
}

// receive takes exactly n deliveries.
func receive(t testing.TB, s bridge.Source, n int) []*bridge.Delivery {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	all := make([]*bridge.Delivery, 0, n)
	for len(all) < n {
		buf := make([]*bridge.Delivery, min(n-len(all), 64))
		k, err := s.Receive(ctx, buf)
		all = append(all, buf[:k]...)
		if err != nil {
			t.Fatalf("receiving: %v after %d of %d", err, len(all), n)
		}
	}
	return all
}

// receiveNone fails when anything comes.
func receiveNone(t testing.TB, s bridge.Source) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), quiet)
	defer cancel()
	buf := make([]*bridge.Delivery, 8)
	n, err := s.Receive(ctx, buf)
	if n != 0 {
		t.Fatalf("received %d more: %q", n, bodies(buf[:n]))
	}
	if !errors.Is(err, context.DeadlineExceeded) {
		t.Fatalf("receiving: %v, want the context's error", err)
	}
}

func accept(t testing.TB, all ...*bridge.Delivery) {
	t.Helper()
	for _, d := range all {
		if err := d.Settle(bridge.Accept); err != nil {
			t.Fatalf("settling: %v", err)
		}
	}
}

func closeSource(t testing.TB, s bridge.Source) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if err := s.Close(ctx); err != nil {
		t.Fatalf("closing: %v", err)
	}
}

// depth waits until the broker keeps n messages.
func depth(t testing.TB, h Harness, d bridge.Destination, n int) {
	t.Helper()
	last := -1
	for end := time.Now().Add(patience); time.Now().Before(end); <-time.After(20 * time.Millisecond) {
		if last = h.Depth(t, d.Name); last == n {
			return
		}
	}
	t.Fatalf("the broker keeps %d messages in %s, want %d", last, d.Name, n)
}

func bodies(all []*bridge.Delivery) []string {
	out := make([]string, len(all))
	for i, d := range all {
		out[i] = d.Message.Body.Data()
	}
	return out
}

func keys(all []*bridge.Delivery) []string {
	out := make([]string, len(all))
	for i, d := range all {
		out[i] = d.Message.Key
	}
	return out
}
