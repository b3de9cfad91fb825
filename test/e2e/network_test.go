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
