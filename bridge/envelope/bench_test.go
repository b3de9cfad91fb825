package envelope_test

import (
	"strings"
	"testing"

	"github.com/jmsbridge/jmsbridge/bridge"
	"github.com/jmsbridge/jmsbridge/bridge/envelope"
)

// kilobyte is the message of the project's benchmarks: 1 KiB of text and five properties.
func kilobyte() bridge.Message {
	m := sample()
	m.Body = bridge.NewText(strings.Repeat("0123456789abcdef", 64))
	return m
}

func BenchmarkAppend(b *testing.B) {
	m := kilobyte()
	buf, err := envelope.Append(nil, &m)
	if err != nil {
		b.Fatal(err)
	}
	b.SetBytes(int64(len(buf)))
	b.ReportAllocs()
	for b.Loop() {
		buf, _ = envelope.Append(buf[:0], &m)
	}
}

func BenchmarkParse(b *testing.B) {
	m := kilobyte()
	buf, err := envelope.Append(nil, &m)
	if err != nil {
		b.Fatal(err)
	}
	b.SetBytes(int64(len(buf)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := envelope.Parse(buf); err != nil {
			b.Fatal(err)
		}
	}
}

// TestAppendAllocatesAtMostOnce: the path of the types, when a property needs one.
func TestAppendAllocatesAtMostOnce(t *testing.T) {
	m := kilobyte()
	buf, _ := envelope.Append(nil, &m)
	if n := testing.AllocsPerRun(100, func() { buf, _ = envelope.Append(buf[:0], &m) }); n > 1 {
		t.Errorf("%v allocations", n)
	}
}
