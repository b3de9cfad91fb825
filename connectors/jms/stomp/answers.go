package stomp

import (
	"context"
	"errors"
	"fmt"

	"github.com/go-stomp/stomp/v3/frame"

	"github.com/jmsbridge/jmsbridge/bridge"
	"github.com/jmsbridge/jmsbridge/connectors/jms"
	"github.com/jmsbridge/jmsbridge/connectors/jms/stomp/client"
)

// A temporary queue belongs to the connection that names it, and ends with it. Classic makes one of any name under
// /temp-queue/, shows it to everybody else as a JMS temporary queue, and knows it as the sender's own in reply-to. So the
// answers come back over the connection that asked. Artemis takes such a name for the address of an ordinary queue, which
// would stay.

// ownPrefix begins the name of a temporary queue of the connection that says it.
const ownPrefix = "/temp-queue/"

// AnswerQueue is the ReplyTo of a message that is answered to the sink itself: see [SinkSettings].Answers.
func AnswerQueue() bridge.Destination {
	return bridge.Destination{Kind: bridge.TempQueue, Name: "jmsbridge.answers"}
}

// errNoTempQueue refuses to be answered at a temporary queue where the wire has none.
func errNoTempQueue(kind client.Kind) error {
	return &bridge.Error{
		Class: bridge.Fatal, Code: "no-temporary-queue", Err: fmt.Errorf("%s has no temporary queues over STOMP, and no queue for answers is configured", kind),
		Remedy: "write queue: beside broker: in reply.from.jms",
	}
}

// hearAnswers subscribes to the connection's temporary queue. What arrives counts as settled: when the connection ends,
// the queue and all in it end as well, so nothing could come again.
func (l *lane) hearAnswers(ctx context.Context) error {
	if l.conn.Kind() != client.Classic {
		return errNoTempQueue(l.conn.Kind())
	}
	ctx, cancel := context.WithTimeout(ctx, jms.HandshakeTimeout)
	defer cancel()
	err := l.conn.Request(ctx, func(dst []byte, receipt string) []byte {
		dst = client.AppendCommand(dst, frame.SUBSCRIBE)
		dst = client.AppendHeader(dst, frame.Id, l.conn.Subscription())
		dst = client.AppendHeader(dst, frame.Destination, ownPrefix+AnswerQueue().Name)
		dst = client.AppendHeader(dst, frame.Ack, "auto")
		dst = client.AppendHeader(dst, frame.Receipt, receipt)
		return client.AppendBody(dst, "")
	})
	if err != nil {
		return fmt.Errorf("subscribing to a temporary queue: %w", classifySubscribe(err))
	}
	return nil
}

// Message takes an answer. A sink that expects none refuses what comes.
func (l *lane) Message(f *client.Frame) error {
	take := l.sink.set.Answers
	if take == nil {
		return errForeign
	}
	d, err := l.decode.delivery(f, l.conn.Subscription())
	if err != nil {
		return err
	}
	if d.Hold != nil && !errors.Is(d.Hold, errAMQPSent) { // that only stands in the way of an ACK
		take(&d.Message, d.Hold)
		return nil
	}
	take(&d.Message, nil)
	return nil
}

// Ask is Send, and returns what is closed when the connection over which answers come back has ended; nil: nothing was
// sent over any.
func (s *Sink) Ask(ctx context.Context, batch []bridge.Outgoing, res []bridge.Result) (ended <-chan struct{}, err error) {
	l := s.lane.Load()
	if l == nil {
		return nil, fmt.Errorf("sending: %w", bridge.ErrNotConnected)
	}
	s.send(ctx, l, batch, res)
	return l.ended, nil
}
