package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/jmsbridge/jmsbridge/test/bench/rig"
	"github.com/jmsbridge/jmsbridge/test/brokers"
)

// bench is a benchmark at work.
type bench struct {
	options
	dir      string
	progress io.Writer
	endpoint *rig.Endpoint
}

// answer is what the responder in Java says: what the endpoint says for a function.
const answer = `{"ok":true}`

// The queues of the two sides.
const (
	bridgeQueue = "bench.bridge"
	javaQueue   = "bench.java"
)

// result is a rate on a broker with its samples.
type result struct {
	name       string
	rate       int
	ours, java []sample
}

// sample is what one run has shown.
type sample struct {
	latencies
	rate                                 float64       // answers a second
	responder, endpoint, broker, request time.Duration // CPU a request, of each process
	rss                                  float64       // MiB at most, of the responder so far
}

func (s sample) String() string {
	return fmt.Sprintf("%6.0f/s p50 %.2f p99 %.2f p99.9 %.2f max %.2f ms, sent late p99 %.2f ms, %d without answer, %v CPU/request",
		s.rate, s.p50, s.p99, s.p999, s.max, s.late, s.timeouts, s.responder)
}

// stage is one broker with everything that runs on it.
type stage struct {
	*bench
	broker    *brokers.Broker
	requester *requester
	sides     []side
}

// side is a responder.
type side struct {
	name, queue string
	pid         int
}

// warmUpRate is the most at which everything is warmed up: enough for Java to compile, and no backlog.
const warmUpRate = 1000

// broker measures the rates on one broker.
func (b *bench) broker(ctx context.Context, kind brokers.Kind) (results []result, err error) {
	dir := filepath.Join(b.dir, string(kind))
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, err
	}
	fmt.Fprintf(b.progress, "starting %s %s\n", kind, kind.Version())
	broker, err := brokers.Open(ctx, kind, dir, brokers.Options{ConnectorOptions: b.connector})
	if err != nil {
		return nil, err
	}
	defer broker.Kill()
	ours, err := b.startBridge(ctx, broker)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, ours.Stop()) }()
	theirs, err := b.startResponder(ctx, broker)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, theirs.end()) }()
	requester, err := b.startRequester(ctx, broker)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, requester.end()) }()
	s := &stage{b, broker, requester, []side{{"jmsbridge", bridgeQueue, ours.Cmd.Process.Pid}, {"java", javaQueue, theirs.pid()}}}
	// Java compiles while it runs, and each side has code of its own in the broker.
	for _, side := range s.sides {
		if _, err := s.once(ctx, side, min(slices.Max(b.rates), warmUpRate), 10*b.warmUp, 1); err != nil {
			return nil, fmt.Errorf("warming up: %s: %w\n%s", side.name, err, ours.Output.String())
		}
	}
	for _, rate := range b.rates {
		r := result{name: fmt.Sprintf("reply-%d", rate), rate: rate}
		if len(b.brokers) > 1 {
			r.name = fmt.Sprintf("reply-%s-%d", kind, rate)
		}
		for range b.runs {
			for _, side := range s.sides {
				got, err := s.once(ctx, side, rate, b.warmUp, b.seconds)
				if err != nil {
					return nil, fmt.Errorf("%s: %s: %w\n%s", r.name, side.name, err, ours.Output.String())
				}
				fmt.Fprintf(b.progress, "%-18s %-10s %s\n", r.name, side.name, got)
				if side.name == "java" {
					r.java = append(r.java, got)
				} else {
					r.ours = append(r.ours, got)
				}
			}
			slices.Reverse(s.sides)
		}
		results = append(results, r)
	}
	return results, nil
}

// once asks one side at a rate.
func (s *stage) once(ctx context.Context, to side, rate int, warmUp, seconds float64) (sample, error) {
	n := max(1, int(seconds*float64(rate)))
	pids := []int{to.pid, s.endpoint.Pid(), s.broker.Pid(), s.requester.pid()}
	var before, after []time.Duration
	asked, err := s.requester.ask(ctx, command{
		queue: to.queue, rate: rate, warmUp: int(warmUp * float64(rate)), requests: n, timeout: s.timeout,
		measuring: func() (err error) { before, err = used(pids); return err },
		measured:  func() (err error) { after, err = used(pids); return err },
	})
	if err != nil {
		return sample{}, err
	}
	if asked.answered == 0 || asked.twice > 0 {
		return sample{}, fmt.Errorf("of %d requests %d were answered, %d of them twice", n, asked.answered, asked.twice)
	}
	if asked.foreign > 0 {
		fmt.Fprintf(s.progress, "%d answers came too late, to requests of an earlier run\n", asked.foreign)
	}
	out := sample{latencies: asked.latencies, rss: rig.PeakRSS(to.pid)}
	if asked.span > 0 {
		out.rate = float64(asked.answered) / asked.span.Seconds()
	}
	for i, to := range []*time.Duration{&out.responder, &out.endpoint, &out.broker, &out.request} {
		*to = ((after[i] - before[i]) / time.Duration(n)).Round(100 * time.Nanosecond)
	}
	return out, nil
}

// used is the CPU time that processes have taken so far.
func used(pids []int) ([]time.Duration, error) {
	all := make([]time.Duration, len(pids))
	for i, pid := range pids {
		var err error
		if all[i], err = rig.RunningCPU(pid); err != nil {
			return nil, err
		}
	}
	return all, nil
}
