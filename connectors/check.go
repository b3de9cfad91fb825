package connectors

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/jmsbridge/jmsbridge/bridge"
	"github.com/jmsbridge/jmsbridge/config"
	"github.com/jmsbridge/jmsbridge/connectors/aws"
	"github.com/jmsbridge/jmsbridge/connectors/jms/stomp"
)

// Check looks at every broker and every end of every route, disabled ones too. It consumes and sends nothing. All are
// looked at at once, each within the given time. It returns no error: what went wrong stands in the report.
func Check(ctx context.Context, s *Set, each time.Duration) *Report {
	c := s.config
	r := &Report{File: c.File, Brokers: make([]BrokerReport, len(c.Brokers)), Routes: make([]RouteReport, len(c.Routes))}
	var looking sync.WaitGroup
	for i := range c.Brokers {
		b := &c.Brokers[i]
		r.Brokers[i] = BrokerReport{Name: b.Name, URL: b.URL, Warnings: brokerWarnings(c, b)}
		looking.Go(func() { r.Brokers[i].Found, _ = s.lookAtBroker(ctx, b, each) })
	}
	var refused []error
	for i := range c.Routes {
		// The parts are made one after the other, because a Set is not for several goroutines.
		parts, err := s.Parts(&c.Routes[i])
		var replies []*end
		if err == nil {
			replies, err = s.replyEnds(&c.Routes[i])
		}
		if err != nil {
			refused = append(refused, err)
			r.Routes[i] = describeRoute(&c.Routes[i])
			continue
		}
		var client *aws.Client // nil: no queue of SQS's
		if slices.ContainsFunc(parts.Route.To, func(t config.Target) bool { return t.SQS != nil }) {
			client = s.awsClient()
		}
		looking.Go(func() { r.Routes[i] = checkRoute(ctx, parts, replies, client, each) })
	}
	looking.Wait()
	if err := errors.Join(refused...); err != nil {
		r.Refused = err.Error()
	}
	return r
}

// end is one end of a route while it is looked at.
type end struct {
	report   EndReport
	warnings []bridge.Warning
	what     any         // what is looked at
	sink     bridge.Sink // of a target
	queue    bool        // a target that is a queue of SQS's
}

// checkRoute looks at the ends of a route at once, and judges the route by what they say.
func checkRoute(ctx context.Context, p *Parts, replies []*end, client *aws.Client, each time.Duration) RouteReport {
	report := describeRoute(p.Route)
	ends := append(endsOf(p, &report), replies...)
	var looking sync.WaitGroup
	for _, e := range ends {
		looking.Go(func() {
			e.report.Found, e.warnings = look(ctx, e.what, each)
			if target := &e.report; e.queue && target.Error == "" {
				timed, cancel := context.WithTimeout(ctx, each)
				target.RoundTrip = measure(timed, client, &target.Found)
				cancel()
			}
		})
	}
	looking.Wait()
	for _, e := range ends {
		report.Ends = append(report.Ends, e.report)
	}
	report.judge(p.Route, ends)
	return report
}

// endsOf lists the ends of a route: the source, the targets, the dead letter. The further sources of a route are the
// same again.
func endsOf(p *Parts, report *RouteReport) []*end {
	ends := []*end{{report: EndReport{Role: roleSource, Name: report.From}, what: p.Sources[0]}}
	for i := range p.Targets {
		t := &p.Targets[i]
		role := roleTarget
		if len(p.Targets) > 1 {
			role += " " + t.Name
		}
		ends = append(ends, &end{
			report: EndReport{Role: role, Name: describeTarget(t.Config)}, what: t.Sink, sink: t.Sink, queue: t.Config.SQS != nil,
		})
	}
	if p.DeadLetter != nil {
		ends = append(ends, &end{report: EndReport{Role: roleDeadLetter, Name: report.DeadLetter}, what: p.DeadLetter})
	}
	return ends
}

// The roles of ends.
const (
	roleSource     = "source"
	roleTarget     = "target"
	roleDeadLetter = "dead letter"
)

// look inspects one end within the given time. An end that can't be inspected has nothing to say.
func look(ctx context.Context, what any, within time.Duration) (Found, []bridge.Warning) {
	inspector, ok := what.(bridge.Inspector)
	if !ok {
		return Found{}, nil
	}
	ctx, cancel := context.WithTimeout(ctx, within)
	defer cancel()
	begun := time.Now()
	got, err := inspector.Inspect(ctx)
	found := Found{Peer: got.Peer, Took: time.Since(begun)}
	for _, f := range got.Facts {
		found.Facts = append(found.Facts, Fact(f))
	}
	if err != nil {
		found.Error, found.Class = err.Error(), bridge.ClassOf(err).String()
	}
	return found, got.Warnings
}

// lookAtBroker dials a broker, also one that no route names. What it warns of belongs to routes and is left to them.
func (s *Set) lookAtBroker(ctx context.Context, b *config.Broker, within time.Duration) (Found, []bridge.Warning) {
	broker, err := Broker(b)
	if err != nil {
		return Found{Error: err.Error(), Class: bridge.Fatal.String()}, nil
	}
	// A sink that is only inspected dials and logs in, and never uses its destination.
	sink, err := stomp.NewSink(stomp.SinkSettings{
		Broker: broker, HeartBeat: b.HeartBeat, Destination: bridge.Destination{Kind: bridge.Queue, Name: "jmsbridge.check"}, Log: s.log,
	})
	if err != nil {
		return Found{Error: err.Error(), Class: bridge.Fatal.String()}, nil
	}
	return look(ctx, sink, within)
}

// brokerWarnings are the warnings that the configuration of a broker alone gives.
func brokerWarnings(c *config.Config, b *config.Broker) []Warning {
	var all []Warning
	if b.AllowPlaintext && strings.Contains(b.URL, "stomp://") {
		all = append(all, Warning{
			"Without TLS the network sees password and messages, and can change them.", "Use stomp+ssl://, and remove allow_plaintext.",
		})
	}
	if b.Password.IsSet() && b.Password.IsLiteral() {
		all = append(all, Warning{
			"The password stands in the configuration file.", "Write ${env:NAME} or ${file:PATH} in its place.",
		})
	}
	if b.Username == "" {
		all = append(all, Warning{"Nobody logs in: there is no username.", "Write username and password if the broker knows users."})
	}
	if !slices.ContainsFunc(c.Routes, func(r config.Route) bool { return names(&r, b.Name) }) {
		all = append(all, Warning{"No route names this broker.", "Remove it, or write a route."})
	}
	return all
}

// names tells whether a route names a broker anywhere.
func names(r *config.Route, broker string) bool {
	if s := r.From.JMS; s != nil && s.Broker == broker {
		return true
	}
	if d := r.DeadLetter; d != nil && d.JMS != nil && d.JMS.Broker == broker {
		return true
	}
	if p := r.Reply; p != nil && (p.From.JMS != nil && p.From.JMS.Broker == broker || p.DeadLetter != nil && p.DeadLetter.JMS != nil && p.DeadLetter.JMS.Broker == broker) {
		return true
	}
	return slices.ContainsFunc(r.To, func(t config.Target) bool { return t.JMS != nil && t.JMS.Broker == broker })
}
