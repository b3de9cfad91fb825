package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/jmsbridge/jmsbridge/test/bench/rig"
	"github.com/jmsbridge/jmsbridge/test/brokers"
)

// once fills a queue and lets one side empty it.
func (b *bench) once(ctx context.Context, broker *brokers.Broker, s scenario, name string) (sample, error) {
	queue, err := b.queue(ctx, broker, s)
	if err != nil {
		return sample{}, fmt.Errorf("filling the queue: %w", err)
	}
	if err := b.endpoint.Reset(ctx, s.latency, false); err != nil {
		return sample{}, err
	}
	p, err := b.side(broker, s, name, queue)
	if err != nil {
		return sample{}, err
	}
	stats, err := b.endpoint.Await(ctx, b.messages, b.limit, &p.Process)
	if err != nil {
		return sample{}, errors.Join(err, p.Stop())
	}
	b.settle(ctx, broker, queue, s.latency)
	out := sample{rss: rig.PeakRSS(p.Cmd.Process.Pid), allocs: b.mallocs(ctx, p) / float64(b.messages)}
	if err := p.Stop(); err != nil {
		return sample{}, err
	}
	if out.allocs == 0 {
		var last struct{ Mallocs float64 }
		if json.Unmarshal(p.Stdout.Bytes(), &last) == nil {
			out.allocs = last.Mallocs / float64(b.messages)
		}
	}
	b.served += stats.Messages
	out.cpu = float64(p.CPU().Microseconds()) / float64(b.messages)
	out.rate = float64(stats.Messages) / time.Duration(stats.Last-stats.First).Seconds()
	out.first = time.Duration(stats.First - p.Began.UnixNano())
	if d, err := broker.Depth(ctx, queue); err != nil {
		return sample{}, err
	} else if out.left = d.Messages; stats.Messages != int64(b.messages) {
		return sample{}, fmt.Errorf("%d messages arrived of %d", stats.Messages, b.messages)
	}
	return out, nil
}

// settle gives the last calls and acknowledgements their time.
func (b *bench) settle(ctx context.Context, broker *brokers.Broker, queue string, latency time.Duration) {
	ctx, cancel := context.WithTimeout(ctx, latency+5*time.Second)
	defer cancel()
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for {
		if d, err := broker.Depth(ctx, queue); err == nil && d.Messages == 0 {
			return
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}

// mallocs asks jmsbridge how often it has allocated; 0 for the other side, which says so at its end.
func (b *bench) mallocs(ctx context.Context, p *side) float64 {
	var text string
	if p.metrics == "" || b.endpoint.Get(ctx, p.metrics, &text) != nil {
		return 0
	}
	for line := range strings.Lines(text) {
		if value, ok := strings.CutPrefix(line, "go_memstats_mallocs_total "); ok {
			n, _ := strconv.ParseFloat(strings.TrimSpace(value), 64)
			return n
		}
	}
	return 0
}

// side starts a side.
func (b *bench) side(broker *brokers.Broker, s scenario, name, queue string) (*side, error) {
	p := &side{}
	if name == "bare" {
		args := []string{
			"-broker", broker.Addr("stomp"), "-user", broker.Username(), "-password", broker.Password(), "-queue", queue, "-endpoint", b.endpoint.URL,
			"-prefetch", strconv.Itoa(b.prefetch), "-connections", strconv.Itoa(s.connections),
		}
		if s.tls {
			args[1] = broker.Addr("stomp+ssl")
			args = append(args, "-ca", broker.CAFile())
		}
		if !broker.Kind().Classic() {
			args = append(args, "-artemis")
		}
		return p, p.Start(exec.Command(filepath.Join(b.dir, "bareloop"), args...))
	}
	admin, err := freeAddress()
	if err != nil {
		return nil, err
	}
	path := filepath.Join(b.dir, "bridge.yaml")
	if err := os.WriteFile(path, []byte(b.config(broker, s, queue, admin)), 0o600); err != nil {
		return nil, err
	}
	p.metrics = "http://" + admin + "/metrics"
	return p, p.Start(exec.Command(b.bridge, "run", "-c", path))
}

func freeAddress() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	return l.Addr().String(), l.Close()
}

// config is the configuration of jmsbridge for a row.
func (b *bench) config(broker *brokers.Broker, s scenario, queue, admin string) string {
	scheme, tls := "stomp", ""
	if s.tls {
		scheme, tls = "stomp+ssl", "    tls:\n      ca_file: "+broker.CAFile()+"\n"
	}
	acknowledge, target, order := "individual", "bench", "    order: none\n"
	if s.cumulative {
		acknowledge = "cumulative"
	}
	if s.groups > 0 {
		target, order = "bench.fifo", "    order: group\n    group_id: ${.properties.account}\n"
	}
	return fmt.Sprintf(`brokers:
  - name: mq
    url: %s
    username: %s
    password: %s
%saws:
  region: us-east-1
  endpoint_url: %s
admin:
  listen: %s
log:
  level: warn
routes:
  - name: bench
    from:
      jms:
        broker: mq
        queue: %s
        consumers: %d
        prefetch: %d
        acknowledge: %s
    to:
      - sqs:
          queue: %s
%s`, broker.URL(scheme), broker.Username(), broker.Password(), tls, b.endpoint.URL, admin, queue, s.connections, b.prefetch, acknowledge, target, order)
}

// kill kills jmsbridge half-way, starts it again, and counts what arrived twice or never.
func (b *bench) kill(ctx context.Context, broker *brokers.Broker, s scenario) (duplicates, lost int, err error) {
	queue, err := b.queue(ctx, broker, s)
	if err != nil {
		return 0, 0, fmt.Errorf("filling the queue: %w", err)
	}
	if err := b.endpoint.Reset(ctx, s.latency, true); err != nil {
		return 0, 0, err
	}
	p, err := b.side(broker, s, "jmsbridge", queue)
	if err != nil {
		return 0, 0, err
	}
	if _, err := b.endpoint.Await(ctx, b.messages/2, b.limit, &p.Process); err != nil {
		return 0, 0, errors.Join(err, p.Stop())
	}
	if err := p.Kill(); err == nil {
		return 0, 0, errors.New("it ended by itself before it was killed")
	}
	if p, err = b.side(broker, s, "jmsbridge", queue); err != nil {
		return 0, 0, err
	}
	if _, err := b.endpoint.Await(ctx, b.messages, b.limit, &p.Process); err != nil {
		return 0, 0, errors.Join(err, p.Stop())
	}
	b.settle(ctx, broker, queue, s.latency)
	if err := p.Stop(); err != nil {
		return 0, 0, err
	}
	stats, err := b.endpoint.Stats(ctx)
	if err != nil {
		return 0, 0, err
	}
	b.served += stats.Messages
	return int(stats.Messages - stats.Distinct), b.messages - int(stats.Distinct), nil
}
