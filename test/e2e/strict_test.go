//go:build integration

package e2e_test

import (
	"testing"
	"time"

	"github.com/jmsbridge/jmsbridge/connectors/aws/awslocal"
	"github.com/jmsbridge/jmsbridge/test/brokers"
)

// One queue, one order: it holds while the bridge is killed in the middle of a send and while its connection is cut, and
// nobody else gets a message in between.
func TestStrictOrderSurvivesAKillAndACut(t *testing.T) {
	for _, shared := range []*brokers.Shared{classic6, artemis} {
		b := shared.Broker(t)
		t.Run(string(b.Kind()), func(t *testing.T) {
			e := startAWS(t, awslocal.Options{}, "strict.fifo")
			o := &oracle{count: scaled(5000), groups: 1, strict: "strict"}
			const queue = "exclusive.strict" // see exclusiveQueues
			o.preload(t, b, queue)
			proxy := openProxy(t, b)
			p := startBridge(t, configuration(e, brokerYAML("mq", "stomp://"+proxy.Addr(), brokers.App, ""),
				routeYAML("strict", queue, "strict.fifo", "order: strict")))
			unfinished := func(fault string) {
				t.Helper()
				if n := e.Depth("strict.fifo").Total(); n >= o.count {
					t.Fatalf("the %s came too late: all %d have arrived", fault, n)
				}
			}

			waitArrived(t, e, "strict.fifo", o.count/6, time.Minute)
			wantNothing(t, b, queue) // while the bridge consumes it
			unfinished("rival")

			// Killed after SQS has taken a message and before the bridge has heard of it: that one is sent again.
			unheard := e.Inject(awslocal.Fault{Kind: awslocal.StallAfter, Times: 1})
			eventually(t, 30*time.Second, func() (bool, string) { return unheard.Over(), "no call hangs" })
			p.kill()
			unfinished("kill")
			waitReturned(t, b, queue, 1)
			p = runBridge(t, p.file)

			waitArrived(t, e, "strict.fifo", o.count*2/3, time.Minute)
			if proxy.Cut() == 0 {
				t.Error("nothing was cut")
			}
			unfinished("cut")
			waitArrived(t, e, "strict.fifo", o.count, time.Minute)
			p.stop()
			waitSettled(t, b, queue, 2)

			v := o.judge(t, e, "strict.fifo", true)
			o.judgeQueue(t, e, "strict.fifo")
			if v.duplicates == 0 {
				t.Error("a message whose answer was lost was not sent again: that can't be")
			}
			if n := proxy.Counts(); n.Cut == 0 || n.Accepted < 3 {
				t.Errorf("a fault never fired: %+v", n)
			}
			t.Logf("%+v", v)
		})
	}
}

// wantNothing fails the test when a consumer of its own gets a message of the queue.
func wantNothing(t testing.TB, b *brokers.Broker, queue string) {
	t.Helper()
	c, err := b.Dial(t.Context(), "stomp", brokers.App)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	got, err := c.Take(t.Context(), queue, 1, 300*time.Millisecond)
	if err != nil {
		t.Fatalf("consuming %s: %v", queue, err)
	}
	if len(got) != 0 {
		t.Errorf("another consumer of %s got a message: %.200v", queue, got)
	}
}
