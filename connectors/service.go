package connectors

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jmsbridge/jmsbridge/bridge"
)

// The way round: a requester behind SQS calls a JMS service. The request goes to the service's queue with a correlation
// id of ours and our reply queue; a second route, NAME/reply, consumes our answers there by a selector and puts each into
// the mailbox in which its request waits; the answer goes to the requester's queue, and only then is the request deleted.

// serviceCalls is how many requests may wait for the service at once.
const serviceCalls = 1000

// mailbox is where requests wait for their answers.
type mailbox struct {
	prefix string // of the correlation ids of this process
	last   atomic.Uint64

	mu      sync.Mutex
	waiting map[string]chan *bridge.Message
}

func newMailbox(route string) *mailbox {
	var id [8]byte
	_, _ = rand.Read(id[:]) // never fails, by its documentation
	return &mailbox{prefix: "jmsbridge." + route + "." + hex.EncodeToString(id[:]) + ".", waiting: map[string]chan *bridge.Message{}}
}

// open makes a correlation id and its place to wait.
func (b *mailbox) open() (string, chan *bridge.Message) {
	id := b.prefix + strconv.FormatUint(b.last.Add(1), 36)
	answer := make(chan *bridge.Message, 1)
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

// put hands an answer over. false: nobody waits for it any more.
func (b *mailbox) put(m *bridge.Message) bool {
	b.mu.Lock()
	answer, ok := b.waiting[m.CorrelationID]
	delete(b.waiting, m.CorrelationID)
	b.mu.Unlock()
	if ok {
		answer <- m
	}
	return ok
}

// mailboxSink is the target of the route that takes answers back.
type mailboxSink struct {
	box   *mailbox
	count func(outcome string)
}

func (s mailboxSink) Connect(context.Context) error { return nil }
func (s mailboxSink) Close(context.Context) error   { return nil }

func (s mailboxSink) Limits() bridge.Limits {
	return bridge.Limits{Messages: 64, Calls: 1, Run: 64, Timeout: time.Minute}
}

func (s mailboxSink) Size(o *bridge.Outgoing) (int, error) { return len(o.Message.Body.Data()), nil }

func (s mailboxSink) Send(_ context.Context, batch []bridge.Outgoing, res []bridge.Result) error {
	for i := range batch {
		if !s.box.put(batch[i].Message) {
			s.count("late")
		}
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

var errNoAnswer = errors.New("the service has not answered in time")

// Send sends the request and waits for its answer.
func (s *service) Send(ctx context.Context, batch []bridge.Outgoing, res []bridge.Result) error {
	id, answer := s.box.open()
	defer s.box.close(id)
	out := s.request(&batch[0], id)
	select {
	case s.slots <- struct{}{}:
	case <-ctx.Done():
		return bridge.Classed(bridge.Transient, ctx.Err())
	}
	err := s.Sink.Send(ctx, []bridge.Outgoing{out}, res)
	<-s.slots
	if err != nil || res[0].Err != nil {
		return err
	}
	select {
	case res[0].Reply = <-answer:
		return nil
	case <-ctx.Done():
		return &bridge.Error{Class: bridge.Transient, Code: "NoAnswer", Err: errNoAnswer, Remedy: "see that the service consumes its queue and answers to JMSReplyTo with the request's correlation id"}
	}
}

// request is what the service gets.
func (s *service) request(o *bridge.Outgoing, id string) bridge.Outgoing {
	request := *o.Message
	request.CorrelationID, request.ReplyTo = id, s.replyTo
	if !o.Deadline.IsZero() {
		request.Expiration = o.Deadline
	}
	out := *o
	out.Message = &request
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
	from, target := p.From.JMS, &set.Targets[answeringTarget(r)]
	box := newMailbox(r.Name)
	target.Sink = &service{
		around: around{target.Sink}, box: box, replyTo: bridge.Destination{Kind: bridge.Queue, Name: from.Queue}, timeout: p.Timeout,
	}
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
	source, err := s.serviceAnswers(r, box.prefix)
	if err != nil {
		return err
	}
	back := s.base(r, r.Name+"/reply")
	back.Credit, back.Expired, back.DropDead = 0, bridge.ExpireForward, true
	back.Sources = []bridge.Source{source}
	back.Targets = []bridge.TargetSettings{{
		Name: "mailbox", Sink: mailboxSink{box, func(outcome string) { s.metrics.CountReply(r.Name, outcome) }},
	}}
	parts.back = append(parts.back, back)
	return nil
}
