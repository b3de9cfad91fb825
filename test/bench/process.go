package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/jmsbridge/jmsbridge/test/bench/lean"
)

// bench is a benchmark at work.
type bench struct {
	options
	dir      string
	progress io.Writer
	queues   int
	served   int64 // messages that the endpoint has taken in runs that ended well

	endpoint *exec.Cmd
	stdin    io.Closer
	url      string
	http     http.Client
}

// sample is what one run has shown.
type sample struct {
	rate   float64       // messages a second, between the first and the last
	cpu    float64       // µs a message, of the process alone
	rss    float64       // MiB at most
	allocs float64       // a message; 0: not known
	first  time.Duration // from the start of the process to the first message at the endpoint
	left   int           // messages that were not settled
}

func (s sample) String() string {
	text := fmt.Sprintf("%7.0f msg/s %6.1f µs CPU/msg %6.1f MiB %6.1f allocs/msg first after %v", s.rate, s.cpu, s.rss, s.allocs, s.first.Round(time.Millisecond))
	if s.left > 0 {
		text += fmt.Sprintf(" (%d left on the broker)", s.left)
	}
	return text
}

// build builds the programs.
func (b *bench) build(ctx context.Context) error {
	packages := map[string]string{"endpoint": "./test/bench/cmd/endpoint", "bareloop": "./test/bench/cmd/bareloop"}
	if b.bridge == "" {
		b.bridge = filepath.Join(b.dir, "jmsbridge")
		packages["jmsbridge"] = "./cmd/jmsbridge"
	}
	for name, pkg := range packages {
		cmd := exec.CommandContext(ctx, "go", "build", "-trimpath", "-o", filepath.Join(b.dir, name), pkg)
		cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
		if out, err := cmd.CombinedOutput(); err != nil {
			return fmt.Errorf("building %s: %w\n%s", pkg, err, out)
		}
	}
	return nil
}

func (b *bench) startEndpoint(ctx context.Context) error {
	b.http.Timeout = 10 * time.Second
	cmd := exec.Command(filepath.Join(b.dir, "endpoint"))
	in, err := cmd.StdinPipe()
	if err != nil {
		return err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	cmd.Stderr = b.progress
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("starting the endpoint: %w", err)
	}
	b.endpoint, b.stdin = cmd, in
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		b.stopEndpoint()
		return fmt.Errorf("reading the endpoint's URL: %w", err)
	}
	b.url = strings.TrimSpace(line)
	return b.reset(ctx, b.latencies[0], false)
}

func (b *bench) stopEndpoint() {
	_ = b.stdin.Close()
	if err := b.endpoint.Wait(); err == nil && b.served > 0 {
		used := b.endpoint.ProcessState.UserTime() + b.endpoint.ProcessState.SystemTime()
		fmt.Fprintf(b.progress, "the endpoint took %.1f µs of CPU a message\n", float64(used.Microseconds())/float64(b.served))
	}
}

func (b *bench) get(ctx context.Context, url string, into any) error {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	answer, err := b.http.Do(r)
	if err != nil {
		return err
	}
	defer func() { _ = answer.Body.Close() }()
	if text, ok := into.(*string); ok {
		all, err := io.ReadAll(answer.Body)
		*text = string(all)
		return err
	}
	return json.NewDecoder(answer.Body).Decode(into)
}

func (b *bench) reset(ctx context.Context, latency time.Duration, distinct bool) error {
	url := b.url + "/reset?latency=" + latency.String()
	if distinct {
		url += "&distinct=1"
	}
	var none struct{}
	return b.get(ctx, url, &none)
}

// wait waits until the endpoint has n messages.
func (b *bench) wait(ctx context.Context, n int, p *side) (lean.Stats, error) {
	ctx, cancel := context.WithTimeout(ctx, b.limit)
	defer cancel()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	var s lean.Stats
	for {
		if err := b.get(ctx, b.url+"/stats", &s); err != nil {
			return s, fmt.Errorf("asking the endpoint: %w", err)
		}
		if s.Messages >= int64(n) {
			return s, nil
		}
		select {
		case <-tick.C:
		case err := <-p.ended:
			p.ended <- err
			return s, fmt.Errorf("the process ended after %d messages: %w\n%s", s.Messages, err, p.output.String())
		case <-ctx.Done():
			return s, fmt.Errorf("%d messages after %v: %w\n%s", s.Messages, b.limit, ctx.Err(), p.output.String())
		}
	}
}

// side is a measured process.
type side struct {
	cmd     *exec.Cmd
	began   time.Time
	ended   chan error
	stdout  bytes.Buffer
	output  tail
	metrics string // URL, of jmsbridge
}

// tail keeps the last of what is written; it is for one writer, and read when that has ended or for a message.
type tail struct{ b []byte }

func (t *tail) Write(p []byte) (int, error) {
	t.b = append(t.b, p...)
	if len(t.b) > 8<<10 {
		t.b = append([]byte(nil), t.b[len(t.b)-4<<10:]...)
	}
	return len(p), nil
}

func (t *tail) String() string { return string(t.b) }

func (p *side) start(cmd *exec.Cmd) error {
	p.cmd, p.ended = cmd, make(chan error, 1)
	cmd.Stdout, cmd.Stderr = &p.stdout, &p.output
	cmd.Env = append(os.Environ(), "AWS_ACCESS_KEY_ID=AKIDBENCH", "AWS_SECRET_ACCESS_KEY=secret", "AWS_EC2_METADATA_DISABLED=true")
	p.began = time.Now()
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("starting %s: %w", cmd.Path, err)
	}
	go func() { p.ended <- cmd.Wait() }()
	return nil
}

// stop ends the process in its own orderly way.
func (p *side) stop() error {
	_ = p.cmd.Process.Signal(syscall.SIGTERM)
	timer := time.NewTimer(30 * time.Second)
	defer timer.Stop()
	select {
	case err := <-p.ended:
		if err != nil {
			return fmt.Errorf("ending: %w\n%s", err, p.output.String())
		}
		return nil
	case <-timer.C:
		_ = p.cmd.Process.Kill()
		return errors.Join(errors.New("it did not end within 30 s of SIGTERM"), <-p.ended)
	}
}

// peakRSS is the most memory that a running process has had, in MiB. The kernel's ru_maxrss would not do: it begins with
// the memory of the process that forked.
func peakRSS(pid int) float64 {
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
