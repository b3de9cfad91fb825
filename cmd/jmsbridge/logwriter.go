package main

import (
	"errors"
	"io"
	"sync"
	"time"
)

const (
	// logBacklog is how many bytes of log lines wait for a reader that does not read: some thousand lines.
	logBacklog = 1 << 20
	// logFlush bounds how long the end of the process waits for them.
	logFlush = time.Second
)

// errLogStalled says that lines are left that nobody has read.
var errLogStalled = errors.New("the log is not read")

// logWriter writes log lines from a goroutine of its own: whoever reads the log may stop reading, or go away, and
// neither may stop a route. What does not fit into the backlog is dropped and counted.
type logWriter struct {
	to      io.Writer
	backlog int
	// dropped is told once that lines were dropped, when they can be written again; nil: nobody is.
	dropped func(lines uint64)

	mu      sync.Mutex
	waiting [][]byte
	size    int    // of waiting
	busy    bool   // a line is being written
	lost    uint64 // lines since dropped was told
	total   uint64 // lines since the start
	closed  bool
	changed chan struct{} // closed and made anew when the state above has changed
	done    chan struct{} // closed when the goroutine has ended
}

// newLogWriter returns a writer whose goroutine runs until close.
func newLogWriter(to io.Writer, backlog int) *logWriter {
	w := &logWriter{to: to, backlog: backlog, changed: make(chan struct{}), done: make(chan struct{})}
	go w.run()
	return w
}

// Write takes a line, or drops it. It never waits and never fails: there is nobody to tell.
func (w *logWriter) Write(line []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.closed || w.size+len(line) > w.backlog {
		w.lost++
		w.total++
		return len(line), nil
	}
	w.waiting = append(w.waiting, append([]byte(nil), line...)) // zap uses its buffer again
	w.size += len(line)
	w.signal()
	return len(line), nil
}

// Sync waits until every line has been written, but not for long.
func (w *logWriter) Sync() error {
	limit := time.NewTimer(logFlush)
	defer limit.Stop()
	for {
		w.mu.Lock()
		idle, changed := len(w.waiting) == 0 && !w.busy, w.changed
		w.mu.Unlock()
		if idle {
			return nil
		}
		select {
		case <-changed:
		case <-limit.C:
			return errLogStalled
		}
	}
}

// close writes what waits, as Sync does, and ends the goroutine. One that is stuck in a write is left behind.
func (w *logWriter) close() {
	err := w.Sync()
	w.mu.Lock()
	w.closed = true
	w.signal()
	w.mu.Unlock()
	if err == nil {
		<-w.done
	}
}

// droppedLines returns how many lines were dropped since the start.
func (w *logWriter) droppedLines() uint64 {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.total
}

// signal wakes who waits for a change. The caller holds the lock.
func (w *logWriter) signal() {
	close(w.changed)
	w.changed = make(chan struct{})
}

func (w *logWriter) run() {
	defer close(w.done)
	for {
		line, ok := w.next()
		if !ok {
			return
		}
		_, err := w.to.Write(line)
		w.mu.Lock()
		w.busy = false
		var tell uint64
		switch {
		case err != nil: // its reader may come back
			w.lost++
			w.total++
		case w.lost > 0:
			tell, w.lost = w.lost, 0
		}
		w.signal()
		w.mu.Unlock()
		if tell > 0 && w.dropped != nil {
			w.dropped(tell)
		}
	}
}

// next waits for a line; false: there will be none.
func (w *logWriter) next() ([]byte, bool) {
	for {
		w.mu.Lock()
		if len(w.waiting) > 0 && !w.closed {
			line := w.waiting[0]
			w.waiting, w.size, w.busy = w.waiting[1:], w.size-len(line), true
			w.mu.Unlock()
			return line, true
		}
		closed, changed := w.closed, w.changed
		w.mu.Unlock()
		if closed {
			return nil, false
		}
		<-changed
	}
}
