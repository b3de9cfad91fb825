package bridge

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"
)

func TestAStopSaysHowManyMessagesWereGivenBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		core, logs := observer.New(zap.InfoLevel)
		g := newRig(t, func(s *RouteSettings, _ *rig) { s.Log = zap.New(core) })
		g.target.latency = func() time.Duration { return 9 * time.Second }
		g.put(50, nil)
		g.run()
		pass(time.Second)
		g.stop()
		pass(time.Millisecond)
		close(g.force)
		g.wait()
		said := logs.FilterMessage("route stopped").All()
		if len(said) != 1 {
			t.Fatalf("%d lines about the stop", len(said))
		}
		want := map[string]any{LogRoute: g.r.Status().Name, "in_flight": int64(50), "given_back": uint64(50)}
		if diff := cmp.Diff(want, said[0].ContextMap()); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	})
}

func TestTheLineOfAMinuteSaysWhatDidNotArriveOnPurpose(t *testing.T) {
	fields := func(c Counters) map[string]any {
		s := RouteStatus{Name: "r", Counters: c}
		e := observer.LoggedEntry{Context: s.logFields()}
		all := e.ContextMap()
		some := map[string]any{}
		for _, name := range []string{"dropped", "filtered", "expired"} {
			if v, ok := all[name]; ok {
				some[name] = v
			}
		}
		return some
	}
	if got := fields(Counters{Delivered: 3}); len(got) != 0 {
		t.Errorf("nothing was dropped, and it says %v", got)
	}
	want := map[string]any{"dropped": uint64(1), "filtered": uint64(2), "expired": uint64(3)}
	if diff := cmp.Diff(want, fields(Counters{Dropped: 1, Filtered: 2, Expired: 3})); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
