package connectors

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jmsbridge/jmsbridge/bridge"
	"github.com/jmsbridge/jmsbridge/connectors/jms/stomp"
)

// The way round: a requester behind SQS calls a JMS service. The request goes to the service's queue with a correlation
// id of ours and our reply queue; a second route, NAME/reply, consumes our answers there by a selector and puts each into
// the mailbox in which its request waits; the answer goes to the requester's queue, and only then is the request deleted.
// Without a reply queue the answers come to a temporary one of the connection that asks, and from there into the mailbox.

// serviceCalls is how many requests may wait for the service at once.
const serviceCalls = 1000

// mailbox is where requests wait for their answers.
type mailbox struct {
	prefix string // of the correlation ids of this process
	last   atomic.Uint64

	late func() // counts an answer for which nobody waits

	mu      sync.Mutex
	waiting map[string]chan serviceAnswer
}

// serviceAnswer is an answer, or why it can't be read.
type serviceAnswer struct {
	message *bridge.Message
	err     error
}

func newMailbox(route string, late func()) *mailbox {
	var id [8]byte
	_, _ = rand.Read(id[:]) // never fails, by its documentation
	return &mailbox{
		prefix: "jmsbridge." + route + "." + hex.EncodeToString(id[:]) + ".", late: late, waiting: map[string]chan serviceAnswer{},
	}
}

// open makes a correlation id and its place to wait.
func (b *mailbox) open() (string, chan serviceAnswer) {
	id := b.prefix + strconv.FormatUint(b.last.Add(1), 36)
	answer := make(chan serviceAnswer, 1)
	b.mu.Lock()
	b.waiting[id] = answer
	b.mu.Unlock()
	return id, answer
}

func (b *mailbox) close(id string) {
	b.mu.Lock()
	delete(b.waiting, id)
	b.mu.Unlock()
}

// put hands an answer over to the request that waits for it.
func (b *mailbox) put(m *bridge.Message, err error) {
	b.mu.Lock()
	answer, ok := b.waiting[m.CorrelationID]
	delete(b.waiting, m.CorrelationID)
	b.mu.Unlock()
	if !ok {
		b.late()
		return
	}
	answer <- serviceAnswer{m, err}
}

// mailboxSink is the target of the route that takes answers back.
type mailboxSink struct{ box *mailbox }

func (s mailboxSink) Connect(context.Context) error { return nil }
func (s mailboxSink) Close(context.Context) error   { return nil }

func (s mailboxSink) Limits() bridge.Limits {
	return bridge.Limits{Messages: 64, Calls: 1, Run: 64, Timeout: time.Minute}
}

func (s mailboxSink) Size(o *bridge.Outgoing) (int, error) { return len(o.Message.Body.Data()), nil }

func (s mailboxSink) Send(_ context.Context, batch []bridge.Outgoing, res []bridge.Result) error {
	for i := range batch {
		s.box.put(batch[i].Message, nil)
		res[i] = bridge.Result{}
	}
	return nil
}

// service is a JMS service as a target: a call is a request and its answer.
type service struct {
	around
	box     *mailbox
	replyTo bridge.Destination
	timeout time.Duration
	slots   chan struct{} // as many as the producer takes calls at once
}

// asker is a producer whose answers come back over its own connection.
type asker interface {
	Ask(ctx context.Context, batch []bridge.Outgoing, res []bridge.Result) (ended <-chan struct{}, err error)
}

// Connect connects the producer.
func (s *service) Connect(ctx context.Context) error {
	if err := s.Sink.Connect(ctx); err != nil {
		return err
	}
	s.slots = make(chan struct{}, max(1, s.Sink.Limits().Calls))
	return nil
}

// Limits are one request a call, and many calls at once.
func (s *service) Limits() bridge.Limits {
	l := s.Sink.Limits()
	l.Messages, l.Calls, l.Linger, l.Timeout = 1, serviceCalls, 0, s.timeout+l.Timeout
	return l
}

var (
	errNoAnswer   = errors.New("the service has not answered in time")
	errAnswerLost = fmt.Errorf("waiting for the answer: %w: its temporary queue is gone with the connection that asked", bridge.ErrNotConnected)
)

// Send sends the request and waits for its answer. What has no deadline wants none, and is passed on as it is.
func (s *service) Send(ctx context.Context, batch []bridge.Outgoing, res []bridge.Result) error {
	if batch[0].Deadline.IsZero() {
		_, err := s.pass(ctx, batch, res)
		return err
	}
	id, answer := s.box.open()
	defer s.box.close(id)
	ended, err := s.pass(ctx, []bridge.Outgoing{s.request(&batch[0], id)}, res)
	if err != nil || res[0].Err != nil {
		return err
	}
	select {
	case a := <-answer:
		res[0] = bridge.Result{Reply: a.message, Err: a.err}
		return nil
	case <-ended:
		select {
		case a := <-answer: // it was the last that came
			res[0] = bridge.Result{Reply: a.message, Err: a.err}
			return nil
		default: // the service may have answered, to nobody
			return &bridge.Error{Class: bridge.Ambiguous, Code: "AnswerLost", Err: errAnswerLost}
		}
	case <-ctx.Done():
		return &bridge.Error{Class: bridge.Transient, Code: "NoAnswer", Err: errNoAnswer, Remedy: "see that the service consumes its queue and answers to JMSReplyTo with the request's correlation id"}
	}
}

// pass sends, when the producer has room for one more call. Of answers that come back over the producer's connection it
// returns what is closed when they can't come any more.
func (s *service) pass(ctx context.Context, batch []bridge.Outgoing, res []bridge.Result) (ended <-chan struct{}, err error) {
	select {
	case s.slots <- struct{}{}:
	case <-ctx.Done():
		return nil, bridge.Classed(bridge.Transient, ctx.Err())
	}
	defer func() { <-s.slots }()
	if own, ok := s.Sink.(asker); ok && s.replyTo.Kind == bridge.TempQueue {
		return own.Ask(ctx, batch, res)
	}
	return nil, s.Sink.Send(ctx, batch, res)
}

// request is what the service gets.
func (s *service) request(o *bridge.Outgoing, id string) bridge.Outgoing {
	request := *o.Message
	request.CorrelationID, request.ReplyTo = id, s.replyTo
	request.Expiration = o.Deadline
	out := *o
	out.Message = &request
	// Artemis would drop a request that is asked again after a crash or without an answer: its deduplication id is the same.
	out.DedupID = ""
	return out
}

// replyQueueProperty is the attribute ReplyTo of a request, which the SQS source takes for a property.
const replyQueueProperty = "ReplyTo"

func wantsAnswer(m *bridge.Message) bool {
	v, ok := m.Properties.Lookup(replyQueueProperty)
	return ok && v.Str() != ""
}

// answersFromService completes a route from SQS to a JMS service.
func (s *Set) answersFromService(parts *Parts, set *bridge.RouteSettings) error {
	r, p := parts.Route, parts.Route.Reply
	target, queue := &set.Targets[answeringTarget(r)], p.From.JMS.Queue
	replyTo := stomp.AnswerQueue()
	if queue != "" {
		replyTo = bridge.Destination{Kind: bridge.Queue, Name: queue}
	}
	target.Sink = &service{around: around{target.Sink}, box: parts.box, replyTo: replyTo, timeout: p.Timeout}
	target.Answers = true
	parts.Reply = newQueueReplies(s.awsClient(), p.Allow, r.From.SQS.Queue)
	set.Reply = &bridge.ReplySettings{
		PipelineSettings: bridge.PipelineSettings{Name: "reply", Sink: parts.Reply}, Timeout: p.Timeout, Wants: wantsAnswer,
		Make: func(request, answer *bridge.Message, deadline time.Time) (*bridge.Message, error) {
			return queueReply(request, answer, deadline), nil
		},
	}
	if p.Fault {
		set.Reply.Fault = queueFault
	}
	if queue == "" {
		return nil
	}
	source, err := s.serviceAnswers(r, parts.box.prefix)
	if err != nil {
		return err
	}
	back := s.base(r, r.Name+"/reply")
	back.Credit, back.Expired, back.DropDead = 0, bridge.ExpireForward, true
	back.Sources = []bridge.Source{source}
	back.Targets = []bridge.TargetSettings{{Name: "mailbox", Sink: mailboxSink{parts.box}}}
	parts.back = append(parts.back, back)
	return nil
}
