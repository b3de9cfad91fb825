package main

import (
	"fmt"
	"io"
	"text/tabwriter"
	"time"

	"github.com/jmsbridge/jmsbridge/test/bench/rig"
)

// What we want to add to the responder in Java at most, at this rate.
const (
	aimRate = 1000
	aimP50  = 2.0  // ms
	aimP99  = 10.0 // ms
)

func p50(s sample) float64    { return s.p50 }
func p99(s sample) float64    { return s.p99 }
func p999(s sample) float64   { return s.p999 }
func worst(s sample) float64  { return s.max }
func late(s sample) float64   { return s.late }
func rateOf(s sample) float64 { return s.rate }
func rss(s sample) float64    { return s.rss }
func cpu(s sample) float64    { return micros(s.responder) }

func micros(d time.Duration) float64 { return float64(d.Nanoseconds()) / 1000 }

// printTable prints a row for each side of each result.
func printTable(out io.Writer, results []result) {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "row\tresponder\tanswers/s\tp50\tp99\tp99.9\tmax\tsent late p99\tno answer\tµs CPU/request: responder\tendpoint\tbroker\trequester\tpeak RSS MiB")
	for _, r := range results {
		for _, side := range []struct {
			name    string
			samples []sample
		}{{"jmsbridge", r.ours}, {"java", r.java}} {
			timeouts := 0
			for _, s := range side.samples {
				timeouts += s.timeouts
			}
			of := func(value func(sample) float64, verb string) string {
				return rig.SpreadOf(side.samples, value).Format(verb)
			}
			fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%d\t%s\t%s\t%s\t%s\t%s\n", r.name, side.name, of(rateOf, "%.0f"),
				of(p50, "%.2f"), of(p99, "%.2f"), of(p999, "%.2f"), of(worst, "%.2f"), of(late, "%.2f"), timeouts, of(cpu, "%.0f"),
				of(func(s sample) float64 { return micros(s.endpoint) }, "%.0f"), of(func(s sample) float64 { return micros(s.broker) }, "%.0f"),
				of(func(s sample) float64 { return micros(s.request) }, "%.0f"), of(rss, "%.0f"))
		}
	}
	_ = w.Flush()
}

// printDeltas prints two lines a comparison: what jmsbridge adds to the responder in Java, beside the aim where there is
// one, and jmsbridge divided by it. The CPU is that of the responder's own process, without the function's.
func printDeltas(out io.Writer, results []result) {
	for _, r := range results {
		added := func(value func(sample) float64) float64 {
			return rig.SpreadOf(r.ours, value).Median - rig.SpreadOf(r.java, value).Median
		}
		of := func(value func(sample) float64) float64 {
			return rig.SpreadOf(r.ours, value).Median / rig.SpreadOf(r.java, value).Median
		}
		fmt.Fprintf(out, "delta %s p50=%+.1fms p99=%+.1fms p99.9=%+.1fms max=%+.1fms", r.name, added(p50), added(p99), added(p999), added(worst))
		if r.rate == aimRate {
			verdict := "met"
			if added(p50) >= aimP50 || added(p99) >= aimP99 {
				verdict = "missed"
			}
			fmt.Fprintf(out, " (aim: p50<%+.1fms p99<%+.1fms; %s)", aimP50, aimP99, verdict)
		}
		fmt.Fprintf(out, "\nratio %s rate=%.2f cpu=%.2f rss=%.2f\n", r.name, of(rateOf), of(cpu), of(rss))
	}
}
