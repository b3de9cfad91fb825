package bridge

import (
	"context"
	"math/rand/v2"
	"time"
)

// randomUpTo returns a random duration in [0, n).
func randomUpTo(n time.Duration) time.Duration {
	if n <= 0 {
		return 0
	}
	return rand.N(n)
}

// backoff is full jitter: a random time up to base, doubled for each try after the first, up to most.
func (r *Route) backoff(try int, base, most time.Duration) time.Duration {
	return r.set.jitter(doubled(try, base, most))
}

// doubled returns base, doubled for each try after the first, at most most.
func doubled(try int, base, most time.Duration) time.Duration {
	d := base
	for range min(max(try, 1)-1, 40) {
		if d *= 2; d >= most {
			return most
		}
	}
	return min(d, most)
}

// sleep waits for d or until ctx ends.
func sleep(ctx context.Context, d time.Duration) {
	if d <= 0 {
		return
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}
