package stomp

import (
	"context"
	"fmt"
	"net"
	"strconv"
	"strings"
	"time"

	"github.com/go-stomp/stomp/v3/frame"

	"github.com/jmsbridge/jmsbridge/bridge"
	"github.com/jmsbridge/jmsbridge/connectors/jms"
	"github.com/jmsbridge/jmsbridge/connectors/jms/stomp/client"
)

// probe is a connection that only looks. Its handler's methods take pointers: a copy would read conn while look sets it.
type probe struct{ conn *client.Conn }

func (*probe) Message(*client.Frame) error    { return nil } // given back by UNSUBSCRIBE
func (*probe) Failed(*client.ServerError)     {}
func (*probe) BeforeRead(<-chan struct{})     {}
func (*probe) Broken(<-chan struct{})         {}
func (*probe) AppendOutput(dst []byte) []byte { return dst }
func (*probe) Closed(error)                   {}
func (p *probe) close(ctx context.Context)    { _ = p.conn.Disconnect(ctx) } // nothing depends on it

// look connects and describes the broker.
func look(ctx context.Context, b jms.Broker, beat time.Duration) (*probe, bridge.Inspection, error) {
	p := &probe{}
	endpoint, err := b.Connect(ctx, func(ctx context.Context, nc net.Conn, e jms.Endpoint) error {
		conn, err := dialogue(ctx, b, nc, e, clientConfig(b, beat, 0), func(*client.Conn) client.Handler { return p })
		p.conn = conn
		return err
	})
	if err != nil {
		return nil, bridge.Inspection{}, err
	}
	ours, silence := p.conn.HeartBeats()
	found := bridge.Inspection{Peer: strings.TrimSpace(p.conn.Kind().String() + " " + p.conn.Version())}
	fact := func(name, value string) { found.Facts = append(found.Facts, bridge.Fact{Name: name, Value: value}) }
	fact("protocol", "STOMP 1.2")
	fact("endpoint", endpoint.String())
	fact("TLS", map[bool]string{true: "yes", false: "no"}[endpoint.TLS])
	fact("heart-beats", fmt.Sprintf("ours every %s, the broker's within %s", none(ours), none(silence)))
	warn := func(text, remedy string) {
		found.Warnings = append(found.Warnings, bridge.Warning{Text: text, Remedy: remedy})
	}
	if !endpoint.TLS && b.AllowPlaintext {
		warn("the connection to "+endpoint.String()+" may be read and changed on its way, the password too",
			"use stomp+ssl:// and remove allow_plaintext")
	}
	if p.conn.Kind() == client.Unknown {
		warn(fmt.Sprintf("the broker (server header %q) is neither ActiveMQ Classic nor Artemis, so what it does with settlement is not known", p.conn.Server()), "")
	}
	return p, found, nil
}

func none(d time.Duration) string {
	if d == 0 {
		return "none"
	}
	return d.String()
}

// Inspect dials, looks and disconnects. On a queue of Classic it also subscribes with a prefetch of 0, which proves
// the right to read and the selector without a message being sent.
func (s *Source) Inspect(ctx context.Context) (bridge.Inspection, error) {
	p, found, err := look(ctx, s.set.Broker, s.set.HeartBeat)
	if err != nil {
		return found, err
	}
	defer p.close(ctx)
	found.Warnings = append(found.Warnings, s.warnings(p.conn.Kind())...)
	if !s.looksAtRights(p.conn.Kind()) {
		return found, nil
	}
	err = p.conn.Request(ctx, func(dst []byte, receipt string) []byte {
		name, _ := spell(p.conn.Kind(), s.set.Destination)
		dst = client.AppendCommand(dst, frame.SUBSCRIBE)
		dst = client.AppendHeader(dst, frame.Id, p.conn.Subscription())
		dst = client.AppendHeader(dst, frame.Destination, name)
		dst = client.AppendHeader(dst, frame.Ack, "client-individual")
		dst = client.AppendHeader(dst, "activemq.prefetchSize", strconv.Itoa(0))
		if s.set.Selector != "" {
			dst = client.AppendHeader(dst, "selector", s.set.Selector)
		}
		dst = client.AppendHeader(dst, frame.Receipt, receipt)
		return client.AppendBody(dst, "")
	})
	if err != nil {
		return found, classifySubscribe(fmt.Errorf("subscribing to %s: %w", s.set.Destination, err))
	}
	found.Facts = append(found.Facts, bridge.Fact{Name: "right to read", Value: "yes"})
	return found, nil
}

// looksAtRights tells whether a subscription can be tried without taking anything: a consumer of a topic would get or
// create a subscription, an exclusive one would stand in line, and Artemis has no window that is closed for sure.
func (s *Source) looksAtRights(kind client.Kind) bool {
	return kind == client.Classic && s.set.Destination.Kind == bridge.Queue && !s.set.Exclusive
}

func (s *Source) warnings(kind client.Kind) []bridge.Warning {
	var all []bridge.Warning
	warn := func(text, remedy string) { all = append(all, bridge.Warning{Text: text, Remedy: remedy}) }
	name := s.set.Destination.Name
	if s.set.Destination.Kind == bridge.Topic && s.set.Subscription == "" {
		warn("a topic without a durable subscription loses what is published while the bridge is not connected",
			"write subscription: on the route and client_id: on the broker")
	}
	warn("STOMP carries no types of properties: all arrive as strings", "consume over OpenWire or AMQP where types matter")
	switch kind {
	case client.Artemis:
		warn("text and bytes only: Artemis passes a Map on as garbage, an Object empty and a Stream not at all or as garbage over STOMP, and Text and Bytes are told apart by inference",
			"consume queues with other bodies over AMQP or OpenWire")
		warn("when a connection is lost, Artemis counts a delivery of the first unsettled message, and after max-delivery-attempts (10) dead-letters it, or discards it where the address has no dead-letter address",
			"set a dead-letter address with a queue for "+name)
		warn("read rights were not looked at: whether the user may consume "+name+" shows only when it is consumed",
			"give the user CONSUME and, where the queue is not there yet, the CREATE permissions")
		if s.set.Exclusive {
			warn("order over the whole queue holds only while one connection consumes it",
				"set default-exclusive-queue on the address")
		}
		if strings.Contains(name, ">") || strings.Contains(name, ".VirtualTopic.") {
			warn(name+" is Classic's syntax, which means nothing to Artemis", "write # for >, and ADDRESS::QUEUE for a virtual topic's queue")
		}
	case client.Classic:
		if !s.looksAtRights(kind) {
			warn("read rights were not looked at: whether the user may consume "+name+" shows only when it is consumed", "give the user the right to read from it")
		}
		warn("Classic shows no message groups over STOMP", "name a property that groups: group_id: \"${.properties.NAME}\"")
		if !s.set.EmptyBodyText {
			warn("a message without body is held: it may be a Map, Stream or Object, which Classic sends as nothing over STOMP",
				"write empty_body: text if all empty messages are texts, or consume over OpenWire")
		}
		warn("messages that AMQP clients sent are held: Classic can't settle them over STOMP", "consume queues that AMQP clients send to over OpenWire")
		if strings.Contains(name, "::") || strings.Contains(name, "#") {
			warn(name+" is Artemis's syntax, which Classic takes literally", "write > for #, and Consumer.NAME.VirtualTopic.TOPIC for a virtual topic's queue")
		}
	default:
		warn("the broker's message ids may not survive a redelivery, so messages whose id doesn't begin with ID: have no key, and duplicates can't be recognised", "")
	}
	if s.set.Cumulative && kind == client.Classic {
		warn("cumulative acknowledgement: after a lost connection every message behind the oldest unfinished one comes again, up to the prefetch", "")
	}
	return all
}

// Inspect dials, looks and disconnects; nothing is sent.
func (s *Sink) Inspect(ctx context.Context) (bridge.Inspection, error) {
	p, found, err := look(ctx, s.set.Broker, s.set.HeartBeat)
	if err != nil {
		return found, err
	}
	defer p.close(ctx)
	if s.set.Answers != nil && p.conn.Kind() != client.Classic {
		return found, errNoTempQueue(p.conn.Kind())
	}
	warn := func(text, remedy string) {
		found.Warnings = append(found.Warnings, bridge.Warning{Text: text, Remedy: remedy})
	}
	to := "the destinations that messages choose"
	if s.set.Route == nil {
		to = s.set.Destination.String()
	}
	warn("write rights were not looked at: whether the user may send to "+to+" shows only when something is sent",
		"give the user the right to write there (on Classic also to create it, on Artemis SEND and, where it is not there yet, the CREATE permissions), and send a test message")
	warn("STOMP carries Text and Bytes only: messages with Map, Stream or Object bodies are refused", "")
	warn("STOMP carries no types of properties: other consumers see strings, a jmsbridge source reads the types back", "")
	if p.conn.Kind() == client.Artemis {
		warn("an address with the policy DROP discards messages when it is full, and confirms them", "use FAIL or PAGE for the target's address")
	}
	return found, nil
}
