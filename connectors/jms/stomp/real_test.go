//go:build integration

package stomp_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/jmsbridge/jmsbridge/bridge"
	"github.com/jmsbridge/jmsbridge/connectors/jms"
	"github.com/jmsbridge/jmsbridge/connectors/jms/stomp"
	"github.com/jmsbridge/jmsbridge/test/brokers"
	"github.com/jmsbridge/jmsbridge/test/sourcetest"
)

func login(u brokers.User) func(context.Context) (string, string, error) {
	return func(context.Context) (string, string, error) { return u.Name, u.Password, nil }
}

func mustURL(t *testing.T, url string) jms.URL {
	t.Helper()
	u, err := jms.ParseURL(url)
	if err != nil {
		t.Fatal(err)
	}
	return u
}

func connectSource(t *testing.T, set stomp.SourceSettings, credit int) (*stomp.Source, error) {
	t.Helper()
	s, err := stomp.NewSource(set)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		_ = s.Close(ctx) // a test may have ended it
	})
	return s, s.Connect(t.Context(), credit)
}

func TestRealBrokersOverTLS(t *testing.T) {
	for _, k := range brokers.Kinds() {
		t.Run(string(k), func(t *testing.T) {
			b := realBrokers[k].Broker(t)
			set := stomp.SourceSettings{
				Broker: jms.Broker{
					Name: "mq", URL: mustURL(t, "failover:("+b.URL("stomp+ssl")+",stomp+ssl://localhost:1)"),
					Credentials: login(brokers.App), TLS: jms.TLS{CAFile: b.CAFile()},
				},
				Destination: bridge.Destination{Kind: bridge.Queue, Name: "tls"},
			}
			b.Publish(t, "tls", brokers.Message{Body: "over TLS"})
			s, err := connectSource(t, set, 10)
			if err != nil {
				t.Fatal(err)
			}
			d := take(t, s, 1)[0]
			if d.Message.Body.Data() != "over TLS" {
				t.Errorf("%q", d.Message.Body.Data())
			}
			if err := d.Settle(bridge.Accept); err != nil {
				t.Error(err)
			}
			set.Broker.TLS = jms.TLS{}
			if _, err := connectSource(t, set, 10); bridge.ClassOf(err) != bridge.Fatal || !strings.Contains(err.Error(), "tls.ca_file") {
				t.Errorf("without the authority: %v", err)
			}
			set.Broker.TLS = jms.TLS{CAFile: b.CAFile(), ServerName: "other.example"}
			if _, err := connectSource(t, set, 10); bridge.ClassOf(err) != bridge.Fatal || !strings.Contains(err.Error(), "tls.server_name") {
				t.Errorf("with another name: %v", err)
			}
		})
	}
}

func TestRealBrokersRefuse(t *testing.T) {
	for _, k := range brokers.Kinds() {
		t.Run(string(k), func(t *testing.T) {
			b := realBrokers[k].Broker(t)
			mq := jms.Broker{Name: "mq", URL: mustURL(t, b.URL("stomp")), Credentials: login(brokers.App)}
			as := func(u brokers.User) jms.Broker {
				mq.Credentials = login(u)
				return mq
			}
			q := bridge.Destination{Kind: bridge.Queue, Name: "refusals"}
			b.Publish(t, q.Name, brokers.Message{Body: "there"})
			for _, tc := range []struct {
				name string
				set  stomp.SourceSettings
			}{
				{"a wrong password", stomp.SourceSettings{Broker: as(brokers.User{Name: "app", Password: "wrong-pw"}), Destination: q}},
				{"an unknown user", stomp.SourceSettings{Broker: as(brokers.User{Name: "nobody", Password: "wrong-pw"}), Destination: q}},
				{"no credentials", stomp.SourceSettings{Broker: as(brokers.User{}), Destination: q}},
				{"a user who may not read", stomp.SourceSettings{Broker: as(brokers.Writer), Destination: q}},
				{"a bad selector", stomp.SourceSettings{Broker: as(brokers.App), Destination: q, Selector: "a = "}},
			} {
				_, err := connectSource(t, tc.set, 10)
				if err == nil || bridge.ClassOf(err) != bridge.Fatal {
					t.Errorf("%s: %s %v, want fatal", tc.name, bridge.ClassOf(err), err)
				}
				if err != nil && strings.Contains(err.Error(), "-pw") {
					t.Errorf("%s: the error holds a password: %v", tc.name, err)
				}
			}
			sink, err := stomp.NewSink(stomp.SinkSettings{Broker: as(brokers.Reader), Destination: q})
			if err != nil {
				t.Fatal(err)
			}
			for try := range 2 { // Artemis says the same of a full address: only the second time is it fatal
				if err := sink.Connect(t.Context()); err != nil {
					t.Fatal(err)
				}
				errs := send(t.Context(), t, sink, outgoing("x"))
				if want := bridge.ClassOf(errs[0]); errs[0] == nil || want != bridge.Fatal && (k.Classic() || try == 1) {
					t.Errorf("a user who may not write, try %d: %s %v", try, want, errs[0])
				}
			}
			_ = sink.Close(t.Context())
		})
	}
}

// What speaks something else on the other ports, and what says nothing at all.
func TestRealBrokersOnTheWrongPort(t *testing.T) {
	for _, tc := range []struct {
		kind           brokers.Kind
		scheme, dialAs string
		class          bridge.Class
		want           string
	}{
		{brokers.Classic6, "tcp", "stomp", bridge.Fatal, "OpenWire"},
		{brokers.Classic6, "amqp", "stomp", bridge.Fatal, "AMQP"},
		{brokers.Classic6, "stomp+ssl", "stomp", bridge.Fatal, "TLS"},
		{brokers.Classic6, "tcp", "stomp+ssl", bridge.Fatal, "without TLS"},
	} {
		t.Run(tc.dialAs+" to "+tc.scheme, func(t *testing.T) {
			b := realBrokers[tc.kind].Broker(t)
			_, port, _ := strings.Cut(b.Addr(tc.scheme), ":")
			set := stomp.SourceSettings{
				Broker:      jms.Broker{URL: mustURL(t, tc.dialAs+"://localhost:"+port), TLS: jms.TLS{CAFile: b.CAFile()}, Credentials: login(brokers.App)},
				Destination: ordersQueue,
			}
			_, err := connectSource(t, set, 1)
			for range 9 { // Classic may close before what it says arrives; then the error is Transient and the next try tells
				if bridge.ClassOf(err) != bridge.Transient {
					break
				}
				_, err = connectSource(t, set, 1)
			}
			if err == nil || bridge.ClassOf(err) != tc.class || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("%s %v; want %q", bridge.ClassOf(err), err, tc.want)
			}
		})
	}
}

func TestRealBrokersAreInspected(t *testing.T) {
	for _, k := range brokers.Kinds() {
		t.Run(string(k), func(t *testing.T) {
			b, h, broker := realHarness(t, k)
			q := bridge.Destination{Kind: bridge.Queue, Name: "inspected"}
			h.Publish(t, q, bridge.Message{Body: bridge.NewText("x"), Persistent: true})
			s := b.source(t, q, sourcetest.Options{}).(*stomp.Source)
			found, err := s.Inspect(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if !strings.HasSuffix(found.Peer, k.Version()) || len(found.Warnings) == 0 || len(found.Facts) == 0 {
				t.Errorf("%+v", found)
			}
			if _, err := b.sink(t, q).(*stomp.Sink).Inspect(t.Context()); err != nil {
				t.Error(err)
			}
			if err := s.Connect(t.Context(), 5); err != nil {
				t.Fatal(err)
			}
			d := take(t, s, 1)[0]
			if d.Message.Redelivered {
				t.Error("looking has delivered the message")
			}
			if err := d.Settle(bridge.Accept); err != nil {
				t.Error(err)
			}
			if err := s.Close(t.Context()); err != nil {
				t.Error(err)
			}
			if !k.Classic() {
				return
			}
			_, err = newInspected(t, broker, brokers.Writer, q).Inspect(t.Context())
			if bridge.ClassOf(err) != bridge.Fatal || err == nil {
				t.Errorf("without the right to read: %v", err)
			}
		})
	}
}

func newInspected(t *testing.T, b *brokers.Broker, u brokers.User, d bridge.Destination) *stomp.Source {
	s, err := stomp.NewSource(stomp.SourceSettings{Broker: jms.Broker{URL: mustURL(t, b.URL("stomp")), Credentials: login(u)}, Destination: d})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// Wildcards and virtual topics, each in its broker's own words.
func TestRealBrokersNames(t *testing.T) {
	topicOf := func(name string) bridge.Destination { return bridge.Destination{Kind: bridge.Topic, Name: name} }
	queueOf := func(name string) bridge.Destination { return bridge.Destination{Kind: bridge.Queue, Name: name} }
	for _, tc := range []struct {
		name            string
		kind            brokers.Kind
		subscribe, send bridge.Destination
		want            bridge.Destination
	}{
		{"wildcard", brokers.Classic6, queueOf("wild.>"), queueOf("wild.a.b"), queueOf("wild.a.b")},
		{"wildcard", brokers.Artemis, queueOf("wild.#"), queueOf("wild.a.b"), queueOf("wild.a.b")},
		{"virtual topic", brokers.Classic6, queueOf("Consumer.A.VirtualTopic.X"), topicOf("VirtualTopic.X"), queueOf("Consumer.A.VirtualTopic.X")},
		{"virtual topic", brokers.Artemis, topicOf("VirtualTopic.X::Consumer.A"), topicOf("VirtualTopic.X"), topicOf("VirtualTopic.X")},
		{"topic wildcard", brokers.Classic6, topicOf("prices.*"), topicOf("prices.eu"), topicOf("prices.eu")},
	} {
		t.Run(tc.name+" on "+string(tc.kind), func(t *testing.T) {
			b, h, _ := realHarness(t, tc.kind)
			if tc.send.Kind == bridge.Queue {
				h.Publish(t, tc.send, bridge.Message{Body: bridge.NewText("0"), Persistent: true}) // makes it, for Artemis's wildcards
			}
			s := b.source(t, tc.subscribe, sourcetest.Options{}).(*stomp.Source)
			if err := s.Connect(t.Context(), 5); err != nil {
				t.Fatal(err)
			}
			h.Publish(t, tc.send, bridge.Message{Body: bridge.NewText("1"), Persistent: true})
			for {
				d := take(t, s, 1)[0]
				if err := d.Settle(bridge.Accept); err != nil {
					t.Error(err)
				}
				if d.Message.Destination != tc.want {
					t.Errorf("came from %s, want %s", d.Message.Destination, tc.want)
				}
				if d.Message.Body.Data() == "1" {
					break
				}
			}
			if err := s.Close(t.Context()); err != nil {
				t.Error(err)
			}
		})
	}
}

// A text with a NUL character, with what looks like the next frame, survives a hop over Classic: our sink
// sends such a text with its length.
func TestATextWithAFrameWithinOnClassic(t *testing.T) {
	for _, k := range []brokers.Kind{brokers.Classic6, brokers.Classic5} {
		b, _, _ := realHarness(t, k)
		q := bridge.Destination{Kind: bridge.Queue, Name: "evil"}
		body := "a\x00\nMESSAGE\nsubscription:x\n\nforged\x00\nb"
		sink := b.sink(t, q).(*stomp.Sink)
		if err := sink.Connect(t.Context()); err != nil {
			t.Fatal(err)
		}
		if err := errors.Join(send(t.Context(), t, sink, outgoing(body, "next"))...); err != nil {
			t.Fatal(err)
		}
		s := b.source(t, q, sourcetest.Options{}).(*stomp.Source)
		if err := s.Connect(t.Context(), 10); err != nil {
			t.Fatal(err)
		}
		for i, want := range []string{body, "next"} {
			d := take(t, s, 1)[0]
			if d.Message.Body.Data() != want || d.Message.Body.Kind() != bridge.TextBody || d.Hold != nil {
				t.Errorf("%s, message %d: %s %q, held: %v", k, i, d.Message.Body.Kind(), d.Message.Body.Data(), d.Hold)
			}
			if err := d.Settle(bridge.Accept); err != nil {
				t.Error(err)
			}
		}
		_, _ = s.Close(t.Context()), sink.Close(t.Context())
	}
}
