package reply

import (
	"context"
	"time"

	"github.com/jmsbridge/jmsbridge/bridge"
)

// Asker asks responders that answer over an SQS queue.
type Asker struct {
	Sealer   *Sealer
	Allow    *Allow
	QueueURL func() string // where they answer; known once the target is connected
	Timeout  time.Duration // of a request without a JMSExpiration
	Route    string
	Broker   string
}

// Ask is what [bridge.TargetSettings].Ask wants: the sealed token of a request; nil for one that wants no reply. A
// destination that is not allowed is an error, so that nobody works for an answer that can't be given.
func (a *Asker) Ask(request *bridge.Message, received time.Time) (*bridge.Ask, error) {
	if request.ReplyTo.IsZero() {
		return nil, nil //nolint:nilnil // the engine's word for: no answer is wanted
	}
	if err := a.Allow.Check(request.ReplyTo); err != nil {
		return nil, err
	}
	deadline := request.Expiration
	if deadline.IsZero() {
		deadline = received.Add(a.Timeout)
	}
	token := a.Sealer.Seal(&Token{
		Destination: request.ReplyTo, CorrelationID: Correlation(request), RequestKey: request.Key,
		Persistent: request.Persistent, Priority: request.Priority, Deadline: deadline, Route: a.Route, Broker: a.Broker,
	})
	return &bridge.Ask{CorrelationID: token, QueueURL: a.QueueURL(), Deadline: deadline}, nil
}

// Gate is a stage that refuses requests whose reply may not go where they want it, so that nobody works for an answer
// that can't be given.
type Gate struct{ Allow *Allow }

// Process implements [bridge.Stage].
func (g Gate) Process(_ context.Context, m *bridge.Message) (*bridge.Message, error) {
	if m.ReplyTo.IsZero() {
		return m, nil
	}
	if err := g.Allow.Check(m.ReplyTo); err != nil {
		return nil, err
	}
	return m, nil
}

// Hidden is a stage that keeps a request's reply destination and correlation id from its responder, for the token
// stands in for them.
type Hidden struct{}

// Process implements [bridge.Stage].
func (Hidden) Process(_ context.Context, m *bridge.Message) (*bridge.Message, error) {
	if m.ReplyTo.IsZero() {
		return m, nil
	}
	out := *m
	out.ReplyTo, out.CorrelationID = bridge.Destination{}, ""
	return &out, nil
}

// Opened is the stage of the way back: it makes the reply of an answer that came over the reply queue.
type Opened struct {
	Maker  *Maker
	Sealer *Sealer
	Route  string
	// Late and Forged are called for each answer that is; nil: nobody counts.
	Late, Forged func()
}

// Process implements [bridge.Stage]: nil for an answer that comes too late.
func (o *Opened) Process(_ context.Context, answer *bridge.Message) (*bridge.Message, error) {
	t, err := o.Sealer.Open(answer.CorrelationID)
	if err == nil && t.Route != o.Route {
		err = ErrForged
	}
	if err != nil {
		count(o.Forged)
		return nil, err
	}
	if !time.Now().Before(t.Deadline) {
		count(o.Late)
		return nil, nil //nolint:nilnil // the engine's word for: drop
	}
	request := &bridge.Message{
		Key: t.exchange(answer.CorrelationID), CorrelationID: t.CorrelationID, ReplyTo: t.Destination, Priority: t.Priority, Persistent: t.Persistent,
	}
	return o.Maker.Reply(request, answer, t.Deadline)
}

func count(f func()) {
	if f != nil {
		f()
	}
}
