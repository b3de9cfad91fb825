//go:build integration

package e2e_test

import (
	"fmt"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/jmsbridge/jmsbridge/connectors/aws/awslocal"
	"github.com/jmsbridge/jmsbridge/test/brokers"
)

// These are the copies of docs/migration.md: both the old consumer and the bridge get every message.

func TestMigrationCopiesByADivertOnArtemis(t *testing.T) {
	b := artemis.Broker(t)
	e := startAWS(t, awslocal.Options{}, "copies")
	o := &oracle{count: 100, groups: 1}
	const queue = "copy.orders"
	manageArtemis(t, b, "createDivert", `["copy","copy","`+queue+`","`+queue+`.bridge",false,null,null]`)
	b.Publish(t, queue, textMessage("before there is a queue for the copy")) // which is dropped
	if got := b.Drain(t, queue); len(got) != 1 {
		t.Fatalf("the old consumer got %d messages of 1", len(got))
	}
	p := startBridge(t, configuration(e, brokerYAML("mq", b.URL("stomp+ssl"), brokers.App, b.CAFile()),
		routeYAML("orders", queue+".bridge", "copies", "dead_letter: drop")))
	eventually(t, 30*time.Second, func() (bool, string) { // the bridge's subscription makes the queue
		d, err := b.Depth(t.Context(), queue+".bridge")
		return err == nil && d.Consumers == 1, fmt.Sprintf("%+v, %v", d, err)
	})
	o.preload(t, b, queue)
	waitArrived(t, e, "copies", o.count, 30*time.Second)
	b.WaitDepth(t, queue+".bridge", 0, 10*time.Second)
	p.stop()
	o.judge(t, e, "copies", false)
	if n := o.judgeDrained(t, b, queue, true); n != 0 {
		t.Errorf("the old consumer got %d messages twice", n)
	}
	manageArtemis(t, b, "destroyDivert", `["copy"]`)
	manageArtemis(t, b, "destroyQueue", `["`+queue+`.bridge"]`)
}

// manageArtemis calls an operation of the broker, as a console does. It waits for no answer: what comes of it shows.
func manageArtemis(t testing.TB, b *brokers.Broker, operation, arguments string) {
	t.Helper()
	c, err := b.Dial(t.Context(), "stomp", brokers.Admin)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	call := brokers.Message{
		Headers: []brokers.Header{{Name: "_AMQ_ResourceName", Value: "broker"}, {Name: "_AMQ_OperationName", Value: operation}},
		Body:    arguments,
	}
	if _, err := c.Publish(t.Context(), "activemq.management", 1, func(int) brokers.Message { return call }, nil); err != nil {
		t.Fatalf("calling %s: %v", operation, err)
	}
}

func TestMigrationCopiesByAVirtualTopicOnClassic(t *testing.T) {
	b := classic6.Broker(t)
	e := startAWS(t, awslocal.Options{}, "copies")
	o := &oracle{count: 100, groups: 1}
	const old, ours = "Consumer.old.VirtualTopic.orders", "Consumer.bridge.VirtualTopic.orders"
	wantNothing(t, b, old) // consuming makes the queue
	p := startBridge(t, configuration(e, brokerYAML("mq", b.URL("stomp+ssl"), brokers.App, b.CAFile()),
		routeYAML("orders", ours, "copies", "dead_letter: drop")))
	eventually(t, 30*time.Second, func() (bool, string) {
		d, err := b.Depth(t.Context(), ours)
		return err == nil && d.Consumers == 1, fmt.Sprintf("%+v, %v", d, err)
	})
	o.preload(t, b, "/topic/VirtualTopic.orders")
	waitArrived(t, e, "copies", o.count, 30*time.Second)
	p.stop()
	o.judge(t, e, "copies", false)
	if n := o.judgeDrained(t, b, old, true); n != 0 {
		t.Errorf("the old consumer got %d messages twice", n)
	}
}

// A composite queue copies, and JMX deletes a durable subscription. Both need a broker whose operator has said so.
func TestMigrationOnAClassicWithACompositeQueueAndJMX(t *testing.T) {
	b := startOperated(t)
	e := startAWS(t, awslocal.Options{}, "copies", "prices")
	config := configuration(e, brokerYAML("mq", "stomp://"+b.addr, brokers.App, ""),
		routeYAML("orders", "orders.bridge", "copies", "dead_letter: drop")+pricesYAML("topic: price.changes", "subscription: bridge"))
	receive := func() []int { // what the old consumer gets
		t.Helper()
		return orderNumbers(t, lookedAt(t, runCommand(t, config, 0, "receive", "--broker", "mq", "--consume", "queue:orders")))
	}
	sendEnvelopes(t, config, "mq", "queue:orders", orders(0, 10)) // as long as the bridge does not run, they wait in both queues
	p := startBridge(t, config)
	waitArrived(t, e, "copies", 10, 30*time.Second)
	p.waitStatus("prices", 30*time.Second, connected)
	p.stop()
	copies := arrivals(t, e, "copies")
	if len(copies) != 10 {
		t.Fatalf("the bridge got %d copies of 10", len(copies))
	}
	for n, m := range copies { // one digit each
		if diff := cmp.Diff(unchanged(order(n)), unchanged(m)); diff != "" {
			t.Errorf("copy %d (-sent +got):\n%s", n, diff)
		}
	}
	if diff := cmp.Diff(sequence(0, 10), receive()); diff != "" {
		t.Errorf("the old consumer's messages (-want +got):\n%s", diff)
	}

	sendEnvelopes(t, config, "mq", "topic:price.changes", orders(1, 2)) // waits for the bridge, until the subscription is deleted
	b.destroy(t, "jmsbridge-prices", "bridge")
	p = startBridge(t, config)
	p.waitStatus("prices", 30*time.Second, connected)
	sendEnvelopes(t, config, "mq", "topic:price.changes", orders(2, 3))
	waitArrived(t, e, "prices", 1, 30*time.Second)
	p.stop()
	if diff := cmp.Diff([]int{2}, orderNumbers(t, arrivals(t, e, "prices"))); diff != "" {
		t.Errorf("arrived (-want +got):\n%s", diff)
	}
}

// operated is a Classic broker that runs with testdata/operated.xml and without logins.
type operated struct {
	addr string // of its STOMP connector
	pid  int
}

var stompAddress = regexp.MustCompile(`Listening for connections at: stomp://[^:]+:(\d+)`)

func startOperated(t testing.TB) *operated {
	t.Helper()
	home, err := brokers.Install(t.Context(), brokers.Classic6)
	if err != nil {
		t.Fatal(err)
	}
	file, err := filepath.Abs("testdata/operated.xml")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	cmd := exec.Command("java", "-Xmx256m", "-Dlog4j2.level=INFO", "-Dactivemq.home="+home, "-Dactivemq.base="+dir, "-Djava.io.tmpdir="+dir,
		"-cp", filepath.Join(home, "lib", "*"), "org.apache.activemq.console.Main", "start", "xbean:file:"+file)
	var log transcript
	cmd.Stdout, cmd.Stderr, cmd.Dir = &log, &log, dir
	done := launch(t, cmd)
	b := &operated{pid: cmd.Process.Pid}
	eventually(t, 2*time.Minute, func() (bool, string) {
		select {
		case <-done:
			t.Fatalf("the broker has ended:\n%s", log.String())
		default:
		}
		m := stompAddress.FindStringSubmatch(log.String())
		if m == nil || !strings.Contains(log.String(), ") started") {
			return false, log.String()
		}
		b.addr = "127.0.0.1:" + m[1]
		return true, ""
	})
	return b
}

// destroy deletes a durable subscription over JMX.
func (b *operated) destroy(t testing.TB, client, name string) {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "java", "testdata/Destroy.java", strconv.Itoa(b.pid), "operated", client, name).CombinedOutput()
	if err != nil {
		t.Fatalf("destroying the subscription: %v\n%s", err, out)
	}
}
