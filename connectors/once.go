package connectors

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"time"

	"github.com/jmsbridge/jmsbridge/bridge"
	"github.com/jmsbridge/jmsbridge/bridge/envelope"
)

// outcomeMargin is how long beyond a request's deadline its outcome is kept: a copy of it may still be on its way.
const outcomeMargin = time.Minute

// onceTarget is a target whose answers are stored before they are sent: a request that comes again is answered without
// calling again. (A crash during the call itself can't be told from one before it: then it is called again.)
type onceTarget struct {
	around
	store bridge.Store
}

// Limits are the target's; the deduplication id is the key of an outcome.
func (t *onceTarget) Limits() bridge.Limits {
	l := t.Sink.Limits()
	l.Dedup = true
	return l
}

// Send answers from the store what it can, and calls for the rest.
func (t *onceTarget) Send(ctx context.Context, batch []bridge.Outgoing, res []bridge.Result) error {
	var places []int
	for i := range batch {
		reply, err := t.find(ctx, &batch[i])
		switch {
		case err != nil:
			res[i].Err = err
		case reply != nil:
			res[i] = bridge.Result{Reply: reply}
		default:
			places = append(places, i)
		}
	}
	if len(places) == 0 {
		return nil
	}
	some, results := make([]bridge.Outgoing, len(places)), make([]bridge.Result, len(places))
	for n, i := range places {
		some[n], results[n] = batch[i], bridge.Result{Err: bridge.ErrUnanswered}
	}
	err := t.Sink.Send(ctx, some, results)
	for n, i := range places {
		res[i] = results[n]
		if err != nil {
			res[i].Err = err
		} else if res[i].Err == nil && res[i].Reply != nil {
			res[i].Reply, res[i].Err = t.keep(ctx, &batch[i], res[i].Reply)
		}
	}
	if len(places) == len(batch) {
		return err
	}
	return nil
}

func (t *onceTarget) wanted(o *bridge.Outgoing) bool { return o.DedupID != "" && !o.Deadline.IsZero() }

// find looks for the outcome of a request that wants an answer; nil: there is none.
func (t *onceTarget) find(ctx context.Context, o *bridge.Outgoing) (*bridge.Message, error) {
	if !t.wanted(o) {
		return nil, nil //nolint:nilnil // nothing is stored
	}
	value, err := t.store.Find(ctx, outcomeKey(o))
	if err != nil || value == nil {
		return nil, ofTheStore(err, bridge.Transient)
	}
	return envelope.Parse(value)
}

// keep stores an answer, and returns the one that counts: another replica may have been first.
func (t *onceTarget) keep(ctx context.Context, o *bridge.Outgoing, reply *bridge.Message) (*bridge.Message, error) {
	if !t.wanted(o) {
		return reply, nil
	}
	value, err := envelope.Append(nil, reply)
	if err != nil {
		return nil, err
	}
	existing, err := t.store.Keep(ctx, outcomeKey(o), value, o.Deadline.Add(outcomeMargin))
	switch {
	case err != nil: // it has been called, and nobody will know
		return nil, ofTheStore(fmt.Errorf("storing the outcome: %w", err), bridge.Ambiguous)
	case existing != nil:
		return envelope.Parse(existing)
	}
	return reply, nil
}

// ofTheStore says what an error of the store means. A store that is away or full is no fault of the request, which would
// else go to the dead letter after a few more calls: what may pass is charged to it only while others succeed.
func ofTheStore(err error, passing bridge.Class) error {
	if err == nil {
		return nil
	}
	switch e := bridge.AsError(err); e.Class {
	case bridge.Fatal, bridge.Throttled, bridge.Permanent: // Permanent: an answer that is larger than a record may be
		return err
	default:
		return &bridge.Error{Class: passing, Code: e.Code, RequestID: e.RequestID, After: e.After, OfTarget: true, Err: err}
	}
}

func outcomeKey(o *bridge.Outgoing) string { return "outcome " + o.DedupID }

// onceReplies sends at most one reply to a request: that it is about to be sent is stored first, by whoever sends it. A
// reply whose sending ends without a word is not sent again, for it may have arrived.
type onceReplies struct {
	around
	store bridge.Store
	route string
	owner string // this process
	count func(outcome string)
}

func newOnceReplies(sink bridge.Sink, store bridge.Store, route string, count func(string)) *onceReplies {
	var id [16]byte
	_, _ = rand.Read(id[:]) // never fails, by its documentation
	return &onceReplies{around: around{sink}, store: store, route: route, owner: hex.EncodeToString(id[:]), count: count}
}

// readier is a sink that knows whether it is connected.
type readier interface{ Ready() error }

// Send sends what nobody else has sent. Without a connection it claims nothing: if this process died before there is one,
// nobody would send the reply.
func (r *onceReplies) Send(ctx context.Context, batch []bridge.Outgoing, res []bridge.Result) error {
	if inner, ok := r.Sink.(readier); ok {
		if err := inner.Ready(); err != nil {
			return fmt.Errorf("sending replies: %w", err)
		}
	}
	var places []int
	for i := range batch {
		mine, err := r.claim(ctx, batch[i].Message)
		switch {
		case err != nil:
			res[i].Err = ofTheStore(err, bridge.Transient)
		case !mine:
			r.count("duplicate")
			res[i] = bridge.Result{}
		default:
			places = append(places, i)
		}
	}
	if len(places) == 0 {
		return nil
	}
	some, results := make([]bridge.Outgoing, len(places)), make([]bridge.Result, len(places))
	for n, i := range places {
		some[n], results[n] = batch[i], bridge.Result{Err: bridge.ErrUnanswered}
	}
	err := r.Sink.Send(ctx, some, results)
	for n, i := range places {
		res[i] = results[n]
		if err != nil {
			res[i].Err = err
		}
		if res[i].Err != nil && bridge.ClassOf(res[i].Err) == bridge.Ambiguous {
			r.count("uncertain")
			res[i].Err = nil
		}
	}
	if len(places) == len(batch) && bridge.ClassOf(err) != bridge.Ambiguous {
		return err
	}
	return nil
}

// claim stores that this process sends the reply, and tells whether it may.
func (r *onceReplies) claim(ctx context.Context, m *bridge.Message) (bool, error) {
	if m.Key == "" {
		return true, nil
	}
	sum := sha256.Sum256([]byte(r.route + "\x00" + m.Key))
	expires := m.Expiration
	if expires.IsZero() {
		expires = time.Now().Add(time.Hour)
	}
	existing, err := r.store.Keep(ctx, "reply "+hex.EncodeToString(sum[:]), []byte(r.owner), expires.Add(outcomeMargin))
	return existing == nil || string(existing) == r.owner, err
}
