package main

import (
	"context"
	"fmt"
	"io"
	"path/filepath"
	"time"

	"github.com/jmsbridge/jmsbridge/test/bench/rig"
)

// bench is a benchmark at work.
type bench struct {
	options
	dir      string
	progress io.Writer
	queues   int
	served   int64 // messages that the endpoint has taken in runs that ended well
	endpoint *rig.Endpoint
}

// sample is what one run has shown.
type sample struct {
	rate   float64       // messages a second, between the first and the last
	cpu    float64       // µs a message, of the process alone
	rss    float64       // MiB at most
	allocs float64       // a message; 0: not known
	first  time.Duration // from the start of the process to the first message at the endpoint
	left   int           // messages that were not settled
}

func (s sample) String() string {
	text := fmt.Sprintf("%7.0f msg/s %6.1f µs CPU/msg %6.1f MiB %6.1f allocs/msg first after %v", s.rate, s.cpu, s.rss, s.allocs, s.first.Round(time.Millisecond))
	if s.left > 0 {
		text += fmt.Sprintf(" (%d left on the broker)", s.left)
	}
	return text
}

// build builds the programs.
func (b *bench) build(ctx context.Context) error {
	packages := map[string]string{"endpoint": "./test/bench/cmd/endpoint", "bareloop": "./test/bench/cmd/bareloop"}
	if b.bridge == "" {
		b.bridge = filepath.Join(b.dir, "jmsbridge")
		packages["jmsbridge"] = "./cmd/jmsbridge"
	}
	return rig.Build(ctx, b.dir, packages)
}

func (b *bench) startEndpoint() (err error) {
	b.endpoint, err = rig.StartEndpoint(filepath.Join(b.dir, "endpoint"), b.progress)
	return err
}

func (b *bench) stopEndpoint() {
	if used, err := b.endpoint.Stop(); err == nil && b.served > 0 {
		fmt.Fprintf(b.progress, "the endpoint took %.1f µs of CPU a message\n", float64(used.Microseconds())/float64(b.served))
	}
}

// side is a measured process.
type side struct {
	rig.Process
	metrics string // URL, of jmsbridge
}
