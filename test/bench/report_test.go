package main

import (
	"strings"
	"testing"
	"time"

	"github.com/jmsbridge/jmsbridge/test/brokers"
)

func TestTheReportHasMediansSpreadsAndRatios(t *testing.T) {
	one := func(rate, cpu, rss float64) sample {
		return sample{rate: rate, cpu: cpu, rss: rss, first: 40 * time.Millisecond}
	}
	results := []result{
		{
			scenario: scenario{name: "classic6-5ms-1conn"},
			ours:     []sample{one(1200, 20, 30), one(900, 22, 28), one(1100, 24, 29)},
			bare:     []sample{one(1000, 60, 40), one(1100, 50, 41)},
		},
		{scenario: scenario{name: "classic6-group20"}, ours: []sample{one(500, 30, 30)}},
		{scenario: scenario{name: "classic6-kill"}, duplicates: []int{12}, lost: []int{0}},
	}
	var table, ratios strings.Builder
	printTable(&table, results)
	printRatios(&ratios, results)
	for _, want := range []string{"1100 (900 to 1200)", "1050 (1000 to 1100)", "55.0 (50.0 to 60.0)", "40 (40 to 40)", "classic6-kill: killed half-way: duplicates [12], lost [0]"} {
		if !strings.Contains(table.String(), want) {
			t.Errorf("no %q in\n%s", want, table.String())
		}
	}
	if got, want := ratios.String(), "ratio classic6-5ms-1conn rate=1.05 cpu=0.40 rss=0.72\n"; got != want {
		t.Errorf("ratios %q, want %q", got, want)
	}
}

func TestTheFlagsChooseTheRows(t *testing.T) {
	o, err := parse([]string{"-rows", "main,cumulative,kill", "-latencies", "5ms,20ms", "-connections", "1,4"})
	if err != nil {
		t.Fatal(err)
	}
	names := func(k brokers.Kind) string {
		var all []string
		for _, s := range (&bench{options: o}).scenarios(k) {
			all = append(all, s.name)
		}
		return strings.Join(all, " ")
	}
	if got, want := names(brokers.Classic6), "classic6-5ms-1conn classic6-20ms-1conn classic6-5ms-4conn classic6-20ms-4conn classic6-cumulative classic6-kill classic6-kill-cumulative"; got != want {
		t.Errorf("rows %q, want %q", got, want)
	}
	if got, want := names(brokers.Artemis), "artemis-5ms-1conn artemis-20ms-1conn artemis-5ms-4conn artemis-20ms-4conn artemis-kill"; got != want {
		t.Errorf("rows %q, want %q", got, want)
	}
	for _, bad := range [][]string{{"-rows", "x"}, {"-latencies", "5"}, {"-connections", "0"}, {"-runs", "0"}} {
		if _, err := parse(bad); err == nil {
			t.Errorf("%v was taken", bad)
		}
	}
}
