//go:build integration

package java_test

import (
	"os"
	"strings"
	"testing"
	"time"

	"github.com/jmsbridge/jmsbridge/bridge"
	"github.com/jmsbridge/jmsbridge/test/brokers"
	"github.com/jmsbridge/jmsbridge/test/java"
)

var (
	classic6 = brokers.NewShared(brokers.Classic6, brokers.Options{})
	artemis  = brokers.NewShared(brokers.Artemis, brokers.Options{})
)

func TestMain(m *testing.M) { os.Exit(brokers.Main(m, classic6, artemis)) }

func TestEveryTypeComesBackAsItWasSent(t *testing.T) {
	values := []bridge.Entry{
		{Name: "bool", Value: bridge.Boolean(true)},
		{Name: "b", Value: bridge.Byte(-7)},
		{Name: "s", Value: bridge.Short(-300)},
		{Name: "i", Value: bridge.Int(1 << 30)},
		{Name: "l", Value: bridge.Long(-1 << 60)},
		{Name: "f", Value: bridge.Float(1.5)},
		{Name: "d", Value: bridge.Double(2)},
		{Name: "str", Value: bridge.String("grüße")}, // ActiveMQ's client breaks supplementary characters here
	}
	more := append(append([]bridge.Entry{}, values...), bridge.Entry{Name: "c", Value: bridge.Char('x')}, bridge.Entry{Name: "raw", Value: bridge.Bytes("\x00\xff")})
	var stream []bridge.Value
	for _, e := range more {
		if e.Value.Type() != bridge.BytesType { // Classic's AMQP never delivers a stream with one
			stream = append(stream, e.Value)
		}
	}
	sent := []bridge.Message{
		{CorrelationID: "c-1", Type: "t", ReplyTo: bridge.Destination{Kind: bridge.Queue, Name: "answers"}, Priority: 7, GroupID: "g", GroupSeq: 3, Properties: bridge.NewProperties(values), Body: bridge.NewText("hällo 🌍\n")},
		{Body: bridge.NewBytes("\x00\x01\xfe")},
		{Body: bridge.NewMap(more)},
		{Body: bridge.NewStream(stream)},
		{Body: bridge.NewObject("serialise me")},
		{Properties: bridge.NewProperties(values)},
	}
	for _, c := range []struct {
		client java.Client
		broker *brokers.Shared
		scheme string
	}{
		{java.ActiveMQ6, classic6, "tcp"},
		{java.ActiveMQ5, classic6, "tcp"},
		{java.Qpid, classic6, "amqp"},
		{java.ActiveMQ6, artemis, "tcp"},
		{java.Core, artemis, "tcp"},
		{java.Qpid, artemis, "amqp"},
	} {
		b := c.broker.Broker(t)
		t.Run(string(c.client)+" on "+string(b.Kind()), func(t *testing.T) {
			queue := "types." + string(c.client)
			ids := java.Send(t, c.client, b.URL(c.scheme), brokers.App, queue, sent...)
			got := java.Receive(t, c.client, b.URL(c.scheme), brokers.App, queue, len(sent), 5*time.Second)
			if len(got) != len(sent) {
				t.Fatalf("got %d of %d messages", len(got), len(sent))
			}
			for i, m := range got {
				want := sent[i]
				if m.ID != ids[i] || !m.Persistent || m.Timestamp.IsZero() {
					t.Errorf("message %d: id %q, want %q; %+v", i, m.ID, ids[i], m)
				}
				if want.Priority == 0 {
					want.Priority = bridge.DefaultPriority
				}
				if m.CorrelationID != want.CorrelationID || m.Type != want.Type || m.Priority != want.Priority || m.GroupID != want.GroupID || m.GroupSeq != want.GroupSeq {
					t.Errorf("message %d: headers of %+v", i, m)
				}
				for name, v := range want.Properties.All() {
					if got, ok := m.Properties.Lookup(name); !ok || !got.Equal(v) {
						t.Errorf("message %d: property %s is %+v, want %+v", i, name, got, v)
					}
				}
				if want.Body.Kind() == bridge.ObjectBody {
					if m.Body.Kind() != bridge.ObjectBody || !strings.Contains(m.Body.Data(), want.Body.Data()) {
						t.Errorf("message %d: body %+v", i, m.Body)
					}
				} else if !m.Body.Equal(want.Body) {
					t.Errorf("message %d: body %+v, want %+v", i, m.Body, want.Body)
				}
			}
		})
	}
}
