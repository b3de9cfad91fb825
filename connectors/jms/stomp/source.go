package stomp

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"
	"sync"
	"sync/atomic"

	"github.com/go-stomp/stomp/v3/frame"
	"go.uber.org/zap"

	"github.com/jmsbridge/jmsbridge/bridge"
	"github.com/jmsbridge/jmsbridge/connectors/jms"
	"github.com/jmsbridge/jmsbridge/connectors/jms/stomp/client"
)

// Source consumes one destination over one connection with one subscription. It implements [bridge.Source],
// [bridge.Remarker] and [bridge.Inspector].
type Source struct {
	set     SourceSettings
	history history
	// individual tells that cumulative acknowledgement had to be given up.
	individual atomic.Bool
	// told says that the log has the limits of this wire on Artemis.
	told atomic.Bool

	mu  sync.Mutex
	sub *subscription // nil: not connected
}

// NewSource returns a source that is not connected yet. An error says what of the settings can't be.
func NewSource(set SourceSettings) (*Source, error) {
	if err := set.check(); err != nil {
		return nil, err
	}
	if set.MaxBytes <= 0 {
		set.MaxBytes = defaultMaxBytes
	}
	if set.Log == nil {
		set.Log = zap.NewNop()
	}
	return &Source{set: set}, nil
}

// Connect makes one attempt at the broker's endpoints and subscribes. It follows the contract of [bridge.Source].
func (s *Source) Connect(ctx context.Context, credit int) error {
	if old := s.current(); old != nil {
		old.conn.Close()
		s.replace(nil)
	}
	credit = max(credit, 1)
	if s.set.Prefetch > 0 {
		credit = min(credit, s.set.Prefetch)
	}
	var sub *subscription
	endpoint, err := s.set.Broker.Connect(ctx, func(ctx context.Context, nc net.Conn, e jms.Endpoint) error {
		opened, err := s.open(ctx, nc, e, credit)
		sub = opened
		return err
	})
	if err != nil {
		return s.history.refused(err)
	}
	if sub.kind == client.Artemis && s.told.CompareAndSwap(false, true) {
		// First of all, for nothing later tells of a message that this wire garbles or leaves at the broker.
		s.set.Log.Warn("text and bytes only: artemis does not tell map, stream and object bodies over stomp",
			zap.String(bridge.LogBroker, s.set.Broker.Name))
	}
	if err := s.subscribe(ctx, sub); err != nil {
		sub.conn.Close()
		return s.history.refused(fmt.Errorf("subscribing to %s: %w", s.set.Destination, err))
	}
	s.history.connected()
	s.replace(sub)
	s.set.Log.Info("subscribed", zap.String(bridge.LogBroker, s.set.Broker.Name), zap.Stringer(bridge.LogEndpoint, endpoint),
		zap.String("server", sub.conn.Server()), zap.Stringer("destination", s.set.Destination), zap.Int("credit", credit))
	return nil
}

// open speaks the handshake.
func (s *Source) open(ctx context.Context, nc net.Conn, e jms.Endpoint, credit int) (*subscription, error) {
	var sub *subscription
	cfg := clientConfig(s.set.Broker, s.set.HeartBeat, s.set.MaxBody)
	_, err := dialogue(ctx, s.set.Broker, nc, e, cfg,
		func(c *client.Conn) client.Handler {
			sub = newSubscription(s, c, credit)
			return sub
		})
	return sub, err
}

// subscribe sends SUBSCRIBE and waits for its receipt: on Classic the broker opens the window only after it.
func (s *Source) subscribe(ctx context.Context, sub *subscription) error {
	ctx, cancel := context.WithTimeout(ctx, jms.HandshakeTimeout)
	defer cancel()
	err := sub.conn.Request(ctx, func(dst []byte, receipt string) []byte {
		name, routing := spell(sub.kind, s.set.Destination)
		dst = client.AppendCommand(dst, frame.SUBSCRIBE)
		dst = client.AppendHeader(dst, frame.Id, sub.id)
		dst = client.AppendHeader(dst, frame.Destination, name)
		dst = client.AppendHeader(dst, frame.Ack, sub.ackMode())
		if s.set.Selector != "" {
			dst = client.AppendHeader(dst, "selector", s.set.Selector)
		}
		switch sub.kind {
		case client.Artemis:
			dst = client.AppendHeader(dst, "subscription-type", routing)
			dst = client.AppendHeader(dst, "consumer-window-size", strconv.Itoa(sub.window))
			if s.set.Subscription != "" {
				dst = client.AppendHeader(dst, "durable-subscription-name", client.ArtemisName(s.set.Subscription))
			}
		default:
			dst = client.AppendHeader(dst, "activemq.prefetchSize", strconv.Itoa(sub.credit))
			if sub.kind == client.Unknown {
				dst = client.AppendHeader(dst, "prefetch-count", strconv.Itoa(sub.credit)) // RabbitMQ's word
			}
			if s.set.Subscription != "" {
				dst = client.AppendHeader(dst, "activemq.subscriptionName", s.set.Subscription)
			}
			if s.set.Exclusive {
				dst = client.AppendHeader(dst, "activemq.exclusive", "true")
			}
		}
		dst = client.AppendHeader(dst, frame.Receipt, receipt)
		return client.AppendBody(dst, "")
	})
	return classifySubscribe(err)
}

// Receive follows the contract of [bridge.Source].
func (s *Source) Receive(ctx context.Context, dst []*bridge.Delivery) (int, error) {
	sub := s.current()
	if sub == nil {
		return 0, fmt.Errorf("receiving from %s: %w", s.set.Destination, bridge.ErrNotConnected)
	}
	n, err := sub.receive(ctx, dst)
	if err != nil && ctx.Err() == nil {
		err = s.history.lost(err)
	}
	return n, err
}

// Close follows the contract of [bridge.Source]: the verdicts first, then UNSUBSCRIBE, which gives back everything else
// without counting it on either broker, then DISCONNECT, each proven by a receipt.
func (s *Source) Close(ctx context.Context) error {
	sub := s.current()
	if sub == nil {
		return nil
	}
	s.replace(nil)
	sub.leave()
	defer sub.conn.Close()
	if sub.Lost() {
		return nil // the broker has taken everything back already
	}
	err := sub.conn.Request(ctx, func(dst []byte, receipt string) []byte {
		dst = sub.AppendOutput(dst) // the verdicts go first
		dst = client.AppendCommand(dst, frame.UNSUBSCRIBE)
		dst = client.AppendHeader(dst, frame.Id, sub.id)
		dst = client.AppendHeader(dst, frame.Receipt, receipt)
		return client.AppendBody(dst, "")
	})
	if err == nil {
		err = sub.conn.Disconnect(ctx)
	}
	if err != nil {
		return fmt.Errorf("closing the subscription to %s: %w", s.set.Destination, classify(err, sub.kind))
	}
	return nil
}

// cumulative tells whether a connection acknowledges finished prefixes.
func (s *Source) cumulative(kind client.Kind) bool {
	return s.set.Cumulative && kind == client.Classic && !s.individual.Load()
}

// Remarks follows the contract of [bridge.Remarker].
func (s *Source) Remarks() []string {
	var all []string
	if s.individual.Load() {
		all = append(all, "cumulative acknowledgement is off, because a message must be held")
	}
	sub := s.current()
	if sub == nil {
		return all
	}
	sub.mu.Lock()
	defer sub.mu.Unlock()
	if n := sub.verdicts.behind(); n > sub.credit/2 {
		all = append(all, fmt.Sprintf("%d finished messages wait behind one that is not finished, because acknowledgement is cumulative", n))
	}
	if n := sub.credits.missing(); n > 0 {
		all = append(all, fmt.Sprintf("suspected StreamMessages: the broker stops sending %d bytes before the window is full and goes on at each acknowledgement, as if Artemis kept back what it can't deliver over STOMP; consume the queue over OpenWire, unless its senders wait for answers", n))
	}
	return all
}

func (s *Source) current() *subscription {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.sub
}

func (s *Source) replace(sub *subscription) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.sub = sub
}

var errForeign = errors.New("a MESSAGE names no subscription of ours: a text body may hold a NUL and what looks like a frame")
