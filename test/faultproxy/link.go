package faultproxy

import (
	"errors"
	"io"
	"net"
	"sync"
	"time"
)

// link is one connection through the proxy. Each direction has a reader and a writer with a short queue between them,
// so that latency delays data without slowing the flow.
type link struct {
	proxy *Proxy
	raw   [2]net.Conn // the sockets of client and server
	conn  [2]net.Conn // the same, with TLS around the client's if the proxy speaks it

	endOnce sync.Once
	end     chan struct{} // closed when the link is reset

	mu      sync.Mutex
	left    [2]int64 // bytes until CutAfter; negative: no limit
	carried [2]int64 // bytes passed on
	frozen  bool
}

// piece is some data and when it may go on.
type piece struct {
	data []byte
	due  time.Time
}

// reset ends both sockets so that both peers see a reset.
func (l *link) reset() {
	l.endOnce.Do(func() {
		close(l.end)
		reset(l.raw[0])
		reset(l.raw[1])
	})
}

// freeze lets nothing pass any more. The server's socket stays open too: neither side is told.
func (l *link) freeze() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.frozen = true
}

// pump carries one direction until its reader sees the end, or the link is reset.
func (l *link) pump(d Direction) {
	from, to := l.conn[0], l.conn[1]
	if d == Down {
		from, to = to, from
	}
	queue := make(chan piece, 64)
	var writer sync.WaitGroup
	writer.Go(func() { l.write(d, to, queue) })
	for {
		buffer := make([]byte, 16<<10)
		n, err := from.Read(buffer)
		if n > 0 {
			select {
			case queue <- piece{buffer[:n], l.proxy.due()}:
			case <-l.end:
				err = net.ErrClosed
			}
		}
		if err != nil {
			if !errors.Is(err, io.EOF) {
				l.reset() // a reset on one side is a reset on the other
			}
			break
		}
	}
	close(queue)
	writer.Wait()
	// The end of one direction is passed on as such; the other may still have something to say.
	if tcp, ok := to.(interface{ CloseWrite() error }); ok {
		_ = tcp.CloseWrite()
	}
}

// due returns when data that comes now may go on.
func (p *Proxy) due() time.Time {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.latency == 0 {
		return time.Time{}
	}
	return time.Now().Add(p.latency)
}

// write passes the pieces on, with the faults. It takes all of the queue, so that the reader never hangs.
func (l *link) write(d Direction, to net.Conn, queue <-chan piece) {
	broken := false
	for piece := range queue {
		if broken {
			continue
		}
		held := l.wait(time.Until(piece.due))
		for l.hold() {
			held = false // counted as stalled
		}
		l.mu.Lock()
		frozen, data, cut := l.frozen, piece.data, false
		if left := l.left[d]; left >= 0 && int64(len(data)) >= left {
			data, cut = data[:left], true
		}
		if l.left[d] >= 0 {
			l.left[d] -= int64(len(data))
		}
		l.mu.Unlock()
		if frozen {
			continue
		}
		l.proxy.mu.Lock()
		rate := l.proxy.rate
		l.proxy.mu.Unlock()
		if rate > 0 {
			held = l.wait(time.Duration(len(data))*time.Second/time.Duration(rate)) || held
		}
		if held {
			l.proxy.count(func(c *Counts) { c.Delayed++ })
		}
		if _, err := to.Write(data); err != nil {
			broken = true
			l.reset()
			continue
		}
		l.mu.Lock()
		l.carried[d] += int64(len(data))
		l.mu.Unlock()
		l.proxy.count(func(c *Counts) { c.Bytes[d] += int64(len(data)) })
		if cut {
			l.proxy.count(func(c *Counts) { c.CutAfter++ })
			broken = true
			l.cutAt(to)
		}
	}
}

// cutAt ends the link after its last bytes have left: a plain close sends them, where a reset would discard them.
func (l *link) cutAt(to net.Conn) {
	if tcp, ok := to.(interface{ CloseWrite() error }); ok {
		_ = tcp.CloseWrite()
	}
	l.endOnce.Do(func() {
		close(l.end)
		_ = l.raw[0].Close()
		_ = l.raw[1].Close()
	})
}

// wait waits for a while, or until the link is reset. It tells whether it had to.
func (l *link) wait(d time.Duration) bool {
	if d <= 0 {
		return false
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-l.end:
	}
	return true
}

// hold waits while the proxy is stalled. It tells whether it had to.
func (l *link) hold() bool {
	p := l.proxy
	p.mu.Lock()
	stalled := p.stalled
	if stalled != nil {
		p.counts.Stalled++
	}
	p.mu.Unlock()
	if stalled == nil {
		return false
	}
	select {
	case <-stalled:
		return true
	case <-l.end:
		return false
	}
}
