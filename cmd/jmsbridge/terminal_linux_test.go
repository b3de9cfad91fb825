package main

import (
	"fmt"
	"io"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"github.com/jmsbridge/jmsbridge/cmd/jmsbridge/internal/demo"
)

// screen is what a person sees of a terminal, and types into it.
type screen struct {
	file  *os.File
	shown strings.Builder
}

// openTerminal returns a new pseudo-terminal of 80 columns: its screen, and the end for a program.
func openTerminal(t *testing.T) (*screen, *os.File) {
	t.Helper()
	file, err := os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = file.Close() })
	raw, err := file.SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	var number int
	var failed error
	err = raw.Control(func(fd uintptr) {
		if failed = unix.IoctlSetPointerInt(int(fd), unix.TIOCSPTLCK, 0); failed != nil {
			return
		}
		if failed = unix.IoctlSetWinsize(int(fd), unix.TIOCSWINSZ, &unix.Winsize{Row: 24, Col: 80}); failed != nil {
			return
		}
		number, failed = unix.IoctlGetInt(int(fd), unix.TIOCGPTN)
	})
	if err != nil || failed != nil {
		t.Fatal(err, failed)
	}
	terminal, err := os.OpenFile(fmt.Sprintf("/dev/pts/%d", number), os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = terminal.Close() })
	t.Setenv("TERM", "xterm")
	t.Setenv("NO_COLOR", "")
	return &screen{file: file}, terminal
}

// read reads what the program shows until a condition on all of that holds, or until the program has closed its end,
// and returns whether the condition holds.
func (s *screen) read(t *testing.T, until func(shown string) bool) bool {
	t.Helper()
	if err := s.file.SetReadDeadline(time.Now().Add(time.Minute)); err != nil {
		t.Fatal(err)
	}
	buf := make([]byte, 4096)
	for !until(s.shown.String()) {
		n, err := s.file.Read(buf)
		s.shown.Write(buf[:n])
		if os.IsTimeout(err) {
			t.Fatalf("it does not come:\n%q", s.shown.String())
		}
		if err != nil { // EIO: nobody has the other end
			return until(s.shown.String())
		}
	}
	return true
}

// view is the moving line of the demo.
type view struct{ settled, total, rate, inFlight, duplicates, faults int }

var (
	escapes  = regexp.MustCompile(`\x1b\[[0-9;]*[A-Za-z]`)
	viewLine = regexp.MustCompile(`^ *(\d+) of (\d+)  *\[[=>-]*\]  *(\d+)/s, (\d+) in flight, (\d+) duplicates, (\d+) faults *$`)
)

// views returns each state of the moving line that was shown completely. An incomplete line at the end is left out.
func views(t *testing.T, shown string) []view {
	t.Helper()
	var all []view
	for line := range strings.Lines(shown) {
		text := strings.TrimRight(escapes.ReplaceAllString(line, ""), "\r\n")
		if m := viewLine.FindStringSubmatch(text); m != nil && strings.HasSuffix(line, "\n") {
			var v view
			if _, err := fmt.Sscan(strings.Join(m[1:], " "), &v.settled, &v.total, &v.rate, &v.inFlight, &v.duplicates, &v.faults); err != nil {
				t.Fatal(err)
			}
			if len(text) > 80 {
				t.Errorf("the line has %d columns: %q", len(text), text)
			}
			all = append(all, v)
		}
	}
	return all
}

func last(all []view) view {
	if len(all) == 0 {
		return view{}
	}
	return all[len(all)-1]
}

func TestTheLiveViewShowsEachFigure(t *testing.T) {
	for _, tc := range []struct {
		name string
		now  []demo.Progress
		want []view
	}{
		{
			"until the end", []demo.Progress{
				{Total: 20000, Sent: 6000, Settled: 5123, InFlight: 217, Duplicates: 31, Faults: 2, Rate: 4567.8, Elapsed: time.Second},
				{Total: 20000, Sent: 20000, Settled: 20000, Duplicates: 42, Faults: 5, Rate: 999.2, Elapsed: 3 * time.Second},
			}, []view{
				{settled: 5123, total: 20000, rate: 4568, inFlight: 217, duplicates: 31, faults: 2},
				{settled: 20000, total: 20000, rate: 999, duplicates: 42, faults: 5},
			},
		},
		{
			"until an interruption, in all its width", []demo.Progress{
				{Total: 1000000, Sent: 999999, Settled: 999998, InFlight: 1000, Duplicates: 12345, Faults: 5, Rate: 123456.4},
			}, []view{
				{settled: 999998, total: 1000000, rate: 123456, inFlight: 1000, duplicates: 12345, faults: 5},
			},
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s, terminal := openTerminal(t)
			v := newDemoViewer(terminal, terminal, tc.now[0].Total)
			if _, ok := v.(*barViewer); !ok {
				t.Fatalf("on a terminal it is a %T", v)
			}
			for i, p := range tc.now {
				v.observe(p)
				v.event(fmt.Sprintf("event %d", i))
				s.read(t, func(shown string) bool {
					return cmp.Equal(last(views(t, shown)), tc.want[i], cmp.AllowUnexported(view{})) && strings.Contains(shown, fmt.Sprintf("event %d\r\n", i))
				})
			}
			v.close()
			if err := terminal.Close(); err != nil {
				t.Fatal(err)
			}
			s.read(t, func(string) bool { return false })
			if diff := cmp.Diff(tc.want[len(tc.want)-1], last(views(t, s.shown.String())), cmp.AllowUnexported(view{})); diff != "" {
				t.Errorf("what stays on the screen (-want +got):\n%s", diff)
			}
		})
	}
}

// startOn starts the program with a terminal as all it has.
func startOn(t *testing.T, terminal *os.File, args ...string) *exec.Cmd {
	t.Helper()
	c := program(t, args...)
	c.Stdin, c.Stdout, c.Stderr = terminal, terminal, terminal
	c.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	if err := terminal.Close(); err != nil { // so that its end is seen when the program has ended
		t.Fatal(err)
	}
	return c
}

// The last thing that the view shows has to be what was then counted message by message.
func TestTheLiveViewShowsTrueFigures(t *testing.T) {
	s, terminal := openTerminal(t)
	c := startOn(t, terminal, "demo", "--messages", "2000")
	s.read(t, func(string) bool { return false })
	if code := wait(c); code != exitDone {
		t.Errorf("exit code %d", code)
	}
	shown := strings.ReplaceAll(s.shown.String(), "\r\n", "\n")
	r, all := parseDemo(t, shown), views(t, shown)
	want := view{settled: r.delivered, total: 2000, rate: last(all).rate, duplicates: r.duplicated, faults: 5}
	if diff := cmp.Diff(want, last(all), cmp.AllowUnexported(view{})); diff != "" || r.delivered != 2000 || r.duplicated == 0 {
		t.Errorf("%+v, and the view ended so (-want +got):\n%s", r, diff)
	}
	var rate, inFlight bool
	for _, v := range all {
		rate, inFlight = rate || v.rate > 0, inFlight || v.inFlight > 0
	}
	if !rate || !inFlight || !strings.Contains(shown, "\x1b[") {
		t.Errorf("a view that moves, a rate and messages in flight were not all seen: %+v", all)
	}
	if got := strings.Count(shown, "survived: "); got != 5 {
		t.Errorf("%d faults were survived before the viewer's eyes, want 5", got)
	}
}

func TestCtrlCOnATerminalStopsTheDemoInOrder(t *testing.T) {
	const messages = 200_000
	s, terminal := openTerminal(t)
	c := startOn(t, terminal, "demo", "--messages", fmt.Sprint(messages))
	if !s.read(t, func(shown string) bool { v := last(views(t, shown)); return v.settled > 0 && v.inFlight > 0 }) {
		t.Fatalf("it was never under way:\n%s", s.shown.String())
	}
	if _, err := io.WriteString(s.file, "\x03"); err != nil {
		t.Fatal(err)
	}
	s.read(t, func(string) bool { return false })
	shown := strings.ReplaceAll(s.shown.String(), "\r\n", "\n")
	if code := wait(c); code != exitInterrupted {
		t.Errorf("exit code %d, want %d", code, exitInterrupted)
	}
	r := checkInterrupted(t, messages, shown)
	if v := last(views(t, shown)); v.settled != r.delivered || v.inFlight != 0 || v.duplicates != r.duplicated {
		t.Errorf("the view ended with %+v, and the result is %+v", v, r)
	}
}

func TestCtrlCOnATerminalStopsTheReplyDemoInOrder(t *testing.T) {
	s, terminal := openTerminal(t)
	c := startOn(t, terminal, "demo", "--reply", "--messages", "5000")
	if !s.read(t, func(shown string) bool { return last(views(t, shown)).settled > 0 }) {
		t.Fatalf("it was never under way:\n%s", s.shown.String())
	}
	if _, err := io.WriteString(s.file, "\x03"); err != nil {
		t.Fatal(err)
	}
	s.read(t, func(string) bool { return false })
	shown := strings.ReplaceAll(s.shown.String(), "\r\n", "\n")
	var asked, answered int
	_, err := fmt.Sscanf(lastLine(shown), "asked %d, answered %d, wrong 0, twice 0", &asked, &answered)
	if code := wait(c); code != exitInterrupted || err != nil || asked != answered || asked == 0 || asked == 5000 {
		t.Errorf("exit code %d, %v, last line %q", code, err, lastLine(shown))
	}
}
