//go:build integration

package e2e_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/jmsbridge/jmsbridge/connectors/aws/awslocal"
	"github.com/jmsbridge/jmsbridge/test/brokers"
	"github.com/jmsbridge/jmsbridge/test/faultproxy"
)

// openProxy puts a fault proxy in front of the broker's STOMP connector.
func openProxy(t testing.TB, b *brokers.Broker) *faultproxy.Proxy {
	t.Helper()
	return faultproxy.Open(t, b.Addr("stomp"))
}

// cutAtEachByte cuts the connection in the middle of the bridge's own frames (its ACKs among them) and of the broker's,
// at some twenty different places.
func cutAtEachByte(t testing.TB, proxy *faultproxy.Proxy, e *awslocal.Endpoint) {
	t.Helper()
	for _, d := range []faultproxy.Direction{faultproxy.Up, faultproxy.Down} {
		for _, bytes := range []int64{1, 20, 77, 211, 300, 301, 302, 500, 5000} {
			before := proxy.Counts().CutAfter
			arrived := e.Depth("orders.fifo").Total()
			proxy.CutAfter(d, bytes)
			eventually(t, 30*time.Second, func() (bool, string) {
				return proxy.Counts().CutAfter > before, fmt.Sprintf("no connection was cut after %d bytes", bytes)
			})
			proxy.CutAfter(d, -1)
			eventually(t, 30*time.Second, func() (bool, string) {
				return e.Depth("orders.fifo").Total() > arrived+10, fmt.Sprintf("nothing moves after a cut at byte %d", bytes)
			})
		}
	}
}

// waitSettled waits until everything of a queue is settled, once the bridge is stopped whose connection was lost so many
// times. When a connection ends in the moment of an ACK, Artemis 2.44 may forget the message between two of its lists: it counts
// it as delivered to nobody until it is started again (about once in fifty lost connections). Only such are forgiven.
func waitSettled(t testing.TB, b *brokers.Broker, queue string, lost int) {
	t.Helper()
	eventually(t, 30*time.Second, func() (bool, string) {
		d, err := b.Depth(t.Context(), queue)
		forgotten := !b.Kind().Classic() && d.Messages == d.InFlight && d.Messages <= lost && d.Consumers == 0
		return err == nil && (d.Messages == 0 || forgotten), fmt.Sprintf("%s of %s: %+v, %v", queue, b.Kind(), d, err)
	})
}

// waitReturned waits until the broker has taken back what a killed bridge had not settled, which the two seconds that systemd
// waits before it starts another are for. Artemis 2.44 gives a queue, an exclusive one too, to the next consumer before it has
// taken back everything from the last: one that comes in that moment gets later messages first.
func waitReturned(t testing.TB, b *brokers.Broker, queue string, lost int) {
	t.Helper()
	eventually(t, 30*time.Second, func() (bool, string) {
		d, err := b.Depth(t.Context(), queue)
		return err == nil && d.Consumers == 0 && d.InFlight <= lost, fmt.Sprintf("%s of %s: %+v, %v", queue, b.Kind(), d, err)
	})
}
