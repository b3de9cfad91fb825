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

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"
)

// failing returns a fault for calls that carry a message with this key.
func failing(key string, fault func(i int) simFault) func([]Outgoing) simFault {
	return func(batch []Outgoing) simFault {
		for i := range batch {
			if batch[i].Message.Key == key {
				return fault(i)
			}
		}
		return simFault{}
	}
}

func TestTheOneBadMessageOfASuspectBatchIsFoundByHalving(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newRig(t, nil)
		sizes := []int{}
		g.target.fault = func(batch []Outgoing) simFault {
			return failing("ID:7", func(int) simFault {
				sizes = append(sizes, len(batch))
				if len(batch) == 1 {
					return simFault{err: &Error{Class: Permanent, Code: "InvalidMessageContents", Err: errTransient}}
				}
				return simFault{err: &Error{Class: Suspect, Code: "InvalidMessageContents", Err: errTransient}}
			})(batch)
		}
		g.put(10, nil)
		g.run()
		pass(5 * time.Second)
		synctest.Wait()
		if g.target.count() != 9 || g.dead.count() != 1 || g.dead.log[0].key != "ID:7" {
			t.Errorf("%d arrived, %d dead letters", g.target.count(), g.dead.count())
		}
		if last := sizes[len(sizes)-1]; last != 1 || len(sizes) > 5 {
			t.Errorf("the bad one was in calls of %v", sizes)
		}
		g.wait()
	})
}

func TestAnAnsweredFailureUsesUpTheAttempts(t *testing.T) {
	for _, lost := range []bool{false, true} {
		t.Run(fmt.Sprint("connection lost ", lost), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				const latency = 70 * time.Millisecond
				g := newRig(t, func(s *RouteSettings, _ *rig) { s.Retry.Attempts = 3 })
				g.target.latency = func() time.Duration { return latency }
				var answers []time.Time // when each failure reached the engine
				g.target.fault = failing("ID:1", func(i int) simFault {
					answers = append(answers, time.Now().Add(latency))
					if lost && len(answers) == 2 { // while it flies: what is known of it is remembered
						time.AfterFunc(latency/2, g.b.reset)
					}
					return simFault{partial: map[int]error{i: &Error{Class: Transient, Code: "InternalError", Err: errTransient}}}
				})
				pass(time.Hour) // so that no zero passes for the beginning
				began := time.Now()
				g.put(1, nil)
				g.run()
				pass(30 * time.Second)
				synctest.Wait()
				ended := time.Now()
				if g.dead.count() != 1 || g.target.tried["ID:1"] != 3 {
					t.Fatalf("%d dead letters after %d tries", g.dead.count(), g.target.tried["ID:1"])
				}
				says := func(name string) int64 { v, _ := g.dead.log[0].extra.Lookup(name); return v.Int64() }
				if says(DeadAttempts) != 3 {
					t.Errorf("%s is %d", DeadAttempts, says(DeadAttempts))
				}
				first, last := time.UnixMilli(says(DeadFirstTime)), time.UnixMilli(says(DeadLastTime))
				if !first.Before(last) || first.Before(began) || last.After(ended) {
					t.Errorf("first %v, last %v, in a run from %v to %v", first, last, began, ended)
				}
				if want := answers[0].Truncate(time.Millisecond); !first.Equal(want) {
					t.Errorf("the first failure was at %v, and %s says %v", want, DeadFirstTime, first)
				}
				if want := answers[2].Truncate(time.Millisecond); !last.Equal(want) {
					t.Errorf("the last failure was at %v, and %s says %v", want, DeadLastTime, last)
				}
				g.wait()
			})
		})
	}
}

// Two different messages with one key, as a sender makes them that uses its ids again: when their connection is lost,
// what became of the one says nothing about the other.
func TestTwoMessagesWithOneKeyAreBothSent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newRig(t, nil)
		g.target.content = nil
		g.target.limits.Messages = 1
		arrived := map[int32]int{}
		g.target.fault = func(batch []Outgoing) simFault {
			m := batch[0].Message
			if m.GroupSeq == 1 && !m.Redelivered {
				return simFault{err: &Error{Class: Throttled, After: 10 * time.Second, Err: errTransient}}
			}
			arrived[m.GroupSeq]++
			return simFault{stall: 100 * time.Millisecond}
		}
		g.b.putAs("ID:1", "", time.Time{})
		g.b.putAs("ID:1", "", time.Time{})
		g.run()
		pass(50 * time.Millisecond) // the first waits, and the second flies
		g.b.reset()
		pass(time.Minute)
		synctest.Wait()
		if arrived[1] != 1 || arrived[2] < 1 || g.b.left() != 0 {
			t.Errorf("arrivals %v, %d left", arrived, g.b.left())
		}
		g.wait()
	})
}

// On a live connection too: that one can go nowhere is no reason to dead-letter the other.
func TestAHeldMessageSaysNothingOfAnotherWithItsKey(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newRig(t, nil)
		g.target.content = nil
		tooLarge := func(o *Outgoing) error {
			if o.Message.GroupSeq == 1 {
				return errors.New("an attribute is too long")
			}
			return nil
		}
		g.target.sizeErr, g.dead.sizeErr = tooLarge, tooLarge
		g.b.putAs("ID:1", "", time.Time{})
		g.b.putAs("ID:1", "", time.Time{}) // at the same instant, for the timestamp tells them apart otherwise
		g.run()
		pass(time.Second)
		synctest.Wait()
		if s := g.r.Status(); g.target.count() != 1 || g.dead.count() != 0 || s.HeldCount != 1 {
			t.Errorf("%d arrived, %d dead letters, %d held", g.target.count(), g.dead.count(), s.HeldCount)
		}
		g.wait()
	})
}

func TestThrottlingIsNoAttempt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newRig(t, nil)
		g.target.fault = failing("ID:1", func(i int) simFault {
			if g.target.tried["ID:1"] > 30 {
				return simFault{}
			}
			return simFault{partial: map[int]error{i: &Error{Class: Throttled, Code: "RequestThrottled", Err: errTransient}}}
		})
		g.put(100, nil)
		g.run()
		pass(5 * time.Minute)
		synctest.Wait()
		if g.dead.count() != 0 || g.target.count() != 100 {
			t.Errorf("%d arrived, %d dead letters", g.target.count(), g.dead.count())
		}
		g.wait()
	})
}

func TestMaxAgeStandsStillDuringAnOutage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newRig(t, func(s *RouteSettings, _ *rig) { s.Retry.Attempts, s.Retry.MaxAge = 1000, 5*time.Minute })
		began := time.Now()
		g.target.fault = func(batch []Outgoing) simFault {
			if time.Since(began) < time.Hour {
				return simFault{err: &Error{Class: Transient, Code: "500", Err: errTransient}}
			}
			return failing("ID:1", func(i int) simFault {
				return simFault{partial: map[int]error{i: &Error{Class: Transient, Code: "InternalError", Err: errTransient}}}
			})(batch)
		}
		g.put(10, nil)
		g.run()
		pass(time.Hour + 4*time.Minute)
		if g.dead.count() != 0 || g.target.count() != 9 {
			t.Errorf("%d arrived, %d dead letters, the age being four minutes", g.target.count(), g.dead.count())
		}
		pass(2 * time.Minute)
		if g.dead.count() != 1 {
			t.Error("not dead-lettered after its age")
		}
		g.wait()
	})
}

func TestABrokenGroupGetsOneTryEachUntilOneSucceeds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newRig(t, func(s *RouteSettings, _ *rig) { s.Order = OrderGroup })
		var works atomic.Bool
		g.target.fault = func(batch []Outgoing) simFault {
			f := simFault{partial: map[int]error{}}
			for i := range batch {
				if batch[i].Group == "broken" && !works.Load() {
					f.partial[i] = &Error{Class: Transient, Code: "InternalError", Err: errTransient}
				}
			}
			return f
		}
		g.put(10, func(int) string { return "broken" })
		g.run()
		pass(time.Minute)
		synctest.Wait()
		tries := []int{}
		for i := 1; i <= 10; i++ {
			tries = append(tries, g.target.tried[fmt.Sprint("ID:", i)])
		}
		if fmt.Sprint(tries) != "[5 1 1 1 1 1 1 1 1 1]" || g.dead.count() != 10 {
			t.Errorf("tries %v, %d dead letters", tries, g.dead.count())
		}
		for i, s := range g.dead.log {
			if s.key != fmt.Sprint("ID:", i+1) {
				t.Errorf("dead letter %d is %s", i, s.key)
			}
		}
		works.Store(true)
		g.put(1, func(int) string { return "broken" })
		pass(time.Second)
		works.Store(false)
		g.put(1, func(int) string { return "broken" })
		pass(time.Minute)
		if n := g.target.tried["ID:12"]; n != 5 {
			t.Errorf("after a success the next one gets %d tries", n)
		}
		g.wait()
	})
}

func TestExpiredMessages(t *testing.T) {
	for _, c := range []struct {
		policy              ExpiredPolicy
		sent, dead, dropped int
	}{{ExpireDeadLetter, 2, 1, 0}, {ExpireDrop, 2, 0, 1}, {ExpireForward, 3, 0, 0}} {
		t.Run(fmt.Sprint(c.policy), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				g := newRig(t, func(s *RouteSettings, _ *rig) { s.Expired = c.policy })
				g.b.put("", time.Now().Add(-6*time.Second))
				g.b.put("", time.Now().Add(-4*time.Second)) // within the tolerated difference of clocks
				g.b.put("", time.Now().Add(time.Hour))
				g.run()
				pass(time.Second)
				synctest.Wait()
				if s := g.r.Status(); g.target.count() != c.sent || g.dead.count() != c.dead || int(s.Counters.Expired) != c.dropped || g.b.left() != 0 {
					t.Errorf("sent %d, dead %d, %+v", g.target.count(), g.dead.count(), s.Counters)
				}
				if c.dead > 0 {
					if class, _ := g.dead.log[0].extra.Lookup(DeadErrorClass); class.Str() != "expired" {
						t.Errorf("class %q", class.Str())
					}
				}
				g.wait()
			})
		})
	}
}

func TestExpiredMessagesMakeRoomInAFullWindow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newRig(t, func(s *RouteSettings, _ *rig) { s.Order, s.Expired, s.Window.Messages = OrderGroup, ExpireDrop, 10 })
		g.target.fault = failing("ID:1", func(int) simFault { return simFault{stall: 9 * time.Second} })
		for range 10 {
			g.b.put("stalled", time.Now().Add(-4500*time.Millisecond))
		}
		g.b.put("fine", time.Time{})
		g.run()
		pass(3 * time.Second)
		if !g.target.has("ID:11") {
			t.Error("expired messages kept the window full")
		}
		pass(10 * time.Second)
		g.wait()
	})
}

// stageFunc is a Stage.
type stageFunc func(*Message) (*Message, error)

func (f stageFunc) Process(_ context.Context, m *Message) (*Message, error) { return f(m) }

func TestStagesReplaceDropFailAndPanicForOneMessageAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newRig(t, func(s *RouteSettings, g *rig) {
			g.target.content = nil // what a stage makes is not what was put
			s.Stages = []Stage{stageFunc(func(m *Message) (*Message, error) {
				switch m.Key {
				case "ID:1":
					return nil, nil
				case "ID:2":
					return nil, errors.New("no such property")
				case "ID:3":
					panic("a stage's own mistake")
				case "ID:4":
					other := *m
					other.GroupSeq = 1000
					return &other, nil
				}
				return m, nil
			})}
		})
		g.put(5, nil)
		g.run()
		pass(time.Second)
		synctest.Wait()
		s := g.r.Status()
		if g.target.count() != 2 || g.dead.count() != 2 || s.Counters.Filtered != 1 || g.b.left() != 0 {
			t.Errorf("sent %d, dead %d, %+v", g.target.count(), g.dead.count(), s.Counters)
		}
		if g.target.log[0].seq != 1000 {
			t.Error("the replaced message was not sent")
		}
		for _, d := range g.dead.log {
			if class, _ := d.extra.Lookup(DeadErrorClass); class.Str() != "permanent" {
				t.Errorf("%s has class %q", d.key, class.Str())
			}
		}
		g.wait()
	})
}

func TestAMessageTheTargetCanNeverTake(t *testing.T) {
	tooLarge := func(key string) func(*Outgoing) error {
		return func(o *Outgoing) error {
			if o.Message.Key == key {
				return errors.New("an attribute is too long")
			}
			return nil
		}
	}
	for _, c := range []struct {
		name             string
		change           func(*RouteSettings, *rig)
		dead, held, gone int
	}{
		{"goes to the dead letter", func(_ *RouteSettings, g *rig) { g.target.sizeErr = tooLarge("ID:3") }, 1, 0, 0},
		{"over the limit goes to the dead letter", func(_ *RouteSettings, g *rig) { g.target.limits.Bytes, g.dead.limits.Bytes = 11, 100 }, 5, 0, 0},
		{"is held without one", func(s *RouteSettings, g *rig) { s.DeadLetter = nil; g.target.sizeErr = tooLarge("ID:3") }, 0, 1, 0},
		{"is dropped where that is written", func(s *RouteSettings, g *rig) {
			s.DeadLetter, s.DropDead = nil, true
			g.target.sizeErr = tooLarge("ID:3")
		}, 0, 0, 1},
		{"is held when the dead letter can't take it either", func(_ *RouteSettings, g *rig) {
			g.target.sizeErr, g.dead.sizeErr = tooLarge("ID:3"), tooLarge("ID:3")
		}, 0, 1, 0},
		{"is held when the dead letter refuses it", func(_ *RouteSettings, g *rig) {
			g.target.sizeErr = tooLarge("ID:3")
			g.dead.fault = func([]Outgoing) simFault {
				return simFault{partial: map[int]error{0: &Error{Class: Permanent, Code: "InvalidMessageContents", Err: errTransient}}}
			}
		}, 0, 1, 0},
		{"is held when the dead letter is forbidden", func(_ *RouteSettings, g *rig) {
			g.target.sizeErr = tooLarge("ID:3")
			g.dead.fault = func([]Outgoing) simFault {
				return simFault{err: &Error{Class: Fatal, Code: "AccessDenied", Err: errTransient}}
			}
		}, 0, 1, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				g := newRig(t, c.change)
				g.put(5, nil)
				g.run()
				pass(10 * time.Second)
				synctest.Wait()
				s := g.r.Status()
				if g.dead.count() != c.dead || s.HeldCount != c.held || int(s.Counters.Dropped) != c.gone {
					t.Errorf("%d dead letters, %d held, %d dropped", g.dead.count(), s.HeldCount, s.Counters.Dropped)
				}
				if sent := 5 - c.dead - c.held - c.gone; g.target.count() != sent || g.b.left() != c.held {
					t.Errorf("%d sent, %d left", g.target.count(), g.b.left())
				}
				if c.held > 0 && (s.Held[0].ID != "ID:3" || !strings.Contains(s.Held[0].Reason, "an attribute is too long")) {
					t.Errorf("held: %+v", s.Held)
				}
				g.wait()
				if c.held > 0 && g.b.left() != 1 {
					t.Error("the held message was not given back")
				}
			})
		})
	}
}

func TestADeadLetterThatIsDownIsWaitedFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newRig(t, nil)
		began := time.Now()
		g.target.fault = failing("ID:3", func(i int) simFault {
			return simFault{partial: map[int]error{i: &Error{Class: Permanent, Err: errTransient}}}
		})
		g.dead.fault = func([]Outgoing) simFault {
			if time.Since(began) < time.Hour {
				return simFault{err: &Error{Class: Transient, Code: "500", Err: errTransient}}
			}
			return simFault{}
		}
		g.put(100, nil)
		g.run()
		pass(50 * time.Minute)
		if s := g.r.Status(); s.HeldCount != 0 || s.InFlight != 1 || g.target.count() != 99 || s.State != StateRunning {
			t.Errorf("%d sent, %+v", g.target.count(), s)
		}
		pass(11 * time.Minute)
		if g.dead.count() != 1 || g.b.left() != 0 {
			t.Errorf("%d dead letters, %d left", g.dead.count(), g.b.left())
		}
		g.wait()
	})
}

func TestASinkThatPanicsIsTriedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newRig(t, nil)
		n := 0
		g.target.fault = func([]Outgoing) simFault { n++; return simFault{panics: n == 1} }
		g.put(10, nil)
		g.run()
		pass(5 * time.Second)
		synctest.Wait()
		if g.target.count() != 10 || g.b.left() != 0 {
			t.Errorf("%d arrived", g.target.count())
		}
		g.wait()
	})
}

func TestConservationIsProvableFromTheMetricsAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		reg := prometheus.NewPedanticRegistry()
		g := newRig(t, func(s *RouteSettings, _ *rig) { s.Metrics = NewMetrics(reg); s.Expired = ExpireDrop })
		g.b.hold = func(key string) error {
			if key == "ID:5" {
				return errors.New("held")
			}
			return nil
		}
		g.target.fault = failing("ID:7", func(int) simFault { return simFault{stall: 8 * time.Second} })
		g.b.put("", time.Now().Add(-time.Minute))
		g.put(50, nil)
		g.run()
		pass(time.Second)
		sum, received, inflight := 0.0, 0.0, 0.0
		families, err := reg.Gather()
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range families {
			if !strings.HasPrefix(f.GetName(), "jmsbridge_") {
				t.Errorf("a metric is called %s", f.GetName())
			}
			for _, m := range f.GetMetric() {
				switch f.GetName() {
				case "jmsbridge_messages_received_total":
					received = m.GetCounter().GetValue()
				case "jmsbridge_messages_settled_total":
					sum += m.GetCounter().GetValue()
				case "jmsbridge_inflight_messages", "jmsbridge_held_messages":
					sum += m.GetGauge().GetValue()
					inflight += m.GetGauge().GetValue()
				}
			}
		}
		if received != 51 || sum != 51 || inflight < 2 {
			t.Errorf("received %v, accounted for %v, %v of them in flight or held", received, sum, inflight)
		}
		pass(10 * time.Second)
		g.wait()
	})
}

func TestARouteLogsALineAMinuteAndItsChangesOfState(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		core, logs := observer.New(zap.DebugLevel)
		g := newRig(t, func(s *RouteSettings, _ *rig) { s.Log = zap.New(core) })
		g.put(1000, nil)
		g.run()
		pass(10*time.Minute + time.Second)
		g.wait()
		if n := logs.FilterMessage("route").Len(); n != 10 {
			t.Errorf("%d lines in ten minutes", n)
		}
		states := []string{}
		for _, l := range logs.FilterMessage("route state").All() {
			states = append(states, l.ContextMap()[LogState].(string))
		}
		if fmt.Sprint(states) != "[running stopping stopped]" {
			t.Errorf("states %v", states)
		}
		if n := logs.Len(); n > 14 {
			t.Errorf("%d lines in all", n)
		}
	})
}
