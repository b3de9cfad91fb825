package awslocal

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"sync"
)

// tailBytes is what Lambda answers of a function's log: its last 4 KB.
const tailBytes = 4 << 10

// functionLog keeps the end of what is written to it.
type functionLog struct {
	mu   sync.Mutex
	text []byte
}

// Write takes a piece of the log.
func (l *functionLog) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	n := len(p)
	p = p[max(n-tailBytes, 0):]
	l.text = append(l.text, p...)
	if len(l.text) > 2*tailBytes { // twice as much, so that moving it is paid rarely
		l.text = l.text[:copy(l.text, l.text[len(l.text)-tailBytes:])]
	}
	return n, nil
}

func (l *functionLog) printf(format string, a ...any) { fmt.Fprintf(l, format, a...) }

// bytes is a copy of the end.
func (l *functionLog) bytes() []byte {
	l.mu.Lock()
	defer l.mu.Unlock()
	return bytes.Clone(l.text[max(len(l.text)-tailBytes, 0):])
}

// take is bytes, and forgets them.
func (l *functionLog) take() []byte {
	text := l.bytes()
	l.mu.Lock()
	defer l.mu.Unlock()
	l.text = l.text[:0]
	return text
}

// FunctionLog is where a Handler writes its log, of which a caller can ask for the end.
func FunctionLog(ctx context.Context) io.Writer {
	if l, ok := ctx.Value(logKey{}).(*functionLog); ok {
		return l
	}
	return io.Discard
}
