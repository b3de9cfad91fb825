package main

import (
	"context"
	"sync/atomic"

	"github.com/jmsbridge/jmsbridge/bridge"
)

// source gives n deliveries as fast as they are taken and as its credit allows, one allocation each.
type source struct {
	n, given int
	credit   int
	variants []bridge.Message
	settled  atomic.Int64
	freed    chan struct{} // something was settled
	done     chan struct{} // all is
}

func newSource(n int) *source {
	return &source{n: n, variants: variants(), freed: make(chan struct{}, 1), done: make(chan struct{})}
}

func (s *source) Connect(_ context.Context, credit int) error {
	s.credit = credit
	return nil
}

func (s *source) Close(context.Context) error { return nil }

func (s *source) Receive(ctx context.Context, dst []*bridge.Delivery) (int, error) {
	for {
		room := s.credit - (s.given - int(s.settled.Load()))
		if n := min(len(dst), s.n-s.given, room); n > 0 {
			for i := range n {
				dst[i] = &bridge.Delivery{Lease: s, Tag: uint64(s.given), Size: 1024, Message: s.variants[s.given%len(s.variants)]}
				s.given++
			}
			return n, nil
		}
		select {
		case <-s.freed:
		case <-ctx.Done():
			return 0, ctx.Err()
		}
	}
}

// Settle counts. Nothing here fails, so that every settlement is a confirmation.
func (s *source) Settle(uint64, bridge.Outcome) error {
	if s.settled.Add(1) == int64(s.n) {
		close(s.done)
	}
	select {
	case s.freed <- struct{}{}:
	default:
	}
	return nil
}

func (s *source) Lost() bool { return false }
