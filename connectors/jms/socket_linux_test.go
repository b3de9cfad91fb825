package jms

import (
	"io"
	"net"
	"testing"

	"golang.org/x/sys/unix"
)

// A connection that answers what it reads delays its acknowledgements; one from Dial does not.
func TestWhatIsReadIsAcknowledgedAtOnce(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
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
	e := Endpoint{Host: "127.0.0.1", Port: l.Addr().(*net.TCPAddr).Port}
	nc, err := (&Broker{}).Dial(t.Context(), e)
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	plain, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer plain.Close()
	quick := func(nc net.Conn, tcp *net.TCPConn) (on int) {
		for range 20 {
			if _, err := nc.Write([]byte("x")); err != nil {
				t.Fatal(err)
			}
			if _, err := nc.Read(make([]byte, 1)); err != nil {
				t.Fatal(err)
			}
		}
		raw, err := tcp.SyscallConn()
		if err != nil {
			t.Fatal(err)
		}
		if err := raw.Control(func(fd uintptr) { on, _ = unix.GetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_QUICKACK) }); err != nil {
			t.Fatal(err)
		}
		return on
	}
	if on := quick(plain, plain.(*net.TCPConn)); on != 0 {
		t.Errorf("a plain connection acknowledges at once (%d), so this test shows nothing", on)
	}
	if on := quick(nc, nc.(*promptConn).TCPConn); on != 1 {
		t.Errorf("TCP_QUICKACK is %d after a read", on)
	}
}
