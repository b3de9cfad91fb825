package stomp_test

import (
	"context"
	"fmt"
	"net"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-stomp/stomp/v3/frame"

	"github.com/jmsbridge/jmsbridge/bridge"
	"github.com/jmsbridge/jmsbridge/connectors/jms"
	"github.com/jmsbridge/jmsbridge/connectors/jms/stomp"
	"github.com/jmsbridge/jmsbridge/test/sourcetest"
)

// bench is a broker as the tests of this package see it.
type bench struct {
	broker  jms.Broker
	artemis bool
	login   [2]string
	// cumulative makes the sources acknowledge so, where they can.
	cumulative bool

	mu    sync.Mutex
	conns []net.Conn
	ids   int
}

// newBench returns a bench whose dialled connections drop can cut.
func newBench(t testing.TB, url, username, password string, artemis bool) *bench {
	t.Helper()
	u, err := jms.ParseURL(url)
	if err != nil {
		t.Fatal(err)
	}
	b := &bench{artemis: artemis, login: [2]string{username, password}}
	b.broker = jms.Broker{
		Name: "test", URL: u,
		Credentials: func(context.Context) (string, string, error) { return username, password, nil },
		DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
			nc, err := (&net.Dialer{}).DialContext(ctx, network, address)
			if err == nil {
				b.mu.Lock()
				b.conns = append(b.conns, nc)
				b.mu.Unlock()
			}
			return nc, err
		},
	}
	return b
}

func (b *bench) drop(t testing.TB) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.conns) == 0 {
		t.Error("there is no connection to drop")
	}
	for _, nc := range b.conns {
		if tcp, ok := nc.(*net.TCPConn); ok {
			_ = tcp.SetLinger(0) // a reset, as from a peer that died
		}
		_ = nc.Close()
	}
	b.conns = nil
}

func (b *bench) source(t testing.TB, d bridge.Destination, o sourcetest.Options) bridge.Source {
	t.Helper()
	set := stomp.SourceSettings{
		Broker: b.broker, Destination: d, Selector: o.Selector, Subscription: o.Subscription, MaxBytes: o.MaxBytes,
		Cumulative: b.cumulative && (d.Kind == bridge.Queue || o.Subscription != ""),
	}
	if o.Subscription != "" {
		b.mu.Lock()
		b.ids++
		set.Broker.ClientID = fmt.Sprintf("client-%s-%d", d.Name, b.ids)
		b.mu.Unlock()
	}
	s, err := stomp.NewSource(set)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func (b *bench) sink(t testing.TB, d bridge.Destination) bridge.Sink {
	t.Helper()
	s, err := stomp.NewSink(stomp.SinkSettings{Broker: b.broker, Destination: d})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func (b *bench) harness(depth func(testing.TB, string) int, f sourcetest.Features) sourcetest.Harness {
	return sourcetest.Harness{Source: b.source, Sink: b.sink, Publish: b.publish, Depth: depth, Drop: b.drop, Features: f}
}

// publish sends with go-stomp's frames, one receipt for each message.
func (b *bench) publish(t testing.TB, d bridge.Destination, messages ...bridge.Message) {
	t.Helper()
	nc, err := net.DialTimeout("tcp", b.broker.URL.Endpoints[0].Address(), 5*time.Second)
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	_ = nc.SetDeadline(time.Now().Add(30 * time.Second))
	r, w := frame.NewReader(nc), frame.NewWriter(nc)
	expect := func(command string) {
		for {
			f, err := r.Read()
			if err != nil {
				t.Fatalf("publishing: %v", err)
			}
			if f == nil {
				continue
			}
			if f.Command != command {
				t.Fatalf("publishing: %s %s", f.Command, f.Header.Get("message"))
			}
			return
		}
	}
	if err := w.Write(frame.New("CONNECT", "accept-version", "1.2", "host", "/", "heart-beat", "60000,0", "login", b.login[0], "passcode", b.login[1])); err != nil {
		t.Fatal(err)
	}
	expect("CONNECTED")
	name := d.Name
	if !b.artemis {
		name = "/" + d.Kind.String() + "/" + name
	}
	for _, m := range messages {
		f := frame.New("SEND", "destination", name, "receipt", "r")
		if b.artemis {
			f.Header.Add("destination-type", map[bridge.DestinationKind]string{bridge.Queue: "ANYCAST", bridge.Topic: "MULTICAST"}[d.Kind])
		}
		for _, h := range [][2]string{{"correlation-id", m.CorrelationID}, {"type", m.Type}, {"JMSXGroupID", m.GroupID}} {
			if h[1] != "" {
				f.Header.Add(h[0], h[1])
			}
		}
		f.Header.Add("priority", strconv.Itoa(int(m.Priority)))
		if m.Persistent {
			f.Header.Add("persistent", "true")
		}
		if !m.Expiration.IsZero() {
			f.Header.Add("expires", strconv.FormatInt(m.Expiration.UnixMilli(), 10))
		}
		if !m.ReplyTo.IsZero() {
			if reply := "/queue/" + m.ReplyTo.Name; b.artemis {
				f.Header.Add("reply-to", strings.TrimPrefix(reply, "/queue/"))
			} else {
				f.Header.Add("reply-to", reply)
			}
		}
		for n, v := range m.Properties.All() {
			f.Header.Add(n, v.Str())
		}
		f.Body = []byte(m.Body.Data())
		if m.Body.Kind() == bridge.BytesBody {
			f.Header.Add("content-length", strconv.Itoa(len(f.Body)))
		}
		if err := w.Write(f); err != nil {
			t.Fatal(err)
		}
	}
	for range messages {
		expect("RECEIPT")
	}
}
