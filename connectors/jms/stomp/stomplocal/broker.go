package stomplocal

import (
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"strconv"
	"sync"
	"time"
)

// Options of a broker. The zero value is an open broker without TLS on a free loopback port.
type Options struct {
	// Address to listen on, "HOST:PORT"; "": 127.0.0.1 and a free port.
	Address string
	// TLS, if set, makes the listener speak TLS; the broker does not change it.
	TLS *tls.Config
	// Username and Password that CONNECT must have; both "": anybody may connect.
	Username, Password string
	// Server is the server header of CONNECTED; "": "ActiveMQ/6.1.7-jmsbridge-local".
	Server string
	// MaxBody is the largest body in bytes; 0: 16 MiB.
	MaxBody int
	// LoginTimeout bounds the time until CONNECT (and the TLS handshake); 0: 10 s.
	LoginTimeout time.Duration
}

// DeadLetterQueue is where poisoned and expired persistent messages go.
const DeadLetterQueue = "/queue/ActiveMQ.DLQ"

// defaultServer makes a client treat this as a Classic broker.
const defaultServer = "ActiveMQ/6.1.7-jmsbridge-local"

// Stats count what a broker has done since its start.
type Stats struct {
	// Connections is how many clients have logged in, Frames how many frames they have sent.
	Connections, Frames uint64
	// Published is how many messages came in, by SEND and by Publish (composite names count once for each part).
	Published uint64
	// Delivered is how many MESSAGE frames were handed to connections, Redelivered those with redelivered:true.
	Delivered, Redelivered uint64
	// Acked and Nacked count messages, not frames; Stray the ACKs and NACKs of something unknown.
	Acked, Nacked, Stray uint64
	// DeadLettered and Discarded is what became of poisoned and expired messages.
	DeadLettered, Discarded uint64
}

// Broker is a running broker. Its methods are safe for concurrent use.
type Broker struct {
	opt      Options
	listener net.Listener
	idBase   string // of message ids
	faults   faults
	done     chan struct{} // closed by Close

	mu      sync.Mutex // guards everything below, and all queues, subscriptions and conns' books
	queues  map[string]*queue
	pattern []*subscription // those with a wildcard, to attach to queues that come later
	topics  topics
	conns   map[*conn]struct{}
	clients map[string]*conn // by client-id
	lastID  uint64
	lastTmp uint64
	stats   Stats
	closed  bool

	work sync.WaitGroup // the accept loop and one for each connection
}

// Start starts a broker. Close it to end it.
func Start(opt Options) (*Broker, error) {
	if opt.Address == "" {
		opt.Address = "127.0.0.1:0"
	}
	if opt.Server == "" {
		opt.Server = defaultServer
	}
	if opt.MaxBody <= 0 {
		opt.MaxBody = 16 << 20
	}
	if opt.LoginTimeout <= 0 {
		opt.LoginTimeout = 10 * time.Second
	}
	l, err := net.Listen("tcp", opt.Address)
	if err != nil {
		return nil, fmt.Errorf("listening for STOMP: %w", err)
	}
	b := &Broker{
		opt: opt, listener: l, done: make(chan struct{}), queues: map[string]*queue{}, topics: newTopics(), conns: map[*conn]struct{}{}, clients: map[string]*conn{},
	}
	_, port, _ := net.SplitHostPort(l.Addr().String())
	b.idBase = "ID:jmsbridge-local-" + port + "-" + strconv.FormatInt(time.Now().UnixMilli(), 10) + "-1"
	b.faults.changed = make(chan struct{})
	b.work.Go(b.accept)
	return b, nil
}

// Address returns "HOST:PORT".
func (b *Broker) Address() string { return b.listener.Addr().String() }

// URL returns the broker's URL: "stomp://HOST:PORT", or "stomp+ssl://HOST:PORT" with TLS.
func (b *Broker) URL() string {
	if b.opt.TLS != nil {
		return "stomp+ssl://" + b.Address()
	}
	return "stomp://" + b.Address()
}

// Close ends all connections and the broker, and forgets every message. It is safe twice.
func (b *Broker) Close() error {
	b.mu.Lock()
	closed := b.closed
	b.closed = true
	b.mu.Unlock()
	var err error
	if !closed {
		close(b.done)
		err = b.listener.Close()
	}
	b.DropConnections()
	b.work.Wait()
	return err
}

// DropConnections resets every connection at once and returns how many there were. What they had not acknowledged
// returns to the queues, once the broker has noticed: see [Broker.Connections].
func (b *Broker) DropConnections() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	for c := range b.conns {
		c.reset()
	}
	return len(b.conns)
}

// Connections returns how many connections are open, those that have not logged in included.
func (b *Broker) Connections() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return len(b.conns)
}

// Stats returns the counters.
func (b *Broker) Stats() Stats {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.stats
}

func (b *Broker) accept() {
	for {
		nc, err := b.listener.Accept()
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil { // out of descriptors, or the peer was quicker
			select {
			case <-b.done:
			case <-time.After(10 * time.Millisecond):
			}
			continue
		}
		if i := b.faults.onAccept(); i != nil {
			_ = nc.Close()
			continue
		}
		c := newConn(b, nc)
		b.mu.Lock()
		if b.closed {
			b.mu.Unlock()
			_ = nc.Close()
			return
		}
		b.conns[c] = struct{}{}
		b.work.Go(c.run)
		b.mu.Unlock()
	}
}

// nextID returns the next message-id; b.mu is held.
func (b *Broker) nextID() string {
	b.lastID++
	return b.idBase + ":1:1:1:" + strconv.FormatUint(b.lastID, 10)
}
