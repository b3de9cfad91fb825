package main

import (
	"fmt"
	"io"
	"text/tabwriter"
	"time"

	"github.com/jmsbridge/jmsbridge/test/bench/rig"
)

func rate(s sample) float64   { return s.rate }
func cpu(s sample) float64    { return s.cpu }
func rss(s sample) float64    { return s.rss }
func allocs(s sample) float64 { return s.allocs }
func first(s sample) float64  { return float64(s.first) / float64(time.Millisecond) }

// printTable prints a row for each side of each result.
func printTable(out io.Writer, results []result) {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "row\tside\tmsg/s\tµs CPU/msg\tpeak RSS MiB\tallocs/msg\tfirst message ms\tleft")
	for _, r := range results {
		for _, side := range []struct {
			name    string
			samples []sample
		}{{"jmsbridge", r.ours}, {"bare loop", r.bare}} {
			if len(side.samples) == 0 {
				continue
			}
			left := 0
			for _, s := range side.samples {
				left += s.left
			}
			fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\t%s\t%d\n", r.name, side.name,
				rig.SpreadOf(side.samples, rate).Format("%.0f"), rig.SpreadOf(side.samples, cpu).Format("%.1f"), rig.SpreadOf(side.samples, rss).Format("%.0f"),
				rig.SpreadOf(side.samples, allocs).Format("%.1f"), rig.SpreadOf(side.samples, first).Format("%.0f"), left)
		}
	}
	_ = w.Flush()
	for _, r := range results {
		if len(r.duplicates) > 0 {
			fmt.Fprintf(out, "%s: killed half-way: duplicates %v, lost %v\n", r.name, r.duplicates, r.lost)
		}
	}
}

// printRatios prints one line a comparison, jmsbridge divided by the bare loop.
func printRatios(out io.Writer, results []result) {
	for _, r := range results {
		if len(r.ours) == 0 || len(r.bare) == 0 {
			continue
		}
		of := func(value func(sample) float64) float64 {
			return rig.SpreadOf(r.ours, value).Median / rig.SpreadOf(r.bare, value).Median
		}
		fmt.Fprintf(out, "ratio %s rate=%.2f cpu=%.2f rss=%.2f\n", r.name, of(rate), of(cpu), of(rss))
	}
}
