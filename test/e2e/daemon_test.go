//go:build integration

package e2e_test

import (
	"fmt"
	"maps"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/jmsbridge/jmsbridge/connectors/aws/awslocal"
	"github.com/jmsbridge/jmsbridge/test/brokers"
)

// The daemon writes one envelope a line to standard output and nothing else, and leaves a route alone that is disabled.
func TestStandardOutputBesideADisabledRoute(t *testing.T) {
	b := classic6.Broker(t)
	o := &oracle{count: scaled(2000), groups: 10}
	const queue, parked = "daemon.look", "daemon.parked"
	o.preload(t, b, queue)
	b.Publish(t, parked, textMessage("stays", "name", "stays"))
	fileRoute := func(name, queue, path string, more ...string) string {
		return fmt.Sprintf("  - name: %s\n    from:\n      jms:\n        broker: mq\n        queue: %s\n    to:\n      - file:\n          path: %q\n    dead_letter: drop\n",
			name, queue, path) + indent(more)
	}
	never := t.TempDir() + "/never.jsonl"
	p := startBridge(t, configuration(nil, brokerYAML("mq", b.URL("stomp+ssl"), brokers.App, b.CAFile()),
		fileRoute("look", queue, "-", "order: strict")+fileRoute("parked", parked, never, "enabled: false")))
	b.WaitDepth(t, queue, 0, time.Minute)

	routes, err := p.statuses()
	if err != nil {
		t.Fatal(err)
	}
	if _, there := routes["parked"]; there || len(routes) != 1 {
		t.Errorf("the status shows %v", routes)
	}
	if d, err := b.Depth(t.Context(), parked); err != nil || d.Messages != 1 || d.Consumers != 0 {
		t.Errorf("the queue of the disabled route: %+v, %v", d, err)
	}
	p.stop()

	lines := lookedAt(t, p.stdout.String())
	if len(lines) != o.count {
		t.Fatalf("%d lines on standard output, want %d", len(lines), o.count)
	}
	for i, m := range lines {
		got := map[string]string{}
		for name, v := range m.Properties.All() {
			got[name] = v.Str()
		}
		if !maps.Equal(got, o.properties(i)) || m.Body.Data() != o.body(i) || m.Destination.String() != "queue:"+queue {
			t.Fatalf("line %d: %+v", i, m)
		}
	}
	b.Drain(t, parked)
}

// For each route, received = the sum of settled + in flight + held, computed from GET /metrics alone, while each way that a
// message can go has been gone; and what is not settled is what the broker still has.
func TestMetricsConserveMessages(t *testing.T) {
	b := classic6.Broker(t)
	e := startAWS(t, awslocal.Options{}, "good", "dlq")
	for _, q := range []string{"dead", "dropped", "held"} {
		createQueue(t, e, q, map[string]string{"MaximumMessageSize": "2048"})
	}
	createQueue(t, e, "stalled", nil)
	slow := e.Inject(awslocal.Fault{Kind: awslocal.Latency, Delay: 100 * time.Millisecond, Queue: "good"})
	e.Inject(awslocal.Fault{Kind: awslocal.StallBefore, Queue: "stalled"})
	big, small := textMessage(strings.Repeat("x", 5000)), textMessage("small")
	for queue, messages := range map[string][]brokers.Message{
		"dead": {big, small, big}, "dropped": {small, big, small}, "held": {big, small, small}, "stalled": {small, small, small, small},
	} {
		b.Publish(t, "metrics."+queue, messages...)
	}
	o := &oracle{count: 3000, groups: 10}
	o.preload(t, b, "metrics.good")
	proxy := openProxy(t, b)
	drop := []string{"dead_letter: drop"}
	routes := strings.Replace(routeYAML("good", "metrics.good", "good", drop...), "broker: mq", "broker: cut", 1) +
		routeYAML("dead", "metrics.dead", "dead", "dead_letter:", "  sqs:", "    queue: dlq") +
		routeYAML("dropped", "metrics.dropped", "dropped", drop...) +
		routeYAML("held", "metrics.held", "held") +
		routeYAML("stalled", "metrics.stalled", "stalled", append(drop, "drain: 1s")...)
	p := startBridge(t, configuration(e, brokerYAML("mq", b.URL("stomp+ssl"), brokers.App, b.CAFile())+
		brokerYAML("cut", "stomp://"+proxy.Addr(), brokers.App, ""), routes))
	waitArrived(t, e, "good", 500, time.Minute)
	if proxy.Cut() == 0 { // what waited in the bridge is given back
		t.Error("nothing was cut")
	}
	slow.Remove()
	waitArrived(t, e, "good", o.count, time.Minute)

	// At rest: a scrape reads one series after the other.
	left := map[string]int{"good": 0, "dead": 0, "dropped": 0, "held": 1, "stalled": 4}
	for route, n := range left {
		b.WaitDepth(t, "metrics."+route, n, 30*time.Second)
	}
	want := map[string]float64{ // the series that show that the ways were gone
		settledSeries("dead", "dead_lettered"): 2, settledSeries("dead", "delivered"): 1,
		settledSeries("dropped", "dropped"): 1, settledSeries("dropped", "delivered"): 2,
		settledSeries("held", "delivered"): 2, `jmsbridge_held_messages{route="held"}`: 1,
		`jmsbridge_inflight_messages{route="stalled"}`: 4, `jmsbridge_inflight_messages{route="good"}`: 0,
	}
	var metrics map[string]float64
	eventually(t, 30*time.Second, func() (bool, string) {
		metrics = p.metrics()
		for series, n := range want {
			if metrics[series] != n {
				return false, fmt.Sprintf("%s is %v, want %v", series, metrics[series], n)
			}
		}
		return true, ""
	})
	if metrics[settledSeries("good", "released")] == 0 {
		t.Error("a connection was cut under load and nothing was given back: that can't be")
	}
	for route, n := range left {
		label := fmt.Sprintf("route=%q", route)
		received := metrics["jmsbridge_messages_received_total{"+label+"}"]
		unsettled := metrics["jmsbridge_inflight_messages{"+label+"}"] + metrics["jmsbridge_held_messages{"+label+"}"]
		sum := unsettled
		for series, n := range metrics {
			if strings.HasPrefix(series, "jmsbridge_messages_settled_total{") && strings.Contains(series, label) {
				sum += n
			}
		}
		if received == 0 || received != sum {
			t.Errorf("route %s: %v received, %v settled, in flight and held", route, received, sum)
		}
		if unsettled != float64(n) {
			t.Errorf("route %s: %v in flight and held, and the broker has %d", route, unsettled, n)
		}
	}
	p.stop()
	for route, n := range left { // nothing of it was lost on the way
		if got := b.Drain(t, "metrics."+route); len(got) != n {
			t.Errorf("%d messages are left of route %s, want %d", len(got), route, n)
		}
	}
}

// settledSeries is the text of a series of messages_settled_total.
func settledSeries(route, outcome string) string {
	return fmt.Sprintf("jmsbridge_messages_settled_total{outcome=%q,route=%q}", outcome, route)
}

// metrics asks the program for /metrics and returns each series' value by its text, labels included.
func (p *bridgeProcess) metrics() map[string]float64 {
	p.t.Helper()
	text, err := p.get("/metrics")
	if err != nil {
		p.t.Fatal(err)
	}
	all := map[string]float64{}
	for line := range strings.Lines(string(text)) {
		at := strings.LastIndexByte(line, ' ')
		if strings.HasPrefix(line, "#") || at < 0 {
			continue
		}
		n, err := strconv.ParseFloat(strings.TrimSpace(line[at:]), 64)
		if err != nil {
			p.t.Fatalf("reading %q: %v", line, err)
		}
		all[line[:at]] = n
	}
	return all
}
