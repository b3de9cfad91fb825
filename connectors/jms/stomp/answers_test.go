package stomp_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/jmsbridge/jmsbridge/bridge"
	"github.com/jmsbridge/jmsbridge/connectors/jms/stomp"
	"github.com/jmsbridge/jmsbridge/connectors/jms/stomp/stomplocal"
)

// answered is what came to a sink's temporary queue.
type answered struct {
	correlation, body string
	err               error
}

// askingSink connects a sink that keeps the answers to it.
func askingSink(t *testing.T, b *bench) (*stomp.Sink, chan answered) {
	t.Helper()
	answers := make(chan answered, 100)
	s, err := stomp.NewSink(stomp.SinkSettings{
		Broker: b.broker, Destination: bridge.Destination{Kind: bridge.Queue, Name: "service"},
		Answers: func(m *bridge.Message, err error) { answers <- answered{m.CorrelationID, m.Body.Data(), err} },
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Connect(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close(t.Context()) })
	return s, answers
}

// ask sends a request, and returns what ends with its connection and where its answer goes.
func ask(t *testing.T, s *stomp.Sink, broker *stomplocal.Broker, correlation string) (ended <-chan struct{}, replyTo string) {
	t.Helper()
	res := make([]bridge.Result, 1)
	ended, err := s.Ask(t.Context(), []bridge.Outgoing{{Message: &bridge.Message{
		CorrelationID: correlation, ReplyTo: stomp.AnswerQueue(), Body: bridge.NewText("?"),
	}}}, res)
	if err != nil || res[0].Err != nil {
		t.Fatalf("asking: %v, %v", err, res[0].Err)
	}
	for _, m := range broker.Browse("/queue/service", 100) {
		if m.CorrelationID == correlation {
			return ended, m.ReplyTo
		}
	}
	t.Fatal("the request is not there")
	return nil, ""
}

func (a answered) want(t *testing.T, correlation, body string) {
	t.Helper()
	if a.err != nil || a.correlation != correlation || a.body != body {
		t.Errorf("answered with %+v, want %q and %q", a, correlation, body)
	}
}

func TestAnswersComeToATemporaryQueueOfTheConnection(t *testing.T) {
	b, _, broker := local(t)
	s, answers := askingSink(t, b)
	ended, first := ask(t, s, broker, "c-1")
	if !strings.HasPrefix(first, "/remote-temp-queue/") {
		t.Fatalf("the service is to answer to %q", first)
	}
	answer := func(to, correlation, body string) error {
		_, err := broker.Publish(to, stomplocal.Message{CorrelationID: correlation, Body: []byte(body)})
		return err
	}
	if err := answer(first, "c-1", "one"); err != nil {
		t.Fatal(err)
	}
	(<-answers).want(t, "c-1", "one")
	if n := broker.Depth(first) + broker.Unacked(first); n != 0 {
		t.Errorf("%d answers are left at the broker", n)
	}

	b.drop(t)
	select {
	case <-ended:
	case <-time.After(10 * time.Second):
		t.Fatal("the end of the connection is not told")
	}
	if err := s.Ready(); !errors.Is(err, bridge.ErrNotConnected) {
		t.Errorf("after the connection has ended: %v", err)
	}
	if err := s.Connect(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := s.Ready(); err != nil {
		t.Error(err)
	}
	again, second := ask(t, s, broker, "c-2")
	if second == first {
		t.Error("the queue of a connection that is gone is used again")
	}
	if err := answer(second, "c-2", "two"); err != nil {
		t.Fatal(err)
	}
	(<-answers).want(t, "c-2", "two")
	select {
	case <-again:
		t.Error("the new connection counts as ended")
	default:
	}
}

func TestAnAnswerThatCanNotBeReadIsTold(t *testing.T) {
	b, _, broker := local(t)
	s, answers := askingSink(t, b)
	_, to := ask(t, s, broker, "c-1")
	const most = 16 << 20
	for _, size := range []int{most, most + 1} {
		if _, err := broker.Publish(to, stomplocal.Message{CorrelationID: "c-1", Bytes: true, Body: make([]byte, size)}); err != nil {
			t.Fatal(err)
		}
		got := <-answers
		var why *bridge.Error
		if tooLarge := errors.As(got.err, &why) && why.Code == "body-too-large"; tooLarge != (size > most) || got.correlation != "c-1" {
			t.Errorf("%d bytes: %q, %v", size, got.correlation, got.err)
		}
	}
}

// Artemis would make an ordinary queue of the name, and nothing that ends with the connection.
func TestATemporaryQueueIsRefusedWhereThereIsNone(t *testing.T) {
	s := newScript(t, polite(artemisHello))
	sink, err := stomp.NewSink(stomp.SinkSettings{Broker: s.broker(), Destination: ordersQueue, Answers: func(*bridge.Message, error) {}})
	if err != nil {
		t.Fatal(err)
	}
	_, seen := sink.Inspect(t.Context())
	for what, err := range map[string]error{"connecting": sink.Connect(t.Context()), "looking": seen} {
		var e *bridge.Error
		if !errors.As(err, &e) || e.Class != bridge.Fatal || !strings.Contains(e.Error(), "Artemis has no temporary queues over STOMP") || !strings.Contains(e.Remedy, "reply.from.jms") {
			t.Errorf("%s: %v", what, err)
		}
	}
	if got := s.seen("SUBSCRIBE"); len(got) != 0 {
		t.Errorf("%v", got)
	}
}
