package bridge

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"
)

// fanRig is a rig with further targets.
type fanRig struct {
	*rig
	second *simTarget
}

// newFanRig has a second target, best effort or not.
func newFanRig(t *testing.T, bestEffort bool, change func(*RouteSettings, *fanRig)) *fanRig {
	f := &fanRig{second: newSimTarget(Limits{Messages: 5, Calls: 2, Run: 1, Timeout: 10 * time.Second})}
	f.rig = newRig(t, func(s *RouteSettings, g *rig) {
		f.rig = g
		s.Targets = append(s.Targets, TargetSettings{Name: "u", Sink: f.second, BestEffort: bestEffort})
		if change != nil {
			change(s, f)
		}
	})
	return f
}

func (f *fanRig) wait() {
	f.t.Helper()
	f.rig.wait()
	for _, text := range f.second.wrong {
		f.t.Error(text)
	}
	if n := f.r.targets[1].kept; n != 0 {
		f.t.Errorf("%d messages are still kept for the best-effort target", n)
	}
}

func keysOf(t *simTarget) []string {
	t.mu.Lock()
	defer t.mu.Unlock()
	var keys []string
	for _, s := range t.log {
		keys = append(keys, s.key)
	}
	return keys
}

func TestEachTargetGetsEveryMessageOnce(t *testing.T) {
	for _, order := range []Order{OrderNone, OrderGroup, OrderStrict} {
		t.Run(order.String(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := newFanRig(t, false, func(s *RouteSettings, _ *fanRig) { s.Order = order })
				f.put(200, func(i int) string { return fmt.Sprint("g", i%7) })
				f.run()
				pass(10 * time.Second)
				if f.target.count() != 200 || f.second.count() != 200 || f.b.left() != 0 {
					t.Errorf("%d and %d arrived, %d left", f.target.count(), f.second.count(), f.b.left())
				}
				if c := f.r.Status().Counters; c.Delivered != 200 || c.Received != 200 {
					t.Errorf("%+v", c)
				}
				for _, target := range []*simTarget{f.target, f.second} {
					last := map[string]int32{}
					for _, s := range target.log {
						if order != OrderNone && s.seq < last[s.group] {
							t.Errorf("%s came after number %d of its group", s.key, last[s.group])
						}
						last[s.group] = s.seq
					}
				}
				f.wait()
			})
		})
	}
}

func TestAMessageIsSettledOnlyWhenAllRequiredTargetsHaveIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFanRig(t, false, nil)
		f.second.latency = func() time.Duration { return 3 * time.Second }
		f.put(1, nil)
		f.run()
		pass(2 * time.Second)
		if f.target.count() != 1 || f.b.left() != 1 {
			t.Errorf("%d at the first target, %d left", f.target.count(), f.b.left())
		}
		pass(2 * time.Second)
		if f.second.count() != 1 || f.b.left() != 0 {
			t.Errorf("%d at the second target, %d left", f.second.count(), f.b.left())
		}
		f.wait()
	})
}

func TestOnlyTheFailedTargetIsTriedAgainAndTheDeadLetterNamesIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFanRig(t, false, nil)
		f.second.fault = failing("ID:2", func(i int) simFault {
			return simFault{partial: map[int]error{i: &Error{Class: Transient, Code: "InternalError", Err: errTransient}}}
		})
		f.put(5, nil)
		f.run()
		pass(30 * time.Second)
		if f.target.tried["ID:2"] != 1 || f.second.tried["ID:2"] != 5 {
			t.Errorf("tried %d and %d times", f.target.tried["ID:2"], f.second.tried["ID:2"])
		}
		if f.dead.count() != 1 || f.b.left() != 0 {
			t.Fatalf("%d dead letters, %d left", f.dead.count(), f.b.left())
		}
		if name, _ := f.dead.log[0].extra.Lookup(DeadTarget); name.Str() != "u" {
			t.Errorf("the dead letter names target %q", name.Str())
		}
		if c := f.r.Status().Counters; c.DeadLettered != 1 || c.Delivered != 4 {
			t.Errorf("%+v", c)
		}
		f.wait()
	})
}

func TestATargetThatIsDownStopsTheOthersOnlyAtTheWindow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFanRig(t, false, func(s *RouteSettings, _ *fanRig) { s.Credit = 50 })
		until := time.Now().Add(time.Hour)
		f.second.fault = func([]Outgoing) simFault {
			if time.Now().Before(until) {
				return simFault{err: &Error{Class: Transient, Code: "500", Err: errTransient}}
			}
			return simFault{}
		}
		f.put(500, nil)
		f.run()
		pass(30 * time.Minute)
		if n := f.target.count(); n == 0 || n > 50 {
			t.Errorf("%d arrived at the target that works", n)
		}
		if s := f.r.Status(); s.State != StateTargetDown {
			t.Errorf("the route is %s: %s", s.State, s.Reason)
		}
		pass(31 * time.Minute)
		if f.target.count() != 500 || f.second.count() != 500 || f.dead.count() != 0 || f.b.left() != 0 {
			t.Errorf("%d and %d arrived, %d dead letters, %d left", f.target.count(), f.second.count(), f.dead.count(), f.b.left())
		}
		f.wait()
	})
}

func TestWhatATargetHasIsNotSentToItAgainAfterALostConnection(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFanRig(t, false, nil)
		f.second.latency = func() time.Duration { return 5 * time.Second }
		f.put(20, nil)
		f.run()
		pass(2 * time.Second) // the first target has them all, the second is at it
		if f.target.count() != 20 {
			t.Fatalf("%d at the first target", f.target.count())
		}
		f.b.reset()
		pass(time.Minute)
		if f.target.count() != 20 || f.b.left() != 0 {
			t.Errorf("the first target got %d, and %d are left", f.target.count(), f.b.left())
		}
		keys := keysOf(f.second)
		slices.Sort(keys)
		if n := len(slices.Compact(keys)); n != 20 {
			t.Errorf("the second target has %d", n)
		}
		f.wait()
	})
}

func TestAMessageThatOneTargetCanNotTakeIsHeldWithoutADeadLetter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFanRig(t, false, func(s *RouteSettings, _ *fanRig) { s.DeadLetter = nil })
		f.second.sizeErr = func(o *Outgoing) error {
			if o.Message.Key == "ID:3" {
				return errors.New("an attribute is too long")
			}
			return nil
		}
		f.put(5, nil)
		f.run()
		pass(5 * time.Second)
		s := f.r.Status()
		if f.target.count() != 5 || f.second.count() != 4 || s.HeldCount != 1 || s.InFlight != 0 || f.b.left() != 1 {
			t.Errorf("%d and %d arrived, %d left, %+v", f.target.count(), f.second.count(), f.b.left(), s)
		}
		if s.HeldCount == 1 && s.Held[0].Reason != "target u: an attribute is too long" {
			t.Errorf("held because %q", s.Held[0].Reason)
		}
		f.b.reset() // it comes again, and the first target does not get it twice
		pass(5 * time.Second)
		if n := f.target.count(); n != 5 {
			t.Errorf("the first target got %d", n)
		}
		f.wait()
	})
}

func TestEachTargetHasItsOwnFilter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFanRig(t, false, func(s *RouteSettings, _ *fanRig) {
			even := func(m *Message) (*Message, error) {
				if m.GroupSeq%2 == 1 {
					return nil, nil
				}
				return m, nil
			}
			s.Targets[1].Stages = []Stage{stageFunc(even)}
			s.Stages = []Stage{stageFunc(func(m *Message) (*Message, error) {
				if m.Key == "ID:10" {
					return nil, nil
				}
				return m, nil
			})}
		})
		f.put(10, nil)
		f.run()
		pass(5 * time.Second)
		c := f.r.Status().Counters
		if f.target.count() != 9 || f.second.count() != 4 || c.Filtered != 1 || c.Delivered != 9 || f.b.left() != 0 {
			t.Errorf("%d and %d arrived, %+v", f.target.count(), f.second.count(), c)
		}
		f.wait()
	})
}

func TestABestEffortTargetIsNotWaitedFor(t *testing.T) {
	for name, fault := range map[string]simFault{
		"down":      {err: &Error{Class: Transient, Code: "500", Err: errTransient}},
		"forbidden": {err: &Error{Class: Fatal, Code: "AccessDenied", Err: errTransient}},
		"stalled":   {stall: time.Hour},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := newFanRig(t, true, nil)
				f.second.fault = func([]Outgoing) simFault { return fault }
				f.put(5000, nil)
				f.run()
				pass(time.Minute)
				s := f.r.Status()
				if f.target.count() != 5000 || f.b.left() != 0 || s.State != StateRunning {
					t.Errorf("%d arrived, %d left, %s", f.target.count(), f.b.left(), s.State)
				}
				if s.Targets[1].Dropped < 3900 {
					t.Errorf("%d dropped: %d messages were kept", s.Targets[1].Dropped, 5000-s.Targets[1].Dropped)
				}
				f.wait()
				if got := f.r.Status().Targets[1].Dropped; got != 5000 {
					t.Errorf("%d of 5000 are counted as dropped in the end", got)
				}
			})
		})
	}
}

func TestABestEffortTargetGetsEverythingWhileItWorks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFanRig(t, true, func(s *RouteSettings, _ *fanRig) { s.Credit = 100 })
		f.second.latency = func() time.Duration { return 50 * time.Millisecond }
		f.target.latency = func() time.Duration { return 100 * time.Millisecond }
		f.run()
		pass(time.Second)
		f.put(300, nil)
		pass(time.Second)
		f.stop()
		pass(20 * time.Second)
		if f.second.count() != f.target.count() || f.target.count() == 0 {
			t.Errorf("%d and %d arrived", f.target.count(), f.second.count())
		}
		f.wait()
	})
}

func TestABestEffortTargetThatIsAwayAtTheStartJoinsLater(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFanRig(t, true, nil)
		began := time.Now()
		f.second.refuse = func() error {
			if time.Since(began) < time.Minute {
				return &Error{Class: Fatal, Code: "AccessDenied", Err: errTransient}
			}
			return nil
		}
		f.put(10, nil)
		f.run()
		pass(10 * time.Second)
		if f.target.count() != 10 || f.second.count() != 0 {
			t.Errorf("%d and %d arrived", f.target.count(), f.second.count())
		}
		pass(5 * time.Minute)
		f.put(10, nil)
		pass(10 * time.Second)
		if f.target.count() != 20 || f.second.count() != 10 {
			t.Errorf("%d and %d arrived", f.target.count(), f.second.count())
		}
		f.wait()
	})
}

func TestAFatalErrorOfOneTargetPausesTheRouteUntilThatOneWorks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFanRig(t, false, nil)
		began := time.Now()
		f.second.fault = func([]Outgoing) simFault {
			if time.Since(began) < 2*time.Minute {
				return simFault{err: &Error{Class: Fatal, Code: "AccessDenied", Err: errTransient}}
			}
			return simFault{}
		}
		f.put(300, nil)
		f.run()
		pass(time.Minute)
		if s := f.r.Status(); s.State != StateFatal && s.State != StateProbing {
			t.Errorf("the route is %s", s.State)
		}
		if n := f.target.count(); n > 100 {
			t.Errorf("%d were sent to the other target meanwhile", n)
		}
		pass(3 * time.Minute)
		if f.target.count() != 300 || f.second.count() != 300 || f.dead.count() != 0 || f.b.left() != 0 {
			t.Errorf("%d and %d arrived, %d dead letters, %d left", f.target.count(), f.second.count(), f.dead.count(), f.b.left())
		}
		f.wait()
	})
}

func TestAStopGivesBackWhatOneTargetLacks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFanRig(t, false, func(s *RouteSettings, _ *fanRig) { s.Drain = 5 * time.Second })
		f.second.fault = func([]Outgoing) simFault { return simFault{stall: time.Minute} }
		f.put(20, nil)
		f.run()
		pass(time.Second)
		f.wait()
		if n := f.b.left(); n != 20 {
			t.Errorf("%d of 20 were given back", n)
		}
	})
}

// The cost of a second target is that of a second engine, and one allocation more for the duty.
func BenchmarkFanOut(b *testing.B) {
	b.ReportAllocs()
	src := &benchSource{n: b.N, groups: benchKeys[:1], done: make(chan struct{})}
	sink := benchSink{Limits{Messages: 10, Bytes: 1 << 20, Calls: 32, Run: 1, Timeout: time.Minute, Linger: 5 * time.Millisecond}}
	r, err := NewRoute(RouteSettings{
		Name: "bench", Sources: []Source{src}, Targets: []TargetSettings{{Name: "t", Sink: sink}, {Name: "u", Sink: sink}},
	})
	if err != nil {
		b.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	b.ResetTimer()
	go func() { ended <- r.Run(ctx, nil) }()
	<-src.done
	b.StopTimer()
	cancel()
	if err := <-ended; err != nil {
		b.Fatal(err)
	}
}
