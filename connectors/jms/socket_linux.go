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

// promptConn is a connection whose kernel acknowledges at once what was read. Classic leaves Nagle's algorithm on (seen on
// 5.18 and 6.1.7), so a message waits at the broker until we have acknowledged the one before, which Linux else puts off
// until we write something, or 40 ms: see tcp(7), TCP_QUICKACK, which has to be set again and again.
type promptConn struct {
	*net.TCPConn
	raw         syscall.RawConn
	acknowledge func(fd uintptr)
}

// prompt returns a connection that acknowledges at once; nc itself where that can't be had.
func prompt(nc net.Conn) net.Conn {
	tcp, ok := nc.(*net.TCPConn)
	if !ok {
		return nc
	}
	raw, err := tcp.SyscallConn()
	if err != nil {
		return nc
	}
	return &promptConn{TCPConn: tcp, raw: raw, acknowledge: func(fd uintptr) {
		_ = unix.SetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_QUICKACK, 1) // without it everything is only later
	}}
}

// Read reads, and has what it read acknowledged.
func (c *promptConn) Read(b []byte) (int, error) {
	n, err := c.TCPConn.Read(b)
	if n > 0 {
		_ = c.raw.Control(c.acknowledge) // fails when the connection was closed meanwhile
	}
	return n, err //nolint:wrapcheck // net's own errors are what readers look at
}
