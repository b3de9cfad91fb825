package connectors

import (
	"errors"
	"fmt"

	"go.uber.org/zap"

	"github.com/jmsbridge/jmsbridge/bridge"
	"github.com/jmsbridge/jmsbridge/bridge/stage"
	"github.com/jmsbridge/jmsbridge/config"
	"github.com/jmsbridge/jmsbridge/connectors/aws"
	"github.com/jmsbridge/jmsbridge/connectors/jms"
)

// Load reads and judges a configuration as [config.Load] does, its expressions and the brokers' URLs included.
func Load(path string) (*config.Config, error) {
	return config.Load(path,
		config.WithTemplateCheck(func(template string) error {
			_, err := stage.ParseTemplate(template)
			return err
		}),
		config.WithExpressionCheck(func(program string) error {
			_, err := stage.ParseTransform(program)
			return err
		}),
		config.WithPatternCheck(checkPattern),
		config.WithURLCheck(func(url string) error {
			_, err := jms.ParseURL(url)
			return err
		}))
}

// checkPattern lists the mistakes of an event pattern.
func checkPattern(tree map[string]any) []config.PatternProblem {
	_, err := stage.ParsePattern(tree)
	if err == nil {
		return nil
	}
	var mistakes stage.PatternErrors
	if !errors.As(err, &mistakes) {
		return []config.PatternProblem{{Text: err.Error()}}
	}
	var problems []config.PatternProblem
	for _, m := range mistakes {
		problems = append(problems, config.PatternProblem{Path: m.Location(), Text: m.Err.Error()})
	}
	return problems
}

// Set makes the routes of one configuration. What routes share, they share through it: the AWS connection pool and
// the memory budget. It is not safe for concurrent use.
type Set struct {
	config  *config.Config
	log     *zap.Logger
	metrics *bridge.Metrics
	budget  *bridge.Budget
	aws     *aws.Client  // nil until a route needs it
	store   bridge.Store // of outcomes; nil until a route needs it
	logins  jms.Logins
	preview bool // nothing is sent, so no key is needed
}

// Close releases what the routes shared, after they have ended.
func (s *Set) Close() error {
	if s.aws != nil {
		s.aws.Close()
	}
	if s.store != nil {
		return s.store.Close()
	}
	return nil
}

// NewSet returns a Set for a loaded configuration. log and metrics may be nil.
func NewSet(c *config.Config, log *zap.Logger, metrics *bridge.Metrics) *Set {
	if log == nil {
		log = zap.NewNop()
	}
	return &Set{config: c, log: log, metrics: metrics, budget: bridge.NewBudget(int64(c.Limits.Memory))}
}

// UseAWS has the routes reach AWS by a client that is there already. The Set closes it.
func (s *Set) UseAWS(c *aws.Client) { s.aws = c }

// Routes returns every enabled route, ready to run. A route whose answers come over a queue brings a second one, which
// takes them back: NAME/reply.
func (s *Set) Routes() ([]*bridge.Route, error) {
	var routes []*bridge.Route
	for i := range s.config.Routes {
		r := &s.config.Routes[i]
		if !r.Enabled {
			continue
		}
		some, err := s.Route(r)
		if err != nil {
			return nil, err
		}
		routes = append(routes, some...)
	}
	return routes, nil
}

// Route returns one configured route, ready to run, and the one that takes its answers back, if it has one.
func (s *Set) Route(r *config.Route) ([]*bridge.Route, error) {
	parts, err := s.Parts(r)
	if err != nil {
		return nil, err
	}
	settings, err := s.settings(parts)
	if err != nil {
		return nil, fmt.Errorf("route %s: %w", r.Name, err)
	}
	routes := make([]*bridge.Route, 0, 2)
	for _, set := range append([]*bridge.RouteSettings{settings}, parts.back...) {
		route, err := bridge.NewRoute(*set)
		if err != nil {
			return nil, err
		}
		routes = append(routes, route)
	}
	return routes, nil
}

// settings translates a route.
func (s *Set) settings(parts *Parts) (*bridge.RouteSettings, error) {
	r := parts.Route
	stages, err := stagesOf(r.Filter, r.Transform)
	if err != nil {
		return nil, err
	}
	settings := s.base(r, r.Name)
	settings.Sources, settings.Stages, settings.Order = parts.Sources, stages, orders[r.Order]
	for i := range parts.Targets {
		t := &parts.Targets[i]
		one := bridge.TargetSettings{Name: t.Name, Sink: t.Sink, BestEffort: !t.Config.Required}
		if one.Stages, err = stagesOf(t.Config.Filter, t.Config.Transform); err != nil {
			return nil, fmt.Errorf("target %s: %w", t.Name, err)
		}
		if one.Group, err = groupOf(r, t.Config); err != nil {
			return nil, fmt.Errorf("target %s: %w", t.Name, err)
		}
		if t.Config.Retry != nil {
			one.Retry = retryOf(t.Config.Retry)
		}
		settings.Targets = append(settings.Targets, one)
	}
	if parts.DeadLetter != nil {
		settings.DeadLetter = &bridge.PipelineSettings{Name: "dead_letter", Sink: parts.DeadLetter}
	}
	settings.DropDead = r.DeadLetter != nil && r.DeadLetter.Drop
	if r.Reply != nil {
		if err := s.answers(parts, settings); err != nil {
			return nil, fmt.Errorf("reply: %w", err)
		}
	}
	return settings, nil
}

// base is what a route and the one that takes its answers back have in common.
func (s *Set) base(r *config.Route, name string) *bridge.RouteSettings {
	set := &bridge.RouteSettings{
		Name:       name,
		Window:     bridge.WindowSettings{Messages: r.Window.Messages, Bytes: int64(r.Window.Bytes)},
		TotalBytes: s.budget,
		Retry:      retryOf(&r.Retry),
		Expired:    expiries[r.Expired],
		Drain:      r.Drain,
		Log:        s.log,
		Metrics:    s.metrics,
	}
	switch {
	case r.From.JMS != nil:
		set.Credit = r.From.JMS.Prefetch
	case r.From.SQS != nil:
		set.Credit = r.From.SQS.Prefetch
	}
	return set
}

func retryOf(r *config.Retry) bridge.RetrySettings {
	return bridge.RetrySettings{Attempts: r.Attempts, Base: r.Min, Cap: r.Max, MaxAge: r.MaxAge}
}

// stagesOf makes a filter and a transform, in this order, where there are any.
func stagesOf(filter config.Pattern, transform config.Expression) ([]bridge.Stage, error) {
	var stages []bridge.Stage
	if filter.Tree != nil {
		p, err := stage.ParsePattern(filter.Tree)
		if err != nil {
			return nil, fmt.Errorf("reading filter: %w", err)
		}
		stages = append(stages, p)
	}
	if transform != "" {
		t, err := stage.ParseTransform(string(transform))
		if err != nil {
			return nil, fmt.Errorf("reading transform: %w", err)
		}
		stages = append(stages, t)
	}
	return stages, nil
}

var orders = map[config.Order]bridge.Order{
	config.OrderNone: bridge.OrderNone, config.OrderGroup: bridge.OrderGroup, config.OrderStrict: bridge.OrderStrict,
}

var expiries = map[config.Expired]bridge.ExpiredPolicy{
	config.ExpiredDeadLetter: bridge.ExpireDeadLetter, config.ExpiredDrop: bridge.ExpireDrop, config.ExpiredForward: bridge.ExpireForward,
}

// groupOf returns how the group of a message is found: JMSXGroupID where the wire has it, else the template. A message
// that lacks what the template names is a group of its own.
func groupOf(r *config.Route, t *config.Target) (func(*bridge.Message) (string, error), error) {
	text := string(r.GroupTemplate(t))
	if text == "" {
		return nil, nil //nolint:nilnil // nil is the engine's word for JMSXGroupID alone
	}
	template, err := stage.ParseTemplate(text)
	if err != nil {
		return nil, fmt.Errorf("reading group_id: %w", err)
	}
	return func(m *bridge.Message) (string, error) {
		if m.GroupID != "" {
			return m.GroupID, nil
		}
		group, err := template.Expand(m)
		if err != nil && bridge.AsError(err).Code == stage.CodeMissing {
			return "", nil
		}
		if err != nil {
			return "", fmt.Errorf("finding the group: %w", err)
		}
		return group, nil
	}, nil
}
