package demo

import (
	"context"
	"fmt"
	"net"
	"time"

	"github.com/go-stomp/stomp/v3/frame"

	"github.com/jmsbridge/jmsbridge/connectors/jms/stomp/client"
	"github.com/jmsbridge/jmsbridge/connectors/jms/stomp/stomplocal"
)

// requester is an application that asks over one connection and gets its answers on a queue of its own.
type requester struct {
	queue, replyTo string
	conn           *client.Conn
	answered       func(correlation, body string)
}

// newRequester connects, and subscribes to replyTo: "/temp-queue/NAME", or a queue of which it selects its own answers.
func newRequester(ctx context.Context, b *stomplocal.Broker, queue, replyTo, selector string, answered func(correlation, body string)) (*requester, error) {
	var dialer net.Dialer
	nc, err := dialer.DialContext(ctx, "tcp", b.Address())
	if err != nil {
		return nil, fmt.Errorf("connecting a requester: %w", err)
	}
	r := &requester{queue: queue, replyTo: replyTo, answered: answered}
	r.conn, err = client.Open(ctx, nc, client.Config{Login: username, Passcode: password}, func(*client.Conn) client.Handler { return r })
	if err != nil {
		_ = nc.Close() // its error is reported
		return nil, fmt.Errorf("connecting a requester: %w", err)
	}
	err = r.conn.Request(ctx, func(dst []byte, receipt string) []byte {
		dst = client.AppendCommand(dst, frame.SUBSCRIBE)
		dst = client.AppendHeader(dst, frame.Id, r.conn.Subscription())
		dst = client.AppendHeader(dst, frame.Destination, replyTo)
		dst = client.AppendHeader(dst, frame.Ack, "auto")
		if selector != "" {
			dst = client.AppendHeader(dst, "selector", selector)
		}
		return client.AppendBody(client.AppendHeader(dst, frame.Receipt, receipt), "")
	})
	if err != nil {
		r.conn.Close()
		return nil, fmt.Errorf("subscribing to %s: %w", replyTo, err)
	}
	return r, nil
}

// ask sends a request and returns when the broker has it.
func (r *requester) ask(ctx context.Context, correlation, body string) error {
	err := r.conn.Request(ctx, func(dst []byte, receipt string) []byte {
		dst = client.AppendCommand(dst, frame.SEND)
		dst = client.AppendHeader(dst, frame.Destination, "/queue/"+r.queue)
		dst = client.AppendHeader(dst, "reply-to", r.replyTo)
		dst = client.AppendHeader(dst, "correlation-id", correlation)
		return client.AppendBody(client.AppendHeader(dst, frame.Receipt, receipt), body)
	})
	if err != nil {
		return fmt.Errorf("asking on %s: %w", r.queue, err)
	}
	return nil
}

func (r *requester) close() {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	_ = r.conn.Disconnect(ctx) // every answer has been looked at
}

// Message takes an answer; the other methods of [client.Handler] have nothing to do.
func (r *requester) Message(f *client.Frame) error {
	correlation, _ := f.Lookup("correlation-id")
	r.answered(correlation, string(f.Body()))
	return nil
}

// Failed has nothing to do: each frame asks for a receipt.
func (r *requester) Failed(*client.ServerError) {}

// BeforeRead has nothing to wait for.
func (r *requester) BeforeRead(<-chan struct{}) {}

// Broken has nothing to hand over.
func (r *requester) Broken(<-chan struct{}) {}

// AppendOutput adds nothing: the broker takes an answer for acknowledged.
func (r *requester) AppendOutput(dst []byte) []byte { return dst }

// Closed needs nothing: asking fails.
func (r *requester) Closed(error) {}
