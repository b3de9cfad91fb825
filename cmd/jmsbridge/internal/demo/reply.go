package demo

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"go.uber.org/zap"
)

const (
	// asking is how many requests wait for their answers at once.
	asking = 32
	// lastAnswers is how long an interrupted run waits for what it has asked.
	lastAnswers = 5 * time.Second
)

// ReplyReport is what became of the requests.
type ReplyReport struct {
	Asked    int `json:"asked"`
	Answered int `json:"answered"`
	// Wrong are answers that are not those to their request, or belong to none; Twice are those that came again.
	Wrong       int           `json:"wrong"`
	Twice       int           `json:"twice"`
	DeadLetters int           `json:"dead_letters"`
	Median      time.Duration `json:"median_ns"` // of the round trip, faults included
	Slowest     time.Duration `json:"slowest_ns"`
	Duration    time.Duration `json:"duration_ns"`
	Interrupted bool          `json:"interrupted"`
	Faults      []Fault       `json:"faults"`
	Checks      []Check       `json:"checks"`
}

// Problems says in words what is wrong; none: all is well.
func (r *ReplyReport) Problems() []string {
	var all []string
	for _, c := range r.Checks {
		if c.Wrong > 0 {
			all = append(all, fmt.Sprintf("%s: %d wrong of %d, the first: %s", c.Name, c.Wrong, c.Looked, c.First))
		}
	}
	return all
}

// replyRun is one run of the demo of replies.
type replyRun struct {
	*replyWorld
	opt     Options
	faults  []*replyFault
	started time.Time
	slots   chan struct{} // a token for each request that waits
	opened  chan struct{} // a token for each fault that was injected: the asking waits for it

	mu      sync.Mutex // guards what follows
	asked   int
	answers map[string][]string // by correlation id
	sentAt  map[string]time.Time
	trips   []time.Duration

	// The conductor's goroutine only.
	next     int
	lastMove time.Time
	last     int
}

// RunReply runs the demo of replies: requesters ask a function and a service behind SQS, and each answer is compared with its
// request. When ctx ends it asks no more and waits for what it has asked.
func RunReply(ctx context.Context, opt Options) (*ReplyReport, error) {
	if opt.Messages < MinMessages || opt.Messages > MaxMessages {
		return nil, fmt.Errorf("the number of messages must be %d to %d", MinMessages, MaxMessages)
	}
	if opt.Log == nil {
		opt.Log = zap.NewNop()
	}
	if opt.Observe == nil {
		opt.Observe = func(Progress) {}
	}
	if opt.Event == nil {
		opt.Event = func(string) {}
	}
	w, err := buildReply(opt.Log)
	if err != nil {
		return nil, err
	}
	defer w.close()
	r := &replyRun{
		replyWorld: w, opt: opt, faults: w.plan(), slots: make(chan struct{}, asking),
		answers: map[string][]string{}, sentAt: map[string]time.Time{},
	}
	r.opened = make(chan struct{}, len(r.faults))
	return r.run(ctx)
}

func (r *replyRun) run(ctx context.Context) (*ReplyReport, error) {
	r.started = time.Now()
	r.opt.Event(fmt.Sprintf("an embedded broker listens on %s, embedded Lambda and SQS on %s", r.broker.URL(), r.aws.URL()))
	hard, stop := context.WithCancel(context.WithoutCancel(ctx))
	defer stop()
	temporary, err := newRequester(hard, r.broker, quotesQueue, "/temp-queue/answers", "", r.answered)
	if err != nil {
		return nil, err
	}
	defer temporary.close()
	named, err := newRequester(hard, r.broker, pricesQueue, "/queue/REPLY.app", "JMSCorrelationID LIKE 'named-%'", r.answered)
	if err != nil {
		return nil, err
	}
	defer named.close()
	var working sync.WaitGroup
	problems := make(chan error, len(r.routes)+1)
	for _, route := range r.routes {
		working.Go(func() { problems <- route.Run(hard, nil) })
	}
	working.Go(func() { problems <- r.respond(hard) })
	soft, enough := context.WithCancel(ctx)
	asked := make(chan error, 1)
	working.Go(func() { asked <- r.askAll(soft, hard, []*requester{temporary, named}) })

	err = r.conduct(ctx, asked)
	enough()
	took := time.Since(r.started)
	for _, f := range r.faults {
		if f.at != nil {
			f.Fired = f.at.Fired()
			f.at.Remove()
		}
	}
	stop()
	working.Wait()
	close(problems)
	for p := range problems {
		err = errors.Join(err, p)
	}
	r.opt.Observe(r.progress())
	return r.judge(ctx, took, err), nil
}

// askAll asks by turns, and waits where a fault is to be injected first.
func (r *replyRun) askAll(soft, hard context.Context, requesters []*requester) error {
	parts := len(r.faults) + 1
	for part := range parts {
		if part > 0 {
			select {
			case <-r.opened:
			case <-soft.Done():
				return nil
			}
		}
		for i := r.opt.Messages * part / parts; i < r.opt.Messages*(part+1)/parts; i++ {
			select {
			case r.slots <- struct{}{}:
			case <-soft.Done():
				return nil
			}
			if soft.Err() != nil { // both were ready
				return nil //nolint:nilerr // the user wants no more
			}
			correlation := correlationOf(i)
			r.mu.Lock()
			r.asked++
			r.sentAt[correlation] = time.Now()
			r.mu.Unlock()
			if err := requesters[i%len(requesters)].ask(hard, correlation, requestOf(i)); err != nil {
				return err
			}
		}
	}
	return nil
}

// correlationOf and requestOf are pure functions of a request's number.
func correlationOf(i int) string {
	return [...]string{"temporary-", "named-"}[i%2] + strconv.Itoa(i)
}

func requestOf(i int) string {
	return fmt.Sprintf("request %d: grüße, 你好, \U0001F69A <&> \"quoted\"", i)
}

// answered takes an answer. The requesters' readers call it.
func (r *replyRun) answered(correlation, body string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.answers[correlation] = append(r.answers[correlation], body)
	at, ours := r.sentAt[correlation]
	if !ours || len(r.answers[correlation]) > 1 {
		return
	}
	r.trips = append(r.trips, time.Since(at))
	<-r.slots
}

// counts returns how many have been asked and answered.
func (r *replyRun) counts() (asked, answered int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.asked, len(r.trips)
}

// conduct injects the faults when their time comes and waits for the end.
func (r *replyRun) conduct(ctx context.Context, finished <-chan error) error {
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	r.lastMove = time.Now()
	interrupted, going, asking := ctx.Done(), true, true
	patience := stuck
	for n := 0; ; n++ {
		select {
		case err := <-finished:
			asking = false
			if err != nil {
				return err
			}
		case <-tick.C:
		case <-interrupted:
			interrupted, going, patience = nil, false, lastAnswers
			r.lastMove = time.Now()
			r.opt.Event("stopping: nothing more is asked, and what is asked gets its answers")
		}
		asked, answered := r.counts()
		if answered != r.last {
			r.last, r.lastMove = answered, time.Now()
		}
		if n%5 == 0 {
			r.opt.Observe(r.progress())
		}
		r.follow(answered, going)
		if !asking && answered == asked && (!going || r.survivedAll()) {
			return nil
		}
		if time.Since(r.lastMove) > patience {
			return fmt.Errorf("no answer has come for %v", patience)
		}
	}
}

// follow watches the fault at work, and injects the next one when all that was asked before it is answered.
func (r *replyRun) follow(answered int, going bool) {
	if r.next > 0 {
		f := r.faults[r.next-1]
		if f.overAt < 0 && f.at.Over() && (f.back == nil || f.back()) {
			f.overAt = answered
		}
		if f.Survived == 0 && f.overAt >= 0 && (answered > f.overAt || answered >= r.opt.Messages*(r.next+1)/(len(r.faults)+1)) {
			f.Survived = time.Since(f.injected)
			r.opt.Event(fmt.Sprintf("survived: answers arrive again, %v after it began", f.Survived.Round(time.Millisecond)))
		}
		if f.Survived == 0 {
			return
		}
	}
	if !going || r.next == len(r.faults) || answered < r.opt.Messages*(r.next+1)/(len(r.faults)+1) {
		return
	}
	f := r.faults[r.next]
	f.After, f.injected = answered, time.Now()
	f.at = f.inject()
	r.opt.Event("fault: " + f.Name)
	r.next++
	r.opened <- struct{}{}
}

func (r *replyRun) survivedAll() bool {
	return !slices.ContainsFunc(r.faults, func(f *replyFault) bool { return f.Survived == 0 })
}

func (r *replyRun) progress() Progress {
	asked, answered := r.counts()
	p := Progress{
		Total: r.opt.Messages, Sent: asked, Settled: answered, InFlight: asked - answered, Duplicates: r.doubles.Fired(), Faults: r.next,
		Elapsed: time.Since(r.started),
	}
	p.Rate = float64(answered) / max(p.Elapsed.Seconds(), 0.001)
	return p
}

// judge compares each answer with its request. Everything has stopped.
func (r *replyRun) judge(ctx context.Context, took time.Duration, err error) *ReplyReport {
	out := &ReplyReport{Asked: r.asked, Duration: took, Interrupted: ctx.Err() != nil, DeadLetters: r.aws.Depth(replyDeadQueue).Total()}
	all := Check{Name: "every request is answered"}
	right := Check{Name: "every answer is the one to its request"}
	once := Check{Name: "no request is answered twice"}
	for i := range r.asked {
		got := r.answers[correlationOf(i)]
		delete(r.answers, correlationOf(i))
		all.look(len(got) > 0, "request %d on %s", i, strings.TrimRight(correlationOf(i), "-0123456789"))
		if len(got) == 0 {
			continue
		}
		out.Answered++
		out.Twice += len(got) - 1
		once.look(len(got) == 1, "request %d got %d answers", i, len(got))
		for _, body := range got {
			ok := body == answerTo(requestOf(i))
			if !ok {
				out.Wrong++
			}
			right.look(ok, "request %d got %.100q", i, body)
		}
	}
	for correlation, got := range r.answers {
		out.Wrong += len(got)
		right.look(false, "an answer with the correlation id %.100q belongs to no request", correlation)
	}
	dead := Check{Name: "nothing went to the dead letter queue"}
	dead.look(out.DeadLetters == 0, "%d messages", out.DeadLetters)
	faults := Check{Name: "every injected fault fired and was survived"}
	for _, f := range r.faults {
		if f.at == nil {
			continue
		}
		out.Faults = append(out.Faults, f.Fault)
		faults.look(out.Interrupted || f.Fired == f.Planned && f.Survived > 0, "%s: it fired %d times of %d", f.Name, f.Fired, f.Planned)
	}
	out.Checks = []Check{all, right, once, dead, faults}
	if err != nil {
		out.Checks = append(out.Checks, Check{Name: "the run", Looked: 1, Wrong: 1, First: err.Error()})
	}
	if slices.Sort(r.trips); len(r.trips) > 0 {
		out.Median, out.Slowest = r.trips[len(r.trips)/2], r.trips[len(r.trips)-1]
	}
	return out
}
