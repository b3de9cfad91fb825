package stomp_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-stomp/stomp/v3/frame"
	"github.com/google/go-cmp/cmp"

	"github.com/jmsbridge/jmsbridge/bridge"
	"github.com/jmsbridge/jmsbridge/connectors/jms/stomp"
)

func (s *script) sink(change func(*stomp.SinkSettings)) *stomp.Sink {
	s.t.Helper()
	set := stomp.SinkSettings{Broker: s.broker(), Destination: ordersQueue}
	if change != nil {
		change(&set)
	}
	sink, err := stomp.NewSink(set)
	if err != nil {
		s.t.Fatal(err)
	}
	if err := sink.Connect(s.t.Context()); err != nil {
		s.t.Fatal(err)
	}
	return sink
}

func outgoing(bodies ...string) []bridge.Outgoing {
	out := make([]bridge.Outgoing, len(bodies))
	for i, b := range bodies {
		out[i] = bridge.Outgoing{Message: &bridge.Message{Body: bridge.NewText(b), Priority: 4}, DedupID: "dedup-" + b}
	}
	return out
}

func send(ctx context.Context, t *testing.T, s *stomp.Sink, out []bridge.Outgoing) []error {
	t.Helper()
	res := make([]bridge.Result, len(out))
	for i := range res {
		res[i].Err = bridge.ErrUnanswered
	}
	if err := s.Send(ctx, out, res); err != nil {
		t.Fatalf("the whole call: %v", err)
	}
	errs := make([]error, len(res))
	for i := range res {
		errs[i] = res[i].Err
	}
	return errs
}

// refuse answers SENDs whose body is "bad" with an ERROR.
func refuse(hello, answer string) func(*frame.Frame) string {
	return func(f *frame.Frame) string {
		if f.Command == "SEND" && string(f.Body) == "bad" {
			return strings.ReplaceAll(answer, "RECEIPT", f.Header.Get("receipt"))
		}
		return polite(hello)(f)
	}
}

func TestRefusedMessages(t *testing.T) {
	for _, tc := range []struct {
		name, hello, answer string
		class, routed       bridge.Class
		others              bool // the message behind it succeeds
	}{
		{"full queue that fails, Classic", classicHello, "ERROR\nreceipt-id:RECEIPT\nmessage:Usage Manager Memory Limit reached\n\njakarta.jms.ResourceAllocationException: x\x00\n", bridge.Throttled, bridge.Throttled, true},
		{"may not write, Classic", classicHello, "ERROR\nreceipt-id:RECEIPT\nmessage:User reader is not authorized to write to\\c queue\\c//q\n\njava.lang.SecurityException: x\x00\n", bridge.Fatal, bridge.Permanent, true},
		{"temp queue gone, Classic", classicHello, "ERROR\nreceipt-id:RECEIPT\nmessage:temp-queue\\c//ID\\cx\n\norg.apache.activemq.DestinationDoesNotExistException: x\x00\n", bridge.Permanent, bridge.Permanent, true},
		{"no such queue, Artemis", artemisHello, "ERROR\nreceipt-id:RECEIPT\nmessage:AMQ339001 Destination does not exist q\n\n\x00\nCUT", bridge.Fatal, bridge.Permanent, false},
		{"full or forbidden, Artemis", artemisHello, "ERROR\nreceipt-id:RECEIPT\nmessage:AMQ339011 Error sending message CoreMessage\n\n\x00\nCUT", bridge.Throttled, bridge.Throttled, false},
		{"a bad number, Artemis", artemisHello, "ERROR\nreceipt-id:RECEIPT\nmessage:AMQ339031 Error handling send\n\n\x00\nCUT", bridge.Permanent, bridge.Permanent, false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			for _, routed := range []string{"", "by the route", "by the message"} {
				s := newScript(t, refuse(tc.hello, tc.answer))
				out := outgoing("good", "bad", "good")
				sink := s.sink(func(set *stomp.SinkSettings) {
					switch routed {
					case "by the route":
						set.Route = func(*bridge.Outgoing) (bridge.Destination, error) { return ordersQueue, nil }
					case "by the message":
						set.Destination = bridge.Destination{}
						for i := range out {
							out[i].Message.Destination = ordersQueue
						}
					}
				})
				errs := send(t.Context(), t, sink, out)
				want := tc.class
				if routed != "" {
					want = tc.routed
				}
				if errs[0] != nil || errs[1] == nil || bridge.ClassOf(errs[1]) != want {
					t.Errorf("routed %q: %v, %s %v; want %s", routed, errs[0], bridge.ClassOf(errs[1]), errs[1], want)
				}
				if tc.others != (errs[2] == nil) {
					t.Errorf("the message behind it: %v", errs[2])
				}
				if !tc.others && (!errors.Is(errs[1], bridge.ErrNotConnected) || !errors.Is(errs[2], bridge.ErrNotConnected)) {
					t.Errorf("the connection is gone, and nobody says so: %v, %v", errs[1], errs[2])
				}
				if errs[2] != nil {
					if class := bridge.ClassOf(errs[2]); class != bridge.Ambiguous && class != bridge.Transient {
						t.Errorf("the message behind it is %s: %v", class, errs[2])
					}
				}
				_ = sink.Close(t.Context()) // may be gone
			}
		})
	}
}

func TestArtemisRefusingTwiceIsFatal(t *testing.T) {
	s := newScript(t, refuse(artemisHello, "ERROR\nreceipt-id:RECEIPT\nmessage:AMQ339011 Error sending message\n\n\x00\nCUT"))
	sink := s.sink(nil)
	for try, want := range []bridge.Class{bridge.Throttled, bridge.Fatal} {
		if errs := send(t.Context(), t, sink, outgoing("bad")); bridge.ClassOf(errs[0]) != want {
			t.Errorf("try %d: %s %v", try, bridge.ClassOf(errs[0]), errs[0])
		}
		if err := sink.Connect(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if errs := send(t.Context(), t, sink, outgoing("good")); errs[0] != nil {
		t.Fatal(errs[0])
	}
	if errs := send(t.Context(), t, sink, outgoing("bad")); bridge.ClassOf(errs[0]) != bridge.Throttled {
		t.Errorf("after a success: %s %v", bridge.ClassOf(errs[0]), errs[0])
	}
}

// A full or forbidden destination says nothing of the others.
func TestArtemisRefusingOnceEachAtManyDestinationsIsNotFatal(t *testing.T) {
	s := newScript(t, refuse(artemisHello, "ERROR\nreceipt-id:RECEIPT\nmessage:AMQ339011 Error sending message\n\n\x00\nCUT"))
	sink := s.sink(func(set *stomp.SinkSettings) { set.Destination = bridge.Destination{} })
	try := func(name, body string, want bridge.Class) {
		t.Helper()
		out := outgoing(body)
		out[0].Message.Destination = bridge.Destination{Kind: bridge.Queue, Name: name}
		err := send(t.Context(), t, sink, out)[0]
		if (err == nil) != (want == 0) || err != nil && bridge.ClassOf(err) != want {
			t.Errorf("%s: %s %v, want %s", name, bridge.ClassOf(err), err, want)
		}
		if err := sink.Connect(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	try("a", "bad", bridge.Throttled)
	try("b", "bad", bridge.Throttled)
	try("c", "good", 0)
	try("a", "bad", bridge.Permanent)
	try("b", "good", 0)
	try("b", "bad", bridge.Throttled)
	try("a", "bad", bridge.Permanent)
}

// What no frame can hold is refused before it is sent: it costs neither the connection nor the messages beside it.
func TestAMessageThatNoFrameCanHoldHarmsNoOther(t *testing.T) {
	s := newScript(t, polite(classicHello))
	sink := s.sink(nil)
	for _, m := range []*bridge.Message{{GroupID: "a\x00b"}, {CorrelationID: "\xff"}, {ReplyTo: bridge.Destination{Kind: bridge.Queue, Name: "a\x00b"}}} {
		out := outgoing("good", "bad", "good")
		m.Body = out[1].Message.Body
		out[1].Message = m
		errs := send(t.Context(), t, sink, out)
		if errs[0] != nil || errs[2] != nil || errs[1] == nil || bridge.ClassOf(errs[1]) != bridge.Permanent {
			t.Errorf("%v", errs)
		}
	}
	if err := sink.Close(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestWithheldReceiptsAreWaitedFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sends, withheld := 0, make(chan string, 10)
		s := newScript(t, func(f *frame.Frame) string {
			if f.Command == "SEND" {
				sends++
				withheld <- receiptOf(f)
				return ""
			}
			return polite("CONNECTED\nserver:ActiveMQ/6.1.7\nversion:1.2\n\n\x00")(f)
		})
		sink := s.sink(nil)
		if timeout := sink.Limits().Timeout; timeout != 0 {
			t.Errorf("a call has a timeout of %v", timeout)
		}
		done := make(chan []error)
		go func() { done <- send(t.Context(), t, sink, outgoing("a", "b")) }()
		<-time.After(time.Hour)
		remarks := strings.Join(sink.Remarks(), " ")
		if !strings.Contains(remarks, "target full") || !strings.Contains(remarks, "2 receipts") || !strings.Contains(remarks, "1h0m0s") {
			t.Errorf("remarks: %q", remarks)
		}
		s.mu.Lock()
		nc := s.conns[0]
		s.mu.Unlock()
		for range 2 {
			if _, err := nc.Write([]byte(<-withheld)); err != nil {
				t.Fatal(err)
			}
		}
		for _, err := range <-done {
			if err != nil {
				t.Error(err)
			}
		}
		if sends != 2 || len(sink.Remarks()) != 0 {
			t.Errorf("%d sends, remarks %q", sends, sink.Remarks())
		}
		if err := sink.Close(t.Context()); err != nil {
			t.Error(err)
		}
		s.end()
	})
}

func TestALostConnectionMakesAmbiguousWhatWasWritten(t *testing.T) {
	s := newScript(t, func(f *frame.Frame) string {
		if f.Command == "SEND" && string(f.Body) == "b" {
			return "CUT"
		}
		return polite(classicHello)(f)
	})
	sink := s.sink(nil)
	errs := send(t.Context(), t, sink, outgoing("a", "b"))
	if errs[0] != nil {
		t.Errorf("the receipt was there: %v", errs[0])
	}
	if bridge.ClassOf(errs[1]) != bridge.Ambiguous || !errors.Is(errs[1], bridge.ErrNotConnected) {
		t.Errorf("%s %v", bridge.ClassOf(errs[1]), errs[1])
	}
	res := make([]bridge.Result, 1)
	if err := sink.Send(t.Context(), outgoing("c"), res); !errors.Is(err, bridge.ErrNotConnected) {
		t.Errorf("the next call: %v", err)
	}
}

func TestACancelledSendGivesTheConnectionUp(t *testing.T) {
	s := newScript(t, func(f *frame.Frame) string {
		if f.Command == "SEND" {
			return ""
		}
		return polite(classicHello)(f)
	})
	sink := s.sink(nil)
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	errs := send(ctx, t, sink, outgoing("a"))
	if class := bridge.ClassOf(errs[0]); class != bridge.Ambiguous {
		t.Errorf("%s %v", class, errs[0])
	}
	if err := sink.Send(t.Context(), outgoing("a"), make([]bridge.Result, 1)); !errors.Is(err, bridge.ErrNotConnected) {
		t.Errorf("the next call: %v", err)
	}
}

func TestWhatASENDSays(t *testing.T) {
	m := &bridge.Message{
		Body: bridge.NewBytes("\x00"), CorrelationID: "c:1", Type: "t", GroupID: "g", GroupSeq: 2, Priority: 200, Persistent: true,
		ReplyTo:   bridge.Destination{Kind: bridge.TempQueue, Name: "ID:host-1:2"},
		Timestamp: time.UnixMilli(1700000000000), Expiration: time.UnixMilli(1800000000000),
		Properties: bridge.NewProperties([]bridge.Entry{{Name: "n", Value: bridge.Long(5)}, {Name: "JMSXDeliveryCount", Value: bridge.Int(3)}, {Name: "receipt", Value: bridge.String("evil")}}),
	}
	for _, tc := range []struct {
		hello string
		to    bridge.Destination
		want  map[string]string
	}{
		{classicHello, ordersQueue, map[string]string{
			"destination": "/queue/orders", "destination-type": "", "reply-to": "/remote-temp-queue/ID:host-1:2", "JMSXGroupID": "g", "JMSXGroupSeq": "2", "_AMQ_DUPL_ID": "",
			"timestamp": "1700000000000", "expires": "1800000000000", "priority": "9", "persistent": "true", "correlation-id": "c:1", "type": "t", "n": "5",
			"content-length": "1", "jmsbridge_property_types": `{"n":"long"}`, "jmsbridge_more": `{"receipt":"evil","JMSXGroupID":"g","JMSXGroupSeq":"2"}`, "JMSXDeliveryCount": "", "jmsbridge_body_type": "",
		}},
		{artemisHello, ordersQueue, map[string]string{
			"destination": "orders", "destination-type": "ANYCAST", "reply-to": "ID:host-1:2", "_AMQ_GROUP_ID": "g", "_AMQ_GROUP_SEQUENCE": "2", "_AMQ_DUPL_ID": "d1",
			"timestamp": "", "JMSXGroupID": "", "jmsbridge_body_type": "bytes", "jmsbridge_more": `{"receipt":"evil"}`,
		}},
		{classicHello, bridge.Destination{Kind: bridge.Topic, Name: "t"}, map[string]string{"destination": "/topic/t"}},
		{artemisHello, bridge.Destination{Kind: bridge.Topic, Name: "t"}, map[string]string{"destination": "t", "destination-type": "MULTICAST"}},
		{classicHello, bridge.Destination{Kind: bridge.TempQueue, Name: "ID:a:1"}, map[string]string{"destination": "/remote-temp-queue/ID:a:1"}},
		{artemisHello, bridge.Destination{Kind: bridge.TempQueue, Name: "ID:a:1"}, map[string]string{"destination": "ID:a:1", "destination-type": "ANYCAST"}},
	} {
		s := newScript(t, polite(tc.hello))
		sink := s.sink(func(set *stomp.SinkSettings) {
			set.Route = func(*bridge.Outgoing) (bridge.Destination, error) { return tc.to, nil }
		})
		if errs := send(t.Context(), t, sink, []bridge.Outgoing{{Message: m, DedupID: "d1"}}); errs[0] != nil {
			t.Fatal(errs[0])
		}
		f := s.frames[1]
		for name, want := range tc.want {
			if got := f.Header.Get(name); got != want {
				t.Errorf("%s: %s is %q, want %q", tc.to, name, got, want)
			}
		}
		if _, ok := f.Header.Contains("receipt"); !ok || len(f.Header.GetAll("receipt")) != 1 {
			t.Errorf("receipts are %q", f.Header.GetAll("receipt"))
		}
		if err := sink.Close(t.Context()); err != nil {
			t.Error(err)
		}
	}
}

// Without a destination of its own, a sink sends each message to the message's: so replies find their requesters.
func TestMessagesGoToTheirOwnDestinations(t *testing.T) {
	destinations := []bridge.Destination{
		{Kind: bridge.TempQueue, Name: "ID:host-1:2"}, {Kind: bridge.Queue, Name: "answers"}, {Kind: bridge.TempTopic, Name: "ID:host-1:3"}, {Kind: bridge.Topic, Name: "news"},
	}
	for hello, want := range map[string][]string{
		classicHello: {"/remote-temp-queue/ID:host-1:2 ", "/queue/answers ", "/remote-temp-topic/ID:host-1:3 ", "/topic/news "},
		artemisHello: {"ID:host-1:2 ANYCAST", "answers ANYCAST", "ID:host-1:3 MULTICAST", "news MULTICAST"},
	} {
		s := newScript(t, polite(hello))
		sink := s.sink(func(set *stomp.SinkSettings) { set.Destination = bridge.Destination{} })
		out := outgoing("0", "1", "2", "3", "nowhere", "kind", "composite", "composite temporary", "wildcard", "option", "lines")
		for i, d := range append(slices.Clone(destinations), []bridge.Destination{
			{},
			{Kind: bridge.Queue},
			{Kind: bridge.Queue, Name: "a,b"},
			{Kind: bridge.TempQueue, Name: "ID:a,queue://b"},
			{Kind: bridge.Queue, Name: "a.>"},
			{Kind: bridge.TempTopic, Name: "ID:a?x=1"},
			{Kind: bridge.TempQueue, Name: "a\nb"},
		}...) {
			out[i].Message.Destination = d
		}
		var got []string
		for i, err := range send(t.Context(), t, sink, out) {
			switch {
			case i < len(destinations) && err != nil:
				t.Errorf("%s: %v", destinations[i], err)
			case i >= len(destinations) && (err == nil || bridge.ClassOf(err) != bridge.Permanent || bridge.AsError(err).Code != "destination"):
				t.Errorf("%s: %s %v, want permanent", out[i].Message.Body.Data(), bridge.ClassOf(err), err)
			}
		}
		for _, f := range s.frames[1:] {
			got = append(got, f.Header.Get("destination")+" "+f.Header.Get("destination-type"))
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Error(diff)
		}
		if err := sink.Close(t.Context()); err != nil {
			t.Error(err)
		}
	}
}

func TestForbiddenDestinationsOfARoute(t *testing.T) {
	s := newScript(t, polite(classicHello))
	for _, name := range []string{"", "a,b", "a.>", "a.*", "a?x=1", "a\nb", "a#"} {
		sink := s.sink(func(set *stomp.SinkSettings) {
			set.Route = func(*bridge.Outgoing) (bridge.Destination, error) {
				return bridge.Destination{Kind: bridge.Queue, Name: name}, nil
			}
		})
		if errs := send(t.Context(), t, sink, outgoing("x")); bridge.ClassOf(errs[0]) != bridge.Permanent || errs[0] == nil {
			t.Errorf("%q: %v", name, errs[0])
		}
		if err := sink.Close(t.Context()); err != nil {
			t.Error(err)
		}
		if _, err := stomp.NewSink(stomp.SinkSettings{Broker: s.broker(), Destination: bridge.Destination{Kind: bridge.Queue, Name: name}}); err == nil {
			t.Errorf("%q is taken as a fixed destination", name)
		}
	}
}

func TestARouteThatKnowsNoDestination(t *testing.T) {
	s := newScript(t, polite(classicHello))
	for _, tc := range []struct {
		err  error
		want bridge.Class
	}{{errors.New("no such property"), bridge.Permanent}, {bridge.Errorf(bridge.Transient, "later"), bridge.Transient}} {
		sink := s.sink(func(set *stomp.SinkSettings) {
			set.Route = func(*bridge.Outgoing) (bridge.Destination, error) { return bridge.Destination{}, tc.err }
		})
		if errs := send(t.Context(), t, sink, outgoing("x")); bridge.ClassOf(errs[0]) != tc.want || !errors.Is(errs[0], tc.err) {
			t.Errorf("%s %v, want %s", bridge.ClassOf(errs[0]), errs[0], tc.want)
		}
		if err := sink.Close(t.Context()); err != nil {
			t.Error(err)
		}
	}
}

func TestClassicsLimitsAreKept(t *testing.T) {
	many := make([]bridge.Entry, 1000)
	for i := range many {
		many[i] = bridge.Entry{Name: strings.Repeat("p", 1+i%50) + strings.Repeat("q", i/50), Value: bridge.String("")}
	}
	for name, m := range map[string]*bridge.Message{
		"a long value":       {Properties: bridge.NewProperties([]bridge.Entry{{Name: "long", Value: bridge.String(strings.Repeat("x", 10240))}})},
		"a long correlation": {CorrelationID: strings.Repeat("x", 10240)},
		"many properties":    {Properties: bridge.NewProperties(many)},
		"a large body":       {Body: bridge.NewBytes(strings.Repeat("x", 100<<20+1))},
	} {
		s := newScript(t, polite(classicHello))
		sink := s.sink(nil)
		errs := send(t.Context(), t, sink, append([]bridge.Outgoing{{Message: m}}, outgoing("good")...))
		if bridge.ClassOf(errs[0]) != bridge.Permanent || errs[0] == nil || errs[1] != nil {
			t.Errorf("%s: %v, and the next %v", name, errs[0], errs[1])
		}
		if err := sink.Close(t.Context()); err != nil {
			t.Error(err)
		}
	}
}
