//go:build integration

package e2e_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/jmsbridge/jmsbridge/bridge"
	"github.com/jmsbridge/jmsbridge/connectors/aws/awslocal"
	"github.com/jmsbridge/jmsbridge/test/brokers"
	"github.com/jmsbridge/jmsbridge/test/faultproxy"
)

// Two endpoints, of which one dies under load, comes back, and then the other dies: the daemon goes on at the one that is
// there, loses nothing, and keeps the order.
func TestFailoverGoesOnAtTheOtherEndpoint(t *testing.T) {
	b := classic6.Broker(t)
	e := startAWS(t, awslocal.Options{Latency: 20 * time.Millisecond}, "orders.fifo")
	o := &oracle{count: scaled(12_000), groups: 500}
	const queue = "failover.orders"
	o.preload(t, b, queue)
	first, second := openProxy(t, b), openProxy(t, b)
	url := fmt.Sprintf("failover:(stomp://%s,stomp://%s)?randomize=false", first.Addr(), second.Addr())
	p := startBridge(t, configuration(e, brokerYAML("mq", url, brokers.App, ""),
		routeYAML("orders", queue, "orders.fifo", "order: group", "group_id: ${.properties.account}")))
	at := func(alive, dead *faultproxy.Proxy, share int) {
		t.Helper()
		waitArrived(t, e, "orders.fifo", o.count*share/4, time.Minute)
		p.waitStatus("orders", 10*time.Second, func(s bridge.RouteStatus) bool {
			return s.State == bridge.StateRunning && s.Connected == 1 && alive.Live() == 1 && dead.Live() == 0
		})
		if n := e.Depth("orders.fifo").Total(); n >= o.count {
			t.Fatalf("all %d have arrived before the next fault", n)
		}
	}

	at(first, second, 1)
	if n := second.Counts().Accepted; n != 0 {
		t.Errorf("randomize=false, and the second endpoint was visited %d times", n)
	}
	first.Down()
	at(second, first, 2)
	if err := first.Up(); err != nil {
		t.Fatal(err)
	}
	second.Down()
	at(first, second, 3)

	waitArrived(t, e, "orders.fifo", o.count, time.Minute)
	b.WaitDepth(t, queue, 0, 30*time.Second)
	p.stop()
	if a, z := first.Counts(), second.Counts(); a.Cut == 0 || z.Cut == 0 {
		t.Errorf("a fault never fired: %+v, %+v", a, z)
	}
	v := o.judge(t, e, "orders.fifo", true)
	o.judgeQueue(t, e, "orders.fifo")
	t.Logf("%+v", v)
}
