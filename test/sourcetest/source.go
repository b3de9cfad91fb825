package sourcetest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/jmsbridge/jmsbridge/bridge"
)

// RunSource runs the suite for sources.
func RunSource(t *testing.T, h Harness) {
	for _, tc := range []struct {
		name string
		run  func(*testing.T, Harness)
	}{
		{"accepted messages are gone", acceptedAreGone},
		{"no more than the credit is out", creditIsRespected},
		{"a credit of one gives one at a time", creditOfOne},
		{"close gives back in order with the same keys", closeGivesBack},
		{"a lost connection loses the lease and brings the messages again", lostConnection},
		{"a cancelled receive loses nothing", cancelledReceive},
		{"settling twice is refused", settleTwice},
		{"settling after close is refused", settleAfterClose},
		{"close is safe without connect and twice", closeIsSafe},
		{"receiving unconnected says so", receiveUnconnected},
		{"messages come in their order", order},
		{"many goroutines settle at once", concurrentSettle},
		{"large bodies arrive whole", largeBodies},
		{"reading stops when the window of bytes is full and goes on after", byteWindow},
		{"bodies and headers arrive as they were sent", content},
		{"a message without body", emptyBody},
		{"a selector chooses", selector},
		{"a durable subscription keeps what is published while away", durable},
		{"a topic without subscription", plainTopic},
		{"connect after connect starts anew", connectAgain},
	} {
		t.Run(tc.name, func(t *testing.T) { tc.run(t, h) })
	}
}

func acceptedAreGone(t *testing.T, h Harness) {
	q := queue()
	h.Publish(t, q, texts(20)...)
	s := h.Source(t, q, Options{})
	connect(t, s, 100)
	accept(t, receive(t, s, 20)...)
	// The verdicts reach the broker by themselves, without Close.
	depth(t, h, q, 0)
	closeSource(t, s)
	connect(t, s, 100)
	receiveNone(t, s)
}

func creditIsRespected(t *testing.T, h Harness) {
	q := queue()
	h.Publish(t, q, texts(10)...)
	s := h.Source(t, q, Options{})
	connect(t, s, 3)
	first := receive(t, s, 3)
	receiveNone(t, s)
	accept(t, first[1])
	want := []string{"3"}
	if h.Cumulative {
		receiveNone(t, s) // the first is not finished
		accept(t, first[0])
		want = []string{"3", "4"}
	}
	next := receive(t, s, len(want))
	if diff := cmp.Diff(want, bodies(next)); diff != "" {
		t.Error(diff)
	}
	receiveNone(t, s)
	if !h.Cumulative {
		accept(t, first[0])
	}
	accept(t, first[2])
	accept(t, next...)
	for left := 10 - len(first) - len(next); left > 0; {
		n := min(left, 3)
		accept(t, receive(t, s, n)...)
		left -= n
	}
	depth(t, h, q, 0)
}

func creditOfOne(t *testing.T, h Harness) {
	q := queue()
	h.Publish(t, q, texts(4)...)
	s := h.Source(t, q, Options{})
	connect(t, s, 1)
	for i := range 4 {
		d := receive(t, s, 1)
		if got := bodies(d)[0]; got != fmt.Sprint(i) {
			t.Fatalf("message %d is %q", i, got)
		}
		if i == 0 {
			receiveNone(t, s)
		}
		accept(t, d...)
	}
	depth(t, h, q, 0)
}

func closeGivesBack(t *testing.T, h Harness) {
	q := queue()
	h.Publish(t, q, texts(6)...)
	s := h.Source(t, q, Options{})
	connect(t, s, 100)
	first := receive(t, s, 4) // the others wait in the source
	accept(t, first[1])
	closeSource(t, s)
	for _, d := range first {
		if !d.Lost() {
			t.Error("a delivery is not lost after Close")
		}
	}
	back := []int{0, 2, 3, 4, 5}
	if h.Cumulative {
		back = []int{0, 1, 2, 3, 4, 5} // one was accepted behind one that was not
	}
	depth(t, h, q, len(back))
	connect(t, s, 100)
	again := receive(t, s, len(back))
	for i, n := range back {
		if got := again[i].Message.Body.Data(); got != fmt.Sprint(n) {
			t.Errorf("message %d that comes back is %q, want %d", i, got, n)
		}
		if n < len(first) && again[i].Message.Key != first[n].Message.Key {
			t.Errorf("message %d had the key %q and comes back with %q", n, first[n].Message.Key, again[i].Message.Key)
		}
	}
	if got := again[0].Message.Redelivered; got == h.ReturnsUnflagged {
		t.Errorf("redelivered is %v", got)
	}
	all := keys(again)
	slices.Sort(all)
	if slices.Contains(all, "") || len(slices.Compact(all)) != len(back) {
		t.Errorf("keys are not unique: %q", all)
	}
	accept(t, again...)
	depth(t, h, q, 0)
}

func lostConnection(t *testing.T, h Harness) {
	q := queue()
	h.Publish(t, q, texts(5)...)
	s := h.Source(t, q, Options{})
	connect(t, s, 100)
	first := receive(t, s, 5)
	accept(t, first[0])
	depth(t, h, q, 4) // the verdict is there
	h.Drop(t)
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	n, err := s.Receive(ctx, make([]*bridge.Delivery, 8))
	if n != 0 || !errors.Is(err, bridge.ErrNotConnected) {
		t.Fatalf("Receive = %d, %v; want ErrNotConnected", n, err)
	}
	if got := bridge.ClassOf(err); got != bridge.Transient {
		t.Errorf("the error is %s, want transient", got)
	}
	if !first[1].Lost() {
		t.Error("the lease is not lost")
	}
	if err := first[1].Settle(bridge.Accept); !errors.Is(err, bridge.ErrLost) {
		t.Errorf("Settle = %v, want ErrLost", err)
	}
	connect(t, s, 100)
	again := receive(t, s, 4)
	if diff := cmp.Diff(bodies(first[1:]), bodies(again)); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff(keys(first[1:]), keys(again)); diff != "" {
		t.Errorf("keys differ: %s", diff)
	}
	if err := first[2].Settle(bridge.Accept); !errors.Is(err, bridge.ErrLost) {
		t.Errorf("Settle on the next connection = %v, want ErrLost", err)
	}
	if !again[0].Message.Redelivered {
		t.Error("the first message is not flagged as redelivered")
	}
	receiveNone(t, s) // the stale verdict has cost nothing
	accept(t, again...)
	depth(t, h, q, 0)
}

func cancelledReceive(t *testing.T, h Harness) {
	q := queue()
	s := h.Source(t, q, Options{})
	connect(t, s, 10)
	const n = 60
	all := texts(n)
	var got []string
	end := time.Now().Add(patience)
	for i := 0; len(got) < n; i++ {
		if time.Now().After(end) {
			t.Fatalf("got %d of %d", len(got), n)
		}
		if i%5 == 0 && len(all) > 0 { // so that some calls wait, some find something, and some are cut off between
			h.Publish(t, q, all[:10]...)
			all = all[10:]
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Duration(i%5)*time.Millisecond)
		buf := make([]*bridge.Delivery, 1+i%3)
		k, err := s.Receive(ctx, buf)
		cancel()
		if err != nil && !errors.Is(err, context.DeadlineExceeded) && !errors.Is(err, context.Canceled) {
			t.Fatal(err)
		}
		got = append(got, bodies(buf[:k])...)
		accept(t, buf[:k]...)
	}
	for i, b := range got {
		if b != fmt.Sprint(i) {
			t.Fatalf("message %d is %q", i, b)
		}
	}
	depth(t, h, q, 0)
}

func settleTwice(t *testing.T, h Harness) {
	q := queue()
	h.Publish(t, q, texts(2)...)
	s := h.Source(t, q, Options{})
	connect(t, s, 10)
	d := receive(t, s, 2)
	accept(t, d[0])
	if err := d[0].Settle(bridge.Accept); !errors.Is(err, bridge.ErrSettled) {
		t.Errorf("second Settle = %v, want ErrSettled", err)
	}
	closeSource(t, s)
	depth(t, h, q, 1)
}

func settleAfterClose(t *testing.T, h Harness) {
	q := queue()
	h.Publish(t, q, texts(1)...)
	s := h.Source(t, q, Options{})
	connect(t, s, 10)
	d := receive(t, s, 1)
	closeSource(t, s)
	if err := d[0].Settle(bridge.Accept); !errors.Is(err, bridge.ErrLost) {
		t.Errorf("Settle = %v, want ErrLost", err)
	}
	depth(t, h, q, 1)
}

func closeIsSafe(t *testing.T, h Harness) {
	s := h.Source(t, queue(), Options{})
	closeSource(t, s)
	connect(t, s, 1)
	closeSource(t, s)
	closeSource(t, s)
}

func receiveUnconnected(t *testing.T, h Harness) {
	s := h.Source(t, queue(), Options{})
	if _, err := s.Receive(t.Context(), make([]*bridge.Delivery, 1)); !errors.Is(err, bridge.ErrNotConnected) {
		t.Errorf("Receive = %v, want ErrNotConnected", err)
	}
}

func order(t *testing.T, h Harness) {
	q := queue()
	const n = 500
	h.Publish(t, q, texts(n)...)
	s := h.Source(t, q, Options{})
	connect(t, s, 50)
	for i := 0; i < n; {
		for _, d := range receive(t, s, 10) {
			if got := d.Message.Body.Data(); got != fmt.Sprint(i) {
				t.Fatalf("message %d is %q", i, got)
			}
			accept(t, d)
			i++
		}
	}
	depth(t, h, q, 0)
}

func concurrentSettle(t *testing.T, h Harness) {
	q := queue()
	const n = 400
	h.Publish(t, q, texts(n)...)
	s := h.Source(t, q, Options{})
	connect(t, s, 100)
	work := make(chan *bridge.Delivery, n)
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for d := range work {
				if err := d.Settle(bridge.Accept); err != nil {
					t.Errorf("settling: %v", err)
				}
			}
		})
	}
	for range n {
		work <- receive(t, s, 1)[0]
	}
	close(work)
	wg.Wait()
	closeSource(t, s)
	depth(t, h, q, 0)
}

func largeBodies(t *testing.T, h Harness) {
	q := queue()
	var sent []bridge.Message
	for _, size := range []int{60 << 10, 64<<10 - 1, 64 << 10, 200 << 10, 1 << 20} {
		sent = append(sent,
			bridge.Message{Body: bridge.NewText(strings.Repeat("0123456789abcde\n", size/16)), Persistent: true},
			bridge.Message{Body: bridge.NewBytes(strings.Repeat("\x00\xff\n:\\\x00", size/6)), Persistent: true})
	}
	h.Publish(t, q, sent...)
	s := h.Source(t, q, Options{})
	connect(t, s, 100)
	for i := range sent { // one by one: where the credit is in bytes, they don't all fit
		d := receive(t, s, 1)[0]
		if !d.Message.Body.Equal(sent[i].Body) {
			t.Errorf("body %d: %d bytes of %s, want %d of %s", i, len(d.Message.Body.Data()), d.Message.Body.Kind(),
				len(sent[i].Body.Data()), sent[i].Body.Kind())
		}
		accept(t, d)
	}
	depth(t, h, q, 0)
}

// byteWindow lets far more bytes wait at the broker than the source may keep, and comes to fetch them late.
func byteWindow(t *testing.T, h Harness) {
	q := queue()
	const n = 200
	sent := make([]bridge.Message, n)
	for i := range sent {
		sent[i] = bridge.Message{Body: bridge.NewText(fmt.Sprintf("%d-%s", i, strings.Repeat("x", 50<<10))), Persistent: true}
	}
	h.Publish(t, q, sent...)
	s := h.Source(t, q, Options{MaxBytes: 256 << 10})
	connect(t, s, n)
	<-time.After(quiet) // the broker sends what it may
	for i := range n {
		d := receive(t, s, 1)[0]
		if d.Message.Body.Data() != sent[i].Body.Data() {
			t.Fatalf("body %d differs", i)
		}
		accept(t, d)
	}
	depth(t, h, q, 0)
}

func selector(t *testing.T, h Harness) {
	q := queue()
	sent := texts(6)
	for i := range sent {
		sent[i].Properties = bridge.NewProperties([]bridge.Entry{{Name: "region", Value: bridge.String([]string{"EU", "US"}[i%2])}})
	}
	h.Publish(t, q, sent...)
	s := h.Source(t, q, Options{Selector: "region = 'EU'"})
	connect(t, s, 10)
	got := receive(t, s, 3)
	if diff := cmp.Diff([]string{"0", "2", "4"}, bodies(got)); diff != "" {
		t.Error(diff)
	}
	receiveNone(t, s)
	accept(t, got...)
	depth(t, h, q, 3)
}

func durable(t *testing.T, h Harness) {
	d := topic()
	o := Options{Subscription: "sub" + fmt.Sprint(names.Add(1))}
	s := h.Source(t, d, o)
	connect(t, s, 10)
	h.Publish(t, d, texts(2)...)
	accept(t, receive(t, s, 2)...)
	closeSource(t, s)
	h.Publish(t, d, texts(5)[2:]...)
	connect(t, s, 10)
	got := receive(t, s, 3)
	if diff := cmp.Diff([]string{"2", "3", "4"}, bodies(got)); diff != "" {
		t.Error(diff)
	}
	if k := got[0].Message.Destination; k != d {
		t.Errorf("destination is %s, want %s", k, d)
	}
	accept(t, got[0])
	closeSource(t, s)
	connect(t, s, 10)
	again := receive(t, s, 2)
	if diff := cmp.Diff([]string{"3", "4"}, bodies(again)); diff != "" {
		t.Error(diff)
	}
	accept(t, again...)
	closeSource(t, s)
	connect(t, s, 10)
	receiveNone(t, s)
}

func plainTopic(t *testing.T, h Harness) {
	d := topic()
	s := h.Source(t, d, Options{})
	connect(t, s, 10)
	h.Publish(t, d, texts(3)...)
	got := receive(t, s, 3)
	if diff := cmp.Diff([]string{"0", "1", "2"}, bodies(got)); diff != "" {
		t.Error(diff)
	}
	accept(t, got...)
	closeSource(t, s)
	h.Publish(t, d, texts(1)...)
	connect(t, s, 10)
	receiveNone(t, s) // what was published meanwhile is lost, as the docs say
}

func connectAgain(t *testing.T, h Harness) {
	q := queue()
	h.Publish(t, q, texts(3)...)
	s := h.Source(t, q, Options{})
	connect(t, s, 1)
	first := receive(t, s, 1)
	connect(t, s, 10) // the engine does so with another credit
	if err := first[0].Settle(bridge.Accept); !errors.Is(err, bridge.ErrLost) {
		t.Errorf("Settle of the old connection = %v, want ErrLost", err)
	}
	got := receive(t, s, 3)
	all := bodies(got)
	slices.Sort(all)
	if diff := cmp.Diff([]string{"0", "1", "2"}, all); diff != "" {
		t.Error(diff)
	}
	accept(t, got...)
	depth(t, h, q, 0)
}
