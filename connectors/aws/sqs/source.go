package sqs

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"go.uber.org/zap"

	"github.com/jmsbridge/jmsbridge/bridge"
	"github.com/jmsbridge/jmsbridge/connectors/aws"
)

const (
	receiveMost       = 10 // messages of one ReceiveMessage (SQS API reference)
	defaultVisibility = 30 * time.Second
	defaultWait       = 20 * time.Second
	// maxReceived bounds an answer to ReceiveMessage: ten messages of 1 MiB, with room for what JSON escapes.
	maxReceived = 32 << 20
)

// SourceSettings say which queue a source receives from.
type SourceSettings struct {
	// Client reaches AWS. It is shared, and not closed by the source.
	Client *aws.Client
	// Queue is the queue's name, URL or ARN.
	Queue string
	// Visibility is how long a message stays hidden from others at a time; 0: 30 s. It is extended while the message is
	// worked on, up to SQS's own limit of 12 hours.
	Visibility time.Duration
	// Wait is how long a receive call waits for a message; 0: 20 s, the most that SQS allows.
	Wait time.Duration
	// Log takes what an operator should know; nil: nothing is logged.
	Log *zap.Logger
}

// Source receives from one queue. It is a [bridge.Source], a [bridge.Inspector] and a [bridge.Remarker].
//
// A message is deleted after its verdict; until then its visibility is extended. What has no verdict at Close is made
// visible at once. SQS counts a delivery for each receive: its own redrive policy should allow some.
type Source struct {
	settings SourceSettings
	sink     *Sink // to look the queue up with; it sends nothing

	mu      sync.Mutex
	now     *subscription // nil: not connected
	remarks []string
}

var (
	_ bridge.Source    = (*Source)(nil)
	_ bridge.Inspector = (*Source)(nil)
	_ bridge.Remarker  = (*Source)(nil)
)

// NewSource returns a source. It dials nothing yet.
func NewSource(s SourceSettings) (*Source, error) {
	sink, err := NewSink(SinkSettings{Client: s.Client, Queue: s.Queue, Log: s.Log})
	if err != nil {
		return nil, err
	}
	if s.Visibility <= 0 {
		s.Visibility = defaultVisibility
	}
	if s.Wait <= 0 {
		s.Wait = defaultWait
	}
	if s.Log == nil {
		s.Log = zap.NewNop()
	}
	return &Source{settings: s, sink: sink}, nil
}

// Connect looks up the queue and begins to receive.
func (s *Source) Connect(ctx context.Context, credit int) error {
	found, err := s.sink.look(ctx)
	if err != nil {
		return fmt.Errorf("connecting to queue %s: %w", s.settings.Queue, err)
	}
	sub := &subscription{
		source: s, url: found.url, credit: max(credit, 1), open: map[uint64]*receipt{},
		arrived: make(chan struct{}, 1), room: make(chan struct{}, 1), verdicts: make(chan struct{}, 1),
	}
	for target, caller := range map[string]**aws.Caller{
		"ReceiveMessage": &sub.receive, "DeleteMessageBatch": &sub.remove, "ChangeMessageVisibilityBatch": &sub.change,
	} {
		if *caller, err = s.settings.Client.Caller(found.lookups.endpoint, "AmazonSQS."+target); err != nil {
			return err
		}
	}
	sub.receive.MaxAnswer, sub.receive.Patient = maxReceived, true
	sub.start()
	s.mu.Lock()
	s.now, s.remarks = sub, found.remarks
	s.mu.Unlock()
	return nil
}

func (s *Source) current() *subscription {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.now
}

// Receive waits for a message.
func (s *Source) Receive(ctx context.Context, dst []*bridge.Delivery) (int, error) {
	sub := s.current()
	if sub == nil {
		return 0, fmt.Errorf("receiving from queue %s: %w", s.settings.Queue, bridge.ErrNotConnected)
	}
	for {
		n, err := sub.take(dst)
		if n > 0 || err != nil {
			return n, err
		}
		select {
		case <-sub.arrived:
		case <-ctx.Done():
			return 0, ctx.Err()
		}
	}
}

// Close deletes what is settled, makes the rest visible, and stops receiving.
func (s *Source) Close(ctx context.Context) error {
	s.mu.Lock()
	sub := s.now
	s.now = nil
	s.mu.Unlock()
	if sub == nil {
		return nil
	}
	return sub.close(ctx)
}

// Inspect looks at the queue. It receives nothing.
func (s *Source) Inspect(ctx context.Context) (bridge.Inspection, error) {
	in, err := s.sink.Inspect(ctx)
	if err != nil {
		return in, err
	}
	f, err := s.sink.look(ctx)
	if err != nil || f.attributes == nil {
		return in, err
	}
	waiting := f.attributes.number("ApproximateNumberOfMessages", -1)
	if waiting >= 0 {
		in.Facts = append(in.Facts, bridge.Fact{Name: "messages waiting, about", Value: fmt.Sprint(waiting)})
	}
	if f.attributes["RedrivePolicy"] != "" {
		in.Warnings = append(in.Warnings, bridge.Warning{
			Text:   "the queue's own redrive policy counts receives, and a restart or an outage receives again what was not deleted",
			Remedy: "let maxReceiveCount be large, such as 100: the route has a dead letter of its own",
		})
	}
	return in, nil
}

// Remarks returns what the connection found that the operator should see.
func (s *Source) Remarks() []string {
	s.mu.Lock()
	remarks, sub := s.remarks, s.now
	s.mu.Unlock()
	if sub == nil {
		return remarks
	}
	sub.mu.Lock()
	defer sub.mu.Unlock()
	if sub.trouble != "" {
		remarks = append(remarks[:len(remarks):len(remarks)], sub.trouble)
	}
	return remarks
}

var errClosed = errors.New("the source is closed")
