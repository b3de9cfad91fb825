package rig

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os/exec"
	"strings"
	"time"

	"github.com/jmsbridge/jmsbridge/test/bench/lean"
)

// Endpoint is cmd/endpoint at work.
type Endpoint struct {
	// URL is where clients find it.
	URL string

	cmd   *exec.Cmd
	stdin io.Closer
	http  http.Client
}

// StartEndpoint starts the program. It ends with Stop, or with this process.
func StartEndpoint(program string, stderr io.Writer) (*Endpoint, error) {
	e := &Endpoint{cmd: exec.Command(program), http: http.Client{Timeout: 10 * time.Second}}
	in, err := e.cmd.StdinPipe()
	if err != nil {
		return nil, fmt.Errorf("starting the endpoint: %w", err)
	}
	out, err := e.cmd.StdoutPipe()
	if err != nil {
		return nil, fmt.Errorf("starting the endpoint: %w", err)
	}
	e.cmd.Stderr, e.stdin = stderr, in
	if err := e.cmd.Start(); err != nil {
		return nil, fmt.Errorf("starting the endpoint: %w", err)
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		_, _ = e.Stop()
		return nil, fmt.Errorf("reading the endpoint's URL: %w", err)
	}
	e.URL = strings.TrimSpace(line)
	return e, nil
}

// Stop ends it and returns the CPU time that it took.
func (e *Endpoint) Stop() (time.Duration, error) {
	_ = e.stdin.Close()
	if err := e.cmd.Wait(); err != nil {
		return 0, fmt.Errorf("ending the endpoint: %w", err)
	}
	return e.cmd.ProcessState.UserTime() + e.cmd.ProcessState.SystemTime(), nil
}

// Pid is its process id.
func (e *Endpoint) Pid() int { return e.cmd.Process.Pid }

// Get fetches a URL: its text into a *string, its JSON into anything else.
func (e *Endpoint) Get(ctx context.Context, url string, into any) error {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	answer, err := e.http.Do(r)
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

// Reset sets its counts to zero, and the service time for the calls to come.
func (e *Endpoint) Reset(ctx context.Context, latency time.Duration, distinct bool) error {
	url := e.URL + "/reset?latency=" + latency.String()
	if distinct {
		url += "&distinct=1"
	}
	var none struct{}
	return e.Get(ctx, url, &none)
}

// Stats are what it has counted since the last reset.
func (e *Endpoint) Stats(ctx context.Context) (lean.Stats, error) {
	var s lean.Stats
	if err := e.Get(ctx, e.URL+"/stats", &s); err != nil {
		return s, fmt.Errorf("asking the endpoint: %w", err)
	}
	return s, nil
}

// Await waits until it has n messages that the process sends.
func (e *Endpoint) Await(ctx context.Context, n int, limit time.Duration, p *Process) (lean.Stats, error) {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		s, err := e.Stats(ctx)
		if err != nil {
			return s, err
		}
		if s.Messages >= int64(n) {
			return s, nil
		}
		select {
		case <-tick.C:
		case err := <-p.Ended:
			p.Ended <- err
			return s, fmt.Errorf("the process ended after %d messages: %w\n%s", s.Messages, err, p.Output.String())
		case <-ctx.Done():
			return s, fmt.Errorf("%d messages after %v: %w\n%s", s.Messages, limit, ctx.Err(), p.Output.String())
		}
	}
}
