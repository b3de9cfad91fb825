package stomp

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/jmsbridge/jmsbridge/bridge"
	"github.com/jmsbridge/jmsbridge/connectors/jms/stomp/client"
)

func TestWhatAFrameLeavesOut(t *testing.T) {
	d := decode(t, client.Classic, "6.1.7", SourceSettings{}, "MESSAGE\nmessage-id:ID\\ca\\c1\\c1\\c1\n\nx\x00")
	if m := d.Message; m.Priority != bridge.DefaultPriority || m.Persistent || !m.Timestamp.IsZero() || !m.Expiration.IsZero() {
		t.Errorf("%+v", m)
	}
	if d.ack != "ID:a:1:1:1" || d.Hold != nil {
		t.Errorf("acknowledged by %q, held: %v", d.ack, d.Hold)
	}
}

// Classic writes no escapes in names, so what looks like one stands there; Artemis does.
func TestEscapesInTheNamesOfProperties(t *testing.T) {
	for kind, want := range map[client.Kind]string{client.Classic: `a\cb`, client.Artemis: "a:b"} {
		d := decode(t, kind, "6.1.7", SourceSettings{}, "MESSAGE\nack:1\nmessage-id:ID\\ca\\c1\\c1\\c1\na\\cb:c\\cd\n\nx\x00")
		if v, ok := d.Message.Properties.Lookup(want); !ok || v.Str() != "c:d" {
			t.Errorf("%s: %v", kind, properties(d.Message.Properties))
		}
	}
}

// encoded encodes a message for a queue of this broker.
func encoded(kind client.Kind, m *bridge.Message) (string, error) {
	f, err := newEncoder(kind, "6.1.7").frame(&bridge.Outgoing{Message: m}, bridge.Destination{Kind: bridge.Queue, Name: "q"})
	if err != nil {
		return "", err
	}
	return string(f.head), nil
}

// On the wire 0 means that a message never expires.
func TestAnExpirationBeforeTheEpochIsStillOne(t *testing.T) {
	for _, at := range []int64{0, -5} {
		head, err := encoded(client.Classic, &bridge.Message{Expiration: time.UnixMilli(at)})
		if err != nil || !strings.Contains(head, "\nexpires:1\n") {
			t.Errorf("%d: %q, %v", at, head, err)
		}
	}
}

func TestClassicsLimitsAreReachedAndNotPassed(t *testing.T) {
	line := func(n int) *bridge.Message { // a header line of n bytes, the line break included
		return &bridge.Message{CorrelationID: strings.Repeat("c", n-len("correlation-id:\n"))}
	}
	count := func(n int) *bridge.Message {
		entries := make([]bridge.Entry, n)
		for i := range entries {
			entries[i] = bridge.Entry{Name: fmt.Sprint("p", i), Value: bridge.String("x")}
		}
		return &bridge.Message{Properties: bridge.NewProperties(entries), Body: bridge.NewText("x")}
	}
	plain, err := encoded(client.Classic, count(0))
	if err != nil {
		t.Fatal(err)
	}
	own := strings.Count(plain, "\n") - 1 + 1 // without the command, and with the receipt
	for name, c := range map[string]struct {
		m    *bridge.Message
		code string
	}{
		"a line as long as it may be":     {line(classicHeaderLine), ""},
		"a line one byte longer":          {line(classicHeaderLine + 1), "header-too-long"},
		"as many headers as there may be": {count(classicHeaders - own), ""},
		"one header more":                 {count(classicHeaders - own + 1), "too-many-headers"},
	} {
		_, err := encoded(client.Classic, c.m)
		if (err != nil) != (c.code != "") || err != nil && bridge.AsError(err).Code != c.code {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// Classic breaks such characters in a property for Java; a jmsbridge behind it reads them from the companion.
func TestCharactersBeyondTheBasicPlaneGoIntoTheCompanionToo(t *testing.T) {
	m := &bridge.Message{Properties: bridge.NewProperties([]bridge.Entry{{Name: "face", Value: bridge.String("😀")}})}
	for kind, want := range map[client.Kind]bool{client.Classic: true, client.Artemis: false} {
		if head, err := encoded(kind, m); err != nil || strings.Contains(head, companionMore+":") != want {
			t.Errorf("%s: %q, %v", kind, head, err)
		}
	}
}

func TestTheWindowThatStandsForACredit(t *testing.T) {
	for _, c := range []struct{ credit, most, want int }{{1, 1 << 20, 1}, {10, 1 << 20, 20 << 10}, {1000, 1 << 20, 1 << 20}} {
		if got := artemisWindow(c.credit, c.most); got != c.want {
			t.Errorf("credit %d: %d bytes", c.credit, got)
		}
	}
}

// Artemis counts bytes, so more small messages may arrive than the credit is.
func TestNoMoreIsHandedOutThanTheCredit(t *testing.T) {
	s := &subscription{src: &Source{set: SourceSettings{MaxBytes: 1 << 20}}, credit: 2, ready: make(chan struct{}, 1), room: make(chan struct{}, 1)}
	for range 5 {
		s.inbox = append(s.inbox, &delivery{})
	}
	for _, want := range []int{2, 0} {
		if n, err := s.take(make([]*bridge.Delivery, 5)); n != want || err != nil {
			t.Errorf("took %d, %v; want %d", n, err, want)
		}
	}
	s.handed--
	if n, err := s.take(make([]*bridge.Delivery, 5)); n != 1 || err != nil {
		t.Errorf("took %d, %v, when one was settled", n, err)
	}
}

func TestNumbersThatAreNone(t *testing.T) {
	for text, want := range map[string]int64{
		"0": 0, "-1": -1, "9223372036854775807": 9223372036854775807, "-9223372036854775807": -9223372036854775807,
	} {
		if got, ok := parseInt([]byte(text)); !ok || got != want {
			t.Errorf("%s: %d, %v", text, got, ok)
		}
	}
	for _, text := range []string{"", "-", "+1", "1.0", " 1", "9223372036854775808", "9999999999999999999", "18446744073709551617"} {
		if got, ok := parseInt([]byte(text)); ok {
			t.Errorf("%q is taken for %d", text, got)
		}
	}
}
