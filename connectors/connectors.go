package connectors

import (
	"errors"
	"fmt"

	"go.uber.org/zap"

	"github.com/jmsbridge/jmsbridge/bridge"
	"github.com/jmsbridge/jmsbridge/bridge/stage"
	"github.com/jmsbridge/jmsbridge/config"
	"github.com/jmsbridge/jmsbridge/connectors/aws"
	"github.com/jmsbridge/jmsbridge/connectors/file"
	"github.com/jmsbridge/jmsbridge/connectors/jms"
)

// Load reads and judges a configuration as [config.Load] does, its templates and the brokers' URLs included.
func Load(path string) (*config.Config, error) {
	return config.Load(path,
		config.WithTemplateCheck(func(template string) error {
			_, err := stage.ParseTemplate(template)
			return err
		}),
		config.WithURLCheck(func(url string) error {
			_, err := jms.ParseURL(url)
			return err
		}))
}

// Set makes the routes of one configuration. What routes share, they share through it: the AWS connection pool and
// the memory budget. It is not safe for concurrent use.
type Set struct {
	config  *config.Config
	log     *zap.Logger
	metrics *bridge.Metrics
	budget  *bridge.Budget
	aws     *aws.Client // nil until a route needs it
}

// NewSet returns a Set for a loaded configuration. log and metrics may be nil.
func NewSet(c *config.Config, log *zap.Logger, metrics *bridge.Metrics) *Set {
	if log == nil {
		log = zap.NewNop()
	}
	return &Set{config: c, log: log, metrics: metrics, budget: bridge.NewBudget(int64(c.Limits.Memory))}
}

// Parts are the ends of a route, not connected yet.
type Parts struct {
	Route      *config.Route
	Sources    []bridge.Source
	Target     bridge.Sink
	DeadLetter bridge.Sink // nil: none
}

// Routes returns every enabled route, ready to run.
func (s *Set) Routes() ([]*bridge.Route, error) {
	var routes []*bridge.Route
	for i := range s.config.Routes {
		r := &s.config.Routes[i]
		if !r.Enabled {
			continue
		}
		route, err := s.Route(r)
		if err != nil {
			return nil, err
		}
		routes = append(routes, route)
	}
	return routes, nil
}

// Route returns one route, ready to run.
func (s *Set) Route(r *config.Route) (*bridge.Route, error) {
	parts, err := s.Parts(r)
	if err != nil {
		return nil, err
	}
	group, err := groupOf(r)
	if err != nil {
		return nil, fmt.Errorf("route %s: %w", r.Name, err)
	}
	settings := bridge.RouteSettings{
		Name:       r.Name,
		Sources:    parts.Sources,
		Target:     bridge.PipelineSettings{Name: targetName(&r.To[0]), Sink: parts.Target},
		Order:      orders[r.Order],
		Group:      group,
		Credit:     r.From.JMS.Prefetch,
		Window:     bridge.WindowSettings{Messages: r.Window.Messages, Bytes: int64(r.Window.Bytes)},
		TotalBytes: s.budget,
		Retry:      bridge.RetrySettings{Attempts: r.Retry.Attempts, Base: r.Retry.Min, Cap: r.Retry.Max, MaxAge: r.Retry.MaxAge},
		Expired:    expiries[r.Expired],
		Drain:      r.Drain,
		Log:        s.log,
		Metrics:    s.metrics,
	}
	if parts.DeadLetter != nil {
		settings.DeadLetter = &bridge.PipelineSettings{Name: "dead_letter", Sink: parts.DeadLetter}
	}
	settings.DropDead = r.DeadLetter != nil && r.DeadLetter.Drop
	return bridge.NewRoute(settings)
}

var orders = map[config.Order]bridge.Order{
	config.OrderNone: bridge.OrderNone, config.OrderGroup: bridge.OrderGroup, config.OrderStrict: bridge.OrderStrict,
}

var expiries = map[config.Expired]bridge.ExpiredPolicy{
	config.ExpiredDeadLetter: bridge.ExpireDeadLetter, config.ExpiredDrop: bridge.ExpireDrop, config.ExpiredForward: bridge.ExpireForward,
}

// groupOf returns how the group of a message is found: JMSXGroupID where the wire has it, else the template. A message
// that lacks what the template names is a group of its own.
func groupOf(r *config.Route) (func(*bridge.Message) (string, error), error) {
	text := string(r.GroupTemplate(&r.To[0]))
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

// Parts returns the ends of a route. It dials nothing.
func (s *Set) Parts(r *config.Route) (*Parts, error) {
	parts := &Parts{Route: r}
	wrap := func(what string, err error) error { return fmt.Errorf("route %s: %s: %w", r.Name, what, err) }
	for range r.From.JMS.Consumers {
		source, err := s.stompSource(r)
		if err != nil {
			return nil, wrap("from", err)
		}
		parts.Sources = append(parts.Sources, source)
	}
	var err error
	if parts.Target, err = s.target(&r.To[0]); err != nil {
		return nil, wrap("to", err)
	}
	if d := r.DeadLetter; d != nil && !d.Drop {
		if parts.DeadLetter, err = s.target(&config.Target{SQS: d.SQS, JMS: d.JMS}); err != nil {
			return nil, wrap("dead_letter", err)
		}
	}
	return parts, nil
}

// targetName is what metrics and status call a target.
func targetName(t *config.Target) string {
	switch {
	case t.SQS != nil:
		return "sqs"
	case t.JMS != nil:
		return "jms"
	default:
		return "file"
	}
}

func (s *Set) target(t *config.Target) (bridge.Sink, error) {
	switch {
	case t.SQS != nil:
		return s.sqsSink(t.SQS)
	case t.JMS != nil:
		return s.stompSink(t.JMS)
	case t.File != nil:
		return file.NewSink(file.SinkSettings{Path: t.File.Path, NoSync: t.File.NoSync, Log: s.log})
	default:
		return nil, errors.New("no target is named")
	}
}
