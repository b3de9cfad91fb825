package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"go.uber.org/zap"

	"github.com/jmsbridge/jmsbridge/cmd/jmsbridge/internal/demo"
)

func TestReplyDemoAnswersEachRequestAndSaysSo(t *testing.T) {
	code, out, errs := execute(t.Context(), nil, "demo", "--reply", "-n", "100")
	if code != exitDone || lastLine(out) != "asked 100, answered 100, wrong 0, twice 0" {
		t.Errorf("exit code %d, last line %q of:\n%s%s", code, lastLine(out), out, errs)
	}
	if strings.ContainsAny(out+errs, "\r\x1b") {
		t.Error("the cursor was moved, though the output is no terminal")
	}
	if got := strings.Count(errs, "survived: "); got != 3 {
		t.Errorf("%d faults were survived before the viewer's eyes, want 3:\n%s", got, errs)
	}
}

func TestReplyDemoAsJSON(t *testing.T) {
	code, out, errs := execute(t.Context(), nil, "demo", "--reply", "-n", "100", "--json")
	var r demo.ReplyReport
	if err := json.Unmarshal([]byte(out), &r); err != nil || code != exitDone {
		t.Fatalf("exit code %d, %v: %s", code, err, out)
	}
	if r.Asked != 100 || r.Answered != 100 || len(r.Faults) != 3 || lastLine(errs) != "asked 100, answered 100, wrong 0, twice 0" {
		t.Errorf("%+v\n%s", r, errs)
	}
}

func TestReplyDemoThatIsInterruptedAnswersWhatWasAsked(t *testing.T) {
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	var out bytes.Buffer
	code := executeTo(ctx, nil, &out, writerFunc(func(p []byte) (int, error) {
		if bytes.Contains(p, []byte("survived: ")) {
			stop()
		}
		return len(p), nil
	}), "demo", "--reply", "--messages", "1000")
	if code != exitInterrupted || !strings.Contains(out.String(), "stopped before the end") || !strings.Contains(lastLine(out.String()), ", wrong 0, twice 0") {
		t.Errorf("exit code %d\n%s", code, out.String())
	}
}

// The real demo finds nothing wrong, so these reports are made up.
func TestReplyDemoFailsWhenSomethingIsWrong(t *testing.T) {
	bad := demo.Check{Name: "no request is answered twice", Looked: 100, Wrong: 1, First: "request 7 got 2 answers"}
	errBroker := errors.New("the broker did not start")
	for _, tc := range []struct {
		report demo.ReplyReport
		err    error
		code   int
	}{
		{demo.ReplyReport{Asked: 100, Answered: 100}, nil, exitDone},
		{demo.ReplyReport{Asked: 100, Answered: 100, Twice: 1, Checks: []demo.Check{bad}}, nil, exitFailed},
		{demo.ReplyReport{Asked: 50, Answered: 50, Interrupted: true}, nil, exitInterrupted},
		{demo.ReplyReport{Asked: 50, Answered: 50, Interrupted: true, Checks: []demo.Check{bad}}, nil, exitFailed},
		{demo.ReplyReport{}, errBroker, exitFailed},
	} {
		var out, errs bytes.Buffer
		run := func(context.Context, demo.Options) (*demo.ReplyReport, error) { return &tc.report, tc.err }
		if code, _ := exitCode(runReplyDemo(t.Context(), run, 100, false, zap.NewNop(), &out, &errs)); code != tc.code {
			t.Errorf("%+v: exit code %d, want %d\n%s", tc.report, code, tc.code, out.String())
		}
	}
}
