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

// careless is a sink whose first call answers as first says; the others work.
type careless struct {
	*simTarget
	first func(batch []Outgoing, res []Result) error
}

func (c *careless) Send(ctx context.Context, batch []Outgoing, res []Result) error {
	if first := c.first; first != nil {
		c.first = nil
		return first(batch, res)
	}
	return c.simTarget.Send(ctx, batch, res)
}

func TestOnlyWhatACallConfirmsInSoManyWordsIsSettled(t *testing.T) {
	for name, first := range map[string]func(batch []Outgoing, res []Result) error{
		"a failed call that names successes": func(_ []Outgoing, res []Result) error {
			clear(res)
			return &Error{Class: Ambiguous, Code: "timeout", Err: errTransient}
		},
		"a result that is not filled in": func(batch []Outgoing, res []Result) error {
			for i := range batch {
				if batch[i].Message.Key != "ID:2" {
					res[i] = Result{ID: "x"}
				}
			}
			return nil
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				g := newRig(t, func(s *RouteSettings, g *rig) {
					s.Targets[0].Sink = &careless{g.target, first}
				})
				g.put(3, nil)
				g.run()
				pass(time.Minute)
				if keys := keysOf(g.target); !slices.Contains(keys, "ID:2") || g.b.left() != 0 || g.dead.count() != 0 {
					t.Errorf("%v were sent again, %d left, %d dead letters", keys, g.b.left(), g.dead.count())
				}
				g.wait()
			})
		})
	}
}

func TestTheTargetsOwnWaitIsKept(t *testing.T) {
	slow := &Error{Class: Transient, Code: "ServiceUnavailable", After: 40 * time.Second, Err: errTransient}
	for name, fault := range map[string]simFault{
		"of a message": {partial: map[int]error{0: slow}},
		"of a call":    {err: slow},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				g := newRig(t, nil)
				g.target.fault = func([]Outgoing) simFault {
					if g.target.sends == 1 {
						return fault
					}
					return simFault{}
				}
				g.put(1, nil)
				g.run()
				pass(39 * time.Second)
				if n := g.target.sendCount(); n != 1 {
					t.Errorf("%d calls within the time that the target asked for", n)
				}
				pass(7 * time.Second)
				if g.target.count() != 1 {
					t.Errorf("%d arrived after it", g.target.count())
				}
				g.wait()
			})
		})
	}
}

// What a message has failed at one place says nothing of the next one.
func TestEachPlaceGivesAMessageItsOwnAttempts(t *testing.T) {
	once := func(target *simTarget, key string, then error) func([]Outgoing) simFault {
		return failing(key, func(i int) simFault {
			if target.tried[key] == 1 {
				return simFault{partial: map[int]error{i: &Error{Class: Transient, Code: "InternalError", Err: errTransient}}}
			}
			return simFault{partial: map[int]error{i: then}}
		})
	}
	permanent := &Error{Class: Permanent, Code: "Refused", Err: errTransient}
	two := func(s *RouteSettings) { s.Retry.Attempts, s.Targets[0].Retry.Attempts = 2, 2 }
	t.Run("the dead letter", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			g := newRig(t, func(s *RouteSettings, _ *rig) { two(s) })
			g.target.fault, g.dead.fault = once(g.target, "ID:1", permanent), once(g.dead, "ID:1", nil)
			g.put(1, nil)
			g.run()
			pass(time.Minute)
			if s := g.r.Status(); g.dead.count() != 1 || s.HeldCount != 0 {
				t.Errorf("%d dead letters, %d held", g.dead.count(), s.HeldCount)
			}
			g.wait()
		})
	})
	t.Run("the requester", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			q := newReplyRig(t, func(s *RouteSettings, _ *replyRig) { two(s) })
			q.target.fault, q.requester.fault = once(q.target, "ID:1", nil), once(q.requester, "reply ID:1", nil)
			q.ask(1)
			q.run()
			pass(20 * time.Second)
			if c := q.replies(); c.Sent != 1 || c.Orphaned != 0 {
				t.Errorf("%+v", c)
			}
			q.wait()
		})
	})
}

func TestAMessageThatJustFitsIsSent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newRig(t, func(_ *RouteSettings, g *rig) { g.target.limits.Overhead = 3 })
		g.b.put("", time.Time{})
		size, _ := g.target.Size(&Outgoing{Message: g.b.putMessage("ID:1")})
		g.target.limits.Bytes = size + 3
		g.run()
		pass(time.Second)
		if g.target.count() != 1 || g.dead.count() != 0 {
			t.Errorf("%d sent, %d dead letters", g.target.count(), g.dead.count())
		}
		g.wait()
	})
}

// Calls that run while another one costs the connection fail with it. That is nobody's attempt: else a message would be
// given up for what its neighbour did.
func TestACallThatDiesWithTheConnectionOfAnotherIsNoAttempt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newRig(t, func(s *RouteSettings, _ *rig) { s.Targets[0].Retry.MaxAge = 2 * time.Second })
		g.target.limits = Limits{Messages: 1, Calls: 2, Run: 1, Timeout: 10 * time.Second}
		g.target.fault = failing("ID:1", func(int) simFault {
			if g.target.tried["ID:1"] == 1 { // the others are confirmed meanwhile
				return simFault{stall: 3 * time.Second, err: fmt.Errorf("sending: %w", ErrNotConnected)}
			}
			return simFault{}
		})
		g.target.latency = func() time.Duration { return 100 * time.Millisecond }
		g.put(100, nil)
		g.run()
		pass(time.Minute)
		if g.dead.count() != 0 || g.target.count() != 100 {
			t.Errorf("%d dead letters, %d arrived", g.dead.count(), g.target.count())
		}
		g.wait()
	})
}

// A call that fails as a whole while others succeed holds a bad message: its halves are tried, though no jitter takes
// it apart.
func TestACallThatFailsAmongOthersIsHalved(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newRig(t, func(s *RouteSettings, _ *rig) {
			s.jitter = func(n time.Duration) time.Duration { return n }
		})
		g.target.fault = failing("ID:3", func(int) simFault {
			return simFault{err: &Error{Class: Transient, Code: "500", Err: errTransient}}
		})
		g.put(40, nil)
		done := make(chan struct{})
		go g.steady(50*time.Millisecond, done)
		g.run()
		pass(2 * time.Minute)
		close(done)
		pass(10 * time.Second)
		if g.dead.count() != 1 || g.b.left() != 0 {
			t.Errorf("%d dead letters, %d left", g.dead.count(), g.b.left())
		}
		g.wait()
	})
}

func TestAFaultThatCanNotBeSentEndsTheExchange(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := newReplyRig(t, func(s *RouteSettings, q *replyRig) {
			withFaults(s, q)
			q.requester.sizeErr = func(*Outgoing) error { return errors.New("a header is too long") }
		})
		q.ask(1)
		q.run()
		pass(5 * time.Second)
		if c := q.replies(); c.Failed != 2 || c.Sent+c.Faults != 0 || q.b.left() != 0 {
			t.Errorf("%+v, %d left", c, q.b.left())
		}
		q.wait()
	})
}

func TestJMSExpirationBoundsTheExchange(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := newReplyRig(t, nil)
		q.target.fault = func([]Outgoing) simFault { return simFault{stall: 9 * time.Second} }
		q.b.putWith(func(m *Message) {
			m.ReplyTo, m.Expiration = Destination{TempQueue, "answers"}, m.Timestamp.Add(6*time.Second)
		})
		q.run()
		pass(7 * time.Second)
		if q.dead.count() != 1 || q.target.count() != 0 {
			t.Errorf("%d dead letters, %d answered, though nobody waits", q.dead.count(), q.target.count())
		}
		q.wait()
	})
}

func TestAReplyHasADeduplicationIDOfItsOwn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := newReplyRig(t, func(_ *RouteSettings, q *replyRig) { q.requester.limits.Dedup = true })
		q.ask(1)
		q.run()
		pass(time.Second)
		if request, reply := q.target.log[0].dedup, q.requester.log[0].dedup; reply == "" || reply == request {
			t.Errorf("request %q, reply %q", request, reply)
		}
		q.wait()
	})
}
