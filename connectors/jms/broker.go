package jms

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"time"

	"github.com/jmsbridge/jmsbridge/bridge"
)

// The deadlines of connecting.
const (
	// DialTimeout bounds the lookup and the TCP connection of one endpoint.
	DialTimeout = 5 * time.Second
	// HandshakeTimeout bounds the TLS handshake, and again the protocol's own, of one endpoint.
	HandshakeTimeout = 10 * time.Second
)

// Broker is where and as whom to connect. It is read at each connect and never changed by this package.
type Broker struct {
	// Name is the configured name, for errors and logs.
	Name string
	URL  URL
	// Credentials returns user name and password, read again at each connect, so that a rotated password is taken up.
	// nil, or both empty: none are sent.
	Credentials func(ctx context.Context) (username, password string, err error)
	TLS         TLS
	// Logins paces the logins of all connections that share it; nil: nobody does.
	Logins *Logins
	// AllowPlaintext allows connections without TLS to addresses that are not loopback.
	AllowPlaintext bool
	// ClientID is the JMS client id of the connection; "" when none is needed.
	ClientID string
	// DialContext replaces the TCP dial, for tests; nil: a net.Dialer with keep-alive and TCP_USER_TIMEOUT.
	DialContext func(ctx context.Context, network, address string) (net.Conn, error)
}

// Handshake speaks the protocol's own handshake on a fresh connection. It must obey ctx, and closes nothing: on an
// error the caller closes the connection.
type Handshake func(ctx context.Context, nc net.Conn, e Endpoint) error

// Connect makes one attempt at each endpoint, beginning at a random one when the URL says so, until a handshake
// succeeds. It returns the endpoint that took the connection. When all fail, the error is that of the endpoint whose
// failure says most: a Fatal one before others (a standby that refuses connections says nothing about the password).
func (b *Broker) Connect(ctx context.Context, handshake Handshake) (Endpoint, error) {
	if len(b.URL.Endpoints) == 0 {
		return Endpoint{}, bridge.Errorf(bridge.Fatal, "connecting: broker %q has no endpoint", b.Name)
	}
	start := 0
	if b.URL.Random {
		start = rand.IntN(len(b.URL.Endpoints))
	}
	var worst error
	for i := range b.URL.Endpoints {
		e := b.URL.Endpoints[(start+i)%len(b.URL.Endpoints)]
		err := b.try(ctx, e, handshake)
		if err == nil {
			return e, nil
		}
		err = fmt.Errorf("connecting to %s: %w", e, err)
		if worst == nil || bridge.ClassOf(err) == bridge.Fatal && bridge.ClassOf(worst) != bridge.Fatal {
			worst = err
		}
		if ctx.Err() != nil {
			break
		}
	}
	return Endpoint{}, worst
}

func (b *Broker) try(ctx context.Context, e Endpoint, handshake Handshake) error {
	nc, err := b.Dial(ctx, e)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, HandshakeTimeout)
	defer cancel()
	if err := handshake(ctx, nc, e); err != nil {
		_ = nc.Close() // the handshake's error says more
		return err
	}
	return nil
}

// Dial opens a connection to one endpoint: TCP within [DialTimeout], with the name looked up anew, then TLS within
// [HandshakeTimeout]. Plaintext to an address that is not loopback is refused unless AllowPlaintext. The errors have
// their class.
func (b *Broker) Dial(ctx context.Context, e Endpoint) (net.Conn, error) {
	dial := b.DialContext
	if dial == nil {
		dial = netDialer().DialContext
	}
	dialing, cancel := context.WithTimeout(ctx, DialTimeout)
	defer cancel()
	nc, err := dial(dialing, "tcp", e.Address())
	if err != nil {
		if ctx.Err() == nil && errors.Is(dialing.Err(), context.DeadlineExceeded) {
			err = fmt.Errorf("no answer within %v: %w", DialTimeout, err)
		}
		return nil, &bridge.Error{
			Class: bridge.Transient, Err: err,
			Remedy: "check that the broker runs, host and port of its connector, and firewalls",
		}
	}
	nc = prompt(nc)
	if !e.TLS {
		if !b.AllowPlaintext && !loopback(nc.RemoteAddr()) {
			_ = nc.Close()
			return nil, &bridge.Error{
				Class:  bridge.Fatal,
				Err:    fmt.Errorf("refusing to send credentials and messages to %s without TLS", e),
				Remedy: "use the TLS scheme (stomp+ssl://), or write allow_plaintext: true on the broker (on a command line: --allow-plaintext)",
			}
		}
		return nc, nil
	}
	secured, err := b.TLS.client(ctx, nc, e)
	if err != nil {
		_ = nc.Close()
		return nil, err
	}
	return secured, nil
}

// loopback tells whether a connected peer is this host. The address that was reached decides, not the name that was
// written: a name may lead anywhere. What is no IP address (a pipe in a test, a Unix socket) has left no host.
func loopback(a net.Addr) bool {
	tcp, ok := a.(*net.TCPAddr)
	return !ok || tcp.IP.IsLoopback()
}

func netDialer() *net.Dialer {
	return &net.Dialer{
		// Beside the protocol's heart-beats, these end a connection whose peer is gone while nothing is sent.
		KeepAliveConfig: net.KeepAliveConfig{Enable: true, Idle: 15 * time.Second, Interval: 10 * time.Second, Count: 3},
		Control:         controlSocket,
	}
}
