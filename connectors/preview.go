package connectors

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/jmsbridge/jmsbridge/bridge"
	"github.com/jmsbridge/jmsbridge/bridge/reply"
	"github.com/jmsbridge/jmsbridge/config"
)

// Previewer is a sink that can tell what it would send of a message. It needs no connection.
type Previewer interface {
	// Preview returns what would be sent, as something that package json can write. An error is what sending would end
	// with.
	Preview(o *bridge.Outgoing) (any, error)
}

var errNoPreview = errors.New("this target can't show what it would send")

// Preview is what a route makes of one message.
type Preview struct {
	// Targets are the outcomes, in the order of the configuration. What the route as a whole filters or refuses is so at
	// each of them.
	Targets []TargetPreview `json:"targets"`
	// Filtered tells that the route's own filter or transform dropped the message; Failed why the route refused it.
	Filtered bool   `json:"filtered,omitempty"`
	Failed   string `json:"failed,omitempty"`
	// Reply tells what becomes of the request's wish for an answer.
	Reply ReplyPreview `json:"reply"`
}

// TargetPreview is what a target gets: Sent, or the reason why not.
type TargetPreview struct {
	Name     string `json:"target"`
	Sent     any    `json:"sent,omitempty"`
	Filtered bool   `json:"filtered,omitempty"`
	Failed   string `json:"failed,omitempty"`
}

// ReplyPreview is what becomes of a request's wish for an answer.
type ReplyPreview string

// The fates of that wish. ReplyNone: nobody asked, or the route answers nobody.
const (
	ReplyAllowed ReplyPreview = "allowed"
	ReplyRefused ReplyPreview = "refused"
	ReplyNone    ReplyPreview = "none"
)

const (
	// sealedToken stands for the token that travels with a request: it is another each time.
	sealedToken = "(sealed)"
	// ourCorrelation stands for the correlation id with which a JMS service is called.
	ourCorrelation = "(ours)"
	// previewKey seals tokens that nobody opens, so that no key is needed where routes are tested.
	previewKey = "only for messages that are never sent"
	// previewPatience is how long a route may take for one message. Nothing waits for a network.
	previewPatience = 30 * time.Second
)

// Previews runs routes without their ends: no broker and no service is dialled, and no file or store opened.
type Previews struct{ set *Set }

// NewPreviews returns the previews of a configuration's routes.
func NewPreviews(c *config.Config) *Previews {
	s := NewSet(c, nil, nil)
	s.preview, s.store = true, noStore{}
	return &Previews{s}
}

// Close releases what the routes shared.
func (p *Previews) Close() error { return p.set.Close() }

// Preview sends one message through a route of the engine, the same that the daemon runs, with the sinks that the daemon
// makes: only that each shows what it would send in place of sending it. Two things are left out, for they depend on the
// clock: whether the message has expired, and for how long somebody waits for its answer.
//
// A message without a destination comes from the route's own; its idempotency key is its id.
func (p *Previews) Preview(ctx context.Context, r *config.Route, m *bridge.Message) (*Preview, error) {
	parts, err := p.set.Parts(r)
	if err != nil {
		return nil, err
	}
	settings, err := p.set.settings(parts)
	if err != nil {
		return nil, fmt.Errorf("route %s: %w", r.Name, err)
	}
	seen := &observed{failed: map[string]string{}, sent: map[string]any{}}
	settings.Sources = []bridge.Source{&oneMessage{d: p.delivery(r, m, seen), sent: make(chan struct{}, 1)}}
	settings.Stages = append(settings.Stages, passed{seen})
	settings.Expired, settings.Reply = bridge.ExpireForward, nil
	settings.DeadLetter, settings.DropDead = &bridge.PipelineSettings{Name: "dead_letter", Sink: deadPreview{seen: seen}}, false
	for i := range settings.Targets {
		t := &settings.Targets[i]
		sink := &previewSink{Sink: t.Sink, name: t.Name, seen: seen}
		t.Sink, t.Answers, t.BestEffort = sink, false, false // a failure is to be seen
		if t.Ask != nil {
			t.Ask = sink.asking(t.Ask, p.queueName(r))
		}
	}
	seen.done = make(chan struct{})
	if err := runOnce(ctx, settings, seen.done); err != nil {
		return nil, err
	}
	return seen.preview(settings, p.reply(parts, m)), nil
}

// runOnce runs a route until its one message is settled.
func runOnce(ctx context.Context, settings *bridge.RouteSettings, settled <-chan struct{}) error {
	route, err := bridge.NewRoute(*settings)
	if err != nil {
		return err
	}
	runCtx, stop := context.WithCancel(ctx)
	defer stop()
	var runErr error
	var running sync.WaitGroup
	running.Go(func() { runErr = route.Run(runCtx, nil) })
	patience := time.NewTimer(previewPatience)
	defer patience.Stop()
	select {
	case <-settled:
	case <-patience.C:
		err = fmt.Errorf("route %s: the message is not settled after %v", settings.Name, previewPatience)
	case <-ctx.Done():
		err = ctx.Err()
	}
	stop()
	running.Wait()
	return errors.Join(err, runErr)
}

// delivery makes what the route's source would deliver.
func (p *Previews) delivery(r *config.Route, m *bridge.Message, seen *observed) *bridge.Delivery {
	d := &bridge.Delivery{Message: *m, Lease: previewLease{seen}, Size: 1}
	if d.Message.Destination.IsZero() && r.From.JMS != nil {
		d.Message.Destination = destination(r.From.JMS.Queue, r.From.JMS.Topic)
	}
	if d.Message.Key = m.ID; m.ID == "" {
		d.Message.Key = "message-without-id"
	}
	return d
}

// queueName stands for the URL of the queue that responders answer to, which only AWS knows.
func (p *Previews) queueName(r *config.Route) string {
	if r.Reply == nil || r.Reply.From.SQS == nil {
		return ""
	}
	return "(url of " + r.Reply.From.SQS.Queue + ")"
}

// reply tells what becomes of the request's wish for an answer.
func (p *Previews) reply(parts *Parts, m *bridge.Message) ReplyPreview {
	answers := parts.Route.Reply
	switch {
	case answers == nil:
		return ReplyNone
	case answers.From.JMS != nil:
		url, _ := m.Properties.Lookup(replyQueueProperty)
		queues, ok := parts.Reply.(*queueReplies)
		if !ok || !wantsAnswer(m) {
			return ReplyNone
		}
		if !queues.allows(url.Str()) {
			return ReplyRefused
		}
		return ReplyAllowed
	case m.ReplyTo.IsZero():
		return ReplyNone
	}
	allow, err := reply.ParseAllow(answers.Allow, ownDestinations(parts.Route)...)
	if err != nil || allow.Check(m.ReplyTo) != nil {
		return ReplyRefused
	}
	return ReplyAllowed
}

// observed is what was seen of one message's way.
type observed struct {
	done chan struct{} // closed when the message is settled

	mu     sync.Mutex
	passed bool              // by the route's own stages
	sent   map[string]any    // by target
	failed map[string]string // by target; "": the route
	once   sync.Once
}

func (o *observed) preview(settings *bridge.RouteSettings, reply ReplyPreview) *Preview {
	o.mu.Lock()
	defer o.mu.Unlock()
	out := &Preview{Reply: reply}
	if !o.passed {
		for _, text := range o.failed { // one at the most
			out.Failed = text
		}
		out.Filtered = out.Failed == ""
	}
	for i := range settings.Targets {
		t := TargetPreview{Name: settings.Targets[i].Name, Filtered: out.Filtered, Failed: out.Failed}
		if o.passed {
			t.Sent, t.Failed = o.sent[t.Name], o.failed[t.Name]
			t.Filtered = t.Sent == nil && t.Failed == ""
		}
		out.Targets = append(out.Targets, t)
	}
	return out
}

// passed is the last stage of the route itself.
type passed struct{ seen *observed }

func (p passed) Process(_ context.Context, m *bridge.Message) (*bridge.Message, error) {
	p.seen.mu.Lock()
	defer p.seen.mu.Unlock()
	p.seen.passed = true
	return m, nil
}

// previewLease learns that the message is settled.
type previewLease struct{ seen *observed }

func (l previewLease) Settle(uint64, bridge.Outcome) error {
	l.seen.once.Do(func() { close(l.seen.done) })
	return nil
}

func (l previewLease) Lost() bool { return false }

// oneMessage is the source of one message.
type oneMessage struct {
	d    *bridge.Delivery
	sent chan struct{} // holds a value once the message is delivered
}

func (s *oneMessage) Connect(context.Context, int) error { return nil }
func (s *oneMessage) Close(context.Context) error        { return nil }

func (s *oneMessage) Receive(ctx context.Context, dst []*bridge.Delivery) (int, error) {
	select {
	case s.sent <- struct{}{}:
		dst[0] = s.d
		return 1, nil
	default:
		<-ctx.Done()
		return 0, ctx.Err()
	}
}

// previewSink is a sink that shows instead of sending. Limits and sizes are the inner one's, as it has them before it has
// asked its service.
type previewSink struct {
	bridge.Sink
	name string
	seen *observed
	ask  *bridge.Ask // what the responder would be told
}

func (s *previewSink) Connect(context.Context) error { return nil }
func (s *previewSink) Close(context.Context) error   { return nil }

// asking notes how the responder is asked. The deadline that the engine sees never passes.
func (s *previewSink) asking(
	ask func(*bridge.Message, time.Time) (*bridge.Ask, error), queue string,
) func(*bridge.Message, time.Time) (*bridge.Ask, error) {
	return func(request *bridge.Message, received time.Time) (*bridge.Ask, error) {
		at := request.Timestamp
		if at.IsZero() {
			at = time.Unix(0, 0)
		}
		a, err := ask(request, at)
		if a == nil || err != nil {
			return a, err
		}
		s.ask = &bridge.Ask{CorrelationID: sealedToken, QueueURL: queue, Deadline: a.Deadline}
		a.QueueURL, a.Deadline = queue, received.Add(2*previewPatience)
		return a, nil
	}
}

func (s *previewSink) Send(_ context.Context, batch []bridge.Outgoing, res []bridge.Result) error {
	for i := range batch {
		o := batch[i]
		if o.Ask != nil {
			o.Ask, o.Deadline = s.ask, s.ask.Deadline
		}
		shown, err := around{s.Sink}.Preview(&o)
		if err != nil {
			res[i].Err = bridge.Classed(bridge.Permanent, err)
			continue
		}
		res[i] = bridge.Result{}
		s.seen.mu.Lock()
		s.seen.sent[s.name] = shown
		s.seen.mu.Unlock()
	}
	return nil
}

// deadPreview learns why a message can't be sent.
type deadPreview struct{ seen *observed }

func (deadPreview) Connect(context.Context) error { return nil }
func (deadPreview) Close(context.Context) error   { return nil }

func (deadPreview) Limits() bridge.Limits {
	return bridge.Limits{Messages: 1, Calls: 1, Run: 1, Timeout: previewPatience}
}

func (deadPreview) Size(*bridge.Outgoing) (int, error) { return 0, nil }

func (s deadPreview) Send(_ context.Context, batch []bridge.Outgoing, res []bridge.Result) error {
	s.seen.mu.Lock()
	defer s.seen.mu.Unlock()
	for i := range batch {
		target, _ := batch[i].Extra.Lookup(bridge.DeadTarget)
		why, _ := batch[i].Extra.Lookup(bridge.DeadError)
		s.seen.failed[target.Str()] = why.Str()
		res[i] = bridge.Result{}
	}
	return nil
}

// sealer reads the keys of a route's replies; a preview needs none.
func (s *Set) sealer(p *config.Reply) (*reply.Sealer, error) {
	if s.preview {
		return reply.NewSealer([]byte(previewKey))
	}
	return sealerOf(p)
}

// Preview shows the request to the service.
func (s *service) Preview(o *bridge.Outgoing) (any, error) {
	out := s.request(o, ourCorrelation)
	return s.around.Preview(&out)
}

// noStore keeps nothing.
type noStore struct{}

func (noStore) Keep(context.Context, string, []byte, time.Time) ([]byte, error) { return nil, nil }
func (noStore) Find(context.Context, string) ([]byte, error)                    { return nil, nil }
func (noStore) Close() error                                                    { return nil }
