package main

import (
	"fmt"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
)

// latencies are what a run's requests took, in milliseconds.
type latencies struct {
	p50, p99, p999, max float64
	late                float64 // how late requests were sent themselves: the 99th percentile
	timeouts            int
}

// recorder collects the latencies of a run, in microseconds.
type recorder struct {
	answers, delays *hdrhistogram.Histogram
	timeout         time.Duration
	timeouts        int
}

// longest is the longest latency that is told apart from a longer one.
const longest = 10 * time.Minute

func newRecorder(timeout time.Duration) *recorder {
	return &recorder{
		answers: hdrhistogram.New(1, longest.Microseconds(), 3), delays: hdrhistogram.New(1, longest.Microseconds(), 3), timeout: timeout,
	}
}

// record takes a request: from when it should have been sent to its answer (-1: none) and to when it was sent. A request
// without answer took at least the timeout, and is counted as that: left out, it would make the others look better.
func (r *recorder) record(latency, delay int64) error {
	if latency < 0 {
		r.timeouts++
		latency = r.timeout.Microseconds() + delay
	}
	for _, one := range []struct {
		to    *hdrhistogram.Histogram
		value int64
	}{{r.answers, latency}, {r.delays, delay}} {
		if err := one.to.RecordValue(min(max(one.value, 0), longest.Microseconds())); err != nil {
			return fmt.Errorf("recording %d µs: %w", one.value, err)
		}
	}
	return nil
}

func (r *recorder) latencies() latencies {
	at := func(h *hdrhistogram.Histogram, p float64) float64 { return float64(h.ValueAtPercentile(p)) / 1000 }
	return latencies{
		p50: at(r.answers, 50), p99: at(r.answers, 99), p999: at(r.answers, 99.9), max: float64(r.answers.Max()) / 1000,
		late: at(r.delays, 99), timeouts: r.timeouts,
	}
}
