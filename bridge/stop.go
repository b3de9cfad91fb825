package bridge

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"go.uber.org/zap"
)

const (
	// forcedStop is how long a forced stop takes for giving back, and again for disconnecting.
	forcedStop = 400 * time.Millisecond
	// unheeded is how long something may go on that was told to end before it is left behind.
	unheeded = 100 * time.Millisecond
	// cancelledSends is how long calls that were cancelled may take to notice.
	cancelledSends = 2 * time.Second
)

// awaitReceivers waits until the receivers of a phase that is over have ended, which they do at once but for a Close that
// is under way. Once ctx has ended it waits no longer than calls may run, or until force is closed. It returns false when
// it left any behind.
func (r *Route) awaitReceivers(ctx context.Context) bool {
	if r.receiversEnd(ctx, nil) {
		return true
	}
	r.stopping = time.Now()
	patience, cancel := context.WithTimeout(context.Background(), r.set.Drain*4/5)
	defer cancel()
	if r.receiversEnd(patience, r.force) {
		return true
	}
	last, cancelLast := context.WithTimeout(context.Background(), unheeded)
	defer cancelLast()
	if r.receiversEnd(last, nil) {
		return true
	}
	for i, rc := range r.receivers {
		select {
		case <-rc.ended:
		default:
			rc.left.Store(true)
			r.set.Log.Warn("a source does not end and is left behind", zap.String(LogRoute, r.set.Name), zap.Int(LogSource, i+1))
		}
	}
	return false
}

func (r *Route) receiversEnd(ctx context.Context, force <-chan struct{}) bool {
	for _, rc := range r.receivers {
		select {
		case <-rc.ended:
		case <-ctx.Done():
			return false
		case <-force:
			return false
		}
	}
	return true
}

// stop finishes what can be finished, gives the rest back, and disconnects. The receivers have ended, or are left behind.
func (r *Route) stop(cancelSends context.CancelFunc) error {
	force := r.force
	r.ending.Store(true)
	before := r.Status()
	defer r.logStop(&before)
	r.setPhase(StateStopping, nil, 0)
	if r.stopping.IsZero() {
		r.stopping = time.Now()
	}
	end := r.stopping.Add(r.set.Drain)
	soft, cancelSoft := context.WithDeadline(context.Background(), r.stopping.Add(r.set.Drain*4/5))
	defer cancelSoft()

	for _, p := range r.pipes {
		p.drain()
	}
	// What has failed waits for the broker, not for us.
	r.giveBackWaiting(func(p *pipeline) func(*item) bool { return p.sched.sleeping })
	r.await(soft, force, func() bool {
		r.giveBackWaiting(func(p *pipeline) func(*item) bool {
			if p.works() {
				return nil
			}
			return func(*item) bool { return true }
		})
		return r.window.finished(r.targets) || (!r.busy() && r.idle())
	})
	cancelSends()
	for _, p := range r.pipes {
		p.pause()
	}
	forced := false
	select {
	case <-force:
		forced = true
	default:
	}
	if forced {
		end = time.Now().Add(forcedStop)
	}
	late, cancelLate := context.WithTimeout(context.Background(), min(max(time.Until(end), 0), cancelledSends))
	defer cancelLate()
	if forced {
		force = nil
	}
	r.await(late, force, func() bool { return !r.busy() })
	if r.busy() {
		r.set.Log.Warn("calls did not end when they were cancelled", zap.String(LogRoute, r.set.Name))
	}
	return r.disconnect(end, force)
}

// disconnect gives back what waits, closes sources and sinks, and forgets the rest.
func (r *Route) disconnect(end time.Time, force <-chan struct{}) error {
	r.giveBackWaiting(func(*pipeline) func(*item) bool { return func(*item) bool { return true } })
	limit := max(time.Until(end), forcedStop)
	closeCtx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	if force != nil {
		stopForce := make(chan struct{})
		defer close(stopForce)
		r.workers.Go(func() { // a second signal shortens the goodbye
			select {
			case <-force:
				sleep(closeCtx, forcedStop)
				cancel()
			case <-stopForce:
			}
		})
	}
	errs := []error{r.closeAll(closeCtx, heeding)}
	for _, rc := range r.receivers {
		if !rc.left.Load() {
			rc.leave()
		}
	}
	for _, p := range r.pipes {
		p.mu.Lock()
		if p.timer != nil {
			p.timer.Stop()
		}
		p.mu.Unlock()
		if err := heeding(closeCtx, func() error { return p.protect("closing", func() error { return p.sink.Close(closeCtx) }) }); err != nil {
			errs = append(errs, fmt.Errorf("closing %s: %w", p.name, err))
		}
	}
	r.setPhase(StateStopped, nil, 0)
	return errors.Join(errs...)
}

// giveBackWaiting gives back the waiting messages that match; which returns nil for a pipeline to leave alone, and is
// called under its lock.
func (r *Route) giveBackWaiting(which func(*pipeline) func(*item) bool) {
	var waiting []*item
	for _, p := range r.pipes {
		p.mu.Lock()
		if p.sched != nil {
			if match := which(p); match != nil {
				waiting = p.sched.purge(match, time.Now(), waiting)
			}
		}
		p.mu.Unlock()
	}
	for _, it := range waiting {
		r.giveBack(it)
	}
}

// idle tells that no pipeline has anything waiting.
func (r *Route) idle() bool {
	for _, p := range r.pipes {
		p.mu.Lock()
		waiting := p.sched != nil && p.sched.waiting > 0
		p.mu.Unlock()
		if waiting {
			return false
		}
	}
	return true
}

// drain makes a pipeline send what it has at once, and start nothing that has to wait.
func (p *pipeline) drain() {
	p.mu.Lock()
	p.draining = true
	p.mu.Unlock()
	p.kick()
}

// works tells whether calls succeed as far as is known. The caller holds the lock.
func (p *pipeline) works() bool {
	return p.connected && !p.paused && !p.down && p.streak == 0
}

func (p *pipeline) resume() {
	p.mu.Lock()
	p.paused = false
	p.mu.Unlock()
}

func (p *pipeline) close(limit time.Duration) {
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	err := p.protect("closing", func() error { return p.sink.Close(ctx) })
	p.mu.Lock()
	p.connected = false
	if err != nil {
		p.reason = fmt.Errorf("closing: %w", err)
	}
	p.mu.Unlock()
}

func (r *Route) closeSources(limit time.Duration) {
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	if err := r.closeAll(ctx, patiently); err != nil { // they are used again, so nobody is left behind
		r.set.Log.Warn("closing a source did not go well", zap.String(LogRoute, r.set.Name), zap.Error(err))
	}
}

// closeAll closes the sources at the same time, but for those that were left behind: while one is used nobody else may
// call it. The end of the process closes its connection, and the broker gives its messages again.
func (r *Route) closeAll(ctx context.Context, call func(context.Context, func() error) error) error {
	errs := make([]error, len(r.receivers))
	var closing sync.WaitGroup
	for i, rc := range r.receivers {
		if rc.left.Load() {
			errs[i] = fmt.Errorf("closing source %d: %w", i+1, errLeftBehind)
			continue
		}
		closing.Go(func() {
			err := call(ctx, func() error {
				return rc.protect("closing", func() error { return rc.source.Close(ctx) })
			})
			if err != nil {
				errs[i] = fmt.Errorf("closing the source: %w", err)
			}
			rc.mu.Lock()
			rc.connected = false
			rc.mu.Unlock()
		})
	}
	closing.Wait()
	return errors.Join(errs...)
}

var errLeftBehind = errors.New("it does not end, and is left behind")

func patiently(_ context.Context, f func() error) error { return f() }

// heeding runs f and returns its error. f is left behind when it goes on although ctx has ended.
func heeding(ctx context.Context, f func() error) error {
	done := make(chan error, 1)
	go func() { done <- f() }()
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
	}
	last := time.NewTimer(unheeded)
	defer last.Stop()
	select {
	case err := <-done:
		return err
	case <-last.C:
		return errLeftBehind
	}
}
