package connectors

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"

	"go.uber.org/zap"

	"github.com/jmsbridge/jmsbridge/bridge"
	"github.com/jmsbridge/jmsbridge/bridge/reply"
	"github.com/jmsbridge/jmsbridge/config"
	"github.com/jmsbridge/jmsbridge/connectors/aws"
	"github.com/jmsbridge/jmsbridge/connectors/aws/sqs"
	"github.com/jmsbridge/jmsbridge/connectors/jms/stomp"
	"github.com/jmsbridge/jmsbridge/connectors/store"
)

// answers completes a route with the way of its replies.
func (s *Set) answers(parts *Parts, set *bridge.RouteSettings) error {
	r, p := parts.Route, parts.Route.Reply
	if p.From.JMS != nil {
		return s.answersFromService(parts, set)
	}
	allow, err := reply.ParseAllow(p.Allow, ownDestinations(r)...)
	if err != nil {
		return err
	}
	maker := &reply.Maker{Allow: allow, Result: p.From.Call}
	if p.Format == config.ReplyFormatEnvelope {
		maker.Format = reply.FormatEnvelope
	}
	if parts.Reply, err = s.replySink(r); err != nil {
		return err
	}
	set.Stages = append([]bridge.Stage{reply.Gate{Allow: allow}}, set.Stages...)
	if p.From.Call || p.Fault {
		set.Reply = &bridge.ReplySettings{
			PipelineSettings: bridge.PipelineSettings{Name: "reply", Sink: parts.Reply}, Timeout: p.Timeout, Make: maker.Reply,
		}
	}
	if p.Fault {
		set.Reply.Fault = maker.Fault
	}
	target := &set.Targets[answeringTarget(r)]
	if p.From.Call {
		target.Answers = true
		if p.Once {
			return s.once(r, set, target)
		}
		return nil
	}
	return s.answersOverSQS(parts, target, maker)
}

// once makes a route that answers in the call keep its outcomes, so that each request gets one reply at the most.
func (s *Set) once(r *config.Route, set *bridge.RouteSettings, target *bridge.TargetSettings) error {
	store, err := s.outcomes()
	if err != nil {
		return err
	}
	target.Sink = &onceTarget{around{target.Sink}, store}
	counted := func(outcome string) {
		if outcome == "duplicate" || outcome == "uncertain" { // the engine counts the others
			s.metrics.CountReply(r.Name, outcome)
		}
	}
	set.Reply.Sink = newReplies(newOnceReplies(set.Reply.Sink, store, r.Name, counted), counted)
	return nil
}

// outcomes opens the store of outcomes, once.
func (s *Set) outcomes() (bridge.Store, error) {
	if s.store != nil {
		return s.store, nil
	}
	switch c := s.config.Store; {
	case c.Bolt != nil:
		store, err := store.OpenBolt(c.Bolt.Path)
		if err != nil {
			return nil, err
		}
		s.store = store
	case c.DynamoDB != nil:
		s.store = store.NewDynamoDB(s.awsClient(), c.DynamoDB.Table)
	default:
		return nil, errors.New("once needs a store")
	}
	return s.store, nil
}

// answeringTarget is the place of the target that answers; the configuration has made sure that there is one.
func answeringTarget(r *config.Route) int {
	for i := range r.To {
		if r.Reply.Target != "" && r.To[i].Name == r.Reply.Target {
			return i
		}
	}
	return 0
}

// ownDestinations are those that no reply may go to: what the route itself consumes and sends to.
func ownDestinations(r *config.Route) []bridge.Destination {
	own := []bridge.Destination{destination(r.From.JMS.Queue, r.From.JMS.Topic)}
	for i := range r.To {
		if t := r.To[i].JMS; t != nil {
			own = append(own, destination(string(t.Queue), string(t.Topic)))
		}
	}
	return own
}

// replySink makes a producer that sends each message to its own destination, over a connection of its own.
func (s *Set) replySink(r *config.Route) (bridge.Sink, error) {
	name := r.From.JMS.Broker
	broker, err := s.broker(name)
	if err != nil {
		return nil, err
	}
	return stomp.NewSink(stomp.SinkSettings{
		Broker: broker, HeartBeat: s.config.Broker(name).HeartBeat, Log: s.log.With(zap.String(bridge.LogRoute, r.Name)),
	})
}

// answersOverSQS makes the target ask, and the route that takes the answers back.
func (s *Set) answersOverSQS(parts *Parts, target *bridge.TargetSettings, maker *reply.Maker) error {
	r, p := parts.Route, parts.Route.Reply
	sealer, err := s.sealer(p)
	if err != nil {
		return err
	}
	asked := &asking{around: around{target.Sink}, client: s.awsClient(), queue: p.From.SQS.Queue}
	asker := &reply.Asker{
		Sealer: sealer, Allow: maker.Allow, QueueURL: asked.queueURL, Timeout: p.Timeout, Route: r.Name, Broker: r.From.JMS.Broker,
	}
	target.Sink, target.Ask = asked, asker.Ask
	if !p.Show {
		target.Stages = append(target.Stages, reply.Hidden{})
	}
	back := s.base(r, r.Name+"/reply")
	back.Expired = bridge.ExpireForward // the token's deadline decides
	for range p.From.SQS.Consumers {
		source, err := sqs.NewSource(sqs.SourceSettings{
			Client: s.awsClient(), Queue: p.From.SQS.Queue, Visibility: p.From.SQS.Visibility, Log: s.log,
		})
		if err != nil {
			return err
		}
		back.Sources = append(back.Sources, source)
	}
	count := func(outcome string) func() { return func() { s.metrics.CountReply(r.Name, outcome) } }
	back.Stages = []bridge.Stage{&reply.Opened{Maker: maker, Sealer: sealer, Route: r.Name, Late: count("late"), Forged: count("forged")}}
	sink, err := s.replySink(r)
	if err != nil {
		return err
	}
	counted := func(outcome string) { s.metrics.CountReply(r.Name, outcome) }
	if p.Once {
		store, err := s.outcomes()
		if err != nil {
			return err
		}
		sink = newOnceReplies(sink, store, r.Name, counted)
	}
	back.Targets = []bridge.TargetSettings{{Name: "reply", Sink: newReplies(sink, counted)}}
	dead := p.DeadLetter
	if dead == nil {
		dead = r.DeadLetter
	}
	deadSink, err := s.deadLetter(r, dead)
	if err != nil {
		return err
	}
	if deadSink != nil {
		back.DeadLetter = &bridge.PipelineSettings{Name: "dead_letter", Sink: deadSink}
	}
	back.DropDead = dead != nil && dead.Drop
	parts.back = append(parts.back, back)
	return nil
}

// sealerOf reads the keys of a route's replies.
func sealerOf(p *config.Reply) (*reply.Sealer, error) {
	var keys [][]byte
	for _, secret := range append([]config.Secret{p.Key}, p.OldKeys...) {
		text, err := secret.Reveal(context.Background())
		if err != nil {
			return nil, fmt.Errorf("reading the key: %w", err)
		}
		keys = append(keys, []byte(text))
	}
	return reply.NewSealer(keys...)
}

// asking is a target whose responder answers over a queue: the queue's URL is found before anything is asked.
type asking struct {
	around
	client *aws.Client
	queue  string
	url    atomic.Pointer[string]
}

func (a *asking) Connect(ctx context.Context) error {
	url, err := sqs.QueueURL(ctx, a.client, a.queue)
	if err != nil {
		return fmt.Errorf("looking for the reply queue: %w", err)
	}
	a.url.Store(&url)
	return a.Sink.Connect(ctx)
}

func (a *asking) queueURL() string {
	if url := a.url.Load(); url != nil {
		return *url
	}
	return ""
}
