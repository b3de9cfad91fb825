package sourcetest

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/jmsbridge/jmsbridge/bridge"
)

// RunSink runs the suite for sinks that produce to a broker: what they send is read back by a source of the harness.
func RunSink(t *testing.T, h Harness) {
	for _, tc := range []struct {
		name string
		run  func(*testing.T, Harness)
	}{
		{"a hop loses nothing", hop},
		{"what was sent is kept by the broker", sentIsKept},
		{"a batch keeps its order", batchOrder},
		{"calls run at once", manyCalls},
		{"what can't be sent is permanent and the others go", unsendable},
		{"the engine's properties are added and win", extraProperties},
		{"names of the broker's own are not passed on", foreignNames},
		{"sending unconnected says so", sendUnconnected},
		{"a lost connection is told and mended by connect", sinkLost},
		{"limits make sense", limits},
		{"size is an upper bound and refuses what can't be sent", size},
	} {
		t.Run(tc.name, func(t *testing.T) { tc.run(t, h) })
	}
}

func connectSink(t testing.TB, s bridge.Sink) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if err := s.Connect(ctx); err != nil {
		t.Fatalf("connecting: %v", err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		_ = s.Close(ctx) // a test may have dropped the connection
	})
}

// send sends messages and returns what became of each.
func send(t testing.TB, s bridge.Sink, out ...bridge.Outgoing) ([]error, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	res := make([]bridge.Result, len(out))
	for i := range res {
		res[i].Err = bridge.ErrUnanswered
	}
	err := s.Send(ctx, out, res)
	errs := make([]error, len(res))
	for i := range res {
		errs[i] = res[i].Err
	}
	return errs, err
}

func mustSend(t testing.TB, s bridge.Sink, messages ...bridge.Message) {
	t.Helper()
	out := make([]bridge.Outgoing, len(messages))
	for i := range messages {
		out[i] = bridge.Outgoing{Message: &messages[i], Attempt: 1}
	}
	errs, err := send(t, s, out...)
	if err != nil {
		t.Fatalf("sending: %v", err)
	}
	for i, err := range errs {
		if err != nil {
			t.Fatalf("sending message %d: %v", i, err)
		}
	}
}

// typed has a property of every type.
var typed = []bridge.Entry{
	{Name: "yes", Value: bridge.Boolean(true)},
	{Name: "no", Value: bridge.Boolean(false)},
	{Name: "byte", Value: bridge.Byte(math.MinInt8)},
	{Name: "short", Value: bridge.Short(math.MaxInt16)},
	{Name: "int", Value: bridge.Int(math.MinInt32)},
	{Name: "long", Value: bridge.Long(math.MaxInt64)},
	{Name: "float", Value: bridge.Float(0.1)},
	{Name: "double", Value: bridge.Double(-1e300)},
	{Name: "nan", Value: bridge.Double(math.NaN())},
	{Name: "inf", Value: bridge.Float(float32(math.Inf(-1)))},
	{Name: "negativeZero", Value: bridge.Double(math.Copysign(0, -1))},
	{Name: "char", Value: bridge.Char('é')},
	{Name: "half", Value: bridge.Char(0xD83D)},
	{Name: "colon", Value: bridge.Char(':')},
	{Name: "null", Value: bridge.Null()},
	{Name: "bytes", Value: bridge.Bytes("\x00\xff")},
	{Name: "string", Value: bridge.String("1")},
	{Name: "emoji", Value: bridge.String("😀")},
	{Name: "nul", Value: bridge.String("a\x00b")},
	{Name: "destination", Value: bridge.String("/queue/elsewhere")},
	{Name: "content-length", Value: bridge.String("5")},
	{Name: "receipt", Value: bridge.Int(7)},
	{Name: "with:colon", Value: bridge.String("x")},
	{Name: "with space", Value: bridge.String("x")},
	{Name: "x-dash.dot", Value: bridge.String("x")},
	{Name: "transaction", Value: bridge.String("tx")},
}

// hop compares what went in with what comes out, key, id and timestamp apart.
func hop(t *testing.T, h Harness) {
	all := []bridge.Message{
		{Body: bridge.NewText("text")},
		{Body: bridge.NewText("")},
		{Body: bridge.NewText("Grüße, 世界, 😀\n:\\")},
		{Body: bridge.NewBytes("")},
		{Body: bridge.NewBytes("looks like text")},
		{Body: bridge.NewBytes("\x00\xff\n")},
		{},
		{Body: bridge.NewText("typed"), Properties: bridge.NewProperties(typed)},
		{Body: bridge.NewText("odd"), Properties: bridge.NewProperties(odd)},
		{
			Body: bridge.NewText("headers"), CorrelationID: "ID:x:1\nq", Type: "t:1", Priority: 7, Persistent: true, GroupID: "g:1", GroupSeq: 3,
			Expiration: time.Now().Add(time.Hour).Truncate(time.Millisecond).UTC(),
			ReplyTo:    bridge.Destination{Kind: bridge.Queue, Name: "answers"},
		},
	}
	if h.NULInText {
		all = append(all, bridge.Message{Body: bridge.NewText("nul \x00 within\x00\n")})
	}
	q := queue()
	sink := h.Sink(t, q)
	connectSink(t, sink)
	mustSend(t, sink, all...)
	s := h.Source(t, q, Options{})
	connect(t, s, 100)
	got := receive(t, s, len(all))
	byPriority := func(i int) int { // brokers may sort by priority: the one with 7 is found by its body
		for j, d := range got {
			if d.Message.Body.Equal(all[i].Body) && d.Message.Priority == all[i].Priority {
				return j
			}
		}
		return -1
	}
	for i, want := range all {
		t.Run(fmt.Sprintf("%s %.20q", want.Body.Kind(), want.Body.Data()), func(t *testing.T) {
			j := byPriority(i)
			if j < 0 {
				t.Fatalf("%s %.80q is not among what came", want.Body.Kind(), want.Body.Data())
			}
			if got[j].Hold != nil {
				t.Fatalf("held: %v", got[j].Hold)
			}
			want.Destination = q
			compare(t, h, want, got[j].Message)
		})
	}
	accept(t, got...)
	depth(t, h, q, 0)
}

func sentIsKept(t *testing.T, h Harness) {
	q := queue()
	sink := h.Sink(t, q)
	connectSink(t, sink)
	mustSend(t, sink, texts(30)...)
	depth(t, h, q, 30)
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if err := sink.Close(ctx); err != nil {
		t.Errorf("closing: %v", err)
	}
	if err := sink.Close(ctx); err != nil {
		t.Errorf("closing twice: %v", err)
	}
	depth(t, h, q, 30)
}

func batchOrder(t *testing.T, h Harness) {
	q := queue()
	sink := h.Sink(t, q)
	connectSink(t, sink)
	const n = 150 // Classic fills a prefetch by 200 at a time, and goes on with the next acknowledgement
	mustSend(t, sink, texts(n)...)
	s := h.Source(t, q, Options{})
	connect(t, s, n)
	for i, d := range receive(t, s, n) {
		if got := d.Message.Body.Data(); got != fmt.Sprint(i) {
			t.Fatalf("message %d is %q", i, got)
		}
		accept(t, d)
	}
}

func manyCalls(t *testing.T, h Harness) {
	q := queue()
	sink := h.Sink(t, q)
	connectSink(t, sink)
	var wg sync.WaitGroup
	calls := sink.Limits().Calls
	for range calls {
		wg.Go(func() {
			all := texts(20)
			out := make([]bridge.Outgoing, len(all))
			for i := range all {
				out[i].Message = &all[i]
			}
			errs, err := send(t, sink, out...)
			if err := errors.Join(append(errs, err)...); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	depth(t, h, q, 20*calls)
}

func unsendable(t *testing.T, h Harness) {
	q := queue()
	sink := h.Sink(t, q)
	connectSink(t, sink)
	good := bridge.Message{Body: bridge.NewText("good"), Persistent: true}
	bad := []bridge.Message{
		{Body: bridge.NewMap([]bridge.Entry{{Name: "a", Value: bridge.Int(1)}})},
		{Body: bridge.NewStream([]bridge.Value{bridge.Int(1)})},
		{Body: bridge.NewObject("\xac\xed")},
		{Body: bridge.NewText("not \xff UTF-8")},
		{Properties: bridge.NewProperties([]bridge.Entry{{Name: "m", Value: bridge.MapValue(nil)}})},
	}
	if !h.NULInText {
		bad = append(bad, bridge.Message{Body: bridge.NewText("a\x00b")})
	}
	out := []bridge.Outgoing{{Message: &good}}
	for i := range bad {
		out = append(out, bridge.Outgoing{Message: &bad[i]}, bridge.Outgoing{Message: &good})
	}
	errs, err := send(t, sink, out...)
	if err != nil {
		t.Fatal(err)
	}
	for i, err := range errs {
		if i%2 == 0 && err != nil {
			t.Errorf("a good message: %v", err)
		}
		if i%2 == 1 && (err == nil || bridge.ClassOf(err) != bridge.Permanent) {
			t.Errorf("%s %q: %v, want permanent", out[i].Message.Body.Kind(), out[i].Message.Body.Data(), err)
		}
	}
	depth(t, h, q, len(bad)+1)
}

func extraProperties(t *testing.T, h Harness) {
	q := queue()
	sink := h.Sink(t, q)
	connectSink(t, sink)
	m := bridge.Message{Body: bridge.NewText("x"), Properties: bridge.NewProperties([]bridge.Entry{
		{Name: "own", Value: bridge.Int(1)}, {Name: "both", Value: bridge.Long(1)},
	})}
	errs, err := send(t, sink, bridge.Outgoing{Message: &m, Extra: bridge.NewProperties([]bridge.Entry{
		{Name: "both", Value: bridge.String("engine")}, {Name: "jmsbridge_reason", Value: bridge.String("why:\n" + strings.Repeat("x", 2000))},
	})})
	if err := errors.Join(append(errs, err)...); err != nil {
		t.Fatal(err)
	}
	s := h.Source(t, q, Options{})
	connect(t, s, 1)
	d := receive(t, s, 1)[0]
	want := bridge.NewProperties([]bridge.Entry{
		{Name: "own", Value: bridge.Int(1)},
		{Name: "both", Value: bridge.String("engine")},
		{Name: "jmsbridge_reason", Value: bridge.String("why:\n" + strings.Repeat("x", 2000))},
	})
	if !d.Message.Properties.Equal(want) {
		t.Error(cmp.Diff(dump(want), dump(d.Message.Properties)))
	}
	accept(t, d)
}

func foreignNames(t *testing.T, h Harness) {
	q := queue()
	sink := h.Sink(t, q)
	connectSink(t, sink)
	mustSend(t, sink, bridge.Message{Body: bridge.NewText("x"), UserID: "somebody", Properties: bridge.NewProperties([]bridge.Entry{
		{Name: "JMSXDeliveryCount", Value: bridge.Int(9)},
		{Name: "JMSXUserID", Value: bridge.String("root")},
		{Name: "kept", Value: bridge.String("yes")},
	})})
	s := h.Source(t, q, Options{})
	connect(t, s, 1)
	d := receive(t, s, 1)[0]
	want := bridge.NewProperties([]bridge.Entry{{Name: "kept", Value: bridge.String("yes")}})
	if !d.Message.Properties.Equal(want) || d.Message.UserID == "root" || d.Message.DeliveryCount > 1 {
		t.Errorf("%v, user %q, count %d", dump(d.Message.Properties), d.Message.UserID, d.Message.DeliveryCount)
	}
	accept(t, d)
}

func sendUnconnected(t *testing.T, h Harness) {
	sink := h.Sink(t, queue())
	if _, err := send(t, sink, bridge.Outgoing{Message: &bridge.Message{}}); !errors.Is(err, bridge.ErrNotConnected) {
		t.Errorf("Send = %v, want ErrNotConnected", err)
	}
	if err := sink.Close(t.Context()); err != nil {
		t.Error(err)
	}
}

func sinkLost(t *testing.T, h Harness) {
	q := queue()
	sink := h.Sink(t, q)
	connectSink(t, sink)
	mustSend(t, sink, texts(1)...)
	h.Drop(t)
	m := texts(1)[0]
	for end := time.Now().Add(patience); ; {
		errs, err := send(t, sink, bridge.Outgoing{Message: &m})
		failure := errors.Join(append(errs, err)...)
		if failure == nil {
			t.Fatal("a message was confirmed on a dropped connection")
		}
		if class := bridge.ClassOf(failure); class != bridge.Transient && class != bridge.Ambiguous {
			t.Errorf("%v is %s", failure, class)
		}
		if errors.Is(failure, bridge.ErrNotConnected) {
			break
		}
		if time.Now().After(end) {
			t.Fatalf("the connection is never told to be gone: %v", failure)
		}
	}
	connectSink(t, sink)
	mustSend(t, sink, texts(2)...)
}

func limits(t *testing.T, h Harness) {
	sink := h.Sink(t, queue())
	connectSink(t, sink)
	l := sink.Limits()
	if l.Messages < 1 || l.Calls < 1 || l.Run != 1 || l.Linger != 0 {
		t.Errorf("%+v", l)
	}
}

func size(t *testing.T, h Harness) {
	sink := h.Sink(t, queue())
	connectSink(t, sink)
	body := strings.Repeat(":", 5000)
	n, err := sink.Size(&bridge.Outgoing{Message: &bridge.Message{Body: bridge.NewText(body), Properties: bridge.NewProperties(typed)}})
	if err != nil || n < len(body) {
		t.Errorf("Size = %d, %v", n, err)
	}
	_, err = sink.Size(&bridge.Outgoing{Message: &bridge.Message{Body: bridge.NewMap(nil)}})
	if bridge.ClassOf(err) != bridge.Permanent {
		t.Errorf("Size of a map: %v, want permanent", err)
	}
}
