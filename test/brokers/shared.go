package brokers

import (
	"context"
	"fmt"
	"os"
	"sync"
	"testing"
)

// Shared is a broker that the tests of one package share. It starts when the first test asks for it.
type Shared struct {
	kind Kind
	opts Options

	once   sync.Once
	broker *Broker
	dir    string
	err    error
}

// NewShared returns a broker that is not started yet.
func NewShared(k Kind, opts Options) *Shared { return &Shared{kind: k, opts: opts} }

// Broker returns the running broker, and fails the test when it can't be started.
func (s *Shared) Broker(t testing.TB) *Broker {
	t.Helper()
	s.once.Do(func() {
		//nolint:usetesting // the broker outlives the test that asked for it first
		if s.dir, s.err = os.MkdirTemp("", "jmsbridge-broker-"); s.err == nil {
			s.broker, s.err = Open(context.Background(), s.kind, s.dir, s.opts)
		}
	})
	if s.err != nil {
		t.Fatalf("starting %s: %v", s.kind, s.err)
	}
	return s.broker
}

// Stop ends the broker, if it was started, and removes its files.
func (s *Shared) Stop() error {
	s.once.Do(func() { s.err = fmt.Errorf("%s is stopped", s.kind) })
	if s.broker != nil {
		s.broker.Kill()
	}
	if s.dir == "" {
		return nil
	}
	return os.RemoveAll(s.dir)
}

// Main runs the tests of a package and stops its shared brokers. It returns the exit code, for os.Exit in TestMain.
func Main(m *testing.M, shared ...*Shared) int {
	code := m.Run()
	for _, s := range shared {
		if err := s.Stop(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			code = 1
		}
	}
	return code
}
