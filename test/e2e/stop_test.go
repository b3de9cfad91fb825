//go:build integration

package e2e_test

import (
	"syscall"
	"testing"
	"time"

	"github.com/jmsbridge/jmsbridge/connectors/aws/awslocal"
	"github.com/jmsbridge/jmsbridge/test/brokers"
)

// SIGTERM under load: exit 0 within the drain time, what was sent is settled, and the rest is back on the broker.
func TestStopUnderLoad(t *testing.T) {
	for _, shared := range []*brokers.Shared{classic6, artemis} {
		b := shared.Broker(t)
		t.Run(string(b.Kind()), func(t *testing.T) {
			e := startAWS(t, awslocal.Options{Latency: 50 * time.Millisecond}, "orders.fifo")
			o := &oracle{count: scaled(20_000), groups: 1000}
			queue := "proof5.stop"
			o.preload(t, b, queue)
			p := startBridge(t, configuration(e, brokerYAML("mq", b.URL("stomp+ssl"), brokers.App, b.CAFile()),
				routeYAML("orders", queue, "orders.fifo", "order: group", "group_id: ${.properties.account}", "drain: 10s")))
			waitArrived(t, e, "orders.fifo", 2000, time.Minute)
			p.signal(syscall.SIGTERM)
			code, took := p.wait(12 * time.Second)
			if code != 0 || took > 10*time.Second {
				t.Errorf("exit code %d after %s, want 0 within 10s", code, took)
			}
			arrived := e.Depth("orders.fifo").Total()
			if arrived >= o.count {
				t.Fatal("everything had arrived before the stop")
			}
			t.Logf("stopped in %s with %d of %d sent", took.Round(time.Millisecond), arrived, o.count)
			// A stop without a fault repeats nothing: what was sent is settled, and everything else is back.
			b.WaitDepth(t, queue, o.count-arrived, 10*time.Second)

			p = runBridge(t, p.file)
			waitArrived(t, e, "orders.fifo", o.count, time.Minute)
			b.WaitDepth(t, queue, 0, 10*time.Second)
			p.stop()
			v := o.judge(t, e, "orders.fifo", true)
			o.judgeQueue(t, e, "orders.fifo")
			if v.duplicates != 0 || v.resent != 0 {
				t.Errorf("an orderly stop repeated messages: %+v", v)
			}
		})
	}
}

// Sends that hang when the drain time ends are given back, not lost and not charged, and all is over half a second later.
func TestStopWhileTheTargetHangs(t *testing.T) {
	const (
		drain = 2 * time.Second
		exit  = 500 * time.Millisecond // for the signal to come and the process to go, on a machine with ten times too much to do
	)
	b := classic6.Broker(t)
	e := startAWS(t, awslocal.Options{}, "orders.fifo")
	o := &oracle{count: 2000, groups: 1000}
	const queue = "proof5.hang"
	o.preload(t, b, queue)
	hang := e.Inject(awslocal.Fault{Kind: awslocal.StallAfter})
	p := startBridge(t, configuration(e, brokerYAML("mq", b.URL("stomp+ssl"), brokers.App, b.CAFile()),
		routeYAML("orders", queue, "orders.fifo", "order: group", "group_id: ${.properties.account}", "drain: "+drain.String())))
	eventually(t, 30*time.Second, func() (bool, string) { return hang.Fired() > 0, "no call hangs" })
	p.signal(syscall.SIGTERM)
	code, took := p.wait(10 * time.Second)
	t.Logf("stopped in %s", took.Round(time.Millisecond))
	if code != 0 || took < drain/2 || took > drain+500*time.Millisecond+exit {
		t.Errorf("exit code %d after %s, want 0 at the end of the drain time of %s", code, took, drain)
	}
	b.WaitDepth(t, queue, o.count, 10*time.Second)
	e.ClearFaults()

	p = runBridge(t, p.file)
	waitArrived(t, e, "orders.fifo", o.count, time.Minute)
	b.WaitDepth(t, queue, 0, 10*time.Second)
	p.stop()
	o.judge(t, e, "orders.fifo", true)
	o.judgeQueue(t, e, "orders.fifo")
}

// A second SIGTERM: out within a second.
func TestSecondSignalForces(t *testing.T) {
	b := classic6.Broker(t)
	e := startAWS(t, awslocal.Options{}, "orders.fifo")
	o := &oracle{count: 2000, groups: 1000}
	const queue = "proof5.force"
	o.preload(t, b, queue)
	hang := e.Inject(awslocal.Fault{Kind: awslocal.StallBefore})
	p := startBridge(t, configuration(e, brokerYAML("mq", b.URL("stomp+ssl"), brokers.App, b.CAFile()),
		routeYAML("orders", queue, "orders.fifo", "order: group", "group_id: ${.properties.account}", "drain: 60s")))
	eventually(t, 30*time.Second, func() (bool, string) { return hang.Fired() > 0, "no call hangs" })
	p.signal(syscall.SIGTERM)
	<-time.After(500 * time.Millisecond)
	if !p.running() {
		t.Fatal("the program did not wait for its sends")
	}
	p.signal(syscall.SIGTERM)
	if _, took := p.wait(5 * time.Second); took > time.Second {
		t.Errorf("out %s after the second signal", took)
	}
	b.WaitDepth(t, queue, o.count, 10*time.Second)
	e.ClearFaults()

	p = runBridge(t, p.file)
	waitArrived(t, e, "orders.fifo", o.count, time.Minute)
	p.stop()
	o.judge(t, e, "orders.fifo", true)
	o.judgeQueue(t, e, "orders.fifo")
}
