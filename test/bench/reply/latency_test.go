package main

import (
	"errors"
	"fmt"
	"io"
	"math"
	"strings"
	"testing"
	"time"
)

func near(got, want float64) bool { return math.Abs(got-want) <= want/500 }

func TestARequestWithoutAnswerCountsAsASlowOne(t *testing.T) {
	r := newRecorder(5 * time.Second)
	for i := range 1000 {
		latency := int64(1000 + i) // 1 ms to 2 ms
		if i >= 995 {
			latency = -1
		}
		if err := r.record(latency, 500); err != nil {
			t.Fatal(err)
		}
	}
	got := r.latencies()
	if !near(got.p50, 1.5) || !near(got.p99, 1.99) || !near(got.p999, 5000.5) || !near(got.max, 5000.5) || !near(got.late, 0.5) || got.timeouts != 5 {
		t.Errorf("%+v", got)
	}
	if err := r.record(math.MaxInt64, -3); err != nil { // a clock may say so, and it is no reason to lose a run
		t.Error(err)
	}
}

// lines serves lines as the requester does.
func lines(text string) func() (string, error) {
	rest := strings.Split(text, "\n")
	return func() (string, error) {
		if len(rest) == 0 {
			return "", io.ErrUnexpectedEOF
		}
		line := rest[0]
		rest = rest[1:]
		return line, nil
	}
}

func TestTheRequestersReportIsRead(t *testing.T) {
	c := command{requests: 3, timeout: time.Second}
	got, err := readAnswers(lines("result 2 1500000 0 1\n2000 10\n-1 20\n4000 30\nend"), c)
	if err != nil {
		t.Fatal(err)
	}
	if got.answered != 2 || got.span != 1500*time.Millisecond || got.twice != 0 || got.foreign != 1 || got.timeouts != 1 || !near(got.p50, 4) || !near(got.max, 1000.02) {
		t.Errorf("%+v", got)
	}
	for _, bad := range []string{
		"", "result 3 1", "result 3 1 0 0\n1 1\n1 1", "result 3 1 0 0\n1 1\n1 1\nx 1\nend", "result 3 1 0 0\n1 1\n1 1\n1\nend",
		"result 3 1 0 0\n1 1\n1 1\n1 1\n1 1", "result 3 1 0 0\n1 1\n-1 1\n1 1\nend",
	} {
		if got, err := readAnswers(lines(bad), c); err == nil {
			t.Errorf("%q was taken: %+v", bad, got)
		}
	}
	broken := errors.New("broken")
	if _, err := readAnswers(func() (string, error) { return "", broken }, c); !errors.Is(err, broken) {
		t.Errorf("got %v", fmt.Sprint(err))
	}
}
