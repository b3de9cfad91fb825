package faultproxy_test

import (
	"bytes"
	"errors"
	"io"
	"net"
	"slices"
	"sync"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/jmsbridge/jmsbridge/test/faultproxy"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// echo starts a server that sends back what it gets.
func echo(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			wg.Go(func() {
				defer c.Close()
				_, _ = io.Copy(c, c)
			})
		}
	})
	t.Cleanup(func() {
		_ = l.Close()
		wg.Wait()
	})
	return l.Addr().String()
}

func dial(t *testing.T, p *faultproxy.Proxy) net.Conn {
	t.Helper()
	c, err := net.Dial("tcp", p.Addr())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	_ = c.SetDeadline(time.Now().Add(10 * time.Second))
	return c
}

// roundTrip sends data and reads as much back.
func roundTrip(t *testing.T, c net.Conn, data string) {
	t.Helper()
	if _, err := io.WriteString(c, data); err != nil {
		t.Fatal(err)
	}
	got := make([]byte, len(data))
	if _, err := io.ReadFull(c, got); err != nil || string(got) != data {
		t.Fatalf("read %q, %v; want %q", got, err, data)
	}
}

func TestPassesEverything(t *testing.T) {
	p := faultproxy.Open(t, echo(t))
	c := dial(t, p)
	data := bytes.Repeat([]byte("0123456789abcdef"), 1<<14)
	go func() {
		_, _ = c.Write(data)
		_ = c.(*net.TCPConn).CloseWrite()
	}()
	got, err := io.ReadAll(c)
	if err != nil || !bytes.Equal(got, data) {
		t.Fatalf("read %d bytes of %d, %v", len(got), len(data), err)
	}
	if n := p.Counts(); n.Accepted != 1 || n.Bytes != [2]int64{int64(len(data)), int64(len(data))} {
		t.Errorf("counts: %+v", n)
	}
}

func TestCarriedTellsConnectionsApart(t *testing.T) {
	p := faultproxy.Open(t, echo(t))
	roundTrip(t, dial(t, p), "one")
	roundTrip(t, dial(t, p), "three")
	for _, d := range []faultproxy.Direction{faultproxy.Up, faultproxy.Down} {
		// What has been read may not have been counted yet.
		for end := time.Now().Add(10 * time.Second); ; <-time.After(time.Millisecond) {
			got := p.Carried(d)
			slices.Sort(got)
			if slices.Equal(got, []int64{3, 5}) {
				break
			}
			if time.Now().After(end) {
				t.Fatalf("carried %v in direction %d", got, d)
			}
		}
	}
}

func TestCutResetsWhatIsOpenAndTakesNewConnections(t *testing.T) {
	p := faultproxy.Open(t, echo(t))
	c := dial(t, p)
	roundTrip(t, c, "hello")
	if n := p.Cut(); n != 1 {
		t.Errorf("cut %d connections", n)
	}
	if _, err := c.Read(make([]byte, 1)); err == nil || errors.Is(err, io.EOF) {
		t.Errorf("reading after the cut: %v, want a reset", err)
	}
	roundTrip(t, dial(t, p), "again")
	if n := p.Counts(); n.Cut != 1 || n.Accepted != 2 {
		t.Errorf("counts: %+v", n)
	}
}

func TestCutAfterCutsAtTheByte(t *testing.T) {
	p := faultproxy.Open(t, echo(t))
	for _, at := range []int64{0, 1, 7} {
		p.CutAfter(faultproxy.Down, at)
		c := dial(t, p)
		_, _ = io.WriteString(c, "0123456789")
		got, _ := io.ReadAll(c)
		if string(got) != "0123456789"[:at] {
			t.Errorf("cut after %d: got %q", at, got)
		}
	}
	p.CutAfter(faultproxy.Down, -1)
	roundTrip(t, dial(t, p), "whole")
	if n := p.Counts(); n.CutAfter != 3 {
		t.Errorf("counts: %+v", n)
	}
}

func TestStallHoldsDataUntilResume(t *testing.T) {
	p := faultproxy.Open(t, echo(t))
	c := dial(t, p)
	roundTrip(t, c, "before")
	p.Stall()
	_, _ = io.WriteString(c, "stalled")
	_ = c.SetReadDeadline(time.Now().Add(100 * time.Millisecond))
	if n, err := c.Read(make([]byte, 1)); err == nil {
		t.Fatalf("read %d bytes while stalled", n)
	}
	p.Resume()
	_ = c.SetReadDeadline(time.Now().Add(10 * time.Second))
	got := make([]byte, 7)
	if _, err := io.ReadFull(c, got); err != nil || string(got) != "stalled" {
		t.Fatalf("read %q, %v", got, err)
	}
	if n := p.Counts(); n.Stalled == 0 {
		t.Errorf("counts: %+v", n)
	}
}

func TestFreezeTellsNobody(t *testing.T) {
	p := faultproxy.Open(t, echo(t))
	c := dial(t, p)
	roundTrip(t, c, "before")
	if n := p.Freeze(); n != 1 {
		t.Errorf("froze %d connections", n)
	}
	_, _ = io.WriteString(c, "swallowed")
	_ = c.SetReadDeadline(time.Now().Add(100 * time.Millisecond))
	var timeout net.Error
	if _, err := c.Read(make([]byte, 1)); !errors.As(err, &timeout) || !timeout.Timeout() {
		t.Errorf("reading from a frozen connection: %v, want silence", err)
	}
	roundTrip(t, dial(t, p), "a new one works")
}

func TestLatencyAndBandwidthHoldBack(t *testing.T) {
	p := faultproxy.Open(t, echo(t))
	p.Latency(50 * time.Millisecond)
	start := time.Now()
	roundTrip(t, dial(t, p), "slow")
	if d := time.Since(start); d < 100*time.Millisecond {
		t.Errorf("a round trip took %s", d)
	}
	p.Latency(0)
	p.Bandwidth(10_000)
	start = time.Now()
	roundTrip(t, dial(t, p), string(make([]byte, 1000)))
	if d := time.Since(start); d < 200*time.Millisecond {
		t.Errorf("1,000 bytes each way at 10,000 a second took %s", d)
	}
	if n := p.Counts(); n.Delayed < 4 {
		t.Errorf("counts: %+v", n)
	}
}

func TestDownAndRefuse(t *testing.T) {
	p := faultproxy.Open(t, echo(t))
	c := dial(t, p)
	roundTrip(t, c, "x")
	p.Down()
	if c, err := net.Dial("tcp", p.Addr()); err == nil {
		_ = c.Close()
		t.Error("somebody listens while down")
	}
	if err := p.Up(); err != nil {
		t.Fatal(err)
	}
	roundTrip(t, dial(t, p), "up again")
	p.Refuse(true)
	if err := visit(p); !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("a refused connection ended with %v, not with a reset", err)
	}
	p.Refuse(false)
	roundTrip(t, dial(t, p), "taken again")
	if n := p.Counts(); n.Refused != 1 {
		t.Errorf("counts: %+v", n)
	}
}

// visit connects and reads to the end. A reset may come so early that the connecting itself reports it.
func visit(p *faultproxy.Proxy) error {
	c, err := net.Dial("tcp", p.Addr())
	if err != nil {
		return err
	}
	_, err = io.ReadAll(c)
	return errors.Join(err, c.Close())
}
