package client

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
	"unicode/utf8"

	"github.com/go-stomp/stomp/v3/frame"
	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// recorder is a handler that writes down what it gets.
type recorder struct {
	mu       sync.Mutex
	messages []string
	failed   []string
	closed   []error
	broken   int
	output   string
	wait     chan struct{} // if set, BeforeRead waits for it
}

func (r *recorder) Message(f *Frame) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.messages = append(r.messages, string(f.Body()))
	if string(f.Body()) == "refuse me" {
		return errors.New("refused")
	}
	return nil
}

func (r *recorder) Failed(e *ServerError) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.failed = append(r.failed, e.Message)
}

func (r *recorder) BeforeRead(stop <-chan struct{}) {
	r.mu.Lock()
	wait := r.wait
	r.mu.Unlock()
	if wait != nil {
		select {
		case <-wait:
		case <-stop:
		}
	}
}

func (r *recorder) Broken(<-chan struct{}) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.broken++
}

func (r *recorder) AppendOutput(dst []byte) []byte {
	r.mu.Lock()
	defer r.mu.Unlock()
	dst = append(dst, r.output...)
	r.output = ""
	return dst
}

func (r *recorder) Closed(cause error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.closed = append(r.closed, cause)
}

// peer is the broker's end of a pipe: a script of a test.
type peer struct {
	t  *testing.T
	nc net.Conn
	r  *frame.Reader
}

func (p *peer) read() *frame.Frame {
	p.t.Helper()
	for {
		f, err := p.r.Read()
		if err != nil {
			p.t.Fatalf("the peer reads: %v", err)
		}
		if f != nil {
			return f
		}
	}
}

func (p *peer) write(s string) {
	p.t.Helper()
	if _, err := io.WriteString(p.nc, s); err != nil {
		p.t.Fatalf("the peer writes: %v", err)
	}
}

const (
	classicHello = "CONNECTED\nserver:ActiveMQ/6.1.7\nheart-beat:10000,10000\nsession:s\nversion:1.2\n\n\x00\n"
	artemisHello = "CONNECTED\nversion:1.2\nsession:9632a0d5\nserver:ActiveMQ-Artemis/2.44.0 ActiveMQ Artemis Messaging Engine\nheart-beat:10000,10000\n\n\x00\n"
)

// open opens a connection with a peer that answers hello.
func open(t *testing.T, hello string, h *recorder) (*Conn, *peer) {
	t.Helper()
	ours, theirs := net.Pipe()
	p := &peer{t: t, nc: theirs, r: frame.NewReader(theirs)}
	done := make(chan struct{})
	go func() {
		defer close(done)
		p.read()
		p.write(hello)
	}()
	c, err := Open(t.Context(), ours, Config{}, func(*Conn) Handler { return h })
	if err != nil {
		t.Fatal(err)
	}
	<-done
	t.Cleanup(func() {
		c.Close()
		_ = theirs.Close()
	})
	return c, p
}

func ping(dst []byte, receipt string) []byte {
	dst = AppendCommand(dst, "SEND")
	dst = AppendHeader(dst, "receipt", receipt)
	return AppendBody(dst, "ping")
}

func TestHandshake(t *testing.T) {
	for _, tc := range []struct {
		name, answer, want string
		is                 error
	}{
		{name: "refused", answer: "ERROR\nmessage:User name [app] or password is invalid.\n\nUser name [app] or password is invalid.\x00\n", want: "password is invalid"},
		{name: "an older version", answer: "CONNECTED\nversion:1.0\n\n\x00", want: "only 1.2"},
		{name: "no version", answer: "CONNECTED\n\n\x00", want: "only 1.2"},
		{name: "another frame", answer: "RECEIPT\nreceipt-id:1\n\n\x00", want: "another frame"},
		{name: "HTTP", answer: "HTTP/1.1 400 Bad Request\r\n", want: "does not speak STOMP"},
		{name: "closed", answer: "", want: "EOF", is: io.EOF},
		{name: "cut", answer: "CONNECTED\nversion:1.2\n", want: "unexpected EOF", is: io.ErrUnexpectedEOF},
	} {
		t.Run(tc.name, func(t *testing.T) {
			ours, theirs := net.Pipe()
			p := &peer{t: t, nc: theirs, r: frame.NewReader(theirs)}
			done := make(chan struct{})
			go func() {
				defer close(done)
				p.read()
				p.write(tc.answer)
				_ = theirs.Close()
			}()
			c, err := Open(t.Context(), ours, Config{}, func(*Conn) Handler { return &recorder{} })
			if c != nil || err == nil || !strings.Contains(err.Error(), tc.want) || tc.is != nil && !errors.Is(err, tc.is) {
				t.Errorf("%v, want %q", err, tc.want)
			}
			_ = ours.Close()
			<-done
		})
	}
}

func TestHandshakeEndsWithAPeerThatSaysNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ours, theirs := net.Pipe()
		go func() { _, _ = io.Copy(io.Discard, theirs) }()
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		from := time.Now()
		_, err := Open(ctx, ours, Config{}, func(*Conn) Handler { return &recorder{} })
		if !errors.Is(err, ErrHandshakeTimeout) || time.Since(from) != 10*time.Second {
			t.Errorf("%v after %v", err, time.Since(from))
		}
		_ = ours.Close()
		_ = theirs.Close()
	})
}

func TestHandshakeObeysItsContext(t *testing.T) {
	ours, theirs := net.Pipe()
	defer ours.Close()
	defer theirs.Close()
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		_, _ = theirs.Read(make([]byte, 1024))
		cancel()
	}()
	if _, err := Open(ctx, ours, Config{}, func(*Conn) Handler { return &recorder{} }); !errors.Is(err, context.Canceled) {
		t.Errorf("%v, want canceled", err)
	}
}

func TestLoginThatCannotBeSentIsRefused(t *testing.T) {
	ours, theirs := net.Pipe()
	defer ours.Close()
	defer theirs.Close()
	_, err := Open(t.Context(), ours, Config{Login: "a", Passcode: "b\nhost:evil"}, func(*Conn) Handler { return &recorder{} })
	if !errors.Is(err, ErrLogin) || strings.Contains(err.Error(), "evil") {
		t.Errorf("%v", err)
	}
}

func TestConnectSaysWhoItIs(t *testing.T) {
	for _, tc := range []struct {
		escape, artemis bool
		want, id        string
	}{
		{false, false, `p:a\c`, `id\c1.a\\b`},
		{true, false, `p\ca\\c`, `id\c1.a\\b`},
		{false, true, `p:a\c`, `id:1\.a\\b`}, // nothing is decoded, and the queue has a Java client's name
	} {
		ours, theirs := net.Pipe()
		raw := make(chan string, 1)
		go func() {
			b := make([]byte, 1024)
			n, _ := theirs.Read(b)
			raw <- string(b[:n])
			_ = theirs.Close()
		}()
		_, err := Open(t.Context(), ours, Config{
			Login: "app", Passcode: `p:a\c`, ClientID: `id:1.a\b`, EscapeLogin: tc.escape, Artemis: tc.artemis,
		}, func(*Conn) Handler { return &recorder{} })
		if err == nil {
			t.Fatal("no error")
		}
		want := "CONNECT\naccept-version:1.2\nhost:/\nheart-beat:10000,10000\nlogin:app\npasscode:" + tc.want + "\nclient-id:" + tc.id + "\n\n\x00"
		if diff := cmp.Diff(want, <-raw); diff != "" {
			t.Error(diff)
		}
		_ = ours.Close()
	}
}

func TestBrokersAreToldApart(t *testing.T) {
	for hello, want := range map[string]string{
		classicHello: "ActiveMQ Classic 6.1.7", artemisHello: "ActiveMQ Artemis 2.44.0",
		"CONNECTED\nversion:1.2\nserver:RabbitMQ/3.10.8\n\n\x00": "unknown STOMP broker 3.10.8", "CONNECTED\nversion:1.2\n\n\x00": "unknown STOMP broker ",
	} {
		c, _ := open(t, hello, &recorder{})
		if got := c.Kind().String() + " " + c.Version(); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

func TestReceiptsAreInFlightTogether(t *testing.T) {
	c, p := open(t, artemisHello, &recorder{})
	const n = 50
	answers := make(chan error, n)
	for range n {
		c.Post(ping, func(err error) { answers <- err })
	}
	var ids []string
	for range n {
		ids = append(ids, p.read().Header.Get("receipt"))
	}
	if got := c.Pending(); got != n {
		t.Errorf("%d pending, want %d", got, n)
	}
	for i := range ids { // in any order
		p.write("RECEIPT\nreceipt-id:" + ids[len(ids)-1-i] + "\n\n\x00\n")
	}
	for range n {
		if err := <-answers; err != nil {
			t.Error(err)
		}
	}
	if got := c.Pending(); got != 0 {
		t.Errorf("%d pending, want 0", got)
	}
}

func TestErrorOfClassicEndsOnlyWhatItNames(t *testing.T) {
	h := &recorder{}
	c, p := open(t, classicHello, h)
	answers := make(chan error, 2)
	c.Post(ping, func(err error) { answers <- err })
	c.Post(ping, func(err error) { answers <- err })
	first, second := p.read().Header.Get("receipt"), p.read().Header.Get("receipt")
	p.write("ERROR\nreceipt-id:" + first + "\nmessage:no\\c way\n\njava.lang.SecurityException: no\x00\n")
	var server *ServerError
	if err := <-answers; !errors.As(err, &server) || server.Message != "no: way" || !strings.HasPrefix(server.Body, "java.lang.SecurityException") {
		t.Errorf("%v", err)
	}
	p.write("ERROR\nmessage:Unexpected ACK received for message-id [null]\n\n\x00\n")
	p.write("RECEIPT\nreceipt-id:" + second + "\n\n\x00\n")
	if err := <-answers; err != nil {
		t.Error(err)
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if diff := cmp.Diff([]string{"Unexpected ACK received for message-id [null]"}, h.failed); diff != "" {
		t.Error(diff)
	}
	if c.Cause() != nil {
		t.Errorf("the connection has ended: %v", c.Cause())
	}
}

func TestErrorOfArtemisEndsTheConnection(t *testing.T) {
	h := &recorder{}
	c, p := open(t, artemisHello, h)
	answers := make(chan error, 2)
	c.Post(ping, func(err error) { answers <- err })
	c.Post(ping, func(err error) { answers <- err })
	id := p.read().Header.Get("receipt")
	p.read()
	p.write("ERROR\nreceipt-id:" + id + "\nmessage:AMQ339011 Error sending message\n\n\x00\n")
	first, second := <-answers, <-answers
	var server *ServerError
	if !errors.As(first, &server) || server.ReceiptID == "" {
		t.Errorf("the one that is named: %v", first)
	}
	if second == nil || errors.Is(second, ErrNotWritten) {
		t.Errorf("the other: %v", second)
	}
	<-c.Done()
	if len(h.closed) != 1 || !errors.As(h.closed[0], &server) {
		t.Errorf("closed with %v", h.closed)
	}
}

func TestTheEndIsExplainedByTheErrorBeforeIt(t *testing.T) {
	c, p := open(t, classicHello, &recorder{})
	p.write("ERROR\nmessage:The maximum header length was exceeded\n\n\x00\n")
	_ = p.nc.Close()
	<-c.Done()
	var server *ServerError
	if !errors.As(c.Cause(), &server) {
		t.Errorf("cause is %v", c.Cause())
	}
}

func TestAnOldErrorDoesNotExplainTheEnd(t *testing.T) {
	c, p := open(t, classicHello, &recorder{})
	p.write("ERROR\nmessage:Unexpected ACK\n\n\x00\nMESSAGE\nsubscription:" + c.Subscription() + "\ncontent-length:0\n\n\x00\n")
	_ = p.nc.Close()
	<-c.Done()
	if !errors.Is(c.Cause(), io.EOF) {
		t.Errorf("cause is %v, want EOF", c.Cause())
	}
}

func TestWhatIsInFlightFailsWithTheConnection(t *testing.T) {
	c, p := open(t, classicHello, &recorder{})
	answers := make(chan error, 1)
	c.Post(ping, func(err error) { answers <- err })
	p.read()
	_ = p.nc.Close()
	if err := <-answers; err == nil || errors.Is(err, ErrNotWritten) {
		t.Errorf("written, but: %v", err)
	}
	c.Post(ping, func(err error) { answers <- err })
	if err := <-answers; !errors.Is(err, ErrNotWritten) {
		t.Errorf("posted to a dead connection: %v", err)
	}
	if err := c.Request(t.Context(), ping); !errors.Is(err, ErrNotWritten) {
		t.Errorf("requested of a dead connection: %v", err)
	}
}

func TestRequestObeysItsContextAndALateReceiptHarmsNothing(t *testing.T) {
	c, p := open(t, classicHello, &recorder{})
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		id := p.read().Header.Get("receipt")
		cancel()
		p.write("RECEIPT\nreceipt-id:" + id + "\n\n\x00\nRECEIPT\nreceipt-id:" + id + "\n\n\x00\nRECEIPT\nreceipt-id:unknown\n\n\x00\n")
		p.write("RECEIPT\nreceipt-id:" + p.read().Header.Get("receipt") + "\n\n\x00\n")
	}()
	if err := c.Request(ctx, ping); err != nil && !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	if err := c.Request(t.Context(), ping); err != nil {
		t.Errorf("the next request: %v", err)
	}
}

func TestAHandlerMayEndTheConnection(t *testing.T) {
	c, p := open(t, classicHello, &recorder{})
	p.write("MESSAGE\ncontent-length:9\n\nrefuse me\x00\n")
	<-c.Done()
	if c.Cause() == nil || !strings.Contains(c.Cause().Error(), "refused") {
		t.Errorf("cause is %v", c.Cause())
	}
}

func TestOutputOfTheHandlerIsWritten(t *testing.T) {
	h := &recorder{output: "ACK\nid:1\n\n\x00"}
	c, p := open(t, classicHello, h)
	c.Kick()
	if f := p.read(); f.Command != "ACK" || f.Header.Get("id") != "1" {
		t.Errorf("%v", f)
	}
}

// beats counts the heart-beats that a peer gets within a time.
func beats(p *peer, within time.Duration) int {
	n := 0
	_ = p.nc.SetReadDeadline(time.Now().Add(within))
	b := make([]byte, 1)
	for {
		if _, err := p.nc.Read(b); err != nil {
			return n
		}
		if b[0] == '\n' {
			n++
		}
	}
}

func TestHeartBeats(t *testing.T) {
	for _, tc := range []struct {
		offer string
		beats int // in a minute, while the peer sends its own
	}{
		{"10000,10000", 12}, {"0,10000", 12}, {"10000,0", 0}, {"0,0", 0}, {"0,30000", 4}, {"500,500", 12}, {"x,y", 0}, {"", 0},
	} {
		t.Run(tc.offer, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c, p := open(t, "CONNECTED\nversion:1.2\nheart-beat:"+tc.offer+"\n\n\x00", &recorder{})
				stop := make(chan struct{})
				go func() {
					for {
						select {
						case <-stop:
							return
						case <-time.After(9 * time.Second):
							_, _ = p.nc.Write([]byte{'\n'})
						}
					}
				}()
				if n := beats(p, time.Minute+time.Second); n != tc.beats {
					t.Errorf("%d beats, want %d", n, tc.beats)
				}
				close(stop)
				if c.Cause() != nil {
					t.Errorf("the connection has ended: %v", c.Cause())
				}
			})
		})
	}
}

func TestASilentPeerIsDead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, p := open(t, classicHello, &recorder{})
		go func() { _, _ = io.Copy(io.Discard, p.nc) }()
		from := time.Now()
		<-c.Done()
		if got := time.Since(from); got != 22*time.Second {
			t.Errorf("dead after %v", got)
		}
		var timeout net.Error
		if !errors.As(c.Cause(), &timeout) || !timeout.Timeout() {
			t.Errorf("cause is %v", c.Cause())
		}
	})
}

func TestSilenceIsNotHeldAgainstAPeerThatNobodyReads(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := &recorder{wait: make(chan struct{})}
		c, p := open(t, classicHello, h)
		if n := beats(p, time.Hour); n < 719 || n > 720 { // our own beats go on
			t.Errorf("%d beats in an hour", n)
		}
		if c.Cause() != nil {
			t.Fatalf("the connection has ended: %v", c.Cause())
		}
		go func() {
			<-time.After(20 * time.Second) // counted from when reading begins again
			_, _ = io.WriteString(p.nc, "MESSAGE\ncontent-length:4\n\nlate\x00\n")
		}()
		_ = p.nc.SetReadDeadline(time.Time{})
		go func() { _, _ = io.Copy(io.Discard, p.nc) }()
		close(h.wait)
		<-time.After(21 * time.Second)
		h.mu.Lock()
		defer h.mu.Unlock()
		if diff := cmp.Diff([]string{"late"}, h.messages); diff != "" {
			t.Error(diff, c.Cause())
		}
	})
}

func TestAPeerThatStopsReadingIsDead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, p := open(t, classicHello, &recorder{})
		go func() { // it beats, but takes nothing
			for {
				select {
				case <-c.Done():
					return
				case <-time.After(9 * time.Second):
					_, _ = p.nc.Write([]byte{'\n'})
				}
			}
		}()
		answer := make(chan error, 1)
		c.Post(ping, func(err error) { answer <- err })
		from := time.Now()
		err := <-answer
		if err == nil || errors.Is(err, ErrNotWritten) {
			t.Errorf("%v: what a write has begun may have arrived", err)
		}
		if got := time.Since(from); got > writeTimeout+lastWords {
			t.Errorf("dead after %v", got)
		}
	})
}

// What has begun to be written may have arrived; what waited behind it has not.
func TestWhatWaitedBehindAWriteThatFailedWasNotSent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, _ := open(t, classicHello, &recorder{}) // the peer never reads
		answers := [2]chan error{make(chan error, 1), make(chan error, 1)}
		for _, answer := range answers {
			c.Post(ping, func(err error) { answer <- err })
			synctest.Wait() // the writer stands in the first
		}
		c.Close()
		var lost *LostError
		if err := <-answers[0]; !errors.As(err, &lost) || errors.Is(err, ErrNotWritten) {
			t.Errorf("the first: %v", err)
		}
		if err := <-answers[1]; !errors.Is(err, ErrNotWritten) {
			t.Errorf("the second: %v", err)
		}
	})
}

func TestDisconnectWaitsForItsReceipt(t *testing.T) {
	c, p := open(t, classicHello, &recorder{})
	go func() {
		f := p.read()
		if f.Command != "DISCONNECT" {
			t.Errorf("%v", f)
		}
		p.write("RECEIPT\nreceipt-id:" + f.Header.Get("receipt") + "\n\n\x00\n")
	}()
	if err := c.Disconnect(t.Context()); err != nil {
		t.Error(err)
	}
	if !errors.Is(c.Cause(), ErrClosed) {
		t.Errorf("cause is %v", c.Cause())
	}
}

func TestDisconnectEndsWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, p := open(t, classicHello, &recorder{})
		go func() { _, _ = io.Copy(io.Discard, p.nc) }()
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := c.Disconnect(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("%v", err)
		}
		select {
		case <-c.Done():
		default:
			t.Error("the connection is open")
		}
	})
}

// A sender of a message may write what looks like a RECEIPT: it must not know the ids.
func TestReceiptsCannotBeGuessed(t *testing.T) {
	c, p := open(t, classicHello, &recorder{})
	answer := make(chan error, 1)
	c.Post(ping, func(err error) { answer <- err })
	id := p.read().Header.Get("receipt")
	for _, guess := range []string{"1", "0-1", "-1"} {
		p.write("RECEIPT\nreceipt-id:" + guess + "\n\n\x00\n")
	}
	if n := c.Pending(); n != 1 {
		t.Errorf("%d pending, want 1", n)
	}
	p.write("RECEIPT\nreceipt-id:" + id + "\n\n\x00\n")
	if err := <-answer; err != nil {
		t.Error(err)
	}
	other, _ := open(t, classicHello, &recorder{})
	if len(id) < 20 || c.Subscription() == other.Subscription() {
		t.Errorf("%q, %q, %q", id, c.Subscription(), other.Subscription())
	}
}

// Artemis keeps the receipt of a message among its properties, where any consumer reads it, and sends texts with their
// length.
func TestReceiptsOnArtemisTellNothing(t *testing.T) {
	c, p := open(t, artemisHello, &recorder{})
	c.Post(ping, func(error) {})
	if id := p.read().Header.Get("receipt"); id != "1" {
		t.Errorf("%q", id)
	}
}

func TestWhatComesBeforeAnUnreadableFrameMayBeSettled(t *testing.T) {
	for what, end := range map[string]string{"a broken frame": "ERROR\nno colon\n\n\x00", "a refused one": "MESSAGE\ncontent-length:9\n\nrefuse me\x00"} {
		h := &recorder{}
		c, p := open(t, classicHello, h)
		p.write("MESSAGE\ncontent-length:1\n\nx\x00\n" + end)
		<-c.Done()
		h.mu.Lock()
		if h.broken != 1 || len(h.messages) == 0 || h.messages[0] != "x" {
			t.Errorf("%s: told %d times, %q", what, h.broken, h.messages)
		}
		h.mu.Unlock()
	}
	h := &recorder{}
	c, p := open(t, classicHello, h)
	_ = p.nc.Close()
	<-c.Done()
	if h.broken != 0 {
		t.Error("the end of a connection leaves nothing to settle")
	}
}

func TestWhatAPeerWritesIsShownShort(t *testing.T) {
	long := strings.Repeat("é", 100_000)
	if got := (&ServerError{Message: long}).Error(); len(got) > 600 || !utf8.ValidString(got) || !strings.HasSuffix(got, "…") {
		t.Errorf("%d bytes", len(got))
	}
	if got := (&ServerError{Message: "a\x1b[2Jb\nc"}).Error(); got != "the broker answered ERROR: a [2Jb c" {
		t.Errorf("%q", got)
	}
	c, _ := open(t, "CONNECTED\nversion:1.2\nserver:ActiveMQ/6.1.7 "+long+"\n\n\x00", &recorder{})
	if got := c.Server(); len(got) > 210 || c.Kind() != Classic || c.Version() != "6.1.7" {
		t.Errorf("%d bytes, %s", len(got), c.Version())
	}
	for in, want := range map[string]string{"": "", "abc": "abc", "abcd": "abc…", "abé": "ab…", "a\xff": "a\uFFFD"} {
		if got := Clip(in, 3); got != want {
			t.Errorf("%q: %q, want %q", in, got, want)
		}
	}
}

func TestPasswordsAreNotShown(t *testing.T) {
	for _, tc := range []struct{ passcode, text, want string }{
		{"secret", "login app:secret", "login app:[REDACTED]"},
		{"secret", "Basic YXBwOnNlY3JldA==", "Basic [REDACTED]"},
		{"a:b\\c", `a\cb\\c`, "[REDACTED]"},
		{"abc", "abc", "abc"}, // what is missing from words would tell it
		{"", "text", "text"},
	} {
		if got := secretsOf(Config{Login: "app", Passcode: tc.passcode}).Replace(tc.text); got != tc.want {
			t.Errorf("%q in %q: %q, want %q", tc.passcode, tc.text, got, tc.want)
		}
	}
}

func TestServerErrorSaysSomething(t *testing.T) {
	for want, e := range map[string]ServerError{
		"the broker answered ERROR: m":               {Message: "m", Body: "b"},
		"the broker answered ERROR: first":           {Body: "first\nsecond"},
		"the broker answered ERROR: no reason given": {},
	} {
		if got := e.Error(); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

// TestConnIsSafeForConcurrentUse is for the race detector.
func TestConnIsSafeForConcurrentUse(t *testing.T) {
	c, p := open(t, classicHello, &recorder{})
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 50 {
				c.Kick()
				if err := c.Request(t.Context(), ping); err != nil {
					t.Error(err)
				}
			}
		})
	}
	for range 400 {
		p.write(fmt.Sprintf("RECEIPT\nreceipt-id:%s\n\n\x00\n", p.read().Header.Get("receipt")))
	}
	wg.Wait()
}
