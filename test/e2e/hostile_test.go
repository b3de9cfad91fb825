//go:build integration

package e2e_test

import (
	"bufio"
	"bytes"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
)

// hostilePeer is a server on a free port that does the same to each connection. It counts them.
type hostilePeer struct {
	listener net.Listener
	wg       sync.WaitGroup

	mu    sync.Mutex
	conns []net.Conn
}

// startPeer starts a server; act ends when its connection does.
func startPeer(t testing.TB, act func(net.Conn)) *hostilePeer {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	h := &hostilePeer{listener: l}
	h.wg.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			h.mu.Lock()
			h.conns = append(h.conns, c)
			h.mu.Unlock()
			h.wg.Go(func() {
				defer c.Close()
				act(c)
			})
		}
	})
	t.Cleanup(func() {
		_ = l.Close()
		h.mu.Lock()
		for _, c := range h.conns {
			_ = c.Close()
		}
		h.mu.Unlock()
		h.wg.Wait()
	})
	return h
}

func (h *hostilePeer) addr() string { return h.listener.Addr().String() }

// visits returns how many connections came.
func (h *hostilePeer) visits() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return len(h.conns)
}

// afterSubscribe plays ActiveMQ Classic, which ends each frame with NUL and LF, until the client subscribes, and then acts.
func afterSubscribe(act func(net.Conn)) func(net.Conn) {
	return func(c net.Conn) {
		r := bufio.NewReader(c)
		for {
			f, err := r.ReadBytes(0)
			if err != nil {
				return
			}
			switch f = bytes.TrimLeft(f, "\r\n"); {
			case bytes.HasPrefix(f, []byte("CONNECT")), bytes.HasPrefix(f, []byte("STOMP")):
				_, _ = io.WriteString(c, "CONNECTED\nversion:1.2\nserver:ActiveMQ/6.1.7\nheart-beat:0,0\nsession:x\n\n\x00\n")
			case bytes.HasPrefix(f, []byte("SUBSCRIBE")):
				if _, receipt, ok := strings.Cut(string(f), "\nreceipt:"); ok {
					receipt, _, _ = strings.Cut(receipt, "\n")
					_, _ = io.WriteString(c, "RECEIPT\nreceipt-id:"+receipt+"\n\n\x00\n")
				}
				act(c)
				return
			}
		}
	}
}

// hugeBody announces 4 GiB and sends as much as is taken.
func hugeBody(c net.Conn) {
	_, _ = io.WriteString(c, "MESSAGE\nsubscription:0\nmessage-id:ID\\cx\\c1\\c1\\c1\\c1\nack:1\ndestination:/queue/q\ncontent-length:4294967295\n\n")
	flood(c)
}

// endlessHeader sends a header line that does not end.
func endlessHeader(c net.Conn) {
	_, _ = io.WriteString(c, "MESSAGE\nfoo:")
	flood(c)
}

// endlessHeaders sends header lines for ever.
func endlessHeaders(c net.Conn) {
	_, _ = io.WriteString(c, "MESSAGE\n")
	for {
		if _, err := io.WriteString(c, strings.Repeat("a:b\n", 1000)); err != nil {
			return
		}
	}
}

// hugeConnected is hostile before the login is over.
func hugeConnected(c net.Conn) {
	_, _ = io.WriteString(c, "CONNECTED\nversion:1.2\ncontent-length:4294967295\n\n")
	flood(c)
}

func flood(c net.Conn) {
	piece := bytes.Repeat([]byte("a"), 64<<10)
	for {
		if _, err := c.Write(piece); err != nil {
			return
		}
	}
}

// silence takes everything and says nothing.
func silence(c net.Conn) { _, _ = io.Copy(io.Discard, c) }

// startHTTP starts a web server and returns its address.
func startHTTP(t testing.TB) string {
	t.Helper()
	s := httptest.NewServer(http.NotFoundHandler())
	t.Cleanup(s.Close)
	return s.Listener.Addr().String()
}
