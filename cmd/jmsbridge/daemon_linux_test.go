package main

import (
	"bufio"
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/jmsbridge/jmsbridge/connectors/jms/stomp/stomplocal"
)

// smallPipe returns a pipe that takes size bytes, a page, until it is read.
func smallPipe(t *testing.T) (read, write *os.File, size int) {
	t.Helper()
	read, write, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _, _ = read.Close(), write.Close() })
	size, err = unix.FcntlInt(write.Fd(), unix.F_SETPIPE_SZ, os.Getpagesize())
	if err != nil {
		t.Fatal(err)
	}
	return read, write, size
}

// fullPipe returns a pipe that takes nothing more until it is read.
func fullPipe(t *testing.T) (read, write *os.File) {
	t.Helper()
	read, write, size := smallPipe(t)
	if _, err := write.Write(bytes.Repeat([]byte("\n"), size)); err != nil {
		t.Fatal(err)
	}
	return read, write
}

// publish puts a message on a queue.
func publish(t *testing.T, b *stomplocal.Broker, queue string) {
	t.Helper()
	if _, err := b.Publish(queue, stomplocal.Message{Persistent: true, Body: []byte("x")}); err != nil {
		t.Fatal(err)
	}
}

// start starts a program, which ends with the test at the latest.
func start(t *testing.T, c *exec.Cmd) {
	t.Helper()
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Process.Kill() }) // when the test ended before it
}

func signalTo(t *testing.T, c *exec.Cmd, s os.Signal) {
	t.Helper()
	if err := c.Process.Signal(s); err != nil {
		t.Fatal(err)
	}
}

// endsWithin waits for the end of a program and returns its exit code.
func endsWithin(t *testing.T, c *exec.Cmd, limit time.Duration) int {
	t.Helper()
	began := time.Now()
	code := wait(c)
	if took := time.Since(began); took > limit {
		t.Errorf("it ended after %v, with exit code %d", took, code)
	}
	return code
}

func TestRunStopsInOrderAtAHangup(t *testing.T) {
	b := startBroker(t, stomplocal.Options{})
	publish(t, b, "/queue/orders")
	path, _ := twoRoutes(t, b.URL(), "enabled: true", "enabled: false")
	c := program(t, "run", "-c", path)
	var log bytes.Buffer
	c.Stderr = &log
	hangups := make(chan os.Signal, 1)
	signal.Notify(hangups, syscall.SIGHUP) // under nohup the tests ignore it, and a program would inherit that
	t.Cleanup(func() { signal.Stop(hangups) })
	start(t, c)
	eventually(t, "the message is moved", func() bool { return b.Depth("/queue/orders") == 0 })
	signalTo(t, c, syscall.SIGHUP)
	if code := wait(c); code != exitDone || !strings.Contains(log.String(), `"msg":"stopped"`) {
		t.Errorf("exit code %d, it logged:\n%s", code, log.String())
	}
}

func TestRunUnderNohupIgnoresAHangup(t *testing.T) {
	b := startBroker(t, stomplocal.Options{})
	path, _ := twoRoutes(t, b.URL(), "enabled: true", "enabled: false")
	inner := program(t, "run", "-c", path)
	c := program(t)
	c.Path, c.Args, c.Env = "/bin/sh", append([]string{"sh", "-c", `trap "" HUP; exec "$0" "$@"`, inner.Path}, inner.Args[1:]...), inner.Env
	start(t, c)
	eventually(t, "it is connected", func() bool { return b.Stats().Connections == 1 })
	signalTo(t, c, syscall.SIGHUP)
	publish(t, b, "/queue/orders")
	eventually(t, "a message is moved", func() bool { return b.Depth("/queue/orders") == 0 })
	signalTo(t, c, syscall.SIGTERM)
	if code := wait(c); code != exitDone {
		t.Errorf("exit code %d", code)
	}
}

func TestRunOutlivesTheReaderOfItsLog(t *testing.T) {
	b := startBroker(t, stomplocal.Options{})
	path, _ := twoRoutes(t, b.URL(), "enabled: true", "enabled: false")
	c := program(t, "run", "-c", path)
	log, err := c.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	start(t, c)
	if !bufio.NewScanner(log).Scan() {
		t.Fatal("it logs nothing")
	}
	if err := log.Close(); err != nil {
		t.Fatal(err)
	}
	publish(t, b, "/queue/orders")
	eventually(t, "the message is moved", func() bool { return b.Depth("/queue/orders") == 0 })
	signalTo(t, c, syscall.SIGTERM) // at which it logs
	if code := wait(c); code != exitDone {
		t.Errorf("it ended with %v", c.ProcessState)
	}
}

func TestRunOutlivesALogThatIsNotRead(t *testing.T) {
	b := startBroker(t, stomplocal.Options{})
	publish(t, b, "/queue/orders")
	path, _ := twoRoutes(t, b.URL(), "enabled: true", "enabled: false")
	c := program(t, "run", "-c", path)
	_, log := fullPipe(t)
	c.Stderr = log
	start(t, c)
	eventually(t, "the message is moved", func() bool { return b.Depth("/queue/orders") == 0 })
	signalTo(t, c, syscall.SIGTERM)
	if code := endsWithin(t, c, 10*time.Second); code != exitDone {
		t.Errorf("it ended with %v", c.ProcessState)
	}
}

// toStandardOutput writes a configuration with a route to standard output.
func toStandardOutput(t *testing.T, b *stomplocal.Broker) string {
	t.Helper()
	path := writeConfig(t, b.URL(), "")
	text := fmt.Sprintf("brokers: [{name: mq, url: %q}]\nroutes:\n- name: orders\n  from: {jms: {broker: mq, queue: orders}}\n  to: [{file: {path: '-'}}]\n", b.URL())
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestRunEndsSoonAfterASecondSignalWhateverBlocks(t *testing.T) {
	b := startBroker(t, stomplocal.Options{})
	if _, err := b.Publish("/queue/orders", stomplocal.Message{Persistent: true, Body: bytes.Repeat([]byte("x"), 1<<20)}); err != nil {
		t.Fatal(err)
	}
	c := program(t, "run", "-c", toStandardOutput(t, b))
	_, log := fullPipe(t)
	read, out, size := smallPipe(t)
	c.Stderr, c.Stdout = log, out
	start(t, c)
	eventually(t, "the write is blocked", func() bool {
		n, err := unix.IoctlGetInt(int(read.Fd()), unix.TIOCINQ)
		return err == nil && n == size
	})
	signalTo(t, c, syscall.SIGTERM)
	signalTo(t, c, syscall.SIGINT)
	if code := endsWithin(t, c, 3*time.Second); code != exitFailed {
		t.Errorf("it ended with %v", c.ProcessState)
	}
}

func TestRunPausesARouteWhoseStandardOutputNobodyReads(t *testing.T) {
	b := startBroker(t, stomplocal.Options{})
	c := program(t, "run", "-c", toStandardOutput(t, b))
	log, err := c.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := c.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := out.Close(); err != nil {
		t.Fatal(err)
	}
	start(t, c)
	publish(t, b, "/queue/orders")
	said := false
	lines := bufio.NewScanner(log)
	for !said && lines.Scan() {
		said = strings.Contains(lines.Text(), `"state":"fatal"`) && strings.Contains(lines.Text(), "no_reader")
	}
	if !said {
		t.Fatalf("it ended with %v", wait(c))
	}
	signalTo(t, c, syscall.SIGTERM)
	for lines.Scan() {
		continue // to the end, so that its writes end
	}
	if code := wait(c); code != exitDone || b.Depth("/queue/orders") != 1 {
		t.Errorf("it ended with %v, and %d messages are left", c.ProcessState, b.Depth("/queue/orders"))
	}
}
