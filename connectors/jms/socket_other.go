//go:build !linux

package jms

import "syscall"

// controlSocket does nothing where TCP_USER_TIMEOUT doesn't exist: write deadlines and keep-alives remain.
func controlSocket(_, _ string, _ syscall.RawConn) error { return nil }
