package connectors

import (
	"errors"
	"fmt"
	"strconv"

	"github.com/jmsbridge/jmsbridge/bridge"
	"github.com/jmsbridge/jmsbridge/bridge/stage"
	"github.com/jmsbridge/jmsbridge/config"
	"github.com/jmsbridge/jmsbridge/connectors/aws/eventbridge"
	"github.com/jmsbridge/jmsbridge/connectors/aws/lambda"
	"github.com/jmsbridge/jmsbridge/connectors/aws/sqs"
	"github.com/jmsbridge/jmsbridge/connectors/file"
)

// Parts are the ends of a route, not connected yet.
type Parts struct {
	Route      *config.Route
	Sources    []bridge.Source
	Targets    []TargetPart
	DeadLetter bridge.Sink // nil: none
	Reply      bridge.Sink // where replies go; nil: nowhere

	box  *mailbox                // where requests wait for a JMS service; nil: they ask none
	back []*bridge.RouteSettings // the route that takes answers back
}

// TargetPart is one target of a route.
type TargetPart struct {
	// Name is what metrics, status and dead letters call it.
	Name   string
	Config *config.Target
	Sink   bridge.Sink
}

// Parts returns the ends of a route. It dials nothing.
func (s *Set) Parts(r *config.Route) (*Parts, error) {
	parts := &Parts{Route: r}
	wrap := func(what string, err error) error { return fmt.Errorf("route %s: %s: %w", r.Name, what, err) }
	var err error
	if parts.Sources, err = s.sources(r); err != nil {
		return nil, wrap("from", err)
	}
	if r.Reply != nil && r.Reply.From.JMS != nil {
		parts.box = newMailbox(r.Name, func() { s.metrics.CountReply(r.Name, "late") })
	}
	names := TargetNames(r)
	for i := range r.To {
		t := TargetPart{Name: names[i], Config: &r.To[i]}
		if parts.asksByTempQueue(i) {
			t.Sink, err = s.stompSink(t.Config.JMS, parts.box.put)
		} else {
			t.Sink, err = s.target(r, t.Config)
		}
		if err != nil {
			return nil, wrap("to", err)
		}
		parts.Targets = append(parts.Targets, t)
	}
	if parts.DeadLetter, err = s.deadLetter(r, r.DeadLetter); err != nil {
		return nil, wrap("dead_letter", err)
	}
	return parts, nil
}

// asksByTempQueue tells whether a target is a JMS service that answers at a temporary queue.
func (p *Parts) asksByTempQueue(target int) bool {
	return p.box != nil && p.Route.Reply.From.JMS.Queue == "" && target == answeringTarget(p.Route)
}

// sources makes the consumers of a route.
func (s *Set) sources(r *config.Route) (all []bridge.Source, err error) {
	n := 1
	switch {
	case r.From.JMS != nil:
		n = r.From.JMS.Consumers
	case r.From.SQS != nil:
		n = r.From.SQS.Consumers
	}
	for range n {
		var one bridge.Source
		if r.From.JMS != nil {
			one, err = s.stompSource(r)
		} else {
			from := r.From.SQS
			one, err = sqs.NewSource(sqs.SourceSettings{
				Client: s.awsClient(), Queue: from.Queue, Visibility: from.Visibility, Wait: from.Wait, Log: s.log,
			})
		}
		if err != nil {
			return nil, err
		}
		all = append(all, one)
	}
	return all, nil
}

// deadLetter makes the sink of a dead letter; nil where there is none.
func (s *Set) deadLetter(r *config.Route, d *config.DeadLetter) (bridge.Sink, error) {
	if d == nil || d.Drop {
		return nil, nil //nolint:nilnil // no dead letter is no mistake
	}
	return s.target(r, &config.Target{SQS: d.SQS, JMS: d.JMS})
}

// TargetNames returns what metrics, status and dead letters call the targets of a route: their own names, else the word
// of the service, numbered from the second of a kind.
func TargetNames(r *config.Route) []string {
	names, seen := make([]string, len(r.To)), map[string]int{}
	taken := map[string]bool{}
	for i := range r.To {
		taken[r.To[i].Name] = true
	}
	for i := range r.To {
		t := &r.To[i]
		if names[i] = t.Name; t.Name != "" {
			continue
		}
		word := serviceOf(t)
		for {
			seen[word]++
			names[i] = word
			if seen[word] > 1 {
				names[i] = word + "-" + strconv.Itoa(seen[word])
			}
			if !taken[names[i]] {
				break
			}
		}
	}
	return names
}

// serviceOf is the word with which the configuration names a target's service.
func serviceOf(t *config.Target) string {
	switch {
	case t.SQS != nil:
		return "sqs"
	case t.JMS != nil:
		return "jms"
	case t.Lambda != nil:
		return "lambda"
	case t.EventBridge != nil:
		return "eventbridge"
	default:
		return "file"
	}
}

func (s *Set) target(r *config.Route, t *config.Target) (bridge.Sink, error) {
	switch {
	case t.SQS != nil:
		return s.sqsSink(t.SQS)
	case t.JMS != nil:
		return s.stompSink(t.JMS, nil)
	case t.Lambda != nil:
		return s.lambdaSink(r, t.Lambda)
	case t.EventBridge != nil:
		return s.eventBridgeSink(t.EventBridge)
	case t.File != nil:
		return file.NewSink(file.SinkSettings{Path: t.File.Path, NoSync: t.File.NoSync, Log: s.log})
	default:
		return nil, errors.New("no target is named")
	}
}

var payloads = map[config.Payload]lambda.Payload{
	config.PayloadEnvelope: lambda.Envelope, config.PayloadBody: lambda.Body, config.PayloadAWSMQ: lambda.ActiveMQ,
}

func (s *Set) lambdaSink(r *config.Route, t *config.LambdaTarget) (bridge.Sink, error) {
	arn := ""
	if r.From.JMS != nil {
		if b := s.config.Broker(r.From.JMS.Broker); b != nil {
			arn = b.ARN
		}
	}
	return lambda.NewSink(lambda.SinkSettings{
		Client: s.awsClient(), Function: t.Function, Qualifier: t.Qualifier, Event: t.Invocation == config.InvokeEvent,
		Payload: payloads[t.Payload], Messages: t.Batch.Messages, Bytes: int(t.Batch.Bytes), Window: t.Batch.Window,
		Calls: t.Concurrency, ObjectBase64: t.Object == config.ObjectBase64, SourceARN: arn, Log: s.log,
	})
}

func (s *Set) eventBridgeSink(t *config.EventBridgeTarget) (bridge.Sink, error) {
	set := eventbridge.SinkSettings{
		Client: s.awsClient(), Body: t.Detail == config.DetailBody, ObjectBase64: t.Object == config.ObjectBase64, Calls: t.Concurrency, Log: s.log,
	}
	for _, part := range []struct {
		to   **stage.Template
		text config.Template
	}{{&set.Bus, t.Bus}, {&set.Source, t.Source}, {&set.DetailType, t.DetailType}, {&set.Time, t.Time}} {
		if part.text == "" {
			continue
		}
		template, err := stage.ParseTemplate(string(part.text))
		if err != nil {
			return nil, err
		}
		*part.to = template
	}
	for _, text := range t.Resources {
		template, err := stage.ParseTemplate(string(text))
		if err != nil {
			return nil, err
		}
		set.Resources = append(set.Resources, template)
	}
	if !t.Bus.IsLiteral() {
		set.Allows = t.Allows
	}
	return eventbridge.NewSink(set)
}
