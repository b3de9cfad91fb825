package jms

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"strings"
	"sync"
	"testing"
)

// nameServer answers A questions with an address that a test changes, valid for a day.
type nameServer struct {
	mu      sync.Mutex
	address netip.Addr
	asked   int // A questions
	wait    sync.WaitGroup
}

func (s *nameServer) set(a netip.Addr) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.address = a
}

func (s *nameServer) questions() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.asked
}

// answer reads one question, framed as over TCP (RFC 1035, sections 4.1 and 4.2.2), and answers it.
func (s *nameServer) answer(nc net.Conn) error {
	defer nc.Close()
	var length [2]byte
	if _, err := io.ReadFull(nc, length[:]); err != nil {
		return err
	}
	query := make([]byte, binary.BigEndian.Uint16(length[:]))
	if _, err := io.ReadFull(nc, query); err != nil {
		return err
	}
	end := 12 // of the question's name, which follows the header
	for query[end] != 0 {
		end += int(query[end]) + 1
	}
	question := query[12 : end+5]
	reply := append([]byte{}, query[:2]...)
	var record []byte
	if typeA := uint16(1); binary.BigEndian.Uint16(query[end+1:]) == typeA {
		s.mu.Lock()
		ip := s.address.As4()
		s.asked++
		s.mu.Unlock()
		record = append([]byte{0xC0, 12, 0, 1, 0, 1, 0, 1, 0x51, 0x80, 0, 4}, ip[:]...)
	}
	reply = append(reply, 0x81, 0x80, 0, 1, 0, byte(min(len(record), 1)), 0, 0, 0, 0)
	reply = append(append(reply, question...), record...)
	_, err := nc.Write(append(binary.BigEndian.AppendUint16(nil, uint16(len(reply))), reply...))
	return err
}

// newNameServer answers for the process's own resolver, which the dialler of this package uses.
func newNameServer(t *testing.T) *nameServer {
	s := &nameServer{}
	before := net.DefaultResolver
	net.DefaultResolver = &net.Resolver{PreferGo: true, Dial: func(context.Context, string, string) (net.Conn, error) {
		ours, theirs := net.Pipe()
		s.wait.Go(func() {
			if err := s.answer(theirs); err != nil && !errors.Is(err, io.EOF) {
				t.Errorf("answering a question: %v", err)
			}
		})
		return ours, nil
	}}
	t.Cleanup(func() {
		net.DefaultResolver = before
		s.wait.Wait()
	})
	return s
}

// A failover moves a name to another address, so the name is looked up at each try, whatever the answer's lifetime.
func TestTheNameIsLookedUpAtEachTry(t *testing.T) {
	first := serve(t, func(nc net.Conn) { _, _ = io.WriteString(nc, "first") })
	l, err := net.Listen("tcp", fmt.Sprintf("127.0.0.2:%d", first.Port))
	if err != nil {
		t.Fatal(err)
	}
	accepting := make(chan struct{})
	go func() {
		defer close(accepting)
		for {
			nc, err := l.Accept()
			if err != nil {
				return
			}
			_, _ = io.WriteString(nc, "second")
			_ = nc.Close()
		}
	}()
	defer func() {
		_ = l.Close()
		<-accepting
	}()

	names := newNameServer(t)
	b := Broker{Name: "mq"}
	if b.URL, err = ParseURL(fmt.Sprintf("stomp://mq.example:%d", first.Port)); err != nil {
		t.Fatal(err)
	}
	var said []string
	connect := func(answer error) error {
		_, err := b.Connect(t.Context(), func(_ context.Context, nc net.Conn, _ Endpoint) error {
			text, err := io.ReadAll(nc)
			said = append(said, string(text))
			if answer == nil { // it took the connection, and is the caller's to close
				_ = nc.Close()
			}
			return errors.Join(err, answer)
		})
		return err
	}
	for i, move := range []string{"127.0.0.1", "127.0.0.2", "127.0.0.1"} {
		names.set(netip.MustParseAddr(move))
		answer := errors.New("standby")
		if i > 0 {
			answer = nil
		}
		if err := connect(answer); (err == nil) != (answer == nil) {
			t.Fatal(err)
		}
		if got := names.questions(); got != i+1 {
			t.Errorf("after %d tries the name was asked for %d times", i+1, got)
		}
	}
	if got := strings.Join(said, " "); got != "first second first" {
		t.Errorf("reached %q", got)
	}
}
