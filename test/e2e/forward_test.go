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
	"github.com/jmsbridge/jmsbridge/test/faultproxy"
)

// Between Classic and Artemis, both ways, while the connections to the targets are cut: everything comes whole, in the order of
// its group, and headers, bodies and types of properties are as they were. A duplicate comes where the broker knows none.
//
// Artemis knows them by the id that the bridge sends. It confirms a message that is sent again although the first copy, of
// the lost connection, has no place in the queue yet (2.44), so its order is asked for only where nothing is cut.
func TestJMSTargetMovesMessagesBetweenBrokers(t *testing.T) {
	classic, other := classic6.Broker(t), artemis.Broker(t)
	o, once := &oracle{count: scaled(4000), groups: 100}, &oracle{count: scaled(4000), groups: 100}
	o.preload(t, other, "forward.bulk")
	once.preload(t, classic, "forward.once")
	toClassic, toArtemis := openProxy(t, classic), openProxy(t, other)
	group := []string{"order: group", "group_id: ${.properties.account}"}
	config := configuration(
		nil,
		brokerYAML("classic", classic.URL("stomp+ssl"), brokers.App, classic.CAFile())+
			brokerYAML("artemis", other.URL("stomp+ssl"), brokers.App, other.CAFile())+
			brokerYAML("cut-classic", "stomp://"+toClassic.Addr(), brokers.App, "")+
			brokerYAML("cut-artemis", "stomp://"+toArtemis.Addr(), brokers.App, ""),
		forwardYAML("bulk", "artemis", "forward.bulk", "cut-classic", "forward.bulk", group...)+
			forwardYAML("bulk-back", "classic", "forward.bulk", "artemis", "forward.bulk.back", group...)+
			forwardYAML("once", "classic", "forward.once", "cut-artemis", "forward.once")+
			forwardYAML("typed", "classic", "forward.typed", "artemis", "forward.typed", "order: strict")+
			forwardYAML("typed-back", "artemis", "forward.typed", "classic", "forward.typed.back", "order: strict"),
	)
	sent := typedMessages()
	sendEnvelopes(t, config, "classic", "queue:forward.typed", sent)

	toClassic.Latency(20 * time.Millisecond) // so that a quarter is not the whole
	toArtemis.Latency(20 * time.Millisecond)
	p := startBridge(t, config)
	uncut := map[string]*faultproxy.Proxy{"bulk": toClassic, "once": toArtemis}
	eventually(t, time.Minute, func() (bool, string) {
		routes, err := p.statuses()
		for route, proxy := range uncut {
			switch n := routes[route].Counters.Delivered; {
			case n >= uint64(o.count):
				t.Fatalf("all of route %s was delivered before the cut", route)
			case n > uint64(o.count/4):
				if proxy.Cut() == 0 {
					t.Errorf("nothing was cut for route %s", route)
				}
				delete(uncut, route)
			}
		}
		return len(uncut) == 0, fmt.Sprintf("%v, %v", routes, err)
	})
	for queue, b := range map[string]*brokers.Broker{
		"forward.bulk": other, "forward.once": classic, "forward.typed": classic, // first the sources, and then what lies between
	} {
		b.WaitDepth(t, queue, 0, time.Minute)
	}
	classic.WaitDepth(t, "forward.bulk", 0, time.Minute)
	other.WaitDepth(t, "forward.typed", 0, 10*time.Second)
	p.stop()
	// What was under way when Classic's connection was cut is there twice: one message of each group at most.
	if n := o.judgeDrained(t, other, "forward.bulk.back", true); n > o.groups {
		t.Errorf("%d duplicates after one cut", n)
	}
	if n := once.judgeDrained(t, other, "forward.once", false); n != 0 {
		t.Errorf("%d duplicates on Artemis, which knows them", n)
	}

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

// judgeDrained takes what is in a broker queue and checks it: every message, whole, and if so asked in the order of its group.
// It returns how many came again.
func (o *oracle) judgeDrained(t testing.TB, b *brokers.Broker, queue string, ordered bool) (duplicates int) {
	t.Helper()
	complain := limitedErrors(t, 10)
	seen := make([]bool, o.count)
	last := make([]int, o.groups)
	for _, m := range b.Drain(t, queue) {
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
		if seen[i] {
			duplicates++
			continue
		}
		seen[i] = true
		if g := i % o.groups; ordered && i < last[g] {
			complain("message %d of group %d came after message %d", i, g, last[g]-1)
		} else {
			last[g] = i + 1
		}
	}
	for i := range o.owed {
		if !seen[i] {
			complain("message %d is lost", i)
		}
	}
	return duplicates
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
	// Persistent as the others: Classic keeps no order between persistent messages and others.
	return append(messages, bridge.Message{Priority: bridge.DefaultPriority, Persistent: true, Body: bridge.NewText("nothing but a text")})
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
