package bridge

import (
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"
)

// steady puts messages at a rate until the rig stops.
func (g *rig) steady(every time.Duration, done <-chan struct{}) {
	for i := 0; ; i++ {
		select {
		case <-done:
			return
		case <-time.After(every):
			g.b.put(fmt.Sprint("g", i%50), time.Time{})
		}
	}
}

// rate returns the messages that became durable between two instants, per second.
func (t *simTarget) rate(from, to time.Time) float64 {
	t.mu.Lock()
	defer t.mu.Unlock()
	n := 0
	for _, s := range t.log {
		if s.at.After(from) && !s.at.After(to) {
			n++
		}
	}
	return float64(n) / to.Sub(from).Seconds()
}

// peak returns the best rate of any second between two instants.
func (t *simTarget) peak(from, to time.Time) float64 {
	best := 0.0
	for at := from; at.Before(to); at = at.Add(500 * time.Millisecond) {
		best = max(best, t.rate(at, at.Add(time.Second)))
	}
	return best
}

func TestTargetGoneForAnHourLosesAndDeadLettersNothing(t *testing.T) {
	for _, order := range []Order{OrderNone, OrderGroup, OrderStrict} {
		kinds := []string{"500"}
		if order == OrderGroup {
			kinds = []string{"500", "timeout", "throttled", "disconnected"}
		}
		for _, kind := range kinds {
			t.Run(order.String()+"/"+kind, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					g := newRig(t, func(s *RouteSettings, _ *rig) { s.Order = order; s.Credit = 200 })
					g.target.limits = Limits{Messages: 10, Calls: 32, Run: 1, Timeout: 5 * time.Second, Linger: 5 * time.Millisecond}
					g.target.latency = func() time.Duration { return 20 * time.Millisecond }
					began := time.Now()
					down := func() bool { at := time.Since(began); return at > 10*time.Second && at < 10*time.Second+time.Hour }
					g.target.fault = func([]Outgoing) simFault {
						if !down() {
							return simFault{}
						}
						switch kind {
						case "timeout":
							return simFault{stall: time.Hour}
						case "throttled":
							return simFault{err: &Error{Class: Throttled, Err: errTransient}}
						case "disconnected":
							return simFault{err: fmt.Errorf("sending: %w", ErrNotConnected)}
						default:
							return simFault{err: &Error{Class: Transient, Code: "500", Err: errTransient}}
						}
					}
					g.target.refuse = func() error {
						if down() {
							return errors.New("connection refused")
						}
						return nil
					}
					done := make(chan struct{})
					go g.steady(500*time.Millisecond, done)
					g.put(1000, func(i int) string { return fmt.Sprint("g", i%50) })
					g.run()
					pass(10*time.Second + 30*time.Minute)
					if s := g.r.Status(); s.State != StateTargetDown || s.Reason == "" {
						t.Errorf("in the outage the state is %q for the reason %q", s.State, s.Reason)
					}
					sends := g.target.sendCount()
					pass(10 * time.Minute)
					if n := g.target.sendCount() - sends; n > 1200 {
						t.Errorf("%d calls in ten minutes of an outage", n)
					}
					pass(20 * time.Minute)
					back := time.Now()
					grace := 10 * time.Second
					if kind == "disconnected" {
						grace += 30 * time.Second // the longest wait before the next dial
					}
					pass(grace)
					// Strict moves one message in 20 ms, fifty groups fifty; without order the credit is the limit.
					want := map[Order]float64{OrderNone: 3000, OrderGroup: 1500, OrderStrict: 45}[order]
					if peak := g.target.peak(back, time.Now()); peak < want {
						t.Errorf("within %v of the outage %.0f messages a second move, want %.0f", grace, peak, want)
					}
					pass(20 * time.Minute)
					close(done)
					pass(10 * time.Second)
					synctest.Wait()
					if n := g.dead.count(); n != 0 {
						t.Errorf("%d messages were dead-lettered", n)
					}
					if g.b.left() != 0 || len(g.target.confirmed) != g.b.sent {
						t.Errorf("sent %d, arrived %d, left %d", g.b.sent, len(g.target.confirmed), g.b.left())
					}
					g.wait()
				})
			})
		}
	}
}

func (t *simTarget) sendCount() int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.sends
}

// A minute of throttling, failed calls and partial failures, then the rate is back within ten seconds.
func TestRateRecoversAfterAMinuteOfFaults(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newRig(t, func(s *RouteSettings, _ *rig) { s.Credit = 1000 })
		g.target.limits = Limits{Messages: 10, Calls: 8, Run: 1, Timeout: 5 * time.Second, Linger: 5 * time.Millisecond}
		g.target.latency = func() time.Duration { return 100 * time.Millisecond }
		began, n := time.Now(), 0
		g.target.fault = func(batch []Outgoing) simFault {
			if time.Since(began) > time.Minute {
				return simFault{}
			}
			switch n++; n % 10 {
			case 0:
				return simFault{err: &Error{Class: Throttled, Err: errTransient}}
			case 1:
				return simFault{partial: map[int]error{0: &Error{Class: Throttled, Code: "partial", Err: errTransient}}}
			case 2:
				return simFault{err: &Error{Class: Transient, Code: "500", Err: errTransient}, stored: true}
			}
			return simFault{}
		}
		g.put(65_000, nil)
		g.run()
		pass(59 * time.Second)
		if g.r.Status().Targets[0].CallLimit > 7 {
			t.Errorf("the faults left a limit of %d calls", g.r.Status().Targets[0].CallLimit)
		}
		pass(11 * time.Second)
		if rate := g.target.rate(time.Now().Add(-2*time.Second), time.Now()); rate < 700 {
			t.Errorf("ten seconds later %.0f messages a second move, want 800 or nearly", rate)
		}
		pass(2 * time.Minute)
		synctest.Wait()
		if g.dead.count() != 0 || g.b.left() != 0 {
			t.Errorf("%d dead letters, %d left", g.dead.count(), g.b.left())
		}
		for key, n := range g.target.confirmed {
			if n > 1 {
				t.Errorf("%s was answered as successful and sent again", key)
			}
		}
		g.wait()
	})
}

func TestFatalPausesProbesWithOneMessageAndReturnsToFullCredit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newRig(t, func(s *RouteSettings, _ *rig) { s.Credit = 50 })
		began := time.Now()
		g.target.fault = func(batch []Outgoing) simFault {
			if time.Since(began) > 30*time.Minute {
				return simFault{}
			}
			if time.Since(began) > 5*time.Second && len(batch) != 1 {
				t.Errorf("a probe of %d messages", len(batch))
			}
			return simFault{err: &Error{Class: Fatal, Code: "AccessDenied", Err: errors.New("access denied"), Remedy: "allow sqs:SendMessage"}}
		}
		g.put(500, nil)
		g.run()
		pass(20 * time.Minute)
		s := g.r.Status()
		if s.State != StateFatal && s.State != StateProbing || s.InFlight > 1 {
			t.Errorf("%+v", s)
		}
		if s.State == StateFatal && (s.Remedy != "allow sqs:SendMessage" || s.Class != "fatal") {
			t.Errorf("remedy %q, class %q", s.Remedy, s.Class)
		}
		if n := g.target.sendCount(); n < 35 || n > 60 {
			t.Errorf("%d calls in twenty minutes, want one in half a minute", n)
		}
		if g.dead.count() != 0 {
			t.Error("a fault of the route was charged to a message")
		}
		pass(11 * time.Minute)
		synctest.Wait()
		if s := g.r.Status(); s.State != StateRunning || g.b.left() != 0 || g.b.credit() != 50 {
			t.Errorf("state %q, %d left, credit %d", s.State, g.b.left(), g.b.credit())
		}
		g.wait()
	})
}

func (b *simBroker) credit() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.conn == nil {
		return 0
	}
	return b.conn.credit
}

func TestHeldMessagesThatFillHalfTheCreditStopTheRoute(t *testing.T) {
	for _, order := range []Order{OrderNone, OrderStrict} {
		t.Run(order.String(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				g := newRig(t, func(s *RouteSettings, _ *rig) { s.Credit, s.Order = 20, order })
				bad := 10
				if order == OrderStrict {
					bad = 1
				}
				g.b.hold = func(key string) error {
					var n int
					if _, err := fmt.Sscanf(key, "ID:%d", &n); err == nil && n%2 == 0 && n <= 2*bad {
						return errors.New("a Map can't be told on this wire")
					}
					return nil
				}
				g.put(2*bad-1, nil)
				g.run()
				pass(time.Minute)
				if order == OrderNone {
					if s := g.r.Status(); s.State != StateRunning || s.HeldCount != bad-1 || s.Held[0].ID != "ID:2" || s.Held[0].Reason == "" {
						t.Fatalf("before: %+v", s)
					}
				}
				g.put(100, nil)
				pass(2 * time.Minute)
				s := g.r.Status()
				if s.State != StateFatal || s.Remedy == "" {
					t.Fatalf("after: %+v", s)
				}
				connects := g.b.connectCount()
				pass(time.Hour)
				if n := g.b.connectCount() - connects; n > 13 {
					t.Errorf("%d connections in an hour of a route that can't work", n)
				}
				if g.dead.count() != 0 {
					t.Error("a held message was dead-lettered")
				}
				g.wait()
				if g.b.settled["ID:2"] != 0 {
					t.Error("a held message was settled")
				}
			})
		})
	}
}

func TestAProbeIsNotStuckBehindAHeldMessage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newRig(t, func(s *RouteSettings, _ *rig) { s.Credit = 50 })
		g.b.hold = func(key string) error {
			if key == "ID:1" || key == "ID:2" {
				return errors.New("held")
			}
			return nil
		}
		began := time.Now()
		g.target.fault = func([]Outgoing) simFault {
			if time.Since(began) < time.Minute {
				return simFault{err: &Error{Class: Fatal, Err: errors.New("no such queue")}}
			}
			return simFault{}
		}
		g.put(100, nil)
		g.run()
		pass(2 * time.Minute)
		synctest.Wait()
		if s := g.r.Status(); s.State != StateRunning || g.target.count() != 98 || s.HeldCount != 2 {
			t.Errorf("%d arrived, %+v", g.target.count(), s)
		}
		g.wait()
	})
}
