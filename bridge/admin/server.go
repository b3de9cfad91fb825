package admin

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"go.uber.org/zap"

	"github.com/jmsbridge/jmsbridge/bridge"
)

// Settings say what a server shows. They are not changed after New.
type Settings struct {
	// Listen is HOST:PORT; port 0 takes a free one. A name is looked up once.
	Listen string
	// Routes are the routes by name, in the order to show them.
	Routes []Named
	// Gatherer gives /metrics; nil: there is no /metrics.
	Gatherer prometheus.Gatherer
	// Version is shown in /status.
	Version string
	// Log takes what an operator should know; nil: nothing is logged.
	Log *zap.Logger
}

// Named is a route with its name, which is known even when the route does not answer.
type Named struct {
	Name  string
	Route Reporter
}

const (
	headerTimeout = 5 * time.Second
	readTimeout   = 10 * time.Second
	writeTimeout  = 30 * time.Second
	idleTimeout   = 30 * time.Second
	maxHeader     = 16 << 10
	scrapesAtOnce = 4
	// statusesAtOnce bounds the answers that are made, and lie in memory, at the same time.
	statusesAtOnce = 4
	// connsAtOnce bounds the connections. Probes, a scraper and some operators need a few.
	connsAtOnce = 64
)

// Server is the HTTP listener. Live may be used without Start.
type Server struct {
	settings Settings
	log      *zap.Logger
	routes   []*watched
	started  time.Time

	http     *http.Server
	listener net.Listener
	serving  sync.WaitGroup
}

// New returns a server. It does not listen yet.
func New(settings Settings) *Server {
	s := &Server{settings: settings, log: settings.Log, started: time.Now()}
	if s.log == nil {
		s.log = zap.NewNop()
	}
	for _, r := range settings.Routes {
		s.routes = append(s.routes, &watched{name: r.Name, route: r.Route})
	}
	return s
}

// Start listens and serves until Close. ctx bounds only the start. It is called once.
func (s *Server) Start(ctx context.Context) error {
	var config net.ListenConfig
	listener, err := config.Listen(ctx, "tcp", s.settings.Listen)
	if err != nil {
		return fmt.Errorf("listening for admin requests: %w", err)
	}
	s.listener = listener
	if !listener.Addr().(*net.TCPAddr).IP.IsLoopback() {
		s.log.Warn("the admin listener has no login and is open to other hosts", zap.String(bridge.LogEndpoint, listener.Addr().String()))
	}
	s.http = &http.Server{
		Handler: s.Handler(), ReadHeaderTimeout: headerTimeout, ReadTimeout: readTimeout, WriteTimeout: writeTimeout,
		IdleTimeout: idleTimeout, MaxHeaderBytes: maxHeader, ErrorLog: zap.NewStdLog(zap.NewNop()),
	}
	s.serving.Go(func() {
		if err := s.http.Serve(newLimitedListener(listener, connsAtOnce)); !errors.Is(err, http.ErrServerClosed) {
			s.log.Error("the admin listener has ended", zap.Error(err))
		}
	})
	return nil
}

// Addr returns the address that the server listens on; "" before Start.
func (s *Server) Addr() string {
	if s.listener == nil {
		return ""
	}
	return s.listener.Addr().String()
}

// Close lets running requests end within ctx, then cuts them off. It is safe without Start, and twice.
func (s *Server) Close(ctx context.Context) error {
	if s.http == nil {
		return nil
	}
	err := s.http.Shutdown(ctx)
	if err != nil {
		err = s.http.Close()
	}
	s.serving.Wait()
	if err != nil {
		return fmt.Errorf("closing the admin listener: %w", err)
	}
	return nil
}

// Live tells whether every route makes progress; the error names those that don't. It may take a few seconds.
func (s *Server) Live(ctx context.Context) error {
	stuck := make([]error, len(s.routes))
	var wait sync.WaitGroup
	for i, w := range s.routes {
		wait.Go(func() { stuck[i] = w.live(ctx) })
	}
	wait.Wait()
	return errors.Join(stuck...)
}

// Ready tells whether at least one route is connected to its broker.
func (s *Server) Ready(ctx context.Context) error {
	for _, status := range s.statuses(ctx) {
		if status.Connected > 0 {
			return nil
		}
	}
	return errors.New("no route is connected")
}

// statuses asks every route. One that does not answer is shown as such.
func (s *Server) statuses(ctx context.Context) []bridge.RouteStatus {
	all := make([]bridge.RouteStatus, len(s.routes))
	var wait sync.WaitGroup
	for i, w := range s.routes {
		wait.Go(func() {
			status, ok := w.ask(ctx)
			if !ok {
				status = bridge.RouteStatus{Name: w.name, State: "stuck", Reason: "the route does not answer", Remedy: "restart jmsbridge, and report it"}
			}
			all[i] = status
		})
	}
	wait.Wait()
	return all
}

const index = `jmsbridge
/live     200 while every route makes progress
/ready    200 while at least one route is connected to its broker
/metrics  for Prometheus
/status   what each route does, as JSON
`

// Handler returns what the listener serves.
func (s *Server) Handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("/{$}", func(w http.ResponseWriter, _ *http.Request) { answer(w, http.StatusOK, index) })
	mux.HandleFunc("/live", func(w http.ResponseWriter, r *http.Request) { verdict(w, s.Live(r.Context())) })
	mux.HandleFunc("/ready", func(w http.ResponseWriter, r *http.Request) { verdict(w, s.Ready(r.Context())) })
	mux.Handle("/status", atMost(statusesAtOnce, s.status))
	if s.settings.Gatherer != nil {
		mux.Handle("/metrics", promhttp.HandlerFor(s.settings.Gatherer, promhttp.HandlerOpts{
			MaxRequestsInFlight: scrapesAtOnce, Timeout: readTimeout,
		}))
	}
	return s.guarded(mux)
}

// atMost answers at most n requests at the same time and sends the others away, as /metrics does.
func atMost(n int, serve http.HandlerFunc) http.Handler {
	running := make(chan struct{}, n)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		select {
		case running <- struct{}{}:
			defer func() { <-running }()
			serve(w, r)
		default:
			answer(w, http.StatusServiceUnavailable, fmt.Sprintf("%d such requests are being answered; try again later\n", n))
		}
	})
}

// guarded refuses what no probe, scraper or operator sends.
func (s *Server) guarded(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Cache-Control", "no-store")
		w.Header().Set("X-Content-Type-Options", "nosniff")
		if r.Method != http.MethodGet && r.Method != http.MethodHead {
			w.Header().Set("Allow", "GET, HEAD")
			answer(w, http.StatusMethodNotAllowed, "only GET and HEAD are answered here\n")
			return
		}
		if s.loopback(r) && !local(r.Host) {
			// A page in a browser on this host could read the status through a name that it points at loopback.
			answer(w, http.StatusForbidden, "ask by address, or as localhost\n")
			return
		}
		next.ServeHTTP(w, r)
	})
}

// loopback tells whether the request came in on a loopback address.
func (s *Server) loopback(r *http.Request) bool {
	addr, ok := r.Context().Value(http.LocalAddrContextKey).(*net.TCPAddr)
	return ok && addr.IP.IsLoopback()
}

// local tells whether a Host header is an address or localhost.
func local(host string) bool {
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	if host == "localhost" {
		return true
	}
	_, err := netip.ParseAddr(host)
	return err == nil
}

func (s *Server) status(w http.ResponseWriter, r *http.Request) {
	body, err := json.MarshalIndent(struct {
		Version string               `json:"version,omitempty"`
		Started time.Time            `json:"started"`
		Routes  []bridge.RouteStatus `json:"routes"`
	}{s.settings.Version, s.started.UTC(), s.statuses(r.Context())}, "", "  ")
	if err != nil {
		answer(w, http.StatusInternalServerError, err.Error()+"\n")
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(http.StatusOK)
	_, _ = w.Write(append(body, '\n'))
}

func verdict(w http.ResponseWriter, err error) {
	if err != nil {
		answer(w, http.StatusServiceUnavailable, err.Error()+"\n")
		return
	}
	answer(w, http.StatusOK, "ok\n")
}

func answer(w http.ResponseWriter, code int, text string) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.WriteHeader(code)
	// A peer that is gone is no concern of ours.
	_, _ = w.Write([]byte(text))
}
