package bridge

import (
	"testing"
	"time"
)

func takesAll(*item, time.Time) bool { return true }

func TestABatchWaitsForCompanyOnlyWhileACallIsInFlight(t *testing.T) {
	s := newScheduler(false, 1, takesAll)
	now := time.Now()
	l := Limits{Messages: 10, Linger: 5 * time.Millisecond}
	s.push(&item{size: 1}, now)
	if got, wake := s.next(now, l, 10, true, false, nil); len(got) != 0 || !wake.Equal(now.Add(l.Linger)) {
		t.Fatalf("took %d while a call was in flight, asks again at %v", len(got), wake)
	}
	if got, _ := s.next(now, l, 10, false, false, nil); len(got) != 1 {
		t.Errorf("took %d with nothing in flight", len(got))
	}
}

func TestALaneWhoseMessageFailedGoesBeforeTheOthers(t *testing.T) {
	for _, c := range []struct {
		name string
		f    fate
		want string
	}{{"answered for", first, "a"}, {"failed with its call", behind, "b"}} {
		t.Run(c.name, func(t *testing.T) {
			s := newScheduler(true, 1, takesAll)
			now := time.Now()
			for _, key := range []string{"a", "b"} {
				s.push(&item{size: 1, key: key}, now)
			}
			l := Limits{Messages: 1, Run: 1}
			got, _ := s.next(now, l, 1, false, false, nil)
			s.done(got[0], c.f, time.Time{}, now)
			if got, _ = s.next(now, l, 1, false, false, nil); got[0].key != c.want {
				t.Errorf("lane %s is next", got[0].key)
			}
		})
	}
}

func TestCallsThatFailTogetherCutConcurrencyOnce(t *testing.T) {
	var l limiter
	l.reset(100)
	now := time.Now()
	for range 50 {
		l.bad(now)
		now = now.Add(time.Millisecond)
	}
	if l.calls() != 70 {
		t.Errorf("%d calls after one round of failures", l.calls())
	}
	if l.bad(now.Add(cutEvery)); l.calls() != 49 {
		t.Errorf("%d calls after a second round", l.calls())
	}
}

// Their sizes are known only afterwards, so the window goes by the mean of what it holds.
func TestNoMoreIsReceivedThanIsLikelyToFit(t *testing.T) {
	w := &window{bytes: 1000}
	w.resize(100, 100, 1)
	if n := w.room(64); n != 64 {
		t.Fatalf("room for %d in an empty window", n)
	}
	w.enter([]*Delivery{{Size: 100}, {Size: 100}}, &session{}, 64, time.Now(), nil)
	if n := w.room(64); n != 8 {
		t.Errorf("room for %d more messages of 100 bytes in 800", n)
	}
}
