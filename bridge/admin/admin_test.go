package admin_test

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/goleak"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"github.com/jmsbridge/jmsbridge/bridge"
	"github.com/jmsbridge/jmsbridge/bridge/admin"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// route is a double whose status a test sets, and which may hang.
type route struct {
	mu     sync.Mutex
	status bridge.RouteStatus
	hang   chan struct{}
	asked  int
}

func (r *route) Status() bridge.RouteStatus {
	r.mu.Lock()
	hang := r.hang
	r.asked++
	r.mu.Unlock()
	if hang != nil {
		<-hang
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.status
}

func (r *route) set(change func(*bridge.RouteStatus)) {
	r.mu.Lock()
	defer r.mu.Unlock()
	change(&r.status)
}

func running() *route {
	return &route{status: bridge.RouteStatus{
		Name: "orders", State: bridge.StateRunning, Connected: 1, Sources: 1, InFlight: 3, OldestUnsettledSeconds: 3600,
		Counters: bridge.Counters{Received: 10, Delivered: 7}, Targets: []bridge.TargetState{{Name: "sqs", Works: true, Calls: 1, CallLimit: 4}},
	}}
}

func started(t *testing.T, routes ...admin.Named) *admin.Server {
	t.Helper()
	registry := prometheus.NewRegistry()
	counter := prometheus.NewCounter(prometheus.CounterOpts{Name: "jmsbridge_test_total", Help: "x"})
	registry.MustRegister(counter)
	counter.Add(42)
	s := admin.New(admin.Settings{Listen: "127.0.0.1:0", Routes: routes, Gatherer: registry, Version: "v1.2.3"})
	if err := s.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := errors.Join(s.Close(context.Background()), s.Close(context.Background())); err != nil {
			t.Error(err)
		}
	})
	return s
}

func ask(t *testing.T, method, url, host string) (int, string, http.Header) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(""))
	if err != nil {
		t.Fatal(err)
	}
	request.Host = host
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	response, err := client.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	body, err := io.ReadAll(response.Body)
	if err := errors.Join(err, response.Body.Close()); err != nil {
		t.Fatal(err)
	}
	return response.StatusCode, string(body), response.Header
}

func TestEndpoints(t *testing.T) {
	off := running()
	off.set(func(s *bridge.RouteStatus) { s.Connected = 0 })
	base := "http://" + started(t, admin.Named{Name: "orders", Route: running()}).Addr()
	none := "http://" + started(t, admin.Named{Name: "orders", Route: off}).Addr()
	cases := []struct {
		method, url, host string
		code              int
		want              string
	}{
		{"GET", base + "/", "", 200, "/status"},
		{"GET", base + "/live", "", 200, "ok\n"},
		{"HEAD", base + "/live", "", 200, ""},
		{"GET", base + "/ready", "", 200, "ok\n"},
		{"GET", none + "/ready", "", 503, "no route is connected\n"},
		{"GET", none + "/live", "", 200, "ok\n"},
		{"GET", base + "/metrics", "", 200, "jmsbridge_test_total 42"},
		{"GET", base + "/status", "", 200, `"version": "v1.2.3"`},
		{"GET", base + "/status", "localhost:1", 200, `"state": "running"`},
		{"GET", base + "/status", "[::1]:1", 200, ""},
		{"GET", base + "/status", "evil.example", 403, "by address"},
		{"GET", base + "/status", "localhost.evil.example:9465", 403, "by address"},
		{"POST", base + "/status", "", 405, "only GET and HEAD"},
		{"DELETE", base + "/", "", 405, "only GET and HEAD"},
		{"GET", base + "/debug/pprof/", "", 404, ""},
		{"GET", base + "/nothing", "", 404, ""},
	}
	for _, c := range cases {
		code, body, header := ask(t, c.method, c.url, c.host)
		if code != c.code || !strings.Contains(body, c.want) {
			t.Errorf("%s %s (%s): got %d %q", c.method, c.url, c.host, code, body)
		}
		if header.Get("X-Content-Type-Options") != "nosniff" || header.Get("Access-Control-Allow-Origin") != "" {
			t.Errorf("%s %s: headers %v", c.method, c.url, header)
		}
	}
}

func TestStatusTellsWhatARouteTells(t *testing.T) {
	r := running()
	r.set(func(s *bridge.RouteStatus) {
		s.State, s.Reason, s.Remedy = bridge.StateFatal, "no such queue", "create it"
		s.Held = []bridge.HeldMessage{{ID: "ID:1", Reason: "a Map can't be told from a Text", Since: time.UnixMilli(0).UTC()}}
	})
	_, body, header := ask(t, "GET", "http://"+started(t, admin.Named{Name: "orders", Route: r}).Addr()+"/status", "")
	var got struct {
		Routes []bridge.RouteStatus `json:"routes"`
	}
	if err := json.Unmarshal([]byte(body), &got); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]bridge.RouteStatus{r.status}, got.Routes); diff != "" {
		t.Error(diff)
	}
	if header.Get("Content-Type") != "application/json" || header.Get("Cache-Control") != "no-store" {
		t.Errorf("headers %v", header)
	}
}

func TestARouteThatDoesNotAnswerIsNotLive(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		stuck := running()
		stuck.hang = make(chan struct{})
		s := admin.New(admin.Settings{Routes: []admin.Named{{Name: "fine", Route: running()}, {Name: "orders", Route: stuck}}})
		for range 3 {
			err := s.Live(t.Context())
			if err == nil || err.Error() != "route orders does not answer" {
				t.Fatalf("got %v", err)
			}
		}
		if err := s.Ready(t.Context()); err != nil {
			t.Errorf("the other route is connected: %v", err)
		}
		stuck.mu.Lock()
		asked := stuck.asked
		stuck.mu.Unlock()
		if asked != 1 {
			t.Errorf("asked %d times while the first question hung", asked)
		}
		if got := s.Summary(t.Context()); got != "1 of 2 routes connected, 0 messages held" {
			t.Errorf("got %q", got)
		}
		stuck.mu.Lock()
		hang := stuck.hang
		stuck.hang = nil
		stuck.mu.Unlock()
		close(hang)
		synctest.Wait()
		if err := s.Live(t.Context()); err != nil {
			t.Errorf("after it came back: %v", err)
		}
	})
}

func TestProgressDecidesLiveness(t *testing.T) {
	const long = time.Hour
	cases := map[string]struct {
		change func(*bridge.RouteStatus) // between the first look and the one an hour later
		live   bool
	}{
		"nothing done with calls under way": {func(*bridge.RouteStatus) {}, false},
		"something delivered":               {func(s *bridge.RouteStatus) { s.Counters.Delivered++ }, true},
		"something given back":              {func(s *bridge.RouteStatus) { s.Counters.Released++ }, true},
		"the broker is away":                {func(s *bridge.RouteStatus) { s.State = bridge.StateReconnecting }, true},
		"the target is down":                {func(s *bridge.RouteStatus) { s.State = bridge.StateTargetDown }, true},
		"a target is down":                  {func(s *bridge.RouteStatus) { s.Targets[0].Works = false }, true},
		"the route is paused":               {func(s *bridge.RouteStatus) { s.State = bridge.StateFatal }, true},
		"nothing is in flight":              {func(s *bridge.RouteStatus) { s.InFlight = 0 }, true},
		"no call is under way":              {func(s *bridge.RouteStatus) { s.Targets[0].Calls = 0 }, true},
		"what is in flight is young":        {func(s *bridge.RouteStatus) { s.OldestUnsettledSeconds = 1 }, true},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := running()
				s := admin.New(admin.Settings{Routes: []admin.Named{{Name: "orders", Route: r}}})
				if err := s.Live(t.Context()); err != nil {
					t.Fatal(err)
				}
				r.set(c.change)
				<-time.After(long)
				err := s.Live(t.Context())
				if (err == nil) != c.live {
					t.Errorf("got %v", err)
				}
				if err != nil && err.Error() != "route orders has 3 messages in flight and has got nothing done for 1h0m0s" {
					t.Errorf("got %v", err)
				}
			})
		})
	}
}

func TestAStrangerWhoSaysNothingIsCutOff(t *testing.T) {
	s := started(t)
	conn, err := net.Dial("tcp", s.Addr())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	if _, err := fmt.Fprintf(conn, "GET /live HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Long: %s", strings.Repeat("x", 64<<10)); err != nil {
		t.Fatal(err)
	}
	if err := conn.SetReadDeadline(time.Now().Add(20 * time.Second)); err != nil {
		t.Fatal(err)
	}
	line, err := bufio.NewReader(conn).ReadString('\n')
	if err != nil || !strings.Contains(line, "431") {
		t.Errorf("an endless header: got %q, %v", line, err)
	}
}

func TestOnlySomeStatusesAreMadeAtTheSameTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		slow := running()
		slow.hang = make(chan struct{})
		h := admin.New(admin.Settings{Routes: []admin.Named{{Name: "orders", Route: slow}}}).Handler()
		get := func() int {
			w := httptest.NewRecorder()
			h.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/status", http.NoBody))
			return w.Code
		}
		codes := make(chan int, 100)
		for range 100 {
			go func() { codes <- get() }()
		}
		synctest.Wait()
		if len(codes) != 96 {
			t.Errorf("%d of 100 requests were answered while the route was asked", len(codes))
		}
		close(slow.hang)
		synctest.Wait()
		count := map[int]int{}
		for range 100 {
			count[<-codes]++
		}
		if count[http.StatusOK] != 4 || count[http.StatusServiceUnavailable] != 96 {
			t.Errorf("answered %v", count)
		}
		if code := get(); code != http.StatusOK {
			t.Errorf("afterwards: %d", code)
		}
	})
}

// get asks for /live over a connection and returns the first line of the answer.
func get(conn net.Conn, within time.Duration) (string, error) {
	if _, err := io.WriteString(conn, "GET /live HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"); err != nil {
		return "", err
	}
	return firstLine(conn, within)
}

func firstLine(conn net.Conn, within time.Duration) (string, error) {
	if err := conn.SetReadDeadline(time.Now().Add(within)); err != nil {
		return "", err
	}
	return bufio.NewReader(conn).ReadString('\n')
}

func TestOnlySomeConnectionsAreAccepted(t *testing.T) {
	s := started(t)
	dial := func() net.Conn {
		conn, err := net.Dial("tcp", s.Addr())
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = conn.Close() })
		return conn
	}
	conns := make([]net.Conn, 64)
	for i := range conns {
		conns[i] = dial()
		if line, err := get(conns[i], 20*time.Second); err != nil || !strings.Contains(line, "200") {
			t.Fatalf("connection %d: %q, %v", i+1, line, err)
		}
	}
	further := dial()
	if line, err := get(further, 200*time.Millisecond); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("with 64 connections open a further one was answered: %q, %v", line, err)
	}
	if err := conns[0].Close(); err != nil {
		t.Fatal(err)
	}
	if line, err := firstLine(further, 20*time.Second); err != nil || !strings.Contains(line, "200") {
		t.Errorf("with room again: %q, %v", line, err)
	}
}

func TestStartSaysWhatIsWrongAndWarnsOfOpenListeners(t *testing.T) {
	s := started(t)
	if err := admin.New(admin.Settings{Listen: s.Addr()}).Start(t.Context()); err == nil || !strings.Contains(err.Error(), s.Addr()) {
		t.Errorf("a port in use: got %v", err)
	}
	core, logs := observer.New(zap.WarnLevel)
	open := admin.New(admin.Settings{Listen: "0.0.0.0:0", Log: zap.New(core)})
	if err := errors.Join(open.Start(t.Context()), open.Close(t.Context())); err != nil {
		t.Fatal(err)
	}
	if logs.Len() != 1 {
		t.Errorf("got %v", logs.All())
	}
	if err := admin.New(admin.Settings{}).Close(t.Context()); err != nil {
		t.Errorf("Close without Start: %v", err)
	}
}

// systemd plays the notify socket.
func systemd(t *testing.T, watchdog time.Duration) *net.UnixConn {
	t.Helper()
	path := filepath.Join(t.TempDir(), "notify")
	conn, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	t.Setenv("NOTIFY_SOCKET", path)
	if watchdog > 0 {
		t.Setenv("WATCHDOG_USEC", fmt.Sprint(watchdog.Microseconds()))
		t.Setenv("WATCHDOG_PID", fmt.Sprint(os.Getpid()))
	}
	return conn
}

func told(t *testing.T, conn *net.UnixConn) string {
	t.Helper()
	if err := conn.SetReadDeadline(time.Now().Add(10 * time.Second)); err != nil {
		t.Fatal(err)
	}
	buf := make([]byte, 4096)
	n, err := conn.Read(buf)
	if err != nil {
		t.Fatal(err)
	}
	return string(buf[:n])
}

func TestNotifyTellsSystemd(t *testing.T) {
	conn := systemd(t, 0)
	n := admin.NewNotifier(nil)
	n.Ready("starting")
	n.Status("1 of 1 routes connected")
	n.Stopping(25 * time.Second)
	for _, want := range []string{"READY=1\nSTATUS=starting", "STATUS=1 of 1 routes connected", "STOPPING=1\nEXTEND_TIMEOUT_USEC=40000000\nSTATUS=draining"} {
		if got := told(t, conn); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
	n.Watch(t.Context(), func(context.Context) error { return nil }, nil) // no watchdog: it returns
}

func TestWatchdogIsFedOnlyWhileThereIsProgress(t *testing.T) {
	conn := systemd(t, 30*time.Millisecond)
	core, logs := observer.New(zap.ErrorLevel)
	n := admin.NewNotifier(zap.New(core))
	ctx, cancel := context.WithCancel(t.Context())
	var mu sync.Mutex
	var stuck error
	looks := 0
	var watching sync.WaitGroup
	watching.Go(func() {
		n.Watch(ctx, func(context.Context) error {
			mu.Lock()
			defer mu.Unlock()
			looks++
			return stuck
		}, func() string { return "look" })
	})
	for range 3 {
		if got := told(t, conn) + " " + told(t, conn); got != "WATCHDOG=1 STATUS=look" {
			t.Fatalf("got %q", got)
		}
	}
	mu.Lock()
	stuck = errors.New("route orders does not answer")
	from := looks
	mu.Unlock()
	fed := 0
	for {
		if told(t, conn) == "WATCHDOG=1" {
			fed++
		}
		mu.Lock()
		enough := looks >= from+5
		mu.Unlock()
		if enough {
			break
		}
	}
	if fed > 1 { // one may have been on its way
		t.Errorf("fed %d times without progress", fed)
	}
	if logs.Len() == 0 {
		t.Error("nothing was logged")
	}
	cancel()
	watching.Wait()
}

func TestWithoutSystemdNothingHappens(t *testing.T) {
	t.Setenv("NOTIFY_SOCKET", "")
	core, logs := observer.New(zap.DebugLevel)
	n := admin.NewNotifier(zap.New(core))
	n.Ready("x")
	n.Stopping(time.Second)
	n.Watch(t.Context(), nil, nil)
	if logs.Len() != 0 {
		t.Errorf("got %v", logs.All())
	}
}
