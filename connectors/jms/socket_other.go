//go:build !linux

package jms

import (
	"net"
	"syscall"
)

// controlSocket does nothing where TCP_USER_TIMEOUT doesn't exist: write deadlines and keep-alives remain.
func controlSocket(_, _ string, _ syscall.RawConn) error { return nil }

// prompt returns the connection as it is: only Linux can be told to acknowledge at once.
func prompt(nc net.Conn) net.Conn { return nc }
