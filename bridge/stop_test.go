package bridge

import (
	"context"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"
)

// deaf is a source that does not notice, in one of its calls, that its context has ended.
type deaf struct {
	*simSource
	until            chan struct{}
	receives, closes bool
}

func (s deaf) Receive(ctx context.Context, dst []*Delivery) (int, error) {
	n, err := s.simSource.Receive(ctx, dst)
	if !s.receives || err == nil || ctx.Err() == nil {
		return n, err
	}
	<-s.until
	dst[0] = &Delivery{Message: Message{Key: "too late"}}
	return 1, err
}

func (s deaf) Close(ctx context.Context) error {
	if s.closes {
		<-s.until
	}
	return s.simSource.Close(ctx)
}

func TestAStopLeavesASourceBehindThatDoesNotEnd(t *testing.T) {
	for _, c := range []struct {
		name             string
		receives, closes bool
		again            bool // a second signal
		within           time.Duration
	}{
		{"receiving", true, false, false, 27 * time.Second},
		{"receiving, with a second signal", true, false, true, time.Second},
		{"closing", false, true, false, 27 * time.Second},
		{"closing, with a second signal", false, true, true, time.Second},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				until := make(chan struct{})
				core, lines := observer.New(zap.InfoLevel)
				g := newRig(t, func(s *RouteSettings, g *rig) {
					s.Log = zap.New(core)
					s.Sources = append(s.Sources, deaf{&simSource{b: newSimBroker()}, until, c.receives, c.closes})
				})
				g.put(50, nil)
				g.run()
				pass(time.Second)
				began := time.Now()
				g.stop()
				pass(time.Millisecond)
				if c.again {
					close(g.force)
				}
				err := <-g.ended
				if took := time.Since(began); took > c.within {
					t.Errorf("the stop took %v", took)
				}
				if err == nil || !strings.Contains(err.Error(), "left behind") {
					t.Errorf("Run returned %v", err)
				}
				warned := lines.FilterMessage("a source does not end and is left behind").All()
				if c.receives && (len(warned) != 1 || warned[0].ContextMap()[LogSource] != int64(2)) {
					t.Errorf("warned %v", warned)
				}
				if g.target.count() != 50 || g.b.left() != 0 || g.b.conn != nil {
					t.Errorf("%d arrived, %d left; the other source is closed: %v", g.target.count(), g.b.left(), g.b.conn == nil)
				}
				close(until)
				synctest.Wait()
				if s := g.r.Status(); s.State != StateStopped || s.Counters.Received != 50 {
					t.Errorf("what came too late was taken: %+v", s)
				}
				g.balance()
			})
		})
	}
}

// The route is in a pause, whose end waits for the source, when the stop comes.
func TestAStopIsHeardWhileASourceDoesNotEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		until := make(chan struct{})
		g := newRig(t, func(s *RouteSettings, g *rig) { s.Sources[0] = deaf{&simSource{b: g.b}, until, true, false} })
		g.target.fault = func([]Outgoing) simFault {
			return simFault{err: &Error{Class: Fatal, Code: "AccessDenied", Err: errTransient}}
		}
		g.put(1, nil)
		g.run()
		pass(time.Minute)
		began := time.Now()
		g.stop()
		if err := <-g.ended; err == nil {
			t.Error("Run returned no error")
		}
		if took := time.Since(began); took > 27*time.Second {
			t.Errorf("the stop took %v", took)
		}
		close(until)
		synctest.Wait()
		g.balance()
	})
}
