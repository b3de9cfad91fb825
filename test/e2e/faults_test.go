//go:build integration

package e2e_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/jmsbridge/jmsbridge/connectors/aws/awslocal"
	"github.com/jmsbridge/jmsbridge/test/brokers"
)

// SQS throttles, fails, times out, resets and refuses parts of batches for a minute: nothing is lost, what was answered as
// successful is not sent again, and the rate comes back.
func TestTargetFaultsForAMinute(t *testing.T) {
	b := classic6.Broker(t)
	// 100 ms a call bounds the rate to what the endpoint, not the machine, gives: a steady measure.
	e := startAWS(t, awslocal.Options{Latency: 100 * time.Millisecond, Seed: 7}, "orders.fifo")
	o := &oracle{count: scaled(120_000), groups: 1000}
	const queue = "proof3"
	o.preload(t, b, queue)
	p := startBridge(t, configuration(e, brokerYAML("mq", b.URL("stomp+ssl"), brokers.App, b.CAFile()),
		routeYAML("orders", queue, "orders.fifo", "order: group", "group_id: ${.properties.account}")))

	depth := func() int { return e.Depth("orders.fifo").Total() }
	waitArrived(t, e, "orders.fifo", 2000, 30*time.Second)
	before := rate(depth, 4*time.Second)

	// The first calls time out, so that it is sure to happen; the rest is left to chance.
	injected := map[string]*awslocal.Injection{
		"timeouts at first": e.Inject(awslocal.Fault{Kind: awslocal.StallBefore, Times: 2}),
		"lost answers":      e.Inject(awslocal.Fault{Kind: awslocal.StallAfter, Times: 2}),
		"throttling":        e.Inject(awslocal.Fault{Kind: awslocal.Refuse, Code: "RequestThrottled", Share: 0.05}),
		"500":               e.Inject(awslocal.Fault{Kind: awslocal.Refuse, Share: 0.05}),
		"503":               e.Inject(awslocal.Fault{Kind: awslocal.Refuse, Code: "ServiceUnavailable", Share: 0.03}),
		"reset before":      e.Inject(awslocal.Fault{Kind: awslocal.ResetBefore, Share: 0.03}),
		"reset after":       e.Inject(awslocal.Fault{Kind: awslocal.ResetAfter, Share: 0.03}),
		"stalls":            e.Inject(awslocal.Fault{Kind: awslocal.StallAfter, Share: 0.01, Delay: 2 * time.Second}),
		"partial failure":   e.Inject(awslocal.Fault{Kind: awslocal.FailEntries, Share: 0.05}),
		"partial throttling": e.Inject(awslocal.Fault{
			Kind: awslocal.FailEntries, Share: 0.02, Code: "RequestThrottled",
		}),
	}
	during := rate(depth, scaledTime(time.Minute))
	if depth() >= o.count {
		t.Fatal("everything had arrived before the faults were over")
	}
	e.ClearFaults()
	for name, i := range injected {
		if i.Fired() == 0 {
			t.Errorf("the fault %q never fired", name)
		}
		t.Logf("%s: fired %d times", name, i.Fired())
	}

	// The rate is back within ten seconds. One of them is enough to show it, for the machine may have other things to do.
	after := 0.0
	for range 10 {
		after = max(after, rate(depth, time.Second))
	}
	t.Logf("%.0f messages a second before, %.0f during, %.0f within ten seconds after", before, during, after)
	if depth() >= o.count {
		t.Fatal("everything had arrived before the rate was measured")
	}
	if after < 0.7*before {
		t.Errorf("%.0f messages a second within ten seconds after the faults, %.0f before", after, before)
	}
	waitArrived(t, e, "orders.fifo", o.count, 3*time.Minute)
	b.WaitDepth(t, queue, 0, 30*time.Second)
	status := p.status("orders")
	p.stop()

	v := o.judge(t, e, "orders.fifo", true)
	o.judgeQueue(t, e, "orders.fifo")
	if v.resent != 0 {
		t.Errorf("%d messages were sent again after they had been answered as successful", v.resent)
	}
	if v.duplicates == 0 {
		t.Error("answers were lost, and nothing was sent again: that can't be")
	}
	if status.Counters.DeadLettered != 0 || status.HeldCount != 0 {
		t.Errorf("a fault of the target was charged to messages: %+v", status)
	}
	t.Logf("%+v", v)
}

// rate measures a count's growth a second.
func rate(count func() int, d time.Duration) float64 {
	start, from := time.Now(), count()
	<-time.After(d)
	return float64(count()-from) / time.Since(start).Seconds()
}

// The network between the bridge and the broker breaks in each way that it can.
func TestBrokerConnectionFaults(t *testing.T) {
	b := classic6.Broker(t)
	e := startAWS(t, awslocal.Options{Latency: 10 * time.Millisecond}, "orders.fifo")
	o := &oracle{count: scaled(40_000), groups: 1000}
	const queue = "proof3.network"
	o.preload(t, b, queue)
	proxy := openProxy(t, b)
	p := startBridge(t, configuration(e, fmt.Sprintf("  - name: mq\n    url: stomp://%s\n    username: %s\n    password: %s\n    heart_beat: 1s\n",
		proxy.Addr(), brokers.App.Name, brokers.App.Password),
		routeYAML("orders", queue, "orders.fifo", "order: group", "group_id: ${.properties.account}")))
	step := o.count / 8
	reach := func(n int) { t.Helper(); waitArrived(t, e, "orders.fifo", n*step, time.Minute) }

	reach(1)
	if proxy.Cut() == 0 {
		t.Error("nothing was cut")
	}
	reach(2)
	cutAtEachByte(t, proxy, e)
	reach(3)
	proxy.Stall() // longer than both sides' heart-beats allow
	<-time.After(6 * time.Second)
	proxy.Resume()
	reach(4)
	if proxy.Freeze() == 0 {
		t.Error("nothing was frozen")
	}
	reach(5)
	proxy.Refuse(true)
	proxy.Cut()
	<-time.After(2 * time.Second)
	proxy.Refuse(false)
	reach(6)
	proxy.Down()
	<-time.After(2 * time.Second)
	if err := proxy.Up(); err != nil {
		t.Fatal(err)
	}
	reach(7)
	waitArrived(t, e, "orders.fifo", o.count, 2*time.Minute)
	b.WaitDepth(t, queue, 0, 30*time.Second)
	p.stop()

	n := proxy.Counts()
	t.Logf("%+v", n)
	if n.Cut == 0 || n.CutAfter == 0 || n.Stalled == 0 || n.Frozen == 0 || n.Refused == 0 {
		t.Errorf("a fault never fired: %+v", n)
	}
	v := o.judge(t, e, "orders.fifo", true)
	o.judgeQueue(t, e, "orders.fifo")
	t.Logf("%+v", v)
}
