//go:build integration

package e2e_test

import (
	"testing"
	"time"

	"github.com/jmsbridge/jmsbridge/connectors/aws/awslocal"
	"github.com/jmsbridge/jmsbridge/test/brokers"
)

// Everything arrives, whole, in order, once, while nothing breaks.
func TestEveryMessageArrivesOnceAndInOrder(t *testing.T) {
	for _, c := range []struct {
		name   string
		broker *brokers.Shared
		target string
		more   []string
	}{
		{"Classic to FIFO", classic6, "orders.fifo", []string{"order: group", "group_id: ${.properties.account}"}},
		{"Artemis to FIFO", artemis, "orders.fifo", []string{"order: group", "group_id: ${.properties.account}"}},
		{"Classic to standard", classic6, "orders", nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := c.broker.Broker(t)
			e := startAWS(t, awslocal.Options{}, c.target)
			o := &oracle{count: scaled(100_000), groups: 1000}
			queue := "proof1." + c.target
			o.preload(t, b, queue)
			b.WaitDepth(t, queue, o.count, 10*time.Second)

			start := time.Now()
			p := startBridge(t, configuration(e, brokerYAML("mq", b.URL("stomp+ssl"), brokers.App, b.CAFile()),
				routeYAML("orders", queue, c.target, c.more...)))
			waitArrived(t, e, c.target, o.count, 3*time.Minute)
			took := time.Since(start)
			b.WaitDepth(t, queue, 0, 10*time.Second)
			_, peak := p.memory()
			p.stop()
			t.Logf("%d messages in %s: %.0f a second; peak memory %d MiB", o.count, took.Round(time.Millisecond), float64(o.count)/took.Seconds(), peak>>20)

			b.WaitDepth(t, queue, 0, 10*time.Second)
			v := o.judge(t, e, c.target, c.more != nil)
			if v.duplicates != 0 || v.resent != 0 || v.delivered != o.count {
				t.Errorf("%+v without a fault, of %d", v, o.count)
			}
			if sends := len(e.Log().Sends(c.target)); sends != o.count {
				t.Errorf("%d messages were sent %d times", o.count, sends)
			}
			if c.more != nil {
				o.judgeQueue(t, e, c.target)
			}
		})
	}
}
