package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/jmsbridge/jmsbridge/test/bench/rig"
)

// bench is a benchmark at work.
type bench struct {
	options
	program  string
	progress io.Writer
	endpoint *rig.Endpoint
	served   int64 // messages that the endpoint has taken
}

// row is a target with a service time.
type row struct {
	target
	latency time.Duration
	number  int // of messages
}

func (r row) name() string {
	return r.target.name + "-" + strings.TrimSuffix(r.latency.String(), "0s")
}

// sample is what one run has shown.
type sample struct {
	rate   float64 // messages a second, between the arrivals of the first and the last call
	cpu    float64 // µs a message
	rss    float64 // MiB at most
	allocs float64 // a message
	full   float64 // messages a call
}

func (s sample) String() string {
	return fmt.Sprintf("%7.0f msg/s %6.1f µs CPU/msg %6.1f MiB %6.1f allocs/msg %5.1f msg/call", s.rate, s.cpu, s.rss, s.allocs, s.full)
}

// result is a row with its samples.
type result struct {
	row
	ours, bare []sample
}

// measure runs both sides one after the other, as often as asked, the first one taking turns.
func (b *bench) measure(ctx context.Context, w row) (result, error) {
	r := result{row: w}
	sides := []string{"jmsbridge", "bare"}
	short := w
	short.number = max(w.number/10, b.calls*w.messages)
	for _, side := range sides { // else the first side would pay for a cold endpoint
		if _, err := b.once(ctx, short, side); err != nil {
			return r, fmt.Errorf("warming up: %s: %w", side, err)
		}
	}
	for range b.runs {
		for _, side := range sides {
			got, err := b.once(ctx, w, side)
			if err != nil {
				return r, fmt.Errorf("%s: %w", side, err)
			}
			if side == "bare" {
				r.bare = append(r.bare, got)
			} else {
				r.ours = append(r.ours, got)
			}
			fmt.Fprintf(b.progress, "%-18s %-10s %s\n", w.name(), side, got)
		}
		slices.Reverse(sides)
	}
	return r, nil
}

// once lets one side send its messages.
func (b *bench) once(ctx context.Context, w row, side string) (sample, error) {
	if err := b.endpoint.Reset(ctx, w.latency, false); err != nil {
		return sample{}, err
	}
	p := &rig.Process{}
	if err := p.Start(exec.Command(b.program, "-side", side, "-target", w.target.name, "-endpoint", b.endpoint.URL,
		"-messages", strconv.Itoa(w.number), "-calls", strconv.Itoa(b.calls))); err != nil {
		return sample{}, err
	}
	timer := time.NewTimer(b.limit)
	defer timer.Stop()
	select {
	case err := <-p.Ended:
		if err != nil {
			return sample{}, fmt.Errorf("running: %w\n%s", err, p.Output.String())
		}
	case <-timer.C:
		return sample{}, errors.Join(fmt.Errorf("it did not end within %v", b.limit), p.Kill(), errors.New(p.Output.String()))
	case <-ctx.Done():
		return sample{}, errors.Join(ctx.Err(), p.Kill())
	}
	var took struct {
		Messages int
		Mallocs  float64
		CPU      time.Duration
		RSS      float64
	}
	if err := json.Unmarshal(p.Stdout.Bytes(), &took); err != nil {
		return sample{}, fmt.Errorf("reading its report: %w", err)
	}
	stats, err := b.endpoint.Stats(ctx)
	if err != nil {
		return sample{}, err
	}
	if stats.Messages != int64(w.number) || took.Messages != w.number {
		return sample{}, fmt.Errorf("%d messages arrived of %d", stats.Messages, w.number)
	}
	b.served += stats.Messages
	n := float64(w.number)
	s := sample{cpu: float64(took.CPU.Nanoseconds()) / 1000 / n, rss: took.RSS, allocs: took.Mallocs / n, full: n / float64(stats.Requests)}
	if span := time.Duration(stats.Last - stats.First); span > 0 {
		s.rate = n / span.Seconds()
	}
	return s, nil
}

func (b *bench) stopEndpoint() {
	if used, err := b.endpoint.Stop(); err == nil && b.served > 0 {
		fmt.Fprintf(b.progress, "the endpoint took %.1f µs of CPU a message\n", float64(used.Microseconds())/float64(b.served))
	}
}
