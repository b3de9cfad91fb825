//go:build integration

package e2e_test

import (
	"math/rand/v2"
	"testing"
	"time"

	"github.com/jmsbridge/jmsbridge/connectors/aws/awslocal"
	"github.com/jmsbridge/jmsbridge/test/brokers"
)

// The bridge is killed five times at random moments, and the broker once: nothing is lost, the order holds, and each
// duplicate carries the deduplication id of the first.
func TestCrashesLoseNothing(t *testing.T) {
	for _, kind := range []brokers.Kind{brokers.Classic6, brokers.Artemis} {
		t.Run(string(kind), func(t *testing.T) {
			seed := uint64(time.Now().UnixNano())
			random := rand.New(rand.NewPCG(seed, 0))
			t.Logf("seed %d", seed)

			b := brokers.Start(t, kind, brokers.Options{ArtemisSettings: []string{exclusiveQueues}})
			// Slow enough that all of the crashes fall into the run.
			e := startAWS(t, awslocal.Options{Latency: 15 * time.Millisecond}, "orders.fifo")
			o := &oracle{count: scaled(100_000), groups: 1000}
			const queue = "exclusive.proof2"
			o.preload(t, b, queue)

			yaml := configuration(e, brokerYAML("mq", b.URL("stomp+ssl"), brokers.App, b.CAFile()),
				routeYAML("orders", queue, "orders.fifo", "order: group", "group_id: ${.properties.account}"))
			p := startBridge(t, yaml)
			const crashes = 6 // of the bridge, but the one in the middle is the broker's
			for n := range crashes {
				// Each crash has its own sixth of the run, and a random moment in it.
				at := o.count*n/(crashes+1) + random.IntN(o.count/(crashes+1)) + 1
				waitArrived(t, e, "orders.fifo", at, 2*time.Minute)
				if n == crashes/2 {
					b.Kill()
					if held := e.Depth("orders.fifo").Total(); held >= o.count {
						t.Fatalf("the broker was killed too late: all %d have arrived", held)
					}
					if err := b.Restart(); err != nil {
						t.Fatal(err)
					}
				} else {
					p.kill()
					if held := e.Depth("orders.fifo").Total(); held >= o.count {
						t.Fatalf("crash %d came too late: all %d have arrived", n, held)
					}
					waitReturned(t, b, queue, crashes)
					p = runBridge(t, p.file)
				}
			}
			waitArrived(t, e, "orders.fifo", o.count, 3*time.Minute)
			p.stop()
			waitSettled(t, b, queue, crashes)

			v := o.judge(t, e, "orders.fifo", true)
			o.judgeQueue(t, e, "orders.fifo")
			if v.duplicates == 0 {
				t.Error("six crashes under load and not one duplicate: they can't have been")
			}
			// What a crash can repeat is what was unsettled at that moment, the default prefetch at most.
			if limit := crashes * 1100; v.duplicates > limit {
				t.Errorf("%d duplicates after %d crashes; at most %d can have been unsettled", v.duplicates, crashes, limit)
			}
			t.Logf("%+v", v)
		})
	}
}
