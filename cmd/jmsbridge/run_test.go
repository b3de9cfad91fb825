package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/jmsbridge/jmsbridge/connectors/jms/stomp/stomplocal"
)

// eventually waits until a condition holds.
func eventually(t *testing.T, what string, condition func() bool) {
	t.Helper()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	deadline := time.After(30 * time.Second)
	for !condition() {
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatalf("not so in time: %s", what)
		}
	}
}

// twoRoutes writes a configuration with the routes orders and other, each from its queue to a file, and returns its path
// and the files'.
func twoRoutes(t *testing.T, url, orders, other string) (path string, files map[string]string) {
	t.Helper()
	folder := t.TempDir()
	files = map[string]string{"orders": filepath.Join(folder, "orders.jsonl"), "other": filepath.Join(folder, "other.jsonl")}
	text := fmt.Sprintf("brokers: [{name: mq, url: %q}]\nroutes:\n", url)
	for _, r := range [][2]string{{"orders", orders}, {"other", other}} {
		text += fmt.Sprintf("- name: %[1]s\n  %[2]s\n  from: {jms: {broker: mq, queue: %[1]s}}\n  to: [{file: {path: %[3]q}}]\n", r[0], r[1], files[r[0]])
	}
	path = filepath.Join(folder, "bridge.yaml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path, files
}

func TestRunLeavesADisabledRouteAlone(t *testing.T) {
	b := startBroker(t, stomplocal.Options{})
	for _, queue := range []string{"/queue/orders", "/queue/other"} {
		for range 3 {
			if _, err := b.Publish(queue, stomplocal.Message{Persistent: true, Body: []byte("x")}); err != nil {
				t.Fatal(err)
			}
		}
	}
	path, files := twoRoutes(t, b.URL(), "enabled: true", "enabled: false")
	c := program(t, "run", "-c", path)
	var log bytes.Buffer
	c.Stderr = &log
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Process.Kill() }) // when the test ended before it
	eventually(t, "the enabled route has moved its messages", func() bool { return b.Depth("/queue/orders") == 0 })
	if err := c.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if code := wait(c); code != exitDone {
		t.Errorf("exit code %d", code)
	}
	moved, err := os.ReadFile(files["orders"])
	if err != nil || strings.Count(string(moved), "\n") != 3 {
		t.Errorf("the enabled route has written %q, %v", moved, err)
	}
	if _, err := os.Stat(files["other"]); !os.IsNotExist(err) {
		t.Errorf("the disabled route has opened its target: %v", err)
	}
	if depth, stats := b.Depth("/queue/other"), b.Stats(); depth != 3 || stats.Delivered != 3 || stats.Connections != 1 {
		t.Errorf("%d messages are left for the disabled route, and the broker has seen %+v", depth, stats)
	}
	if text := log.String(); !strings.Contains(text, `"msg":"started"`) || !strings.Contains(text, `"count":1`) || strings.Contains(text, `"other"`) {
		t.Errorf("it logged:\n%s", text)
	}
}

func TestRunFailsWhenABrokerDoesNotTakeTheGoodbye(t *testing.T) {
	b := startBroker(t, stomplocal.Options{})
	if _, err := b.Publish("/queue/orders", stomplocal.Message{Persistent: true, Body: []byte("x")}); err != nil {
		t.Fatal(err)
	}
	path, _ := twoRoutes(t, b.URL(), "drain: 1s", "enabled: false")
	c := program(t, "run", "-c", path)
	var log bytes.Buffer
	c.Stderr = &log
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Process.Kill() }) // when the test ended before it
	eventually(t, "the message is moved", func() bool { return b.Depth("/queue/orders") == 0 })
	swallow := b.Inject(stomplocal.Fault{Kind: stomplocal.Swallow, Command: "UNSUBSCRIBE"})
	if err := c.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if code := wait(c); code != exitFailed || swallow.Fired() == 0 || !strings.Contains(log.String(), "closing the source") {
		t.Errorf("exit code %d, the fault fired %d times\n%s", code, swallow.Fired(), log.String())
	}
}

func TestRunWithoutAnEnabledRouteIsWrongUsage(t *testing.T) {
	path, _ := twoRoutes(t, "stomp://127.0.0.1:1", "enabled: false", "enabled: false")
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second) // were it to run, it would for ever
	defer cancel()
	if code, out, errs := execute(ctx, nil, "run", "-c", path); code != exitUsage || out != "" || !strings.Contains(errs, "no route is enabled") {
		t.Errorf("exit code %d, %s%s", code, out, errs)
	}
}
