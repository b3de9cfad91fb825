package stomp_test

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

	"github.com/go-stomp/stomp/v3/frame"
	"github.com/google/go-cmp/cmp"

	"github.com/jmsbridge/jmsbridge/bridge"
	"github.com/jmsbridge/jmsbridge/connectors/jms"
	"github.com/jmsbridge/jmsbridge/connectors/jms/stomp"
)

// script is a broker that says what a test wants: act gets each frame and returns what to write.
type script struct {
	t   *testing.T
	act func(f *frame.Frame) string

	mu     sync.Mutex
	frames []*frame.Frame
	conns  []net.Conn
	wait   sync.WaitGroup
}

const (
	classicHello = "CONNECTED\nserver:ActiveMQ/6.1.7\nheart-beat:10000,10000\nversion:1.2\n\n\x00\n"
	artemisHello = "CONNECTED\nversion:1.2\nserver:ActiveMQ-Artemis/2.44.0 ActiveMQ Artemis Messaging Engine\nheart-beat:10000,10000\n\n\x00\n"
)

func receiptOf(f *frame.Frame) string {
	if id, ok := f.Header.Contains("receipt"); ok {
		return "RECEIPT\nreceipt-id:" + id + "\n\n\x00\n"
	}
	return ""
}

// polite answers as a broker should, and with messages after SUBSCRIBE.
func polite(hello string, messages ...string) func(*frame.Frame) string {
	return func(f *frame.Frame) string {
		switch f.Command {
		case "CONNECT":
			return hello
		case "SUBSCRIBE":
			return receiptOf(f) + strings.ReplaceAll(strings.Join(messages, ""), "SUB", f.Header.Get("id"))
		default:
			return receiptOf(f)
		}
	}
}

// broker returns a jms.Broker whose connections end at the script, through pipes, so that time may be virtual.
func (s *script) broker() jms.Broker {
	u, err := jms.ParseURL("stomp://broker:61613")
	if err != nil {
		s.t.Fatal(err)
	}
	return jms.Broker{Name: "script", URL: u, DialContext: func(context.Context, string, string) (net.Conn, error) {
		ours, theirs := net.Pipe()
		s.mu.Lock()
		s.conns = append(s.conns, theirs)
		s.mu.Unlock()
		s.wait.Go(func() { s.serve(theirs) })
		return ours, nil
	}}
}

// serve reads on while an answer is being written, as a broker does.
func (s *script) serve(nc net.Conn) {
	out := make(chan string, 1000)
	s.wait.Go(func() {
		defer nc.Close()
		for answer := range out {
			before, cut := strings.CutSuffix(answer, "CUT")
			if _, err := io.WriteString(nc, before); err != nil || cut {
				return
			}
		}
	})
	defer close(out)
	r := frame.NewReader(nc)
	for {
		f, err := r.Read()
		if err != nil {
			return
		}
		if f == nil {
			continue
		}
		s.mu.Lock()
		s.frames = append(s.frames, f)
		s.mu.Unlock()
		if answer := s.act(f); answer != "" {
			out <- answer
		}
	}
}

// end closes the connections and waits for the script.
func (s *script) end() {
	s.mu.Lock()
	for _, nc := range s.conns {
		_ = nc.Close()
	}
	s.mu.Unlock()
	s.wait.Wait()
}

// seen returns the frames with one of the commands, as "COMMAND id".
func (s *script) seen(commands ...string) []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var all []string
	for _, f := range s.frames {
		for _, c := range commands {
			if f.Command == c {
				all = append(all, strings.TrimSpace(c+" "+f.Header.Get("id")))
			}
		}
	}
	return all
}

func newScript(t *testing.T, act func(*frame.Frame) string) *script {
	s := &script{t: t, act: act}
	t.Cleanup(s.end)
	return s
}

var ordersQueue = bridge.Destination{Kind: bridge.Queue, Name: "orders"}

func (s *script) source(change func(*stomp.SourceSettings)) *stomp.Source {
	s.t.Helper()
	set := stomp.SourceSettings{Broker: s.broker(), Destination: ordersQueue}
	if change != nil {
		change(&set)
	}
	source, err := stomp.NewSource(set)
	if err != nil {
		s.t.Fatal(err)
	}
	return source
}

// classic returns a MESSAGE frame of Classic.
func classic(n int, headers, body string) string {
	return fmt.Sprintf("MESSAGE\nexpires:0\ndestination:/queue/orders\nack:a%d\nsubscription:SUB\npriority:4\nmessage-id:ID\\cvm\\c7\\c-1\\c1\\c%d\n%s\n%s\x00\n", n, n, headers, body)
}

func artemis(n int, headers, body string) string {
	return fmt.Sprintf("MESSAGE\nsubscription:SUB\nmessage-id:%d,%d\ndestination:orders\nexpires:0\nredelivered:false\npriority:4\npersistent:true\ntimestamp:0\ndestination-type:ANYCAST\n%sack:%d,%d\ncontent-length:%d\n\n%s\x00\n",
		n+1000, n, headers, n+1000, n, len(body), body)
}

func take(t *testing.T, s *stomp.Source, n int) []*bridge.Delivery {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	var all []*bridge.Delivery
	for len(all) < n {
		buf := make([]*bridge.Delivery, n-len(all))
		k, err := s.Receive(ctx, buf)
		if err != nil {
			t.Fatalf("receiving: %v after %d of %d", err, len(all), n)
		}
		all = append(all, buf[:k]...)
	}
	return all
}

func TestConnectingToTheWrongPeer(t *testing.T) {
	say := func(answer string) func(*frame.Frame) string {
		return func(*frame.Frame) string { return answer }
	}
	for _, tc := range []struct {
		name, answer string
		class        bridge.Class
		want         string
	}{
		{"HTTP", "HTTP/1.1 400 Bad Request\r\n\r\n", bridge.Fatal, "it speaks HTTP"},
		{"OpenWire", "\x00\x00\x01\x51\x01ActiveMQ\x00", bridge.Fatal, "it speaks OpenWire"},
		{"AMQP", "AMQP\x03\x01\x00\x00CUT", bridge.Fatal, "it speaks AMQP"},
		{"TLS", "\x15\x03\x03\x00\x02\x02\x0aCUT", bridge.Fatal, "it speaks TLS (the scheme for that is stomp+ssl://)"},
		{"wrong password on Classic", "ERROR\nmessage:User name [app] or password is invalid.\n\nUser name [app] or password is invalid.\x00\nCUT", bridge.Fatal, "check username and password"},
		{"wrong password on Artemis", "ERROR\nmessage:Security Error occurred\\c User name [app] or password is invalid\ncontent-length:1\n\nx\x00\nCUT", bridge.Fatal, "check username and password"},
		{"client id in use", "ERROR\nmessage:Broker\\c c6 - Client\\c x already connected from tcp\\c//127.0.0.1\\c37564\n\njakarta.jms.InvalidClientIDException: x\x00\nCUT", bridge.Transient, "already connected"},
		{"connection limit or stopping", "CUT", bridge.Transient, "EOF"},
		{"another version of STOMP", "CONNECTED\nversion:1.1\n\n\x00", bridge.Fatal, "only 1.2"},
		{"4 GiB content-length", "ERROR\ncontent-length:4294967295\n\n", bridge.Fatal, "content-length"},
		{"endless header", "CONNECTED\nx:" + strings.Repeat("y", 2<<20), bridge.Fatal, "exceed"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s := newScript(t, say(tc.answer))
			err := s.source(nil).Connect(t.Context(), 1)
			if err == nil || bridge.ClassOf(err) != tc.class || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("%s: %v; want %s, %q", bridge.ClassOf(err), err, tc.class, tc.want)
			}
			if sink, sinkErr := stomp.NewSink(stomp.SinkSettings{Broker: s.broker(), Destination: ordersQueue}); sinkErr != nil {
				t.Error(sinkErr)
			} else if err := sink.Connect(t.Context()); bridge.ClassOf(err) != tc.class || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("the sink: %v", err)
			}
		})
	}
}

func TestAPeerThatSaysNothingIsFatalTheThirdTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newScript(t, func(*frame.Frame) string { return "" })
		source := s.source(nil)
		for try, want := range []bridge.Class{bridge.Transient, bridge.Transient, bridge.Fatal, bridge.Fatal} {
			from := time.Now()
			err := source.Connect(t.Context(), 1)
			if bridge.ClassOf(err) != want || time.Since(from) != jms.HandshakeTimeout {
				t.Errorf("try %d: %s, %v after %v", try, bridge.ClassOf(err), err, time.Since(from))
			}
		}
		s.end()
	})
}

func TestAPeerThatTakesNoSubscription(t *testing.T) {
	for _, tc := range []struct {
		name, hello, answer string
		class               bridge.Class
		want                string
	}{
		{"may not read, Classic", classicHello, "ERROR\nreceipt-id:RECEIPT\nmessage:User writer is not authorized to read from\\c queue\\c//q\n\njava.lang.SecurityException: x\x00\n", bridge.Fatal, "is not authorized"},
		{"may not read, Artemis", artemisHello, "ERROR\nmessage:AMQ339016 Error creating subscription 1\n\n\x00\nCUT", bridge.Fatal, "AMQ339016"},
		{"may not create, Artemis", artemisHello, "ERROR\nmessage:AMQ229032 User reader does not have permission='CREATE_ADDRESS' on address q\n\n\x00\nCUT", bridge.Fatal, "AMQ229032"},
		{"no such queue, Artemis", artemisHello, "ERROR\nmessage:AMQ339001 Destination does not exist q\n\n\x00\nCUT", bridge.Fatal, "AMQ339001"},
		{"bad selector, Classic", classicHello, "ERROR\nreceipt-id:RECEIPT\nmessage:a = \n\njakarta.jms.InvalidSelectorException: a = \x00\n", bridge.Fatal, "a ="},
		{"bad selector, Artemis", artemisHello, "ERROR\nmessage:Invalid selector \"x\"\n\n\x00\nCUT", bridge.Fatal, "Invalid selector"},
		{"durable in use", classicHello, "ERROR\nreceipt-id:RECEIPT\nmessage:Durable consumer is in use for client\\c c and subscriptionName\\c s\n\njavax.jms.JMSException: x\x00\n", bridge.Transient, "in use"},
		{"closed without a word", classicHello, "CUT", bridge.Transient, ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s := newScript(t, func(f *frame.Frame) string {
				if f.Command == "CONNECT" {
					return tc.hello
				}
				return strings.ReplaceAll(tc.answer, "RECEIPT", f.Header.Get("receipt"))
			})
			err := s.source(nil).Connect(t.Context(), 1)
			if err == nil || bridge.ClassOf(err) != tc.class || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("%s: %v; want %s, %q", bridge.ClassOf(err), err, tc.class, tc.want)
			}
			if tc.class == bridge.Fatal && bridge.AsError(err).Remedy == "" {
				t.Errorf("%v: nothing says what to do", err)
			}
		})
	}
}

func TestASubscriptionThatIsNeverConfirmedEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newScript(t, func(f *frame.Frame) string {
			if f.Command == "CONNECT" {
				return "CONNECTED\nversion:1.2\nserver:ActiveMQ/6.1.7\n\n\x00" // no heart-beats either
			}
			return ""
		})
		from := time.Now()
		err := s.source(nil).Connect(t.Context(), 1)
		if bridge.ClassOf(err) != bridge.Transient || time.Since(from) != jms.HandshakeTimeout {
			t.Errorf("%v after %v", err, time.Since(from))
		}
		s.end()
	})
}

func TestANameInUseIsFatalWhenItStays(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newScript(t, func(*frame.Frame) string {
			return "ERROR\nmessage:x\n\njakarta.jms.InvalidClientIDException: Client: x already connected\x00\nCUT"
		})
		source := s.source(nil)
		from := time.Now()
		for range 100 {
			err := source.Connect(t.Context(), 1)
			if fatal := bridge.ClassOf(err) == bridge.Fatal; fatal != (time.Since(from) >= 2*time.Minute) {
				t.Fatalf("%v after %v", err, time.Since(from))
			}
			<-time.After(5 * time.Second)
		}
		s.end()
	})
}

func TestWhatIsSubscribed(t *testing.T) {
	for _, tc := range []struct {
		name, hello string
		change      func(*stomp.SourceSettings)
		want        map[string]string // "" must not be there
	}{
		{"a queue of Classic", classicHello, nil, map[string]string{"destination": "/queue/orders", "ack": "client-individual", "activemq.prefetchSize": "7", "consumer-window-size": "", "subscription-type": "", "transformation": "", "activemq.exclusive": ""}},
		{"exclusive", classicHello, func(s *stomp.SourceSettings) { s.Exclusive = true }, map[string]string{"activemq.exclusive": "true"}},
		{"cumulative", classicHello, func(s *stomp.SourceSettings) { s.Cumulative = true }, map[string]string{"ack": "client"}},
		{"a smaller prefetch", classicHello, func(s *stomp.SourceSettings) { s.Prefetch = 3 }, map[string]string{"activemq.prefetchSize": "3"}},
		{"a larger prefetch", classicHello, func(s *stomp.SourceSettings) { s.Prefetch = 30 }, map[string]string{"activemq.prefetchSize": "7"}},
		{"a durable subscription of Classic", classicHello, func(s *stomp.SourceSettings) {
			s.Destination.Kind, s.Subscription, s.Broker.ClientID = bridge.Topic, "sub", "c"
		}, map[string]string{"destination": "/topic/orders", "activemq.subscriptionName": "sub", "durable-subscription-name": ""}},
		{"a queue of Artemis", artemisHello, func(s *stomp.SourceSettings) { s.Exclusive, s.Cumulative = true, true }, map[string]string{"destination": "orders", "subscription-type": "ANYCAST", "consumer-window-size": "14336", "ack": "client-individual", "activemq.prefetchSize": "", "activemq.exclusive": "", "transformation": ""}},
		{"a durable subscription of Artemis", artemisHello, func(s *stomp.SourceSettings) {
			s.Destination.Kind, s.Subscription, s.Broker.ClientID = bridge.Topic, "sub", "c"
		}, map[string]string{"destination": "orders", "subscription-type": "MULTICAST", "durable-subscription-name": "sub", "activemq.subscriptionName": ""}},
		{"an unknown broker", "CONNECTED\nversion:1.2\nserver:RabbitMQ/3.10.8\n\n\x00", nil, map[string]string{"destination": "/queue/orders", "activemq.prefetchSize": "7", "prefetch-count": "7"}},
		{"a selector", classicHello, func(s *stomp.SourceSettings) { s.Selector = "a = 'b:c'" }, map[string]string{"selector": "a = 'b:c'"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s := newScript(t, polite(tc.hello))
			source := s.source(tc.change)
			if err := source.Connect(t.Context(), 7); err != nil {
				t.Fatal(err)
			}
			for name, want := range tc.want {
				if got := s.frames[1].Header.Get(name); got != want {
					t.Errorf("%s is %q, want %q", name, got, want)
				}
			}
			if err := source.Close(t.Context()); err != nil {
				t.Error(err)
			}
			id := s.frames[1].Header.Get("id")
			if diff := cmp.Diff([]string{"CONNECT", "SUBSCRIBE " + id, "UNSUBSCRIBE " + id, "DISCONNECT"}, s.seen("CONNECT", "SUBSCRIBE", "ACK", "NACK", "UNSUBSCRIBE", "DISCONNECT")); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestVerdictsWaitForCompany(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var all []string
		for i := range 16 {
			all = append(all, classic(i, "", "x"))
		}
		s := newScript(t, polite(classicHello, all...))
		source := s.source(nil)
		if err := source.Connect(t.Context(), 40); err != nil {
			t.Fatal(err)
		}
		d := take(t, source, 16)
		settle := func(d *bridge.Delivery) {
			if err := d.Settle(bridge.Accept); err != nil {
				t.Fatal(err)
			}
		}
		expect := func(what string, n int) {
			synctest.Wait()
			if got := len(s.seen("ACK")); got != n {
				t.Errorf("%s: %d acknowledgements, want %d", what, got, n)
			}
		}
		synctest.Wait() // the writer is done with SUBSCRIBE
		settle(d[0])
		expect("at once", 0)
		<-time.After(5 * time.Millisecond)
		expect("after 5 ms", 1)
		for i := 1; i <= 9; i++ {
			settle(d[i])
		}
		expect("below a quarter of the credit", 1)
		settle(d[10])
		expect("at a quarter of the credit", 11)
		for i := 11; i < 15; i++ {
			settle(d[i])
		}
		expect("some are out", 11)
		settle(d[15])
		expect("nothing is out any more", 16)
		if err := source.Close(t.Context()); err != nil {
			t.Error(err)
		}
		s.end()
	})
}

func TestVerdictsGoBeforeTheEndOfTheSubscription(t *testing.T) {
	s := newScript(t, polite(classicHello, classic(1, "", "x"), classic(2, "", "y"), classic(3, "", "z")))
	source := s.source(nil)
	if err := source.Connect(t.Context(), 40); err != nil {
		t.Fatal(err)
	}
	d := take(t, source, 3)
	if err := d[1].Settle(bridge.Accept); err != nil {
		t.Fatal(err)
	}
	if err := d[2].Settle(bridge.Reject); err != nil {
		t.Fatal(err)
	}
	if err := source.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	id := s.frames[1].Header.Get("id")
	if diff := cmp.Diff([]string{"ACK a2", "NACK a3", "UNSUBSCRIBE " + id, "DISCONNECT"}, s.seen("ACK", "NACK", "UNSUBSCRIBE", "DISCONNECT")); diff != "" {
		t.Error(diff)
	}
}

func TestArtemisIsNeverSentANACK(t *testing.T) {
	s := newScript(t, polite(artemisHello, artemis(1, "", "x")))
	source := s.source(nil)
	if err := source.Connect(t.Context(), 4); err != nil {
		t.Fatal(err)
	}
	if err := take(t, source, 1)[0].Settle(bridge.Reject); bridge.ClassOf(err) != bridge.Fatal || err == nil {
		t.Errorf("Reject = %v, want fatal", err)
	}
	if err := source.Close(t.Context()); err != nil {
		t.Error(err)
	}
	if got := s.seen("ACK", "NACK"); len(got) != 0 {
		t.Errorf("sent %v", got)
	}
}

func TestCumulativeVerdicts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newScript(t, polite(classicHello, classic(1, "", "x"), classic(2, "", "y"), classic(3, "", "z"), classic(4, "", "u")))
		source := s.source(func(set *stomp.SourceSettings) { set.Cumulative = true })
		if err := source.Connect(t.Context(), 4); err != nil {
			t.Fatal(err)
		}
		d := take(t, source, 4)
		for _, step := range []struct {
			i    int
			want []string
		}{{2, nil}, {0, []string{"ACK a1"}}, {1, []string{"ACK a1", "ACK a3"}}} {
			if err := d[step.i].Settle(bridge.Accept); err != nil {
				t.Fatal(err)
			}
			<-time.After(10 * time.Millisecond)
			synctest.Wait()
			if diff := cmp.Diff(step.want, s.seen("ACK")); diff != "" {
				t.Errorf("after %d: %s", step.i, diff)
			}
		}
		if err := source.Close(t.Context()); err != nil { // gives the last back
			t.Error(err)
		}
		if got := len(s.seen("ACK")); got != 2 {
			t.Errorf("%d acknowledgements", got)
		}
		s.end()
	})
}

func TestCumulativeGivesWayToAHeldMessage(t *testing.T) {
	s := newScript(t, polite(classicHello, classic(1, "", "x"), classic(2, "", ""), classic(3, "", "z")))
	source := s.source(func(set *stomp.SourceSettings) { set.Cumulative = true })
	if err := source.Connect(t.Context(), 4); err != nil {
		t.Fatal(err)
	}
	if err := take(t, source, 1)[0].Settle(bridge.Accept); err != nil { // what is ahead of it gets through
		t.Fatal(err)
	}
	if _, err := source.Receive(t.Context(), make([]*bridge.Delivery, 4)); !errors.Is(err, bridge.ErrNotConnected) || bridge.ClassOf(err) != bridge.Transient {
		t.Fatalf("%v", err)
	}
	if diff := cmp.Diff([]string{"ACK a1"}, s.seen("ACK")); diff != "" {
		t.Error(diff)
	}
	if err := source.Connect(t.Context(), 4); err != nil {
		t.Fatal(err)
	}
	d := take(t, source, 3)
	if d[0].Hold != nil || d[1].Hold == nil || d[2].Hold != nil {
		t.Errorf("%v %v %v", d[0].Hold, d[1].Hold, d[2].Hold)
	}
	if got := strings.Join(source.Remarks(), " "); !strings.Contains(got, "cumulative acknowledgement is off") {
		t.Errorf("remarks: %q", got)
	}
	if err := source.Close(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestTheByteWindowStopsTheReader(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		body := strings.Repeat("x", 100<<10)
		var all []string
		for i := range 40 {
			all = append(all, classic(i, "", body))
		}
		written := make(chan struct{})
		s := newScript(t, nil)
		s.act = func(f *frame.Frame) string {
			if f.Command == "ACK" {
				select {
				case <-written:
				default:
					close(written)
				}
			}
			return polite(classicHello, all...)(f)
		}
		source := s.source(func(set *stomp.SourceSettings) { set.MaxBytes = 300 << 10 })
		if err := source.Connect(t.Context(), 1000); err != nil {
			t.Fatal(err)
		}
		<-time.After(time.Hour) // the script is stuck in its write, and nobody holds its silence against it
		for range 40 {
			if err := take(t, source, 1)[0].Settle(bridge.Accept); err != nil {
				t.Fatal(err)
			}
		}
		<-written
		if err := source.Close(t.Context()); err != nil {
			t.Error(err)
		}
		s.end()
	})
}

func TestAnUnconvertibleMessageIsFatalTheThirdTime(t *testing.T) {
	s := newScript(t, polite(artemisHello, "ERROR\nmessage:x\n\nconsumer with ID ServerConsumerImpl [id=1\x00\nCUT"))
	source := s.source(nil)
	for try, want := range []bridge.Class{bridge.Transient, bridge.Transient, bridge.Fatal} {
		if err := source.Connect(t.Context(), 4); err != nil {
			t.Fatal(err)
		}
		_, err := source.Receive(t.Context(), make([]*bridge.Delivery, 4))
		if bridge.ClassOf(err) != want || !errors.Is(err, bridge.ErrNotConnected) {
			t.Errorf("try %d: %s %v", try, bridge.ClassOf(err), err)
		}
	}
}

// After Artemis has ended the consumer it refuses the acknowledgements under way, and says that first.
func TestAnUnconvertibleMessageIsFatalTheThirdTimeWhateverIsSaidFirst(t *testing.T) {
	refused := "ERROR\nmessage:AMQ339018 Error acknowledging message 1,2\n\n\x00\nCUT"
	removed := "ERROR\nmessage:x\n\nconsumer with ID ServerConsumerImpl [id=1\x00\nCUT"
	for name, answers := range map[string][]string{"the reason once": {refused, removed, refused}, "never the reason": {refused, refused, refused}} {
		s := newScript(t, nil)
		source := s.source(nil)
		for try, want := range []bridge.Class{bridge.Transient, bridge.Transient, bridge.Fatal} {
			s.act = polite(artemisHello, answers[try])
			if err := source.Connect(t.Context(), 4); err != nil {
				t.Fatal(err)
			}
			_, err := source.Receive(t.Context(), make([]*bridge.Delivery, 4))
			if bridge.ClassOf(err) != want || !errors.Is(err, bridge.ErrNotConnected) || want == bridge.Fatal && !strings.Contains(bridge.AsError(err).Remedy, "AMQP") {
				t.Errorf("%s, try %d: %s %v", name, try, bridge.ClassOf(err), err)
			}
		}
	}
}

func TestARefusedAcknowledgementNowAndThenIsTransient(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newScript(t, nil)
		source := s.source(nil)
		for range 5 {
			s.act = polite(strings.ReplaceAll(artemisHello, "heart-beat:10000,10000\n", ""))
			if err := source.Connect(t.Context(), 4); err != nil {
				t.Fatal(err)
			}
			<-time.After(time.Hour)
			s.mu.Lock()
			nc := s.conns[len(s.conns)-1]
			s.mu.Unlock()
			if _, err := io.WriteString(nc, "ERROR\nmessage:AMQ339018 Error acknowledging message 1,2\n\n\x00\n"); err != nil {
				t.Fatal(err)
			}
			if _, err := source.Receive(t.Context(), make([]*bridge.Delivery, 4)); bridge.ClassOf(err) != bridge.Transient {
				t.Errorf("%s %v", bridge.ClassOf(err), err)
			}
		}
		s.end()
	})
}

func TestCloseEndsWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newScript(t, func(f *frame.Frame) string {
			if f.Command == "UNSUBSCRIBE" {
				return ""
			}
			return polite(classicHello)(f)
		})
		source := s.source(nil)
		if err := source.Connect(t.Context(), 4); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		from := time.Now()
		if err := source.Close(ctx); err == nil || time.Since(from) != time.Second {
			t.Errorf("%v after %v", err, time.Since(from))
		}
		s.end()
	})
}

func TestPasswordsThatClassicReadsDifferently(t *testing.T) {
	logins := 0
	s := newScript(t, func(f *frame.Frame) string {
		if f.Command == "CONNECT" {
			logins++ // the frame library decodes escapes in CONNECT, as Classic does
			if f.Header.Get("passcode") != `a\nb` {
				return "ERROR\nmessage:User name [app] or password is invalid.\n\n\x00\nCUT"
			}
		}
		return polite(classicHello)(f)
	})
	password := `a\nb`
	source := s.source(func(set *stomp.SourceSettings) {
		set.Broker.Credentials = func(context.Context) (string, string, error) { return "app", password, nil }
	})
	if err := source.Connect(t.Context(), 1); err != nil || logins != 2 {
		t.Errorf("%v after %d logins", err, logins)
	}
	if err := source.Close(t.Context()); err != nil {
		t.Error(err)
	}
	password, logins = "wrong", 0 // read again at each connect
	if err := source.Connect(t.Context(), 1); bridge.ClassOf(err) != bridge.Fatal || logins != 1 {
		t.Errorf("%v after %d logins", err, logins)
	} else if strings.Contains(err.Error(), password) && !strings.Contains(err.Error(), "password") {
		t.Errorf("the error holds the password: %v", err)
	}
}

func credentials(username, password string) func(context.Context) (string, string, error) {
	return func(context.Context) (string, string, error) { return username, password, nil }
}
