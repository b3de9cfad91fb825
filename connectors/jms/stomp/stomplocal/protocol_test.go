package stomplocal_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-stomp/stomp/v3"
	"github.com/go-stomp/stomp/v3/frame"

	"github.com/jmsbridge/jmsbridge/connectors/jms/stomp/stomplocal"
)

func TestConnected(t *testing.T) {
	b := start(t, stomplocal.Options{})
	c := dial(t, b)
	c.frame("STOMP", "", "accept-version:1.0,1.1,1.2", "host:x", "heart-beat:0,40")
	f := c.want("CONNECTED")
	if !strings.HasPrefix(f.Header.Get("server"), "ActiveMQ/") || f.Header.Get("version") != "1.2" || f.Header.Get("heart-beat") != "40,0" {
		t.Errorf("CONNECTED %s", headers(f))
	}
	before := time.Now()
	for range 3 { // the client's reader answers a heart-beat with nil
		_ = c.SetReadDeadline(time.Now().Add(patience))
		if f, err := c.r.Read(); f != nil || err != nil {
			t.Fatalf("%v, %v, want a heart-beat", f, err)
		}
	}
	if d := time.Since(before); d < 60*time.Millisecond {
		t.Errorf("three heart-beats in %v", d)
	}
}

func TestSilentClientIsCutAfterThreeIntervals(t *testing.T) {
	b := start(t, stomplocal.Options{})
	c := connect(t, b, "heart-beat:30,0")
	before := time.Now()
	c.wantClosed()
	if d := time.Since(before); d < 80*time.Millisecond {
		t.Errorf("cut after %v", d)
	}
}

func TestMistakesOfAClientAreAnswered(t *testing.T) {
	long := strings.Repeat("x", 12000)
	for _, tc := range []struct {
		name, send, message string // message "": closed without an ERROR
	}{
		{"not CONNECT first", "SEND\ndestination:/queue/q\n\n\x00", "Not connected: the first frame must be CONNECT"},
		{"HTTP", "GET / HTTP/1.1\r\nHost: x\r\n\r\n\x00", "Not connected: the first frame must be CONNECT"},
		{"old version", "CONNECT\naccept-version:1.0,1.1\n\n\x00", "Supported protocol versions are [1.2]"},
		{"wrong password", "CONNECT\naccept-version:1.2\nlogin:app\npasscode:x\n\n\x00", "User name [app] or password is invalid."},
		{"long command", strings.Repeat("C", 2000) + "\n", "The maximum command length was exceeded"},
		{"endless command", strings.Repeat("C", 200_000), "The maximum command length was exceeded"},
		{"long header", "+SEND\na:" + long + "\n\n\x00", "The maximum header length was exceeded"},
		{"endless header", "+SEND\na:" + strings.Repeat("x", 200_000), "The maximum header length was exceeded"},
		{"many headers", "+SEND\n" + strings.Repeat("a:b\n", 1001), "The maximum number of headers was exceeded"},
		{"no colon", "+SEND\nnonsense\n\n\x00", "Unable to parse header line [nonsense]"},
		{"4 GiB", "+SEND\ndestination:/queue/q\ncontent-length:4294967295\n\n", "The maximum data length was exceeded"},
		{"beyond 64 bits", "+SEND\ndestination:/queue/q\ncontent-length:99999999999999999999\n\n", "The maximum data length was exceeded"},
		{"long body", "+SEND\ndestination:/queue/q\n\n" + strings.Repeat("x", 3000) + "\x00", "The maximum data length was exceeded"},
		{"length not a number", "+SEND\ncontent-length:x\n\n\x00", "Specified content-length is not a valid integer"},
		{"negative length", "+SEND\ncontent-length:-1\n\n\x00", ""},
		{"short length", "+SEND\ncontent-length:1\n\nabc\x00", "content-length bytes were read and there was no trailing null byte"},
		{"unknown command", "+FROB\n\n\x00", "Unknown STOMP action: FROB"},
		{"bad expires", "+SEND\ndestination:/queue/q\nexpires:soon\n\nx\x00", ""},
		{"bad priority", "+SEND\ndestination:/queue/q\npriority:high\n\nx\x00", ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			b := start(t, stomplocal.Options{Username: "app", Password: "secret", MaxBody: 2048})
			c := dial(t, b)
			send, loggedIn := strings.CutPrefix(tc.send, "+")
			if loggedIn {
				c.frame("CONNECT", "", "accept-version:1.2", "login:app", "passcode:secret")
				c.want("CONNECTED")
			}
			c.write(send)
			if tc.message != "" {
				if got := c.want("ERROR").Header.Get("message"); got != tc.message {
					t.Errorf("message %q, want %q", got, tc.message)
				}
			}
			c.wantClosed()
			if got := b.Depth("/queue/q"); got != 0 {
				t.Errorf("%d messages were stored", got)
			}
		})
	}
}

func TestRefusalsLeaveTheConnectionOpen(t *testing.T) {
	b := start(t, stomplocal.Options{})
	c := connect(t, b)
	for _, tc := range []struct{ command, lines, message string }{
		{"SEND", "x:y", "SEND received without a Destination specified!"},
		{"SEND", "destination:q", "Illegal destination name: [q]"},
		{"SEND", "destination:/queue/q\namq-msg-type:map", "Unsupported message type 'map'"},
		{"SEND", "destination:/queue/q\ntransaction:t", "Invalid transaction id: t"},
		{"SUBSCRIBE", "destination:/queue/q", "SUBSCRIBE received without a subscription id!"},
		{"SUBSCRIBE", "id:s\ndestination:/queue/q\nack:never", "Unsupported ack mode 'never'"},
		{"SUBSCRIBE", "id:s\ndestination:/queue/q\nbrowser:true", "browser is not supported"},
		{"SUBSCRIBE", "id:s\ndestination:/queue/q\nactivemq.prefetchSize:abc", `For input string: "abc"`},
		{"UNSUBSCRIBE", "id:nope", "No subscription matched."},
		{"CONNECT", "accept-version:1.2", "Already connected."},
	} {
		c.frame(tc.command, "", tc.lines, "receipt:r")
		f := c.want("ERROR")
		if !strings.HasPrefix(f.Header.Get("message"), tc.message) || f.Header.Get("receipt-id") != "r" {
			t.Errorf("%s %s: %s", tc.command, tc.lines, headers(f))
		}
	}
	c.do("SEND", "x", "destination:/queue/q")
	if got := b.Depth("/queue/q"); got != 1 {
		t.Errorf("%d messages, want 1", got)
	}
}

// A client that sends and reads nothing must not make the broker keep everything it would be told.
func TestMemoryIsBoundedForAClientThatDoesNotRead(t *testing.T) {
	b := start(t, stomplocal.Options{})
	c := connect(t, b)
	receipt := strings.Repeat("r", 10_000)
	one := "SEND\ndestination:/topic/nobody\nreceipt:" + receipt + "\n\nx\x00"
	var sent int
	var before runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	_ = c.SetWriteDeadline(time.Now().Add(300 * time.Millisecond))
	for {
		n, err := io.WriteString(c, one)
		sent += n
		if err != nil {
			break
		}
		if sent > 100<<20 {
			t.Fatalf("the broker took %d bytes", sent)
		}
	}
	runtime.GC()
	var after runtime.MemStats
	runtime.ReadMemStats(&after)
	if grown := int64(after.HeapInuse) - int64(before.HeapInuse); grown > 32<<20 {
		t.Errorf("%d MiB more in use", grown>>20)
	}
}

func TestGoStompClientWorksWithIt(t *testing.T) {
	b := start(t, stomplocal.Options{Username: "app", Password: "secret"})
	if _, err := stomp.Dial("tcp", b.Address(), stomp.ConnOpt.Login("app", "wrong")); err == nil {
		t.Error("a wrong password was taken")
	}
	c, err := stomp.Dial("tcp", b.Address(), stomp.ConnOpt.Login("app", "secret"), stomp.ConnOpt.HeartBeat(time.Minute, time.Minute))
	if err != nil {
		t.Fatal(err)
	}
	const n = 500
	for i := range n {
		if err := c.Send("/queue/q", "text/plain", fmt.Appendf(nil, "m%d", i), stomp.SendOpt.Receipt, stomp.SendOpt.Header("a:b", "c\\d\r\n")); err != nil {
			t.Fatalf("sending: %v", err)
		}
	}
	sub, err := c.Subscribe("/queue/q", stomp.AckClientIndividual, stomp.SubscribeOpt.Header("activemq.prefetchSize", "10")) // its buffer has 16 places
	if err != nil {
		t.Fatal(err)
	}
	for i := range n {
		m := <-sub.C
		if m.Err != nil {
			t.Fatal(m.Err)
		}
		if got := string(m.Body); got != fmt.Sprintf("m%d", i) {
			t.Fatalf("message %d is %s", i, got)
		}
		if err := c.Ack(m); err != nil {
			t.Fatal(err)
		}
	}
	if err := c.Disconnect(); err != nil {
		t.Error(err)
	}
	if s := b.Stats(); s.Acked != n || b.Depth("/queue/q") != 0 {
		t.Errorf("%+v, depth %d", s, b.Depth("/queue/q"))
	}
}

func TestTLS(t *testing.T) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AddCert(leaf)
	b := start(t, stomplocal.Options{TLS: &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}}})
	if !strings.HasPrefix(b.URL(), "stomp+ssl://127.0.0.1:") {
		t.Errorf("URL %s", b.URL())
	}
	nc, err := tls.Dial("tcp", b.Address(), &tls.Config{RootCAs: pool})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = nc.Close() })
	c := &client{t: t, Conn: nc, r: frame.NewReader(nc)}
	c.frame("CONNECT", "", "accept-version:1.2")
	c.want("CONNECTED")
	c.do("SEND", "x", "destination:/queue/q")
	c.do("DISCONNECT", "")
	c.wantClosed()
}

// 100,000 messages through one connection, in seconds and in order.
func TestHundredThousandMessages(t *testing.T) {
	const n = 100_000
	b := start(t, stomplocal.Options{})
	c := connect(t, b)
	body := strings.Repeat("x", 100)
	var writing sync.WaitGroup
	defer writing.Wait()
	writing.Go(func() {
		var out []byte
		for i := range n {
			out = fmt.Appendf(out, "SEND\ndestination:/queue/q\npersistent:true\nseq:%d\n\n%s\x00\n", i, body)
			if len(out) > 60_000 || i == n-1 {
				if _, err := c.Write(out); err != nil {
					t.Errorf("sending: %v", err)
					return
				}
				out = out[:0]
			}
		}
	})
	r := connect(t, b)
	r.frame("SUBSCRIBE", "", "id:s", "destination:/queue/q", "ack:client-individual", "activemq.prefetchSize:1000")
	var acks []byte
	for i := range n {
		f := r.want("MESSAGE")
		if f.Header.Get("seq") != fmt.Sprint(i) {
			t.Fatalf("message %d is %s", i, f.Header.Get("seq"))
		}
		acks = fmt.Appendf(acks, "ACK\nid:%s\n\n\x00", f.Header.Get("ack"))
		if i%100 == 99 {
			r.write(string(acks))
			acks = acks[:0]
		}
	}
	r.do("DISCONNECT", "")
	if s := b.Stats(); s.Acked != n || s.Redelivered != 0 || b.Depth("/queue/q") != 0 {
		t.Errorf("%+v, depth %d", s, b.Depth("/queue/q"))
	}
}

// FuzzConnection feeds bytes to a broker as a client that has logged in, and looks whether it still serves others.
func FuzzConnection(f *testing.F) {
	f.Add([]byte("SEND\ndestination:/queue/q\ncontent-length:1\n\nx\x00SUBSCRIBE\nid:1\ndestination:/queue/q\n\n\x00"))
	f.Add([]byte("SUBSCRIBE\nid:1\ndestination:/queue/>\nack:client\nselector:a=1\n\n\x00SEND\ndestination:/queue/q,/topic/t\n\nx\x00ACK\nid:1\n\n\x00UNSUBSCRIBE\nid:1\n\n\x00"))
	f.Add([]byte("BEGIN\ntransaction:t\n\n\x00SEND\ntransaction:t\ndestination:/temp-queue/t\n\nx\x00COMMIT\ntransaction:t\n\n\x00NACK\nid:1\n\n\x00DISCONNECT\n\n\x00"))
	f.Add([]byte("SEND\ncontent-length:4294967295\n\n"))
	f.Add([]byte("\r\n\nSEND\r\n\x00\n"))
	b, err := stomplocal.Start(stomplocal.Options{MaxBody: 1 << 16})
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(func() { _ = b.Close() })
	f.Fuzz(func(t *testing.T, data []byte) {
		nc, err := net.Dial("tcp", b.Address())
		if err != nil {
			t.Fatal(err)
		}
		_ = nc.SetDeadline(time.Now().Add(patience))
		_, _ = nc.Write(append([]byte("CONNECT\naccept-version:1.2\n\n\x00"), data...)) // it may be cut while this goes on
		_ = nc.(*net.TCPConn).CloseWrite()
		if _, err := io.Copy(io.Discard, nc); errors.Is(err, net.ErrClosed) {
			t.Fatal(err)
		}
		_ = nc.Close()
		c := connect(t, b)
		c.do("DISCONNECT", "")
		_ = c.Close()
	})
}
