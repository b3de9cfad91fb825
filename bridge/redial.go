package bridge

import (
	"context"
	"time"
)

// connectTimeout bounds one attempt to connect a source or a sink.
const connectTimeout = 30 * time.Second

// lose notes that the sink's connection is gone. Calls that run end by themselves; then it is dialled again, and
// messages go one by one until they succeed. The caller holds the lock.
func (p *pipeline) lose(reason error) {
	p.connected = false
	p.reason = reason
	p.standby = true
	p.limiter.now = 1
	p.route.refreshLater()
}

// redialIfLost starts to connect again once no call runs. The caller holds the lock.
func (p *pipeline) redialIfLost() {
	if p.sched == nil || p.connected || p.paused || p.redialing || p.calls > 0 || p.route.ending.Load() {
		return
	}
	p.redialing = true
	ctx := p.route.phaseCtx
	p.route.workers.Go(func() { p.redial(ctx) })
}

// dialBestEffort connects, beside the others, the targets that nothing waits for.
func (r *Route) dialBestEffort() {
	for _, p := range r.pipes {
		if !p.bestEffort {
			continue
		}
		p.mu.Lock()
		if !p.connected && !p.redialing {
			p.redialing = true
			ctx := r.phaseCtx
			r.workers.Go(func() { p.redial(ctx) })
		}
		p.mu.Unlock()
	}
}

func (p *pipeline) redial(ctx context.Context) {
	r := p.route
	defer func() {
		p.mu.Lock()
		p.redialing = false
		p.mu.Unlock()
		r.refreshLater()
		r.poke()
		p.kick()
	}()
	for try := 1; ; try++ {
		if try > 1 || !p.bestEffort {
			sleep(ctx, r.backoff(try, time.Second, r.set.ReconnectCap))
		}
		if ctx.Err() != nil {
			return
		}
		err := p.connectOnce(ctx)
		if err == nil {
			return
		}
		if ctx.Err() == nil && ClassOf(err) == Fatal && !p.bestEffort {
			r.fatal(p, err)
			return
		}
		p.mu.Lock()
		p.reason = err
		p.mu.Unlock()
		r.refreshLater()
		sleep(ctx, AsError(err).After)
	}
}

func (p *pipeline) connectOnce(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, connectTimeout)
	defer cancel()
	return p.connect(ctx)
}
