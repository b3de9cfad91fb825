package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime"
	"runtime/debug"
	"syscall"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/spf13/cobra"
	"go.uber.org/zap"

	"github.com/jmsbridge/jmsbridge/bridge"
	"github.com/jmsbridge/jmsbridge/config"
	"github.com/jmsbridge/jmsbridge/connectors"
)

func newRunCommand() *cobra.Command {
	var path string
	c := &cobra.Command{
		Use:   "run",
		Short: "Run the daemon: move messages until it is told to stop",
		Long: `Run the routes of a configuration until SIGTERM, SIGINT or SIGHUP. The first signal stops receiving, finishes what is
in flight within each route's drain time and gives the rest back to the broker; a second one ends it within a second.

Faults of brokers and targets don't end it: each route waits, tries again and says so in its log and at /status.
Exit code: 0 stopped in order, 1 something could not be closed in time, 2 wrong usage or configuration.`,
		Example: `  jmsbridge run -c bridge.yaml
  jmsbridge run -c /etc/jmsbridge/bridge.yaml`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			cfg, err := loadConfig(c.Context(), path)
			if err != nil {
				return err
			}
			return runDaemon(c.Context(), cfg, c.ErrOrStderr())
		},
	}
	c.Flags().StringVarP(&path, "config", "c", "bridge.yaml", "the configuration")
	return c
}

// runDaemon runs every enabled route of the configuration until ctx ends.
func runDaemon(ctx context.Context, cfg *config.Config, logTo io.Writer) error {
	// A reader of the log or of standard output that goes away is an error of that write, not the end of the process.
	signal.Ignore(syscall.SIGPIPE)
	ctx, release := orHangup(ctx)
	defer release()
	lines := newLogWriter(logTo, logBacklog)
	defer lines.close()
	log, err := newLogger(cfg.Log, lines)
	if err != nil {
		return usage(err)
	}
	lines.dropped = func(n uint64) {
		log.Error("log lines were dropped, because they were not read", zap.Uint64(bridge.LogCount, n))
	}
	limitMemory(cfg)
	registry := newRegistry()
	registry.MustRegister(prometheus.NewCounterFunc(prometheus.CounterOpts{
		Name: "jmsbridge_log_lines_dropped_total", Help: "Lines of the log that were dropped because nobody read them.",
	}, func() float64 { return float64(lines.droppedLines()) }))
	set := connectors.NewSet(cfg, log, bridge.NewMetrics(registry))
	defer func() { _ = set.Close() }() // the routes have ended
	routes, err := set.Routes()
	if err != nil {
		return usage(err)
	}
	if len(routes) == 0 {
		return usage(errors.New("no route is enabled: there is nothing to run"))
	}
	d := newDaemon(cfg, routes, registry, log)
	if err := d.start(ctx); err != nil {
		return failed(err)
	}
	log.Info("started", zap.String("version", buildVersion()), zap.String(bridge.LogFile, cfg.File),
		zap.Int(bridge.LogCount, len(routes)), zap.String(bridge.LogEndpoint, d.admin.Addr()))
	err = d.run(ctx)
	if err != nil {
		log.Error("stopped", zap.Error(err))
		return failed(fmt.Errorf("stopping: %w", err))
	}
	log.Info("stopped")
	return nil
}

// limitMemory tells the garbage collector how much the process should use: what the routes may hold, and room for the
// rest. It also collects at half the usual growth, which keeps a busy bridge around 40 MiB and costs a few per cent of
// its CPU. GOMEMLIMIT and GOGC overrule each.
func limitMemory(cfg *config.Config) {
	const rest = 256 << 20
	if os.Getenv("GOMEMLIMIT") == "" {
		debug.SetMemoryLimit(int64(cfg.Limits.Memory)*2 + rest)
	}
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(50)
	}
}

// newRegistry returns a registry with the metrics of the process itself.
func newRegistry() *prometheus.Registry {
	registry := prometheus.NewRegistry()
	info := prometheus.NewGauge(prometheus.GaugeOpts{
		Name: "jmsbridge_build_info", Help: "1, labelled with the version of the program and of Go.",
		ConstLabels: prometheus.Labels{"version": buildVersion(), "go_version": runtime.Version()},
	})
	info.Set(1)
	registry.MustRegister(info, collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return registry
}
