package aws_test

import (
	"bufio"
	"context"
	"encoding/base64"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/jmsbridge/jmsbridge/bridge"
	"github.com/jmsbridge/jmsbridge/connectors/aws"
	"github.com/jmsbridge/jmsbridge/connectors/aws/awslocal"
)

func TestACertificateMustBeTrusted(t *testing.T) {
	environment(t, "AKIDEXAMPLE", "secret", "")
	e := endpoint(t, awslocal.Options{})
	server, authority := tlsServer(t, e.Handler())

	err := post(t, client(t, aws.Settings{}), server.URL)
	if err == nil || err.Class != bridge.Fatal || !strings.Contains(err.Remedy, "ca_bundle") {
		t.Errorf("an unknown authority: %v", err)
	}
	if err := post(t, client(t, aws.Settings{CABundle: authority}), server.URL); err != nil {
		t.Errorf("aws.ca_bundle: %v", err)
	}
	t.Setenv("AWS_CA_BUNDLE", authority)
	if err := post(t, client(t, aws.Settings{}), server.URL); err != nil {
		t.Errorf("AWS_CA_BUNDLE: %v", err)
	}
	_, port, _ := net.SplitHostPort(server.Listener.Addr().String())
	err = post(t, client(t, aws.Settings{}), "https://localhost:"+port)
	if err == nil || err.Class != bridge.Fatal || !strings.Contains(err.Remedy, "host name") {
		t.Errorf("another host's certificate: %v", err)
	}
	err = post(t, client(t, aws.Settings{CABundle: authority + ".missing"}), server.URL)
	if err == nil || err.Class != bridge.Fatal || err.Remedy == "" {
		t.Errorf("a missing CA bundle: %v", err)
	}
}

func TestTLSToAPortThatSpeaksNoneIsFatal(t *testing.T) {
	environment(t, "AKIDEXAMPLE", "secret", "")
	e := endpoint(t, awslocal.Options{})
	err := post(t, client(t, aws.Settings{}), strings.Replace(e.URL(), "http://", "https://", 1))
	if err == nil || err.Class != bridge.Fatal || err.Remedy == "" {
		t.Errorf("%v is %+v", err, err)
	}
}

func TestEndpointsThatAreNoURLAreFatal(t *testing.T) {
	for _, u := range []string{"", "localhost:4566", "ftp://x", "https://", "::"} {
		_, err := client(t, aws.Settings{}).Caller(aws.Endpoint{URL: u}, "X.Y")
		if err == nil || bridge.ClassOf(err) != bridge.Fatal {
			t.Errorf("%q: %v", u, err)
		}
	}
}

// connectProxy is a proxy that knows only CONNECT and leads every host to one address.
type connectProxy struct {
	url     string
	status  atomic.Int32 // refuses with this, unless 0
	tunnels atomic.Int32
	asked   atomic.Value // the last host, a string
	user    atomic.Value // the last Proxy-Authorization, a string
}

// newProxy starts a proxy. The loop that accepts is itself counted, so no goroutine is added once the wait for them has
// begun: a hijacked connection of http.Server would be one that its Close does not wait for.
func newProxy(t testing.TB, to string) *connectProxy {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &connectProxy{url: "http://" + l.Addr().String()}
	var serving sync.WaitGroup
	serving.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			serving.Go(func() { p.serve(conn, to) })
		}
	})
	t.Cleanup(func() {
		l.Close()
		serving.Wait()
	})
	return p
}

// serve answers one CONNECT and pipes until either side ends.
func (p *connectProxy) serve(conn net.Conn, to string) {
	defer conn.Close()
	in := bufio.NewReader(conn)
	r, err := http.ReadRequest(in)
	if err != nil {
		return
	}
	p.asked.Store(r.Host)
	p.user.Store(r.Header.Get("Proxy-Authorization"))
	refuse := func(status int) {
		_, _ = fmt.Fprintf(conn, "HTTP/1.1 %d %s\r\nContent-Length: 0\r\nConnection: close\r\n\r\n", status, http.StatusText(status))
	}
	if s := int(p.status.Load()); s != 0 {
		refuse(s)
		return
	}
	if r.Method != http.MethodConnect {
		refuse(http.StatusMethodNotAllowed)
		return
	}
	target, err := net.Dial("tcp", to)
	if err != nil {
		refuse(http.StatusBadGateway)
		return
	}
	defer target.Close()
	p.tunnels.Add(1)
	_, _ = io.WriteString(conn, "HTTP/1.1 200 OK\r\n\r\n")
	back := make(chan struct{})
	go func() {
		defer close(back)
		_, _ = io.Copy(conn, target)
		conn.Close()
	}()
	_, _ = io.Copy(target, in)
	target.Close()
	<-back
}

func TestAProxyIsUsed(t *testing.T) {
	environment(t, "AKIDEXAMPLE", "secret", "")
	e := endpoint(t, awslocal.Options{})
	server, authority := tlsServer(t, e.Handler())
	proxy := newProxy(t, server.Listener.Addr().String())
	settings := aws.Settings{CABundle: authority, Proxy: func(*http.Request) (*url.URL, error) {
		u, err := url.Parse(proxy.url)
		u.User = url.UserPassword("proxy-user", "proxy-password")
		return u, err
	}}
	c := client(t, settings)
	const host = "https://example.com" // the name in the server's certificate
	if err := post(t, c, host); err != nil {
		t.Fatal(err)
	}
	want := "Basic " + base64.StdEncoding.EncodeToString([]byte("proxy-user:proxy-password"))
	if proxy.tunnels.Load() != 1 || proxy.asked.Load() != "example.com:443" || proxy.user.Load() != want {
		t.Errorf("%d tunnels, asked for %v by %v", proxy.tunnels.Load(), proxy.asked.Load(), proxy.user.Load())
	}
	c.Close()
	for status, class := range map[int]bridge.Class{407: bridge.Fatal, 403: bridge.Fatal, 502: bridge.Transient, 503: bridge.Transient} {
		proxy.status.Store(int32(status))
		err := post(t, client(t, settings), host)
		if err == nil || err.Class != class || !strings.Contains(err.Error(), fmt.Sprint(status)) || strings.Contains(err.Error(), "proxy-password") {
			t.Errorf("status %d: %v (%+v)", status, err, err)
		}
	}
}

// The environment's proxy is read once in the life of a process, so this runs in one of its own.
func TestTheEnvironmentsProxyIsUsed(t *testing.T) {
	environment(t, "AKIDEXAMPLE", "secret", "")
	e := endpoint(t, awslocal.Options{})
	server, authority := tlsServer(t, e.Handler())
	proxy := newProxy(t, server.Listener.Addr().String())
	command := exec.CommandContext(t.Context(), os.Args[0])
	command.Env = append(os.Environ(), "JMSBRIDGE_TEST_PROXY="+authority, "HTTPS_PROXY="+proxy.url, "NO_PROXY=", "https_proxy=", "no_proxy=")
	if out, err := command.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	if proxy.tunnels.Load() != 1 {
		t.Errorf("%d tunnels", proxy.tunnels.Load())
	}
}

func throughEnvironmentProxy() int {
	c := aws.NewClient(aws.Settings{CABundle: os.Getenv("JMSBRIDGE_TEST_PROXY")})
	caller, err := c.Caller(aws.Endpoint{URL: "https://example.com", Region: "us-east-1", Service: "sqs"}, "AmazonSQS.GetQueueUrl")
	if err == nil {
		call := caller.Acquire()
		call.Body = append(call.Body, `{"QueueName":"orders"}`...)
		err = call.Do(context.Background())
	}
	if err != nil {
		fmt.Println(err)
		return 1
	}
	return 0
}

func TestConnectionsAreKept(t *testing.T) {
	environment(t, "AKIDEXAMPLE", "secret", "")
	e := endpoint(t, awslocal.Options{})
	var opened atomic.Int32
	server := httptest.NewUnstartedServer(e.Handler())
	server.Config.ConnState = func(_ net.Conn, s http.ConnState) {
		if s == http.StateNew {
			opened.Add(1)
		}
	}
	server.Start()
	t.Cleanup(server.Close)
	c := client(t, aws.Settings{})
	const workers, calls = 32, 5
	for range calls {
		var all sync.WaitGroup
		for range workers {
			all.Go(func() {
				if err := post(t, c, server.URL); err != nil {
					t.Error(err)
				}
			})
		}
		all.Wait()
	}
	// A connection that is still being opened while another one is given back is one more than is needed.
	if n := opened.Load(); n > 2*workers {
		t.Errorf("%d connections for %d calls at once", n, workers)
	}
}
