package jms

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"io"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/jmsbridge/jmsbridge/bridge"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// authority signs certificates for a test.
type authority struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
	file string
}

func newAuthority(t *testing.T) *authority {
	t.Helper()
	a := &authority{}
	a.cert, a.key = nil, newKey(t)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "test authority"}, NotBefore: time.Now().Add(-time.Hour),
		NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &a.key.PublicKey, a.key)
	if err != nil {
		t.Fatal(err)
	}
	if a.cert, err = x509.ParseCertificate(der); err != nil {
		t.Fatal(err)
	}
	a.file = writePEM(t, "CERTIFICATE", der)
	return a
}

func newKey(t *testing.T) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func writePEM(t *testing.T, kind string, der []byte) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "x.pem")
	if err := os.WriteFile(name, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}

// issue returns a certificate for localhost, and its files.
func (a *authority) issue(t *testing.T, expires time.Time) (pair tls.Certificate, certFile, keyFile string) {
	t.Helper()
	key := newKey(t)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: "peer"}, NotBefore: time.Now().Add(-2 * time.Hour), NotAfter: expires,
		DNSNames: []string{"localhost"}, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, a.cert, &key.PublicKey, a.key)
	if err != nil {
		t.Fatal(err)
	}
	keyDER, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	certFile, keyFile = writePEM(t, "CERTIFICATE", der), writePEM(t, "EC PRIVATE KEY", keyDER)
	if pair, err = tls.LoadX509KeyPair(certFile, keyFile); err != nil {
		t.Fatal(err)
	}
	return pair, certFile, keyFile
}

// serve accepts connections until the test ends, and hands each to f.
func serve(t *testing.T, f func(net.Conn)) Endpoint {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			nc, err := l.Accept()
			if err != nil {
				return
			}
			f(nc)
			_ = nc.Close()
		}
	}()
	t.Cleanup(func() {
		_ = l.Close()
		<-done
	})
	return Endpoint{Scheme: "stomp", Host: "127.0.0.1", Port: l.Addr().(*net.TCPAddr).Port}
}

func serveTLS(t *testing.T, c *tls.Config) Endpoint {
	e := serve(t, func(nc net.Conn) {
		_ = nc.SetDeadline(time.Now().Add(5 * time.Second))
		conn := tls.Server(nc, c)
		if conn.Handshake() == nil {
			_, _ = conn.Write([]byte("hello " + conn.ConnectionState().ServerName))
			_ = conn.CloseWrite()
			_, _ = io.Copy(io.Discard, conn)
		}
	})
	e.Scheme, e.TLS, e.Host = "stomp+ssl", true, "localhost"
	return e
}

// dialRead dials and reads what the peer says.
func dialRead(t *testing.T, b Broker, e Endpoint) (string, error) {
	t.Helper()
	nc, err := b.Dial(t.Context(), e)
	if err != nil {
		return "", err
	}
	defer nc.Close()
	_ = nc.SetDeadline(time.Now().Add(5 * time.Second))
	said, err := io.ReadAll(nc)
	if err != nil {
		return "", ClassifyTLS(err, e)
	}
	return string(said), nil
}

func TestTLS(t *testing.T) {
	ours, other := newAuthority(t), newAuthority(t)
	valid, certFile, keyFile := ours.issue(t, time.Now().Add(time.Hour))
	expired, _, _ := ours.issue(t, time.Now().Add(-time.Hour))
	_, foreignCert, foreignKey := other.issue(t, time.Now().Add(time.Hour))
	clients := x509.NewCertPool()
	clients.AddCert(ours.cert)
	plain := &tls.Config{Certificates: []tls.Certificate{valid}}
	mutual := &tls.Config{Certificates: []tls.Certificate{valid}, ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: clients}
	for _, tc := range []struct {
		name   string
		server *tls.Config
		tls    TLS
		host   string
		want   string // what the peer says, or
		err    string // Fatal
	}{
		{name: "trusted", server: plain, tls: TLS{CAFile: ours.file}, want: "hello localhost"},
		{name: "by address with a server name", server: plain, host: "127.0.0.1", tls: TLS{CAFile: ours.file, ServerName: "localhost"}, want: "hello localhost"},
		{name: "with a client certificate", server: mutual, tls: TLS{CAFile: ours.file, CertFile: certFile, KeyFile: keyFile}, want: "hello localhost"},
		{name: "not trusted", server: plain, tls: TLS{}, err: "set tls.ca_file"},
		{name: "another authority", server: plain, tls: TLS{CAFile: other.file}, err: "set tls.ca_file"},
		{name: "wrong name", server: plain, host: "127.0.0.1", tls: TLS{CAFile: ours.file}, err: "tls.server_name"},
		{name: "another name", server: plain, tls: TLS{CAFile: ours.file, ServerName: "other.example"}, err: "tls.server_name"},
		{name: "expired", server: &tls.Config{Certificates: []tls.Certificate{expired}}, tls: TLS{CAFile: ours.file}, err: "renew the broker's certificate"},
		{name: "client certificate missing", server: mutual, tls: TLS{CAFile: ours.file}, err: "wants a client certificate"},
		{name: "client certificate of another authority", server: mutual, tls: TLS{CAFile: ours.file, CertFile: foreignCert, KeyFile: foreignKey}, err: "wants a client certificate"},
		{name: "client certificate unreadable", server: mutual, tls: TLS{CAFile: ours.file, CertFile: certFile, KeyFile: ours.file}, err: "reading the client certificate"},
		{name: "half a client certificate", server: mutual, tls: TLS{CAFile: ours.file, CertFile: certFile}, err: "need each other"},
		{name: "no authority file", server: plain, tls: TLS{CAFile: "/nowhere"}, err: "tls.ca_file"},
		{name: "empty authority file", server: plain, tls: TLS{CAFile: keyFile}, err: "no certificate in PEM"},
		{name: "too old", server: &tls.Config{Certificates: []tls.Certificate{valid}, MaxVersion: tls.VersionTLS11, MinVersion: tls.VersionTLS10}, tls: TLS{CAFile: ours.file}, err: "version"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			e := serveTLS(t, tc.server)
			if tc.host != "" {
				e.Host = tc.host
			}
			said, err := dialRead(t, Broker{TLS: tc.tls}, e)
			if tc.err == "" {
				if err != nil || said != tc.want {
					t.Fatalf("%q, %v", said, err)
				}
				return
			}
			if err == nil || !strings.Contains(err.Error(), tc.err) || bridge.ClassOf(err) != bridge.Fatal {
				t.Errorf("%s: %v; want fatal, %q", bridge.ClassOf(err), err, tc.err)
			}
		})
	}
}

func TestRotatedFilesAreTakenUp(t *testing.T) {
	first, second := newAuthority(t), newAuthority(t)
	pair, _, _ := second.issue(t, time.Now().Add(time.Hour))
	b := Broker{TLS: TLS{CAFile: first.file}}
	e := serveTLS(t, &tls.Config{Certificates: []tls.Certificate{pair}})
	if _, err := dialRead(t, b, e); err == nil {
		t.Fatal("the first authority did not sign it")
	}
	rotated, err := os.ReadFile(second.file)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(first.file, rotated, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := dialRead(t, b, e); err != nil {
		t.Error(err)
	}
}

func TestTLSToAPlaintextPort(t *testing.T) {
	e := serve(t, func(nc net.Conn) {
		_, _ = nc.Read(make([]byte, 1024))
		_, _ = nc.Write([]byte("HTTP/1.1 400 Bad Request\r\n\r\n"))
	})
	e.TLS = true
	_, err := dialRead(t, Broker{}, e)
	if bridge.ClassOf(err) != bridge.Fatal || !strings.Contains(err.Error(), "speaks without TLS: it speaks HTTP") {
		t.Errorf("%s %v", bridge.ClassOf(err), err)
	}
}

func TestTLSToAPortThatSaysNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ours, theirs := net.Pipe()
		defer theirs.Close()
		go func() { _, _ = io.Copy(io.Discard, theirs) }()
		b := Broker{DialContext: func(context.Context, string, string) (net.Conn, error) { return ours, nil }}
		from := time.Now()
		_, err := b.Dial(t.Context(), Endpoint{Scheme: "stomp+ssl", Host: "h", Port: 1, TLS: true})
		if e := bridge.AsError(err); e.Class != bridge.Transient || e.Code != CodeSilent || time.Since(from) != HandshakeTimeout {
			t.Errorf("%v after %v", err, time.Since(from))
		}
	})
}

func TestDialDeadline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := Broker{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			<-ctx.Done()
			return nil, ctx.Err()
		}}
		from := time.Now()
		_, err := b.Dial(t.Context(), Endpoint{Scheme: "stomp", Host: "h", Port: 1})
		if bridge.ClassOf(err) != bridge.Transient || time.Since(from) != DialTimeout || !strings.Contains(err.Error(), "no answer within 5s") {
			t.Errorf("%v after %v", err, time.Since(from))
		}
	})
}

type fakeConn struct {
	net.Conn
	remote net.Addr
	closed bool
}

func (c *fakeConn) RemoteAddr() net.Addr { return c.remote }
func (c *fakeConn) Close() error         { c.closed = true; return nil }

func TestPlaintextLeavesTheHostOnlyWhenAllowed(t *testing.T) {
	for _, tc := range []struct {
		remote         string
		allow, refused bool
	}{
		{remote: "127.0.0.1", refused: false},
		{remote: "127.8.8.8", refused: false},
		{remote: "::1", refused: false},
		{remote: "10.0.0.1", refused: true},
		{remote: "192.168.1.1", refused: true},
		{remote: "2001:db8::1", refused: true},
		{remote: "10.0.0.1", allow: true, refused: false},
	} {
		nc := &fakeConn{remote: &net.TCPAddr{IP: net.ParseIP(tc.remote), Port: 61613}}
		b := Broker{AllowPlaintext: tc.allow, DialContext: func(context.Context, string, string) (net.Conn, error) { return nc, nil }}
		_, err := b.Dial(t.Context(), Endpoint{Scheme: "stomp", Host: "localhost", Port: 61613})
		if refused := err != nil; refused != tc.refused || refused && (bridge.ClassOf(err) != bridge.Fatal || !nc.closed) {
			t.Errorf("%s, allowed %v: %v", tc.remote, tc.allow, err)
		}
	}
}

func TestConnectTriesEachEndpointOnce(t *testing.T) {
	var dialled []string
	b := Broker{Name: "mq", DialContext: func(_ context.Context, _, address string) (net.Conn, error) {
		dialled = append(dialled, address)
		ours, theirs := net.Pipe()
		_ = theirs.Close()
		return ours, nil
	}}
	var err error
	if b.URL, err = ParseURL("stomp://a:1,stomp://b:2,stomp://c:3"); err != nil {
		t.Fatal(err)
	}
	answers := map[string]error{"a": errors.New("standby"), "b": bridge.Errorf(bridge.Fatal, "wrong password"), "c": errors.New("standby too")}
	handshake := func(_ context.Context, _ net.Conn, e Endpoint) error { return answers[e.Host] }
	_, err = b.Connect(t.Context(), handshake)
	if bridge.ClassOf(err) != bridge.Fatal || !strings.Contains(err.Error(), "connecting to stomp://b:2: wrong password") {
		t.Errorf("%v, want the error that says most", err)
	}
	if got := strings.Join(dialled, " "); got != "a:1 b:2 c:3" {
		t.Errorf("dialled %s", got)
	}
	answers["b"] = nil
	e, err := b.Connect(t.Context(), handshake)
	if err != nil || e.Host != "b" {
		t.Errorf("%v, %v", e, err)
	}
	b.URL.Random = true
	first := map[string]bool{}
	for range 200 {
		dialled = nil
		_, _ = b.Connect(t.Context(), handshake)
		first[dialled[0]] = true
	}
	if len(first) != 3 {
		t.Errorf("a random start began only at %v", first)
	}
}

func TestNobodyListens(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	port := l.Addr().(*net.TCPAddr).Port
	_ = l.Close()
	b := Broker{}
	_, err = b.Dial(t.Context(), Endpoint{Scheme: "stomp", Host: "127.0.0.1", Port: port})
	if bridge.ClassOf(err) != bridge.Transient || err == nil {
		t.Errorf("%v", err)
	}
}
