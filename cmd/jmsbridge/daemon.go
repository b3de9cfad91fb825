package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"sync"
	"syscall"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"

	"github.com/jmsbridge/jmsbridge/bridge"
	"github.com/jmsbridge/jmsbridge/bridge/admin"
	"github.com/jmsbridge/jmsbridge/config"
)

// daemon is a running process: its routes, its admin listener and what tells systemd.
type daemon struct {
	routes   []*bridge.Route
	admin    *admin.Server
	listens  bool
	notifier *admin.Notifier
	drain    time.Duration // the longest of all routes
}

func newDaemon(cfg *config.Config, routes []*bridge.Route, gatherer prometheus.Gatherer, log *zap.Logger) *daemon {
	d := &daemon{routes: routes, listens: cfg.Admin.Listen != "", notifier: admin.NewNotifier(log)}
	var named []admin.Named
	for _, r := range routes {
		named = append(named, admin.Named{Name: r.Status().Name, Route: r})
	}
	for i := range cfg.Routes {
		d.drain = max(d.drain, cfg.Routes[i].Drain)
	}
	d.admin = admin.New(admin.Settings{
		Listen: cfg.Admin.Listen, Routes: named, Gatherer: gatherer, Version: buildVersion(), Log: log,
	})
	return d
}

// start opens the admin listener, if there is one.
func (d *daemon) start(ctx context.Context) error {
	if !d.listens {
		return nil
	}
	return d.admin.Start(ctx)
}

// adminCloseTimeout is how long requests to the admin listener may go on at a stop, and adminForcedClose how long after a
// second signal.
const (
	adminCloseTimeout = time.Second
	adminForcedClose  = 50 * time.Millisecond
)

// run runs the routes until ctx ends and they have stopped. A second signal forces them.
func (d *daemon) run(ctx context.Context) error {
	force, release := secondSignal(ctx)
	defer release()
	watchCtx, stopWatch := context.WithCancel(context.WithoutCancel(ctx)) // the watchdog is fed while draining too
	var watching sync.WaitGroup
	watching.Go(func() {
		d.notifier.Watch(watchCtx, d.admin.Live, func() string { return d.admin.Summary(watchCtx) })
	})
	watching.Go(func() {
		select {
		case <-ctx.Done():
			d.notifier.Stopping(d.drain)
		case <-watchCtx.Done():
		}
	})
	d.notifier.Ready(fmt.Sprintf("%d routes starting", len(d.routes)))
	err := d.runRoutes(ctx, force)
	stopWatch()
	watching.Wait()
	limit := adminCloseTimeout
	select {
	case <-force:
		limit = adminForcedClose
	default:
	}
	closeCtx, cancel := context.WithTimeout(context.WithoutCancel(ctx), limit)
	defer cancel()
	return errors.Join(err, d.admin.Close(closeCtx))
}

func (d *daemon) runRoutes(ctx context.Context, force <-chan struct{}) error {
	var (
		running sync.WaitGroup
		mu      sync.Mutex
		errs    []error
	)
	for _, r := range d.routes {
		running.Go(func() {
			if err := r.Run(ctx, force); err != nil {
				mu.Lock()
				defer mu.Unlock()
				errs = append(errs, fmt.Errorf("route %s: %w", r.Status().Name, err))
			}
		})
	}
	running.Wait()
	return errors.Join(errs...)
}

// secondSignal returns a channel that is closed at the second signal of the process: the first has ended ctx. release
// ends the waiting. The second one ends the process soon, whatever does not heed it.
func secondSignal(ctx context.Context) (force <-chan struct{}, release func()) {
	forced, released := make(chan struct{}), make(chan struct{})
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, stopSignals()...)
	var waiting sync.WaitGroup
	waiting.Go(func() {
		for range 2 {
			select {
			case <-signals:
			case <-released:
				return
			}
		}
		time.AfterFunc(forcedEnd, func() { os.Exit(exitFailed) }) //nolint:forbidigo // main may be what blocks
		<-ctx.Done()
		close(forced)
	})
	return forced, func() {
		signal.Stop(signals)
		close(released)
		waiting.Wait()
	}
}

// forcedEnd is how long the process may go on after the second signal.
const forcedEnd = 950 * time.Millisecond

// stopSignals are the signals that stop the daemon: SIGHUP too, which a terminal or a session sends when it goes away,
// unless it is ignored, as nohup has it.
func stopSignals() []os.Signal {
	signals := []os.Signal{os.Interrupt, syscall.SIGTERM}
	if !signal.Ignored(syscall.SIGHUP) {
		signals = append(signals, syscall.SIGHUP)
	}
	return signals
}

// orHangup returns a context that ends at a SIGHUP too. Who has started the process has seen to the other signals.
func orHangup(ctx context.Context) (context.Context, context.CancelFunc) {
	if signal.Ignored(syscall.SIGHUP) {
		return context.WithCancel(ctx)
	}
	return signal.NotifyContext(ctx, syscall.SIGHUP)
}
