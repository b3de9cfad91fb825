package bridge

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

func TestReconnectWaitsLongerAndNeverLongerThanItsCap(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		at := []time.Time{}
		g := newRig(t, func(s *RouteSettings, _ *rig) {
			s.jitter = func(n time.Duration) time.Duration { return n } // the longest wait
		})
		g.b.refuse = func() error { at = append(at, time.Now()); return errors.New("connection refused") }
		g.run()
		pass(5 * time.Minute)
		if s := g.r.Status(); s.State != StateReconnecting || !strings.Contains(s.Reason, "connection refused") {
			t.Errorf("%+v", s)
		}
		g.wait()
		waits := []time.Duration{}
		for i := range at[1:] {
			waits = append(waits, at[i+1].Sub(at[i]))
		}
		if got := fmt.Sprint(waits[:7]); got != "[1s 2s 4s 8s 16s 30s 30s]" {
			t.Errorf("waits %v", got)
		}
	})
}

// gaps returns the whole seconds between instants.
func gaps(at []time.Time) string {
	waits := []time.Duration{}
	for i := range at[1:] {
		waits = append(waits, at[i+1].Sub(at[i]).Truncate(time.Second))
	}
	return fmt.Sprint(waits)
}

func TestAPeerThatAcceptsAndDropsIsDialledMoreAndMoreSlowly(t *testing.T) {
	for _, c := range []struct {
		name  string
		stand time.Duration // how long each connection stands
		put   bool          // a message is there each time
		want  string
	}{
		{"at once", 0, false, "[1s 2s 4s 8s 16s 30s]"},
		{"after a while", 2 * time.Second, false, "[3s 4s 6s 10s 18s 32s]"},
		{"after it has proven to stand", 11 * time.Second, false, "[12s 12s 12s 12s 12s 12s]"},
		{"after a message was settled", 2 * time.Second, true, "[3s 3s 3s 3s 3s 3s]"},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				at := []time.Time{}
				g := newRig(t, func(s *RouteSettings, _ *rig) {
					s.jitter = func(n time.Duration) time.Duration { return n } // the longest wait
				})
				g.b.refuse = func() error { // asked under the broker's lock
					at = append(at, time.Now())
					time.AfterFunc(c.stand, g.b.reset)
					if c.put {
						go g.b.put("", time.Time{})
					}
					return nil
				}
				g.run()
				pass(5 * time.Minute)
				g.wait()
				if got := gaps(at[:7]); got != c.want {
					t.Errorf("dialled after %v, want %v", got, c.want)
				}
			})
		})
	}
}

func TestARefusedLoginIsTriedEveryHalfMinuteAtMost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newRig(t, nil)
		g.b.refuse = func() error {
			return &Error{Class: Fatal, Code: "SecurityException", Err: errors.New("user name or password is invalid"), Remedy: "check the password"}
		}
		g.run()
		pass(10 * time.Minute)
		if n := g.b.connectCount(); n < 15 || n > 21 {
			t.Errorf("%d logins in ten minutes", n)
		}
		if s := g.r.Status(); s.State != StateFatal || s.Remedy != "check the password" {
			t.Errorf("%+v", s)
		}
		g.b.mu.Lock()
		g.b.refuse = nil
		g.b.mu.Unlock()
		g.put(10, nil)
		pass(31 * time.Second)
		if s := g.r.Status(); s.State != StateRunning || g.target.count() != 10 {
			t.Errorf("%d arrived, %+v", g.target.count(), s)
		}
		g.wait()
	})
}

// A message at which the broker cuts the connection whenever it is settled.
func TestAMessageThatEndsTheConnectionIsTriedAloneAndNamed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newRig(t, nil)
		cuts := 0
		g.b.flushIn = time.Millisecond
		g.b.verdict = func(key string) {
			if key == "ID:1" && cuts < 5 {
				cuts++
				time.AfterFunc(0, g.b.reset)
			}
		}
		g.put(100, nil)
		g.run()
		pass(time.Minute)
		synctest.Wait()
		s := g.r.Status()
		if fmt.Sprint(g.b.credits) != "[80 80 80 1 1 1 80]" {
			t.Errorf("credits %v", g.b.credits)
		}
		if len(s.Remarks) == 0 || !strings.Contains(s.Remarks[0], `"ID:1"`) {
			t.Errorf("remarks %v", s.Remarks)
		}
		if g.b.left() != 0 || g.dead.count() != 0 {
			t.Errorf("%d left, %d dead letters", g.b.left(), g.dead.count())
		}
		g.wait()
	})
}

func TestASinkThatLosesItsConnectionIsDialledAgain(t *testing.T) {
	for _, order := range []Order{OrderNone, OrderStrict} {
		t.Run(order.String(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				g := newRig(t, func(s *RouteSettings, _ *rig) { s.Order = order })
				g.target.latency = func() time.Duration { return 10 * time.Millisecond }
				n := 0
				g.target.fault = func([]Outgoing) simFault {
					if n++; n%7 == 0 {
						return simFault{err: fmt.Errorf("sending: %w", ErrNotConnected)}
					}
					return simFault{}
				}
				g.put(200, nil)
				g.run()
				pass(5 * time.Minute)
				synctest.Wait()
				if g.target.connects < 2 || g.target.count() != 200 || g.dead.count() != 0 {
					t.Errorf("%d connections, %d arrived, %d dead letters", g.target.connects, g.target.count(), g.dead.count())
				}
				g.wait()
			})
		})
	}
}

// One message costs the sink its connection every time: it alone is dead-lettered, though many fly at once.
func TestAMessageThatEndsTheSinksConnectionIsFound(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newRig(t, nil)
		g.target.limits = Limits{Messages: 1, Calls: 50, Run: 1, Timeout: 10 * time.Second}
		g.target.latency = func() time.Duration { return 10 * time.Millisecond }
		broken := false
		g.target.refuse = func() error { broken = false; return nil }
		g.target.fault = func(batch []Outgoing) simFault {
			broken = broken || batch[0].Message.Key == "ID:20"
			if broken {
				return simFault{err: fmt.Errorf("sending: %w", ErrNotConnected)}
			}
			return simFault{}
		}
		g.put(200, nil)
		g.run()
		done := make(chan struct{})
		go g.steady(time.Minute, done) // while nothing else succeeds, the target is down and nobody to blame
		pass(20 * time.Minute)
		close(done)
		pass(time.Minute)
		synctest.Wait()
		if g.dead.count() != 1 || g.dead.log[0].key != "ID:20" || g.b.left() != 0 {
			t.Errorf("%d dead letters, %d left, %+v", g.dead.count(), g.b.left(), g.r.Status())
		}
		g.wait()
	})
}

func TestAStartWithoutTheTargetWaitsForIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newRig(t, nil)
		refused := errors.New("no such host")
		g.target.refuse = func() error { return refused }
		g.put(10, nil)
		g.run()
		pass(10 * time.Minute)
		if s := g.r.Status(); s.State != StateTargetDown || !strings.Contains(s.Reason, "no such host") || g.b.connectCount() != 0 {
			t.Errorf("%d connections to the broker, %+v", g.b.connectCount(), s)
		}
		g.target.mu.Lock()
		refused = nil
		g.target.mu.Unlock()
		pass(31 * time.Second)
		if g.target.count() != 10 {
			t.Errorf("%d arrived", g.target.count())
		}
		g.wait()
	})
}

func TestTwoSourcesShareARoute(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		other := newSimBroker()
		g := newRig(t, func(s *RouteSettings, _ *rig) { s.Sources = append(s.Sources, &simSource{b: other}) })
		for i := range 100 {
			g.b.put("", time.Time{})
			other.put("", time.Time{})
			if i == 50 {
				time.AfterFunc(time.Second, other.reset)
			}
		}
		g.target.latency = func() time.Duration { return 100 * time.Millisecond }
		g.run()
		pass(time.Minute)
		synctest.Wait()
		if s := g.r.Status(); s.Connected != 2 || s.Sources != 2 || g.b.left()+other.left() != 0 {
			t.Errorf("%d and %d left, %+v", g.b.left(), other.left(), s)
		}
		g.wait()
	})
}

// stubborn is a sink that doesn't notice that its call is cancelled.
type stubborn struct {
	*simTarget
	until chan struct{}
}

func (s stubborn) Send(context.Context, []Outgoing, []Result) error {
	<-s.until
	return errors.New("too late")
}

func TestAStopDoesNotWaitForASinkThatIgnoresIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		until := make(chan struct{})
		g := newRig(t, func(s *RouteSettings, g *rig) { s.Targets[0].Sink = stubborn{g.target, until} })
		g.put(50, nil)
		g.run()
		pass(time.Second)
		began := time.Now()
		g.stop()
		if err := <-g.ended; err != nil {
			t.Error(err)
		}
		if took := time.Since(began); took > 25*time.Second {
			t.Errorf("the stop took %v", took)
		}
		if g.b.left() != 50 {
			t.Errorf("%d left", g.b.left())
		}
		close(until)
		synctest.Wait()
	})
}

func TestABudgetIsSharedAndLetsEveryRouteMove(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		budget := NewBudget(2000) // twenty messages
		rigs := []*rig{}
		for i := range 3 {
			g := newRig(t, func(s *RouteSettings, _ *rig) { s.TotalBytes, s.Name = budget, fmt.Sprint("r", i) })
			stall := time.Duration(0)
			if i == 0 {
				stall = 9 * time.Second // holds most of the budget for most of the time
			}
			g.target.fault = func([]Outgoing) simFault { return simFault{stall: stall} }
			g.target.latency = func() time.Duration { return 10 * time.Millisecond }
			g.put(100, nil)
			rigs = append(rigs, g)
		}
		for _, g := range rigs {
			g.run()
		}
		for range 300 {
			pass(100 * time.Millisecond)
			if used := budget.Used(); used > 2000+3*100*receiveMost {
				t.Fatalf("%d bytes of 2000 in use", used)
			}
		}
		for i, g := range rigs[1:] {
			if g.target.count() != 100 {
				t.Errorf("route %d moved %d", i+1, g.target.count())
			}
		}
		for _, g := range rigs {
			g.stop()
		}
		for _, g := range rigs {
			g.wait()
		}
		if budget.Used() != 0 {
			t.Errorf("%d bytes are never freed", budget.Used())
		}
	})
}

func TestTheWindowBoundsBytes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newRig(t, func(s *RouteSettings, _ *rig) { s.Credit, s.Window.Bytes = 1000, 5000 })
		g.target.latency = func() time.Duration { return time.Second }
		g.put(500, nil)
		g.run()
		for range 100 {
			pass(100 * time.Millisecond)
			if s := g.r.Status(); s.InFlightBytes > 5000+100*receiveMost {
				t.Fatalf("%d bytes in flight", s.InFlightBytes)
			}
		}
		pass(time.Minute)
		if g.target.count() != 500 {
			t.Errorf("%d arrived", g.target.count())
		}
		g.wait()
	})
}

// Several consumers that wait share the window's messages: whoever gets a burst, they stay within it.
func TestTheWindowBoundsMessagesOverSeveralSources(t *testing.T) {
	for _, c := range []struct{ sources, window int }{{4, 40}, {4, 2}, {8, 0}} {
		t.Run(fmt.Sprint(c), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				const credit = 30
				brokers := []*simBroker{}
				g := newRig(t, func(s *RouteSettings, g *rig) {
					s.Credit, s.Window.Messages, s.Sources = credit, c.window, nil
					for i := range c.sources {
						b := newSimBroker()
						b.name = fmt.Sprint("of ", i, "-")
						brokers = append(brokers, b)
						s.Sources = append(s.Sources, &simSource{b: b})
					}
					g.target.content = nil
				})
				g.target.latency = func() time.Duration { return 50 * time.Millisecond }
				most := max(c.window, c.sources)
				if c.window == 0 {
					most = credit * c.sources
				}
				var seen atomic.Int64
				for _, b := range brokers {
					b.settling = func() { // just before a message leaves the window
						n := int64(g.r.Status().InFlight)
						for old := seen.Load(); n > old && !seen.CompareAndSwap(old, n); old = seen.Load() {
						}
					}
				}
				g.run()
				pass(time.Second) // all of them wait
				for range 100 {
					brokers[0].put("", time.Time{})
				}
				pass(10 * time.Second)
				// One that gets all has three quarters of the window, but for the one that each of the others has at least.
				if want := min(most-(c.sources-1)*max(most/c.sources/4, 1), credit); int(seen.Swap(0)) < want {
					t.Errorf("the only source with messages never had %d in flight", want)
				}
				for _, b := range brokers {
					for range 100 {
						b.put("", time.Time{})
					}
				}
				pass(time.Minute)
				if n := int(seen.Load()); n > most || n < most*9/10 {
					t.Errorf("%d messages in flight at most, and the window has room for %d", n, most)
				}
				if want := 100 * (c.sources + 1); g.target.count() != want {
					t.Errorf("%d arrived of %d", g.target.count(), want)
				}
				g.wait()
			})
		})
	}
}

func TestSettingsThatCanNotWorkAreRefused(t *testing.T) {
	sink, source := newSimTarget(Limits{}), []Source{&simSource{b: newSimBroker()}}
	dead, one := &PipelineSettings{Sink: sink}, []TargetSettings{{Sink: sink}}
	maker := func(*Message, *Message, time.Time) (*Message, error) { return nil, nil }
	reply := &ReplySettings{PipelineSettings: *dead, Make: maker}
	many := []TargetSettings{}
	for i := range maxTargets + 1 {
		many = append(many, TargetSettings{Name: fmt.Sprint(i), Sink: sink})
	}
	for name, s := range map[string]RouteSettings{
		"no name":               {Sources: source, Targets: one},
		"no source":             {Name: "r", Targets: one},
		"no target":             {Name: "r", Sources: source},
		"no sink":               {Name: "r", Sources: source, Targets: []TargetSettings{{Name: "t"}}},
		"two of one name":       {Name: "r", Sources: source, Targets: []TargetSettings{{Name: "t", Sink: sink}, {Name: "t", Sink: sink}}},
		"best effort alone":     {Name: "r", Sources: source, Targets: []TargetSettings{{Sink: sink, BestEffort: true}}},
		"too many targets":      {Name: "r", Sources: source, Targets: many},
		"two answer":            {Name: "r", Sources: source, Targets: []TargetSettings{{Name: "a", Sink: sink, Answers: true}, {Name: "b", Sink: sink, Answers: true}}, Reply: reply},
		"no way for answers":    {Name: "r", Sources: source, Targets: []TargetSettings{{Sink: sink, Answers: true}}},
		"nothing makes replies": {Name: "r", Sources: source, Targets: []TargetSettings{{Sink: sink, Answers: true}}, Reply: &ReplySettings{PipelineSettings: *dead}},
		"dead letter and drop":  {Name: "r", Sources: source, Targets: one, DeadLetter: dead, DropDead: true},
	} {
		if _, err := NewRoute(s); err == nil {
			t.Errorf("%s was accepted", name)
		}
	}
}

func TestAnOrderedRouteToASinkWithoutOrderIsFatal(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newRig(t, func(s *RouteSettings, g *rig) { s.Order = OrderGroup; g.target.limits.Run = 0 })
		g.put(10, nil)
		g.run()
		pass(time.Minute)
		if s := g.r.Status(); s.State != StateFatal || g.b.connectCount() != 0 {
			t.Errorf("%+v", s)
		}
		g.wait()
	})
}

func TestDedupIDs(t *testing.T) {
	m := &Message{Key: "ID:1", Destination: Destination{Queue, "orders"}}
	id := dedupID("r", m)
	if len(id) != 64 || id != dedupID("r", m) {
		t.Errorf("id %q", id)
	}
	for name, other := range map[string]string{
		"another route":       dedupID("s", m),
		"another destination": dedupID("r", &Message{Key: "ID:1", Destination: Destination{Topic, "orders"}}),
		"another key":         dedupID("r", &Message{Key: "ID:2", Destination: Destination{Queue, "orders"}}),
		"the parts shifted":   dedupID("rq", &Message{Key: "ID:1", Destination: Destination{Queue, "orders"}}),
	} {
		if other == id {
			t.Errorf("%s has the same id", name)
		}
	}
	if dedupID("r", &Message{}) != "" {
		t.Error("a message without a key has an id")
	}
}

func TestGroupsAtTheTarget(t *testing.T) {
	for _, c := range []struct {
		name  string
		set   func(*RouteSettings, *rig)
		want  string
		named bool
	}{
		{"order none, none wanted", nil, "", true},
		{"order none, FIFO", func(_ *RouteSettings, g *rig) { g.target.limits.Group = true }, "ID:1", true},
		{"order group", func(s *RouteSettings, _ *rig) { s.Order = OrderGroup }, "g", true},
		{"order group, no group", func(s *RouteSettings, _ *rig) { s.Order = OrderGroup }, "ID:1", false},
		{"order strict", func(s *RouteSettings, _ *rig) { s.Order = OrderStrict }, "r", true},
		{"a group of one's own", func(s *RouteSettings, _ *rig) {
			s.Order = OrderGroup
			s.Group = func(m *Message) (string, error) { return "of " + m.Key, nil }
		}, "of ID:1", true},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				g := newRig(t, c.set)
				got := "none"
				g.target.fault = func(batch []Outgoing) simFault { got = batch[0].Group; return simFault{} }
				group := ""
				if c.named {
					group = "g"
				}
				g.b.put(group, time.Time{})
				g.run()
				pass(time.Second)
				synctest.Wait()
				if got != c.want {
					t.Errorf("group %q, want %q", got, c.want)
				}
				g.wait()
			})
		})
	}
}
