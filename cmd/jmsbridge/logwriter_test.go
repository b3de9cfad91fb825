package main

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/zap"

	"github.com/jmsbridge/jmsbridge/config"
)

// reader is whoever reads a log: while it is held it reads nothing.
type reader struct {
	mu   sync.Mutex // held: a write waits
	err  error
	read bytes.Buffer
}

func (r *reader) Write(p []byte) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.err != nil {
		return 0, r.err
	}
	return r.read.Write(p)
}

func TestALogThatIsNotReadDelaysNobody(t *testing.T) {
	unread, written := io.Pipe() // a write waits for its reader
	w := newLogWriter(written, 1000)
	log, err := newLogger(config.Log{Level: "info", Format: config.LogJSON}, w)
	if err != nil {
		t.Fatal(err)
	}
	told := make(chan uint64, 10)
	w.dropped = func(n uint64) { told <- n }
	for range 1000 {
		log.Info("a line that nobody reads")
	}
	dropped := w.droppedLines()
	if dropped < 900 || dropped >= 1000 {
		t.Errorf("of 1000 lines %d were dropped", dropped)
	}
	got := make(chan string, 1)
	go func() {
		text, _ := io.ReadAll(unread)
		got <- string(text)
	}()
	if n := <-told; n != dropped {
		t.Errorf("it says that %d lines were dropped, not %d", n, dropped)
	}
	if err := w.Sync(); err != nil { // now there is room
		t.Error(err)
	}
	log.Info("read again", zap.Bool("again", true))
	w.close()
	_ = written.Close()
	text := <-got
	if lines := strings.Count(text, "\n"); uint64(lines) != 1001-dropped || !strings.Contains(text, "read again") {
		t.Errorf("%d lines of 1001 were read, and %d dropped", lines, dropped)
	}
	if len(told) != 0 {
		t.Errorf("it said so again: %d", <-told)
	}
}

func TestTheEndWaitsForTheLogButNotForLong(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		unread, written := io.Pipe()
		w := newLogWriter(written, 1000)
		if _, err := w.Write([]byte("line\n")); err != nil {
			t.Fatal(err)
		}
		began := time.Now()
		w.close()
		if took := time.Since(began); took != logFlush {
			t.Errorf("it took %v", took)
		}
		_ = unread.Close() // ends the write that was left behind
		<-w.done
	})
}

func TestALogThatFailsIsTriedAgain(t *testing.T) {
	r := &reader{err: errors.New("broken pipe")}
	w := newLogWriter(r, 1000)
	told := make(chan uint64, 1)
	w.dropped = func(n uint64) { told <- n }
	for range 3 {
		if _, err := w.Write([]byte("lost\n")); err != nil {
			t.Errorf("a failed write of the log is told: %v", err)
		}
	}
	if err := w.Sync(); err != nil {
		t.Error(err)
	}
	r.mu.Lock()
	r.err = nil
	r.mu.Unlock()
	if _, err := w.Write([]byte("read\n")); err != nil {
		t.Error(err)
	}
	if n := <-told; n != 3 {
		t.Errorf("it says that %d lines were dropped", n)
	}
	w.close()
	if r.read.String() != "read\n" {
		t.Errorf("%q was read", r.read.String())
	}
}
