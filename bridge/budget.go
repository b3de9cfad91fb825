package bridge

import (
	"context"
	"sync"
	"sync/atomic"
)

// Budget bounds the bytes that several routes hold together. The zero Budget bounds nothing. It is safe for concurrent
// use.
type Budget struct {
	limit int64
	used  atomic.Int64

	mu      sync.Mutex
	waiting atomic.Int32
	freed   chan struct{} // closed when bytes were freed; replaced by the next waiter
}

// NewBudget returns a budget of this many bytes; 0 or less: no bound.
func NewBudget(bytes int64) *Budget { return &Budget{limit: bytes} }

// Used returns the bytes in use.
func (b *Budget) Used() int64 {
	if b == nil {
		return 0
	}
	return b.used.Load()
}

func (b *Budget) full() bool { return b != nil && b.limit > 0 && b.used.Load() >= b.limit }

func (b *Budget) add(n int64) {
	if b != nil {
		b.used.Add(n)
	}
}

func (b *Budget) free(n int64) {
	if b == nil {
		return
	}
	b.used.Add(-n)
	if b.waiting.Load() == 0 || b.full() {
		return
	}
	b.mu.Lock()
	if b.freed != nil {
		close(b.freed)
		b.freed = nil
	}
	b.mu.Unlock()
}

// wait returns when the budget is not full, or ctx ends, or poke says that something else has changed.
func (b *Budget) wait(ctx context.Context, poke <-chan struct{}) {
	b.waiting.Add(1)
	defer b.waiting.Add(-1)
	b.mu.Lock()
	if b.freed == nil {
		b.freed = make(chan struct{})
	}
	freed := b.freed
	b.mu.Unlock()
	if !b.full() { // freed between the caller's look and our registration
		return
	}
	select {
	case <-freed:
	case <-poke:
	case <-ctx.Done():
	}
}
