package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"regexp"
	"strings"
	"testing"

	"github.com/jmsbridge/jmsbridge/cmd/jmsbridge/internal/demo"
)

// execute runs the program until it ends or ctx does.
func execute(ctx context.Context, in io.Reader, args ...string) (code int, out, errs string) {
	var stdout, stderr bytes.Buffer
	code = executeTo(ctx, in, &stdout, &stderr, args...)
	return code, stdout.String(), stderr.String()
}

func executeTo(ctx context.Context, in io.Reader, out, errs io.Writer, args ...string) int {
	return run(ctx, args, in, out, errs)
}

// lastLine returns the last line of what was printed.
func lastLine(s string) string {
	lines := strings.Split(strings.TrimSuffix(s, "\n"), "\n")
	return lines[len(lines)-1]
}

func TestDemoLosesNothingAndSaysSo(t *testing.T) {
	code, out, errs := execute(t.Context(), nil, "demo", "--messages", "500")
	if code != exitDone {
		t.Errorf("exit code %d", code)
	}
	if !regexp.MustCompile(`^sent 500, delivered 500, lost 0, duplicated \d+$`).MatchString(lastLine(out)) {
		t.Errorf("last line %q of:\n%s%s", lastLine(out), out, errs)
	}
	if strings.ContainsAny(out+errs, "\r\x1b") {
		t.Error("the cursor was moved, though the output is no terminal")
	}
	if got := strings.Count(errs, "survived: "); got != 5 {
		t.Errorf("%d faults were survived before the viewer's eyes, want 5:\n%s", got, errs)
	}
}

func TestDemoAsJSON(t *testing.T) {
	code, out, errs := execute(t.Context(), nil, "demo", "-n", "100", "--json")
	var r demo.Report
	if err := json.Unmarshal([]byte(out), &r); err != nil || code != exitDone {
		t.Fatalf("exit code %d, %v: %s", code, err, out)
	}
	if r.Sent != 100 || r.Delivered != 100 || r.Lost != 0 || len(r.Faults) != 5 || len(r.Checks) == 0 {
		t.Errorf("%+v", r)
	}
	if !strings.HasPrefix(lastLine(errs), "sent 100, delivered 100, lost 0, duplicated ") {
		t.Errorf("last line of standard error: %q", lastLine(errs))
	}
}

func TestDemoThatIsInterruptedSaysWhatWasDone(t *testing.T) {
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	var out bytes.Buffer
	code := executeTo(ctx, nil, &out, writerFunc(func(p []byte) (int, error) {
		if bytes.Contains(p, []byte("fault: ")) {
			stop()
		}
		return len(p), nil
	}), "demo", "--messages", "100000")
	if code != exitInterrupted {
		t.Errorf("exit code %d\n%s", code, out.String())
	}
	if !regexp.MustCompile(`^sent \d+, delivered \d+, lost 0, duplicated \d+$`).MatchString(lastLine(out.String())) ||
		!strings.Contains(out.String(), "stopped before the end") {
		t.Errorf("it said:\n%s", out.String())
	}
}

// The real demo finds nothing wrong, so these reports are made up.
func TestDemoFailsWhenItsReportIsNotOKAndSaysWhy(t *testing.T) {
	fine := demo.Check{Name: "the order holds in every group", Looked: 500}
	bad := demo.Check{Name: "every body is unchanged", Looked: 500, Wrong: 2, First: `demo-0000007 has the body "x"`}
	errBroker := errors.New("the broker did not start")
	for _, tc := range []struct {
		name   string
		report demo.Report
		err    error
		code   int
		last   string // line of the result
		says   []string
	}{
		{"all well", demo.Report{Sent: 500, Delivered: 500, Duplicated: 9, Checks: []demo.Check{fine}}, nil, exitDone, "sent 500, delivered 500, lost 0, duplicated 9", nil},
		{"a loss", demo.Report{Sent: 500, Delivered: 497, Lost: 3, Checks: []demo.Check{fine}}, nil, exitFailed, "sent 500, delivered 497, lost 3, duplicated 0", []string{"3 messages were lost"}},
		{
			"a failed check",
			demo.Report{Sent: 500, Delivered: 500, Checks: []demo.Check{fine, bad}},
			nil, exitFailed, "sent 500, delivered 500, lost 0, duplicated 0",
			[]string{"every body is unchanged: 2 wrong of 500, the first: " + bad.First},
		},
		{"both", demo.Report{Sent: 500, Delivered: 499, Lost: 1, Checks: []demo.Check{bad}}, nil, exitFailed, "sent 500, delivered 499, lost 1, duplicated 0", []string{"1 messages were lost; every body is unchanged: 2 wrong"}},
		{"interrupted", demo.Report{Sent: 200, Delivered: 150, Waiting: 50, Interrupted: true}, nil, exitInterrupted, "sent 200, delivered 150, lost 0, duplicated 0", nil},
		{"interrupted, with a loss", demo.Report{Sent: 200, Delivered: 150, Waiting: 49, Lost: 1, Interrupted: true}, nil, exitFailed, "sent 200, delivered 150, lost 1, duplicated 0", []string{"1 messages were lost"}},
		{"it could not run", demo.Report{}, errBroker, exitFailed, "", []string{errBroker.Error()}},
	} {
		for _, args := range [][]string{{"--messages", "500"}, {"--messages", "500", "--json"}} {
			t.Run(tc.name+" "+strings.Join(args[2:], ""), func(t *testing.T) {
				var out, errs bytes.Buffer
				c := newDemoCommand(func(_ context.Context, o demo.Options) (*demo.Report, error) {
					if o.Messages != 500 {
						t.Errorf("%d messages were asked for", o.Messages)
					}
					return &tc.report, tc.err
				})
				c.SilenceErrors, c.SilenceUsage = true, true
				c.SetOut(&out)
				c.SetErr(&errs)
				if code := runCommand(t.Context(), c, args); code != tc.code {
					t.Errorf("exit code %d, want %d", code, tc.code)
				}
				result, complaint := out.String(), errs.String()
				if len(args) > 2 && tc.err == nil { // with --json the last line is not part of the result
					result, complaint, _ = strings.Cut(complaint, "\n")
				}
				if lastLine(result) != tc.last {
					t.Errorf("last line %q, want %q", lastLine(result), tc.last)
				}
				for _, text := range tc.says {
					if !strings.Contains(complaint, text) {
						t.Errorf("standard error lacks %q: %s", text, complaint)
					}
				}
				if len(tc.says) == 0 && complaint != "" {
					t.Errorf("standard error has %q", complaint)
				}
			})
		}
	}
}

// writerFunc is a function as an io.Writer.
type writerFunc func(p []byte) (int, error)

func (f writerFunc) Write(p []byte) (int, error) { return f(p) }

func TestDemoRefusesSillyNumbers(t *testing.T) {
	for _, n := range []string{"0", "99", "-5", "1000001", "many"} {
		if code, _, errs := execute(t.Context(), nil, "demo", "--messages="+n); code != exitUsage || !strings.Contains(errs, "messages") {
			t.Errorf("--messages=%s: exit code %d, %s", n, code, errs)
		}
	}
}
