package sourcetest

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/jmsbridge/jmsbridge/bridge"
)

func text(s string) bridge.Value { return bridge.String(s) }

// odd are values that a careless reader or writer breaks.
var odd = []bridge.Entry{
	{Name: "colons", Value: text("a:b::c:")},
	{Name: "newline", Value: text("line\nline\r\nend\n")},
	{Name: "backslash", Value: text(`\n \c \\ \ \t`)},
	{Name: "empty", Value: text("")},
	{Name: "spaces", Value: text("  two  ")},
	{Name: "umlaut", Value: text("Grüße, 世界")},
	{Name: "camelCase", Value: text("kept")},
	{Name: "CAMELCASE", Value: text("too")},
	{Name: "CorrelationID", Value: text("mine")},
	{Name: "under_score1", Value: text("1")},
	{Name: "control", Value: text("\x01\x1f\x7f")},
	{Name: "json", Value: text(`{"a":"\u0000"}`)},
}

// content sends what a foreign client may send and compares everything that arrives.
func content(t *testing.T, h Harness) {
	many := make([]bridge.Entry, 40)
	for i := range many {
		many[i] = bridge.Entry{Name: fmt.Sprintf("p%02d", i), Value: text(fmt.Sprint(i))}
	}
	expiry := time.Now().Add(time.Hour).Truncate(time.Millisecond).UTC()
	sent := []bridge.Message{
		{Body: bridge.NewText("plain")},
		{Body: bridge.NewText("Grüße, 世界, 😀\n\r\t:\\")},
		{Body: bridge.NewBytes("\x00\x01\xfe\xff")},
		{Body: bridge.NewBytes("\x00")},
		{Body: bridge.NewBytes("text as bytes")},
		{Body: bridge.NewText("\n\nbegins and ends with newlines\n\n")},
		{Body: bridge.NewText("odd"), Properties: bridge.NewProperties(odd)},
		{Body: bridge.NewText("many"), Properties: bridge.NewProperties(many)},
		{Body: bridge.NewText("long"), Properties: bridge.NewProperties([]bridge.Entry{{Name: "long", Value: text(strings.Repeat("é:", 2000))}})},
		{
			Body: bridge.NewText("headers"), CorrelationID: "ID:a:b\nc", Type: "order.created", Priority: 9, Persistent: true, Expiration: expiry,
			ReplyTo: bridge.Destination{Kind: bridge.Queue, Name: "replies.of.test"},
		},
		{Body: bridge.NewText("low"), Priority: 0, Persistent: true},
	}
	for _, tc := range sent {
		name := tc.Body.Data()
		t.Run(fmt.Sprintf("%s %.20q", tc.Body.Kind(), name), func(t *testing.T) {
			q := queue()
			h.Publish(t, q, tc)
			s := h.Source(t, q, Options{})
			connect(t, s, 10)
			d := receive(t, s, 1)[0]
			if d.Hold != nil {
				t.Fatalf("held: %v", d.Hold)
			}
			want := tc
			want.Destination = q
			compare(t, h, want, d.Message)
			accept(t, d)
		})
	}
}

// compare compares what the sender decides. Key, id and timestamp are the broker's.
func compare(t *testing.T, h Harness, want, got bridge.Message) {
	t.Helper()
	if got.Key == "" {
		t.Error("there is no key")
	}
	if h.ForeignID && got.ID == "" {
		t.Error("there is no message id")
	}
	if age := time.Since(got.Timestamp); age < -time.Minute || age > time.Hour {
		t.Errorf("timestamp is %s", got.Timestamp)
	}
	if !got.Properties.Equal(want.Properties) {
		t.Errorf("properties: %s", cmp.Diff(dump(want.Properties), dump(got.Properties)))
	}
	if !got.Body.Equal(want.Body) {
		t.Errorf("body: %s %.80q, want %s %.80q", got.Body.Kind(), got.Body.Data(), want.Body.Kind(), want.Body.Data())
	}
	type fields struct {
		Correlation, Type, User, Group string
		Seq                            int32
		To, Reply                      bridge.Destination
		Expiration                     time.Time
		Priority                       uint8
		Persistent, Redelivered        bool
		Count                          int
	}
	of := func(m bridge.Message) fields {
		return fields{
			m.CorrelationID, m.Type, "", m.GroupID, m.GroupSeq, m.Destination, m.ReplyTo, m.Expiration, m.Priority,
			m.Persistent, m.Redelivered, m.DeliveryCount,
		}
	}
	if diff := cmp.Diff(of(want), of(got)); diff != "" {
		t.Error(diff)
	}
}

func dump(p bridge.Properties) map[string]string {
	out := map[string]string{}
	for name, v := range p.All() {
		out[name] = fmt.Sprintf("%s %q %d %v", v.Type(), v.Str(), v.Int64(), v.Float64())
	}
	return out
}

func emptyBody(t *testing.T, h Harness) {
	q := queue()
	h.Publish(t, q, bridge.Message{Body: bridge.NewText(""), Persistent: true}, bridge.Message{Body: bridge.NewText("next"), Persistent: true})
	s := h.Source(t, q, Options{})
	connect(t, s, 10)
	if h.Cumulative && h.EmptyHeld {
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		defer cancel()
		if n, err := s.Receive(ctx, make([]*bridge.Delivery, 2)); n != 0 || !errors.Is(err, bridge.ErrNotConnected) {
			t.Fatalf("Receive = %d, %v; want ErrNotConnected", n, err)
		}
		connect(t, s, 10)
	}
	got := receive(t, s, 2)
	if held := got[0].Hold != nil; held != h.EmptyHeld {
		t.Errorf("held is %v: %v", held, got[0].Hold)
	}
	if got[1].Hold != nil || got[1].Message.Body.Data() != "next" {
		t.Errorf("the next message: %v %q", got[1].Hold, got[1].Message.Body.Data())
	}
	accept(t, got[1])
	closeSource(t, s)
	depth(t, h, q, 1)
	connect(t, s, 10)
	accept(t, receive(t, s, 1)...) // a held message can be settled all the same
	depth(t, h, q, 0)
}
