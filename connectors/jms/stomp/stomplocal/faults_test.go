package stomplocal_test

import (
	"testing"
	"time"

	"github.com/jmsbridge/jmsbridge/connectors/jms/stomp/stomplocal"
)

// wantFired checks that a fault has fired so often.
func wantFired(t *testing.T, i *stomplocal.Injection, n int) {
	t.Helper()
	if got := i.Fired(); got != n {
		t.Errorf("fired %d times, want %d", got, n)
	}
}

func TestFaultRefusesConnections(t *testing.T) {
	b := start(t, stomplocal.Options{})
	i := b.Inject(stomplocal.Fault{Kind: stomplocal.Refuse, Times: 2})
	for range 2 {
		c := dial(t, b)
		_, _ = c.Write([]byte("CONNECT\naccept-version:1.2\n\n\x00")) // may meet the reset
		c.wantClosed()
	}
	connect(t, b)
	wantFired(t, i, 2)
	if !i.Over() {
		t.Error("not over")
	}
}

func TestFaultRefusesLogin(t *testing.T) {
	b := start(t, stomplocal.Options{Username: "app", Password: "secret"})
	i := b.Inject(stomplocal.Fault{Kind: stomplocal.RefuseLogin, After: 1, Times: 1})
	login := []string{"login:app", "passcode:secret"}
	connect(t, b, login...)
	c := dial(t, b)
	c.frame("CONNECT", "", append(login, "accept-version:1.2")...)
	if got := c.want("ERROR").Header.Get("message"); got != "User name [app] or password is invalid." {
		t.Errorf("message %q", got)
	}
	c.wantClosed()
	connect(t, b, login...)
	wantFired(t, i, 1)
}

func TestFaultSwallowsConnect(t *testing.T) {
	b := start(t, stomplocal.Options{LoginTimeout: 100 * time.Millisecond})
	i := b.Inject(stomplocal.Fault{Kind: stomplocal.Swallow, Command: "CONNECT"})
	c := dial(t, b)
	c.frame("CONNECT", "", "accept-version:1.2")
	c.wantClosed()
	wantFired(t, i, 1)
}

func TestFaultDropsBeforeOrAfterTheEffect(t *testing.T) {
	for _, tc := range []struct {
		kind   stomplocal.FaultKind
		stored int
	}{{stomplocal.Drop, 2}, {stomplocal.DropAfter, 3}} {
		b := start(t, stomplocal.Options{})
		i := b.Inject(stomplocal.Fault{Kind: tc.kind, Command: "SEND", Destination: "/queue/q", After: 2, Times: 1})
		c := connect(t, b)
		c.do("SEND", "x", "destination:/queue/other")
		c.do("SEND", "x", "destination:/queue/q")
		c.do("SEND", "x", "destination:/queue/q")
		c.frame("SEND", "x", "destination:/queue/q", "receipt:lost")
		c.wantClosed()
		wantFired(t, i, 1)
		if got := b.Depth("/queue/q"); got != tc.stored {
			t.Errorf("%d stored, want %d", got, tc.stored)
		}
	}
}

func TestFaultCutsAMessage(t *testing.T) {
	b := start(t, stomplocal.Options{})
	publish(t, b, "/queue/q", 3)
	i := b.Inject(stomplocal.Fault{Kind: stomplocal.Cut, After: 1, Times: 1})
	c := connect(t, b)
	c.frame("SUBSCRIBE", "", "id:s", "destination:/queue/q", "ack:client-individual", "activemq.prefetchSize:1")
	c.want("MESSAGE")
	c.frame("ACK", "", "id:1")
	c.wantClosed()
	wantFired(t, i, 1)
	eventually(t, "it is back", func() bool { return bodies(b, "/queue/q") == "m1 m2" })
}

func TestFaultDropsInsteadOfAMessage(t *testing.T) {
	b := start(t, stomplocal.Options{})
	publish(t, b, "/queue/q", 1)
	i := b.Inject(stomplocal.Fault{Kind: stomplocal.Drop, Command: "MESSAGE", Times: 1})
	c := connect(t, b)
	c.frame("SUBSCRIBE", "", "id:s", "destination:/queue/q", "ack:client-individual")
	c.wantClosed()
	wantFired(t, i, 1)
}

func TestFaultFailsAFrame(t *testing.T) {
	b := start(t, stomplocal.Options{})
	b.Inject(stomplocal.Fault{Kind: stomplocal.Fail, Command: "SEND", Times: 1, Message: "full", Body: "x.jms.ResourceAllocationException: full"})
	b.Inject(stomplocal.Fault{Kind: stomplocal.Fail, Command: "SUBSCRIBE", Times: 1, Close: true})
	c := connect(t, b)
	c.frame("SEND", "x", "destination:/queue/q", "receipt:r")
	f := c.want("ERROR")
	if f.Header.Get("receipt-id") != "r" || f.Header.Get("message") != "full" || string(f.Body) != "x.jms.ResourceAllocationException: full" {
		t.Errorf("ERROR %s %q", headers(f), f.Body)
	}
	c.do("SEND", "x", "destination:/queue/q")
	if got := b.Depth("/queue/q"); got != 1 {
		t.Errorf("%d stored, want 1", got)
	}
	c.frame("SUBSCRIBE", "", "id:s", "destination:/queue/q")
	c.want("ERROR")
	c.wantClosed()
}

func TestFaultHoldsReceiptsWhileOtherFramesGoOn(t *testing.T) {
	b := start(t, stomplocal.Options{})
	publish(t, b, "/queue/q", 1)
	i := b.Inject(stomplocal.Fault{Kind: stomplocal.HoldReceipt, Command: "SEND", Times: 1})
	c := connect(t, b)
	c.frame("SEND", "x", "destination:/queue/out", "receipt:a")
	c.frame("SUBSCRIBE", "", "id:s", "destination:/queue/q", "ack:client-individual", "receipt:b")
	c.want("MESSAGE") // though two receipts wait, in their order
	wantFired(t, i, 1)
	i.Remove()
	for _, want := range []string{"a", "b"} {
		if got := c.want("RECEIPT").Header.Get("receipt-id"); got != want {
			t.Errorf("receipt %q, want %q", got, want)
		}
	}
	i = b.Inject(stomplocal.Fault{Kind: stomplocal.HoldReceipt, Delay: 20 * time.Millisecond, Times: 1})
	before := time.Now()
	c.do("SEND", "x", "destination:/queue/out")
	if d := time.Since(before); d < 20*time.Millisecond {
		t.Errorf("the receipt came after %v", d)
	}
	wantFired(t, i, 1)
}

func TestFaultStallsWrites(t *testing.T) {
	b := start(t, stomplocal.Options{})
	c := connect(t, b)
	i := b.Inject(stomplocal.Fault{Kind: stomplocal.Stall, Times: 1})
	c.frame("SEND", "x", "destination:/queue/q", "receipt:r")
	eventually(t, "the message is stored", func() bool { return b.Depth("/queue/q") == 1 })
	eventually(t, "the write is stalled", func() bool { return i.Fired() == 1 })
	i.Remove()
	c.want("RECEIPT")
	i = b.Inject(stomplocal.Fault{Kind: stomplocal.Stall, Delay: 20 * time.Millisecond, Times: 1})
	before := time.Now()
	c.do("SEND", "x", "destination:/queue/q")
	if d := time.Since(before); d < 20*time.Millisecond {
		t.Errorf("the receipt came after %v", d)
	}
	wantFired(t, i, 1)
	b.ClearFaults()
}

func TestCloseEndsAStalledConnection(t *testing.T) {
	b := start(t, stomplocal.Options{})
	c := connect(t, b)
	i := b.Inject(stomplocal.Fault{Kind: stomplocal.Stall})
	c.frame("SEND", "x", "destination:/queue/q", "receipt:r")
	eventually(t, "the write is stalled", func() bool { return i.Fired() == 1 })
	if err := b.Close(); err != nil {
		t.Error(err)
	}
	if b.Connections() != 0 {
		t.Error("a connection is left")
	}
}
