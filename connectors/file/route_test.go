package file

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/jmsbridge/jmsbridge/bridge"
	"github.com/jmsbridge/jmsbridge/bridge/envelope"
)

// supply is a source of numbered messages, which come again when they are not accepted.
type supply struct {
	mu       sync.Mutex
	waiting  []int
	given    map[uint64]int
	accepted int
	tag      uint64
	more     chan struct{}
	epoch    int
}

type supplyLease struct {
	s     *supply
	epoch int
}

func (l supplyLease) Lost() bool {
	l.s.mu.Lock()
	defer l.s.mu.Unlock()
	return l.epoch != l.s.epoch
}

func (l supplyLease) Settle(tag uint64, _ bridge.Outcome) error {
	l.s.mu.Lock()
	defer l.s.mu.Unlock()
	if l.epoch != l.s.epoch {
		return bridge.ErrLost
	}
	delete(l.s.given, tag)
	l.s.accepted++
	return nil
}

func (s *supply) add(from, to int) {
	s.mu.Lock()
	for n := from; n < to; n++ {
		s.waiting = append(s.waiting, n)
	}
	s.mu.Unlock()
	select {
	case s.more <- struct{}{}:
	default:
	}
}

func (s *supply) Connect(context.Context, int) error { return nil }

func (s *supply) Receive(ctx context.Context, dst []*bridge.Delivery) (int, error) {
	for {
		s.mu.Lock()
		n := min(len(dst), len(s.waiting))
		for i := range n {
			s.tag++
			s.given[s.tag] = s.waiting[i]
			key := fmt.Sprint(s.waiting[i])
			dst[i] = &bridge.Delivery{
				Message: bridge.Message{Key: key, ID: key, Body: bridge.NewText(key)}, Lease: supplyLease{s, s.epoch}, Tag: s.tag, Size: 100,
			}
		}
		s.waiting = s.waiting[n:]
		s.mu.Unlock()
		if n > 0 {
			return n, nil
		}
		select {
		case <-s.more:
		case <-ctx.Done():
			return 0, ctx.Err()
		}
	}
}

// Close gives back what is unsettled.
func (s *supply) Close(context.Context) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.epoch++
	for tag := uint64(1); tag <= s.tag; tag++ {
		if n, ok := s.given[tag]; ok {
			s.waiting = append(s.waiting, n)
		}
	}
	clear(s.given)
	return nil
}

func (s *supply) settled() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.accepted
}

// TestRouteSurvivesAMovedFile moves the file away while a route writes: the two files together hold every message once.
func TestRouteSurvivesAMovedFile(t *testing.T) {
	const total = 3000
	path := filepath.Join(t.TempDir(), "out.jsonl")
	sink, err := NewSink(SinkSettings{Path: path})
	if err != nil {
		t.Fatal(err)
	}
	source := &supply{given: map[uint64]int{}, more: make(chan struct{}, 1)}
	route, err := bridge.NewRoute(bridge.RouteSettings{
		Name: "audit", Sources: []bridge.Source{source}, Targets: []bridge.TargetSettings{{Name: "file", Sink: sink}}, Order: bridge.OrderStrict,
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	var running sync.WaitGroup
	running.Go(func() {
		if err := route.Run(ctx, nil); err != nil {
			t.Error(err)
		}
	})
	defer running.Wait()
	defer cancel()
	wait := func(n int) {
		t.Helper()
		deadline := time.Now().Add(30 * time.Second)
		for tick := time.NewTicker(time.Millisecond); source.settled() < n; <-tick.C {
			if time.Now().After(deadline) {
				t.Fatalf("%d of %d are settled: %+v", source.settled(), n, route.Status())
			}
		}
	}
	source.add(0, total/2)
	wait(total / 4)
	if err := os.Rename(path, path+".1"); err != nil {
		t.Fatal(err)
	}
	source.add(total/2, total)
	wait(total)
	cancel()
	running.Wait()

	next := 0
	for _, name := range []string{path + ".1", path} {
		for _, m := range envelopes(t, name) {
			if m.Body.Data() != fmt.Sprint(next) {
				t.Fatalf("%s: %q comes where %d should", name, m.Body.Data(), next)
			}
			next++
		}
	}
	if next != total {
		t.Errorf("%d of %d messages are in the files", next, total)
	}
}

func envelopes(t *testing.T, path string) []*bridge.Message {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var all []*bridge.Message
	for line := range bytes.Lines(data) {
		m, err := envelope.Parse(line)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, m)
	}
	return all
}
