package stomplocal_test

import (
	"fmt"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/go-stomp/stomp/v3/frame"
	"go.uber.org/goleak"

	"github.com/jmsbridge/jmsbridge/connectors/jms/stomp/stomplocal"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const patience = 10 * time.Second

// start starts a broker that ends with the test.
func start(t *testing.T, opt stomplocal.Options) *stomplocal.Broker {
	t.Helper()
	b, err := stomplocal.Start(opt)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := b.Close(); err != nil {
			t.Errorf("closing the broker: %v", err)
		}
	})
	return b
}

// client speaks raw STOMP; go-stomp's reader judges what the broker writes.
type client struct {
	t *testing.T
	net.Conn
	r        *frame.Reader
	receipts int
}

func dial(t *testing.T, b *stomplocal.Broker) *client {
	t.Helper()
	nc, err := net.Dial("tcp", b.Address())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = nc.Close() })
	return &client{t: t, Conn: nc, r: frame.NewReader(nc)}
}

// connect dials and logs in; extra are header lines.
func connect(t *testing.T, b *stomplocal.Broker, extra ...string) *client {
	t.Helper()
	c := dial(t, b)
	c.frame("CONNECT", "", append([]string{"accept-version:1.2", "host:x"}, extra...)...)
	c.want("CONNECTED")
	return c
}

func (c *client) write(s string) {
	c.t.Helper()
	if _, err := c.Write([]byte(s)); err != nil {
		c.t.Fatal(err)
	}
}

// frame writes a frame with these header lines.
func (c *client) frame(command, body string, lines ...string) {
	c.t.Helper()
	c.write(command + "\n" + strings.Join(append(lines, "", ""), "\n") + body + "\x00")
}

// do writes a frame and waits for its receipt.
func (c *client) do(command, body string, lines ...string) {
	c.t.Helper()
	c.receipts++
	id := fmt.Sprintf("r%d", c.receipts)
	c.frame(command, body, append(lines, "receipt:"+id)...)
	f := c.want("RECEIPT")
	if got := f.Header.Get("receipt-id"); got != id {
		c.t.Fatalf("receipt-id %q, want %q", got, id)
	}
}

// read returns the next frame; nil: the connection has ended.
func (c *client) read() *frame.Frame {
	c.t.Helper()
	_ = c.SetReadDeadline(time.Now().Add(patience))
	for {
		f, err := c.r.Read()
		if err != nil {
			var ne net.Error
			if asTimeout(err, &ne) {
				c.t.Fatalf("no frame within %v", patience)
			}
			return nil
		}
		if f != nil { // nil: a heart-beat
			return f
		}
	}
}

func asTimeout(err error, ne *net.Error) bool {
	e, ok := err.(net.Error) //nolint:errorlint // go-stomp hands the error of the connection through
	*ne = e
	return ok && e.Timeout()
}

func (c *client) want(command string) *frame.Frame {
	c.t.Helper()
	f := c.read()
	if f == nil {
		c.t.Fatalf("the connection ended, want %s", command)
	}
	if f.Command != command {
		c.t.Fatalf("%s %v %q, want %s", f.Command, headers(f), f.Body, command)
	}
	return f
}

// wantClosed reads until the end of the connection.
func (c *client) wantClosed() {
	c.t.Helper()
	if f := c.read(); f != nil {
		c.t.Fatalf("%s %v, want the end of the connection", f.Command, headers(f))
	}
}

func headers(f *frame.Frame) string {
	var b strings.Builder
	for i := range f.Header.Len() {
		k, v := f.Header.GetAt(i)
		fmt.Fprintf(&b, "%s:%s ", k, v)
	}
	return b.String()
}

// eventually waits for a condition.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	deadline := time.Now().Add(patience)
	for tick := time.NewTicker(time.Millisecond); !ok(); <-tick.C {
		if time.Now().After(deadline) {
			t.Fatalf("not within %v: %s", patience, what)
		}
	}
}

// publish puts messages with the bodies m0, m1, … on a destination.
func publish(t *testing.T, b *stomplocal.Broker, destination string, n int) {
	t.Helper()
	for i := range n {
		if _, err := b.Publish(destination, stomplocal.Message{Persistent: true, Body: fmt.Appendf(nil, "m%d", i)}); err != nil {
			t.Fatal(err)
		}
	}
}

// bodies returns the bodies of what waits in a queue.
func bodies(b *stomplocal.Broker, queue string) string {
	var out []string
	for _, m := range b.Browse(queue, 0) {
		out = append(out, string(m.Body))
	}
	return strings.Join(out, " ")
}
