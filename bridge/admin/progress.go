package admin

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/jmsbridge/jmsbridge/bridge"
)

// Reporter is what the package knows of a route; [bridge.Route] is one. Status is safe for concurrent use.
type Reporter interface {
	Status() bridge.RouteStatus
}

const (
	// answerWithin is how long a route may take to tell its status. It takes microseconds; only a lock that is never
	// let go makes it longer.
	answerWithin = 5 * time.Second
	// stallAfter is how long a route may have calls under way, to a target that works, and nothing to show for it.
	// Every call has a deadline far below.
	stallAfter = 15 * time.Minute
)

// watched is a route and what is remembered of it from one look to the next.
type watched struct {
	name  string
	route Reporter

	mu       sync.Mutex
	asking   chan struct{} // an unanswered question; nil: none
	last     bridge.RouteStatus
	progress bridge.Counters
	since    time.Time // when the counters last moved
}

// ask returns the status of the route, or false when it does not answer. A question that hangs is not asked again.
func (w *watched) ask(ctx context.Context) (bridge.RouteStatus, bool) {
	ctx, cancel := context.WithTimeout(ctx, answerWithin)
	defer cancel()
	w.mu.Lock()
	if w.asking == nil {
		done := make(chan struct{})
		w.asking = done
		go func() {
			status := w.route.Status()
			w.mu.Lock()
			w.last, w.asking = status, nil
			w.mu.Unlock()
			close(done)
		}()
	}
	asking := w.asking
	w.mu.Unlock()
	select {
	case <-asking:
		w.mu.Lock()
		defer w.mu.Unlock()
		return w.last, true
	case <-ctx.Done():
		return bridge.RouteStatus{}, false
	}
}

// live tells whether the route makes progress.
func (w *watched) live(ctx context.Context) error {
	status, ok := w.ask(ctx)
	if !ok {
		return fmt.Errorf("route %s does not answer", w.name)
	}
	now := time.Now()
	w.mu.Lock()
	defer w.mu.Unlock()
	if status.Counters != w.progress || w.since.IsZero() || !underWay(&status) {
		w.progress, w.since = status.Counters, now
		return nil
	}
	if idle := now.Sub(w.since); idle >= stallAfter && status.OldestUnsettledSeconds >= stallAfter.Seconds() {
		return fmt.Errorf("route %s has %d messages in flight and has got nothing done for %s",
			w.name, status.InFlight, idle.Round(time.Second))
	}
	return nil
}

// underWay tells whether the route owes progress: nothing outside it explains that none comes.
func underWay(s *bridge.RouteStatus) bool {
	if s.State != bridge.StateRunning || s.InFlight == 0 {
		return false
	}
	calls := 0
	for i := range s.Targets {
		if !s.Targets[i].Works {
			return false
		}
		calls += s.Targets[i].Calls
	}
	return calls > 0
}
