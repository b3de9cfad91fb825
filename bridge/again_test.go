package bridge

import (
	"context"
	"slices"
	"testing"
	"testing/synctest"
	"time"
)

func TestARedeliveryIsToldFromAnotherMessageWithItsKey(t *testing.T) {
	sent, lost, now := time.UnixMilli(1_000), &session{}, &session{}
	message := func(sess *session, change func(*item)) *item {
		it := &item{sess: sess, d: &Delivery{Message: Message{Key: "ID:1", Destination: Destination{Queue, "orders"}, Timestamp: sent}}}
		if change != nil {
			change(it)
		}
		return it
	}
	for _, c := range []struct {
		name   string
		second *item // of the lost connection too; nil: none
		comes  *item
		want   meeting
	}{
		{"the same", nil, message(now, nil), meetAccept},
		{"another destination, as wildcards and virtual topics deliver", nil, message(now, func(it *item) { it.d.Message.Destination.Name = "audit" }), meetSend},
		{"another timestamp, as of a sender that uses its ids again", nil, message(now, func(it *item) { it.d.Message.Timestamp = sent.Add(1) }), meetSend},
		{"for another target", nil, message(now, func(it *item) { it.target = 1 }), meetSend},
		{"a second message of the same connection", nil, message(lost, nil), meetSend},
		{"one of two that shared the key", message(lost, func(it *item) { it.tries = 1 }), message(now, nil), meetSend},
	} {
		t.Run(c.name, func(t *testing.T) {
			g := ghosts{limit: 10}
			if c.second != nil {
				g.remember(c.second, ghostAttempts)
				again := message(lost, func(it *item) { it.tries = 1 })
				g.remember(again, ghostAttempts)
			}
			g.remember(message(lost, nil), ghostConfirmed)
			if got := g.meet(c.comes); got != c.want {
				t.Errorf("got %d, want %d", got, c.want)
			}
		})
	}
}

func TestAHeldMessageThatComesAgainGoesStraightToTheDeadLetter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newRig(t, nil)
		g.target.fault = failing("ID:1", func(i int) simFault {
			return simFault{partial: map[int]error{i: &Error{Class: Permanent, Code: "Refused", Err: errTransient}}}
		})
		g.dead.fault = func([]Outgoing) simFault {
			if g.dead.sends == 1 {
				return simFault{partial: map[int]error{0: &Error{Class: Permanent, Code: "Refused", Err: errTransient}}}
			}
			return simFault{}
		}
		g.put(1, nil)
		g.run()
		pass(time.Second)
		if s := g.r.Status(); s.HeldCount != 1 {
			t.Fatalf("%d held", s.HeldCount)
		}
		g.b.reset()
		pass(time.Minute)
		if g.target.tried["ID:1"] != 1 || g.dead.count() != 1 || g.b.left() != 0 {
			t.Errorf("sent %d times, %d dead letters, %d left", g.target.tried["ID:1"], g.dead.count(), g.b.left())
		}
		g.wait()
	})
}

// What fails while the route stops goes back to the broker. What waits behind it goes with it: it must not be ahead when
// the message comes again.
func TestNothingOvertakesWhatAStopGivesBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newRig(t, func(s *RouteSettings, _ *rig) { s.Order = OrderGroup })
		g.target.latency = func() time.Duration { return time.Second }
		g.target.fault = failing("ID:1", func(i int) simFault {
			return simFault{partial: map[int]error{i: &Error{Class: Transient, Code: "InternalError", Err: errTransient}}}
		})
		g.put(6, func(i int) string { return []string{"a", "b"}[i%2] })
		g.run()
		pass(500 * time.Millisecond)
		g.wait()
		if keys := keysOf(g.target); slices.Contains(keys, "ID:3") || slices.Contains(keys, "ID:5") || !slices.Contains(keys, "ID:6") {
			t.Errorf("sent %v, and ID:1 comes again", keys)
		}
		if g.b.left() != 3 {
			t.Errorf("%d left", g.b.left())
		}
	})
}

func TestAStopDoesNotWaitForWhatHasFailed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newRig(t, nil)
		g.target.fault = failing("ID:1", func(i int) simFault {
			return simFault{partial: map[int]error{i: &Error{Class: Transient, Code: "Slow", After: 10 * time.Second, Err: errTransient}}}
		})
		g.put(3, nil)
		g.run()
		pass(time.Second)
		began := time.Now()
		g.wait()
		if took := time.Since(began); took > time.Second || g.b.left() != 1 {
			t.Errorf("the stop took %v, %d left", took, g.b.left())
		}
	})
}

func TestNothingIsReceivedWhileTheTargetIsDown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newRig(t, nil)
		g.target.fault = func([]Outgoing) simFault {
			return simFault{err: &Error{Class: Transient, Code: "down", Err: errTransient}}
		}
		g.put(5, nil)
		g.run()
		pass(10 * time.Minute)
		g.put(10, nil) // a Receive has been waiting since before: it takes some
		pass(time.Minute)
		before := g.r.Status().InFlight
		g.put(50, nil)
		pass(10 * time.Minute)
		if s := g.r.Status(); s.State != StateTargetDown || s.InFlight != before {
			t.Errorf("%s, %d in flight, %d before", s.State, s.InFlight, before)
		}
		g.wait()
	})
}

// A way of replies that could not work has many replies waiting when it is tried again: one of them is the probe.
func TestAProbeOfTheWayOfRepliesIsOneMessage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := newReplyRig(t, func(s *RouteSettings, _ *replyRig) { s.Reply.Timeout = time.Hour })
		until, largest := time.Now().Add(5*time.Minute), 0
		q.requester.fault = func(batch []Outgoing) simFault {
			if !time.Now().Before(until) {
				return simFault{}
			}
			if q.requester.connects > 1 {
				largest = max(largest, len(batch))
			}
			return simFault{err: &Error{Class: Fatal, Code: "SecurityException", Err: errTransient}}
		}
		q.ask(50)
		q.run()
		pass(6 * time.Minute)
		if largest != 1 || q.requester.count() != 50 {
			t.Errorf("%d messages in the largest probe, %d replies", largest, q.requester.count())
		}
		q.wait()
	})
}

// heavy is a source of messages of 1 MiB.
type heavy struct{ *simSource }

func (h heavy) Receive(ctx context.Context, dst []*Delivery) (int, error) {
	n, err := h.simSource.Receive(ctx, dst)
	for _, d := range dst[:n] {
		d.Size = 1 << 20
	}
	return n, err
}

func TestABestEffortTargetKeepsSoManyBytesAtTheMost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFanRig(t, true, func(s *RouteSettings, f *fanRig) { s.Sources[0] = heavy{&simSource{b: f.b}} })
		f.second.fault = func([]Outgoing) simFault { return simFault{stall: time.Hour} }
		f.run()
		pass(time.Second) // it is connected
		f.put(40, nil)
		pass(5 * time.Second)
		if s := f.r.Status(); f.target.count() != 40 || s.Targets[1].Dropped != 40-bestEffortBytes>>20 {
			t.Errorf("%d arrived, %d dropped", f.target.count(), s.Targets[1].Dropped)
		}
		f.wait()
	})
}

func TestWhatABestEffortTargetRefusesIsDropped(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFanRig(t, true, nil)
		f.second.fault = func([]Outgoing) simFault {
			return simFault{err: &Error{Class: Fatal, Code: "AccessDenied", Err: errTransient}}
		}
		f.run()
		pass(time.Second) // it is connected
		f.put(10, nil)
		pass(5 * time.Second)
		if s := f.r.Status(); s.Targets[1].Dropped != 10 || s.State != StateRunning {
			t.Errorf("%d dropped, %s", s.Targets[1].Dropped, s.State)
		}
		f.wait()
	})
}
