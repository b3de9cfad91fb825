package connectors

import (
	"context"
	"fmt"

	"go.uber.org/zap"

	"github.com/jmsbridge/jmsbridge/bridge"
	"github.com/jmsbridge/jmsbridge/bridge/stage"
	"github.com/jmsbridge/jmsbridge/config"
	"github.com/jmsbridge/jmsbridge/connectors/jms"
	"github.com/jmsbridge/jmsbridge/connectors/jms/stomp"
)

// stompSource makes one consumer of a route.
func (s *Set) stompSource(r *config.Route) (bridge.Source, error) {
	from := r.From.JMS
	broker, err := s.broker(from.Broker)
	if err != nil {
		return nil, err
	}
	if from.Subscription != "" || from.ClientID != "" {
		broker.ClientID = s.config.ClientID(r)
	}
	return stomp.NewSource(stomp.SourceSettings{
		Broker:        broker,
		Destination:   destination(from.Queue, from.Topic),
		Subscription:  from.Subscription,
		Selector:      from.Selector,
		Prefetch:      from.Prefetch,
		MaxBytes:      int(from.PrefetchBytes),
		MaxBody:       int(from.MaxBody),
		HeartBeat:     s.config.Broker(from.Broker).HeartBeat,
		EmptyBodyText: from.EmptyBody == config.EmptyBodyText,
		Exclusive:     from.Exclusive || r.Order != config.OrderNone && from.Consumers == 1,
		Cumulative:    from.Acknowledge == config.AcknowledgeCumulative,
		Log:           s.log.With(zap.String(bridge.LogRoute, r.Name)),
	})
}

// stompSink makes a producer. answers takes what comes to its temporary queue; nil: it has none.
func (s *Set) stompSink(t *config.JMSTarget, answers func(*bridge.Message, error)) (bridge.Sink, error) {
	broker, err := s.broker(t.Broker)
	if err != nil {
		return nil, err
	}
	settings := stomp.SinkSettings{Broker: broker, HeartBeat: s.config.Broker(t.Broker).HeartBeat, Answers: answers, Log: s.log}
	kind, name := bridge.Queue, t.Queue
	if name == "" {
		kind, name = bridge.Topic, t.Topic
	}
	template, err := stage.ParseTemplate(string(name))
	if err != nil {
		return nil, fmt.Errorf("reading the destination: %w", err)
	}
	if template.IsLiteral() {
		literal, err := template.Expand(&bridge.Message{})
		if err != nil {
			return nil, fmt.Errorf("reading the destination: %w", err)
		}
		settings.Destination = bridge.Destination{Kind: kind, Name: literal}
	} else {
		settings.Route = templated(kind, template, t)
	}
	return stomp.NewSink(settings)
}

// templated returns how the destination of a message is found and judged.
func templated(kind bridge.DestinationKind, template *stage.Template, t *config.JMSTarget) func(*bridge.Outgoing) (bridge.Destination, error) {
	return func(o *bridge.Outgoing) (bridge.Destination, error) {
		name, err := template.Expand(o.Message)
		if err != nil {
			return bridge.Destination{}, fmt.Errorf("choosing the destination: %w", err)
		}
		if !t.Allows(name) {
			return bridge.Destination{}, &bridge.Error{
				Class: bridge.Permanent, Code: "DestinationNotAllowed", Err: fmt.Errorf("choosing the destination: %q is not allowed", name),
				Remedy: "add it to the target's allow list, or correct the sender",
			}
		}
		return bridge.Destination{Kind: kind, Name: name}, nil
	}
}

// broker translates a configured broker. Its password is read again at each connect.
func (s *Set) broker(name string) (jms.Broker, error) {
	b := s.config.Broker(name)
	if b == nil {
		return jms.Broker{}, fmt.Errorf("there is no broker %q", name)
	}
	broker, err := Broker(b)
	broker.Logins = &s.logins
	return broker, err
}

// Broker translates a configured broker. Its password is read again at each connect.
func Broker(b *config.Broker) (jms.Broker, error) {
	url, err := jms.ParseURL(b.URL)
	if err != nil {
		return jms.Broker{}, fmt.Errorf("broker %s: %w", b.Name, err)
	}
	username, password := b.Username, b.Password
	return jms.Broker{
		Name: b.Name,
		URL:  url,
		Credentials: func(ctx context.Context) (string, string, error) {
			secret, err := password.Reveal(ctx)
			return username, secret, err
		},
		TLS: jms.TLS{
			CAFile: b.TLS.CAFile, CertFile: b.TLS.CertFile, KeyFile: b.TLS.KeyFile, ServerName: b.TLS.ServerName,
		},
		AllowPlaintext: b.AllowPlaintext,
	}, nil
}

func destination(queue, topic string) bridge.Destination {
	if queue != "" {
		return bridge.Destination{Kind: bridge.Queue, Name: queue}
	}
	return bridge.Destination{Kind: bridge.Topic, Name: topic}
}
