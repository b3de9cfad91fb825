package stomp_test

import (
	"testing"

	"github.com/jmsbridge/jmsbridge/connectors/jms/stomp/stomplocal"
	"github.com/jmsbridge/jmsbridge/test/sourcetest"
)

func local(t *testing.T) (*bench, sourcetest.Harness, *stomplocal.Broker) {
	t.Helper()
	broker, err := stomplocal.Start(stomplocal.Options{Username: "app", Password: "secret"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = broker.Close() })
	b := newBench(t, broker.URL(), "app", "secret", false)
	depth := func(_ testing.TB, queue string) int { return broker.Depth("/queue/" + queue) }
	return b, b.harness(depth, sourcetest.Features{EmptyHeld: true, NULInText: true, ForeignID: true}), broker
}

func TestSourceOnTheEmbeddedBroker(t *testing.T) {
	_, h, _ := local(t)
	sourcetest.RunSource(t, h)
}

func TestCumulativeSourceOnTheEmbeddedBroker(t *testing.T) {
	b, h, _ := local(t)
	b.cumulative, h.Cumulative = true, true
	sourcetest.RunSource(t, h)
}

func TestSinkOnTheEmbeddedBroker(t *testing.T) {
	_, h, _ := local(t)
	sourcetest.RunSink(t, h)
}
