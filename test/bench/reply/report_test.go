package main

import (
	"strings"
	"testing"
	"time"

	"github.com/jmsbridge/jmsbridge/test/brokers"
)

func TestTheReportHasMediansSpreadsAndDeltas(t *testing.T) {
	one := func(rate, p50, p99 float64, cpu time.Duration, timeouts int) sample {
		return sample{
			latencies: latencies{p50: p50, p99: p99, p999: 2 * p99, max: 4 * p99, late: 0.25, timeouts: timeouts}, rate: rate,
			responder: cpu, endpoint: 7 * time.Microsecond, broker: 100 * time.Microsecond, request: 50 * time.Microsecond, rss: 30,
		}
	}
	results := []result{
		{
			name: "reply-100", rate: 100,
			ours: []sample{one(100, 1.5, 4, 60*time.Microsecond, 0)}, java: []sample{one(100, 0.5, 1, 120*time.Microsecond, 0)},
		},
		{
			name: "reply-1000", rate: 1000,
			ours: []sample{one(999, 1.5, 5, 60*time.Microsecond, 1), one(1000, 1.7, 7, 80*time.Microsecond, 2), one(998, 1.6, 6, 70*time.Microsecond, 0)},
			java: []sample{one(1000, 0.4, 1, 140*time.Microsecond, 0), one(1000, 0.4, 3, 140*time.Microsecond, 0)},
		},
		{
			name: "reply-artemis-1000", rate: 1000,
			ours: []sample{one(1000, 2.5, 5, time.Microsecond, 0)}, java: []sample{one(1000, 0.5, 4, time.Microsecond, 0)},
		},
	}
	var table, deltas strings.Builder
	printTable(&table, results)
	printDeltas(&deltas, results)
	for _, want := range []string{"1.60 (1.50 to 1.70)", "6.00 (5.00 to 7.00)", "999 (998 to 1000)", "70 (60 to 80)", "2.00 (1.00 to 3.00)", "  3  "} {
		if !strings.Contains(table.String(), want) {
			t.Errorf("no %q in\n%s", want, table.String())
		}
	}
	want := `delta reply-100 p50=+1.0ms p99=+3.0ms p99.9=+6.0ms max=+12.0ms
ratio reply-100 rate=1.00 cpu=0.50 rss=1.00
delta reply-1000 p50=+1.2ms p99=+4.0ms p99.9=+8.0ms max=+16.0ms (aim: p50<+2.0ms p99<+10.0ms; met)
ratio reply-1000 rate=1.00 cpu=0.50 rss=1.00
delta reply-artemis-1000 p50=+2.0ms p99=+1.0ms p99.9=+2.0ms max=+4.0ms (aim: p50<+2.0ms p99<+10.0ms; missed)
ratio reply-artemis-1000 rate=1.00 cpu=1.00 rss=1.00
`
	if deltas.String() != want {
		t.Errorf("got\n%swant\n%s", deltas.String(), want)
	}
}

func TestTheFlagsChooseTheRates(t *testing.T) {
	o, err := parse([]string{"-rates", "100,5000", "-brokers", "classic6,artemis", "-seconds", "0.5"})
	if err != nil {
		t.Fatal(err)
	}
	if len(o.rates) != 2 || o.rates[1] != 5000 || len(o.brokers) != 2 || o.brokers[1] != brokers.Artemis || o.seconds != 0.5 {
		t.Errorf("%+v", o)
	}
	for _, bad := range [][]string{{"-rates", "0"}, {"-rates", "x"}, {"-brokers", "x"}, {"-seconds", "0"}, {"-runs", "0"}, {"-timeout", "1ms"}, {"-sessions", "0"}} {
		if _, err := parse(bad); err == nil {
			t.Errorf("%v was taken", bad)
		}
	}
}
