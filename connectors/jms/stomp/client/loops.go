package client

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// source is the connection as the reader reads it: each read has its deadline, counted from when it begins, so the
// time in which this side read nothing is not the peer's.
type source struct{ c *Conn }

func (s source) Read(p []byte) (int, error) {
	c := s.c
	if c.handler != nil { // nil during the handshake
		c.handler.BeforeRead(c.done)
	}
	from := time.Now()
	if c.readEvery > 0 {
		_ = c.nc.SetReadDeadline(from.Add(c.readEvery)) // what is wrong with the connection, the read tells
	} else if c.limited {
		_ = c.nc.SetReadDeadline(time.Time{})
		c.limited = false
	}
	n, err := c.nc.Read(p)
	c.proof.read(n, from)
	return n, err
}

// readLoop is the only reader. It ends with the connection.
func (c *Conn) readLoop() {
	defer c.wait.Done()
	for {
		f, err := c.reader.Next()
		var foul bool
		if err == nil {
			foul, err = c.dispatch(f)
		} else {
			var protocol *ProtocolError
			foul = errors.As(err, &protocol)
		}
		if err != nil {
			if foul {
				c.handler.Broken(c.done)
			}
			c.shut(fmt.Errorf("reading from the broker: %w", err))
			return
		}
	}
}

// dispatch hands a frame over. foul tells that an error is about what the peer has sent, and not its own word that the
// connection ends: what came before can still be settled.
func (c *Conn) dispatch(f *Frame) (foul bool, err error) {
	if c.errorSeen && f.Command != Error {
		c.remember(nil) // the connection has outlived it
	}
	switch f.Command {
	case Message:
		if err := c.handler.Message(f); err != nil {
			return true, err
		}
		return false, nil
	case Receipt:
		id, _ := f.Lookup("receipt-id")
		c.settle(id, nil)
		return false, nil
	case Error:
		e := c.serverError(f)
		c.remember(e) // if the connection ends after it, this is why
		known := e.ReceiptID != "" && c.settle(e.ReceiptID, e)
		if err := c.end(e); err != nil {
			return false, err
		}
		if !known {
			c.handler.Failed(e)
		}
		return false, nil
	default:
		return true, &ProtocolError{Reason: "the broker sent CONNECTED a second time"}
	}
}

// remember keeps an ERROR that may be followed by the end of the connection; the reader calls it.
func (c *Conn) remember(e *ServerError) {
	c.errorSeen = e != nil
	c.mu.Lock()
	defer c.mu.Unlock()
	c.lastError = e
}

// end tells whether an ERROR frame ends the connection: always, but on Classic, which leaves it open after most and
// closes it itself after the others.
func (c *Conn) end(e *ServerError) error {
	if c.Kind() == Classic {
		return nil
	}
	return e
}

// settle answers a receipt. It returns false when none with this id waits.
func (c *Conn) settle(id string, err error) bool {
	text, ours := strings.CutPrefix(id, c.receiptPrefix)
	n, parse := strconv.ParseUint(text, 10, 64)
	if !ours || parse != nil {
		return false
	}
	c.mu.Lock()
	r, ok := c.receipts[n]
	delete(c.receipts, n)
	c.mu.Unlock()
	if ok {
		r.done(err)
	}
	return ok
}

// writeLoop is the only writer. It ends with the connection.
func (c *Conn) writeLoop() {
	defer c.wait.Done()
	every := c.writeEvery
	if every <= 0 {
		every = time.Hour // nobody wants beats; the timer does nothing
	}
	beat := time.NewTimer(every)
	defer beat.Stop()
	for {
		c.mu.Lock()
		buf := c.out
		c.out, c.spare = c.spare[:0], nil
		c.begun = c.batch
		c.batch++
		c.mu.Unlock()
		buf = c.handler.AppendOutput(buf)
		if len(buf) == 0 {
			c.keep(buf)
			select {
			case <-c.done:
				return
			case <-c.kick:
				continue
			case <-beat.C:
				if c.writeEvery > 0 {
					buf = append(buf, '\n')
				}
			}
		}
		if len(buf) > 0 {
			if err := c.write(buf); err != nil {
				// The broker may have said why in an ERROR that the reader has not reached yet.
				select {
				case <-c.done:
				case <-time.After(lastWords):
				}
				c.shut(fmt.Errorf("writing to the broker: %w", err))
				return
			}
		}
		c.keep(buf)
		beat.Reset(every)
	}
}

func (c *Conn) write(buf []byte) error {
	if err := c.nc.SetWriteDeadline(time.Now().Add(writeTimeout)); err != nil {
		return err
	}
	_, err := c.nc.Write(buf)
	return err
}

// keep gives the written buffer back for the next frames, unless it has grown large.
func (c *Conn) keep(buf []byte) {
	if cap(buf) > keepBuffer {
		buf = nil
	}
	c.mu.Lock()
	c.spare = buf[:0]
	c.mu.Unlock()
}
