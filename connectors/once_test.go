package connectors

import (
	"context"
	"errors"
	"path/filepath"
	"testing"
	"time"

	"github.com/jmsbridge/jmsbridge/bridge"
	"github.com/jmsbridge/jmsbridge/connectors/store"
)

// fakeSink answers, or sends replies, and counts.
type fakeSink struct {
	bridge.Sink
	calls int
	sent  []string
	err   error
}

func (f *fakeSink) Limits() bridge.Limits { return bridge.Limits{Messages: 1, Calls: 1} }

func (f *fakeSink) Send(_ context.Context, batch []bridge.Outgoing, res []bridge.Result) error {
	f.calls++
	for i := range batch {
		f.sent = append(f.sent, batch[i].Message.Body.Data())
		res[i] = bridge.Result{Err: f.err, Reply: &bridge.Message{Body: bridge.NewText("answer to " + batch[i].Message.Body.Data())}}
	}
	return nil
}

func outcomesIn(t *testing.T, path string) *store.Bolt {
	t.Helper()
	s, err := store.OpenBolt(path)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func sendOne(t *testing.T, s bridge.Sink, o bridge.Outgoing) bridge.Result {
	t.Helper()
	res := []bridge.Result{{Err: bridge.ErrUnanswered}}
	if err := s.Send(t.Context(), []bridge.Outgoing{o}, res); err != nil {
		res[0].Err = err
	}
	return res[0]
}

func TestARequestThatComesAgainIsAnsweredWithoutACall(t *testing.T) {
	path := filepath.Join(t.TempDir(), "store.db")
	kept := outcomesIn(t, path)
	inner := &fakeSink{}
	request := bridge.Outgoing{
		Message: &bridge.Message{Body: bridge.NewText("one")}, DedupID: "d-1", Deadline: time.Now().Add(time.Minute),
	}
	first := sendOne(t, &onceTarget{around{inner}, kept}, request)
	if first.Err != nil || first.Reply.Body.Data() != "answer to one" {
		t.Fatalf("%+v", first)
	}
	if err := kept.Close(); err != nil { // the process dies, and comes again
		t.Fatal(err)
	}
	kept = outcomesIn(t, path)
	t.Cleanup(func() { _ = kept.Close() })
	again := sendOne(t, &onceTarget{around{inner}, kept}, request)
	if again.Err != nil || again.Reply.Body.Data() != "answer to one" || inner.calls != 1 {
		t.Errorf("%+v after %d calls", again, inner.calls)
	}
	request.DedupID = "d-2"
	if sendOne(t, &onceTarget{around{inner}, kept}, request); inner.calls != 2 {
		t.Errorf("another request: %d calls", inner.calls)
	}
	oneWay := bridge.Outgoing{Message: &bridge.Message{}, DedupID: "d-3"}
	for range 2 {
		sendOne(t, &onceTarget{around{inner}, kept}, oneWay)
	}
	if inner.calls != 4 {
		t.Errorf("one that wants no answer: %d calls", inner.calls)
	}
}

func TestAnAnswerThatCanNotBeStoredIsNotSent(t *testing.T) {
	kept := outcomesIn(t, filepath.Join(t.TempDir(), "store.db"))
	_ = kept.Close()
	inner := &fakeSink{}
	res := sendOne(t, &onceTarget{around{inner}, kept}, bridge.Outgoing{
		Message: &bridge.Message{}, DedupID: "d", Deadline: time.Now().Add(time.Minute),
	})
	if res.Err == nil || inner.calls != 0 {
		t.Errorf("%+v after %d calls, with a store that does not work", res, inner.calls)
	}
}

// brokenStore fails to look, or to keep.
type brokenStore struct{ find, keep error }

func (b brokenStore) Find(context.Context, string) ([]byte, error) { return nil, b.find }
func (b brokenStore) Close() error                                 { return nil }
func (b brokenStore) Keep(context.Context, string, []byte, time.Time) ([]byte, error) {
	return nil, b.keep
}

func TestAStoreThatDoesNotWorkIsNoFaultOfTheRequest(t *testing.T) {
	full := &bridge.Error{Class: bridge.Fatal, Code: "Store", Err: errors.New("no space left on device")}
	away := &bridge.Error{Class: bridge.Transient, Err: errors.New("connection refused")}
	busy := &bridge.Error{Class: bridge.Throttled, Err: errors.New("too many requests")}
	large := &bridge.Error{Class: bridge.Permanent, Code: "ValidationException", Err: errors.New("an item has 400 KiB at most")}
	answer := bridge.Outgoing{Message: &bridge.Message{Key: "k"}, DedupID: "d", Deadline: time.Now().Add(time.Minute)}
	for name, c := range map[string]struct {
		store        brokenStore
		call, reply  bridge.Class
		ofTheRequest bool
	}{
		"full":                {brokenStore{full, full}, bridge.Fatal, bridge.Fatal, false},
		"full after the call": {brokenStore{nil, full}, bridge.Fatal, bridge.Fatal, false},
		"away":                {brokenStore{away, away}, bridge.Transient, bridge.Transient, false},
		"away after the call": {brokenStore{nil, away}, bridge.Ambiguous, bridge.Transient, false},
		"throttled":           {brokenStore{busy, busy}, bridge.Throttled, bridge.Throttled, false},
		"an answer too large": {brokenStore{nil, large}, bridge.Permanent, bridge.Permanent, true},
	} {
		t.Run(name, func(t *testing.T) {
			for what, one := range map[string]struct {
				sink  bridge.Sink
				class bridge.Class
			}{
				"call":  {&onceTarget{around{&fakeSink{}}, c.store}, c.call},
				"reply": {newOnceReplies(&fakeSink{}, c.store, "r", func(string) {}), c.reply},
			} {
				e := bridge.AsError(sendOne(t, one.sink, answer).Err)
				charged := e != nil && !e.OfTarget && e.Class != bridge.Fatal && e.Class != bridge.Throttled
				if e == nil || e.Class != one.class || charged != c.ofTheRequest {
					t.Errorf("%s: %+v, want class %v, charged to the request: %v", what, e, one.class, c.ofTheRequest)
				}
			}
		})
	}
}

func TestAReplyIsSentByOneProcessAlone(t *testing.T) {
	kept := outcomesIn(t, filepath.Join(t.TempDir(), "store.db"))
	t.Cleanup(func() { _ = kept.Close() })
	counts := map[string]int{}
	count := func(outcome string) { counts[outcome]++ }
	a, b := &fakeSink{}, &fakeSink{}
	first, second := newOnceReplies(a, kept, "r", count), newOnceReplies(b, kept, "r", count)
	reply := bridge.Outgoing{Message: &bridge.Message{Key: "k", Body: bridge.NewText("x"), Expiration: time.Now().Add(time.Minute)}}
	a.err = &bridge.Error{Class: bridge.Transient, Err: errors.New("refused")}
	if res := sendOne(t, first, reply); res.Err == nil {
		t.Error("a failure was taken for a success")
	}
	a.err = nil
	for range 2 {
		if res := sendOne(t, second, reply); res.Err != nil {
			t.Error(res.Err)
		}
	}
	if len(b.sent) != 0 || counts["duplicate"] != 2 {
		t.Errorf("the other process sent %d, %v", len(b.sent), counts)
	}
	if res := sendOne(t, first, reply); res.Err != nil || len(a.sent) != 2 {
		t.Errorf("its own reply after a failure: %v, %d sent", res.Err, len(a.sent))
	}
}

// readySink is a sink that is connected or not.
type readySink struct {
	fakeSink
	ready error
}

func (r *readySink) Ready() error { return r.ready }

// What dies while the broker is away must leave the reply to others.
func TestAReplyIsNotClaimedWithoutAConnection(t *testing.T) {
	kept := outcomesIn(t, filepath.Join(t.TempDir(), "store.db"))
	t.Cleanup(func() { _ = kept.Close() })
	count := func(outcome string) { t.Errorf("counted as %s", outcome) }
	a, b := &readySink{ready: bridge.ErrNotConnected}, &readySink{}
	reply := bridge.Outgoing{Message: &bridge.Message{Key: "k", Body: bridge.NewText("x"), Expiration: time.Now().Add(time.Minute)}}
	if res := sendOne(t, newOnceReplies(a, kept, "r", count), reply); !errors.Is(res.Err, bridge.ErrNotConnected) || a.calls != 0 {
		t.Errorf("without a connection: %v after %d calls", res.Err, a.calls)
	}
	if res := sendOne(t, newOnceReplies(b, kept, "r", count), reply); res.Err != nil || len(b.sent) != 1 {
		t.Errorf("the other process: %v, %d sent", res.Err, len(b.sent))
	}
}

func TestAReplyWhoseSendingEndsWithoutAWordIsNotSentAgain(t *testing.T) {
	kept := outcomesIn(t, filepath.Join(t.TempDir(), "store.db"))
	t.Cleanup(func() { _ = kept.Close() })
	counts := map[string]int{}
	inner := &fakeSink{err: &bridge.Error{Class: bridge.Ambiguous, Err: errors.New("the connection is gone")}}
	s := newOnceReplies(inner, kept, "r", func(outcome string) { counts[outcome]++ })
	if res := sendOne(t, s, bridge.Outgoing{Message: &bridge.Message{Key: "k"}}); res.Err != nil || counts["uncertain"] != 1 {
		t.Errorf("%v, %v", res.Err, counts)
	}
}

func TestASecondAnswerWaitsForTheFirst(t *testing.T) {
	counts := map[string]int{}
	r := newReplies(&fakeSink{}, func(outcome string) { counts[outcome]++ })
	one := []bridge.Outgoing{{Message: &bridge.Message{Key: "k"}}}
	res := []bridge.Result{{}}
	places, keys := r.claim(one, res) // the first is on its way
	if len(places) != 1 {
		t.Fatal("nothing to send")
	}
	if got := sendOne(t, r, one[0]); bridge.ClassOf(got.Err) != bridge.Throttled {
		t.Errorf("the second: %v", got.Err)
	}
	r.mu.Lock()
	delete(r.flying, keys[0])
	r.mu.Unlock() // the first has failed
	if got := sendOne(t, r, one[0]); got.Err != nil || counts["sent"] != 1 {
		t.Errorf("the second, after the first has failed: %v", got.Err)
	}
	if got := sendOne(t, r, one[0]); got.Err != nil || counts["duplicate"] != 1 {
		t.Errorf("a third: %v", got.Err)
	}
}

func TestOnlyTheLastRepliesAreRemembered(t *testing.T) {
	r := newReplies(&fakeSink{}, func(string) {})
	for i := range rememberedReplies + 10 {
		r.remember(digest{byte(i), byte(i >> 8), byte(i >> 16)})
	}
	if len(r.sent) != rememberedReplies || len(r.order) != rememberedReplies {
		t.Errorf("%d are remembered", len(r.sent))
	}
}
