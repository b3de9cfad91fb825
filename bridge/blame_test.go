package bridge

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// ownFault fails every message of an answered call by the target's own fault, as SQS does with InternalError.
func ownFault(n int) simFault {
	f := simFault{partial: map[int]error{}}
	for i := range n {
		f.partial[i] = &Error{Class: Transient, Code: "InternalError", OfTarget: true, Err: errors.New("internal error")}
	}
	return f
}

func TestTargetsOwnFaultForEachMessageIsAnOutage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newRig(t, nil)
		var up atomic.Bool
		g.target.fault = func(batch []Outgoing) simFault {
			if up.Load() {
				return simFault{}
			}
			return ownFault(len(batch))
		}
		g.put(500, nil)
		g.run()
		pass(time.Minute)
		if s := g.r.Status(); s.State != StateTargetDown || !strings.Contains(s.Reason, "InternalError") {
			t.Errorf("state %s, reason %q", s.State, s.Reason)
		}
		up.Store(true)
		pass(time.Minute)
		synctest.Wait()
		if g.dead.count() != 0 || g.target.count() != 500 || g.b.left() != 0 {
			t.Errorf("target %d, dead letter %d, left %d", g.target.count(), g.dead.count(), g.b.left())
		}
		g.wait()
	})
}

func TestCallsThatFailAtRandomDeadLetterNothing(t *testing.T) {
	for _, share := range []float64{0.1, 0.5, 0.7} {
		for _, whole := range []bool{true, false} {
			t.Run(fmt.Sprintf("%v of them, whole %v", share, whole), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					g := newRig(t, func(s *RouteSettings, _ *rig) { s.Credit = 1000 })
					g.target.latency = func() time.Duration { return 20 * time.Millisecond }
					var mu sync.Mutex // guards dice
					dice := rand.New(rand.NewPCG(1, 2))
					g.target.fault = func(batch []Outgoing) simFault {
						mu.Lock()
						lucky := dice.Float64() >= share
						mu.Unlock()
						switch {
						case lucky:
							return simFault{}
						case whole:
							return simFault{err: &Error{Class: Transient, Code: "500", Err: errors.New("internal")}}
						}
						return ownFault(len(batch))
					}
					g.put(5000, func(i int) string { return fmt.Sprint("g", i) })
					g.run()
					pass(2 * time.Hour)
					synctest.Wait()
					if g.dead.count() != 0 || g.target.count() != 5000 || g.b.left() != 0 {
						t.Errorf("target %d, dead letter %d, left %d", g.target.count(), g.dead.count(), g.b.left())
					}
					g.wait()
				})
			})
		}
	}
}

func TestMessageThatFailsAmongOthersThatSucceedIsDeadLettered(t *testing.T) {
	for _, whole := range []bool{true, false} {
		t.Run(fmt.Sprint("whole ", whole), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				g := newRig(t, nil)
				g.target.fault = func(batch []Outgoing) simFault {
					for i := range batch {
						if batch[i].Message.Key != "ID:3" {
							continue
						}
						if whole {
							return simFault{err: &Error{Class: Transient, Code: "500", Err: errors.New("internal")}}
						}
						return simFault{partial: map[int]error{i: ownFault(1).partial[0]}}
					}
					return simFault{}
				}
				g.put(200, func(i int) string { return fmt.Sprint("g", i) })
				done := make(chan struct{})
				go g.steady(100*time.Millisecond, done)
				g.run()
				pass(30 * time.Minute)
				close(done)
				pass(10 * time.Second)
				synctest.Wait()
				if g.dead.count() != 1 || g.b.left() != 0 {
					t.Errorf("target %d, dead letter %d, left %d", g.target.count(), g.dead.count(), g.b.left())
				}
				g.wait()
			})
		})
	}
}

func TestDeadLetterNeverExpires(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newRig(t, nil)
		at := time.Now().Add(-6 * time.Second)
		g.b.put("", at)
		g.run()
		pass(time.Second)
		synctest.Wait()
		if g.dead.count() != 1 {
			t.Errorf("dead letter %d", g.dead.count())
			g.wait()
			return
		}
		if v, _ := g.dead.log[0].extra.Lookup(DeadExpiration); v.Int64() != at.UnixMilli() {
			t.Errorf("the diagnosis says %v, want %d", v, at.UnixMilli())
		}
		g.wait()
	})
}

func TestPauseForHeldMessagesNamesThem(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newRig(t, func(s *RouteSettings, _ *rig) { s.DeadLetter, s.Credit = nil, 5 })
		g.target.fault = func(batch []Outgoing) simFault {
			f := simFault{partial: map[int]error{}}
			for i := range batch {
				f.partial[i] = &Error{Class: Permanent, Code: "BadBody", Err: errors.New("bad characters")}
			}
			return f
		}
		g.put(50, nil)
		g.run()
		s := g.r.Status()
		for range 600 {
			pass(time.Second)
			if s = g.r.Status(); strings.Contains(s.Reason, "no credit") {
				break
			}
		}
		if !strings.Contains(s.Reason, `"ID:`) || !strings.Contains(s.Reason, "bad characters") || !strings.Contains(s.Remedy, "dead letter") {
			t.Errorf("state %s, reason %q, remedy %q", s.State, s.Reason, s.Remedy)
		}
		g.wait()
	})
}
