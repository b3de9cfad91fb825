package bridge

import (
	"errors"
	"fmt"
	"time"

	"go.uber.org/zap"
)

// Order is what a route promises about the order of messages at its target.
type Order uint8

const (
	// OrderNone promises nothing: the fastest.
	OrderNone Order = iota
	// OrderGroup keeps the order of first deliveries within a group.
	OrderGroup
	// OrderStrict keeps the order of first deliveries over the whole source.
	OrderStrict
)

// String returns the word of the configuration: "none", "group" or "strict".
func (o Order) String() string {
	switch o {
	case OrderGroup:
		return "group"
	case OrderStrict:
		return "strict"
	default:
		return "none"
	}
}

// ExpiredPolicy is what happens to a message whose JMSExpiration has passed.
type ExpiredPolicy uint8

const (
	// ExpireDeadLetter sends it to the dead letter.
	ExpireDeadLetter ExpiredPolicy = iota
	// ExpireDrop accepts it at the source without sending it, counted as expired.
	ExpireDrop
	// ExpireForward sends it all the same.
	ExpireForward
)

// expiryTolerance is the difference of clocks between sender and bridge that expires nothing.
const expiryTolerance = 5 * time.Second

// PipelineSettings are a sink and its name in metrics, logs and status.
type PipelineSettings struct {
	Name string
	Sink Sink
}

// RetrySettings say how often and how fast a message is tried. A failure counts as an attempt only when the target
// answered for this message, or confirmed another one meanwhile: an outage spends nothing.
type RetrySettings struct {
	// Attempts is how often a message is tried before it goes to the dead letter; 0: 5.
	Attempts int
	// Base and Cap bound the wait between tries: a random time up to Base, doubling up to Cap. 0: 100 ms and 5 s.
	Base, Cap time.Duration
	// MaxAge is how long a message may be tried; 0: no limit. It stands still while the target is down or throttles.
	MaxAge time.Duration
}

// WindowSettings bound what a route holds in memory.
type WindowSettings struct {
	// Messages is the most unsettled messages, at least one for each source; 0: the credit of all sources.
	Messages int
	// Bytes is the most bytes of unsettled messages, as their sources estimate them; 0: 64 MiB. One Receive of each
	// source may exceed it once.
	Bytes int64
}

// RouteSettings describe a route. Zero values are the defaults where one is named.
type RouteSettings struct {
	// Name is the route's name in logs, metrics and deduplication ids. It is required.
	Name string
	// Sources deliver the messages, one for each consumer. At least one is required.
	Sources []Source
	// Stages look at each message in turn, before the window.
	Stages []Stage
	// Target is where messages go.
	Target PipelineSettings
	// DeadLetter takes what can never reach the target; nil: such a message is held.
	DeadLetter *PipelineSettings
	// DropDead drops what can never reach the target, counted. It excludes DeadLetter.
	DropDead bool
	// Order is the promise about order; OrderGroup and OrderStrict need a sink whose Limits.Run is not 0.
	Order Order
	// Group returns a message's group with OrderGroup; nil: Message.GroupID. A message whose group is "" is a group of
	// its own. An error dead-letters the message. It is called by one goroutine for each source.
	Group func(*Message) (string, error)
	// Credit is how many messages each source may have unsettled; 0: 2 × messages in a call × calls, at most 1,000.
	Credit int
	// Window bounds the memory of the route, TotalBytes that of all routes that share it (nil: none).
	Window     WindowSettings
	TotalBytes *Budget
	Retry      RetrySettings
	Expired    ExpiredPolicy
	// Drain is how long a stop may take; 0: 25 s. Sends that still run at four fifths of it are cancelled.
	Drain time.Duration
	// ReconnectCap is the longest wait before a source or sink is dialled again; 0: 30 s.
	ReconnectCap time.Duration
	// Log gets one line a minute and one at each change of state; nil: none.
	Log *zap.Logger
	// Metrics counts what the route does; nil: counted, but not exported.
	Metrics *Metrics

	// jitter replaces the random numbers in a simulation: it returns one in [0, n).
	jitter func(n time.Duration) time.Duration
	// bug plants a known mistake, to prove that the simulation finds it. Tests only.
	bug plantedBug
}

// maxPrefetch is the most messages that a default credit asks for.
const maxPrefetch = 1000

// DefaultCredit returns the credit for a sink with these limits: enough for two rounds of full calls, at most 1,000.
func DefaultCredit(l Limits) int {
	return min(max(2*max(l.Messages, 1)*max(l.Calls, 1), 1), maxPrefetch)
}

func (s *RouteSettings) withDefaults() (RouteSettings, error) {
	out := *s
	var problems []error
	if out.Name == "" {
		problems = append(problems, errors.New("a route needs a name"))
	}
	if len(out.Sources) == 0 {
		problems = append(problems, errors.New("a route needs a source"))
	}
	if out.Target.Sink == nil {
		problems = append(problems, errors.New("a route needs a target"))
	}
	if out.DeadLetter != nil && out.DropDead {
		problems = append(problems, errors.New("a route has either a dead letter or drops"))
	}
	if len(problems) > 0 {
		return out, fmt.Errorf("checking route %q: %w", s.Name, errors.Join(problems...))
	}
	if out.Target.Name == "" {
		out.Target.Name = "target"
	}
	out.Retry.Attempts = orDefault(out.Retry.Attempts, 5)
	out.Retry.Base = orDefault(out.Retry.Base, 100*time.Millisecond)
	out.Retry.Cap = orDefault(out.Retry.Cap, 5*time.Second)
	out.Window.Bytes = orDefault(out.Window.Bytes, 64<<20)
	out.Drain = orDefault(out.Drain, 25*time.Second)
	out.ReconnectCap = orDefault(out.ReconnectCap, 30*time.Second)
	if out.Log == nil {
		out.Log = zap.NewNop()
	}
	if out.Metrics == nil {
		out.Metrics = NewMetrics(nil)
	}
	if out.jitter == nil {
		out.jitter = randomUpTo
	}
	return out, nil
}

func orDefault[T int | int64 | time.Duration](v, def T) T {
	if v <= 0 {
		return def
	}
	return v
}
