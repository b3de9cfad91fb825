package stomp

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"go.uber.org/zap"

	"github.com/jmsbridge/jmsbridge/bridge"
	"github.com/jmsbridge/jmsbridge/connectors/jms"
	"github.com/jmsbridge/jmsbridge/connectors/jms/stomp/client"
)

// SourceSettings say what a [Source] consumes. The zero value of a field is its default.
type SourceSettings struct {
	Broker jms.Broker
	// Destination is a Queue or a Topic with its bare name, in the broker's own syntax for wildcards (Classic: * and >;
	// Artemis: * and #) and virtual topics (Classic: Consumer.NAME.VirtualTopic.TOPIC; Artemis: ADDRESS::QUEUE).
	Destination bridge.Destination
	// Subscription is the name of a durable subscription of a Topic; "": none. It needs Broker.ClientID.
	Subscription string
	// Selector is a JMS selector that the broker applies; "": all messages. All properties are strings on Artemis:
	// a number is compared there by the prefix convert_string_expressions:.
	Selector string
	// Prefetch is the most messages that the broker sends ahead of settlement, within the credit of Connect; 0: the
	// credit.
	Prefetch int
	// MaxBytes is how many bytes may wait here for Receive before the socket is no longer read, and on Artemis the
	// window that the broker is told; 0: 8 MiB.
	MaxBytes int
	// MaxBody is the largest body in bytes; 0: 16 MiB. A longer one is held with that reason.
	MaxBody int
	// EmptyBodyText takes a Classic message with neither body nor content-length for an empty Text. Else it is held,
	// for it may be a Map, Stream or Object that this wire can't carry.
	EmptyBodyText bool
	// Exclusive asks Classic to send to this consumer alone while it lives. Artemis knows that only as a setting of
	// the queue (default-exclusive-queue).
	Exclusive bool
	// Cumulative acknowledges finished prefixes with one frame, on Classic only. A message that waits keeps all after
	// it unacknowledged, and a lost connection brings all of those again.
	Cumulative bool
	// HeartBeat is the interval offered both ways; 0: 10 s.
	HeartBeat time.Duration
	// Log takes what concerns the connection, never messages; nil: nothing.
	Log *zap.Logger
}

const defaultMaxBytes = 8 << 20

func (s SourceSettings) check() error {
	if err := checkBroker(s.Broker); err != nil {
		return err
	}
	switch {
	case s.Destination.Kind != bridge.Queue && s.Destination.Kind != bridge.Topic:
		return errors.New("the source needs a queue or a topic")
	case s.Subscription != "" && s.Destination.Kind != bridge.Topic:
		return errors.New("a subscription is of a topic; a queue keeps its messages without one")
	case s.Subscription != "" && s.Broker.ClientID == "":
		return errors.New("a durable subscription needs a client id")
	case s.Cumulative && s.Destination.Kind == bridge.Topic && s.Subscription == "":
		return errors.New("cumulative acknowledgement is for queues and durable subscriptions")
	}
	return checkName(s.Destination.Name)
}

func checkBroker(b jms.Broker) error {
	if len(b.URL.Endpoints) == 0 {
		return fmt.Errorf("broker %q has no URL", b.Name)
	}
	return b.URL.Require(jms.STOMP)
}

// checkName refuses destination names that no frame can carry or that mean nothing.
func checkName(name string) error {
	if name == "" {
		return errors.New("the destination has no name")
	}
	if strings.ContainsAny(name, "\x00\r\n") {
		return fmt.Errorf("the destination name %q holds a line break or a NUL", name)
	}
	return nil
}

// SinkSettings say where a [Sink] sends to. The zero value of a field is its default.
type SinkSettings struct {
	Broker jms.Broker
	// Destination is a Queue or a Topic with its bare name; zero: each message goes to its own Message.Destination, of any
	// kind, which is how replies find their requesters. It is not read when Route is set.
	Destination bridge.Destination
	// Route chooses the destination of each message (a template); nil: Destination. Where messages have destinations of
	// their own, a missing or forbidden one is Permanent for that message instead of Fatal, and so is an error of Route
	// that has no class.
	Route func(*bridge.Outgoing) (bridge.Destination, error)
	// Calls is how many calls of Send may run at once, Messages how many messages one may hold; 0: 8 and 64. Their
	// product is the most receipts in flight.
	Calls, Messages int
	// Answers takes what comes to the temporary queue of the sink's own connection, which a message names as its ReplyTo by
	// [AnswerQueue]; an error says that the message can't be read. It must return soon. nil: there is no such queue.
	// Classic alone knows one over STOMP: on another broker Connect fails.
	Answers func(m *bridge.Message, err error)
	// HeartBeat is the interval offered both ways; 0: 10 s.
	HeartBeat time.Duration
	// Log takes what concerns the connection, never messages; nil: nothing.
	Log *zap.Logger
}

func (s SinkSettings) check() error {
	if err := checkBroker(s.Broker); err != nil {
		return err
	}
	if s.Route != nil || s.Destination.IsZero() {
		return nil
	}
	if s.Destination.Kind != bridge.Queue && s.Destination.Kind != bridge.Topic {
		return errors.New("the target needs a queue or a topic")
	}
	return checkTarget(s.Destination)
}

// checkTarget refuses what is no single destination: brokers take composites, wildcards and options from any sender, on
// Classic under the prefix of a temporary queue too.
func checkTarget(d bridge.Destination) error {
	if err := checkName(d.Name); err != nil {
		return err
	}
	if strings.ContainsAny(d.Name, ",*>#?") {
		return fmt.Errorf("the destination name %q holds one of , * > # ? and so is not one destination", d.Name)
	}
	return nil
}

func clientConfig(b jms.Broker, beat time.Duration, maxBody int) client.Config {
	return client.Config{ClientID: b.ClientID, HeartBeat: beat, Limits: client.Limits{Body: maxBody}}
}
