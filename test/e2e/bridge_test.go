//go:build integration

package e2e_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/jmsbridge/jmsbridge/bridge"
	"github.com/jmsbridge/jmsbridge/test/brokers"
)

// bridgeProcess is one run of the program.
type bridgeProcess struct {
	t    testing.TB
	file string // bridge.yaml
	cmd  *exec.Cmd
	done <-chan struct{} // closed when it is gone

	stdout, log transcript // standard output, and standard error
}

// transcript keeps what a process has written so far.
type transcript struct {
	mu   sync.Mutex
	text bytes.Buffer
}

// Write takes output of the process.
func (w *transcript) Write(b []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.text.Write(b)
}

func (w *transcript) String() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.text.String()
}

// startBridge runs the program with this configuration, to which the admin listener is added, and kills it at the end
// of the test if it still runs. What it prints must not hold any password.
func startBridge(t testing.TB, yaml string) *bridgeProcess {
	t.Helper()
	file := filepath.Join(t.TempDir(), "bridge.yaml")
	if err := os.WriteFile(file, []byte(yaml+"\nadmin:\n  listen: 127.0.0.1:0\nlog:\n  level: debug\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	return runBridge(t, file)
}

// runBridge runs the program with a file.
func runBridge(t testing.TB, file string) *bridgeProcess {
	t.Helper()
	p := &bridgeProcess{t: t, file: file}
	p.cmd = exec.Command(binary, "run", "-c", file)
	p.cmd.Stdout, p.cmd.Stderr = &p.stdout, &p.log
	p.cmd.Env = append(
		os.Environ(),
		"AWS_ACCESS_KEY_ID=AKIDEXAMPLE", "AWS_SECRET_ACCESS_KEY=secret-k8Vb21", "AWS_REGION=us-east-1", "AWS_EC2_METADATA_DISABLED=true",
		"AWS_CONFIG_FILE=/nonexistent", "AWS_SHARED_CREDENTIALS_FILE=/nonexistent", "HTTP_PROXY=", "HTTPS_PROXY=", "http_proxy=", "https_proxy=",
	)
	p.done = launch(t, p.cmd)
	t.Cleanup(func() {
		p.kill()
		log := p.log.String()
		said := p.stdout.String() + log
		for _, u := range brokers.Users() {
			if strings.Contains(said, u.Password) {
				t.Errorf("the output holds the password of %s", u.Name)
			}
		}
		if strings.Contains(said, "secret-k8Vb21") {
			t.Error("the output holds the secret access key")
		}
		if t.Failed() {
			t.Logf("end of the bridge's log:\n%s", log[max(0, len(log)-6<<10):])
		}
	})
	return p
}

// launch starts a program that the kernel kills when this one dies, and that is killed when the test ends. done is closed
// when it is gone.
func launch(t testing.TB, cmd *exec.Cmd) (done <-chan struct{}) {
	t.Helper()
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	started, gone := make(chan error, 1), make(chan struct{})
	go func() {
		defer close(gone)
		runtime.LockOSThread() // the death signal belongs to the thread
		defer runtime.UnlockOSThread()
		err := cmd.Start()
		started <- err
		if err == nil {
			_ = cmd.Wait()
		}
	}()
	if err := <-started; err != nil {
		t.Fatalf("starting %s: %v", cmd.Path, err)
	}
	t.Cleanup(func() { kill(cmd, gone) })
	return gone
}

// kill ends a launched program at once.
func kill(cmd *exec.Cmd, done <-chan struct{}) {
	select {
	case <-done: // its number may be another's by now
		return
	default:
	}
	_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
	<-done
}

// kill ends the program at once.
func (p *bridgeProcess) kill() { kill(p.cmd, p.done) }

func (p *bridgeProcess) signal(s syscall.Signal) {
	p.t.Helper()
	if err := p.cmd.Process.Signal(s); err != nil {
		p.t.Fatalf("sending %s: %v", s, err)
	}
}

// wait waits until the program has ended and returns its exit code and how long it took.
func (p *bridgeProcess) wait(limit time.Duration) (int, time.Duration) {
	p.t.Helper()
	start := time.Now()
	timer := time.NewTimer(limit)
	defer timer.Stop()
	select {
	case <-p.done:
		return p.code(), time.Since(start)
	case <-timer.C:
		p.t.Fatalf("the program still runs after %s", limit)
		return 0, 0
	}
}

// stop asks the program to end, which must end with 0.
func (p *bridgeProcess) stop() {
	p.t.Helper()
	p.signal(syscall.SIGTERM)
	if code, took := p.wait(40 * time.Second); code != 0 {
		p.t.Errorf("exit code %d after %s", code, took)
	}
}

// code is the exit code of the program, which has ended.
func (p *bridgeProcess) code() int { return p.cmd.ProcessState.ExitCode() }

// running tells whether the program has not ended.
func (p *bridgeProcess) running() bool {
	select {
	case <-p.done:
		return false
	default:
		return true
	}
}

var adminAddress = regexp.MustCompile(`"msg":"started".*"endpoint":"([^"]+)"`)

// admin returns the URL of the admin listener.
func (p *bridgeProcess) admin() (string, error) {
	m := adminAddress.FindStringSubmatch(p.log.String())
	if m == nil {
		return "", errors.New("the program has not started yet")
	}
	return "http://" + m[1], nil
}

// get asks the admin listener for a page.
func (p *bridgeProcess) get(path string) ([]byte, error) {
	url, err := p.admin()
	if err != nil {
		return nil, err
	}
	client := http.Client{Timeout: 5 * time.Second, Transport: &http.Transport{DisableKeepAlives: true}}
	answer, err := client.Get(url + path)
	if err != nil {
		return nil, fmt.Errorf("asking for %s: %w", path, err)
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err == nil && answer.StatusCode != http.StatusOK {
		err = fmt.Errorf("asking for %s: %s: %s", path, answer.Status, text)
	}
	return text, err
}

// statuses asks the program for /status.
func (p *bridgeProcess) statuses() (map[string]bridge.RouteStatus, error) {
	text, err := p.get("/status")
	if err != nil {
		return nil, err
	}
	var status struct {
		Routes []bridge.RouteStatus `json:"routes"`
	}
	if err := json.Unmarshal(text, &status); err != nil {
		return nil, fmt.Errorf("reading the status: %w", err)
	}
	routes := map[string]bridge.RouteStatus{}
	for _, r := range status.Routes {
		routes[r.Name] = r
	}
	return routes, nil
}

// status returns the status of one route; the zero status when there is none yet.
func (p *bridgeProcess) status(route string) bridge.RouteStatus {
	p.t.Helper()
	routes, err := p.statuses()
	if err != nil {
		return bridge.RouteStatus{Reason: err.Error()}
	}
	return routes[route]
}

// waitStatus waits until the status of a route is as wanted.
func (p *bridgeProcess) waitStatus(route string, limit time.Duration, want func(bridge.RouteStatus) bool) bridge.RouteStatus {
	p.t.Helper()
	var last bridge.RouteStatus
	eventually(p.t, limit, func() (bool, string) {
		if !p.running() {
			return false, fmt.Sprintf("the program has ended with %d", p.code())
		}
		last = p.status(route)
		return want(last), fmt.Sprintf("route %s: %+v", route, last)
	})
	return last
}

// memory returns the resident and the peak memory of the program in bytes.
func (p *bridgeProcess) memory() (resident, peak int) {
	p.t.Helper()
	raw, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.cmd.Process.Pid))
	if err != nil {
		p.t.Fatal(err)
	}
	for line := range strings.Lines(string(raw)) {
		f := strings.Fields(line)
		if len(f) != 3 {
			continue
		}
		kb, err := strconv.Atoi(f[1])
		switch {
		case err != nil:
		case f[0] == "VmRSS:":
			resident = kb << 10
		case f[0] == "VmHWM:":
			peak = kb << 10
		}
	}
	return resident, peak
}
