package reply_test

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/jmsbridge/jmsbridge/bridge"
	"github.com/jmsbridge/jmsbridge/bridge/reply"
)

var (
	keyA = bytes.Repeat([]byte("a"), reply.MinKey)
	keyB = bytes.Repeat([]byte("b"), reply.MinKey)
	noon = time.UnixMilli(1795341276729).UTC()
)

func sealer(t testing.TB, keys ...[]byte) *reply.Sealer {
	t.Helper()
	s, err := reply.NewSealer(keys...)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func token() *reply.Token {
	return &reply.Token{
		Destination: bridge.Destination{Kind: bridge.TempQueue, Name: "ID:host-1:1:1"}, CorrelationID: "c-17", RequestKey: "ID:1",
		Persistent: true, Priority: 9, Deadline: noon, Route: "prices", Broker: "mq",
	}
}

func TestATokenSurvivesTheRoundTrip(t *testing.T) {
	s := sealer(t, keyA)
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.String()
		want := &reply.Token{
			Destination:   bridge.Destination{Kind: bridge.DestinationKind(rapid.IntRange(0, 4).Draw(t, "kind")), Name: text.Draw(t, "name")},
			CorrelationID: text.Draw(t, "correlation"), RequestKey: text.Draw(t, "request"), Persistent: rapid.Bool().Draw(t, "persistent"),
			Priority: rapid.Uint8().Draw(t, "priority"), Deadline: time.UnixMilli(rapid.Int64Range(-1<<40, 1<<45).Draw(t, "deadline")).UTC(),
			Route: text.Draw(t, "route"), Broker: text.Draw(t, "broker"),
		}
		sealed := s.Seal(want)
		if strings.Trim(sealed, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_") != "" {
			t.Fatalf("%q is no text that every queue takes", sealed)
		}
		got, err := s.Open(sealed)
		if err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(want, got); d != "" {
			t.Fatal(d)
		}
	})
}

func TestTwoTokensOfOneRequestDiffer(t *testing.T) {
	s := sealer(t, keyA)
	if one, other := s.Seal(token()), s.Seal(token()); one == other {
		t.Error("a token can be told from its content")
	}
}

func TestTheFirstKeySealsAndAllOpen(t *testing.T) {
	old, both, renewed := sealer(t, keyA), sealer(t, keyB, keyA), sealer(t, keyB)
	if _, err := both.Open(old.Seal(token())); err != nil {
		t.Errorf("a token of the old key: %v", err)
	}
	if _, err := renewed.Open(both.Seal(token())); err != nil {
		t.Errorf("a token of the new key: %v", err)
	}
	if _, err := renewed.Open(old.Seal(token())); err == nil {
		t.Error("a token of a key that is dropped was opened")
	}
}

func TestAForgedTokenIsRefused(t *testing.T) {
	s := sealer(t, keyA)
	good := s.Seal(token())
	forged := map[string]string{
		"empty": "", "of a stranger": sealer(t, keyB).Seal(token()), "no base64": "***", "cut": good[:len(good)-4], "short": "AQ",
		"longer": good + "AAAA", "huge": strings.Repeat("A", 1<<20), "an ordinary id": "c-17",
	}
	for i := range len(good) {
		c := byte('A')
		if good[i] == c {
			c = 'B'
		}
		forged["changed at "+good[:i]] = good[:i] + string(c) + good[i+1:]
	}
	for name, text := range forged {
		if _, err := s.Open(text); bridge.ClassOf(err) != bridge.Permanent || err == nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// Several texts of base64 can stand for the same bytes. One token has one text, which names the exchange of a request
// without a key: a responder that varies it would answer twice.
func TestATokenHasOneText(t *testing.T) {
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
	s := sealer(t, keyA)
	for n := range 3 { // the spare bits of the last character depend on the length
		good := token()
		good.CorrelationID = strings.Repeat("c", n)
		text := s.Seal(good)
		for _, c := range alphabet {
			if other := text[:len(text)-1] + string(c); other != text {
				if _, err := s.Open(other); err == nil {
					t.Errorf("the last character of %q may also be %q", text, c)
				}
			}
		}
	}
}

func TestAShortOrMissingKeyIsRefused(t *testing.T) {
	for _, keys := range [][][]byte{{}, {nil}, {keyA[:31]}, {keyA, keyB[:1]}} {
		if _, err := reply.NewSealer(keys...); err == nil {
			t.Errorf("keys of %d were taken", len(keys))
		}
	}
}

func FuzzOpen(f *testing.F) {
	s := sealer(f, keyA)
	good := s.Seal(token())
	f.Add(good)
	f.Add("")
	f.Fuzz(func(t *testing.T, text string) {
		if _, err := s.Open(text); err == nil && text != good {
			t.Errorf("%q was opened, and nobody has sealed it", text)
		}
	})
}

func BenchmarkToken(b *testing.B) {
	s := sealer(b, keyA)
	b.Run("seal", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			s.Seal(token())
		}
	})
	sealed := s.Seal(token())
	b.Run("open", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			_, _ = s.Open(sealed)
		}
	})
}

func destination(t testing.TB, text string) bridge.Destination {
	word, name, _ := strings.Cut(text, ":")
	for k := bridge.Queue; k <= bridge.TempTopic; k++ {
		if k.String() == word {
			return bridge.Destination{Kind: k, Name: name}
		}
	}
	t.Fatalf("%q", text)
	return bridge.Destination{}
}

func TestRepliesGoOnlyWhereTheyMay(t *testing.T) {
	a, err := reply.ParseAllow([]string{"temp-queue:*", "queue:REPLY.*", "queue:exact", "queue:a*b*c"}, destination(t, "queue:REPLY.requests"))
	if err != nil {
		t.Fatal(err)
	}
	for text, want := range map[string]bool{
		"temp-queue:ID:host-1:1:1":                  true,
		"temp-queue:3b6f5e1e-uuid":                  true,
		"queue:REPLY.app":                           true,
		"queue:REPLY.":                              true,
		"queue:exact":                               true,
		"queue:aXbYc":                               true,
		"queue:abcbc":                               true,
		"queue:ac":                                  false,
		"queue:exactly":                             false,
		"queue:orders":                              false,
		"topic:REPLY.app":                           false,
		"temp-topic:x":                              false,
		"queue:REPLY.requests":                      false, // the route's own source
		"queue:REPLY.a,orders":                      false, // composite
		"queue:REPLY.>":                             false,
		"queue:REPLY.*":                             false,
		"queue:REPLY.#":                             false,
		"queue:REPLY.a?consumer.exclusive=true":     false,
		"queue:REPLY.a::other":                      false,
		"queue:REPLY.queue://orders":                false,
		"queue:/queue/REPLY.a":                      false,
		"queue:ActiveMQ.Advisory.x":                 false,
		"queue:ActiveMQ.DLQ":                        false,
		"queue:$sys.mqtt":                           false,
		"temp-queue:$sys.mqtt":                      false,
		"queue:aXbYcZ":                              false,
		"queue:REPLY.\nx":                           false,
		"temp-queue:ID:host-1:1:1,queue://payments": false,
		"queue:":                                    false,
	} {
		err := a.Check(destination(t, text))
		if (err == nil) != want {
			t.Errorf("%s: %v", text, err)
		}
		if err != nil && (bridge.ClassOf(err) != bridge.Permanent || bridge.AsError(err).Code != bridge.CodeReplyRefused) {
			t.Errorf("%s: %#v", text, err)
		}
	}
	for _, bad := range []string{"", "REPLY.*", "queue:", "queues:x", "topic"} {
		if _, err := reply.ParseAllow([]string{bad}); err == nil {
			t.Errorf("%q was taken for a pattern", bad)
		}
	}
}

func maker(t testing.TB, f reply.Format, result bool) *reply.Maker {
	a, err := reply.ParseAllow([]string{"temp-queue:*"})
	if err != nil {
		t.Fatal(err)
	}
	return &reply.Maker{Allow: a, Format: f, Result: result}
}

func request() *bridge.Message {
	return &bridge.Message{
		Key: "k", ID: "ID:1", CorrelationID: "c", ReplyTo: bridge.Destination{Kind: bridge.TempQueue, Name: "t"}, Priority: 7, Persistent: true,
	}
}

func TestWhatAFunctionReturnsBecomesTheBody(t *testing.T) {
	for result, want := range map[string]bridge.Body{
		`"hello"`:                                bridge.NewText("hello"),
		` "h\u00e9" `:                            bridge.NewText("hé"),
		`{"price": 17}`:                          bridge.NewText(`{"price": 17}`),
		`[1,2]`:                                  bridge.NewText(`[1,2]`),
		`17.50`:                                  bridge.NewText(`17.50`),
		`true`:                                   bridge.NewText(`true`),
		`null`:                                   bridge.NewText(""),
		``:                                       bridge.NewText(""),
		`<answer/>`:                              bridge.NewText(`<answer/>`),
		`{"body":"x","isBase64Encoded":false}`:   bridge.NewText("x"),
		`{"body":"/w==","isBase64Encoded":true}`: bridge.NewBytes("\xff"),
		`{"body":"x"}`:                           bridge.NewText(`{"body":"x"}`),
		`{"body":{"a":1},"isBase64Encoded":false}`: bridge.NewText(`{"body":{"a":1},"isBase64Encoded":false}`),
	} {
		m, err := maker(t, reply.FormatBody, true).Reply(request(), &bridge.Message{Body: bridge.NewText(result)}, noon)
		if err != nil || !m.Body.Equal(want) {
			t.Errorf("%s became %v %q, %v", result, m.Body.Kind(), m.Body.Data(), err)
		}
	}
	if _, err := maker(t, reply.FormatBody, true).Reply(request(), &bridge.Message{Body: bridge.NewText(`{"body":"*","isBase64Encoded":true}`)}, noon); err == nil {
		t.Error("what is no base64 was taken for it")
	}
	m, err := maker(t, reply.FormatBody, false).Reply(request(), &bridge.Message{Body: bridge.NewText(`"quoted"`)}, noon)
	if err != nil || m.Body.Data() != `"quoted"` {
		t.Errorf("a message's body became %q, %v", m.Body.Data(), err)
	}
}

func TestAReplyIsCorrelatedAsJMSSays(t *testing.T) {
	k := maker(t, reply.FormatBody, true)
	answer := &bridge.Message{Body: bridge.NewText("x")}
	m, err := k.Reply(request(), answer, noon)
	want := &bridge.Message{
		Key: "k", Destination: bridge.Destination{Kind: bridge.TempQueue, Name: "t"}, CorrelationID: "c", Expiration: noon,
		Priority: 7, Persistent: true, Body: bridge.NewText("x"),
	}
	if d := cmp.Diff(want, m, cmp.Comparer(bridge.Body.Equal), cmp.Comparer(bridge.Properties.Equal)); err != nil || d != "" {
		t.Error(err, d)
	}
	r := request()
	r.CorrelationID = ""
	if m, _ := k.Reply(r, answer, noon); m.CorrelationID != "ID:1" {
		t.Errorf("without a correlation id: %q", m.CorrelationID)
	}
	r.ReplyTo = bridge.Destination{}
	if m, err := k.Reply(r, answer, noon); m != nil || err != nil {
		t.Errorf("without JMSReplyTo: %v, %v", m, err)
	}
	r.ReplyTo = bridge.Destination{Kind: bridge.Queue, Name: "payments"}
	if _, err := k.Reply(r, answer, noon); bridge.AsError(err).Code != bridge.CodeReplyRefused {
		t.Errorf("to a queue that is not allowed: %v", err)
	}
}

func TestAnAnswerCanBeAWholeMessage(t *testing.T) {
	k := maker(t, reply.FormatEnvelope, true)
	soon := noon.Add(-time.Second)
	text := `{"type":"quote","priority":2,"persistent":false,"expiration":"` + soon.Format("2006-01-02T15:04:05.000Z") +
		`","correlation_id":"forged","destination":"queue:payments","properties":{"amount":5},"property_types":{"amount":"long"},"body":"17"}`
	m, err := k.Reply(request(), &bridge.Message{Body: bridge.NewText(text)}, noon)
	if err != nil {
		t.Fatal(err)
	}
	amount, _ := m.Properties.Lookup("amount")
	if m.Type != "quote" || m.Priority != 2 || m.Persistent || !m.Expiration.Equal(soon) || m.CorrelationID != "c" || m.Destination.Name != "t" ||
		!amount.Equal(bridge.Long(5)) || m.Body.Data() != "17" {
		t.Errorf("%+v", m)
	}
	if m, err = k.Reply(request(), &bridge.Message{Body: bridge.NewText(`{"body":"x","expiration":"2099-01-01T00:00:00.000Z"}`)}, noon); err != nil || !m.Expiration.Equal(noon) {
		t.Errorf("an expiration beyond the requester's patience: %v, %v", m, err)
	}
	if _, err = k.Reply(request(), &bridge.Message{Body: bridge.NewText("not an envelope")}, noon); bridge.ClassOf(err) != bridge.Permanent || err == nil {
		t.Errorf("no envelope: %v", err)
	}
}

func TestAFaultTellsAClientWhatToTest(t *testing.T) {
	m, err := maker(t, reply.FormatBody, true).Fault(request(), bridge.Failure{Class: bridge.Permanent, Code: "FunctionError", Text: "it broke"}, noon)
	if err != nil {
		t.Fatal(err)
	}
	flag, _ := m.Properties.Lookup(reply.FaultProperty)
	code, _ := m.Properties.Lookup(reply.FaultCode)
	if !flag.Bool() || code.Str() != "FunctionError" || m.Body.Data() != "it broke" || m.CorrelationID != "c" || !m.Expiration.Equal(noon) {
		t.Errorf("%+v", m)
	}
}

func TestTheWayBackOpensWhatTheWayThereSealed(t *testing.T) {
	s, k := sealer(t, keyA), maker(t, reply.FormatBody, false)
	asker := &reply.Asker{Sealer: s, Allow: k.Allow, QueueURL: func() string { return "url" }, Timeout: time.Minute, Route: "prices", Broker: "mq"}
	ask, err := asker.Ask(request(), time.Now())
	if err != nil || ask.QueueURL != "url" || time.Until(ask.Deadline) > time.Minute {
		t.Fatalf("%+v, %v", ask, err)
	}
	forged, late := 0, 0
	open := &reply.Opened{Maker: k, Sealer: s, Route: "prices", Forged: func() { forged++ }, Late: func() { late++ }}
	answer := &bridge.Message{CorrelationID: ask.CorrelationID, Body: bridge.NewText("17")}
	m, err := open.Process(t.Context(), answer)
	if err != nil || m.CorrelationID != "c" || m.Destination.Name != "t" || !m.Persistent || m.Priority != 7 || m.Body.Data() != "17" {
		t.Errorf("%+v, %v", m, err)
	}
	r := request()
	r.Expiration = time.Now().Add(-time.Second)
	if ask, err = asker.Ask(r, time.Now()); err != nil {
		t.Fatal(err)
	}
	if m, err = open.Process(t.Context(), &bridge.Message{CorrelationID: ask.CorrelationID}); m != nil || err != nil || late != 1 {
		t.Errorf("a late answer: %v, %v, %d", m, err, late)
	}
	foreign := &reply.Asker{Sealer: s, Allow: k.Allow, QueueURL: asker.QueueURL, Timeout: time.Minute, Route: "other"}
	if ask, err = foreign.Ask(request(), time.Now()); err != nil {
		t.Fatal(err)
	}
	for _, id := range []string{ask.CorrelationID, "", "c"} {
		if _, err = open.Process(t.Context(), &bridge.Message{CorrelationID: id}); bridge.ClassOf(err) != bridge.Permanent || err == nil {
			t.Errorf("%q was opened: %v", id, err)
		}
	}
	if forged != 3 {
		t.Errorf("%d forged ones counted", forged)
	}
	r = request()
	r.CorrelationID = ""
	received := time.Now().Add(-20 * time.Second)
	if ask, err = asker.Ask(r, received); err != nil || !ask.Deadline.Equal(received.Add(time.Minute)) {
		t.Errorf("the time runs from the receipt: %+v, %v", ask, err)
	}
	if m, err = open.Process(t.Context(), &bridge.Message{CorrelationID: ask.CorrelationID}); err != nil || m.CorrelationID != r.ID {
		t.Errorf("a request without a correlation id: %+v, %v", m, err)
	}
	r = request()
	r.ReplyTo = bridge.Destination{Kind: bridge.Queue, Name: "payments"}
	if _, err = asker.Ask(r, time.Now()); bridge.AsError(err).Code != bridge.CodeReplyRefused {
		t.Errorf("a destination that is not allowed: %v", err)
	}
}

func TestARequestWhoseReplyMayNotGoThereIsNotSent(t *testing.T) {
	g := reply.Gate{Allow: maker(t, reply.FormatBody, false).Allow}
	r := request()
	if m, err := g.Process(t.Context(), r); m != r || err != nil {
		t.Errorf("%v, %v", m, err)
	}
	r.ReplyTo = bridge.Destination{Kind: bridge.Queue, Name: "payments"}
	if m, err := g.Process(t.Context(), r); m != nil || bridge.AsError(err).Code != bridge.CodeReplyRefused {
		t.Errorf("%v, %v", m, err)
	}
	r.ReplyTo = bridge.Destination{}
	if m, err := g.Process(t.Context(), r); m != r || err != nil {
		t.Errorf("one-way: %v, %v", m, err)
	}
}

func TestARequestKeepsItsReplyDestinationToItself(t *testing.T) {
	r := request()
	m, err := reply.Hidden{}.Process(t.Context(), r)
	if err != nil || !m.ReplyTo.IsZero() || m.CorrelationID != "" || m.ID != "ID:1" || r.CorrelationID != "c" {
		t.Errorf("%+v, %v", m, err)
	}
	r.ReplyTo = bridge.Destination{}
	if m, _ = (reply.Hidden{}).Process(t.Context(), r); m != r {
		t.Error("a message that wants no reply was changed")
	}
}

// A request that is asked again, for a bridge died before it could settle it, has another token and the same exchange.
func TestBothAskingsOfARequestAreOneExchange(t *testing.T) {
	s, allow := sealer(t, keyA), allowAll(t)
	asker := &reply.Asker{Sealer: s, Allow: allow, QueueURL: func() string { return "q" }, Timeout: time.Minute, Route: "prices"}
	open := &reply.Opened{Maker: &reply.Maker{Allow: allow}, Sealer: s, Route: "prices"}
	exchangeTo := func(key, correlation, to string) string {
		ask, err := asker.Ask(&bridge.Message{
			Key: key, CorrelationID: correlation, ReplyTo: bridge.Destination{Kind: bridge.TempQueue, Name: to},
		}, time.Now())
		if err != nil {
			t.Fatal(err)
		}
		m, err := open.Process(t.Context(), &bridge.Message{CorrelationID: ask.CorrelationID})
		if err != nil || m == nil {
			t.Fatalf("%v, %v", m, err)
		}
		return m.Key
	}
	exchange := func(key, correlation string) string { return exchangeTo(key, correlation, "t") }
	if first, again := exchange("key", "c"), exchange("key", "c"); first != again {
		t.Errorf("one request, and the exchanges %q and %q", first, again)
	}
	others := map[string]bool{}
	for _, key := range []string{"key", "other", "", ""} { // without a key the token tells them apart
		others[exchange(key, "c")] = true
	}
	// A sender may use a message id again.
	others[exchange("key", "d")], others[exchangeTo("key", "c", "u")] = true, true
	if len(others) != 6 {
		t.Errorf("six requests are %d exchanges", len(others))
	}
}

func allowAll(t testing.TB) *reply.Allow {
	t.Helper()
	a, err := reply.ParseAllow([]string{"temp-queue:*"})
	if err != nil {
		t.Fatal(err)
	}
	return a
}
