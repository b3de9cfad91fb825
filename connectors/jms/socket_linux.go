package jms

import (
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
