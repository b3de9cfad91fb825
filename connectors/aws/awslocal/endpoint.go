package awslocal

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"
)

// Options are the settings of an endpoint. The zero value is an endpoint that takes every signature, keeps its whole
// log and answers at once.
type Options struct {
	// Listen is the TCP address for [Start]; "": 127.0.0.1 and a free port.
	Listen string
	// Region is the region in ARNs; "": us-east-1.
	Region string
	// Account is the account that callers belong to, 12 digits; "": 123456789012.
	Account string
	// Keys are the access keys that may sign requests. Without any, signatures are not looked at.
	Keys []Key
	// Roles may be assumed by AssumeRole.
	Roles []Role
	// Deny are calls that are refused with AccessDenied. [Endpoint.Deny] adds more.
	Deny []Rule
	// Latency is the fixed service time of each request: it is processed when it arrives and answered so much later.
	Latency time.Duration
	// Seed makes the random choices of faults repeatable.
	Seed uint64
	// LogRecords is how many records the log keeps, the newest; 0: all; negative: it keeps none.
	LogRecords int
	// LogWithoutBodies keeps bodies and attribute values out of the log.
	LogWithoutBodies bool
	// ReadTimeout bounds the reading of one request; 0: 30 s.
	ReadTimeout time.Duration
}

// Key is an access key that may sign requests.
type Key struct {
	ID, Secret string
	// SessionToken must come with the request; "": none.
	SessionToken string
	// Account is the account of the key; "": that of the endpoint.
	Account string
	// Principal is the ARN that GetCallerIdentity answers; "": a user of the account.
	Principal string
}

// Role is a role that a caller may assume.
type Role struct {
	ARN string
	// ExternalID must be given; "": none needed.
	ExternalID string
}

// Rule names calls: an action ("SendMessage", "sqs:SendMessage", "*" or "") on a queue, function or event bus (a name, "*"
// or "").
type Rule struct{ Action, Queue string }

// Endpoint is a running endpoint. Its methods may be called by any number of goroutines at once.
type Endpoint struct {
	opt     Options
	url     string
	started time.Time
	handler http.Handler

	mu       sync.Mutex // guards what follows, and everything in the queues
	queues   map[queueKey]*queue
	deleted  map[queueKey]time.Time
	sequence uint64
	handles  uint64
	arrivals uint64

	functions functions

	authMu sync.Mutex // guards keys, deny and signing
	keys   map[string]Key
	deny   []Rule
	signer signingKeys

	faults   faults
	log      *Log
	latency  atomic.Int64
	requests atomic.Uint64
	buffers  sync.Pool // of *bytes.Buffer, for the bodies of requests

	events buses // guarded by mu

	stop     chan struct{} // closed by Close: waits end
	stopOnce sync.Once
	server   *http.Server
	serving  chan error
}

// New returns an endpoint that does not listen: [Endpoint.Handler] and [Endpoint.Transport] serve it. url is what queue
// URLs begin with, such as "http://sqs.local". Close it as well.
func New(opt Options, url string) *Endpoint {
	if opt.Region == "" {
		opt.Region = "us-east-1"
	}
	if opt.Account == "" {
		opt.Account = "123456789012"
	}
	if opt.ReadTimeout <= 0 {
		opt.ReadTimeout = 30 * time.Second
	}
	ctx, cancel := context.WithCancel(context.Background())
	e := &Endpoint{
		opt:     opt,
		url:     url,
		started: time.Now(),
		queues:  map[queueKey]*queue{},
		deleted: map[queueKey]time.Time{},
		keys:    map[string]Key{},
		deny:    append([]Rule(nil), opt.Deny...),
		log:     newLog(opt.LogRecords, opt.LogWithoutBodies),
		stop:    make(chan struct{}),

		functions: functions{byName: map[string]*function{}, ctx: ctx, cancel: cancel},
	}
	for _, k := range opt.Keys {
		e.keys[k.ID] = k
	}
	e.faults.seed = opt.Seed
	e.latency.Store(int64(opt.Latency))
	e.handler = http.HandlerFunc(e.serve)
	return e
}

// Start returns an endpoint that listens on loopback.
func Start(opt Options) (*Endpoint, error) {
	address := opt.Listen
	if address == "" {
		address = "127.0.0.1:0"
	}
	listener, err := net.Listen("tcp", address)
	if err != nil {
		return nil, fmt.Errorf("listening for the local AWS endpoint: %w", err)
	}
	e := New(opt, "http://"+listener.Addr().String())
	e.server = &http.Server{
		Handler:           e.handler,
		ReadHeaderTimeout: e.opt.ReadTimeout,
		ReadTimeout:       e.opt.ReadTimeout,
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    64 << 10,
	}
	e.serving = make(chan error, 1)
	go func() { e.serving <- e.server.Serve(listener) }()
	return e, nil
}

// URL is the endpoint URL for clients, without a slash at its end.
func (e *Endpoint) URL() string { return e.url }

// Region is the region of the queues.
func (e *Endpoint) Region() string { return e.opt.Region }

// Handler serves the endpoint, for a server of the caller's own.
func (e *Endpoint) Handler() http.Handler { return e.handler }

// Log is what was asked of the endpoint.
func (e *Endpoint) Log() *Log { return e.log }

// SetLatency changes [Options.Latency] for the requests that arrive from now on.
func (e *Endpoint) SetLatency(d time.Duration) { e.latency.Store(int64(d)) }

// Deny refuses the calls of a rule from now on.
func (e *Endpoint) Deny(r Rule) {
	e.authMu.Lock()
	defer e.authMu.Unlock()
	e.deny = append(e.deny, r)
}

// Allow takes back every deny rule.
func (e *Endpoint) Allow() {
	e.authMu.Lock()
	defer e.authMu.Unlock()
	e.deny = nil
}

// SetKeys replaces the access keys: what a rotation of credentials looks like. Without any, signatures are not looked at.
func (e *Endpoint) SetKeys(keys ...Key) {
	e.authMu.Lock()
	defer e.authMu.Unlock()
	e.keys = map[string]Key{}
	for _, k := range keys {
		e.keys[k.ID] = k
	}
}

// Close ends waiting requests and the processes of functions, closes the connections and waits for the server to end. It
// is safe twice.
func (e *Endpoint) Close() error {
	var err error
	e.stopOnce.Do(func() {
		close(e.stop)
		e.functions.close()
		if e.server == nil {
			return
		}
		ctx, cancel := context.WithTimeout(context.Background(), 500*time.Millisecond)
		defer cancel()
		if e.server.Shutdown(ctx) != nil { // requests that a fault holds
			err = e.server.Close()
		}
		if serving := <-e.serving; serving != nil && !errors.Is(serving, http.ErrServerClosed) && err == nil {
			err = serving
		}
	})
	if err != nil {
		return fmt.Errorf("closing the local AWS endpoint: %w", err)
	}
	return nil
}
