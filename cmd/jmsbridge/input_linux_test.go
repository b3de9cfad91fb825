package main

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/jmsbridge/jmsbridge/connectors/jms/stomp/stomplocal"
)

func TestASignalEndsSendWhileItReads(t *testing.T) {
	b := startBroker(t, stomplocal.Options{})
	for name, args := range map[string][]string{"a body": nil, "envelopes": {"--envelope"}} {
		t.Run(name, func(t *testing.T) {
			read, write, err := os.Pipe()
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _, _ = read.Close(), write.Close() })
			c := program(t, append([]string{"send", "queue:q", "--url", b.URL()}, args...)...)
			c.Stdin = read
			var errs strings.Builder
			c.Stderr = &errs
			start(t, c)
			if _, err := write.WriteString("\n"); err != nil {
				t.Fatal(err)
			}
			eventually(t, "it has read what there is", func() bool {
				n, err := unix.IoctlGetInt(int(read.Fd()), unix.TIOCINQ)
				return err == nil && n == 0
			})
			signalTo(t, c, os.Interrupt)
			if code := endsWithin(t, c, 10*time.Second); code != exitFailed || !strings.Contains(errs.String(), "interrupt") {
				t.Errorf("it ended with %v: %s", c.ProcessState, errs.String())
			}
		})
	}
}

func TestASignalEndsSendWhosePipeNobodyOpens(t *testing.T) {
	b := startBroker(t, stomplocal.Options{})
	fifo := filepath.Join(t.TempDir(), "fifo")
	if err := syscall.Mkfifo(fifo, 0o600); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if code, _, errs := execute(ctx, nil, "send", "queue:q", "--url", b.URL(), "--file", fifo); code != exitFailed {
		t.Errorf("exit code %d, %s", code, errs)
	}
	// The open that was left behind ends with a writer.
	w, err := os.OpenFile(fifo, os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	_ = w.Close()
}

func TestASignalEndsReceiveWhoseOutputIsNotRead(t *testing.T) {
	b := startBroker(t, stomplocal.Options{})
	publish(t, b, "/queue/q")
	c := program(t, "receive", "queue:q", "--consume", "--url", b.URL())
	_, out := fullPipe(t)
	c.Stdout = out
	start(t, c)
	eventually(t, "it writes the message", func() bool { return b.Stats().Delivered == 1 })
	signalTo(t, c, os.Interrupt)
	if code := endsWithin(t, c, 8*time.Second); code != exitFailed && code != exitDone {
		t.Errorf("it ended with %v", c.ProcessState)
	}
	if depth := b.Depth("/queue/q"); depth != 1 {
		t.Errorf("%d messages are left", depth)
	}
}
