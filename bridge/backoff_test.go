package bridge

import (
	"testing"
	"time"
)

// Full jitter, with the random numbers that routes really use: within the bound, not constant, and over all of it.
func TestBackoffIsSpreadOverABoundThatDoublesUpToItsCap(t *testing.T) {
	r, err := NewRoute(RouteSettings{
		Name: "r", Sources: []Source{&simSource{b: newSimBroker()}}, Targets: []TargetSettings{{Sink: newSimTarget(Limits{})}},
	})
	if err != nil {
		t.Fatal(err)
	}
	const base, most, draws = 100 * time.Millisecond, 5 * time.Second, 1000
	for try, bound := range map[int]time.Duration{
		-1: base, 0: base, 1: base, 2: 2 * base, 3: 4 * base, 4: 8 * base, 5: 16 * base, 6: 32 * base, 7: most, 8: most, 1 << 40: most,
	} {
		least, longest, sum := most, time.Duration(0), time.Duration(0)
		different := map[time.Duration]bool{}
		for range draws {
			d := r.backoff(try, base, most)
			if d < 0 || d >= bound {
				t.Fatalf("try %d waits %v, and the bound is %v", try, d, bound)
			}
			least, longest, sum = min(least, d), max(longest, d), sum+d
			different[d] = true
		}
		// Each of these fails by chance once in more than 10^9 runs.
		mean := sum / draws
		if least > bound/20 || longest < bound*19/20 || mean < bound*43/100 || mean > bound*57/100 || len(different) < draws/2 {
			t.Errorf("try %d: from %v to %v, %v on average, %d different of %d, and the bound is %v",
				try, least, longest, mean, len(different), draws, bound)
		}
	}
	if d := r.backoff(3, most, base); d >= base {
		t.Errorf("a base over the cap waits %v", d)
	}
}

func TestRandomUpToTakesAnyBound(t *testing.T) {
	for _, n := range []time.Duration{-time.Second, 0, 1} {
		if d := randomUpTo(n); d != 0 {
			t.Errorf("up to %v is %v", n, d)
		}
	}
}
