package client

import (
	"context"
	"fmt"
	"strconv"
)

// Kick makes the writer ask the handler for output soon. It does not wait.
func (c *Conn) Kick() {
	select {
	case c.kick <- struct{}{}:
	default:
	}
}

// Post queues a frame that asks for a receipt. build appends the command and the headers that it is given the receipt
// id for, and the body; it runs under the connection's lock, so it only appends. done is called exactly once: with nil
// for a RECEIPT, a *ServerError for an ERROR that names the receipt, a *LostError when the connection ended first, or an
// error that wraps [ErrNotWritten] when the frame never left. done may be called from any goroutine, also before Post returns; it must
// not call the connection.
func (c *Conn) Post(build func(dst []byte, receipt string) []byte, done func(error)) {
	c.mu.Lock()
	if c.cause != nil || c.receipts == nil {
		cause := c.cause
		c.mu.Unlock()
		done(fmt.Errorf("%w: %w", ErrNotWritten, cause))
		return
	}
	c.next++
	c.out = build(c.out, c.receiptPrefix+strconv.FormatUint(c.next, 10))
	c.receipts[c.next] = receipt{batch: c.batch, done: done}
	c.mu.Unlock()
	c.Kick()
}

// Request posts a frame and waits for its answer. When ctx ends first, its error is returned and the answer is dropped.
func (c *Conn) Request(ctx context.Context, build func(dst []byte, receipt string) []byte) error {
	answer := make(chan error, 1)
	c.Post(build, func(err error) { answer <- err })
	select {
	case err := <-answer:
		return err
	case <-ctx.Done():
		return fmt.Errorf("waiting for the receipt: %w", context.Cause(ctx))
	}
}

// Pending returns the number of receipts in flight.
func (c *Conn) Pending() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.receipts)
}

// Disconnect says goodbye, waits for the receipt that proves that everything before it was taken, and closes. The
// connection is closed whatever is returned.
func (c *Conn) Disconnect(ctx context.Context) error {
	err := c.Request(ctx, func(dst []byte, receipt string) []byte {
		dst = AppendCommand(dst, "DISCONNECT")
		dst = AppendHeader(dst, "receipt", receipt)
		return AppendBody(dst, "")
	})
	c.Close()
	return err
}
