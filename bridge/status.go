package bridge

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"go.uber.org/zap"
)

// State is what a route is doing.
type State string

// The states of a route.
const (
	StateStarting     State = "starting"
	StateRunning      State = "running"
	StateReconnecting State = "reconnecting" // no connection to the source
	StateTargetDown   State = "target down"  // nothing is received; one message probes the target now and then
	StateFatal        State = "fatal"        // the route can't work as it is configured; it is tried again slowly
	StateProbing      State = "probing"      // after fatal: one message proves the target
	StateStopping     State = "stopping"
	StateStopped      State = "stopped"
)

// RouteStatus is what a route tells about itself.
type RouteStatus struct {
	Name   string    `json:"name"`
	State  State     `json:"state"`
	Since  time.Time `json:"since"`
	Reason string    `json:"reason,omitempty"`
	Remedy string    `json:"remedy,omitempty"`
	// Class is the class of the error behind Reason; "" when there is none.
	Class string `json:"class,omitempty"`
	// Connected is how many of the Sources are connected.
	Connected int `json:"connected"`
	Sources   int `json:"sources"`
	// OldestUnsettledSeconds is the age of the oldest message in flight; 0: there is none.
	OldestUnsettledSeconds float64 `json:"oldest_unsettled_seconds"`
	InFlight               int     `json:"in_flight"`
	InFlightBytes          int64   `json:"in_flight_bytes"`
	HeldCount              int     `json:"held_count"`
	// Held lists the first hundred of them.
	Held     []HeldMessage `json:"held,omitempty"`
	Counters Counters      `json:"counters"`
	Targets  []TargetState `json:"targets"`
	// Replies counts answers; nil on a route that answers nobody.
	Replies *ReplyCounters `json:"replies,omitempty"`
	// Remarks are what source, sink or engine have noticed.
	Remarks []string `json:"remarks,omitempty"`
}

// HeldMessage is a delivery that can neither be sent nor settled now.
type HeldMessage struct {
	ID     string    `json:"id"`
	Reason string    `json:"reason"`
	Since  time.Time `json:"since"`
}

// Counters count messages since the start of the process. Received = the others but Suppressed, + in flight + held.
type Counters struct {
	Received     uint64 `json:"received"`
	Delivered    uint64 `json:"delivered"`
	DeadLettered uint64 `json:"dead_lettered"`
	Dropped      uint64 `json:"dropped"`
	Filtered     uint64 `json:"filtered"`
	Expired      uint64 `json:"expired"`
	Released     uint64 `json:"released"`
	// Suppressed are those of Delivered that were redeliveries accepted without sending.
	Suppressed uint64 `json:"suppressed"`
}

// ReplyCounters count what became of answers since the start of the process.
type ReplyCounters struct {
	Sent     uint64 `json:"sent"`
	Faults   uint64 `json:"faults"`   // sent, and telling of a failure
	Late     uint64 `json:"late"`     // dropped: the deadline had passed
	Orphaned uint64 `json:"orphaned"` // the requester was gone
	Refused  uint64 `json:"refused"`  // asked for at a destination that is not allowed
	Failed   uint64 `json:"failed"`   // can't be sent: too large, or not what a message can be
	Unwanted uint64 `json:"unwanted"` // nobody had asked for one
}

// TargetState is the state of one target or dead letter.
type TargetState struct {
	Name      string `json:"name"`
	Works     bool   `json:"works"`
	Reason    string `json:"reason,omitempty"`
	Waiting   int    `json:"waiting"`
	Calls     int    `json:"calls"`
	CallLimit int    `json:"call_limit"`
	// BestEffort tells that messages settle without this target; Dropped counts those that it did not get.
	BestEffort bool   `json:"best_effort,omitempty"`
	Dropped    uint64 `json:"dropped,omitempty"`
}

var (
	errHeld      = errors.New("held messages leave no credit")
	errHeldProbe = errors.New("the message that should prove the target is held")
)

// statusBoard is the part of the status that has a history.
type statusBoard struct {
	mu      sync.Mutex
	phase   State
	err     error
	wait    time.Duration
	shown   State
	reason  error
	since   time.Time
	remarks []string
}

func (b *statusBoard) reset(s State, now time.Time) {
	b.phase, b.shown, b.since = s, s, now
}

// setPhase records what Run is doing, and why. No lock is held.
func (r *Route) setPhase(s State, why error, wait time.Duration) {
	r.status.mu.Lock()
	r.status.phase, r.status.err, r.status.wait = s, why, wait
	r.status.mu.Unlock()
	r.refresh()
}

// maxRemarks bounds what the engine itself remarks.
const maxRemarks = 10

func (r *Route) remark(format string, args ...any) {
	text := fmt.Sprintf(format, args...)
	r.status.mu.Lock()
	if len(r.status.remarks) == maxRemarks {
		r.status.remarks = r.status.remarks[1:]
	}
	r.status.remarks = append(r.status.remarks, text)
	r.status.mu.Unlock()
	r.set.Log.Warn("a message ends the connection", zap.String(LogRoute, r.set.Name), zap.String(LogReason, text))
}

// refreshLater asks the watcher to look at the state. It may be called under any lock.
func (r *Route) refreshLater() {
	select {
	case r.changed <- struct{}{}:
	default:
	}
}

// refresh works out the state and logs a change. No lock is held.
func (r *Route) refresh() {
	r.status.mu.Lock()
	state, why := r.status.phase, r.status.err
	if state == StateRunning || state == StateProbing {
		if h := r.health(); !h.works {
			state, why = StateTargetDown, h.reason
		} else if off, never, err := r.sourceReason(); off {
			switch {
			case ClassOf(err) == Fatal:
				state, why = StateFatal, err
			case never && err == nil:
				state = StateStarting
			case err != nil: // without one it is only being connected, at the beginning of a phase
				state, why = StateReconnecting, err
			}
		}
	}
	changed := state != r.status.shown
	if changed {
		r.status.shown, r.status.since = state, time.Now()
	}
	r.status.reason = why
	r.status.mu.Unlock()
	if !changed {
		return
	}
	r.logState(state, why)
	r.poke()
}

func (r *Route) logState(state State, why error) {
	fields := []zap.Field{zap.String(LogRoute, r.set.Name), zap.String(LogState, string(state))}
	if why != nil {
		e := AsError(why)
		reason, remedy := Explain(why)
		fields = append(fields, zap.String(LogClass, e.Class.String()), zap.String(LogReason, reason))
		if e.Code != "" {
			fields = append(fields, zap.String(LogCode, e.Code))
		}
		if remedy != "" {
			fields = append(fields, zap.String(LogRemedy, remedy))
		}
	}
	switch state {
	case StateFatal:
		r.set.Log.Error("route state", fields...)
	case StateTargetDown, StateReconnecting:
		r.set.Log.Warn("route state", fields...)
	default:
		r.set.Log.Info("route state", fields...)
	}
}

// sourceReason tells whether a source that this phase uses is not connected, whether it has never been, and why.
func (r *Route) sourceReason() (off, never bool, why error) {
	for _, rc := range r.receivers {
		rc.mu.Lock()
		connected, seen, reason := rc.connected, rc.seen, rc.reason
		rc.mu.Unlock()
		if !connected && (!off || why == nil) {
			off, never, why = true, !seen, reason
		}
	}
	return off, never, why
}

// standing returns how many sources are connected.
func (r *Route) standing() int {
	n := 0
	for _, rc := range r.receivers {
		rc.mu.Lock()
		if rc.connected {
			n++
		}
		rc.mu.Unlock()
	}
	return n
}

// watch logs a line a minute and notices what changed under a lock.
func (r *Route) watch(ctx context.Context) {
	tick := time.NewTicker(time.Minute)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-r.changed:
			r.refresh()
			r.poke()
		case <-tick.C:
			s := r.Status()
			r.set.Log.Info("route", s.logFields()...)
		}
	}
}

// logFields are the fields of the line that tells a minute: what was done on purpose with messages that did not arrive
// only where there are any.
func (s *RouteStatus) logFields() []zap.Field {
	fields := []zap.Field{
		zap.String(LogRoute, s.Name), zap.String(LogState, string(s.State)),
		zap.Uint64("received", s.Counters.Received), zap.Uint64("delivered", s.Counters.Delivered),
		zap.Uint64("dead_lettered", s.Counters.DeadLettered), zap.Int("in_flight", s.InFlight),
		zap.Int("held", s.HeldCount), zap.Float64("oldest_seconds", s.OldestUnsettledSeconds),
	}
	for _, c := range []struct {
		name string
		n    uint64
	}{{"dropped", s.Counters.Dropped}, {"filtered", s.Counters.Filtered}, {"expired", s.Counters.Expired}} {
		if c.n > 0 {
			fields = append(fields, zap.Uint64(c.name, c.n))
		}
	}
	return fields
}

// logStop says what became of the messages that were in flight when the route was told to stop.
func (r *Route) logStop(before *RouteStatus) {
	now := r.metrics.counters()
	r.set.Log.Info("route stopped", zap.String(LogRoute, r.set.Name), zap.Int("in_flight", before.InFlight),
		zap.Uint64("given_back", now.Released-before.Counters.Released))
}

// Status returns what the route is doing now. It is safe for concurrent use.
func (r *Route) Status() RouteStatus {
	now := time.Now()
	r.status.mu.Lock()
	s := RouteStatus{Name: r.set.Name, State: r.status.shown, Since: r.status.since, Sources: len(r.receivers)}
	s.Remarks = append(s.Remarks, r.status.remarks...)
	if why := r.status.reason; why != nil {
		s.Reason, s.Remedy = Explain(why)
		s.Class = ClassOf(why).String()
	}
	r.status.mu.Unlock()
	s.Connected = r.standing()
	var oldest time.Time
	s.InFlight, s.HeldCount, s.InFlightBytes, oldest = r.window.size()
	if !oldest.IsZero() {
		s.OldestUnsettledSeconds = now.Sub(oldest).Seconds()
	}
	s.Held = r.window.heldMessages(heldShown)
	s.Counters = r.metrics.counters()
	if r.set.Reply != nil {
		replies := r.metrics.replies.counters()
		s.Replies = &replies
	}
	for _, p := range r.pipes {
		h := p.health()
		t := TargetState{Name: p.name, Works: h.works, Waiting: h.waiting, Calls: h.running, CallLimit: h.calls}
		if p.bestEffort {
			t.BestEffort, t.Dropped = true, read(p.metrics.dropped)
		}
		if h.reason != nil {
			t.Reason = h.reason.Error()
		}
		s.Targets = append(s.Targets, t)
		s.Remarks = appendRemarks(s.Remarks, p.sink)
	}
	for _, rc := range r.receivers {
		s.Remarks = appendRemarks(s.Remarks, rc.source)
	}
	return s
}

func appendRemarks(to []string, from any) []string {
	if rem, ok := from.(Remarker); ok {
		return append(to, rem.Remarks()...)
	}
	return to
}

// health is what others want to know of a pipeline.
type health struct {
	works   bool // connected, and not down
	probes  bool // connected, down, and with nothing left to probe with
	calls   int
	running int
	waiting int
	reason  error
}

func (p *pipeline) health() health {
	p.mu.Lock()
	defer p.mu.Unlock()
	h := health{running: p.calls, calls: p.limiter.calls(), reason: p.reason}
	if p.sched != nil {
		h.waiting = p.sched.waiting
	}
	h.works = p.connected && !p.paused && !p.down
	h.probes = p.connected && !p.paused && p.down && h.waiting == 0 && h.running == 0
	if h.works && !p.standby { // while it throttles the reason is worth showing
		h.reason = nil
	}
	return h
}

// health is that of all pipelines without which nothing can be received: the targets but for best effort, and replies.
func (r *Route) health() health {
	all := health{works: true, probes: true}
	for _, p := range r.pipes {
		if p.kind == toDead || p.bestEffort {
			continue
		}
		h := p.health()
		if h.works {
			continue
		}
		if all.works {
			all.reason = h.reason
			if all.reason != nil && len(r.targets) > 1 {
				all.reason = p.naming(h.reason)
			}
		}
		all.works, all.probes = false, all.probes && h.probes
	}
	return all
}

// naming says which pipeline an error is about.
func (p *pipeline) naming(err error) error {
	switch p.kind {
	case toDead:
		return fmt.Errorf("dead letter %s: %w", p.name, err)
	case toReply:
		return fmt.Errorf("reply %s: %w", p.name, err)
	default:
		return fmt.Errorf("target %s: %w", p.name, err)
	}
}
