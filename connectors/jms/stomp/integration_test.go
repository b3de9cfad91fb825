//go:build integration

package stomp_test

import (
	"testing"

	"github.com/jmsbridge/jmsbridge/test/brokers"
	"github.com/jmsbridge/jmsbridge/test/sourcetest"
)

// realBrokers are the brokers of this package, each started by the first test that needs it.
var realBrokers = map[brokers.Kind]*brokers.Shared{}

func init() { //nolint:gochecknoinits // a TestMain that both builds share has no other way to learn what to stop
	for _, k := range brokers.Kinds() {
		realBrokers[k] = brokers.NewShared(k, brokers.Options{Heap: "512m"})
		stopBrokers = append(stopBrokers, realBrokers[k].Stop)
	}
}

func realHarness(t *testing.T, k brokers.Kind) (*bench, sourcetest.Harness, *brokers.Broker) {
	t.Helper()
	broker := realBrokers[k].Broker(t)
	b := newBench(t, broker.URL("stomp"), broker.Username(), broker.Password(), !k.Classic())
	depth := func(t testing.TB, queue string) int {
		d, err := broker.Depth(t.Context(), queue)
		if err != nil {
			t.Fatal(err)
		}
		return d.Messages
	}
	f := sourcetest.Features{EmptyHeld: true, NULInText: true, ForeignID: true}
	if !k.Classic() {
		f = sourcetest.Features{Inferred: true, Groups: true, ReturnsUnflagged: true}
	}
	return b, b.harness(depth, f), broker
}

func TestSourceOnRealBrokers(t *testing.T) {
	for _, k := range brokers.Kinds() {
		t.Run(string(k), func(t *testing.T) {
			_, h, _ := realHarness(t, k)
			sourcetest.RunSource(t, h)
		})
	}
}

// Artemis acknowledges each message by itself, whatever is asked for.
func TestCumulativeSourceOnClassic(t *testing.T) {
	b, h, _ := realHarness(t, brokers.Classic6)
	b.cumulative, h.Cumulative = true, true
	sourcetest.RunSource(t, h)
}

func TestSinkOnRealBrokers(t *testing.T) {
	for _, k := range brokers.Kinds() {
		t.Run(string(k), func(t *testing.T) {
			_, h, _ := realHarness(t, k)
			sourcetest.RunSink(t, h)
		})
	}
}
