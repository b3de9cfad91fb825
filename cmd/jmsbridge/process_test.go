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
	"testing"
	"time"

	"go.uber.org/goleak"
)

// asProgram is the variable that makes the test binary the program itself: what a signal does to it and what it shows
// on a terminal are seen in a process only.
const asProgram = "JMSBRIDGE_TEST_AS_PROGRAM"

func TestMain(m *testing.M) {
	if os.Getenv(asProgram) != "" {
		main()
	}
	goleak.VerifyTestMain(m)
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

// checkInterrupted judges what a demo of so many messages has printed that Ctrl-C has stopped on its way.
func checkInterrupted(t *testing.T, code, messages int, out string) demoResult {
	t.Helper()
	r := parseDemo(t, out)
	if code != exitInterrupted {
		t.Errorf("exit code %d, want %d", code, exitInterrupted)
	}
	if r.delivered == 0 || r.sent >= messages || r.lost != 0 || r.sent != r.delivered+r.waiting {
		t.Errorf("of %d messages: %+v", messages, r)
	}
	if !strings.Contains(out, "stopped before the end") || strings.Contains(out, "WRONG") {
		t.Errorf("it said:\n%s", out)
	}
	return r
}

func TestDemoStopsInOrderAtSIGINT(t *testing.T) {
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
			if err := c.Process.Signal(os.Interrupt); err != nil {
				t.Error(err)
			}
		}
	}
	code := wait(c)
	if !signalled {
		t.Fatalf("it was never under way:\n%s", said.String())
	}
	checkInterrupted(t, code, messages, out.String())
	if !strings.Contains(said.String(), "stopping: what is in flight is finished") {
		t.Errorf("it did not say that it stops:\n%s", said.String())
	}
}
