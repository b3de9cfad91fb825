package jms

import (
	"net"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// userTimeout is how long written bytes may stay unacknowledged by the peer's kernel before the connection is dead.
const userTimeout = 30 * time.Second

// controlSocket sets TCP_USER_TIMEOUT, without which a write into a dead path fails only after some 15 minutes.
func controlSocket(_, _ string, raw syscall.RawConn) error {
	var failed error
	if err := raw.Control(func(fd uintptr) {
		failed = unix.SetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_USER_TIMEOUT, int(userTimeout/time.Millisecond))
	}); err != nil {
		return err
	}
	return failed
}

// lull is how long nothing must be written after something was read for the kernel to acknowledge it by itself.
const lull = time.Millisecond

// promptConn is a connection whose kernel acknowledges what was read within about a millisecond. Classic leaves Nagle's
// algorithm on (seen on 5.18 and 6.1.7), so a message waits at the broker until we have acknowledged the one before, which
// Linux else puts off until we write something, or 40 ms: see tcp(7), TCP_QUICKACK, which has to be set again and again.
// To set it after each read costs a loaded connection some 4 µs a message, and brings it nothing: it writes all the time.
type promptConn struct {
	*net.TCPConn
	raw  syscall.RawConn
	late *time.Timer // begins with each read; a write or Close stops it
}

// prompt returns a connection that acknowledges soon; nc itself where that can't be had.
func prompt(nc net.Conn) net.Conn {
	tcp, ok := nc.(*net.TCPConn)
	if !ok {
		return nc
	}
	raw, err := tcp.SyscallConn()
	if err != nil {
		return nc
	}
	c := &promptConn{TCPConn: tcp, raw: raw}
	c.late = time.AfterFunc(lull, c.acknowledge)
	return c
}

// Read reads, and has what it read acknowledged soon.
func (c *promptConn) Read(b []byte) (int, error) {
	n, err := c.TCPConn.Read(b)
	if n > 0 {
		c.late.Reset(lull)
	}
	return n, err //nolint:wrapcheck // net's own errors are what readers look at
}

// Write writes, which acknowledges what was read.
func (c *promptConn) Write(b []byte) (int, error) {
	c.late.Stop()
	return c.TCPConn.Write(b) //nolint:wrapcheck // net's own errors are what writers look at
}

// Close closes the connection.
func (c *promptConn) Close() error {
	c.late.Stop()
	return c.TCPConn.Close() //nolint:wrapcheck // net's own errors are what callers look at
}

// acknowledge has the kernel send the acknowledgement that it puts off. Any goroutine may call it, also after Close.
func (c *promptConn) acknowledge() {
	_ = c.raw.Control(func(fd uintptr) { // fails when the connection was closed meanwhile
		_ = unix.SetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_QUICKACK, 1) // without it everything is only later
	})
}
