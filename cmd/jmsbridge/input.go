package main

import (
	"context"
	"io"
	"time"
)

// inputChunk is how much is read ahead from a terminal, a pipe or a file.
const inputChunk = 64 << 10

// ctxReader reads until ctx ends: nobody can interrupt a read from a terminal or a pipe, so it is left behind then.
type ctxReader struct {
	ctx  context.Context //nolint:containedctx // an io.Reader is given none
	from io.Reader

	left []byte
	err  error
}

func (r *ctxReader) Read(p []byte) (int, error) {
	if len(r.left) == 0 && r.err == nil {
		chunk, err := r.next()
		r.left, r.err = chunk, err
	}
	if len(r.left) > 0 {
		n := copy(p, r.left)
		r.left = r.left[n:]
		return n, nil
	}
	return 0, r.err
}

func (r *ctxReader) next() ([]byte, error) {
	type answer struct {
		chunk []byte
		err   error
	}
	done := make(chan answer, 1)
	go func() {
		chunk := make([]byte, inputChunk)
		n, err := r.from.Read(chunk)
		done <- answer{chunk[:n], err}
	}()
	select {
	case a := <-done:
		return a.chunk, a.err
	case <-r.ctx.Done():
		return nil, context.Cause(r.ctx)
	}
}

// writeGrace is how long a write may go on after its context has ended: it is hardly ever one that waits.
const writeGrace = 100 * time.Millisecond

// writeWithin writes, but leaves the write behind when ctx ends and its reader does not read. p is not changed later.
func writeWithin(ctx context.Context, to io.Writer, p []byte) error {
	done := make(chan error, 1)
	go func() {
		_, err := to.Write(p)
		done <- err
	}()
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
	}
	grace := time.NewTimer(writeGrace)
	defer grace.Stop()
	select {
	case err := <-done:
		return err
	case <-grace.C:
		return context.Cause(ctx)
	}
}
