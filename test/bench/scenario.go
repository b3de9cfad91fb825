package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/jmsbridge/jmsbridge/test/brokers"
)

// allRows are the kinds of rows, in their order.
var allRows = []string{"main", "cumulative", "tls", "group20", "group1000", "kill"}

// scenario is one row.
type scenario struct {
	name        string
	row         string
	latency     time.Duration
	connections int
	tls         bool
	cumulative  bool
	groups      int // > 0: order by group, to a FIFO queue
	bare        bool
}

// scenarios are the rows for a broker.
func (b *bench) scenarios(kind brokers.Kind) []scenario {
	var out []scenario
	first, conns := b.latencies[0], b.connections[0]
	short := func(d time.Duration) string { return strings.TrimSuffix(d.String(), "0s") }
	for _, row := range b.rows {
		s := scenario{name: fmt.Sprintf("%s-%s", kind, row), row: row, latency: first, connections: conns}
		switch row {
		case "main":
			for _, c := range b.connections {
				for _, l := range b.latencies {
					out = append(out, scenario{name: fmt.Sprintf("%s-%s-%dconn", kind, short(l), c), row: row, latency: l, connections: c, bare: true})
				}
			}
			continue
		case "cumulative":
			if !kind.Classic() {
				continue
			}
			s.cumulative, s.bare = true, true
		case "tls":
			s.tls, s.bare = true, true
		case "group20":
			s.groups = 20
		case "group1000":
			s.groups = 1000
		case "kill":
			out = append(out, s)
			if kind.Classic() {
				s.name, s.cumulative = s.name+"-cumulative", true
				out = append(out, s)
			}
			continue
		}
		out = append(out, s)
	}
	return out
}

// result is a row with its samples.
type result struct {
	scenario
	ours, bare []sample
	duplicates []int // of the row kill
	lost       []int
}

// measure runs a row's sides one after the other, as often as asked, the first one taking turns.
func (b *bench) measure(ctx context.Context, broker *brokers.Broker, s scenario) (result, error) {
	r := result{scenario: s}
	if err := b.warmUp(ctx, broker, s); err != nil {
		return r, fmt.Errorf("warming up: %w", err)
	}
	for i := range b.runs {
		if s.row == "kill" {
			duplicates, lost, err := b.kill(ctx, broker, s)
			if err != nil {
				return r, err
			}
			r.duplicates, r.lost = append(r.duplicates, duplicates), append(r.lost, lost)
			fmt.Fprintf(b.progress, "%-28s killed half-way: %d duplicates, %d lost\n", s.name, duplicates, lost)
			continue
		}
		sides := []string{"jmsbridge", "bare"}
		if i%2 == 1 {
			slices.Reverse(sides)
		}
		for _, side := range sides {
			if (side == "bare" && !s.bare) || !slices.Contains(b.sides, side) {
				continue
			}
			got, err := b.once(ctx, broker, s, side)
			if err != nil {
				return r, fmt.Errorf("%s: %w", side, err)
			}
			if side == "bare" {
				r.bare = append(r.bare, got)
			} else {
				r.ours = append(r.ours, got)
			}
			fmt.Fprintf(b.progress, "%-28s %-10s %s\n", s.name, side, got)
		}
	}
	return r, nil
}

// warmUp lets the broker's Java see the row once, or the side that comes first would pay for it.
func (b *bench) warmUp(ctx context.Context, broker *brokers.Broker, s scenario) error {
	whole := b.messages
	defer func() { b.messages = whole }()
	b.messages = min(whole, 5000)
	for _, side := range []string{"bare", "jmsbridge"} {
		if (side == "bare" && !s.bare) || !slices.Contains(b.sides, side) {
			continue
		}
		if _, err := b.once(ctx, broker, s, side); err != nil {
			return fmt.Errorf("%s: %w", side, err)
		}
	}
	return nil
}

// queue fills a queue of its own and returns its name.
func (b *bench) queue(ctx context.Context, broker *brokers.Broker, s scenario) (string, error) {
	b.queues++
	name := "bench." + strconv.Itoa(b.queues)
	c, err := broker.Dial(ctx, "stomp", brokers.App)
	if err != nil {
		return "", err
	}
	groups := max(s.groups, 1000)
	if s.groups > 0 {
		groups = s.groups
	}
	padding := strings.Repeat("0123456789abcdef", 64) // 1 KiB
	_, err = c.Publish(ctx, name, b.messages, func(i int) brokers.Message {
		head := fmt.Sprintf("%010d ", i)
		return brokers.Message{Body: head + padding[len(head):], Headers: []brokers.Header{
			{Name: "account", Value: "account-" + strconv.Itoa(i%groups)},
			{Name: "region", Value: "eu-west-1"},
			{Name: "amount", Value: strconv.Itoa(i * 7)},
			{Name: "currency", Value: "EUR"},
			{Name: "kind", Value: "order"},
		}}
	}, nil)
	return name, errors.Join(err, c.Close())
}
