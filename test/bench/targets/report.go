package main

import (
	"fmt"
	"io"
	"text/tabwriter"

	"github.com/jmsbridge/jmsbridge/test/bench/rig"
)

// What we want to reach, ours divided by the bare loop's.
const (
	aimRate = 0.95
	aimCPU  = 1.0
)

func rate(s sample) float64   { return s.rate }
func cpu(s sample) float64    { return s.cpu }
func rss(s sample) float64    { return s.rss }
func allocs(s sample) float64 { return s.allocs }
func full(s sample) float64   { return s.full }

// printTable prints a row for each side of each result.
func printTable(out io.Writer, results []result) {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "row\tside\tmessages\tmsg/s\tµs CPU/msg\tpeak RSS MiB\tallocs/msg\tmsg/call")
	for _, r := range results {
		for _, side := range []struct {
			name    string
			samples []sample
		}{{"jmsbridge", r.ours}, {"bare loop", r.bare}} {
			fmt.Fprintf(w, "%s\t%s\t%d\t%s\t%s\t%s\t%s\t%s\n", r.name(), side.name, r.number,
				rig.SpreadOf(side.samples, rate).Format("%.0f"), rig.SpreadOf(side.samples, cpu).Format("%.1f"),
				rig.SpreadOf(side.samples, rss).Format("%.0f"), rig.SpreadOf(side.samples, allocs).Format("%.1f"),
				rig.SpreadOf(side.samples, full).Format("%.1f"))
		}
	}
	_ = w.Flush()
}

// printRatios prints one line a comparison, jmsbridge divided by the bare loop, and beside it what was aimed at.
func printRatios(out io.Writer, results []result) {
	for _, r := range results {
		of := func(value func(sample) float64) float64 {
			return rig.SpreadOf(r.ours, value).Median / rig.SpreadOf(r.bare, value).Median
		}
		verdict := "met"
		if of(rate) < aimRate || of(cpu) > aimCPU {
			verdict = "missed"
		}
		fmt.Fprintf(out, "ratio %s rate=%.2f cpu=%.2f rss=%.2f allocs=%.2f (aim: rate>=%.2f cpu<=%.2f; %s)\n",
			r.name(), of(rate), of(cpu), of(rss), of(allocs), aimRate, aimCPU, verdict)
	}
}
