package java

import (
	"bufio"
	"bytes"
	"io"
	"os/exec"
	"strconv"
	"sync"
	"testing"

	"github.com/jmsbridge/jmsbridge/bridge"
	"github.com/jmsbridge/jmsbridge/test/brokers"
)

// Service is a JMS service that runs: it answers each request on a queue to its JMSReplyTo, with its JMSCorrelationID
// and the text "answer to " and the request's text.
type Service struct {
	t    testing.TB
	cmd  *exec.Cmd
	in   io.WriteCloser
	done chan struct{} // closed when it has ended and all it said is read

	mu    sync.Mutex
	asked []bridge.Message
}

// Serve starts a service with so many sessions, each with a thread. It answers nothing before [Service.Release], and is
// stopped when the test ends.
func Serve(t testing.TB, c Client, url string, u brokers.User, queue string, threads int) *Service {
	t.Helper()
	cmd, err := c.Command(t.Context(), []string{"-Xmx256m", "-XX:+UseSerialGC"}, "Tool", "serve", url, u.Name, u.Password, queue, strconv.Itoa(threads))
	if err != nil {
		t.Fatal(err)
	}
	s := &Service{t: t, cmd: cmd, done: make(chan struct{})}
	var errs bytes.Buffer
	cmd.Stderr = &errs
	if s.in, err = cmd.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		defer close(s.done)
		s.read(out)
		_ = cmd.Wait() // how it ended shows in what it did not answer
	}()
	t.Cleanup(func() {
		_ = s.in.Close()
		<-s.done
		if t.Failed() && errs.Len() > 0 {
			t.Logf("the service: %s", errs.Bytes())
		}
	})
	return s
}

// read takes in what the service was asked.
func (s *Service) read(out io.Reader) {
	lines := bufio.NewScanner(out)
	lines.Buffer(nil, 64<<20)
	for lines.Scan() {
		m, err := parseMessage(lines.Bytes())
		if err != nil {
			s.t.Errorf("a request of the service: %v: %s", err, lines.Bytes())
			continue
		}
		s.mu.Lock()
		s.asked = append(s.asked, m)
		s.mu.Unlock()
	}
}

// Release has the service answer what it was asked, and what it will be asked.
func (s *Service) Release() {
	s.t.Helper()
	if _, err := io.WriteString(s.in, "answer\n"); err != nil {
		s.t.Fatalf("releasing the service: %v", err)
	}
}

// Asked returns the requests so far.
func (s *Service) Asked() []bridge.Message {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]bridge.Message(nil), s.asked...)
}
