package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/jmsbridge/jmsbridge/test/bench/rig"
	"github.com/jmsbridge/jmsbridge/test/brokers"
	"github.com/jmsbridge/jmsbridge/test/java"
)

// startBridge starts jmsbridge. It may be ready later: the first requests wait in its queue.
func (b *bench) startBridge(_ context.Context, broker *brokers.Broker) (*rig.Process, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("finding a free port: %w", err)
	}
	admin := l.Addr().String()
	if err := l.Close(); err != nil {
		return nil, fmt.Errorf("finding a free port: %w", err)
	}
	path := filepath.Join(b.dir, "bridge.yaml")
	text := fmt.Sprintf(`brokers:
  - name: mq
    url: %s
    username: %s
    password: %s
aws:
  region: us-east-1
  endpoint_url: %s
admin:
  listen: %s
log:
  level: warn
routes:
  - name: bench
    from:
      jms:
        broker: mq
        queue: %s
    to:
      - lambda:
          function: bench
          concurrency: %d
    order: none
    reply:
      from: call
      timeout: %s
    dead_letter: drop
`, broker.URL("stomp"), broker.Username(), broker.Password(), b.endpoint.URL, admin, bridgeQueue, b.calls, b.timeout)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		return nil, fmt.Errorf("writing the configuration: %w", err)
	}
	p := &rig.Process{}
	return p, p.Start(exec.Command(b.bridge, "run", "-c", path))
}

// program is a program in Java that takes commands on its standard input, and ends with it.
type program struct {
	rig.Process
	in     io.WriteCloser
	out    *bufio.Scanner
	stdout *os.File // what out reads
}

// startJava starts one and waits until it is ready. Java chooses collector and threads itself, as for an application.
func startJava(ctx context.Context, broker *brokers.Broker, first string, rest ...string) (*program, error) {
	rest = append([]string{broker.Username(), broker.Password()}, rest...)
	cmd, err := java.ActiveMQ6.Command(ctx, []string{"-Xms512m", "-Xmx512m"}, "Bench", first, broker.URL("tcp"), rest...)
	if err != nil {
		return nil, err
	}
	p := &program{}
	if p.in, err = cmd.StdinPipe(); err != nil {
		return nil, fmt.Errorf("starting Java: %w", err)
	}
	// A pipe of our own: that of exec would be closed by Wait before the last of it is read.
	reader, writer, err := os.Pipe()
	if err != nil {
		return nil, fmt.Errorf("starting Java: %w", err)
	}
	cmd.Stdout = writer
	err = p.Start(cmd)
	if closing := writer.Close(); err == nil {
		err = closing
	}
	if err != nil {
		_ = reader.Close()
		return nil, err
	}
	p.out, p.stdout = bufio.NewScanner(reader), reader
	if line, err := p.line(); err != nil || line != "ready" {
		return nil, errors.Join(fmt.Errorf("starting %s: it said %q", first, line), err, p.Kill())
	}
	return p, nil
}

func (p *program) pid() int { return p.Cmd.Process.Pid }

// line reads a line of its output.
func (p *program) line() (string, error) {
	if !p.out.Scan() {
		return "", fmt.Errorf("reading its output: %w\n%s", errors.Join(io.ErrUnexpectedEOF, p.out.Err()), p.Output.String())
	}
	return p.out.Text(), nil
}

// end closes its standard input and waits.
func (p *program) end() error {
	_ = p.in.Close()
	defer p.stdout.Close()
	timer := time.NewTimer(30 * time.Second)
	defer timer.Stop()
	select {
	case err := <-p.Ended:
		if err != nil {
			return fmt.Errorf("ending: %w\n%s", err, p.Output.String())
		}
		return nil
	case <-timer.C:
		return errors.Join(errors.New("it did not end within 30 s of its input"), p.Kill())
	}
}

func (b *bench) startResponder(ctx context.Context, broker *brokers.Broker) (*program, error) {
	return startJava(ctx, broker, "respond", javaQueue, strconv.Itoa(b.sessions), answer)
}

// requester is the requester in Java.
type requester struct{ *program }

func (b *bench) startRequester(ctx context.Context, broker *brokers.Broker) (*requester, error) {
	p, err := startJava(ctx, broker, "request")
	return &requester{p}, err
}

// command is one run.
type command struct {
	queue                  string
	rate, warmUp, requests int
	timeout                time.Duration
	measuring, measured    func() error
}

// asked is what the requester reports.
type asked struct {
	latencies
	answered, twice, foreign int
	span                     time.Duration // from when the first should have been sent to the last answer
}

// ask lets the requester ask.
func (r *requester) ask(ctx context.Context, c command) (asked, error) {
	stop := context.AfterFunc(ctx, func() { _ = r.Cmd.Process.Kill() })
	defer stop()
	if _, err := fmt.Fprintf(r.in, "%s %d %d %d %d\n", c.queue, c.rate, c.warmUp, c.requests, c.timeout.Milliseconds()); err != nil {
		return asked{}, fmt.Errorf("asking the requester: %w", err)
	}
	for _, step := range []struct {
		word string
		do   func() error
	}{{"measuring", c.measuring}, {"measured", c.measured}} {
		line, err := r.line()
		if err != nil {
			return asked{}, err
		}
		if line != step.word {
			return asked{}, fmt.Errorf("the requester says %q and not %s", line, step.word)
		}
		if err := step.do(); err != nil {
			return asked{}, err
		}
	}
	return readAnswers(r.line, c)
}

// readAnswers reads the requester's result and its line for each request.
func readAnswers(next func() (string, error), c command) (asked, error) {
	var out asked
	line, err := next()
	if err != nil {
		return out, err
	}
	var span int64
	if _, err := fmt.Sscanf(line, "result %d %d %d %d", &out.answered, &span, &out.twice, &out.foreign); err != nil {
		return out, fmt.Errorf("reading the result %q: %w", line, err)
	}
	out.span = time.Duration(span) * time.Microsecond
	all := newRecorder(c.timeout)
	for range c.requests {
		if line, err = next(); err != nil {
			return out, err
		}
		first, second, _ := strings.Cut(line, " ")
		latency, err := strconv.ParseInt(first, 10, 64)
		if err != nil {
			return out, fmt.Errorf("reading a latency: %w", err)
		}
		delay, err := strconv.ParseInt(second, 10, 64)
		if err != nil {
			return out, fmt.Errorf("reading a delay: %w", err)
		}
		if err := all.record(latency, delay); err != nil {
			return out, err
		}
	}
	if line, err = next(); err != nil || line != "end" {
		return out, errors.Join(fmt.Errorf("the requester's report goes on with %q", line), err)
	}
	out.latencies = all.latencies()
	if out.timeouts != c.requests-out.answered {
		return out, fmt.Errorf("of %d requests %d were answered, and %d were not", c.requests, out.answered, out.timeouts)
	}
	return out, nil
}
