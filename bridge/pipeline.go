package bridge

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"
)

// pipelineKind is what a pipeline is for.
type pipelineKind uint8

const (
	toTarget pipelineKind = iota
	toDead                // the dead letter
	toReply               // answers to requesters
)

// pipeline is a scheduler and a sink: a target, the dead letter, or the way of replies. Its senders are goroutines that take a batch,
// send it, settle what the sink confirmed, and take the next; they end when there is none. kick starts them.
type pipeline struct {
	route   *Route
	name    string
	sink    Sink
	kind    pipelineKind
	metrics *targetMetrics
	retry   RetrySettings

	// Of a target:
	index      uint8 // its place in the route
	bestEffort bool
	kept       int   // messages that it still has, when it is best effort; the window's lock guards this
	keptBytes  int64 // … and their weight
	answers    bool  // its Result.Reply goes back to the requester
	stages     []Stage
	group      func(*Message) (string, error)
	ask        func(*Message, time.Time) (*Ask, error)

	mu        sync.Mutex
	sched     *scheduler // nil until connected once
	limits    Limits
	seen      atomic.Pointer[Limits] // limits, to read without the lock
	limiter   limiter
	connected bool
	paused    bool // start no call
	redialing bool // reconnect runs
	probing   bool // one message at a time, until one is confirmed
	draining  bool // stopping: nothing that failed waits for another try
	calls     int  // calls that run
	hands     int  // goroutines that hold messages of this pipeline outside the lock: senders, and who disposes
	flights   *call
	free      *call
	confirmed uint64 // messages that the sink has confirmed

	// The health of the target as a whole: failures of whole calls with nothing confirmed between.
	failing   float64 // the share of calls with a fresh message that fail as a whole, the last ones counting most
	streak    int
	failedAt  time.Time
	notBefore time.Time
	down      bool
	reason    error

	// age stands still while the target is down or throttles.
	aged    time.Duration
	agedAt  time.Time
	standby bool

	aside []aside // taken from the scheduler, but not to be sent; disposed of after the lock
	timer *time.Timer
	due   time.Time // when timer fires; zero: it does not
}

// call is a batch on its way, with the buffers for it. A sender owns it while it runs; the list of flights, guarded by
// the pipeline's lock, is for those who look for a message.
type call struct {
	prev, next *call
	items      []*item
	out        []Outgoing
	res        []Result
	err        error
	started    time.Time
	took       time.Duration
	crowded    bool // another call ran at the same time
	fresh      bool // holds a message that has not been sent before

	ctx     context.Context // reused over calls; see Route.callContext
	cancel  context.CancelFunc
	ctxFrom time.Time

	spent   []*item // what finish has settled or given back
	moved   []aside
	wakened []*item
}

// whyAside says why a message that was due is not sent.
type whyAside uint8

const (
	asideStale      whyAside = iota // its connection is gone
	asideExpired                    // JMSExpiration has passed
	asideSuppressed                 // the target has had it over a lost connection
	asideDead                       // to the dead letter
	asideGivenBack                  // the route stops or pauses
	asideParted                     // stale, and what is known of it is remembered already
	asideReply                      // the target has answered: the answer goes to the requester
	asideFault                      // the dead letter has it, and the requester is told
	asideLate                       // a reply that nobody waits for any more
)

type aside struct {
	it  *item
	why whyAside
	err error
}

func newPipeline(r *Route, s PipelineSettings, kind pipelineKind) *pipeline {
	return &pipeline{route: r, name: s.Name, sink: s.Sink, kind: kind, metrics: r.metrics.target(s.Name, false), retry: r.set.Retry}
}

func newTarget(r *Route, s *TargetSettings, index int) *pipeline {
	return &pipeline{
		route: r, name: s.Name, sink: s.Sink, metrics: r.metrics.target(s.Name, s.BestEffort), retry: s.Retry,
		index: uint8(index), bestEffort: s.BestEffort, answers: s.Answers, stages: s.Stages, group: s.Group, ask: s.Ask,
	}
}

// connect makes one attempt. No call runs.
func (p *pipeline) connect(ctx context.Context) error {
	if err := p.protect("connecting", func() error { return p.sink.Connect(ctx) }); err != nil {
		return err
	}
	l := p.sink.Limits()
	l.Messages, l.Calls = max(l.Messages, 1), max(l.Calls, 1)
	ordered := p.route.set.Order != OrderNone && (p.kind == toTarget || p.kind == toDead && l.Run > 0)
	if ordered && l.Run <= 0 {
		return &Error{Class: Fatal, Err: errors.New("the target keeps no order"), Remedy: "set order: none"}
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.limits = l
	p.seen.Store(&l)
	p.limiter.reset(l.Calls)
	if p.sched == nil {
		p.sched = newScheduler(ordered, l.Run, p.inspect)
		p.sched.overtake = p.route.set.bug == bugOvertake
	}
	p.sched.run = max(l.Run, 1)
	p.connected = true
	return nil
}

// kick starts as many senders as there are calls due.
func (p *pipeline) kick() {
	p.mu.Lock()
	p.start(time.Now())
	moved := p.takeAside(nil)
	if len(moved) > 0 {
		p.hands++
	}
	p.mu.Unlock()
	if len(moved) > 0 {
		p.route.dispose(moved)
		p.letGo()
	}
}

// start starts senders for all calls that are due. The caller holds the lock.
func (p *pipeline) start(now time.Time) {
	for c := p.take(now); c != nil; c = p.take(now) {
		p.hands++
		go p.run(c)
	}
}

// takeAside moves what was put aside to out. The caller holds the lock, and disposes of it without.
func (p *pipeline) takeAside(out []aside) []aside {
	out = append(out, p.aside...)
	clear(p.aside)
	p.aside = p.aside[:0]
	return out
}

// take returns the next call, or nil when none is due. The caller holds the lock.
func (p *pipeline) take(now time.Time) *call {
	if p.sched == nil || p.paused || !p.connected || p.sched.waiting == 0 {
		return nil
	}
	if p.notBefore.After(now) {
		p.wakeAt(p.notBefore, now)
		return nil
	}
	most, calls := p.limits.Messages, p.limiter.calls()
	if p.down || p.probing { // one message probes
		most, calls = 1, 1
	}
	if p.calls >= calls {
		return nil
	}
	c := p.free
	if c == nil {
		c = &call{}
	} else {
		p.free, c.next = c.next, nil
	}
	var wake time.Time
	c.items, wake = p.sched.next(now, p.limits, most, p.calls > 0, p.draining, c.items[:0])
	if len(c.items) == 0 {
		c.next, p.free = p.free, c
		p.wakeAt(wake, now)
		return nil
	}
	c.fresh = false
	for _, it := range c.items {
		if it.tries == 0 {
			it.mark = p.confirmed
			c.fresh = true
		}
		it.tries++
		it.out.Attempt = it.tries
	}
	c.started = now
	c.crowded = p.calls > 0
	if p.calls == 1 {
		p.flights.crowded = true
	}
	p.calls++
	c.prev, c.next = nil, p.flights
	if p.flights != nil {
		p.flights.prev = c
	}
	p.flights = c
	return c
}

// wakeAt arms the pipeline's timer. The caller holds the lock.
func (p *pipeline) wakeAt(at, now time.Time) {
	if at.IsZero() || (!p.due.IsZero() && !p.due.After(at) && p.due.After(now)) {
		return
	}
	p.due = at
	if p.timer == nil {
		p.timer = time.AfterFunc(at.Sub(now), p.kick)
		return
	}
	p.timer.Reset(at.Sub(now))
}

// feed takes new messages of the target, in their order. No lock is held.
func (p *pipeline) feed(items []*item, moved []aside) []aside {
	now := time.Now()
	p.mu.Lock()
	age := p.age(now)
	for _, it := range items {
		it.born = age
		p.sched.push(it, now)
	}
	p.start(now)
	moved = p.takeAside(moved)
	p.mu.Unlock()
	return moved
}

// inspect is asked by the scheduler before a message is taken. The caller holds the lock.
func (p *pipeline) inspect(it *item, now time.Time) bool {
	r := p.route
	switch {
	case p.kind == toReply:
		if at := it.out.Message.Expiration; !at.IsZero() && now.After(at) {
			p.aside = append(p.aside, aside{it, asideLate, nil})
			return false
		}
		return true
	case it.stale() && r.set.bug != bugStaleCopy:
		p.aside = append(p.aside, aside{it, asideStale, nil})
		return false
	case it.dead == nil && (r.expired(&it.d.Message, now) || r.tooLate(it, now)):
		p.aside = append(p.aside, aside{it, asideExpired, nil})
		return false
	case r.window.ghosts.n.Load() == 0:
		return true
	}
	r.window.mu.Lock()
	what := r.window.ghosts.meet(it)
	r.window.mu.Unlock()
	switch {
	case what == meetAccept:
		p.aside = append(p.aside, aside{it, asideSuppressed, nil})
	case what == meetWait:
	case it.dead != nil && p.kind == toTarget:
		p.aside = append(p.aside, aside{it, asideDead, nil})
	default:
		return true
	}
	return false
}

// land removes a call from the flights. The caller holds the lock.
func (p *pipeline) land(c *call) {
	if c.prev != nil {
		c.prev.next = c.next
	} else {
		p.flights = c.next
	}
	if c.next != nil {
		c.next.prev = c.prev
	}
	c.prev, c.next = nil, nil
	p.calls--
}

// purge removes the waiting messages that match.
func (p *pipeline) purge(match func(*item) bool, out []*item) []*item {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.sched == nil {
		return out
	}
	return p.sched.purge(match, time.Now(), out)
}

// pause starts no call until connect.
func (p *pipeline) pause() {
	p.mu.Lock()
	p.paused = true
	p.mu.Unlock()
}

// probe makes the next phase send one message at a time, until one is confirmed. No call runs.
func (p *pipeline) probe(on bool) {
	p.mu.Lock()
	p.probing = on
	p.mu.Unlock()
}

// age is how long the pipeline has been able to work; it stands still while the target is down or throttles. The
// caller holds the lock.
func (p *pipeline) age(now time.Time) time.Duration {
	if !p.standby && !p.agedAt.IsZero() {
		p.aged += now.Sub(p.agedAt)
	}
	p.agedAt = now
	return p.aged
}
