//go:build integration

package e2e_test

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/jmsbridge/jmsbridge/bridge"
	"github.com/jmsbridge/jmsbridge/bridge/envelope"
	"github.com/jmsbridge/jmsbridge/test/brokers"
)

// From Classic to Artemis and back, while the connection to the target is cut: the same messages in the order of their
// groups, none twice where the broker knows duplicates, and headers, bodies and types of properties as they were.
func TestJMSTargetMovesMessagesBetweenBrokers(t *testing.T) {
	classic, other := classic6.Broker(t), artemis.Broker(t)
	o := &oracle{count: scaled(5000), groups: 100}
	o.preload(t, classic, "forward.bulk")
	proxy := openProxy(t, other)
	config := configuration(
		nil,
		brokerYAML("classic", classic.URL("stomp+ssl"), brokers.App, classic.CAFile())+
			brokerYAML("artemis", other.URL("stomp+ssl"), brokers.App, other.CAFile())+
			brokerYAML("cut", "stomp://"+proxy.Addr(), brokers.App, ""),
		forwardYAML("bulk", "classic", "forward.bulk", "cut", "forward.bulk", "order: group", "group_id: ${.properties.account}")+
			forwardYAML("bulk-back", "artemis", "forward.bulk", "classic", "forward.bulk.back", "order: group", "group_id: ${.properties.account}")+
			forwardYAML("typed", "classic", "forward.typed", "artemis", "forward.typed", "order: strict")+
			forwardYAML("typed-back", "artemis", "forward.typed", "classic", "forward.typed.back", "order: strict"),
	)
	sent := typedMessages()
	sendEnvelopes(t, config, "classic", "queue:forward.typed", sent)

	p := startBridge(t, config)
	p.waitStatus("bulk", time.Minute, func(s bridge.RouteStatus) bool { return s.Counters.Delivered > uint64(o.count/4) })
	if proxy.Cut() == 0 {
		t.Error("nothing was cut")
	}
	if s := p.status("bulk"); s.Counters.Delivered >= uint64(o.count) {
		t.Fatalf("everything was delivered before the cut: %+v", s.Counters)
	}
	classic.WaitDepth(t, "forward.bulk", 0, time.Minute)
	classic.WaitDepth(t, "forward.bulk.back", o.count, time.Minute)
	classic.WaitDepth(t, "forward.typed.back", len(sent), 10*time.Second)
	for _, queue := range []string{"forward.bulk", "forward.typed"} {
		other.WaitDepth(t, queue, 0, 10*time.Second)
	}
	p.stop()
	o.judgeDrained(t, classic, "forward.bulk.back")

	got := lookedAt(t, runCommand(t, config, 0, "receive", "--broker", "classic", "queue:forward.typed.back"))
	if len(got) != len(sent) {
		t.Fatalf("%d of %d typed messages came back", len(got), len(sent))
	}
	for i := range sent {
		if diff := cmp.Diff(unchanged(sent[i]), unchanged(told(got[i]))); diff != "" {
			t.Errorf("message %d differs after there and back (-sent +got):\n%s", i, diff)
		}
	}
	classic.Drain(t, "forward.typed.back")
}

// forwardYAML is a route from a queue of one broker to a queue of another.
func forwardYAML(name, from, queue, to, copyTo string, more ...string) string {
	return fmt.Sprintf("  - name: %s\n    from:\n      jms:\n        broker: %s\n        queue: %s\n    to:\n      - jms:\n          broker: %s\n          queue: %s\n    dead_letter: drop\n",
		name, from, queue, to, copyTo) + indent(more)
}

// judgeDrained takes what is in a broker queue and checks it: every message, whole, once, in the order of its group.
func (o *oracle) judgeDrained(t testing.TB, b *brokers.Broker, queue string) {
	t.Helper()
	got := b.Drain(t, queue)
	complain := limitedErrors(t, 10)
	if len(got) != o.owed {
		complain("%d messages, want %d", len(got), o.owed)
	}
	last := make([]int, o.groups)
	for _, m := range got {
		i, err := strconv.Atoi(m.Header("number"))
		if err != nil || i < 0 || i >= o.count {
			complain("a message that nobody sent: %+v", m.Headers)
			continue
		}
		properties := map[string]string{}
		for name := range o.properties(i) {
			properties[name] = m.Header(name)
		}
		if !maps.Equal(properties, o.properties(i)) || m.Body != o.body(i) || m.Bytes && b.Kind().Classic() {
			complain("message %d: %.1000v", i, m)
		}
		if g := i % o.groups; i < last[g] {
			complain("message %d of group %d came after message %d", i, g, last[g]-1)
		} else {
			last[g] = i + 1
		}
	}
}

// typedMessages have every header, type of property and body that STOMP can carry.
func typedMessages() []bridge.Message {
	properties := bridge.NewProperties([]bridge.Entry{
		{Name: "bool", Value: bridge.Boolean(true)},
		{Name: "byte", Value: bridge.Byte(-7)},
		{Name: "short", Value: bridge.Short(-300)},
		{Name: "int", Value: bridge.Int(1 << 30)},
		{Name: "long", Value: bridge.Long(-1 << 60)},
		{Name: "float", Value: bridge.Float(1.5)},
		{Name: "double", Value: bridge.Double(2)},
		{Name: "text", Value: bridge.String("Grüße: \"a\\b\"")},
	})
	full := bridge.Message{
		CorrelationID: "correlation-1", Type: "order", Priority: 7, Persistent: true, GroupID: "g7", GroupSeq: 3,
		ReplyTo: bridge.Destination{Kind: bridge.Queue, Name: "forward.replies"}, Properties: properties,
	}
	bodies := []bridge.Body{bridge.NewText("<a>&amp; Grüße 🌍\n"), bridge.NewBytes("\x00\x01\xfe\xff"), bridge.NewText(""), {}}
	messages := make([]bridge.Message, 0, len(bodies)+1)
	for _, body := range bodies {
		m := full
		m.Body = body
		messages = append(messages, m)
	}
	return append(messages, bridge.Message{Priority: bridge.DefaultPriority, Body: bridge.NewText("nothing but a text")})
}

// told is a message whose body's type is taken for known: Artemis does not tell it over STOMP.
func told(m bridge.Message) bridge.Message {
	switch {
	case m.Body.IsInferred() && m.Body.Kind() == bridge.TextBody:
		m.Body = bridge.NewText(m.Body.Data())
	case m.Body.IsInferred():
		m.Body = bridge.NewBytes(m.Body.Data())
	}
	return m
}

// sendEnvelopes sends messages with `jmsbridge send`, which is quick and keeps the types of properties.
func sendEnvelopes(t testing.TB, yaml, broker, to string, messages []bridge.Message) {
	t.Helper()
	var lines []byte
	for i := range messages {
		line, err := envelope.Append(nil, &messages[i])
		if err != nil {
			t.Fatal(err)
		}
		lines = append(append(lines, line...), '\n')
	}
	file := filepath.Join(t.TempDir(), "envelopes.jsonl")
	if err := os.WriteFile(file, lines, 0o600); err != nil {
		t.Fatal(err)
	}
	runCommand(t, yaml, 0, "send", "--broker", broker, "--envelope", "--file", file, to)
}
