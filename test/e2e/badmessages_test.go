//go:build integration

package e2e_test

import (
	"encoding/base64"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/jmsbridge/jmsbridge/bridge"
	"github.com/jmsbridge/jmsbridge/connectors/aws/awslocal"
	"github.com/jmsbridge/jmsbridge/test/brokers"
	"github.com/jmsbridge/jmsbridge/test/java"
)

// textMessage is a Text message with string properties, given as name, value, name, value….
func textMessage(body string, properties ...string) brokers.Message {
	m := brokers.Message{Body: body}
	for i := 0; i < len(properties); i += 2 {
		m.Headers = append(m.Headers, brokers.Header{Name: properties[i], Value: properties[i+1]})
	}
	return m
}

// sent finds the only send to a queue whose property "name" has this value.
func sent(t testing.TB, e *awslocal.Endpoint, queue, name string) (awslocal.Record, map[string]string) {
	t.Helper()
	var found []awslocal.Record
	var properties map[string]string
	for _, r := range e.Log().Sends(queue) {
		p, err := recordProperties(&r)
		if err != nil {
			t.Fatal(err)
		}
		if p["name"] == name {
			found, properties = append(found, r), p
		}
	}
	if len(found) != 1 {
		t.Fatalf("%q was sent to %s %d times", name, queue, len(found))
	}
	return found[0], properties
}

func TestAMessageOverTheLimit(t *testing.T) {
	b := classic6.Broker(t)
	e := startAWS(t, awslocal.Options{}, "dlq", "small-dlq")
	for _, q := range []string{"with", "without", "jms", "too"} {
		createQueue(t, e, "small-"+q, map[string]string{"MaximumMessageSize": "2048"})
	}
	if _, err := e.CreateQueue(awslocal.QueueOptions{Name: "tiny-dlq", Attributes: map[string]string{"MaximumMessageSize": "1024"}}); err != nil {
		t.Fatal(err)
	}
	big := strings.Repeat("x", 5000)
	queues := []string{"with", "without", "jms", "too"}
	for _, q := range queues {
		b.Publish(t, "proof4.size."+q, textMessage("before", "name", "before"), textMessage(big, "name", "big"), textMessage("after", "name", "after"))
	}
	routes := routeYAML("with", "proof4.size.with", "small-with", "dead_letter:", "  sqs:", "    queue: dlq") +
		routeYAML("without", "proof4.size.without", "small-without") +
		routeYAML("jms", "proof4.size.jms", "small-jms", "dead_letter:", "  jms:", "    broker: mq", "    queue: proof4.dead") +
		routeYAML("too", "proof4.size.too", "small-too", "dead_letter:", "  sqs:", "    queue: tiny-dlq")
	p := startBridge(t, configuration(e, brokerYAML("mq", b.URL("stomp+ssl"), brokers.App, b.CAFile()), routes))
	for _, q := range queues {
		waitArrived(t, e, "small-"+q, 2, 30*time.Second)
	}

	// With a dead letter: whole, with the reason.
	waitArrived(t, e, "dlq", 1, 10*time.Second)
	r, properties := sent(t, e, "dlq", "big")
	if r.Body != big {
		t.Errorf("the dead letter has %d bytes of body", len(r.Body))
	}
	if r.Text("JMSBridgeRoute") != "with" || !strings.Contains(fmt.Sprint(r.Attributes)+fmt.Sprint(properties), "TooLarge") {
		t.Errorf("the dead letter does not say why: %+v", r.Attributes)
	}
	b.WaitDepth(t, "proof4.size.with", 0, 10*time.Second)

	// On a broker queue likewise.
	b.WaitDepth(t, "proof4.dead", 1, 10*time.Second)
	b.WaitDepth(t, "proof4.size.jms", 0, 10*time.Second)
	if dead := b.Drain(t, "proof4.dead"); dead[0].Body != big || dead[0].Header("name") != "big" {
		t.Errorf("the dead letter on the broker: %d bytes of body, %+v", len(dead[0].Body), dead[0].Headers)
	}

	// Without one, or with one that can't take it: held, named, not lost.
	for _, q := range []string{"without", "too"} {
		s := p.waitStatus(q, 10*time.Second, func(s bridge.RouteStatus) bool { return s.HeldCount == 1 })
		if len(s.Held) != 1 || s.Held[0].ID == "" || s.Held[0].Reason == "" {
			t.Errorf("%s: held: %+v", q, s.Held)
		}
		t.Logf("%s: %+v", q, s.Held)
		b.WaitDepth(t, "proof4.size."+q, 1, 10*time.Second)
	}
	p.stop()
	for _, q := range []string{"without", "too"} {
		if left := b.Drain(t, "proof4.size."+q); len(left) != 1 || left[0].Body != big {
			t.Errorf("%s: %d messages left on the broker", q, len(left))
		}
	}
}

func TestOddMessagesArriveWhole(t *testing.T) {
	b := classic6.Broker(t)
	e := startAWS(t, awslocal.Options{}, "odd", "text")
	forty := []string{"name", "forty"}
	for i := range 39 {
		forty = append(forty, fmt.Sprintf("p%02d", i), fmt.Sprintf("value %d", i))
	}
	messages := map[string]brokers.Message{
		"control attribute": textMessage("body", "name", "control attribute", "bell", "a\x07b"),
		"forty":             textMessage("body", forty...),
		"odd names":         textMessage("body", "name", "odd names", "CorrelationID", "mine", "AWS.x", "aws", "amazon.y", "z", "a..b", "dots", "ümlaut", "u"),
		"control body":      textMessage("a\x01b", "name", "control body"),
		"bytes":             {Headers: []brokers.Header{{Name: "name", Value: "bytes"}}, Body: "\x00\xff\x01", Bytes: true},
		"markup":            textMessage("<a>&amp;\"'\\ \u2028 äöü 🌍", "name", "markup"),
	}
	for _, m := range messages {
		b.Publish(t, "proof4.odd", m)
	}
	b.Publish(t, "proof4.text", textMessage("", "name", "empty"))
	b.Publish(t, "proof4.held", textMessage("", "name", "empty"), textMessage("full", "name", "full"))
	routes := routeYAML("odd", "proof4.odd", "odd", "dead_letter: drop") +
		strings.Replace(routeYAML("text", "proof4.text", "text", "dead_letter: drop"), "queue: proof4.text\n", "queue: proof4.text\n        empty_body: text\n", 1) +
		routeYAML("held", "proof4.held", "text")
	p := startBridge(t, configuration(e, brokerYAML("mq", b.URL("stomp+ssl"), brokers.App, b.CAFile()), routes))
	waitArrived(t, e, "odd", len(messages), 30*time.Second)

	for name, m := range messages {
		r, got := sent(t, e, "odd", name)
		want := map[string]string{}
		for _, h := range m.Headers {
			want[h.Name] = h.Value
		}
		if d := cmp.Diff(want, got); d != "" {
			t.Errorf("%s: properties (-want +got):\n%s", name, d)
		}
		if n := len(r.Attributes); n > 10 {
			t.Errorf("%s: %d attributes", name, n)
		}
		body := r.Body
		if r.Text("jmsbridge.encoding") == "base64" {
			raw, err := base64.StdEncoding.DecodeString(r.Body)
			if err != nil {
				t.Errorf("%s: %v", name, err)
			}
			body = string(raw)
		}
		if body != m.Body {
			t.Errorf("%s: body %q, want %q", name, body, m.Body)
		}
		if marked := r.Text("jmsbridge.encoding") == "base64"; marked != (name == "bytes" || name == "control body") {
			t.Errorf("%s: encoding %q", name, r.Text("jmsbridge.encoding"))
		}
	}

	// An empty body may be a Map, Stream or Object: held, unless the route says that it is text.
	waitArrived(t, e, "text", 2, 20*time.Second)
	r, _ := sent(t, e, "text", "empty")
	if r.Text("jmsbridge.body_type") == "" {
		t.Errorf("the empty text is not marked: %q, %+v", r.Body, r.Attributes)
	}
	s := p.waitStatus("held", 20*time.Second, func(s bridge.RouteStatus) bool { return s.HeldCount == 1 })
	if !strings.Contains(s.Held[0].Reason, "empty") {
		t.Errorf("held: %+v", s.Held)
	}
	p.stop()
	if left := b.Drain(t, "proof4.held"); len(left) != 1 || left[0].Header("name") != "empty" {
		t.Errorf("left on the broker: %+v", left)
	}
}

// javaTypes are the six body types; a seventh message shows that the others go on.
func javaTypes() []bridge.Message {
	named := func(name string) bridge.Properties {
		return bridge.NewProperties([]bridge.Entry{{Name: "name", Value: bridge.String(name)}, {Name: "count", Value: bridge.Int(7)}})
	}
	return []bridge.Message{
		{Properties: named("text"), CorrelationID: "c-1", Type: "order", Body: bridge.NewText("text body äöü")},
		{Properties: named("bytes"), Body: bridge.NewBytes("\x00\x01\xfe\xff")},
		{Properties: named("map"), Body: bridge.NewMap([]bridge.Entry{{Name: "k", Value: bridge.Int(1)}})},
		{Properties: named("object"), Body: bridge.NewObject("serialised")},
		{Properties: named("none")},
		{Properties: named("stream"), Body: bridge.NewStream([]bridge.Value{bridge.Int(1)})},
		{Properties: named("last"), Body: bridge.NewText("last")},
	}
}

// checkTextAndBytes checks what STOMP can carry.
func checkTextAndBytes(t testing.TB, e *awslocal.Endpoint, queue string) {
	t.Helper()
	r, _ := sent(t, e, queue, "text")
	if r.Body != "text body äöü" || r.Text("CorrelationID") != "c-1" || r.Text("JMSType") != "order" || !strings.HasPrefix(r.Text("MessageID"), "ID:") {
		t.Errorf("the Text message: %q, %+v", r.Body, r.Attributes)
	}
	r, _ = sent(t, e, queue, "bytes")
	if r.Body != "AAH+/w==" || r.Text("jmsbridge.encoding") != "base64" || !strings.HasPrefix(r.Text("jmsbridge.body_type"), "bytes") {
		t.Errorf("the Bytes message: %q, %+v", r.Body, r.Attributes)
	}
	if r, _ = sent(t, e, queue, "last"); r.Body != "last" {
		t.Errorf("the last message: %q", r.Body)
	}
}

func TestJavaTypesOnClassic(t *testing.T) {
	b := classic6.Broker(t)
	e := startAWS(t, awslocal.Options{}, "types")
	const queue = "proof4.java"
	java.Send(t, java.ActiveMQ6, b.URL("tcp"), brokers.App, queue, javaTypes()...)
	p := startBridge(t, configuration(e, brokerYAML("mq", b.URL("stomp+ssl"), brokers.App, b.CAFile()), routeYAML("types", queue, "types", "dead_letter: drop")))
	waitArrived(t, e, "types", 3, 30*time.Second)
	checkTextAndBytes(t, e, "types")

	// Map, Object, Stream and the one without a body can't be told apart here: held, with the reason.
	s := p.waitStatus("types", 20*time.Second, func(s bridge.RouteStatus) bool { return s.HeldCount == 4 })
	for _, h := range s.Held {
		if h.Reason == "" || h.ID == "" {
			t.Errorf("held: %+v", h)
		}
	}
	t.Logf("%+v", s.Held[0])
	b.WaitDepth(t, queue, 4, 10*time.Second)
	p.stop()
	b.WaitDepth(t, queue, 4, 10*time.Second)
	left := java.Receive(t, java.ActiveMQ6, b.URL("tcp"), brokers.App, queue, 4, 5*time.Second)
	var kinds []string
	for _, m := range left {
		kinds = append(kinds, m.Body.Kind().String())
	}
	if d := cmp.Diff([]string{"map", "object", "none", "stream"}, kinds); d != "" {
		t.Errorf("left on the broker (-want +got):\n%s", d)
	}
	if n := e.Depth("types").Total(); n != 3 {
		t.Errorf("%d messages arrived, want 3", n)
	}
}

func TestJavaTypesOnArtemis(t *testing.T) {
	b := artemis.Broker(t)
	e := startAWS(t, awslocal.Options{}, "types")
	const queue = "proof4.java"
	java.Send(t, java.ActiveMQ6, b.URL("tcp"), brokers.App, queue, javaTypes()...)
	p := startBridge(t, configuration(e, brokerYAML("mq", b.URL("stomp+ssl"), brokers.App, b.CAFile()), routeYAML("types", queue, "types", "dead_letter: drop")))
	waitArrived(t, e, "types", 3, 30*time.Second)
	eventually(t, 20*time.Second, func() (bool, string) {
		for _, r := range e.Log().Sends("types") {
			if p, err := recordProperties(&r); err == nil && p["name"] == "last" {
				return true, ""
			}
		}
		return false, "the last message has not arrived"
	})
	checkTextAndBytes(t, e, "types")
	// The Stream never reaches a STOMP subscriber of this broker; it must not be lost.
	p.stop()
	left := java.Receive(t, java.ActiveMQ6, b.URL("tcp"), brokers.App, queue, 7, 5*time.Second)
	stream := false
	for _, m := range left {
		stream = stream || m.Body.Kind() == bridge.StreamBody
	}
	if !stream {
		t.Errorf("the Stream message is gone; left on the broker: %+v", left)
	}
	if !strings.Contains(p.log.String(), "ext and bytes only") {
		t.Error("the log does not say that this wire carries text and bytes only")
	}
}

// What an AMQP client sent to Classic can't be settled over STOMP: it is held, and the others go on.
func TestQpidMessageOnClassicIsHeld(t *testing.T) {
	b := classic6.Broker(t)
	e := startAWS(t, awslocal.Options{}, "qpid")
	const queue = "proof4.qpid"
	b.Publish(t, queue, textMessage("before", "name", "before"))
	java.Send(t, java.Qpid, b.URL("amqp"), brokers.App, queue, bridge.Message{Body: bridge.NewText("from qpid")})
	b.Publish(t, queue, textMessage("after", "name", "after"))
	p := startBridge(t, configuration(e, brokerYAML("mq", b.URL("stomp+ssl"), brokers.App, b.CAFile()), routeYAML("qpid", queue, "qpid", "dead_letter: drop")))
	waitArrived(t, e, "qpid", 2, 30*time.Second)
	s := p.waitStatus("qpid", 20*time.Second, func(s bridge.RouteStatus) bool { return s.HeldCount == 1 })
	if !strings.Contains(s.Held[0].Reason, "AMQP") {
		t.Errorf("held: %+v", s.Held)
	}
	b.WaitDepth(t, queue, 1, 10*time.Second)
	if s := p.status("qpid"); s.State != bridge.StateRunning || s.Connected != 1 {
		t.Errorf("the route: %+v", s)
	}
	p.stop()
	left := java.Receive(t, java.Qpid, b.URL("amqp"), brokers.App, queue, 2, 5*time.Second)
	if len(left) != 1 || left[0].Body.Data() != "from qpid" {
		t.Errorf("left on the broker: %+v", left)
	}
	if n := len(e.Log().Sends("qpid")); n != 2 {
		t.Errorf("%d sends, want 2", n)
	}
}
