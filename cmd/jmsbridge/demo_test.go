package main

import (
	"bytes"
	"context"
	"encoding/json"
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
