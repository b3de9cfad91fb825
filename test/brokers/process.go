package brokers

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"time"
)

// process is one run of a Java program. Its own goroutine starts it and waits for it.
type process struct {
	cmd  *exec.Cmd
	log  *os.File
	done chan struct{} // closed when the process is gone

	mu    sync.Mutex
	ready chan struct{} // closed when the ready text was printed
	mark  []byte
	tail  []byte // the end of the output, for error messages
	seen  bool
}

// startProcess starts a command whose output goes to logFile, and watches the output for mark. The kernel kills the
// process when this one dies, so nothing is left behind even by a killed test.
func startProcess(cmd *exec.Cmd, logFile, mark string) (*process, error) {
	log, err := os.OpenFile(logFile, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, fmt.Errorf("opening the log: %w", err)
	}
	p := &process{cmd: cmd, log: log, done: make(chan struct{}), ready: make(chan struct{}), mark: []byte(mark)}
	cmd.Stdout, cmd.Stderr = p, p
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	started := make(chan error, 1)
	go func() {
		// The death signal comes when the *thread* that started the process ends, so it is kept until then.
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		defer log.Close()
		err := cmd.Start()
		started <- err
		if err == nil {
			_ = cmd.Wait()
		}
		close(p.done)
	}()
	if err := <-started; err != nil {
		return nil, fmt.Errorf("starting %s: %w", cmd.Path, err)
	}
	return p, nil
}

// Write takes the output of the process.
func (p *process) Write(b []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	_, _ = p.log.Write(b)
	p.tail = append(p.tail, b...)
	if !p.seen && bytes.Contains(p.tail, p.mark) {
		p.seen = true
		close(p.ready)
	}
	if len(p.tail) > 32<<10 {
		p.tail = append([]byte(nil), p.tail[len(p.tail)-16<<10:]...)
	}
	return len(b), nil
}

// output returns the end of what the process printed.
func (p *process) output() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return strings.TrimSpace(string(p.tail))
}

// waitReady waits until the mark was printed.
func (p *process) waitReady(limit time.Duration) error {
	timer := time.NewTimer(limit)
	defer timer.Stop()
	select {
	case <-p.ready:
		return nil
	case <-p.done:
		return fmt.Errorf("the process ended before it was ready: %s\n%s", p.cmd.ProcessState, p.output())
	case <-timer.C:
		return fmt.Errorf("the process was not ready after %s\n%s", limit, p.output())
	}
}

// kill ends the process at once and waits until it is gone.
func (p *process) kill() {
	_ = syscall.Kill(-p.cmd.Process.Pid, syscall.SIGKILL)
	<-p.done
}

// stop asks the process to end and kills it after the limit.
func (p *process) stop(limit time.Duration) {
	_ = syscall.Kill(p.cmd.Process.Pid, syscall.SIGTERM)
	timer := time.NewTimer(limit)
	defer timer.Stop()
	select {
	case <-p.done:
	case <-timer.C:
		p.kill()
	}
}
