package client

import (
	"bytes"
	"io"
	"strings"
	"testing"

	"github.com/go-stomp/stomp/v3/frame"
)

const benchFrame = "MESSAGE\nexpires:0\ndestination:/queue/bench\nack:ID\\cvm-41357-1795490520532-4\\c1103\nsubscription:jmsbridge-1\npriority:4\n" +
	"account:A-1042\nregion:EU\nkind:order.created\namount:1042.17\ntrace:4bf92f3577b34da6a3ce929d0e0e4736\n" +
	"message-id:ID\\cvm-41357-1795490520532-3\\c7\\c-1\\c1\\c3\npersistent:true\ntimestamp:1795491861316\n\n"

// repeat gives the same bytes for ever.
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

func stream() io.Reader {
	return &repeat{data: []byte(benchFrame + strings.Repeat("x", 1024) + "\x00\n")}
}

// BenchmarkReader is a message of 1 KiB with five properties; BenchmarkGoStompReader the same with the library.
func BenchmarkReader(b *testing.B) {
	r := NewReader(stream(), Limits{})
	r.trailerLF, r.ours.subscription = true, "jmsbridge-1"
	b.ReportAllocs()
	for b.Loop() {
		if _, err := r.Next(); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkGoStompReader(b *testing.B) {
	r := frame.NewReader(stream())
	b.ReportAllocs()
	for b.Loop() {
		f, err := r.Read()
		if err != nil {
			b.Fatal(err)
		}
		if f == nil {
			continue
		}
	}
}

func BenchmarkAppendAck(b *testing.B) {
	buf := bytes.NewBuffer(nil).AvailableBuffer()
	b.ReportAllocs()
	for b.Loop() {
		buf = AppendCommand(buf[:0], "ACK")
		buf = AppendHeader(buf, "id", "ID:vm-41357-1795490520532-4:1103")
		buf = AppendBody(buf, "")
	}
}
