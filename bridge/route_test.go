package bridge

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"
	"unicode/utf8"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// pass lets virtual time pass, and what is due then happen.
func pass(d time.Duration) {
	<-time.After(d)
	synctest.Wait()
}

// rig is a route between a simulated broker and simulated targets, inside a synctest bubble.
type rig struct {
	t      *testing.T
	b      *simBroker
	target *simTarget
	dead   *simTarget
	r      *Route
	stop   context.CancelFunc
	force  chan struct{}
	ended  chan error
}

func newRig(t *testing.T, change func(*RouteSettings, *rig)) *rig {
	t.Helper()
	g := &rig{
		t: t, b: newSimBroker(), force: make(chan struct{}), ended: make(chan error, 1),
		target: newSimTarget(Limits{Messages: 10, Calls: 4, Run: 1, Timeout: 10 * time.Second, Linger: 5 * time.Millisecond, Dedup: true}),
		dead:   newSimTarget(Limits{Messages: 10, Calls: 2, Run: 1, Timeout: 10 * time.Second}),
	}
	g.target.content, g.dead.content = g.checkContent, g.checkDead
	set := RouteSettings{
		Name: "r", Sources: []Source{&simSource{b: g.b}},
		Targets:    []TargetSettings{{Name: "t", Sink: g.target}},
		DeadLetter: &PipelineSettings{Name: "d", Sink: g.dead},
	}
	if change != nil {
		change(&set, g)
	}
	r, err := NewRoute(set)
	if err != nil {
		t.Fatal(err)
	}
	g.r = r
	return g
}

// checkContent says in what a message of a call differs from what was put; "": in nothing.
func (g *rig) checkContent(o *Outgoing) string {
	return sameAs(g.b.putMessage(o.Message.Key), o.Message)
}

// checkDead does so for the dead letter, whose copy never expires.
func (g *rig) checkDead(o *Outgoing) string {
	put := *g.b.putMessage(o.Message.Key)
	put.Expiration = time.Time{}
	return sameAs(&put, o.Message)
}

func (g *rig) run() {
	ctx, cancel := context.WithCancel(context.Background())
	g.stop = cancel
	go func() { g.ended <- g.r.Run(ctx, g.force) }()
}

func (g *rig) put(n int, group func(i int) string) {
	for i := range n {
		name := ""
		if group != nil {
			name = group(i)
		}
		g.b.put(name, time.Time{})
	}
}

// wait ends the route and checks that the books balance.
func (g *rig) wait() {
	g.t.Helper()
	g.stop()
	if err := <-g.ended; err != nil {
		g.t.Errorf("Run: %v", err)
	}
	g.balance()
	for _, w := range [][]string{g.b.wrong, g.target.wrong, g.dead.wrong} {
		for _, text := range w {
			g.t.Error(text)
		}
	}
}

// balance checks conservation from the counters alone.
func (g *rig) balance() {
	g.t.Helper()
	s := g.r.Status()
	c := s.Counters
	sum := c.Delivered + c.DeadLettered + c.Dropped + c.Filtered + c.Expired + c.Released + uint64(s.InFlight) + uint64(s.HeldCount)
	if c.Received != sum {
		g.t.Errorf("received %d, accounted for %d: %+v", c.Received, sum, s)
	}
}

func TestRouteMovesEverythingOnce(t *testing.T) {
	for _, order := range []Order{OrderNone, OrderGroup, OrderStrict} {
		t.Run(order.String(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				g := newRig(t, func(s *RouteSettings, _ *rig) { s.Order = order })
				g.target.latency = func() time.Duration { return 5 * time.Millisecond }
				g.put(1000, func(i int) string { return fmt.Sprint("g", i%20) })
				g.run()
				pass(30 * time.Second)
				synctest.Wait()
				if g.b.left() != 0 {
					t.Errorf("%d messages are left", g.b.left())
				}
				if g.target.count() != 1000 || len(g.target.confirmed) != 1000 {
					t.Errorf("sent %d, %d of them different", g.target.count(), len(g.target.confirmed))
				}
				last := map[string]int32{}
				for _, s := range g.target.log {
					group := s.group
					if order == OrderStrict {
						group = ""
					}
					if order != OrderNone && s.seq < last[group] {
						t.Errorf("message %d of group %q came after %d", s.seq, group, last[group])
					}
					last[group] = s.seq
					if s.dedup == "" {
						t.Error("no deduplication id")
					}
				}
				g.wait()
			})
		})
	}
}

func TestPermanentFailureIsDeadLetteredWithItsDiagnosis(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newRig(t, nil)
		bad := &Error{Class: Permanent, Code: "InvalidMessageContents", RequestID: "req-1", Err: errors.New("bad characters")}
		g.target.fault = func(batch []Outgoing) simFault {
			for i := range batch {
				if batch[i].Message.Key == "ID:3" {
					return simFault{partial: map[int]error{i: bad}}
				}
			}
			return simFault{}
		}
		g.put(10, nil)
		g.run()
		pass(time.Second)
		synctest.Wait()
		if g.target.count() != 9 || g.dead.count() != 1 || g.b.left() != 0 {
			t.Fatalf("target %d, dead letter %d, left %d", g.target.count(), g.dead.count(), g.b.left())
		}
		extra := g.dead.log[0].extra
		for name, want := range map[string]string{
			DeadRoute: "r", DeadTarget: "t", DeadErrorClass: "permanent", DeadErrorCode: "InvalidMessageContents",
			DeadRequestID: "req-1", DeadDestination: "queue:q",
		} {
			if v, _ := extra.Lookup(name); v.Str() != want {
				t.Errorf("%s is %q, want %q", name, v.Str(), want)
			}
		}
		g.wait()
	})
}

func TestADiagnosisIsShort(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newRig(t, nil)
		long := strings.Repeat("é", 1<<20)
		bad := &Error{Class: Permanent, Code: "C" + long, RequestID: "r" + long, Err: errors.New("bad " + long)}
		g.target.fault = func([]Outgoing) simFault { return simFault{partial: map[int]error{0: bad}} }
		g.put(1, nil)
		g.run()
		pass(time.Second)
		if g.dead.count() != 1 {
			t.Fatalf("%d dead letters", g.dead.count())
		}
		for name, most := range map[string]int{DeadErrorCode: 256, DeadRequestID: 256, DeadError: 1024} {
			v, _ := g.dead.log[0].extra.Lookup(name)
			if n := len(v.Str()); n == 0 || n > most || !utf8.ValidString(v.Str()) || !strings.HasSuffix(v.Str(), "…") {
				t.Errorf("%s has %d bytes", name, n)
			}
		}
		g.wait()
	})
}

func TestStopGivesBackWhatWasNotSent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newRig(t, nil)
		g.target.latency = func() time.Duration { return 9 * time.Second }
		g.put(500, nil)
		g.run()
		pass(time.Second)
		began := time.Now()
		g.wait()
		if took := time.Since(began); took > 25*time.Second {
			t.Errorf("the stop took %v", took)
		}
		if got := g.target.count() + g.b.left(); got != 500 {
			t.Errorf("delivered %d, left %d", g.target.count(), g.b.left())
		}
		if s := g.r.Status(); s.State != StateStopped {
			t.Errorf("state %v", s.State)
		}
	})
}

func TestSecondSignalEndsWithinASecond(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newRig(t, nil)
		g.target.latency = func() time.Duration { return 9 * time.Second }
		g.put(50, nil)
		g.run()
		pass(time.Second)
		began := time.Now()
		g.stop()
		pass(time.Millisecond)
		close(g.force)
		g.wait()
		if took := time.Since(began); took > time.Second {
			t.Errorf("the forced stop took %v", took)
		}
		if g.b.left() != 50 {
			t.Errorf("left %d", g.b.left())
		}
	})
}
