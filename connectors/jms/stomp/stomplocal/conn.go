package stomplocal

import (
	"crypto/tls"
	"errors"
	"io"
	"net"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// conn is a client's connection. Its goroutine (run) reads and handles frames; the outbox has another that writes.
type conn struct {
	b    *Broker
	nc   net.Conn // TLS where there is TLS
	raw  net.Conn
	out  outbox
	stop sync.Once

	silence   time.Duration // how long the client may say nothing; 0: for ever. Written by run before the reading
	receiving atomic.Bool   // logged in

	// Guarded by b.mu.
	session  string
	clientID string
	subs     []*subscription
	unacked  map[uint64]*entry // by ack id
	lastAck  uint64
	temps    map[string]*queue
	txs      map[string]*transaction
	gone     bool
}

func newConn(b *Broker, nc net.Conn) *conn {
	c := &conn{b: b, nc: nc, raw: nc, unacked: map[uint64]*entry{}, temps: map[string]*queue{}, txs: map[string]*transaction{}}
	if b.opt.TLS != nil {
		c.nc = tls.Server(nc, b.opt.TLS)
	}
	c.out.init(c)
	return c
}

// reset cuts the connection so that the peer sees a reset, as after a crash or a failing network.
func (c *conn) reset() {
	c.stop.Do(func() {
		if t, ok := c.raw.(*net.TCPConn); ok {
			_ = t.SetLinger(0)
		}
		_ = c.raw.Close()
		close(c.out.done)
	})
}

// shut closes the connection; what is written already still arrives.
func (c *conn) shut() {
	c.stop.Do(func() {
		_ = c.raw.Close()
		close(c.out.done)
	})
}

// Read implements io.Reader with the deadline that the heart-beats ask for.
func (c *conn) Read(p []byte) (int, error) {
	if c.receiving.Load() {
		var deadline time.Time
		if c.silence > 0 {
			deadline = time.Now().Add(c.silence)
		}
		if err := c.nc.SetReadDeadline(deadline); err != nil {
			return 0, err
		}
	}
	return c.nc.Read(p)
}

func (c *conn) run() {
	var writer sync.WaitGroup
	writer.Go(c.out.write)
	_ = c.nc.SetDeadline(time.Now().Add(c.b.opt.LoginTimeout)) // a failure shows at the first read
	orderly := c.serve()
	if !orderly {
		c.shut()
	}
	c.b.mu.Lock()
	c.release()
	c.b.mu.Unlock()
	c.out.finish()
	writer.Wait()
	if orderly {
		c.linger()
	}
	c.shut()
	c.b.mu.Lock()
	delete(c.b.conns, c)
	c.b.mu.Unlock()
}

// linger reads what the peer still sends: closing with unread input resets the connection, and the peer might never
// see the last frame.
func (c *conn) linger() {
	if h, ok := c.nc.(interface{ CloseWrite() error }); !ok || h.CloseWrite() != nil {
		return
	}
	_ = c.raw.SetReadDeadline(time.Now().Add(time.Second))
	_, _ = io.Copy(io.Discard, c.raw)
}

// serve handles frames until the connection ends. true: the broker ends it, after what is in the outbox.
func (c *conn) serve() bool {
	r := newFrameReader(c, c.b.opt.MaxBody)
	for {
		f, err := r.next()
		if err == nil {
			err = c.handle(f)
		}
		var broken protocolError
		switch {
		case err == nil:
		case errors.As(err, &broken):
			c.out.add(appendError(nil, "", string(broken), string(broken)))
			return true
		default:
			return errors.Is(err, errDone) || errors.Is(err, errSilent)
		}
		if !c.out.waitRoom() {
			return false
		}
	}
}

var (
	errDone = errors.New("the connection ends") // after what is in the outbox
	errLost = errors.New("the connection was reset")
)

// handle handles one frame.
func (c *conn) handle(f *frame) error {
	if !c.receiving.Load() {
		return c.login(f)
	}
	if c.b.faults.active.Load() != 0 {
		if over, err := c.applyFaults(f); over || err != nil {
			return err
		}
	}
	c.b.mu.Lock()
	defer c.b.mu.Unlock()
	c.b.stats.Frames++
	err := c.execute(f)
	var no *refusalError
	if errors.As(err, &no) {
		body := no.body
		if body == "" {
			body = no.message
		}
		c.out.add(appendError(nil, f.value("receipt"), no.message, body))
		return nil
	}
	return err
}

// receipt answers the frame, if it asked for that; b.mu is held, so receipts have the order of the frames.
func (c *conn) receipt(f *frame) {
	if id, ok := f.lookup("receipt"); ok {
		c.out.addReceipt(id, f)
	}
}

// login handles the first frame.
func (c *conn) login(f *frame) error {
	if f.command != "CONNECT" && f.command != "STOMP" {
		return protocolError("Not connected: the first frame must be CONNECT")
	}
	refused := false
	if i := c.b.faults.onFrame(f, ""); i != nil {
		switch i.fault.Kind {
		case RefuseLogin:
			refused = true
		case Swallow:
			return nil // the login timeout ends this
		case Drop:
			c.reset()
			return errDone
		default:
		}
	}
	versions, ok := f.lookup("accept-version")
	if !ok || !strings.Contains(","+versions+",", ",1.2,") {
		return protocolError("Supported protocol versions are [1.2]")
	}
	user, password := f.value("login"), f.value("passcode")
	if o := &c.b.opt; refused || (o.Username != "" || o.Password != "") && (user != o.Username || password != o.Password) {
		if user == "" {
			user = "null"
		}
		return protocolError("User name [" + user + "] or password is invalid.")
	}
	every, expect, err := heartBeat(f.value("heart-beat"))
	if err != nil {
		return err
	}
	c.b.mu.Lock()
	defer c.b.mu.Unlock()
	if id := f.value("client-id"); id != "" {
		if other := c.b.clients[id]; other != nil {
			message := "Broker: jmsbridge-local - Client: " + id + " already connected from tcp://" + other.raw.RemoteAddr().String()
			c.out.add(appendError(nil, "", message, "jakarta.jms.InvalidClientIDException: "+message))
			return errDone
		}
		c.clientID, c.b.clients[id] = id, c
	}
	c.b.stats.Connections++
	c.session = c.b.idBase + ":" + strconv.FormatUint(c.b.stats.Connections, 10)
	// Classic answers with the client's own two numbers, swapped; three missed intervals end the connection.
	c.silence = 3 * expect
	c.out.beat(every)
	_ = c.nc.SetDeadline(time.Time{}) // a failure shows at the next read
	c.receiving.Store(true)
	c.out.add([]byte("CONNECTED\nserver:" + c.b.opt.Server + "\nheart-beat:" + strconv.FormatInt(every.Milliseconds(), 10) + "," +
		strconv.FormatInt(expect.Milliseconds(), 10) + "\nsession:" + c.session + "\nversion:1.2\n\n\x00\n"))
	return nil
}

// heartBeat returns how often the broker sends, and how often it expects something.
func heartBeat(text string) (every, expect time.Duration, err error) {
	if text == "" {
		return 0, 0, nil
	}
	sends, wants, _ := strings.Cut(text, ",")
	x, err1 := strconv.ParseUint(strings.TrimSpace(sends), 10, 31)
	y, err2 := strconv.ParseUint(strings.TrimSpace(wants), 10, 31)
	if err1 != nil || err2 != nil {
		return 0, 0, protocolError("Invalid heart-beat header:" + text)
	}
	return time.Duration(y) * time.Millisecond, time.Duration(x) * time.Millisecond, nil
}

// release ends all subscriptions and temporary queues of the connection; b.mu is held.
func (c *conn) release() {
	if c.gone {
		return
	}
	c.gone = true
	if c.clientID != "" {
		delete(c.b.clients, c.clientID)
	}
	var touched []*queue
	for _, s := range c.subs {
		touched = append(touched, s.end()...)
	}
	c.subs = nil
	clear(c.txs)
	for _, q := range c.temps {
		q.remove()
	}
	for _, q := range touched {
		q.dispatch()
	}
}
