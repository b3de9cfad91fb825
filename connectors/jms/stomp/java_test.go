//go:build integration

package stomp_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/jmsbridge/jmsbridge/bridge"
	"github.com/jmsbridge/jmsbridge/connectors/jms/stomp"
	"github.com/jmsbridge/jmsbridge/test/brokers"
	"github.com/jmsbridge/jmsbridge/test/java"
	"github.com/jmsbridge/jmsbridge/test/sourcetest"
)

// pairing is a Java client at a broker.
type pairing struct {
	client java.Client
	kind   brokers.Kind
	scheme string
}

func (p pairing) String() string { return string(p.client) + " on " + string(p.kind) }

func (p pairing) queue(use string) bridge.Destination {
	return bridge.Destination{Kind: bridge.Queue, Name: use + "." + string(p.client)}
}

// onArtemis are the clients of each wire that Artemis translates into STOMP's.
var onArtemis = []pairing{
	{java.ActiveMQ6, brokers.Artemis, "tcp"}, {java.ActiveMQ5, brokers.Artemis, "tcp"}, {java.Core, brokers.Artemis, "tcp"}, {java.Qpid, brokers.Artemis, "amqp"},
}

// fromJava sends messages by the client and returns a source that has as many of them as it may.
func fromJava(t *testing.T, p pairing, use string, credit int, messages ...bridge.Message) (*stomp.Source, []string) {
	t.Helper()
	b, _, broker := realHarness(t, p.kind)
	q := p.queue(use)
	ids := java.Send(t, p.client, broker.URL(p.scheme), brokers.App, q.Name, messages...)
	s := b.source(t, q, sourcetest.Options{}).(*stomp.Source)
	if err := s.Connect(t.Context(), credit); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		_ = s.Close(ctx) // a test may have closed it, to see what is given back
	})
	return s, ids
}

func acceptAll(t *testing.T, all ...*bridge.Delivery) {
	t.Helper()
	for _, d := range all {
		if err := d.Settle(bridge.Accept); err != nil {
			t.Error(err)
		}
	}
}

// Classic 5.18.3 keeps texts as Java's modified UTF-8, in which an emoji and a NUL have forms of their own. The newer
// one sends them without a length and with each NUL as it is, which may look like the end of the frame.
func TestATextOfJavaOnClassic(t *testing.T) {
	const whole = "\x00a\x00\n\n grüße\x00\n世界 \U0001F600\U00010348\x00\n\x00"
	for _, tc := range []struct {
		pairing
		text string
	}{
		{pairing{java.ActiveMQ5, brokers.Classic5, "tcp"}, whole},
		{pairing{java.ActiveMQ6, brokers.Classic5, "tcp"}, whole},
		{pairing{java.ActiveMQ6, brokers.Classic6, "tcp"}, whole},
	} {
		t.Run(tc.String(), func(t *testing.T) {
			s, _ := fromJava(t, tc.pairing, "texts", 10, bridge.Message{Body: bridge.NewText(tc.text)}, bridge.Message{Body: bridge.NewText("next")})
			got := take(t, s, 2)
			for i, want := range []string{tc.text, "next"} {
				if m := got[i].Message; !m.Body.Equal(bridge.NewText(want)) || m.Body.IsInferred() || got[i].Hold != nil {
					t.Errorf("message %d is %s %q (held: %v), want the text %q", i, m.Body.Kind(), m.Body.Data(), got[i].Hold, want)
				}
			}
			acceptAll(t, got...)

			// And back: Java must be able to read what the sink writes.
			b, _, broker := realHarness(t, tc.kind)
			back := tc.queue("texts.back")
			sink := b.sink(t, back).(*stomp.Sink)
			if err := sink.Connect(t.Context()); err != nil {
				t.Fatal(err)
			}
			if err := errors.Join(send(t.Context(), t, sink, outgoing(whole))...); err != nil {
				t.Fatal(err)
			}
			if err := sink.Close(t.Context()); err != nil {
				t.Error(err)
			}
			read := java.Receive(t, tc.client, broker.URL(tc.scheme), brokers.App, back.Name, 1, 10*time.Second)
			if len(read) != 1 || !read[0].Body.Equal(bridge.NewText(whole)) {
				t.Errorf("Java reads %+v, want the text %q", read, whole)
			}
		})
	}
}

// The whole message is compared: what the brokers add is hidden, and nothing is invented.
func TestAJavaMessageOnArtemisIsItsHeadersAndPropertiesAlone(t *testing.T) {
	const text = "headers"
	sent := []bridge.Message{
		{
			CorrelationID: "c:1\\n", Type: "order.created", ReplyTo: bridge.Destination{Kind: bridge.Queue, Name: "answers"}, Priority: 7, GroupID: "g:1", GroupSeq: 3,
			Body: bridge.NewText(text),
			Properties: bridge.NewProperties([]bridge.Entry{
				{Name: "camelCase", Value: bridge.String("Grüße: a\\b\n")},
				{Name: "empty", Value: bridge.String("")},
				{Name: "bool", Value: bridge.Boolean(true)},
				{Name: "b", Value: bridge.Byte(-7)},
				{Name: "s", Value: bridge.Short(-300)},
				{Name: "i", Value: bridge.Int(1 << 30)},
				{Name: "l", Value: bridge.Long(-1 << 60)},
				{Name: "f", Value: bridge.Float(1.5)},
				{Name: "d", Value: bridge.Double(2)},
				{Name: "destination_type", Value: bridge.String("mine")},
			}),
		},
		{Priority: bridge.DefaultPriority, Body: bridge.NewText("bare")},
	}
	want := []map[string]string{
		{
			"camelCase": "Grüße: a\\b\n", "empty": "", "bool": "true", "b": "-7", "s": "-300", "i": "1073741824", "l": "-1152921504606846976", "f": "1.5", "d": "2.0",
			"destination_type": "mine",
		},
		{},
	}
	for _, p := range onArtemis {
		t.Run(p.String(), func(t *testing.T) {
			from := time.Now().Add(-time.Second)
			s, ids := fromJava(t, p, "headers", 10, sent...)
			for i, d := range take(t, s, len(sent)) {
				m := d.Message
				if age := m.Timestamp; age.Before(from) || age.After(time.Now().Add(time.Second)) {
					t.Errorf("message %d: timestamp is %s", i, age)
				}
				if m.Key == "" {
					t.Errorf("message %d has no key", i)
				}
				properties := map[string]string{}
				for name, v := range m.Properties.All() {
					properties[name] = v.Str()
					if v.Type() != bridge.StringType {
						t.Errorf("message %d: %s is a %s", i, name, v.Type())
					}
				}
				if diff := cmp.Diff(want[i], properties); diff != "" {
					t.Errorf("message %d: properties: %s", i, diff)
				}
				id := ids[i]
				if p.client == java.Core { // its id is not visible over STOMP
					id = ""
				}
				body := m.Body
				m.Key, m.Timestamp, m.Properties, m.Body = "", time.Time{}, bridge.Properties{}, bridge.Body{}
				whole := sent[i]
				whole.ID, whole.Destination, whole.Persistent = id, p.queue("headers"), true
				whole.Properties, whole.Body = bridge.Properties{}, bridge.Body{}
				if diff := cmp.Diff(fmt.Sprintf("%+v", whole), fmt.Sprintf("%+v", m)); diff != "" {
					t.Errorf("message %d: %s", i, diff)
				}
				if !body.Equal(sent[i].Body) || !body.IsInferred() || d.Hold != nil {
					t.Errorf("message %d: body %s %q, held: %v", i, body.Kind(), body.Data(), d.Hold)
				}
				acceptAll(t, d)
			}
		})
	}
}

// A requester waits at a destination of its own. Only one spelling of its name reaches it; every other is taken by the
// broker and lost.
func TestAnAnswerReachesAJavaRequester(t *testing.T) {
	for _, p := range append([]pairing{{java.ActiveMQ6, brokers.Classic6, "tcp"}, {java.ActiveMQ5, brokers.Classic5, "tcp"}}, onArtemis...) {
		for _, kind := range []bridge.DestinationKind{bridge.TempQueue, bridge.TempTopic, bridge.Queue, bridge.Topic} {
			t.Run(fmt.Sprintf("%s at a %s", p, kind), func(t *testing.T) {
				b, _, broker := realHarness(t, p.kind)
				q := p.queue("requests")
				s := b.source(t, q, sourcetest.Options{}).(*stomp.Source)
				if err := s.Connect(t.Context(), 1); err != nil {
					t.Fatal(err)
				}
				sink, err := stomp.NewSink(stomp.SinkSettings{Broker: b.broker})
				if err != nil {
					t.Fatal(err)
				}
				if err := sink.Connect(t.Context()); err != nil {
					t.Fatal(err)
				}
				named := bridge.Destination{Kind: kind, Name: fmt.Sprintf("answers.%s.%s", kind, p.client)}
				requester := java.Request(t, p.client, broker.URL(p.scheme), brokers.App, q.Name, named, bridge.Message{Body: bridge.NewText("ping")}, 20*time.Second)
				request := take(t, s, 1)[0]
				to := request.Message.ReplyTo
				switch temporary := kind == bridge.TempQueue || kind == bridge.TempTopic; {
				case to.Kind != kind, to.Name == "", strings.Contains(to.Name, "/"):
					t.Errorf("JMSReplyTo is %+v, want a %s", to, kind)
				case !temporary && to != named:
					t.Errorf("JMSReplyTo is %s, want %s", to, named)
				}
				answer := bridge.Message{Destination: to, CorrelationID: "ID:corr:1", Body: bridge.NewText("pong \U0001F600"), Priority: bridge.DefaultPriority}
				if errs := send(t.Context(), t, sink, []bridge.Outgoing{{Message: &answer}}); errs[0] != nil {
					t.Fatal(errs[0])
				}
				id, got := requester.Answer()
				if len(got) != 1 || !got[0].Body.Equal(answer.Body) || got[0].CorrelationID != answer.CorrelationID {
					t.Errorf("the requester has %+v", got)
				}
				if p.client != java.Core && request.Message.ID != id {
					t.Errorf("the request has the id %q, want %q", request.Message.ID, id)
				}
				acceptAll(t, request)

				// The requester has gone, and with it a temporary destination. Classic says so; Artemis makes a lasting one.
				if kind == bridge.TempQueue {
					errs := send(t.Context(), t, sink, []bridge.Outgoing{{Message: &answer}})
					if gone := errs[0] != nil; gone != p.kind.Classic() || gone && bridge.ClassOf(errs[0]) != bridge.Permanent {
						t.Errorf("an answer that comes late: %s %v", bridge.ClassOf(errs[0]), errs[0])
					}
				}
				if err := errors.Join(s.Close(t.Context()), sink.Close(t.Context())); err != nil {
					t.Error(err)
				}
			})
		}
	}
}

// Artemis skips a StreamMessage and keeps it in flight until the subscription ends. It takes no credit: more of them than
// the window holds leave room for what follows, so nothing at this end of the wire can tell that they are there.
func TestAStreamMessageOnArtemisTakesNoCreditAndStays(t *testing.T) {
	const streams, texts, credit = 40, 4, 3 // a window of 6 KiB for 40 KiB of streams
	stream := bridge.Message{Body: bridge.NewStream([]bridge.Value{bridge.String(strings.Repeat("x", 1024))})}
	for _, p := range onArtemis {
		t.Run(p.String(), func(t *testing.T) {
			var sent []bridge.Message
			for i := range texts {
				for range streams / texts {
					sent = append(sent, stream)
				}
				sent = append(sent, bridge.Message{Body: bridge.NewText(fmt.Sprint(i))})
			}
			s, _ := fromJava(t, p, "streams", credit, sent...)
			for i := range texts {
				d := take(t, s, 1)[0]
				if got := d.Message.Body; !got.Equal(bridge.NewText(fmt.Sprint(i))) {
					t.Fatalf("message %d is %s %q", i, got.Kind(), got.Data())
				}
				acceptAll(t, d)
			}
			broker := realBrokers[p.kind].Broker(t)
			queue := p.queue("streams").Name
			waitFor(t, broker, queue, brokers.Depth{Messages: streams, InFlight: streams, Consumers: 1})
			if remarks := s.Remarks(); len(remarks) != 0 {
				t.Errorf("something can be told after all: %q", remarks)
			}
			if err := s.Close(t.Context()); err != nil {
				t.Fatal(err)
			}
			waitFor(t, broker, queue, brokers.Depth{Messages: streams})
			left := java.Receive(t, p.client, broker.URL(p.scheme), brokers.App, queue, streams, 5*time.Second)
			for _, m := range left {
				if !m.Body.Equal(stream.Body) {
					t.Fatalf("what is left has become %s %.40q", m.Body.Kind(), m.Body.Data())
				}
			}
			if len(left) != streams {
				t.Errorf("%d of %d streams are left", len(left), streams)
			}
		})
	}
}

// waitFor waits until a broker says that of a queue.
func waitFor(t *testing.T, b *brokers.Broker, queue string, want brokers.Depth) {
	t.Helper()
	var got brokers.Depth
	var err error
	for end := time.Now().Add(10 * time.Second); time.Now().Before(end); <-time.After(20 * time.Millisecond) {
		if got, err = b.Depth(t.Context(), queue); err != nil {
			t.Fatal(err)
		}
		if got == want {
			return
		}
	}
	t.Fatalf("the broker says %+v of %s, want %+v", got, queue, want)
}

// Where the first value of a StreamMessage looks like the length of a text, Artemis does pass it on: as garbage, which
// only the annotation of AMQP senders gives away.
func TestAStreamMessageOnArtemisThatLooksLikeAText(t *testing.T) {
	for _, p := range onArtemis {
		t.Run(p.String(), func(t *testing.T) {
			stream := bridge.NewStream([]bridge.Value{bridge.Int(2), bridge.String("two")})
			s, _ := fromJava(t, p, "garbled", 10, bridge.Message{Body: stream}, bridge.Message{Body: bridge.NewText("end")})
			got := take(t, s, 2)
			if held := got[0].Hold != nil; held != (p.client == java.Qpid) || held && bridge.AsError(got[0].Hold).Code != "body-type" {
				t.Errorf("held: %v", got[0].Hold)
			}
			if body := got[0].Message.Body; body.Kind() != bridge.TextBody || !body.IsInferred() || len(body.Data()) > 4 {
				t.Errorf("body %s %q", body.Kind(), body.Data())
			}
			if got[1].Hold != nil || !got[1].Message.Body.Equal(bridge.NewText("end")) {
				t.Errorf("the next: %v %q", got[1].Hold, got[1].Message.Body.Data())
			}
			acceptAll(t, got...)
		})
	}
}
