package bridge

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// The simulation runs a route between a simulated broker and simulated targets in virtual time, with faults at every
// step that a seed chooses, and checks the invariants: I1 no loss, I2 nothing invented or changed, in headers, properties
// and body, I3 duplicates only after a fault and with the same id, I4 order in a group, I6 liveness, with a probe when
// the faults end and at the end, I7 bounded memory, at every moment, and no goroutine left, I8 a stop at any moment. (I5 is
// about replies, I9 about crashes of the process.)

var (
	simSeed  = flag.Int64("sim.seed", -1, "run the simulation with this seed only")
	simTrace = flag.String("sim.trace", "-", "print what happens to the message with this key")
	simSeeds = flag.Int("sim.seeds", 1000, "how many seeds the simulation runs")
)

// simFaults are the kinds of faults of one seed; each may be on or off.
type simFaults struct {
	reset, refuse, badLogin, lateVerdicts               bool // broker
	drop, stall, lostAnswer, throttle, partial, suspect bool // single calls to the target
	outage, fatalPhase, disconnect, panics, deadOutage  bool // the target as a whole
	poison, hold, expiry, stop, twins                   bool
}

// simWorld is one seed's world.
type simWorld struct {
	seed   int64
	mu     sync.Mutex // guards rng and the fields below
	rng    *rand.Rand
	faults simFaults
	set    RouteSettings
	total  int
	groups int

	brokers      []*simBroker // one for each source; a group is on one of them
	target, dead *simTarget
	more         []*simMore            // further targets
	requester    *simTarget            // waits for replies; nil: nobody does
	known        map[string]*Message   // what was put, for who may not ask the brokers
	orphans      map[string]bool       // requests whose requester has gone
	sly          map[string]bool       // poisonous ones that fail their whole call without being named
	route        atomic.Pointer[Route] // the one that runs
	most         map[*simSource]int64  // the bytes of its largest Receive
	began        time.Time
	slow         time.Duration // the longest answer, while there are faults
	pace         time.Duration // between messages, on average
	quietAt      time.Duration // no faults from then on
	phases       []simPhase
	poison, held map[string]bool
	expires      map[string]bool
	holds        int             // how many are to be held
	dropped      map[string]bool // settled although no target had it, as the route was told to
	fired        map[string]int
	slowest      time.Duration // until a probe was through, since the end of the faults
	slowestReady time.Duration // … and since everything was connected
	restarted    bool
	last         RouteStatus // before the last stop
	problems     []string
}

// simPhase is a time in which every call to the target fails.
type simPhase struct {
	from, to time.Duration
	kind     string // "outage", "fatal", "dead outage"
}

func (w *simWorld) fire(kind string) { w.fired[kind]++ }

func (w *simWorld) problem(invariant, format string, args ...any) {
	if len(w.problems) < 20 {
		w.problems = append(w.problems, invariant+": "+fmt.Sprintf(format, args...))
	}
}

func (w *simWorld) chance(p float64) bool { return w.rng.Float64() < p }

func (w *simWorld) upTo(d time.Duration) time.Duration {
	if d <= 0 {
		return 0
	}
	return time.Duration(w.rng.Int64N(int64(d)))
}

// newSimWorld draws a world from a seed.
func newSimWorld(seed int64, bug plantedBug) *simWorld {
	w := &simWorld{
		seed: seed, rng: rand.New(rand.NewPCG(uint64(seed), 1)),
		poison: map[string]bool{}, held: map[string]bool{}, expires: map[string]bool{}, dropped: map[string]bool{}, fired: map[string]int{},
		most: map[*simSource]int64{},
	}
	w.total = 20 + w.rng.IntN(300)
	w.groups = 1 + w.rng.IntN(8)
	w.quietAt = 60 * time.Second
	on := func() bool { return w.chance(0.3) }
	if !w.chance(0.05) { // one in twenty is without faults
		w.faults = simFaults{
			on(), on(), on(), on(), on(), on(), on(), on(), on(), on(), on(), on(), on(), on(), on(), on(), on(), on(), on(), on(),
		}
	}
	if seed%4 == 1 { // in a quarter of the worlds only the broker and the target as a whole fail
		f := &w.faults
		f.partial, f.drop, f.stall, f.lostAnswer, f.panics, f.disconnect, f.suspect = false, false, false, false, false, false, false
		f.outage = f.outage || w.chance(0.5)
	}
	l := Limits{
		Messages: 1 + w.rng.IntN(10), Calls: 1 + w.rng.IntN(8), Run: 1, Timeout: 2*time.Second + w.upTo(8*time.Second),
		Linger: w.upTo(10 * time.Millisecond), Dedup: w.chance(0.7), Group: w.chance(0.3),
	}
	if w.chance(0.3) {
		l.Run = 1 + w.rng.IntN(4)
	}
	if w.chance(0.3) {
		l.Bytes = 100 + w.rng.IntN(100)
		l.Overhead = 5
	}
	w.target = newSimTarget(l)
	w.dead = newSimTarget(Limits{Messages: 1 + w.rng.IntN(5), Calls: 1 + w.rng.IntN(3), Run: 1, Timeout: 5 * time.Second})
	w.slow = w.upTo(400 * time.Millisecond)
	w.pace = w.upTo(time.Minute) / time.Duration(w.total)
	for _, t := range []*simTarget{w.target, w.dead} {
		t.latency = func() time.Duration { return w.locked(w.answer) }
	}
	w.target.fault, w.dead.fault = w.targetFault, w.deadFault
	w.target.refuse = w.targetRefuses
	w.target.fresh, w.dead.fresh = w.checkFresh, w.checkFresh
	w.target.content, w.dead.content = w.checkTarget, w.checkDead
	w.set = RouteSettings{
		Name: "sim", Order: Order(w.rng.IntN(3)), Expired: ExpiredPolicy(w.rng.IntN(2)),
		Credit: 5 + w.rng.IntN(60), Drain: 5*time.Second + w.upTo(20*time.Second),
		Targets: []TargetSettings{{Name: "t", Sink: w.target}},
		Window:  WindowSettings{Bytes: 1000 + w.rng.Int64N(10000)},
		jitter:  func(n time.Duration) time.Duration { return w.locked(func() time.Duration { return w.upTo(n) }) },
		bug:     bug,
	}
	if w.chance(0.3) {
		w.set.Window.Bytes = 50 + w.rng.Int64N(700) // a few messages, or less than one
	}
	if w.chance(0.3) {
		w.set.Window.Messages = 1 + w.rng.IntN(30)
	}
	if w.chance(0.8) {
		w.set.DeadLetter = &PipelineSettings{Name: "d", Sink: w.dead}
	} else if w.chance(0.3) {
		w.set.DropDead = true
	} else { // every dead letter is held, and must not use up the credit
		w.faults.poison, w.faults.partial, w.faults.stall, w.faults.drop, w.faults.lostAnswer = false, false, false, false, false
		w.faults.suspect, w.faults.panics, w.faults.disconnect, w.faults.expiry = false, false, false, false
	}
	w.target.noOrder, w.dead.noOrder = w.set.Order == OrderNone, w.set.Order == OrderNone
	if w.set.Order == OrderStrict {
		w.faults.hold = false // it stops the route, which has a test of its own
	}
	w.addBrokers()
	w.drawPhases()
	w.extend()
	return w
}

func (w *simWorld) addBrokers() {
	n := 1
	if w.set.Order != OrderStrict && w.chance(0.25) {
		n = 2
	}
	for i := range n {
		b := newSimBroker()
		b.mixed = true
		if i > 0 {
			b.name, b.other = "second-", w.brokers[0]
			w.brokers[0].other = b
		}
		b.refuse, b.hold, b.verdict, b.twin, b.again = w.brokerRefuses, w.holdReason, w.checkVerdict, w.twin, w.again
		b.entered, b.received, b.settling = w.entering, w.received, w.sample
		if w.faults.lateVerdicts {
			b.flushIn = w.upTo(20 * time.Millisecond)
		}
		w.brokers = append(w.brokers, b)
		w.set.Sources = append(w.set.Sources, &simSource{b: b})
	}
}

// answer is how long the target takes for an answer. Once there are no faults it is quick, so that what has piled up is
// soon gone and the time that a probe takes tells something of the engine. The caller holds the lock.
func (w *simWorld) answer() time.Duration {
	if w.quiet() {
		return w.upTo(min(w.slow, quickAnswer))
	}
	return w.upTo(w.slow)
}

// quickAnswer is the longest answer of a target in good health: a strict route moves 300 messages in 6 s at most.
const quickAnswer = 20 * time.Millisecond

func (w *simWorld) drawPhases() {
	add := func(on bool, kind string) {
		if on {
			from := w.upTo(20 * time.Second)
			w.phases = append(w.phases, simPhase{from, from + w.upTo(40*time.Second), kind})
		}
	}
	add(w.faults.outage, "outage")
	add(w.faults.fatalPhase, "fatal")
	add(w.faults.deadOutage, "dead outage")
}

func (w *simWorld) locked(f func() time.Duration) time.Duration {
	w.mu.Lock()
	defer w.mu.Unlock()
	return f()
}

// quiet tells that faults are over. The caller holds the lock.
func (w *simWorld) quiet() bool { return time.Since(w.began) >= w.quietAt }

func (w *simWorld) in(kind string) bool {
	at := time.Since(w.began)
	for _, p := range w.phases {
		if p.kind == kind && at >= p.from && at < p.to {
			return true
		}
	}
	return false
}

// targetFault chooses what happens to a call.
func (w *simWorld) targetFault(batch []Outgoing) simFault {
	w.sample()
	w.mu.Lock()
	defer w.mu.Unlock()
	f := simFault{partial: map[int]error{}, stormy: !w.quiet()}
	for i := range batch {
		if w.poison[batch[i].Message.Key] {
			w.fire("poison")
			f.partial[i] = &Error{Class: Permanent, Code: "Poison", Err: errors.New("a poisonous message")}
		}
	}
	if found, err := w.slyFault(batch); found {
		f.err, f.partial = err, nil
		return f
	}
	if w.quiet() {
		return f
	}
	switch {
	case w.in("outage"):
		w.fire("outage")
		f.err = &Error{Class: Transient, Code: "500", Err: errTransient}
		f.stored = w.chance(0.1)
	case w.in("fatal"):
		w.fire("fatal")
		f.err = &Error{Class: Fatal, Code: "AccessDenied", Err: errors.New("access denied")}
	case w.faults.drop && w.chance(0.03):
		w.fire("drop")
		f.stall = time.Minute
	case w.faults.lostAnswer && w.chance(0.03):
		w.fire("lost answer")
		f.err, f.stored = &Error{Class: Ambiguous, Code: "reset", Err: errTransient}, true
	case w.faults.stall && w.chance(0.05):
		w.fire("stall")
		f.stall = w.upTo(12 * time.Second)
		f.stored = w.chance(0.5)
	case w.faults.throttle && w.chance(0.1):
		w.fire("throttle")
		f.err = &Error{Class: Throttled, Code: "Throttled", After: w.upTo(time.Second), Err: errTransient}
	case w.faults.suspect && len(batch) > 1 && w.chance(0.1):
		w.fire("suspect")
		f.err = &Error{Class: Suspect, Code: "BatchRequestTooLong", Err: errTransient}
	case w.faults.disconnect && w.chance(0.02):
		w.fire("disconnect")
		f.err, f.stored = fmt.Errorf("sending: %w", ErrNotConnected), w.chance(0.3)
	case w.faults.panics && w.chance(0.02):
		w.fire("panic")
		f.panics = true
	case w.faults.partial && w.chance(0.15):
		w.partly(batch, &f)
	}
	if f.err != nil || f.panics {
		f.partial = nil
	}
	return f
}

// partly fails the earlier entry of a call, and the rest of its group with it.
func (w *simWorld) partly(batch []Outgoing, f *simFault) {
	w.fire("partial")
	first := w.rng.IntN((len(batch) + 1) / 2)
	f.partial[first] = &Error{Class: Transient, Code: "InternalError", Err: errTransient}
	for i := first + 1; i < len(batch); i++ {
		if batch[i].Group != "" && batch[i].Group == batch[first].Group {
			w.fire("partial, earlier of two")
			f.partial[i] = f.partial[first]
		}
	}
}

func (w *simWorld) deadFault([]Outgoing) simFault {
	w.sample()
	w.mu.Lock()
	defer w.mu.Unlock()
	if !w.quiet() && w.in("dead outage") {
		w.fire("dead outage")
		return simFault{err: &Error{Class: Transient, Code: "500", Err: errTransient}, stormy: true}
	}
	return simFault{stormy: !w.quiet()}
}

func (w *simWorld) targetRefuses() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if !w.quiet() && w.in("outage") {
		w.fire("target refuses")
		return errors.New("connection refused")
	}
	return nil
}

func (w *simWorld) brokerRefuses() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.quiet() {
		return nil
	}
	if w.faults.refuse && w.chance(0.3) {
		w.fire("refuse")
		return errors.New("connection refused")
	}
	if w.faults.badLogin && w.chance(0.2) {
		w.fire("bad login")
		return &Error{Class: Fatal, Code: "SecurityException", Err: errors.New("user name or password is invalid")}
	}
	return nil
}

func (w *simWorld) holdReason(key string) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.held[key] {
		w.fire("hold")
		return errors.New("can't be told on this wire")
	}
	return nil
}

// checkVerdict is asked at the moment of each verdict: the message must be safe by then.
func (w *simWorld) checkVerdict(key string) {
	safe := w.target.has(key) || w.dead.has(key)
	w.mu.Lock()
	defer w.mu.Unlock()
	if safe {
		if text := w.lacking(key, w.known[key]); text != "" {
			w.problem("I1", "%s was settled, and %s", key, text)
		}
		return
	}
	switch {
	case w.expires[key] && w.set.Expired == ExpireDrop:
	case w.set.DropDead && (w.poison[key] || w.expires[key] || w.mayUseUp()):
		w.dropped[key] = true
	default:
		w.problem("I1", "%s was settled before any target had it", key)
	}
}

// twin says whether a message that is about to be delivered is there a second time, and where. With order the two are
// in one queue: no bridge can tell in which order two brokers were meant to give one group.
func (w *simWorld) twin(key string) simTwin {
	w.mu.Lock()
	defer w.mu.Unlock()
	if !w.faults.twins || w.quiet() || w.held[key] || !w.chance(0.04) {
		return twinNone
	}
	if len(w.brokers) > 1 && w.set.Order == OrderNone && w.chance(0.5) {
		w.fire("duplicate on another connection")
		return twinElsewhere
	}
	w.fire("duplicate")
	if w.chance(0.5) {
		return twinLast
	}
	return twinNext
}

// again says whether a broker that loses its connection has forgotten the last acknowledgement.
func (w *simWorld) again(key string) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if !w.faults.twins || w.held[key] || !w.chance(0.5) {
		return false
	}
	w.fire("duplicate on the next connection")
	return true
}

// mayUseUp tells that this seed's faults may be charged to a message that is not poisonous.
func (w *simWorld) mayUseUp() bool {
	f := w.faults
	return f.partial || f.drop || f.stall || f.lostAnswer || f.panics || f.disconnect || f.suspect
}

// checkFresh is asked for each message at the start of a call: its connection must not have been lost by then.
func (w *simWorld) checkFresh(m *Message) {
	for _, b := range w.brokers {
		if at, lost := b.lostAt(m); lost && time.Now().After(at) {
			w.mu.Lock()
			w.problem("I3", "%s was sent although its connection was lost %v ago", m.Key, time.Since(at))
			w.mu.Unlock()
		}
	}
}

// produce puts the messages on the queue, over some seconds.
func (w *simWorld) produce() {
	put := map[*simBroker]int{}
	for range w.total {
		w.mu.Lock()
		group, pinned := "", w.rng.IntN(w.groups)
		if w.chance(0.9) {
			group = fmt.Sprint("g", pinned)
		}
		b := w.brokers[pinned%len(w.brokers)]
		var expires time.Time
		expiring := w.faults.expiry && w.chance(0.1)
		if expiring {
			expires = time.Now().Add(w.upTo(20 * time.Second))
		}
		poison := w.faults.poison && w.chance(0.05)
		held := !poison && w.faults.hold && w.holds < w.set.Credit/4 && w.chance(0.05)
		pause := time.Duration(0)
		if w.chance(0.2) && !w.quiet() { // they come in bursts
			pause = w.upTo(10 * w.pace)
		}
		put[b]++
		key := b.key(put[b])
		w.poison[key], w.held[key], w.expires[key] = poison, held, expiring
		w.sly[key] = poison && w.chance(0.4)
		if held {
			w.holds++
		}
		if expiring {
			w.fire("expiry")
		}
		w.mu.Unlock()
		b.putAs(key, group, expires)
		kept := b.putMessage(key)
		w.mu.Lock()
		w.known[key] = kept
		w.mu.Unlock()
		sleep(context.Background(), pause)
	}
}

// disturb cuts the broker's connection now and then.
func (w *simWorld) disturb(ctx context.Context) {
	for w.faults.reset && ctx.Err() == nil {
		w.mu.Lock()
		wait := w.upTo(15 * time.Second)
		w.mu.Unlock()
		sleep(ctx, wait)
		w.mu.Lock()
		if w.quiet() {
			w.mu.Unlock()
			return
		}
		w.fire("reset")
		b := w.brokers[w.rng.IntN(len(w.brokers))]
		w.mu.Unlock()
		b.reset()
	}
}

// run lives the whole life of the world and returns what was wrong.
func (w *simWorld) run() []string {
	w.began = time.Now()
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	var others sync.WaitGroup
	others.Go(w.produce)
	others.Go(func() { w.disturb(ctx) })
	others.Go(func() { w.watch(ctx) })
	for w.faults.stop && !w.locked2(w.quiet) {
		w.mu.Lock()
		// A stop is a fault as well: none begins when they are over.
		life, hurry := min(w.upTo(30*time.Second), w.quietAt-time.Since(w.began)), w.chance(0.3)
		w.restarted = true
		w.fire("stop")
		w.mu.Unlock()
		w.live(life, hurry)
	}
	rest := max(w.quietAt-time.Since(w.began), 0)
	for _, b := range w.brokers {
		others.Go(func() {
			sleep(ctx, rest)
			w.probe(b)
		})
	}
	w.live(rest+patience, false)
	if w.last.State != StateRunning || w.last.Connected != len(w.brokers) || w.last.InFlight > 0 {
		w.problem("I6", "at the end the route is not at work, or not idle: %+v", w.last)
	}
	cancel()
	others.Wait()
	w.judge()
	return w.problems
}

// patience is how long everything may take to be settled once there are no faults any more: a call that began before may
// run for ten seconds, what it found may cost half a minute's wait, and the rest is a matter of seconds.
const patience = 75 * time.Second

func (w *simWorld) locked2(f func() bool) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return f()
}

// live runs a route for some time and stops it.
func (w *simWorld) live(life time.Duration, hurry bool) {
	r, err := NewRoute(w.set)
	if err != nil {
		w.problem("setup", "%v", err)
		return
	}
	w.mu.Lock()
	clear(w.most)
	w.mu.Unlock()
	w.route.Store(r)
	ctx, cancel := context.WithCancel(context.Background())
	force, ended := make(chan struct{}), make(chan error, 1)
	go func() { ended <- r.Run(ctx, force) }()
	sleep(context.Background(), life)
	w.last = r.Status()
	limit := w.set.Drain
	began := time.Now()
	cancel()
	if hurry {
		sleep(context.Background(), 10*time.Millisecond)
		close(force)
		limit = time.Second
	}
	if err := <-ended; err != nil {
		w.problem("I8", "Run: %v", err)
	}
	if took := time.Since(began); took > limit+100*time.Millisecond {
		w.problem("I8", "the stop took %v of %v", took, limit)
	}
	w.audit(r)
}

// audit checks a route that has stopped: conservation, and that nothing is kept.
func (w *simWorld) audit(r *Route) {
	s := r.Status()
	c := s.Counters
	sum := c.Delivered + c.DeadLettered + c.Dropped + c.Filtered + c.Expired + c.Released + uint64(s.InFlight) + uint64(s.HeldCount)
	if c.Received != sum {
		w.problem("conservation", "received %d, accounted for %d: %+v", c.Received, sum, c)
	}
	if s.InFlight != 0 || s.HeldCount != 0 || s.InFlightBytes != 0 || r.window.vowed != 0 {
		w.problem("I7", "%d in flight, %d held, %d bytes, %d promised after the stop", s.InFlight, s.HeldCount, s.InFlightBytes, r.window.vowed)
	}
	for _, p := range r.pipes {
		if p.sched != nil && (p.sched.waiting != 0 || p.sched.avail != 0 || len(p.sched.asleep.s) != 0 || p.flights != nil) {
			w.problem("I7", "%s keeps %d waiting, %d available, %d asleep", p.name, p.sched.waiting, p.sched.avail, len(p.sched.asleep.s))
		}
	}
	if len(r.window.ghosts.m) > r.window.ghosts.limit {
		w.problem("I7", "%d ghosts", len(r.window.ghosts.m))
	}
}

// judge checks the end: everything is where it should be, in order, and no more often than the faults explain.
func (w *simWorld) judge() {
	// I6 and I1: a message that is neither held nor safe was lost, or is stuck.
	for _, b := range w.brokers {
		for _, key := range b.keys {
			switch owed := b.owed[key]; {
			case owed > 0 && w.held[key]:
			case owed != 0:
				w.problem("I6", "%s is to be settled %d times more at the end", key, owed)
			case !w.target.has(key) && !w.dead.has(key) && !w.dropped[key] && !(w.expires[key] && w.set.Expired == ExpireDrop):
				w.problem("I1", "%s was lost", key)
			}
		}
		for _, text := range b.wrong {
			w.problem("I2", "%s", text)
		}
	}
	for _, t := range []*simTarget{w.target, w.dead} {
		for _, text := range t.wrong {
			w.problem("I2", "%s", text)
		}
	}
	w.judgeDuplicates(w.target, 1)
	w.judgeDuplicates(w.dead, len(w.set.Targets))
	w.judgeOrderOf(w.target)
	w.judgeMore()
	if !w.mayUseUp() {
		for _, s := range w.dead.log {
			if !w.poison[s.key] && !w.expires[s.key] {
				w.problem("outage", "%s was dead-lettered for a fault of the target", s.key)
			}
		}
	}
}

// judgeDuplicates: what was answered as a success is never sent again, unless the verdict was lost with a connection or
// the process; all copies carry the same id.
func (w *simWorld) judgeDuplicates(t *simTarget, each int) {
	ids := map[string]string{}
	for _, s := range t.log {
		if id, ok := ids[s.key]; ok && id != s.dedup {
			w.problem("I3", "%s was sent with two deduplication ids", s.key)
		}
		ids[s.key] = s.dedup
	}
	if w.restarted {
		return
	}
	for key, n := range t.confirmed {
		lost, deliveries, copied := 0, 0, false
		for _, b := range w.brokers {
			lost += b.lostVerdicts[key]
			deliveries += b.deliveries[key]
			copied = copied || b.copied[key]
		}
		switch {
		case copied && n > each*deliveries: // of two with one key nothing is remembered, but one delivery is one message
			w.problem("I3", "%s was confirmed %d times for %d deliveries", key, n, deliveries)
		case !copied && n > each*(1+lost):
			w.problem("I3", "%s was confirmed %d times, and %d verdicts were lost", key, n, lost)
		}
	}
}

// judgeOrderOf: within a group, messages arrive for the first time in the order in which they were sent. Dead-lettered and
// expired ones are no longer part of it; nor, when the process was stopped before its dead letter had it, is one that
// had failed: a new process does not know of it.
func (w *simWorld) judgeOrderOf(t *simTarget) {
	if w.set.Order == OrderNone {
		return
	}
	last, seen := map[string]int32{}, map[string]bool{}
	for _, s := range t.log {
		if seen[s.key] || w.dead.has(s.key) || w.dropped[s.key] || w.expires[s.key] || w.restarted && t.tried[s.key] > t.confirmed[s.key] {
			continue
		}
		seen[s.key] = true
		group := s.group
		if w.set.Order == OrderStrict {
			group = "*"
		} else if group == "" {
			continue
		}
		if s.seq < last[group] {
			w.problem("I4", "%s came to group %s after number %d", s.key, group, last[group])
		}
		last[group] = s.seq
	}
}

// simulate runs one seed in a bubble.
func simulate(t *testing.T, seed int64, bug plantedBug) *simWorld {
	t.Helper()
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1)) // so that a seed runs the same way again
	var w *simWorld
	synctest.Test(t, func(*testing.T) {
		w = newSimWorld(seed, bug) // in the bubble, for its channels belong there
		w.run()
	})
	return w
}

func TestSimulation(t *testing.T) {
	from, n := int64(0), int64(*simSeeds)
	if *simSeed >= 0 {
		from, n = *simSeed, 1
	}
	fired, slowest, slowestReady := map[string]int{}, time.Duration(0), time.Duration(0)
	for seed := from; seed < from+n; seed++ {
		w := simulate(t, seed, bugNone)
		for kind, times := range w.fired {
			fired[kind] += times
		}
		slowest, slowestReady = max(slowest, w.slowest), max(slowestReady, w.slowestReady)
		for _, p := range w.problems {
			t.Errorf("seed %d: %s", seed, p)
		}
		if len(w.problems) > 0 {
			t.Fatalf("replay: go test ./bridge -run TestSimulation -sim.seed=%d\nfaults: %+v\nfired: %v\nstatus before the stop: %+v\nreplies: %+v",
				seed, w.faults, w.fired, w.last, w.last.Replies)
		}
	}
	if n < 200 {
		return
	}
	for _, kind := range []string{
		"reset", "refuse", "bad login", "drop", "stall", "lost answer", "throttle", "partial", "partial, earlier of two", "suspect",
		"outage", "target refuses", "fatal", "disconnect", "panic", "dead outage", "poison", "hold", "expiry", "stop",
		"duplicate", "duplicate on another connection", "duplicate on the next connection",
		"window full of messages", "window full of bytes",
		"fan-out", "outage of a further target", "partial failure of a further target", "reply", "reply outage", "orphan",
		"one of a call, nobody knows which",
	} {
		if fired[kind] == 0 {
			t.Errorf("no fault of the kind %q has fired", kind)
		}
	}
	t.Logf("faults fired: %v", fired)
	t.Logf("the slowest probe was through %v after the last fault, and %v after everything was connected", slowest, slowestReady)
}

// Each planted bug must be found, and by the invariant that it breaks.
func TestSimulationFindsPlantedBugs(t *testing.T) {
	for _, planted := range []struct {
		name string
		bug  plantedBug
		by   []string
	}{
		{"settle before the answer", bugSettleEarly, []string{"I1"}},
		{"resend of a success", bugResend, []string{"I3"}},
		{"a later message of a group overtakes", bugOvertake, []string{"I4"}},
		{"loss at stop", bugLoseAtStop, []string{"I1"}},
		{"settle on a new connection", bugSettleElsewhere, []string{"I1", "I2"}},
		{"a budget spent during an outage", bugOutageBudget, []string{"outage"}},
		{"a held message forgotten", bugForgetHeld, []string{"conservation"}},
		{"a stale copy in a lane", bugStaleCopy, []string{"I3"}},
		{"a header lost on the way", bugHeader, []string{"I2"}},
		{"a property lost on the way", bugProperty, []string{"I2"}},
		{"bodies exchanged", bugBody, []string{"I2"}},
		{"a message that nobody has put", bugInvent, []string{"I2"}},
		{"one of two with the same key settled unsent", bugTwin, []string{"I1"}},
		{"a wait without a bound", bugLongWait, []string{"I6: the probe"}},
		{"settled when the first of several targets has it", bugSettleAtFirst, []string{"I1"}},
		{"forgotten which targets have what comes again", bugForgetDone, []string{"I3"}},
		{"a request settled before its reply is sent", bugSettleBeforeReply, []string{"I1"}},
		{"a batch that is never halved", bugHalveInPlace, []string{"I6"}},
		{"a window without a bound in bytes", bugWindowBytes, []string{"I7"}},
		{"a window without a bound in messages", bugWindowMessages, []string{"I7"}},
	} {
		t.Run(planted.name, func(t *testing.T) {
			for seed := range int64(200) {
				for _, p := range simulate(t, seed, planted.bug).problems {
					for _, by := range planted.by {
						if strings.HasPrefix(p, by+":") || strings.HasPrefix(p, by+" ") {
							t.Logf("seed %d: %s", seed, p)
							return
						}
					}
				}
			}
			t.Fatalf("not found by %v in 200 seeds", planted.by)
		})
	}
}
