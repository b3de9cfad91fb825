package stomp_test

import (
	"encoding/base64"
	"errors"
	"io"
	"runtime"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-stomp/stomp/v3/frame"
	"github.com/google/go-cmp/cmp"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"github.com/jmsbridge/jmsbridge/bridge"
	"github.com/jmsbridge/jmsbridge/connectors/jms/stomp"
)

// bodies returns what was delivered, and why not.
func bodies(ds []*bridge.Delivery) []string {
	all := make([]string, len(ds))
	for i, d := range ds {
		all[i] = d.Message.Body.Data()
		if d.Hold != nil {
			all[i] = "held: " + bridge.AsError(d.Hold).Code
		}
	}
	return all
}

// begin connects a source to a script, and returns what writes to the connection, with SUB for the subscription's id.
func begin(t *testing.T, s *script, source *stomp.Source, credit int) func(string) {
	t.Helper()
	if err := source.Connect(t.Context(), credit); err != nil {
		t.Fatal(err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	nc, id := s.conns[len(s.conns)-1], s.frames[len(s.frames)-1].Header.Get("id")
	return func(text string) {
		if _, err := io.WriteString(nc, strings.ReplaceAll(text, "SUB", id)); err != nil {
			t.Error(err)
		}
	}
}

// ending receives until the connection has ended, and returns why it did.
func ending(t *testing.T, source *stomp.Source) error {
	t.Helper()
	for {
		if _, err := source.Receive(t.Context(), make([]*bridge.Delivery, 4)); err != nil {
			return err
		}
	}
}

func TestATextWithNULsAndLineBreaksComesWhole(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		texts := []string{
			"ahead", "\x00\n\n\x00", "a\x00\n\nb\x00\n\x00\n\n\n", "\x00", "\n", "a\x00\n\nMESS\x00\nERR\x00\nMESSAGE", "behind",
			strings.Repeat("\x00\n\n", 1000),
		}
		var all []string
		for i, text := range texts {
			all = append(all, classic(i, "", text))
		}
		s := newScript(t, polite(classicHello, all...))
		source := s.source(nil)
		if err := source.Connect(t.Context(), 100); err != nil {
			t.Fatal(err)
		}
		ds := take(t, source, len(texts))
		if diff := cmp.Diff(texts, bodies(ds)); diff != "" {
			t.Error(diff)
		}
		for _, d := range ds {
			if err := d.Settle(bridge.Accept); err != nil {
				t.Error(err)
			}
		}
		if err := source.Close(t.Context()); err != nil {
			t.Error(err)
		}
		if n := len(s.seen("CONNECT")); n != 1 {
			t.Errorf("%d connections", n)
		}
		s.end()
	})
}

// asking is a polite broker that answers BEGIN only when it is told to, by the function that it gives: as one does whose
// frame is still on its way.
func asking(t *testing.T, hello string) (answer func(*frame.Frame) string, receipts func() string) {
	var mu sync.Mutex
	var held []string
	rest := polite(hello)
	return func(f *frame.Frame) string {
			if f.Command != "BEGIN" {
				return rest(f)
			}
			mu.Lock()
			defer mu.Unlock()
			held = append(held, receiptOf(f))
			return ""
		}, func() string {
			synctest.Wait()
			mu.Lock()
			defer mu.Unlock()
			if len(held) == 0 {
				t.Error("no receipt is asked for")
			}
			all := strings.Join(held, "")
			held = nil
			return all
		}
}

// A gap of the network within a text may fall where the text seems to end, and be long.
func TestATextInPiecesComesWhole(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		answer, receipts := asking(t, classicHello)
		s := newScript(t, answer)
		source := s.source(nil)
		write := begin(t, s, source, 10)
		const text = "a\x00\n\nb\x00\nMESSAGE\x00"
		whole := classic(1, "", text)
		head, _, _ := strings.Cut(whole, "a\x00")
		write(head)
		for _, b := range strings.TrimPrefix(whole, head) {
			<-time.After(time.Second)
			write(string(b))
		}
		write(receipts())
		if diff := cmp.Diff([]string{text}, bodies(take(t, source, 1))); diff != "" {
			t.Error(diff)
		}
		if err := source.Close(t.Context()); err != nil {
			t.Error(err)
		}
		s.end()
		if n := len(s.seen("BEGIN")); n != 1 || len(s.seen("ABORT")) != n {
			t.Errorf("%d BEGIN, %d ABORT", n, len(s.seen("ABORT")))
		}
	})
}

// Only a text that nothing follows has to wait, for a receipt, which is asked for soon, or at once where the wire is idle.
func TestATextArrivesAsSoonAsItsEndIsProved(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newScript(t, polite(classicHello))
		source := s.source(nil)
		write := begin(t, s, source, 10)
		for _, step := range []struct {
			name  string
			pause time.Duration
			write string
			took  time.Duration
			asks  int
		}{
			{"bytes", time.Second, classic(1, "content-length:5\n", "bytes"), 0, 0},
			{"a text with bytes behind it", time.Second, classic(2, "", "text") + classic(3, "content-length:5\n", "bytes"), 0, 0},
			{"a lone text", time.Second, classic(4, "", "text"), 0, 1},
			{"texts after a pause", time.Second, classic(5, "", "text") + classic(6, "", "text"), 0, 1},
			{"a text that comes soon", 100 * time.Microsecond, classic(7, "", "text"), 500 * time.Microsecond, 1},
		} {
			<-time.After(step.pause)
			asked, from := len(s.seen("BEGIN")), time.Now()
			write(step.write)
			take(t, source, strings.Count(step.write, "MESSAGE"))
			if took := time.Since(from); took != step.took {
				t.Errorf("%s: took %v", step.name, took)
			}
			synctest.Wait()
			if asks := len(s.seen("BEGIN")) - asked; asks != step.asks {
				t.Errorf("%s: %d receipts are asked for", step.name, asks)
			}
		}
		if err := source.Close(t.Context()); err != nil {
			t.Error(err)
		}
		s.end()
	})
}

// A broker that answers BEGIN with an ERROR proves as much; one that never answers, nothing.
func TestABrokerThatKnowsNoTransactions(t *testing.T) {
	for refuses, want := range map[bool]error{true: nil, false: bridge.ErrNotConnected} {
		synctest.Test(t, func(t *testing.T) {
			rest := polite(classicHello)
			s := newScript(t, func(f *frame.Frame) string {
				switch {
				case f.Command == "BEGIN" && refuses:
					return "ERROR\nreceipt-id:" + f.Header.Get("receipt") + "\nmessage:no\n\n\x00\n"
				case f.Command == "BEGIN":
					return "\n\n"
				default:
					return rest(f)
				}
			})
			source := s.source(nil)
			write := begin(t, s, source, 10)
			from := time.Now()
			write(classic(1, "", "text"))
			if !refuses {
				go func() {
					for range 3 {
						<-time.After(9 * time.Second)
						write("\n") // a heart-beat
					}
				}()
			}
			ds := make([]*bridge.Delivery, 1)
			n, err := source.Receive(t.Context(), ds)
			if !errors.Is(err, want) || (n == 1) != refuses {
				t.Errorf("refuses %v: %d, %v", refuses, n, err)
			}
			if took := time.Since(from); !refuses && (took.Round(time.Second) != 30*time.Second || !strings.Contains(err.Error(), "BEGIN")) {
				t.Errorf("after %v: %v", took, err)
			}
			_ = source.Close(t.Context())
			s.end()
		})
	}
}

func TestATextThatHoldsWhatLooksLikeAFrameIsHeld(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		forged := strings.ReplaceAll(classic(2, "", "forged"), "SUB", "guess")
		nameless := strings.ReplaceAll(classic(2, "", "forged"), "subscription:SUB\n", "")
		for _, inner := range []string{forged, nameless, "RECEIPT\nreceipt-id:1\n\n\x00\n", "ERROR\nmessage:m\n\nb\x00\n", "ERROR\n\n"} {
			s := newScript(t, polite(classicHello, classic(1, "", "text with a NUL\x00\n"+inner), classic(3, "", "behind")))
			source := s.source(nil)
			if err := source.Connect(t.Context(), 4); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff([]string{"held: text-end", "behind"}, bodies(take(t, source, 2))); diff != "" {
				t.Errorf("%q: %s", inner, diff)
			}
			if err := source.Close(t.Context()); err != nil {
				t.Error(err)
			}
			s.end()
		}
	})
}

// What is ahead of a frame that can't be read gets through, and then the route says which it is.
func TestAFrameThatCannotBeReadStopsTheRouteAfterWhatIsAheadOfIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		broken := classic(9, "no colon\n", "x")
		s := newScript(t, polite(classicHello, classic(1, "", "a"), classic(2, "content-length:1\n", "b"), broken))
		source := s.source(nil)
		for try, want := range []bridge.Class{bridge.Transient, bridge.Transient, bridge.Fatal} {
			if err := source.Connect(t.Context(), 10); err != nil {
				t.Fatal(err)
			}
			if try == 0 {
				for _, d := range take(t, source, 2) {
					if err := d.Settle(bridge.Accept); err != nil {
						t.Fatal(err)
					}
				}
			}
			from := time.Now()
			err := ending(t, source)
			if bridge.ClassOf(err) != want || !errors.Is(err, bridge.ErrNotConnected) || !strings.Contains(err.Error(), "ID:vm:7:-1:1:9") {
				t.Errorf("try %d: %s %v", try, bridge.ClassOf(err), err)
			}
			if took := time.Since(from); try == 0 && took > time.Second || took > 10*time.Second {
				t.Errorf("try %d: ended after %v", try, took)
			}
			if diff := cmp.Diff([]string{"ACK a1", "ACK a2"}, s.seen("ACK")); diff != "" {
				t.Errorf("try %d: %s", try, diff)
			}
		}
		s.end()
	})
}

func TestCloseDoesNotWaitForAConnectionThatCannotBeRead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newScript(t, polite(classicHello, classic(1, "content-length:1\n", "b"), "garbage"))
		source := s.source(nil)
		if err := source.Connect(t.Context(), 10); err != nil {
			t.Fatal(err)
		}
		take(t, source, 1)
		from := time.Now()
		if err := source.Close(t.Context()); err == nil || time.Since(from) > time.Second {
			t.Errorf("%v after %v", err, time.Since(from))
		}
		s.end()
	})
}

func TestErrorsThatAnswerNothingAreLoggedNowAndThen(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		core, logs := observer.New(zap.WarnLevel)
		s := newScript(t, polite(classicHello))
		source := s.source(func(set *stomp.SourceSettings) { set.Log = zap.New(core) })
		write := begin(t, s, source, 10)
		flood := strings.Repeat("ERROR\nmessage:"+strings.Repeat("m", 1000)+"\n\n\x00\n", 1000)
		write(flood)
		<-time.After(11 * time.Second)
		write(flood)
		<-time.After(time.Second)
		if err := source.Close(t.Context()); err != nil {
			t.Error(err)
		}
		s.end()
		counted := int64(0)
		for _, l := range logs.All() {
			for name, v := range l.ContextMap() {
				if n, ok := v.(int64); ok {
					counted += n
				}
				if text, ok := v.(string); ok && len(text) > 600 {
					t.Errorf("%s has %d bytes", name, len(text))
				}
			}
		}
		if logs.Len() != 3 || counted != 2000-2 {
			t.Errorf("%d lines tell of %d", logs.Len(), counted)
		}
	})
}

func TestABrokerThatRepeatsThePasswordDoesNotTellIt(t *testing.T) {
	const password = `s3cr:et\pass`
	b64 := base64.StdEncoding.EncodeToString
	for _, text := range []string{password, `s3cr\cet\\pass`, b64([]byte("app:" + password)), b64([]byte(password))} {
		for _, answer := range []string{
			"ERROR\nmessage:" + strings.NewReplacer(`\`, `\\`, ":", `\c`).Replace("login "+text+" failed") + "\n\n\x00\nCUT",
			"ERROR\n\nlogin " + text + " failed\nat x\x00\nCUT",
			"CONNECTED\nversion:" + text + "\n\n\x00CUT",
			text + "\nCUT",
		} {
			s := newScript(t, func(*frame.Frame) string { return answer })
			source := s.source(func(set *stomp.SourceSettings) { set.Broker.Credentials = credentials("app", password) })
			err := source.Connect(t.Context(), 1)
			if err == nil || strings.Contains(err.Error(), text) || !strings.Contains(err.Error(), "[REDACTED]") {
				t.Errorf("%q: %v", answer, err)
			}
		}
	}
}

// The broker's answer to a wrong login is understood whatever the password is.
func TestAPasswordThatIsAWordOfTheAnswer(t *testing.T) {
	s := newScript(t, func(*frame.Frame) string {
		return "ERROR\nmessage:User name [app] or password is invalid.\n\n\x00\nCUT"
	})
	for _, password := range []string{"password", "invalid", "a"} {
		source := s.source(func(set *stomp.SourceSettings) { set.Broker.Credentials = credentials("app", password) })
		err := source.Connect(t.Context(), 1)
		if bridge.ClassOf(err) != bridge.Fatal || bridge.AsError(err).Remedy == "" {
			t.Errorf("%s %v", bridge.ClassOf(err), err)
		}
	}
}

// A verdict that waits keeps the acknowledgement id, not the message.
func TestVerdictsKeepNoMessages(t *testing.T) {
	const size, n = 1 << 20, 40
	s := newScript(t, polite(classicHello))
	source := s.source(func(set *stomp.SourceSettings) { set.Cumulative = true })
	write := begin(t, s, source, n)
	body := strings.Repeat("x", size)
	sent := make(chan struct{})
	go func() {
		defer close(sent)
		for i := range n {
			write(classic(i, "", body))
		}
		write(classic(n, "content-length:0\n", "")) // nothing waits for the end of the last
	}()
	heap := func() uint64 {
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	first := take(t, source, 1) // everything waits behind it
	before := heap()
	for range n - 1 {
		if err := take(t, source, 1)[0].Settle(bridge.Accept); err != nil {
			t.Fatal(err)
		}
	}
	if after := heap(); after > before+n*size/4 {
		t.Errorf("%d KiB are kept for %d verdicts", (after-before)>>10, n-1)
	}
	<-sent
	if err := first[0].Settle(bridge.Accept); err != nil {
		t.Error(err)
	}
	if err := source.Close(t.Context()); err != nil {
		t.Error(err)
	}
}
