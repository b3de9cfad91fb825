package rig

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
)

// Process is a measured process.
type Process struct {
	Cmd   *exec.Cmd
	Began time.Time
	// Ended gets what Wait returned.
	Ended chan error
	// Stdout is what it printed; to be read when it has ended.
	Stdout bytes.Buffer
	// Output is the end of its standard error.
	Output Tail
}

// Tail keeps the last of what is written.
type Tail struct {
	mu sync.Mutex
	b  []byte
}

func (t *Tail) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.b = append(t.b, p...)
	if len(t.b) > 8<<10 {
		t.b = append([]byte(nil), t.b[len(t.b)-4<<10:]...)
	}
	return len(p), nil
}

func (t *Tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return string(t.b)
}

// Start starts a command with credentials that any endpoint takes. Where its Stdout is not set, it is kept.
func (p *Process) Start(cmd *exec.Cmd) error {
	p.Cmd, p.Ended = cmd, make(chan error, 1)
	if cmd.Stdout == nil {
		cmd.Stdout = &p.Stdout
	}
	cmd.Stderr = &p.Output
	cmd.Env = append(os.Environ(), "AWS_ACCESS_KEY_ID=AKIDBENCH", "AWS_SECRET_ACCESS_KEY=secret", "AWS_EC2_METADATA_DISABLED=true")
	p.Began = time.Now()
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("starting %s: %w", cmd.Path, err)
	}
	go func() { p.Ended <- cmd.Wait() }()
	return nil
}

// Stop ends the process in its own orderly way.
func (p *Process) Stop() error {
	_ = p.Cmd.Process.Signal(syscall.SIGTERM)
	timer := time.NewTimer(30 * time.Second)
	defer timer.Stop()
	select {
	case err := <-p.Ended:
		if err != nil {
			return fmt.Errorf("ending: %w\n%s", err, p.Output.String())
		}
		return nil
	case <-timer.C:
		_ = p.Cmd.Process.Kill()
		return errors.Join(errors.New("it did not end within 30 s of SIGTERM"), <-p.Ended)
	}
}

// Kill ends the process at once.
func (p *Process) Kill() error {
	_ = p.Cmd.Process.Kill()
	return <-p.Ended
}

// CPU is the time that an ended process took.
func (p *Process) CPU() time.Duration {
	return p.Cmd.ProcessState.UserTime() + p.Cmd.ProcessState.SystemTime()
}

// PeakRSS is the most memory that a running process has had, in MiB. The kernel's ru_maxrss would not do: it begins with
// the memory of the process that forked.
func PeakRSS(pid int) float64 {
	text, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/status")
	if err != nil {
		return 0
	}
	for line := range strings.Lines(string(text)) {
		if value, ok := strings.CutPrefix(line, "VmHWM:"); ok {
			kib, _ := strconv.Atoi(strings.Fields(value)[0])
			return float64(kib) / 1024
		}
	}
	return 0
}

// clockTick is the unit of /proc/PID/stat: sysconf(_SC_CLK_TCK), which is 100 on every Linux.
const clockTick = time.Second / 100

// RunningCPU is the time that a running process has taken so far, to a hundredth of a second.
func RunningCPU(pid int) (time.Duration, error) {
	text, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	if err != nil {
		return 0, fmt.Errorf("reading the CPU time of process %d: %w", pid, err)
	}
	// The name is in parentheses and may hold anything; utime and stime are fields 14 and 15, two before the first behind it.
	field := strings.Fields(string(text[bytes.LastIndexByte(text, ')')+1:]))
	if len(field) < 13 {
		return 0, fmt.Errorf("reading the CPU time of process %d: %q", pid, text)
	}
	user, err := strconv.ParseInt(field[11], 10, 64)
	if err != nil {
		return 0, fmt.Errorf("reading the CPU time of process %d: %w", pid, err)
	}
	system, err := strconv.ParseInt(field[12], 10, 64)
	if err != nil {
		return 0, fmt.Errorf("reading the CPU time of process %d: %w", pid, err)
	}
	return time.Duration(user+system) * clockTick, nil
}
