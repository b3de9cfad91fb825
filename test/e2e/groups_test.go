//go:build integration

package e2e_test

import (
	"testing"
	"time"

	"github.com/jmsbridge/jmsbridge/bridge"
	"github.com/jmsbridge/jmsbridge/connectors/aws/awslocal"
	"github.com/jmsbridge/jmsbridge/test/brokers"
	"github.com/jmsbridge/jmsbridge/test/faultproxy"
)

// Artemis pins each JMSXGroupID to one of its consumers, so three of them keep the order of each group, also when the
// bridge is stopped under load and started again.
//
// No connection is cut here: Artemis passes later messages of a group to another consumer that stands before it has taken
// back what was unsettled on the lost one, so with several consumers a cut may change the order, and no test can ask
// for more.
func TestThreeConsumersKeepTheOrderOfPinnedGroups(t *testing.T) {
	b := artemis.Broker(t)
	e := startAWS(t, awslocal.Options{Latency: 50 * time.Millisecond}, "orders.fifo")
	o := &oracle{count: scaled(10_000), groups: 200, pinned: true}
	const queue = "groups.orders"
	proxy := openProxy(t, b)
	yaml := configuration(e, brokerYAML("mq", "stomp://"+proxy.Addr(), brokers.App, ""),
		routeYAML("orders", queue, "orders.fifo", "order: group"))
	p := startBridge(t, withSource(yaml, queue, "consumers: 3"))
	// All three are there before the first message, else the first one would get every group.
	p.waitStatus("orders", 30*time.Second, func(s bridge.RouteStatus) bool { return s.Sources == 3 && s.Connected == 3 })
	if d, err := b.Depth(t.Context(), queue); err != nil || d.Consumers != 3 {
		t.Fatalf("the broker sees %+v, %v", d, err)
	}
	slow := e.Inject(awslocal.Fault{Kind: awslocal.Latency, Delay: time.Second}) // so that there is something left to stop at
	o.preload(t, b, queue)
	slow.Remove()
	waitArrived(t, e, "orders.fifo", o.count/3, time.Minute)
	carried := proxy.Carried(faultproxy.Down)
	t.Logf("bytes to each consumer: %d", carried)
	for _, n := range carried {
		if n < bodySize*int64(o.count)/30 {
			t.Errorf("a consumer got no fair share: %d bytes of %d", n, carried)
		}
	}
	p.stop()
	arrived := e.Depth("orders.fifo").Total()
	if arrived >= o.count {
		t.Fatal("everything had arrived before the stop")
	}
	b.WaitDepth(t, queue, o.count-arrived, 10*time.Second)

	runBridge(t, p.file)
	waitArrived(t, e, "orders.fifo", o.count, time.Minute)
	b.WaitDepth(t, queue, 0, 10*time.Second)
	v := o.judge(t, e, "orders.fifo", true)
	o.judgeQueue(t, e, "orders.fifo")
	if v.duplicates != 0 || v.resent != 0 || v.delivered != o.count {
		t.Errorf("%+v without a fault, of %d", v, o.count)
	}
}
