package bridge

import (
	"errors"
	"fmt"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"
	"unicode/utf8"
)

func TestClipEndsOnARuneWithAnEllipsis(t *testing.T) {
	for _, c := range []struct{ in, want string }{
		{"", ""},
		{"0123456789", "0123456789"},
		{"0123456789a", "0123456…"},
		{"012345éxyz1", "012345…"},
		{"01234567é", "01234567é"},
		{"\xff" + strings.Repeat("\x80", 20), "…"},
	} {
		got := clip(c.in, 10)
		if got != c.want {
			t.Errorf("clip(%q) is %q, want %q", c.in, got, c.want)
		}
		if len(got) > 10 || utf8.ValidString(c.in) && !utf8.ValidString(got) {
			t.Errorf("clip(%q) is %q", c.in, got)
		}
	}
}

// heapInUse returns the bytes that are reachable now.
func heapInUse() int64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

func TestAHeldMessageKeepsNothingOfItsFrame(t *testing.T) {
	const frames, size = 40, 1 << 20
	w := &window{limit: 1000, bytes: 1 << 30, poke: func() {}}
	w.ghosts.limit = 1000
	sess := &session{}
	before := heapInUse()
	for i := range frames {
		frame := fmt.Sprintf("ID:host-%d:", i) + strings.Repeat("x", size)
		d := &Delivery{Message: Message{ID: frame[:100], Key: frame[:200]}, Size: size}
		w.hold(w.enter([]*Delivery{d}, sess, 0, time.Now(), nil)[0], frame[:500], true, time.Now())
	}
	if grown := heapInUse() - before; grown > frames*size/4 {
		t.Errorf("%d held messages keep %d bytes", frames, grown)
	}
	if held := w.heldMessages(heldShown); len(held) != frames || !strings.HasPrefix(held[7].ID, "ID:host-7:") {
		t.Errorf("%d held, %+v", len(held), held[7])
	}
}

// A sender chooses the id. What is remembered of a message beyond its life must not be as long as that.
func TestAGhostOfALongKeyIsSmall(t *testing.T) {
	const messages, size = 40, 1 << 20
	w := &window{limit: 1000, bytes: 1 << 30, poke: func() {}}
	w.ghosts.limit = 1000
	lost, again := &session{}, &session{}
	keyed := func(i int, sess *session) *item {
		key := fmt.Sprintf("ID:%d:", i) + strings.Repeat("k", size)
		return w.enter([]*Delivery{{Message: Message{Key: key}, Size: size}}, sess, 0, time.Now(), nil)[0]
	}
	before := heapInUse()
	for i := range messages {
		it := keyed(i, lost)
		w.ghosts.remember(it, ghostConfirmed)
		w.leave([]*item{it})
	}
	if grown := heapInUse() - before; grown > messages*size/4 {
		t.Errorf("%d ghosts keep %d bytes", messages, grown)
	}
	if got := w.ghosts.meet(keyed(3, again)); got != meetAccept {
		t.Errorf("the redelivery is met with %d", got)
	}
}

func TestStatusShowsTheBeginningOfALongID(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newRig(t, nil)
		g.b.name = strings.Repeat("\x01", 1<<20)
		g.b.hold = func(key string) error { return errors.New("it can't be told: " + key) }
		g.put(1, nil)
		g.run()
		pass(time.Second)
		s := g.r.Status()
		if len(s.Held) != 1 {
			t.Fatalf("%d are held", len(s.Held))
		}
		if id := s.Held[0].ID; len(id) > 200 || !strings.HasPrefix(id, "ID:\x01") || !strings.HasSuffix(id, "…") {
			t.Errorf("an id of %d bytes", len(id))
		}
		if reason := s.Held[0].Reason; len(reason) > 2048 || !strings.HasPrefix(reason, "it can't be told: ID:") {
			t.Errorf("a reason of %d bytes", len(reason))
		}
		g.wait()
	})
}
