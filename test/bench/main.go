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
	"github.com/jmsbridge/jmsbridge/test/brokers"
)

type options struct {
	brokers, rows  []string
	sides          []string
	latencies      []time.Duration
	connections    []int
	messages, runs int
	prefetch       int
	bridge         string
	limit          time.Duration
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
		fmt.Fprintln(os.Stderr, "spine:", err)
		os.Exit(1)
	}
}

func parse(args []string) (options, error) {
	var o options
	var list struct{ brokers, rows, sides, latencies, connections string }
	f := flag.NewFlagSet("spine", flag.ContinueOnError)
	f.StringVar(&list.brokers, "brokers", "classic6,artemis", "the brokers, of "+fmt.Sprint(brokers.Kinds()))
	f.StringVar(&list.rows, "rows", strings.Join(allRows, ","), "what to measure")
	f.StringVar(&list.sides, "sides", "jmsbridge,bare", "the sides to run; ratios need both")
	f.StringVar(&list.latencies, "latencies", "5ms,20ms", "the endpoint's service times, for the row main; the others take the first")
	f.StringVar(&list.connections, "connections", "1,4", "connections to the broker, for the row main; the others take the first")
	f.IntVar(&o.messages, "messages", 60_000, "messages of a run")
	f.IntVar(&o.runs, "runs", 3, "runs of each side, interleaved")
	f.IntVar(&o.prefetch, "prefetch", 1000, "messages that a connection may hold")
	f.StringVar(&o.bridge, "bridge", "", "the jmsbridge binary; without it, one is built")
	f.DurationVar(&o.limit, "limit", 3*time.Minute, "the longest that one run may take")
	if err := f.Parse(args); err != nil {
		return o, err
	}
	o.brokers, o.rows, o.sides = strings.Split(list.brokers, ","), strings.Split(list.rows, ","), strings.Split(list.sides, ",")
	for _, row := range o.rows {
		if !slices.Contains(allRows, row) {
			return o, fmt.Errorf("no row %q: %s", row, strings.Join(allRows, ","))
		}
	}
	for l := range strings.SplitSeq(list.latencies, ",") {
		d, err := time.ParseDuration(l)
		if err != nil {
			return o, err
		}
		o.latencies = append(o.latencies, d)
	}
	for c := range strings.SplitSeq(list.connections, ",") {
		var n int
		if _, err := fmt.Sscan(c, &n); err != nil || n < 1 {
			return o, fmt.Errorf("connections %q", c)
		}
		o.connections = append(o.connections, n)
	}
	if o.messages < 100 || o.runs < 1 {
		return o, errors.New("too few messages or runs")
	}
	return o, nil
}

// run measures every row on every broker.
func run(ctx context.Context, o options, out, progress io.Writer) (err error) {
	dir, err := os.MkdirTemp("", "jmsbridge-bench-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	b := &bench{options: o, dir: dir, progress: progress}
	if err := b.build(ctx); err != nil {
		return err
	}
	if err := b.startEndpoint(); err != nil {
		return err
	}
	defer b.stopEndpoint()
	var results []result
	for _, name := range o.brokers {
		kind, err := brokers.ParseKind(name)
		if err != nil {
			return err
		}
		got, err := b.broker(ctx, kind)
		if err != nil {
			return err
		}
		results = append(results, got...)
	}
	fmt.Fprintf(out, "%s; %d messages of 1 KiB with 5 properties, %d runs: median (lowest to highest)\n\n", rig.Machine(), o.messages, o.runs)
	printTable(out, results)
	fmt.Fprintln(out)
	printRatios(out, results)
	return nil
}

// broker measures the rows on one broker.
func (b *bench) broker(ctx context.Context, kind brokers.Kind) ([]result, error) {
	dir := filepath.Join(b.dir, string(kind))
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, err
	}
	fmt.Fprintf(b.progress, "starting %s %s\n", kind, kind.Version())
	broker, err := brokers.Open(ctx, kind, dir, brokers.Options{})
	if err != nil {
		return nil, err
	}
	defer broker.Kill()
	var results []result
	for _, s := range b.scenarios(kind) {
		r, err := b.measure(ctx, broker, s)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", s.name, err)
		}
		results = append(results, r)
	}
	return results, nil
}
