package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/jmsbridge/jmsbridge/test/bench/rig"
)

// target is a kind of target.
type target struct {
	name     string
	messages int // of a call
}

var allTargets = []target{{"sqs", 10}, {"fifo", 10}, {"lambda", 1}, {"lambda10", 10}, {"eventbridge", 10}}

func names() string {
	var all []string
	for _, t := range allTargets {
		all = append(all, t.name)
	}
	return strings.Join(all, ",")
}

type options struct {
	targets   []target
	latencies []time.Duration
	seconds   float64
	most      int
	calls     int
	runs      int
	limit     time.Duration
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	o, err := parse(os.Args[1:])
	if errors.Is(err, flag.ErrHelp) {
		return
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(2)
	}
	if err := run(ctx, o, os.Stdout, os.Stderr); err != nil {
		fmt.Fprintln(os.Stderr, "targets:", err)
		os.Exit(1)
	}
}

func parse(args []string) (options, error) {
	var o options
	var list struct{ targets, latencies string }
	f := flag.NewFlagSet("targets", flag.ContinueOnError)
	f.StringVar(&list.targets, "targets", names(), "what to measure")
	f.StringVar(&list.latencies, "latencies", "5ms,20ms", "the endpoint's service times")
	f.Float64Var(&o.seconds, "seconds", 5, "how long a run would take if calls took no more than the service time; it sets the messages")
	f.IntVar(&o.most, "messages", 0, "the most messages of a run; 0: as the seconds say")
	f.IntVar(&o.calls, "calls", 32, "calls at once")
	f.IntVar(&o.runs, "runs", 5, "runs of each side, interleaved")
	f.DurationVar(&o.limit, "limit", 3*time.Minute, "the longest that one run may take")
	if err := f.Parse(args); err != nil {
		return o, err
	}
	for name := range strings.SplitSeq(list.targets, ",") {
		i := slices.IndexFunc(allTargets, func(t target) bool { return t.name == name })
		if i < 0 {
			return o, fmt.Errorf("no target %q: %s", name, names())
		}
		o.targets = append(o.targets, allTargets[i])
	}
	for l := range strings.SplitSeq(list.latencies, ",") {
		d, err := time.ParseDuration(l)
		if err != nil {
			return o, err
		}
		if d <= 0 {
			return o, fmt.Errorf("a service time of %v sets no number of messages", d)
		}
		o.latencies = append(o.latencies, d)
	}
	if o.seconds <= 0 || o.calls < 1 || o.runs < 1 || o.most < 0 {
		return o, errors.New("too few seconds, calls, runs or messages")
	}
	return o, nil
}

// run measures every target with every service time.
func run(ctx context.Context, o options, out, progress io.Writer) (err error) {
	dir, err := os.MkdirTemp("", "jmsbridge-bench-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	programs := map[string]string{"endpoint": "./test/bench/cmd/endpoint", "targets": "./test/bench/cmd/targets"}
	if err := rig.Build(ctx, dir, programs); err != nil {
		return err
	}
	b := &bench{options: o, program: filepath.Join(dir, "targets"), progress: progress}
	if b.endpoint, err = rig.StartEndpoint(filepath.Join(dir, "endpoint"), progress); err != nil {
		return err
	}
	defer b.stopEndpoint()
	var results []result
	for _, t := range o.targets {
		for _, latency := range o.latencies {
			r, err := b.measure(ctx, row{target: t, latency: latency, number: o.number(t, latency)})
			if err != nil {
				return fmt.Errorf("%s: %w", r.name(), err)
			}
			results = append(results, r)
		}
	}
	fmt.Fprintf(out, "%s; messages of 1 KiB with 5 properties, %d calls at once, %d runs: median (lowest to highest)\n\n", rig.Machine(), o.calls, o.runs)
	printTable(out, results)
	fmt.Fprintln(out)
	printRatios(out, results)
	return nil
}

// number is how many messages a run has: as many as the calls can take in the seconds.
func (o *options) number(t target, latency time.Duration) int {
	n := int(o.seconds / latency.Seconds() * float64(o.calls*t.messages))
	if o.most > 0 {
		n = min(n, o.most)
	}
	return max(n, o.calls*t.messages)
}
