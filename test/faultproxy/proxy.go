package faultproxy

import (
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"sync"
	"testing"
	"time"
)

// Direction is a direction of a connection's bytes.
type Direction int

// The directions.
const (
	Up   Direction = iota // from the client to the server
	Down                  // from the server to the client
)

// Counts is what the proxy did so far.
type Counts struct {
	Accepted int      // connections taken
	Refused  int      // connections reset at once
	Cut      int      // connections reset by Cut
	CutAfter int      // connections reset by CutAfter
	Frozen   int      // connections frozen by Freeze
	Stalled  int      // pieces of data that had to wait for Resume
	Delayed  int      // pieces of data that Latency or Bandwidth held back
	Bytes    [2]int64 // bytes passed on, by Direction
}

// Proxy passes connections on to a server. Its methods are safe for concurrent use.
type Proxy struct {
	server string
	front  *tls.Config // nil: plain
	addr   string

	mu       sync.Mutex
	listener net.Listener // nil while closed
	links    map[*link]struct{}
	counts   Counts
	refuse   bool
	stalled  chan struct{} // closed by Resume; nil while data flows
	latency  time.Duration
	rate     int // bytes a second and direction; 0: no limit
	cutAfter [2]int64
	closed   bool

	wg sync.WaitGroup
}

// Open starts a proxy to a server ("host:port") on a free loopback port. It ends with the test.
func Open(t testing.TB, server string) *Proxy {
	t.Helper()
	return open(t, server, nil)
}

// OpenTLS starts a proxy that itself speaks TLS to its clients and plain TCP to the server. It shows clients a
// certificate that the server does not have: an expired one, or one for another name.
func OpenTLS(t testing.TB, server string, front *tls.Config) *Proxy {
	t.Helper()
	return open(t, server, front)
}

func open(t testing.TB, server string, front *tls.Config) *Proxy {
	t.Helper()
	p := &Proxy{server: server, front: front, addr: "127.0.0.1:0", links: map[*link]struct{}{}, cutAfter: [2]int64{-1, -1}}
	if err := p.listen(); err != nil {
		t.Fatalf("opening the fault proxy: %v", err)
	}
	t.Cleanup(p.Close)
	return p
}

// Addr returns "127.0.0.1:PORT".
func (p *Proxy) Addr() string { return p.addr }

// Counts returns what the proxy did so far.
func (p *Proxy) Counts() Counts {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.counts
}

// Live returns the number of connections that are open now.
func (p *Proxy) Live() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.links)
}

// Carried returns the bytes that each of the connections that are open now has passed on in a direction.
func (p *Proxy) Carried(d Direction) []int64 {
	links := p.all()
	carried := make([]int64, 0, len(links))
	for _, l := range links {
		l.mu.Lock()
		carried = append(carried, l.carried[d])
		l.mu.Unlock()
	}
	return carried
}

// Cut resets all connections and returns how many there were. New ones are taken.
func (p *Proxy) Cut() int {
	links := p.all()
	for _, l := range links {
		l.reset()
	}
	p.count(func(c *Counts) { c.Cut += len(links) })
	return len(links)
}

// CutAfter resets each connection as soon as it has carried n bytes in a direction from now on (n ≥ 0); the bytes up to
// there are passed on. A negative n ends that.
func (p *Proxy) CutAfter(d Direction, n int64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.cutAfter[d] = n
	for l := range p.links {
		l.mu.Lock()
		l.left[d] = n
		l.mu.Unlock()
	}
}

// Stall stops all data in both directions. Connections stay open, and new ones are taken and stall too.
func (p *Proxy) Stall() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.stalled == nil {
		p.stalled = make(chan struct{})
	}
}

// Resume lets the data flow again.
func (p *Proxy) Resume() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.stalled != nil {
		close(p.stalled)
		p.stalled = nil
	}
}

// Freeze makes half-open connections of all that are open now: nothing more passes, neither side is told, and new
// connections work. It returns how many there were.
func (p *Proxy) Freeze() int {
	links := p.all()
	for _, l := range links {
		l.freeze()
	}
	p.count(func(c *Counts) { c.Frozen += len(links) })
	return len(links)
}

// Latency delays all data by d in each direction; 0 ends that.
func (p *Proxy) Latency(d time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.latency = d
}

// Bandwidth limits each direction of each connection to this many bytes a second; 0 ends that.
func (p *Proxy) Bandwidth(bytes int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.rate = bytes
}

// Refuse resets new connections as soon as they are taken, until refuse is false again.
func (p *Proxy) Refuse(refuse bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.refuse = refuse
}

// Down stops listening and resets all connections: nobody is there.
func (p *Proxy) Down() {
	p.mu.Lock()
	l := p.listener
	p.listener = nil
	p.mu.Unlock()
	if l != nil {
		_ = l.Close()
	}
	p.Cut()
}

// Up listens again on the same port.
func (p *Proxy) Up() error {
	p.mu.Lock()
	up := p.listener != nil
	p.mu.Unlock()
	if up {
		return nil
	}
	return p.listen()
}

// Close ends the proxy and waits for its goroutines.
func (p *Proxy) Close() {
	p.mu.Lock()
	p.closed = true
	p.mu.Unlock()
	p.Down()
	p.Resume()
	p.wg.Wait()
}

func (p *Proxy) count(change func(*Counts)) {
	p.mu.Lock()
	defer p.mu.Unlock()
	change(&p.counts)
}

func (p *Proxy) all() []*link {
	p.mu.Lock()
	defer p.mu.Unlock()
	links := make([]*link, 0, len(p.links))
	for l := range p.links {
		links = append(links, l)
	}
	return links
}

func (p *Proxy) listen() error {
	l, err := net.Listen("tcp", p.addr)
	if err != nil {
		return fmt.Errorf("listening: %w", err)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return errors.Join(net.ErrClosed, l.Close())
	}
	p.listener, p.addr = l, l.Addr().String()
	p.wg.Go(func() { p.accept(l) })
	return nil
}

// accept takes connections until the listener is closed.
func (p *Proxy) accept(l net.Listener) {
	for {
		client, err := l.Accept()
		if err != nil {
			return
		}
		p.mu.Lock()
		refuse := p.refuse || p.listener != l
		if refuse {
			p.counts.Refused++
		} else {
			p.counts.Accepted++
		}
		p.mu.Unlock()
		if refuse {
			reset(client)
			continue
		}
		p.wg.Go(func() { p.serve(client) })
	}
}

// serve dials the server and starts the two directions of a connection.
func (p *Proxy) serve(client net.Conn) {
	server, err := net.DialTimeout("tcp", p.server, 5*time.Second)
	if err != nil {
		reset(client)
		return
	}
	l := &link{proxy: p, raw: [2]net.Conn{client, server}, end: make(chan struct{})}
	l.conn = l.raw
	if p.front != nil {
		l.conn[0] = tls.Server(client, p.front)
	}
	p.mu.Lock()
	l.left = p.cutAfter
	p.links[l] = struct{}{}
	gone := p.listener == nil
	p.mu.Unlock()
	if gone {
		l.reset()
	}
	var both sync.WaitGroup
	both.Go(func() { l.pump(Up) })
	both.Go(func() { l.pump(Down) })
	both.Wait()
	_ = l.conn[0].Close()
	_ = l.conn[1].Close()
	p.mu.Lock()
	delete(p.links, l)
	p.mu.Unlock()
}

// reset closes a connection so that the peer sees a reset.
func reset(c net.Conn) {
	if tcp, ok := c.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0)
	}
	_ = c.Close()
}
