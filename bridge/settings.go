package bridge

import (
	"errors"
	"fmt"
	"slices"
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

// TargetSettings are one of the places to which a route sends every message.
type TargetSettings struct {
	// Name is unique among the targets of a route; it is the target's label in metrics, status and dead letters.
	// "": target.
	Name string
	Sink Sink
	// Stages look at each message for this target alone, after those of the route: its own filter and transform.
	Stages []Stage
	// Group returns a message's group for this target; nil: the route's own Group.
	Group func(*Message) (string, error)
	// BestEffort means that a message settles without this target. What it can't take, or what exceeds
	// [bestEffortMessages] or [bestEffortBytes] while it is slow, is dropped and counted.
	BestEffort bool
	// Answers means that the Result.Reply of this target answers the request. It needs RouteSettings.Reply, and at most
	// one target of a route has it.
	Answers bool
	// Ask returns how the target's responder is to answer a request that came in at the given time; nil, or a nil Ask:
	// no answer is wanted. An error dead-letters the message.
	Ask func(request *Message, received time.Time) (*Ask, error)
	// Retry is the target's own; its zero fields are the route's.
	Retry RetrySettings
}

// ReplySettings say how the answers of a target get back to the requester.
type ReplySettings struct {
	// Name and Sink are where replies go.
	PipelineSettings
	// Wants tells whether somebody waits for an answer to a message; nil: whoever has set JMSReplyTo.
	Wants func(request *Message) bool
	// Timeout is how long a request without a JMSExpiration may take; 0: 30 s. It begins when the bridge receives it.
	Timeout time.Duration
	// Make returns the reply for a request: its destination, correlation id and time to live, which ends at the deadline.
	// answer is the target's. nil, nil: nobody waits for one. An error means that none can be sent, and is counted. It
	// uses the CPU only.
	Make func(request, answer *Message, deadline time.Time) (*Message, error)
	// Fault returns the reply for a request that failed for good; nil: failures are not answered.
	Fault func(request *Message, failure Failure, deadline time.Time) (*Message, error)
}

// Failure is why a request failed for good.
type Failure struct {
	Class Class
	// Code is the peer's own code; "" when it has none.
	Code string
	// Text says what went wrong, at most a kilobyte.
	Text string
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
	// Targets are where messages go: each gets all of them, and a message settles when every one has confirmed it that is
	// not BestEffort. At least one is, and there are at most [maxTargets].
	Targets []TargetSettings
	// Reply brings answers to the requester; nil: the route answers nobody.
	Reply *ReplySettings
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
	problems = append(problems, out.checkTargets()...)
	if out.DeadLetter != nil && out.DropDead {
		problems = append(problems, errors.New("a route has either a dead letter or drops"))
	}
	if len(problems) > 0 {
		return out, fmt.Errorf("checking route %q: %w", s.Name, errors.Join(problems...))
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
	for i := range out.Targets {
		own := &out.Targets[i].Retry
		own.Attempts = orDefault(own.Attempts, out.Retry.Attempts)
		own.Base = orDefault(own.Base, out.Retry.Base)
		own.Cap = orDefault(own.Cap, out.Retry.Cap)
		own.MaxAge = orDefault(own.MaxAge, out.Retry.MaxAge)
	}
	if out.Reply != nil {
		reply := *out.Reply
		reply.Timeout = orDefault(reply.Timeout, 30*time.Second)
		if reply.Name == "" {
			reply.Name = "reply"
		}
		out.Reply = &reply
	}
	return out, nil
}

// maxTargets bounds the targets of a route.
const maxTargets = 16

// checkTargets judges the targets, gives them their names, and makes the slice the route's own.
func (s *RouteSettings) checkTargets() (problems []error) {
	s.Targets = slices.Clone(s.Targets)
	names, required, answering := map[string]bool{}, 0, 0
	for i := range s.Targets {
		t := &s.Targets[i]
		if t.Name == "" {
			t.Name = "target"
		}
		if names[t.Name] {
			problems = append(problems, fmt.Errorf("two targets are called %q", t.Name))
		}
		names[t.Name] = true
		if t.Sink == nil {
			problems = append(problems, fmt.Errorf("target %q has no sink", t.Name))
		}
		if !t.BestEffort {
			required++
		}
		if t.Answers {
			answering++
		}
	}
	switch {
	case len(s.Targets) == 0:
		problems = append(problems, errors.New("a route needs a target"))
	case len(s.Targets) > maxTargets:
		problems = append(problems, fmt.Errorf("a route has at most %d targets", maxTargets))
	case required == 0:
		problems = append(problems, errors.New("a route needs a target that is not best effort"))
	}
	switch {
	case answering > 1:
		problems = append(problems, errors.New("at most one target answers"))
	case answering > 0 && (s.Reply == nil || s.Reply.Sink == nil || s.Reply.Make == nil):
		problems = append(problems, errors.New("a target answers, and nothing says where replies go"))
	}
	return problems
}

func orDefault[T int | int64 | time.Duration](v, def T) T {
	if v <= 0 {
		return def
	}
	return v
}
