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
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/jmsbridge/jmsbridge/test/bench/rig"
	"github.com/jmsbridge/jmsbridge/test/brokers"
)

type options struct {
	brokers         []brokers.Kind
	rates           []int
	seconds, warmUp float64
	runs            int
	timeout         time.Duration
	calls, sessions int
	bridge          string
	connector       string
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
		fmt.Fprintln(os.Stderr, "reply:", err)
		os.Exit(1)
	}
}

func parse(args []string) (options, error) {
	var o options
	var list struct{ brokers, rates string }
	f := flag.NewFlagSet("reply", flag.ContinueOnError)
	f.StringVar(&list.brokers, "brokers", "classic6", "the brokers, of "+fmt.Sprint(brokers.Kinds()))
	f.StringVar(&list.rates, "rates", "100,1000,5000", "requests a second")
	f.Float64Var(&o.seconds, "seconds", 20, "how long a run asks")
	f.Float64Var(&o.warmUp, "warmup", 5, "seconds of asking before each run that don't count; ten times as long before the first run of each side")
	f.IntVar(&o.runs, "runs", 5, "runs of each side, interleaved")
	f.DurationVar(&o.timeout, "timeout", 5*time.Second, "how long the requester waits for an answer")
	f.IntVar(&o.calls, "calls", 32, "calls of the function at once")
	f.IntVar(&o.sessions, "sessions", 4, "sessions of the responder in Java, each with a thread")
	f.StringVar(&o.bridge, "bridge", "", "the jmsbridge binary; without it, one is built")
	f.StringVar(&o.connector, "connector", "", "options of the broker's connectors, such as transport.tcpNoDelay=true")
	if err := f.Parse(args); err != nil {
		return o, err
	}
	for name := range strings.SplitSeq(list.brokers, ",") {
		kind, err := brokers.ParseKind(name)
		if err != nil {
			return o, err
		}
		o.brokers = append(o.brokers, kind)
	}
	for r := range strings.SplitSeq(list.rates, ",") {
		n, err := strconv.Atoi(r)
		if err != nil || n < 1 {
			return o, fmt.Errorf("rate %q", r)
		}
		o.rates = append(o.rates, n)
	}
	if o.seconds <= 0 || o.warmUp < 0 || o.runs < 1 || o.calls < 1 || o.sessions < 1 || o.timeout < time.Second {
		return o, errors.New("too few seconds, runs, calls or sessions, or a timeout below a second")
	}
	return o, nil
}

// run measures every rate on every broker.
func run(ctx context.Context, o options, out, progress io.Writer) (err error) {
	dir, err := os.MkdirTemp("", "jmsbridge-bench-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	b := &bench{options: o, dir: dir, progress: progress}
	programs := map[string]string{"endpoint": "./test/bench/cmd/endpoint"}
	if b.bridge == "" {
		b.bridge = filepath.Join(dir, "jmsbridge")
		programs["jmsbridge"] = "./cmd/jmsbridge"
	}
	if err := rig.Build(ctx, dir, programs); err != nil {
		return err
	}
	if b.endpoint, err = rig.StartEndpoint(filepath.Join(dir, "endpoint"), progress); err != nil {
		return err
	}
	defer func() { _, _ = b.endpoint.Stop() }()
	if err := b.endpoint.Reset(ctx, 0, false); err != nil {
		return err
	}
	var results []result
	for _, kind := range o.brokers {
		got, err := b.broker(ctx, kind)
		if err != nil {
			return fmt.Errorf("%s: %w", kind, err)
		}
		results = append(results, got...)
	}
	fmt.Fprintf(out, "%s; non-persistent requests of 1 KiB with 5 properties, %d runs of %g s: median (lowest to highest)\n"+
		"latencies in ms, from when a request should have been sent; no answer within %v counts as one after %v\n\n",
		rig.Machine(), o.runs, o.seconds, o.timeout, o.timeout)
	printTable(out, results)
	fmt.Fprintln(out)
	printDeltas(out, results)
	return nil
}
