package main

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"
)

// asProgram is the variable that makes the test binary the program itself: what a signal does to it and what it shows
// on a terminal are seen in a process only.
const asProgram = "JMSBRIDGE_TEST_AS_PROGRAM"

func TestMain(m *testing.M) {
	switch os.Getenv(asProgram) {
	case "":
	case "deaf":
		deaf()
	default:
		main()
	}
	goleak.VerifyTestMain(m)
}

// deaf is a program whose command does not notice that its context has ended.
func deaf() {
	ctx, stop := untilSignal(context.Background())
	defer stop()
	fmt.Println("started")
	<-ctx.Done()
	fmt.Println(context.Cause(ctx))
	<-time.After(time.Hour)
}

func TestASecondSignalEndsACommandAtOnce(t *testing.T) {
	c := program(t)
	c.Env = append(os.Environ(), asProgram+"=deaf")
	out, err := c.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(out)
	for _, want := range []string{"started", "ended by signal: interrupt"} {
		if !lines.Scan() || lines.Text() != want {
			t.Fatalf("it says %q, want %q", lines.Text(), want)
		}
		if err := c.Process.Signal(os.Interrupt); err != nil {
			t.Fatal(err)
		}
	}
	_ = c.Wait() // the state tells
	if s, ok := c.ProcessState.Sys().(syscall.WaitStatus); !ok || s.Signal() != syscall.SIGINT {
		t.Errorf("it ended with %v", c.ProcessState)
	}
}

// program returns the program as a process that is not started yet, and is killed when it lives for too long.
func program(t *testing.T, args ...string) *exec.Cmd {
	t.Helper()
	path, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	t.Cleanup(cancel)
	c := exec.CommandContext(ctx, path, args...)
	c.Env = append(os.Environ(), asProgram+"=1")
	return c
}

// wait waits for the end of a program and returns its exit code; -1: a signal has killed it.
func wait(c *exec.Cmd) int {
	_ = c.Wait() // the exit code tells
	return c.ProcessState.ExitCode()
}

// demoResult is what the demo has printed about a run.
type demoResult struct {
	sent, delivered, lost, duplicated int
	waiting                           int // on the broker, after an interruption
}

// parseDemo reads what the demo has printed to standard output.
func parseDemo(t *testing.T, out string) demoResult {
	t.Helper()
	var r demoResult
	if _, err := fmt.Sscanf(lastLine(out), "sent %d, delivered %d, lost %d, duplicated %d", &r.sent, &r.delivered, &r.lost, &r.duplicated); err != nil {
		t.Fatalf("last line %q: %v", lastLine(out), err)
	}
	if m := regexp.MustCompile(`(?m)^stopped before the end: (\d+) messages are still on the broker`).FindStringSubmatch(out); m != nil {
		if _, err := fmt.Sscan(m[1], &r.waiting); err != nil {
			t.Fatal(err)
		}
	}
	return r
}

// checkInterrupted judges what a demo of so many messages has printed that a signal has stopped on its way.
func checkInterrupted(t *testing.T, messages int, out string) demoResult {
	t.Helper()
	r := parseDemo(t, out)
	if r.delivered == 0 || r.sent >= messages || r.lost != 0 || r.sent != r.delivered+r.waiting {
		t.Errorf("of %d messages: %+v", messages, r)
	}
	if !strings.Contains(out, "stopped before the end") || strings.Contains(out, "WRONG") {
		t.Errorf("it said:\n%s", out)
	}
	return r
}

func TestDemoStopsInOrderAtASignal(t *testing.T) {
	for signal, want := range map[syscall.Signal]int{syscall.SIGINT: 130, syscall.SIGTERM: 143} {
		t.Run(signal.String(), func(t *testing.T) { testDemoStopsInOrder(t, signal, want) })
	}
}

func testDemoStopsInOrder(t *testing.T, signal os.Signal, want int) {
	const messages = 200_000
	c := program(t, "demo", "--messages", fmt.Sprint(messages))
	var out bytes.Buffer
	c.Stdout = &out
	errs, err := c.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	underWay := regexp.MustCompile(`^ *\d+s: [1-9]\d* of \d+ messages`)
	signalled, said := false, strings.Builder{}
	for lines := bufio.NewScanner(errs); lines.Scan(); {
		said.WriteString(lines.Text() + "\n")
		if !signalled && underWay.MatchString(lines.Text()) {
			signalled = true
			if err := c.Process.Signal(signal); err != nil {
				t.Error(err)
			}
		}
	}
	code := wait(c)
	if !signalled {
		t.Fatalf("it was never under way:\n%s", said.String())
	}
	if code != want {
		t.Errorf("exit code %d, want %d", code, want)
	}
	checkInterrupted(t, messages, out.String())
	if !strings.Contains(said.String(), "stopping: what is in flight is finished") {
		t.Errorf("it did not say that it stops:\n%s", said.String())
	}
}
