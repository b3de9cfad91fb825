package main

import (
	"strings"
	"testing"
	"time"
)

func TestTheReportHasMediansSpreadsAndRatios(t *testing.T) {
	one := func(rate, cpu, rss, allocs float64) sample { return sample{rate, cpu, rss, allocs, 9.5} }
	results := []result{
		{
			row:  row{target: target{"sqs", 10}, latency: 5 * time.Millisecond, number: 1000},
			ours: []sample{one(1200, 20, 30, 5), one(900, 22, 28, 5), one(1100, 24, 29, 5)},
			bare: []sample{one(1000, 60, 40, 50), one(1100, 50, 41, 50)},
		},
		{
			row:  row{target: target{"lambda", 1}, latency: 20 * time.Millisecond, number: 32},
			ours: []sample{one(940, 20, 30, 5)},
			bare: []sample{one(1000, 20, 30, 50)},
		},
	}
	var table, ratios strings.Builder
	printTable(&table, results)
	printRatios(&ratios, results)
	for _, want := range []string{"1100 (900 to 1200)", "1050 (1000 to 1100)", "55.0 (50.0 to 60.0)", "5.0 (5.0 to 5.0)", "9.5 (9.5 to 9.5)"} {
		if !strings.Contains(table.String(), want) {
			t.Errorf("no %q in\n%s", want, table.String())
		}
	}
	want := "ratio sqs-5ms rate=1.05 cpu=0.40 rss=0.72 allocs=0.10 (aim: rate>=0.95 cpu<=1.00; met)\n" +
		"ratio lambda-20ms rate=0.94 cpu=1.00 rss=1.00 allocs=0.10 (aim: rate>=0.95 cpu<=1.00; missed)\n"
	if ratios.String() != want {
		t.Errorf("ratios %q, want %q", ratios.String(), want)
	}
}

func TestTheFlagsSetTheRunsLength(t *testing.T) {
	o, err := parse([]string{"-seconds", "2", "-targets", "lambda,eventbridge", "-latencies", "5ms,1s"})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		target, latency, want int
	}{{0, 0, 12_800}, {1, 0, 128_000}, {0, 1, 64}, {1, 1, 640}} {
		if got := o.number(o.targets[c.target], o.latencies[c.latency]); got != c.want {
			t.Errorf("%v: %d messages", c, got)
		}
	}
	o.most = 100
	if got := o.number(o.targets[0], o.latencies[0]); got != 100 {
		t.Errorf("%d messages, want the most that were allowed", got)
	}
	if got := o.number(o.targets[1], o.latencies[0]); got != 320 {
		t.Errorf("%d messages, want a full call of each worker", got)
	}
	for _, bad := range [][]string{{"-targets", "x"}, {"-latencies", "5"}, {"-latencies", "0s"}, {"-calls", "0"}, {"-runs", "0"}, {"-seconds", "0"}} {
		if _, err := parse(bad); err == nil {
			t.Errorf("%v was taken", bad)
		}
	}
}
