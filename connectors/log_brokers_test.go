//go:build integration

package connectors

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"

	"github.com/jmsbridge/jmsbridge/bridge"
	"github.com/jmsbridge/jmsbridge/config"
	"github.com/jmsbridge/jmsbridge/test/brokers"
)

// What a route can't carry must be the first that its log says, whatever its target, and where it may not consume.
func TestTheFirstLogLineOfARouteOnArtemis(t *testing.T) {
	b := brokers.Start(t, brokers.Artemis, brokers.Options{})
	b.Publish(t, "log.a", brokers.Message{Body: "a"})
	c, err := config.Parse("bridge.yaml", fmt.Appendf(nil, `brokers:
- {name: app, url: %[1]q, username: app, password: %[2]q, tls: {ca_file: %[3]q}}
- {name: writer, url: %[1]q, username: %[4]q, password: %[5]q, tls: {ca_file: %[3]q}}
routes:
- {name: file, from: {jms: {broker: app, queue: log.a, consumers: 2}}, to: [file: {path: %[6]q}]}
- {name: queue, from: {jms: {broker: app, queue: log.b}}, to: [jms: {broker: app, queue: log.c}]}
- {name: refused, from: {jms: {broker: writer, queue: log.a}}, to: [file: {path: %[7]q}]}
`, b.URL("stomp+ssl"), b.Password(), b.CAFile(), brokers.Writer.Name, brokers.Writer.Password, filepath.Join(t.TempDir(), "file"), filepath.Join(t.TempDir(), "refused")))
	if err != nil {
		t.Fatal(err)
	}
	core, logs := observer.New(zapcore.DebugLevel)
	routes, err := NewSet(c, zap.New(core), nil).Routes()
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	var running sync.WaitGroup
	for _, r := range routes {
		running.Go(func() {
			if err := r.Run(ctx, nil); err != nil {
				t.Error(err)
			}
		})
	}
	of := func(route string) *observer.ObservedLogs { return logs.FilterField(zap.String(bridge.LogRoute, route)) }
	begun := func() bool {
		return of("file").FilterMessage("subscribed").Len() == 2 && of("queue").FilterMessage("subscribed").Len() == 1 &&
			of("refused").FilterMessage("route state").Len() > 0
	}
	for end := time.Now().Add(20 * time.Second); !begun() && time.Now().Before(end); <-time.After(10 * time.Millisecond) {
	}
	cancel()
	running.Wait()
	if !begun() {
		t.Errorf("the routes have not begun: %+v", logs.All())
	}
	for _, r := range c.Routes {
		lines := of(r.Name).All()
		if len(lines) == 0 || !strings.HasPrefix(lines[0].Message, "text and bytes only") || lines[0].Level != zapcore.WarnLevel {
			t.Errorf("route %s: the log begins with %+v", r.Name, lines[:min(len(lines), 1)])
		}
	}
}
