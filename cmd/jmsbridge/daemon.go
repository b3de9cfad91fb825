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

// adminCloseTimeout is how long requests to the admin listener may go on at a stop.
const adminCloseTimeout = time.Second

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
	closeCtx, cancel := context.WithTimeout(context.WithoutCancel(ctx), adminCloseTimeout)
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
// ends the waiting.
func secondSignal(ctx context.Context) (force <-chan struct{}, release func()) {
	forced, released := make(chan struct{}), make(chan struct{})
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	var waiting sync.WaitGroup
	waiting.Go(func() {
		for range 2 {
			select {
			case <-signals:
			case <-released:
				return
			}
		}
		<-ctx.Done()
		close(forced)
	})
	return forced, func() {
		signal.Stop(signals)
		close(released)
		waiting.Wait()
	}
}
