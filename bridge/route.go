package bridge

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// Route moves messages from its sources to its targets and settles each only after every required target, or the dead
// letter in its place, has confirmed it, and a request only after its reply is sent. Run runs it once; Status may be called at any time.
type Route struct {
	set       RouteSettings
	metrics   *routeMetrics
	window    *window
	targets   []*pipeline
	dead      *pipeline   // nil: none
	replies   *pipeline   // nil: none
	pipes     []*pipeline // all of them
	receivers []*receiver
	credit    atomic.Int64 // of each source; known once the target is connected
	began     time.Time
	serial    atomic.Uint64

	sendCtx context.Context // of all calls; the stop cancels it
	force   <-chan struct{} // closed: the stop is to end at once

	stopping time.Time // when the stop began; Run's goroutine only

	// A phase is the time between two pauses of the route. Run's goroutine replaces these between phases, when neither
	// receiver nor sender nor redial runs.
	phaseCtx    context.Context
	probing     atomic.Bool              // the phase ends with the first confirmation
	probeCredit int                      // of each source while probing: one more than are held
	ending      atomic.Bool              // the phase ends: who finishes the last call says so
	fatalAt     atomic.Pointer[pipeline] // whose error ended the last phase; nil: no pipeline's

	fatals  chan fatalError
	heldUp  chan struct{}
	proved  chan struct{}
	changed chan struct{} // something that status shows has changed
	pokes   chan struct{} // something that Run's goroutine waits for may have happened
	workers sync.WaitGroup

	status   statusBoard
	anyLease atomic.Pointer[Lease] // for planted bugs
	twins    sync.Map
}

type fatalError struct {
	where *pipeline // nil: no pipeline's
	err   error
}

// NewRoute checks the settings and returns a route. It dials nothing.
func NewRoute(s RouteSettings) (*Route, error) {
	set, err := s.withDefaults()
	if err != nil {
		return nil, err
	}
	set.bug.settings(&set)
	r := &Route{
		set: set, metrics: set.Metrics.route(set.Name, set.Reply != nil), began: time.Now(),
		fatals: make(chan fatalError, 1), heldUp: make(chan struct{}, 1), proved: make(chan struct{}, 1),
		changed: make(chan struct{}, 1), pokes: make(chan struct{}, 1),
		sendCtx: context.Background(), phaseCtx: context.Background(), probeCredit: 1,
	}
	r.window = &window{bytes: set.Window.Bytes, budget: set.TotalBytes, targets: len(set.Targets), poke: r.poke}
	for i := range set.Targets {
		r.targets = append(r.targets, newTarget(r, &set.Targets[i], i))
	}
	r.pipes = slices.Clone(r.targets)
	if set.Reply != nil && set.Reply.Sink != nil {
		r.replies = newPipeline(r, set.Reply.PipelineSettings, toReply)
		r.pipes = append(r.pipes, r.replies)
	}
	if set.DeadLetter != nil {
		dl := *set.DeadLetter
		if dl.Name == "" {
			dl.Name = "dead_letter"
		}
		r.dead = newPipeline(r, dl, toDead)
		r.pipes = append(r.pipes, r.dead)
	}
	for _, src := range set.Sources {
		r.receivers = append(r.receivers, &receiver{
			route: r, source: src, pokes: make(chan struct{}, 1), dst: make([]*Delivery, receiveMost),
			ready: make([][]*item, len(r.targets)),
		})
	}
	r.status.reset(StateStarting, r.began)
	return r, nil
}

// Run moves messages until ctx ends: then it stops receiving, finishes what it can within the drain time, gives the
// rest back and returns nil. force, when it is closed, ends that at once. Run returns an error only when it can't close
// a source or sink, or has left one behind that does not end; faults of source and target are its own affair, and Status
// tells them. It is called once.
func (r *Route) Run(ctx context.Context, force <-chan struct{}) error {
	r.set.Metrics.attach(r)
	defer r.set.Metrics.detach(r)
	sendCtx, cancelSends := context.WithCancel(context.WithoutCancel(ctx))
	defer cancelSends()
	r.sendCtx, r.force = sendCtx, force
	watchCtx, stopWatch := context.WithCancel(context.Background())
	var watch sync.WaitGroup
	watch.Go(func() { r.watch(watchCtx) })
	defer watch.Wait()
	defer stopWatch()

	fatals, probe := 0, false
	for {
		if !r.connectTargets(ctx, &fatals) {
			break
		}
		end, why := r.phase(ctx, probe)
		if end == endStop {
			break
		}
		switch end {
		case endProven:
			fatals, probe, r.probeCredit = 0, false, 1
		case endFatal:
			fatals++
			wait := doubled(fatals, fatalBase, fatalCap)
			r.setPhase(StateFatal, why.err, wait)
			probe = true
			sleep(ctx, wait)
		case endWiden:
			r.setPhase(StateFatal, why.err, fatalBase)
			sleep(ctx, fatalBase)
		case endHeld:
			probe = false
			r.setPhase(StateFatal, why.err, heldPause)
			sleep(ctx, heldPause)
		case endStop:
		}
	}
	return r.stop(cancelSends)
}

const (
	fatalBase = time.Second
	fatalCap  = 30 * time.Second
	// heldPause is how long a route rests whose held messages leave it no credit: nothing but a change from outside
	// helps, and each look costs the broker a redelivery.
	heldPause = 5 * time.Minute
)

// connectTargets connects target and dead letter. false: ctx has ended.
func (r *Route) connectTargets(ctx context.Context, fatals *int) bool {
	for try := 1; ctx.Err() == nil; try++ {
		err := r.connectAll(ctx)
		if err == nil {
			return true
		}
		if ctx.Err() != nil {
			break
		}
		var wait time.Duration
		if ClassOf(err) == Fatal {
			*fatals++
			wait = doubled(*fatals, fatalBase, fatalCap)
			r.setPhase(StateFatal, err, wait)
		} else {
			wait = r.backoff(try, time.Second, r.set.ReconnectCap)
			r.setPhase(StateTargetDown, err, wait)
		}
		sleep(ctx, max(wait, AsError(err).After))
	}
	return false
}

func (r *Route) connectAll(ctx context.Context) error {
	for _, p := range r.pipes {
		p.mu.Lock()
		connected := p.connected
		p.mu.Unlock()
		if !connected && !p.bestEffort {
			if err := p.connectOnce(ctx); err != nil {
				return p.naming(err)
			}
		}
	}
	for _, p := range r.pipes {
		p.resume()
	}
	credit := r.set.Credit
	if credit <= 0 {
		for _, p := range r.targets {
			if !p.bestEffort {
				credit = max(credit, DefaultCredit(*p.seen.Load()))
			}
		}
	}
	r.credit.Store(int64(credit))
	r.window.resize(r.set.Window.Messages, r.totalCredit(), len(r.receivers))
	return nil
}

type endOfPhase uint8

const (
	endStop   endOfPhase = iota // ctx has ended
	endFatal                    // the route can't work
	endHeld                     // held messages leave no credit
	endProven                   // the probe has succeeded
	endWiden                    // what was to be the probe is held: another message beside it
)

// phase receives and sends until something ends it. But for a stop it leaves every source closed, no call running and
// nothing waiting. A probing phase asks each source for one message, and
// sends one at a time.
func (r *Route) phase(ctx context.Context, probe bool) (endOfPhase, fatalError) {
	phaseCtx, cancel := context.WithCancel(ctx)
	defer cancel()
	r.phaseCtx = phaseCtx
	r.ending.Store(false)
	r.probing.Store(probe)
	drainSignal(r.fatals)
	drainSignal(r.heldUp)
	drainSignal(r.proved)
	credit := int(r.credit.Load())
	for _, p := range r.pipes {
		if p.kind != toDead {
			p.probe(probe && !p.bestEffort)
		}
	}
	if probe {
		credit = min(credit, r.probeCredit)
		r.setPhase(StateProbing, nil, 0)
	} else {
		r.setPhase(StateRunning, nil, 0)
	}
	r.dialBestEffort()
	for _, p := range r.pipes { // replies may have waited out the pause
		p.kick()
	}
	for _, rc := range r.receivers {
		rc.ended = make(chan struct{})
		go func() {
			defer close(rc.ended)
			rc.run(phaseCtx, credit)
		}()
	}
	end, why := endStop, fatalError{}
	select {
	case <-ctx.Done():
	case why = <-r.fatals:
		end = endFatal
		r.fatalAt.Store(why.where)
	case <-r.heldUp:
		end, why = r.heldEnd(probe)
	case <-r.proved:
		end = endProven
	}
	r.ending.Store(true)
	cancel()
	if !r.awaitReceivers(ctx) {
		return endStop, fatalError{}
	}
	if end != endStop {
		r.pausePhase(ctx, end, why)
	}
	if ctx.Err() != nil {
		end = endStop
	}
	return end, why
}

// heldEnd says how a phase ends whose credit is held. While probing with little credit, the held message only needs
// another one beside it.
func (r *Route) heldEnd(probe bool) (endOfPhase, fatalError) {
	if probe && r.set.Order != OrderStrict && 2*r.probeCredit < int(r.credit.Load()) {
		r.probeCredit++
		return endWiden, fatalError{err: errHeldProbe}
	}
	remedy := "take these messages off the queue with a client that can read them, or change what the reason names"
	if r.dead == nil && !r.set.DropDead {
		remedy = "give the route a dead letter that takes them"
	}
	return endHeld, fatalError{err: &Error{Class: Fatal, Code: "Held", Err: r.heldReason(), Remedy: remedy}}
}

// heldReason names some of the messages that leave no credit: the pause gives them back, and then nobody knows them.
func (r *Route) heldReason() error {
	_, n, _, _ := r.window.size()
	var some []string
	for _, h := range r.window.heldMessages(3) {
		some = append(some, fmt.Sprintf("%q (%s)", h.ID, h.Reason))
	}
	text := strings.Join(some, ", ")
	if n > len(some) {
		text += fmt.Sprintf(" and %d more", n-len(some))
	}
	return fmt.Errorf("%w: %s", errHeld, text)
}

// pausePhase ends a phase that is no stop: calls end, what succeeded is settled, the rest goes back to the broker.
func (r *Route) pausePhase(ctx context.Context, end endOfPhase, why fatalError) {
	if end != endProven {
		r.setPhase(StateFatal, why.err, 0)
	}
	for _, p := range r.pipes {
		p.pause()
	}
	r.await(ctx, nil, func() bool { return !r.busy() })
	if r.busy() { // the stop came first, and finishes them
		return
	}
	r.closeSources(closeTimeout)
	for _, rc := range r.receivers {
		rc.leave()
	}
	if end == endFatal || end == endHeld {
		for _, p := range r.pipes {
			p.close(closeTimeout)
		}
	}
}

// busy tells whether anybody but Run's goroutine holds messages, or dials.
func (r *Route) busy() bool {
	for _, p := range r.pipes {
		p.mu.Lock()
		busy := p.hands > 0 || p.redialing
		p.mu.Unlock()
		if busy {
			return true
		}
	}
	return false
}

// await waits until done, or ctx ends, or force is closed. done is asked after each poke.
func (r *Route) await(ctx context.Context, force <-chan struct{}, done func() bool) {
	for !done() {
		select {
		case <-r.pokes:
		case <-ctx.Done():
			return
		case <-force:
			return
		}
	}
}

func drainSignal[T any](ch chan T) {
	select {
	case <-ch:
	default:
	}
}

// poke wakes receivers that wait for room, and Run's goroutine.
func (r *Route) poke() {
	for _, rc := range r.receivers {
		select {
		case rc.pokes <- struct{}{}:
		default:
		}
	}
	select {
	case r.pokes <- struct{}{}:
	default:
	}
}

// fatal ends the phase because the route can't work. It may be called under a pipeline's lock.
func (r *Route) fatal(p *pipeline, err error) {
	select {
	case r.fatals <- fatalError{p, p.naming(err)}:
	default:
	}
}

// fatalStage ends the phase because a stage can't work.
func (r *Route) fatalStage(err error) {
	select {
	case r.fatals <- fatalError{nil, err}:
	default:
	}
}

// proven ends a probing phase when the pipeline that had failed works. It may be called under a pipeline's lock.
func (r *Route) proven(p *pipeline) {
	if p.kind == toDead || p.bestEffort || !r.probing.Load() {
		return
	}
	if at := r.fatalAt.Load(); at == nil || at == p {
		r.proveNow()
	}
}

func (r *Route) proveNow() {
	select {
	case r.proved <- struct{}{}:
	default:
	}
}

func (r *Route) totalCredit() int { return max(1, int(r.credit.Load())) * len(r.receivers) }

func (r *Route) released(n int) {
	if n > 0 {
		r.metrics.released.Add(float64(n))
	}
}
