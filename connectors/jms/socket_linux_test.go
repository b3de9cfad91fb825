package jms

import (
	"io"
	"net"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// echo returns a connection from Dial to a peer that sends back what it gets, and a plain one.
func echo(t *testing.T) (dialed *promptConn, plain *net.TCPConn) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			peer, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer peer.Close()
				_, _ = io.Copy(peer, peer)
			}()
		}
	}()
	nc, err := (&Broker{}).Dial(t.Context(), Endpoint{Host: "127.0.0.1", Port: l.Addr().(*net.TCPAddr).Port})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = nc.Close() })
	other, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = other.Close() })
	return nc.(*promptConn), other.(*net.TCPConn)
}

func exchange(t *testing.T, nc net.Conn, times int) {
	t.Helper()
	for range times {
		if _, err := nc.Write([]byte("x")); err != nil {
			t.Fatal(err)
		}
		if _, err := nc.Read(make([]byte, 1)); err != nil {
			t.Fatal(err)
		}
	}
}

// promptly reports whether the kernel acknowledges at once what c reads.
func promptly(t *testing.T, c *net.TCPConn) bool {
	t.Helper()
	raw, err := c.SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	on := 0
	if err := raw.Control(func(fd uintptr) { on, _ = unix.GetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_QUICKACK) }); err != nil {
		t.Fatal(err)
	}
	return on == 1
}

// A connection that answers what it reads delays its acknowledgements.
func TestAcknowledgingEndsTheDelay(t *testing.T) {
	nc, plain := echo(t)
	exchange(t, plain, 20)
	if promptly(t, plain) {
		t.Error("a plain connection acknowledges at once, so this test shows nothing")
	}
	nc.late.Stop()
	nc.acknowledge()
	if !promptly(t, nc.TCPConn) {
		t.Error("what was read is not acknowledged")
	}
}

func TestWhatIsReadIsAcknowledgedUnlessSomethingIsWritten(t *testing.T) {
	nc, _ := echo(t)
	nc.late.Stop()
	fired := make(chan struct{}, 1)
	nc.late = time.AfterFunc(time.Hour, func() { fired <- struct{}{} }) // the kernel would do it too, after 40 ms
	exchange(t, nc, 1)
	select {
	case <-fired:
	case <-time.After(10 * time.Second):
		t.Fatal("what came last is not acknowledged")
	}
	for _, end := range []struct {
		name string
		do   func() error
	}{
		{"a write", func() error { _, err := nc.Write([]byte("x")); return err }},
		{"Close", nc.Close},
	} {
		nc.late.Reset(time.Hour)
		if err := end.do(); err != nil {
			t.Fatal(err)
		}
		if nc.late.Stop() {
			t.Errorf("the timer goes on after %s", end.name)
		}
	}
	nc.acknowledge() // after Close it does nothing
}
