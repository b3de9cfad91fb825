package client

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/go-stomp/stomp/v3/frame"
)

// The deadlines of a connection.
const (
	// DefaultHeartBeat is the interval that is offered both ways. Artemis cuts a client without heart-beats after 60 s.
	DefaultHeartBeat = 10 * time.Second
	// writeTimeout is how long one write may take: the peer has stopped reading when it passes.
	writeTimeout = 30 * time.Second
	// lastWords is how long the reader gets to find an ERROR after a write has failed.
	lastWords = 500 * time.Millisecond
	// beatGrace is what a heart-beat of the peer may be late beyond twice its interval.
	beatGrace = 2 * time.Second
)

// Config says how to open a connection.
type Config struct {
	// Host is the virtual host that CONNECT names; "" is "/".
	Host string
	// Login and Passcode are sent unless both are empty.
	Login, Passcode string
	// EscapeLogin writes escapes in both. STOMP 1.2 and Artemis have none in CONNECT; Classic decodes them there too.
	EscapeLogin bool
	// ClientID is the JMS client id; "": none.
	ClientID string
	// Artemis tells that the broker is one, which reads a client id in its own way. Where that makes a difference, Open
	// fails with [ErrArtemis] when the broker is one and Artemis is not set.
	Artemis bool
	// HeartBeat is the interval offered both ways; 0: DefaultHeartBeat.
	HeartBeat time.Duration
	Limits    Limits
}

// Handler is what a connection's owner does with what arrives. Its methods must return soon, BeforeRead excepted.
type Handler interface {
	// Message takes a MESSAGE frame, which is valid only during the call. An error ends the connection. The reader
	// calls it.
	Message(f *Frame) error
	// Failed takes an ERROR frame that answers no receipt and does not end the connection. The reader calls it.
	Failed(e *ServerError)
	// BeforeRead is called by the reader before each read of the socket, when all frames that were there have been
	// handed over. It may wait until there is room for more messages, or stop is closed; the peer's silence is not held
	// against it meanwhile.
	BeforeRead(stop <-chan struct{})
	// Broken is called by the reader when what comes next can't be read or was refused by Message. What was handed over
	// before can still be settled: the connection ends when Broken returns. It may wait for that a while, or until stop
	// is closed.
	Broken(stop <-chan struct{})
	// AppendOutput appends frames that are due, such as acknowledgements. The writer calls it before each write.
	AppendOutput(dst []byte) []byte
	// Closed tells that the connection has ended; cause is never nil. It is called once, from any goroutine, before
	// the receipts in flight fail.
	Closed(cause error)
}

// ServerError is an ERROR frame.
type ServerError struct {
	// Message is the header of that name, Body the beginning of the body (at most 4 KiB); either may be empty.
	Message, Body string
	// ReceiptID is the receipt that it answers; "": none.
	ReceiptID string

	secrets *strings.Replacer // nil: none
}

// What of the peer's words is shown, in bytes.
const (
	errorShown  = 500
	serverShown = 200
)

// Error returns the server's message, or the first line of its body, as it may be shown: not at any length, and without
// the password that the server may repeat.
func (e *ServerError) Error() string {
	text := e.Message
	if text == "" {
		text, _, _ = strings.Cut(e.Body, "\n")
	}
	if text = strings.TrimSpace(text); text == "" {
		text = "no reason given"
	}
	if e.secrets != nil {
		text = e.secrets.Replace(text)
	}
	return "the broker answered ERROR: " + Clip(text, errorShown)
}

// ErrClosed is the cause of a connection that its owner has closed.
var ErrClosed = errors.New("the connection was closed on this side")

// LostError says that the connection ended before a request was answered; the peer may have obeyed it. Its cause may be
// a *ServerError that answers another request.
type LostError struct{ Cause error }

// Error returns the cause.
func (e *LostError) Error() string { return "waiting for the receipt: " + e.Cause.Error() }

// Unwrap returns the cause.
func (e *LostError) Unwrap() error { return e.Cause }

// ErrNotWritten is the error of a request that never reached the socket, so the peer can't have obeyed it.
var ErrNotWritten = errors.New("the request was not sent")

// Conn is an open connection. All methods are safe for concurrent use.
type Conn struct {
	nc      net.Conn
	handler Handler
	reader  *Reader

	subscription  string            // the id for the one subscription
	receiptPrefix string            // what the ids of receipts begin with
	secrets       *strings.Replacer // takes the password out of what is shown

	// From CONNECTED, not changed later.
	server, session string
	readEvery       time.Duration // longest silence of the peer; 0: no limit
	writeEvery      time.Duration // our own heart-beat; 0: none wanted

	kick   chan struct{} // capacity 1: there is something to write
	done   chan struct{} // closed with the connection
	closed atomic.Bool
	wait   sync.WaitGroup

	mu       sync.Mutex
	out      []byte // frames to write
	spare    []byte // the buffer that was written last
	batch    uint64 // the write that frames in out will be part of
	begun    uint64 // writes that have begun
	next     uint64 // the last receipt id
	receipts map[uint64]receipt
	cause    error
	// lastError is an ERROR frame after which nothing else has come.
	lastError *ServerError

	// The reader's.
	errorSeen bool // lastError is set
	limited   bool // a deadline was set for a while
	proof     endProof
}

type receipt struct {
	batch uint64
	done  func(error)
}

// Open speaks STOMP's handshake on nc, which the Conn owns from now on when err is nil. ctx bounds the handshake.
// start is called with the connection after CONNECTED and before the reader and the writer run; it returns the handler.
func Open(ctx context.Context, nc net.Conn, cfg Config, start func(*Conn) Handler) (*Conn, error) {
	c := &Conn{
		nc: nc, kick: make(chan struct{}, 1), done: make(chan struct{}), receipts: map[uint64]receipt{}, batch: 1,
	}
	c.secrets = secretsOf(cfg)
	c.reader = NewReader(source{c}, cfg.Limits)
	if err := c.handshake(ctx, cfg); err != nil {
		return nil, err
	}
	token := rand.Text()
	c.subscription = "jmsbridge-" + token
	if c.Kind() != Artemis {
		c.receiptPrefix = token + "-" // not on Artemis, which keeps the receipt of a message among its properties
	}
	if c.Kind() == Classic {
		c.reader.trailerLF = true
		c.reader.ours = identity{subscription: c.subscription, receipts: c.receiptPrefix}
	}
	c.handler = start(c)
	c.wait.Add(2)
	go c.readLoop()
	go c.writeLoop()
	return c, nil
}

func (c *Conn) handshake(ctx context.Context, cfg Config) error {
	// The context ends the handshake by a deadline in the past, which every blocked read and write obeys.
	stop := context.AfterFunc(ctx, func() { _ = c.nc.SetDeadline(time.Unix(1, 0)) })
	defer stop()
	if d, ok := ctx.Deadline(); ok {
		_ = c.nc.SetDeadline(d)
	}
	beat := cfg.HeartBeat
	if beat <= 0 {
		beat = DefaultHeartBeat
	}
	ms := strconv.FormatInt(beat.Milliseconds(), 10)
	host := cfg.Host
	if host == "" {
		host = "/"
	}
	b := AppendCommand(nil, frame.CONNECT)
	b = AppendHeader(b, frame.AcceptVersion, "1.2")
	b = AppendHeader(b, frame.Host, host)
	b = append(b, "heart-beat:"+ms+","+ms+"\n"...)
	if cfg.Login != "" || cfg.Passcode != "" {
		if strings.ContainsAny(cfg.Login+cfg.Passcode, "\r\n\x00") {
			return ErrLogin
		}
		if cfg.EscapeLogin {
			b = AppendHeader(b, frame.Login, cfg.Login)
			b = AppendHeader(b, frame.Passcode, cfg.Passcode)
		} else {
			b = append(b, frame.Login+":"+cfg.Login+"\n"+frame.Passcode+":"+cfg.Passcode+"\n"...)
		}
	}
	if cfg.ClientID != "" {
		b = appendClientID(b, cfg.ClientID, cfg.Artemis)
	}
	b = AppendBody(b, "")
	if _, err := c.nc.Write(b); err != nil {
		return handshakeError(ctx, "sending CONNECT", err)
	}
	f, err := c.reader.Next()
	if err != nil {
		var protocol *ProtocolError
		if errors.As(err, &protocol) { // what the peer sent is shown, to tell what it speaks
			protocol.First = []byte(c.secrets.Replace(string(protocol.First)))
		}
		return handshakeError(ctx, "waiting for CONNECTED", err)
	}
	if f.Command == Error {
		return fmt.Errorf("waiting for CONNECTED: %w", c.serverError(f))
	}
	if f.Command != Connected {
		return &ProtocolError{Reason: "the broker answered CONNECT with another frame than CONNECTED"}
	}
	if v, _ := f.Lookup(frame.Version); v != "1.2" {
		return &ProtocolError{Reason: fmt.Sprintf("the broker chose STOMP version %q; only 1.2 is spoken here", Clip(c.secrets.Replace(v), 20))}
	}
	c.server, _ = f.Lookup(frame.Server)
	c.session, _ = f.Lookup(frame.Session)
	if c.Kind() == Artemis && !cfg.Artemis && misread(cfg.ClientID) {
		return ErrArtemis
	}
	beats, _ := f.Lookup(frame.HeartBeat)
	sends, wants := parseHeartBeat(beats)
	if sends > 0 {
		c.readEvery = 2*max(sends, beat) + beatGrace
	}
	if wants > 0 {
		// Half the interval: neither broker has much patience (Classic three intervals, Artemis two), and a beat that
		// is due while the writer is busy comes late.
		c.writeEvery = max(wants, beat) / 2
	}
	if !stop() {
		return handshakeError(ctx, "waiting for CONNECTED", context.Cause(ctx))
	}
	return c.nc.SetDeadline(time.Time{})
}

// ErrLogin says that user name or password can't be sent.
var ErrLogin = errors.New("sending CONNECT: user name or password holds a line break or a NUL")

// ErrHandshakeTimeout says that the peer took the connection and then answered nothing in time.
var ErrHandshakeTimeout = errors.New("the peer took the connection but did not answer CONNECT in time")

func handshakeError(ctx context.Context, what string, err error) error {
	var timeout net.Error
	if errors.As(err, &timeout) && timeout.Timeout() || ctx.Err() != nil {
		if errors.Is(ctx.Err(), context.Canceled) {
			return fmt.Errorf("%s: %w", what, ctx.Err())
		}
		return fmt.Errorf("%s: %w", what, ErrHandshakeTimeout)
	}
	return fmt.Errorf("%s: %w", what, err)
}

// parseHeartBeat reads "sends,wants" of CONNECTED in milliseconds; what can't be read is 0: none.
func parseHeartBeat(s string) (sends, wants time.Duration) {
	a, b, _ := strings.Cut(s, ",")
	read := func(s string) time.Duration {
		n, err := strconv.ParseUint(strings.TrimSpace(s), 10, 31)
		if err != nil {
			return 0
		}
		return time.Duration(n) * time.Millisecond
	}
	return read(a), read(b)
}

// Subscription returns an id for the connection's one subscription that no sender of a message can guess: newer Classics
// send a NUL within a text as it is, so a sender may write what looks like a frame.
func (c *Conn) Subscription() string { return c.subscription }

func (c *Conn) serverError(f *Frame) *ServerError {
	e := &ServerError{secrets: c.secrets}
	e.Message, _ = f.Lookup(frame.Message)
	e.ReceiptID, _ = f.Lookup(frame.ReceiptId)
	body := f.Body()
	e.Body = string(body[:min(len(body), 4096)])
	return e
}

// Done is closed when the connection has ended.
func (c *Conn) Done() <-chan struct{} { return c.done }

// Cause returns why the connection ended; nil while it lives.
func (c *Conn) Cause() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.cause
}

// Session returns the session header of CONNECTED.
func (c *Conn) Session() string { return c.session }

// HeartBeats returns what was negotiated: the interval of our own, and the longest silence of the peer; 0: none.
func (c *Conn) HeartBeats() (ours, silence time.Duration) { return c.writeEvery, c.readEvery }

// Close ends the connection at once, without DISCONNECT, and waits for its goroutines. It must not be called from a
// method of the handler.
func (c *Conn) Close() {
	c.shut(ErrClosed)
	c.wait.Wait()
}

// shut ends the connection; the first cause counts.
func (c *Conn) shut(cause error) {
	if !c.closed.CompareAndSwap(false, true) {
		return
	}
	c.mu.Lock()
	if c.lastError != nil && !errors.Is(cause, ErrClosed) {
		cause = c.lastError
	}
	c.cause = cause
	waiting := c.receipts
	c.receipts = nil
	begun := c.begun
	c.mu.Unlock()
	close(c.done)
	_ = c.nc.Close() // the cause says more than what closing a broken connection says
	c.handler.Closed(cause)
	for _, r := range waiting {
		var err error = &LostError{Cause: cause}
		if r.batch > begun {
			err = fmt.Errorf("%w: %w", ErrNotWritten, cause)
		}
		r.done(err)
	}
}
