package connectors

import (
	"context"
	"crypto/sha256"
	"errors"
	"sync"
	"time"

	"github.com/jmsbridge/jmsbridge/bridge"
)

// rememberedReplies is how many replies are remembered, so that a second answer to a request is dropped.
const rememberedReplies = 100_000

// replies is the sink of answers that came over a queue. It drops what answers a request for the second time, and takes
// a requester that is gone for the end of the exchange: neither is anybody's mistake.
type replies struct {
	around
	count func(outcome string)

	mu     sync.Mutex // guards what follows
	sent   map[digest]struct{}
	order  []digest // a ring
	next   int
	flying map[digest]struct{}
}

// digest stands for a message's key, which is as long as a token.
type digest [16]byte

func digestOf(m *bridge.Message) (d digest) {
	sum := sha256.Sum256([]byte(m.Key))
	copy(d[:], sum[:])
	return d
}

func newReplies(sink bridge.Sink, count func(string)) *replies {
	return &replies{around: around{sink}, count: count, sent: map[digest]struct{}{}, flying: map[digest]struct{}{}}
}

// errBeingAnswered is for a second answer that comes while the first is on its way: it waits for what becomes of that.
var errBeingAnswered = &bridge.Error{
	Class: bridge.Throttled, Code: "BeingAnswered", After: 100 * time.Millisecond, Err: errors.New("another answer to the same request is on its way"),
}

// Send sends what has not been sent before.
func (r *replies) Send(ctx context.Context, batch []bridge.Outgoing, res []bridge.Result) error {
	places, keys := r.claim(batch, res)
	if len(places) == 0 {
		return nil
	}
	some, results := make([]bridge.Outgoing, len(places)), make([]bridge.Result, len(places))
	for n, i := range places {
		some[n], results[n] = batch[i], bridge.Result{Err: bridge.ErrUnanswered}
	}
	err := r.Sink.Send(ctx, some, results)
	r.mu.Lock()
	for n, k := range keys {
		delete(r.flying, k)
		if err == nil && results[n].Err == nil {
			r.remember(k)
		}
	}
	r.mu.Unlock()
	for n, i := range places {
		res[i] = results[n]
		if err != nil {
			res[i].Err = err
		}
		if requesterGone(res[i].Err) {
			r.count("orphaned")
			res[i].Err = nil
		} else if res[i].Err == nil {
			r.count("sent")
		}
	}
	if len(places) == len(batch) && err != nil && !requesterGone(err) {
		return err
	}
	return nil
}

// claim finds what is to be sent, and answers for the rest.
func (r *replies) claim(batch []bridge.Outgoing, res []bridge.Result) (places []int, keys []digest) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for i := range batch {
		k := digestOf(batch[i].Message)
		if _, sent := r.sent[k]; sent {
			r.count("duplicate")
			res[i] = bridge.Result{}
			continue
		}
		if _, flying := r.flying[k]; flying {
			res[i] = bridge.Result{Err: errBeingAnswered}
			continue
		}
		r.flying[k] = struct{}{}
		places, keys = append(places, i), append(keys, k)
	}
	return places, keys
}

// remember keeps that a request is answered, and forgets the oldest. The caller holds the lock.
func (r *replies) remember(k digest) {
	if len(r.order) < rememberedReplies {
		r.order = append(r.order, k)
	} else {
		delete(r.sent, r.order[r.next])
		r.order[r.next] = k
		r.next = (r.next + 1) % rememberedReplies
	}
	r.sent[k] = struct{}{}
}

// requesterGone tells that a reply can't be delivered because nobody is there any more (ActiveMQ Classic; Artemis does
// not tell).
func requesterGone(err error) bool {
	if err == nil {
		return false
	}
	e := bridge.AsError(err)
	return e.Class == bridge.Permanent && (e.Code == "DestinationDoesNotExistException" || e.Code == "InvalidDestinationException")
}
