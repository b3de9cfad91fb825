package admin

import (
	"net"
	"sync"
)

// limitedListener accepts only so many connections at the same time; further ones wait in the system's queue. Without
// it, whoever reaches the port could use up the process's descriptors, which brokers and targets need. [http.Server] ends
// connections that say nothing, so that there is room again.
type limitedListener struct {
	net.Listener
	taken chan struct{} // one in it for each open connection, and for an Accept that waits

	closing sync.Once
	closed  chan struct{}
}

func newLimitedListener(l net.Listener, most int) *limitedListener {
	return &limitedListener{Listener: l, taken: make(chan struct{}, most), closed: make(chan struct{})}
}

func (l *limitedListener) Accept() (net.Conn, error) {
	select {
	case l.taken <- struct{}{}:
	case <-l.closed:
		return nil, net.ErrClosed
	}
	c, err := l.Listener.Accept()
	if err != nil {
		<-l.taken
		return nil, err
	}
	return &limitedConn{Conn: c, listener: l}, nil
}

func (l *limitedListener) Close() error {
	l.closing.Do(func() { close(l.closed) })
	return l.Listener.Close()
}

type limitedConn struct {
	net.Conn
	listener *limitedListener
	closing  sync.Once
}

func (c *limitedConn) Close() error {
	err := c.Conn.Close()
	c.closing.Do(func() { <-c.listener.taken })
	return err
}
