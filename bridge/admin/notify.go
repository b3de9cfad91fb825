package admin

import (
	"context"
	"fmt"
	"time"

	"github.com/coreos/go-systemd/v22/daemon"
	"go.uber.org/zap"
)

// Notifier tells systemd how the process is (sd_notify(3)). Without systemd every method does nothing.
type Notifier struct {
	log *zap.Logger
}

// NewNotifier returns a notifier for the socket in NOTIFY_SOCKET.
func NewNotifier(log *zap.Logger) *Notifier {
	if log == nil {
		log = zap.NewNop()
	}
	return &Notifier{log: log}
}

// Ready says that the configuration is loaded and the routes are starting. It does not wait for a broker: a host must
// boot while its broker is down.
func (n *Notifier) Ready(status string) { n.send(daemon.SdNotifyReady + "\nSTATUS=" + status) }

// Status sets the line that `systemctl status` shows.
func (n *Notifier) Status(status string) { n.send("STATUS=" + status) }

// stopMargin is what a stop may take besides the drain time.
const stopMargin = 15 * time.Second

// Stopping says that the process stops, and asks for the time that draining takes, so that a drain time above the
// unit's TimeoutStopSec is not cut off.
func (n *Notifier) Stopping(drain time.Duration) {
	n.send(fmt.Sprintf("%s\nEXTEND_TIMEOUT_USEC=%d\nSTATUS=draining", daemon.SdNotifyStopping, (drain + stopMargin).Microseconds()))
}

// Watch feeds systemd's watchdog while live returns nil, until ctx ends. A process that is stuck is not fed, and so
// restarted. status, when not nil, gives the status line each time. It returns at once when no watchdog is asked for.
func (n *Notifier) Watch(ctx context.Context, live func(context.Context) error, status func() string) {
	interval, err := daemon.SdWatchdogEnabled(false)
	if err != nil {
		n.log.Warn("reading what systemd asks of the watchdog failed", zap.Error(err))
	}
	if interval <= 0 {
		return
	}
	// A third: one look may be late and the next still in time.
	tick := time.NewTicker(interval / 3)
	defer tick.Stop()
	for {
		if err := live(ctx); err == nil {
			n.send(daemon.SdNotifyWatchdog)
		} else if ctx.Err() == nil {
			n.log.Error("no progress, systemd's watchdog is not fed", zap.Error(err))
		}
		if status != nil {
			n.Status(status())
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

func (n *Notifier) send(state string) {
	if _, err := daemon.SdNotify(false, state); err != nil {
		n.log.Warn("telling systemd failed", zap.Error(err))
	}
}

// Summary is a status line: how many of the routes are connected.
func (s *Server) Summary(ctx context.Context) string {
	connected, held := 0, 0
	for _, status := range s.statuses(ctx) {
		if status.Connected > 0 {
			connected++
		}
		held += status.HeldCount
	}
	return fmt.Sprintf("%d of %d routes connected, %d messages held", connected, len(s.routes), held)
}
