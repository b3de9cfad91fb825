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
	// forcedStop is how long a forced stop takes for giving back and disconnecting.
	forcedStop = 500 * time.Millisecond
	// cancelledSends is how long calls that were cancelled may take to notice.
	cancelledSends = 2 * time.Second
)

// stop finishes what can be finished, gives the rest back, and disconnects. The receivers have ended.
func (r *Route) stop(force <-chan struct{}, cancelSends context.CancelFunc) error {
	r.ending.Store(true)
	before := r.Status()
	defer r.logStop(&before)
	r.setPhase(StateStopping, nil, 0)
	began := time.Now()
	end := began.Add(r.set.Drain)
	soft, cancelSoft := context.WithTimeout(context.Background(), r.set.Drain*4/5)
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
	errs := []error{r.closeAll(closeCtx)}
	for _, rc := range r.receivers {
		rc.leave()
	}
	for _, p := range r.pipes {
		p.mu.Lock()
		if p.timer != nil {
			p.timer.Stop()
		}
		p.mu.Unlock()
		if err := p.protect("closing", func() error { return p.sink.Close(closeCtx) }); err != nil {
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
	if err := r.closeAll(ctx); err != nil {
		r.set.Log.Warn("closing a source did not go well", zap.String(LogRoute, r.set.Name), zap.Error(err))
	}
}

// closeAll closes the sources at the same time.
func (r *Route) closeAll(ctx context.Context) error {
	errs := make([]error, len(r.receivers))
	var closing sync.WaitGroup
	for i, rc := range r.receivers {
		closing.Go(func() {
			if err := rc.protect("closing", func() error { return rc.source.Close(ctx) }); err != nil {
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
