package stomplocal_test

import (
	"fmt"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/jmsbridge/jmsbridge/connectors/jms/stomp/stomplocal"
)

func TestMessageArrivesAsClassicShowsIt(t *testing.T) {
	b := start(t, stomplocal.Options{})
	c := connect(t, b)
	c.do("SUBSCRIBE", "", "id:s1", "destination:/queue/orders", "ack:client-individual")
	c.do("SEND", "grüße\n", "destination:/queue/orders", "persistent:true", "correlation-id:a\\cb", "type:order", "priority:7",
		"expires:99999999999999", "timestamp:1700000000123", "reply-to:/queue/answers", "JMSXGroupID:g", "region:eu", `path:c\\cx\n`,
		"region:us")
	f := c.want("MESSAGE")
	if !regexp.MustCompile(`^ID:\S+:\d+:\d+:\d+$`).MatchString(f.Header.Get("message-id")) {
		t.Errorf("message-id %q does not end in three numeric parts", f.Header.Get("message-id"))
	}
	got := map[string]string{}
	for i := range f.Header.Len() {
		k, v := f.Header.GetAt(i)
		got[k] = v
	}
	delete(got, "message-id")
	want := map[string]string{
		"subscription": "s1", "destination": "/queue/orders", "ack": "1", "priority": "7", "expires": "99999999999999",
		"timestamp": "1700000000123", "persistent": "true", "correlation-id": "a:b", "type": "order", "reply-to": "/queue/answers",
		"region": "eu", "path": "c\\cx\n",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("headers (-want +got):\n%s", diff)
	}
	if string(f.Body) != "grüße\n" {
		t.Errorf("body %q", f.Body)
	}
}

func TestContentLengthTellsBytesFromText(t *testing.T) {
	for _, tc := range []struct {
		name   string
		lines  []string
		body   string
		length string // of the MESSAGE
	}{
		{"text", nil, "x", ""},
		{"empty text", nil, "", ""},
		{"bytes with a NUL", []string{"content-length:3"}, "a\x00b", "3"},
		{"empty bytes", []string{"content-length:0"}, "", "0"},
		{"forced text", []string{"content-length:1", "amq-msg-type:text"}, "x", ""},
		{"forced bytes", []string{"amq-msg-type:bytes"}, "xy", "2"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			b := start(t, stomplocal.Options{})
			c := connect(t, b)
			c.do("SEND", tc.body, append(tc.lines, "destination:/queue/q")...)
			c.frame("SUBSCRIBE", "", "id:s", "destination:/queue/q")
			f := c.want("MESSAGE")
			if got := f.Header.Get("content-length"); got != tc.length {
				t.Errorf("content-length %q, want %q", got, tc.length)
			}
			if string(f.Body) != tc.body {
				t.Errorf("body %q, want %q", f.Body, tc.body)
			}
		})
	}
}

func TestUnackedReturnsToTheHeadInOrder(t *testing.T) {
	for _, tc := range []struct {
		name string
		end  func(c *client, b *stomplocal.Broker)
	}{
		{"unsubscribe", func(c *client, _ *stomplocal.Broker) { c.do("UNSUBSCRIBE", "", "id:s") }},
		{"disconnect", func(c *client, _ *stomplocal.Broker) { c.do("DISCONNECT", "") }},
		{"lost connection", func(c *client, _ *stomplocal.Broker) { _ = c.Close() }},
		{"dropped connection", func(_ *client, b *stomplocal.Broker) { b.DropConnections() }},
	} {
		t.Run(tc.name, func(t *testing.T) {
			b := start(t, stomplocal.Options{})
			publish(t, b, "/queue/q", 6)
			c := connect(t, b)
			c.frame("SUBSCRIBE", "", "id:s", "destination:/queue/q", "ack:client-individual", "activemq.prefetchSize:4")
			var ids []string
			for range 4 {
				f := c.want("MESSAGE")
				ids = append(ids, f.Header.Get("message-id"))
				if _, flagged := f.Header.Contains("redelivered"); flagged {
					t.Error("a first delivery is flagged redelivered")
				}
			}
			c.do("ACK", "", "id:2")
			if f := c.want("MESSAGE"); string(f.Body) != "m4" {
				t.Fatalf("after an ACK came %q", f.Body)
			}
			if got := b.Unacked("/queue/q"); got != 4 {
				t.Errorf("%d unacked, want 4", got)
			}
			tc.end(c, b)
			eventually(t, "all is back", func() bool { return b.Unacked("/queue/q") == 0 })
			if got := bodies(b, "/queue/q"); got != "m0 m2 m3 m4 m5" {
				t.Errorf("the queue holds %s", got)
			}
			c2 := connect(t, b)
			c2.frame("SUBSCRIBE", "", "id:s", "destination:/queue/q", "ack:client-individual")
			for i, want := range []string{"m0 true", "m2 true", "m3 true", "m4 true", "m5 "} {
				f := c2.want("MESSAGE")
				if got := string(f.Body) + " " + f.Header.Get("redelivered"); got != want {
					t.Errorf("message %d: %q, want %q", i, got, want)
				}
				if i == 0 && f.Header.Get("message-id") != ids[0] {
					t.Errorf("message-id changed from %s to %s", ids[0], f.Header.Get("message-id"))
				}
			}
		})
	}
}

func TestReturnedMessagesOfTwoConsumersKeepTheirOrder(t *testing.T) {
	b := start(t, stomplocal.Options{})
	one, two := connect(t, b), connect(t, b)
	for _, c := range []*client{one, two} {
		c.do("SUBSCRIBE", "", "id:s", "destination:/queue/q", "ack:client-individual")
	}
	publish(t, b, "/queue/q", 6)
	for range 3 {
		one.want("MESSAGE")
		two.want("MESSAGE")
	}
	_ = one.Close()
	for range 3 { // the second consumer gets those of the first
		two.want("MESSAGE")
	}
	_ = two.Close()
	eventually(t, "all is back", func() bool { return b.Unacked("/queue/q") == 0 })
	if got := bodies(b, "/queue/q"); got != "m0 m1 m2 m3 m4 m5" {
		t.Errorf("the queue holds %s", got)
	}
}

func TestAckModes(t *testing.T) {
	for _, tc := range []struct {
		mode string
		ack  []string
		left string // after DISCONNECT
	}{
		{"client", []string{"2"}, "m2"},
		{"client-individual", []string{"2"}, "m0 m2"},
		{"client-individual", []string{"1", "2", "3"}, ""},
		{"client", []string{"3"}, ""},
		{"auto", nil, ""},
	} {
		t.Run(tc.mode+" "+strings.Join(tc.ack, ","), func(t *testing.T) {
			b := start(t, stomplocal.Options{})
			publish(t, b, "/queue/q", 3)
			c := connect(t, b)
			c.frame("SUBSCRIBE", "", "id:s", "destination:/queue/q", "ack:"+tc.mode)
			for range 3 {
				c.want("MESSAGE")
			}
			for _, id := range tc.ack {
				c.do("ACK", "", "id:"+id)
			}
			c.do("DISCONNECT", "")
			c.wantClosed()
			if got := bodies(b, "/queue/q"); got != tc.left {
				t.Errorf("left: %q, want %q", got, tc.left)
			}
		})
	}
}

func TestAckOfSomethingUnknownLeavesTheConnectionOpen(t *testing.T) {
	b := start(t, stomplocal.Options{})
	publish(t, b, "/queue/q", 1)
	c := connect(t, b)
	c.frame("SUBSCRIBE", "", "id:s", "destination:/queue/q", "ack:client-individual")
	c.want("MESSAGE")
	c.do("ACK", "", "id:1")
	c.frame("ACK", "", "id:1", "receipt:again")
	f := c.want("ERROR")
	if f.Header.Get("receipt-id") != "again" || f.Header.Get("message") != "Unexpected ACK received for message-id [null]" {
		t.Errorf("ERROR %s", headers(f))
	}
	c.do("SEND", "x", "destination:/queue/q")
	if got := b.Stats().Stray; got != 1 {
		t.Errorf("%d stray, want 1", got)
	}
}

func TestMessageOfAnAMQPClientCannotBeSettled(t *testing.T) {
	b := start(t, stomplocal.Options{})
	if _, err := b.Publish("/queue/q", stomplocal.Message{ID: "ID:6f3c-1", Body: []byte("x")}); err != nil {
		t.Fatal(err)
	}
	c := connect(t, b)
	c.frame("SUBSCRIBE", "", "id:s", "destination:/queue/q", "ack:client-individual")
	if got := c.want("MESSAGE").Header.Get("message-id"); got != "ID:6f3c-1" {
		t.Errorf("message-id %q", got)
	}
	c.frame("ACK", "", "id:1")
	c.wantClosed()
	eventually(t, "it is back", func() bool { return len(b.Browse("/queue/q", 0)) == 1 })
}

func TestNackAndExpiryDeadLetterPersistentMessagesOnly(t *testing.T) {
	b := start(t, stomplocal.Options{})
	for _, persistent := range []bool{true, false} {
		for _, expires := range []time.Time{{}, time.Now().Add(-time.Minute)} {
			m := stomplocal.Message{Persistent: persistent, Expires: expires, Body: fmt.Appendf(nil, "%v-%v", persistent, expires.IsZero())}
			if _, err := b.Publish("/queue/q", m); err != nil {
				t.Fatal(err)
			}
		}
	}
	c := connect(t, b)
	c.frame("SUBSCRIBE", "", "id:s", "destination:/queue/q", "ack:client")
	c.want("MESSAGE")
	c.want("MESSAGE")
	c.do("NACK", "", "id:2") // not the first, though the mode is cumulative
	c.do("NACK", "", "id:1")
	if got := bodies(b, stomplocal.DeadLetterQueue); got != "true-false true-true" {
		t.Errorf("dead letters: %s", got)
	}
	if got := b.Depth("/queue/q"); got != 0 {
		t.Errorf("%d left", got)
	}
	s := b.Stats()
	if s.DeadLettered != 2 || s.Discarded != 2 || s.Nacked != 2 {
		t.Errorf("%+v", s)
	}
	c.frame("SUBSCRIBE", "", "id:d", "destination:"+stomplocal.DeadLetterQueue)
	if got := c.want("MESSAGE").Header.Get("original-destination"); got != "/queue/q" {
		t.Errorf("original-destination %q", got)
	}
}

func TestReceiptsComeInTheOrderOfTheFrames(t *testing.T) {
	b := start(t, stomplocal.Options{})
	c := connect(t, b)
	var out strings.Builder
	var want []string
	for i := range 50 {
		fmt.Fprintf(&out, "SEND\ndestination:/queue/q\nreceipt:s%d\n\nx\x00\n", i)
		want = append(want, fmt.Sprintf("s%d", i))
	}
	out.WriteString("SUBSCRIBE\nid:s\ndestination:/queue/q\nack:client-individual\nreceipt:sub\n\n\x00")
	want = append(want, "sub")
	for i := range 50 {
		fmt.Fprintf(&out, "ACK\nid:%d\nreceipt:a%d\n\n\x00", i+1, i)
		want = append(want, fmt.Sprintf("a%d", i))
	}
	c.write(out.String())
	var got []string
	for len(got) < len(want) {
		f := c.read()
		if f == nil {
			t.Fatal("the connection ended")
		}
		if f.Command == "RECEIPT" {
			got = append(got, f.Header.Get("receipt-id"))
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestExclusiveConsumerGetsEverything(t *testing.T) {
	b := start(t, stomplocal.Options{})
	one, two := connect(t, b), connect(t, b)
	one.do("SUBSCRIBE", "", "id:s", "destination:/queue/q", "ack:client-individual", "activemq.exclusive:true")
	two.do("SUBSCRIBE", "", "id:s", "destination:/queue/q", "ack:client-individual", "activemq.exclusive:true")
	publish(t, b, "/queue/q", 4)
	for range 4 {
		one.want("MESSAGE")
	}
	_ = one.Close()
	for range 4 {
		two.want("MESSAGE")
	}
}

func TestTransactions(t *testing.T) {
	b := start(t, stomplocal.Options{})
	publish(t, b, "/queue/in", 2)
	c := connect(t, b)
	c.frame("SUBSCRIBE", "", "id:s", "destination:/queue/in", "ack:client-individual")
	c.want("MESSAGE")
	c.want("MESSAGE")
	c.do("BEGIN", "", "transaction:t1")
	c.do("SEND", "never", "destination:/queue/out", "transaction:t1")
	c.do("ACK", "", "id:1", "transaction:t1")
	c.do("ABORT", "", "transaction:t1")
	c.do("BEGIN", "", "transaction:t2")
	c.do("SEND", "x", "destination:/queue/out", "transaction:t2")
	c.do("ACK", "", "id:1", "transaction:t2")
	if b.Depth("/queue/out") != 0 || b.Depth("/queue/in") != 2 {
		t.Error("a transaction had an effect before its end")
	}
	c.do("COMMIT", "", "transaction:t2")
	if got := bodies(b, "/queue/out"); got != "x" || b.Depth("/queue/in") != 1 {
		t.Errorf("out: %q, in: %d", got, b.Depth("/queue/in"))
	}
	c.frame("COMMIT", "", "transaction:t2", "receipt:c")
	if f := c.want("ERROR"); f.Header.Get("message") != "Invalid transaction id: t2" {
		t.Errorf("ERROR %s", headers(f))
	}
}
