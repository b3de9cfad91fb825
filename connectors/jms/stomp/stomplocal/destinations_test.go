package stomplocal_test

import (
	"testing"

	"github.com/jmsbridge/jmsbridge/connectors/jms/stomp/stomplocal"
)

func TestTopicSubscribers(t *testing.T) {
	b := start(t, stomplocal.Options{})
	publish(t, b, "/topic/prices", 1) // nobody listens: gone
	one, two := connect(t, b), connect(t, b)
	one.do("SUBSCRIBE", "", "id:s", "destination:/topic/prices", "ack:client-individual")
	two.do("SUBSCRIBE", "", "id:s", "destination:/topic/>", "selector:n > 4")
	two.do("SEND", "five", "destination:/topic/prices", "n:5")
	two.want("MESSAGE")
	two.do("SEND", "four", "destination:/topic/prices", "n:4")
	for _, want := range []string{"five", "four"} {
		f := one.want("MESSAGE")
		if string(f.Body) != want || f.Header.Get("destination") != "/topic/prices" {
			t.Errorf("%q from %s, want %q", f.Body, f.Header.Get("destination"), want)
		}
	}
	_ = one.Close()
	eventually(t, "it has left", func() bool { return b.Consumers("/topic/prices") == 1 })
}

func TestDurableSubscriptionKeepsMessages(t *testing.T) {
	b := start(t, stomplocal.Options{})
	c := connect(t, b, "client-id:bridge")
	durable := []string{"id:s", "destination:/topic/prices", "ack:client-individual", "activemq.subscriptionName:sub"}
	c.do("SUBSCRIBE", "", durable...)

	other := connect(t, b, "client-id:other")
	other.do("SUBSCRIBE", "", durable...) // another client-id, another subscription
	again := dial(t, b)
	again.frame("CONNECT", "", "accept-version:1.2", "client-id:bridge")
	if f := again.want("ERROR"); !startsWith(string(f.Body), "jakarta.jms.InvalidClientIDException:") {
		t.Errorf("a client-id in use: %s %q", headers(f), f.Body)
	}
	again.wantClosed()
	c.frame("SUBSCRIBE", "", "id:t", "destination:/topic/prices", "activemq.subscriptionName:sub", "receipt:x")
	if f := c.want("ERROR"); f.Header.Get("message") != "Durable consumer is in use for client: bridge and subscriptionName: sub" {
		t.Errorf("a subscription in use: %s", headers(f))
	}

	publish(t, b, "/topic/prices", 2)
	c.want("MESSAGE")
	c.want("MESSAGE")
	c.do("ACK", "", "id:1")
	c.do("DISCONNECT", "")
	c.wantClosed()
	if n, ok := b.DurableDepth("bridge", "sub"); n != 1 || !ok {
		t.Errorf("depth %d, %v", n, ok)
	}
	publish(t, b, "/topic/prices", 1)
	back := connect(t, b, "client-id:bridge")
	back.frame("SUBSCRIBE", "", durable...)
	for _, want := range []string{"m1 true", "m0 "} {
		f := back.want("MESSAGE")
		if got := string(f.Body) + " " + f.Header.Get("redelivered"); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
	back.do("UNSUBSCRIBE", "", "id:s")
	back.do("UNSUBSCRIBE", "", "activemq.subscriptionName:sub")
	if _, ok := b.DurableDepth("bridge", "sub"); ok {
		t.Error("the subscription is still there")
	}
}

func startsWith(s, prefix string) bool { return len(s) >= len(prefix) && s[:len(prefix)] == prefix }

func TestTemporaryQueueOfARequester(t *testing.T) {
	b := start(t, stomplocal.Options{})
	requester, responder := connect(t, b), connect(t, b)
	requester.do("SUBSCRIBE", "", "id:r", "destination:/temp-queue/answers")
	responder.do("SUBSCRIBE", "", "id:s", "destination:/queue/requests")
	requester.frame("SEND", "?", "destination:/queue/requests", "reply-to:/temp-queue/answers")
	reply := responder.want("MESSAGE").Header.Get("reply-to")
	if !startsWith(reply, "/remote-temp-queue/ID:") {
		t.Fatalf("reply-to %q", reply)
	}
	responder.do("SEND", "!", "destination:"+escape(reply))
	f := requester.want("MESSAGE")
	if string(f.Body) != "!" || f.Header.Get("destination") != "/temp-queue/answers" {
		t.Errorf("%q from %q", f.Body, f.Header.Get("destination"))
	}
	if _, err := b.Publish(reply, stomplocal.Message{Body: []byte("inside")}); err != nil {
		t.Error(err)
	}
	if f := requester.want("MESSAGE"); string(f.Body) != "inside" {
		t.Errorf("%q", f.Body)
	}
	_ = requester.Close()
	eventually(t, "the requester is gone", func() bool { return b.Connections() == 1 })
	if _, err := b.Publish(reply, stomplocal.Message{}); err == nil {
		t.Error("a message was published to a temporary queue that is gone")
	}
	responder.frame("SEND", "late", "destination:"+escape(reply), "receipt:late")
	f = responder.want("ERROR")
	if f.Header.Get("receipt-id") != "late" || !startsWith(string(f.Body), "org.apache.activemq.DestinationDoesNotExistException:") {
		t.Errorf("a late answer: %s %q", headers(f), f.Body)
	}
	responder.do("SEND", "x", "destination:/queue/q")
}

func escape(s string) string {
	out := ""
	for _, r := range s {
		if r == ':' {
			out += `\c`
			continue
		}
		out += string(r)
	}
	return out
}

func TestWildcardsCompositesAndVirtualTopics(t *testing.T) {
	b := start(t, stomplocal.Options{})
	publish(t, b, "/queue/orders.eu", 1)
	c := connect(t, b)
	c.do("SUBSCRIBE", "", "id:w", "destination:/queue/orders.*", "ack:client-individual")
	c.want("MESSAGE")
	publish(t, b, "/queue/orders.us", 1) // made after the subscription
	publish(t, b, "/queue/orders.us.west", 1)
	if got := c.want("MESSAGE").Header.Get("destination"); got != "/queue/orders.us" {
		t.Errorf("destination %q", got)
	}
	if got := b.Unacked("/queue/orders.us.west"); got != 0 {
		t.Error("* covers two parts")
	}
	c.do("SUBSCRIBE", "", "id:v", "destination:/queue/Consumer.A.VirtualTopic.news", "ack:client-individual")
	c.do("SEND", "x", "destination:/queue/a,/queue/b,/topic/VirtualTopic.news")
	f := c.want("MESSAGE")
	if f.Header.Get("destination") != "/queue/Consumer.A.VirtualTopic.news" || f.Header.Get("original-destination") != "/topic/VirtualTopic.news" {
		t.Errorf("virtual topic: %s", headers(f))
	}
	if b.Depth("/queue/a") != 1 || b.Depth("/queue/b") != 1 {
		t.Errorf("composite: %d and %d", b.Depth("/queue/a"), b.Depth("/queue/b"))
	}
	c.do("UNSUBSCRIBE", "", "id:w")
	publish(t, b, "/queue/orders.new", 1)
	if got := b.Consumers("/queue/orders.new"); got != 0 {
		t.Errorf("%d consumers after UNSUBSCRIBE", got)
	}
}

func TestSelectorOnAQueueLeavesTheRest(t *testing.T) {
	b := start(t, stomplocal.Options{})
	for _, region := range []string{"eu", "us", "eu", "us", "eu"} {
		m := stomplocal.Message{Persistent: true, Body: []byte(region), Properties: []stomplocal.Property{{Name: "region", Value: region}}}
		if _, err := b.Publish("/queue/q", m); err != nil {
			t.Fatal(err)
		}
	}
	c := connect(t, b)
	c.do("SUBSCRIBE", "", "id:s", "destination:/queue/q", "ack:client-individual", "selector:region = 'eu'", "activemq.prefetchSize:2")
	c.want("MESSAGE")
	c.want("MESSAGE")
	if got := bodies(b, "/queue/q"); got != "us us eu" {
		t.Errorf("left: %s", got)
	}
	c.do("ACK", "", "id:1")
	c.want("MESSAGE")
	c.do("UNSUBSCRIBE", "", "id:s") // the two come back, among the others
	if got := bodies(b, "/queue/q"); got != "us eu us eu" {
		t.Errorf("after UNSUBSCRIBE: %s", got)
	}
	c.do("SUBSCRIBE", "", "id:s", "destination:/queue/q", "ack:client-individual", "selector:region <> 'eu'")
	c.want("MESSAGE")
	c.want("MESSAGE")
	if got := bodies(b, "/queue/q"); got != "eu eu" {
		t.Errorf("at last: %s", got)
	}
	c.frame("SUBSCRIBE", "", "id:bad", "destination:/queue/q", "selector:a + 1 = 2", "receipt:b")
	if f := c.want("ERROR"); f.Header.Get("receipt-id") != "b" || !startsWith(string(f.Body), "jakarta.jms.InvalidSelectorException:") {
		t.Errorf("a bad selector: %s %q", headers(f), f.Body)
	}
}
