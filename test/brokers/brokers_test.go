//go:build integration

package brokers_test

import (
	"crypto/tls"
	"fmt"
	"net"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/jmsbridge/jmsbridge/test/brokers"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestBrokerKeepsItsMessagesWhenKilled(t *testing.T) {
	for _, kind := range brokers.Kinds() {
		t.Run(string(kind), func(t *testing.T) {
			b := brokers.Start(t, kind, brokers.Options{})
			b.WaitDepth(t, "none", 0, 5*time.Second)

			c, err := b.Dial(t.Context(), "stomp+ssl", brokers.App)
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			const n = 3000
			var last int
			count, err := c.Publish(t.Context(), "kept", n, func(i int) brokers.Message {
				return brokers.Message{Headers: []brokers.Header{{Name: "number", Value: fmt.Sprint(i)}, {Name: "odd", Value: "a:b\\c\nd"}}, Body: "body"}
			}, func(i int) { last = i })
			if err != nil || count != n || last != n-1 {
				t.Fatalf("confirmed %d, the last was %d, %v", count, last, err)
			}
			b.WaitDepth(t, "kept", n, 5*time.Second)

			b.Kill()
			if err := b.Restart(); err != nil {
				t.Fatal(err)
			}
			b.WaitDepth(t, "kept", n, 5*time.Second)
			got := b.Drain(t, "kept")
			if len(got) != n {
				t.Fatalf("drained %d, want %d", len(got), n)
			}
			for i, m := range got {
				if m.Header("number") != fmt.Sprint(i) || m.Header("odd") != "a:b\\c\nd" || m.Body != "body" {
					t.Fatalf("message %d is %+v", i, m)
				}
			}
		})
	}
}

func TestDepthTellsItsNumbersApart(t *testing.T) {
	for _, kind := range brokers.Kinds() {
		t.Run(string(kind), func(t *testing.T) {
			b := brokers.Start(t, kind, brokers.Options{})
			b.Publish(t, "depth", make([]brokers.Message, 7)...)
			b.WaitDepth(t, "depth", 7, 5*time.Second)
			for range 50 {
				d, err := b.Depth(t.Context(), "depth")
				if want := (brokers.Depth{Messages: 7}); err != nil || d != want {
					t.Fatalf("%+v, %v; want %+v", d, err, want)
				}
			}
		})
	}
}

func TestConnectorsAnswer(t *testing.T) {
	for _, kind := range brokers.Kinds() {
		t.Run(string(kind), func(t *testing.T) {
			b := brokers.Start(t, kind, brokers.Options{})
			for _, scheme := range brokers.Schemes() {
				conn, err := net.DialTimeout("tcp", b.Addr(scheme), 5*time.Second)
				if err != nil {
					t.Fatalf("%s: %v", scheme, err)
				}
				if scheme == "ssl" || strings.HasSuffix(scheme, "+ssl") {
					secure := tls.Client(conn, b.Certificates().Client())
					if err := secure.HandshakeContext(t.Context()); err != nil {
						t.Errorf("%s: %v", scheme, err)
					}
				}
				_ = conn.Close()
			}
			for _, u := range brokers.Users() {
				c, err := b.Dial(t.Context(), "stomp", u)
				if err != nil {
					t.Fatalf("%s: %v", u.Name, err)
				}
				_ = c.Close()
			}
			if c, err := b.Dial(t.Context(), "stomp", brokers.User{Name: "app", Password: "wrong"}); err == nil {
				_ = c.Close()
				t.Error("a wrong password was accepted")
			}
		})
	}
}
