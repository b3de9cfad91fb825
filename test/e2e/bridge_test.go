//go:build integration

package e2e_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
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
	done chan struct{} // closed when it is gone
	code int

	mu  sync.Mutex
	log bytes.Buffer
}

// startBridge runs the program with this configuration, to which the admin listener is added, and kills it at the end
// of the test if it still runs. Its log must not hold any password.
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
	p := &bridgeProcess{t: t, file: file, done: make(chan struct{})}
	p.cmd = exec.Command(binary, "run", "-c", file)
	p.cmd.Stdout, p.cmd.Stderr = p, p
	p.cmd.Env = append(
		os.Environ(),
		"AWS_ACCESS_KEY_ID=AKIDEXAMPLE", "AWS_SECRET_ACCESS_KEY=secret-k8Vb21", "AWS_REGION=us-east-1", "AWS_EC2_METADATA_DISABLED=true",
		"AWS_CONFIG_FILE=/nonexistent", "AWS_SHARED_CREDENTIALS_FILE=/nonexistent", "HTTP_PROXY=", "HTTPS_PROXY=", "http_proxy=", "https_proxy=",
	)
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	started := make(chan error, 1)
	go func() {
		runtime.LockOSThread() // the death signal belongs to the thread
		defer runtime.UnlockOSThread()
		err := p.cmd.Start()
		started <- err
		if err == nil {
			_ = p.cmd.Wait()
			p.code = p.cmd.ProcessState.ExitCode()
		}
		close(p.done)
	}()
	if err := <-started; err != nil {
		t.Fatalf("starting the program: %v", err)
	}
	t.Cleanup(func() {
		p.kill()
		log := p.output()
		for _, u := range brokers.Users() {
			if strings.Contains(log, u.Password) {
				t.Errorf("the log holds the password of %s", u.Name)
			}
		}
		if strings.Contains(log, "secret-k8Vb21") {
			t.Error("the log holds the secret access key")
		}
		if t.Failed() {
			t.Logf("end of the bridge's log:\n%s", log[max(0, len(log)-6<<10):])
		}
	})
	return p
}

// Write takes the output of the program.
func (p *bridgeProcess) Write(b []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.log.Write(b)
}

func (p *bridgeProcess) output() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.log.String()
}

// kill ends the program at once.
func (p *bridgeProcess) kill() {
	_ = syscall.Kill(-p.cmd.Process.Pid, syscall.SIGKILL)
	<-p.done
}

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
		return p.code, time.Since(start)
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
	m := adminAddress.FindStringSubmatch(p.output())
	if m == nil {
		return "", errors.New("the program has not started yet")
	}
	return "http://" + m[1], nil
}

// statuses asks the program for /status.
func (p *bridgeProcess) statuses() (map[string]bridge.RouteStatus, error) {
	url, err := p.admin()
	if err != nil {
		return nil, err
	}
	client := http.Client{Timeout: 5 * time.Second, Transport: &http.Transport{DisableKeepAlives: true}}
	answer, err := client.Get(url + "/status")
	if err != nil {
		return nil, fmt.Errorf("asking for the status: %w", err)
	}
	defer answer.Body.Close()
	var status struct {
		Routes []bridge.RouteStatus `json:"routes"`
	}
	if err := json.NewDecoder(answer.Body).Decode(&status); err != nil {
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
			return false, fmt.Sprintf("the program has ended with %d", p.code)
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
