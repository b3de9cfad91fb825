package stomp

import (
	"context"
	"net"
	"strings"
	"testing"

	"github.com/jmsbridge/jmsbridge/bridge"
	"github.com/jmsbridge/jmsbridge/connectors/jms"
	"github.com/jmsbridge/jmsbridge/connectors/jms/stomp/client"
)

const benchFrame = "MESSAGE\nexpires:0\ndestination:/queue/bench\nack:ID\\cvm-41357-1795490520532-4\\c1103\nsubscription:ID\npriority:4\n" +
	"account:A-1042\nregion:EU\nkind:order.created\namount:1042.17\ntrace:4bf92f3577b34da6a3ce929d0e0e4736\n" +
	"message-id:ID\\cvm-41357-1795490520532-3\\c7\\c-1\\c1\\c3\npersistent:true\ntimestamp:1795491861316\n\n"

type repeat struct {
	data []byte
	at   int
}

func (r *repeat) Read(p []byte) (int, error) {
	n := 0
	for n < len(p) {
		k := copy(p[n:], r.data[r.at:])
		n += k
		r.at = (r.at + k) % len(r.data)
	}
	return n, nil
}

// BenchmarkDecode reads and decodes messages of 1 KiB with five properties, from memory.
func BenchmarkDecode(b *testing.B) {
	r := client.NewReader(&repeat{data: []byte(benchFrame + strings.Repeat("x", 1024) + "\x00\n")}, client.Limits{})
	d := newDecoder(client.Classic, "6.1.7", SourceSettings{Destination: bridge.Destination{Kind: bridge.Queue, Name: "bench"}})
	b.ReportAllocs()
	for b.Loop() {
		f, err := r.Next()
		if err != nil {
			b.Fatal(err)
		}
		if out, err := d.delivery(f, "ID"); err != nil || out.Hold != nil {
			b.Fatal(err, out.Hold)
		}
	}
}

// BenchmarkSource is the whole source over loopback: read, decode, receive, settle, acknowledge. The peer writes the
// same message again and again and reads acknowledgements without looking, so its cost is that of two system calls.
func BenchmarkSource(b *testing.B) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	defer l.Close()
	go func() {
		nc, err := l.Accept()
		if err != nil {
			return
		}
		buf := make([]byte, 64<<10)
		_, _ = nc.Read(buf)
		_, _ = nc.Write([]byte("CONNECTED\nserver:ActiveMQ/6.1.7\nversion:1.2\nheart-beat:0,0\n\n\x00\n"))
		n, _ := nc.Read(buf)
		id, _, _ := strings.Cut(string(buf[:n]), "\ndestination")
		_, id, _ = strings.Cut(id, "id:")
		_, receipt, _ := strings.Cut(string(buf[:n]), "receipt:")
		receipt, _, _ = strings.Cut(receipt, "\n")
		_, _ = nc.Write([]byte("RECEIPT\nreceipt-id:" + receipt + "\n\n\x00\n"))
		go func() {
			for {
				if _, err := nc.Read(buf); err != nil {
					return
				}
			}
		}()
		out := []byte(strings.Repeat(strings.Replace(benchFrame, "subscription:ID", "subscription:"+id, 1)+strings.Repeat("x", 1024)+"\x00\n", 64))
		for {
			if _, err := nc.Write(out); err != nil {
				return
			}
		}
	}()
	u, err := jms.ParseURL("stomp://" + l.Addr().String())
	if err != nil {
		b.Fatal(err)
	}
	s, err := NewSource(SourceSettings{Broker: jms.Broker{URL: u}, Destination: bridge.Destination{Kind: bridge.Queue, Name: "bench"}})
	if err != nil {
		b.Fatal(err)
	}
	if err := s.Connect(b.Context(), 1000); err != nil {
		b.Fatal(err)
	}
	buf := make([]*bridge.Delivery, 64)
	b.ReportAllocs()
	for n := 0; n < b.N; {
		k, err := s.Receive(context.Background(), buf)
		if err != nil {
			b.Fatal(err)
		}
		for _, d := range buf[:k] {
			if err := d.Settle(bridge.Accept); err != nil {
				b.Fatal(err)
			}
		}
		n += k
	}
	b.StopTimer()
	s.current().conn.Close()
}
