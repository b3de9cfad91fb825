//go:build integration

package e2e_test

import (
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/jmsbridge/jmsbridge/bridge"
	"github.com/jmsbridge/jmsbridge/connectors/aws/awslocal"
	"github.com/jmsbridge/jmsbridge/test/brokers"
	"github.com/jmsbridge/jmsbridge/test/java"
)

// These are the steps of docs/migration.md about durable subscriptions.

// pricesYAML is a route to the SQS queue "prices" from a source with these lines.
func pricesYAML(source ...string) string {
	return "  - name: prices\n    from:\n      jms:\n        broker: mq\n        " + strings.Join(source, "\n        ") +
		"\n    to:\n      - sqs:\n          queue: prices\n    dead_letter: drop\n"
}

// A durable subscription that a Java client has made is taken over with what waits in it, and handed back.
func TestMigrationTakesOverADurableSubscription(t *testing.T) {
	for _, c := range []struct {
		broker       *brokers.Shared
		client       java.Client
		subscription java.Subscription
		source       []string
	}{
		{
			classic6, java.ActiveMQ6,
			java.Subscription{Topic: "migration.prices", ClientID: "pricing.app", Name: "ticks.eu"},
			[]string{"topic: migration.prices", "client_id: pricing.app", "subscription: ticks.eu"},
		},
		{
			artemis, java.Core,
			java.Subscription{Topic: "migration.prices", ClientID: "pricing", Name: "ticks"},
			[]string{"topic: migration.prices", "client_id: pricing", "subscription: ticks"},
		},
		// What the brokers read otherwise in CONNECT, and what Artemis's Java clients escape when they name the queue.
		{
			classic6, java.ActiveMQ6,
			java.Subscription{Topic: "migration.odd", ClientID: `pri\cing.app:1`, Name: `ti\cks.eu:1`},
			[]string{"topic: migration.odd", `client_id: 'pri\cing.app:1'`, `subscription: 'ti\cks.eu:1'`},
		},
		{
			artemis, java.Core,
			java.Subscription{Topic: "migration.odd", ClientID: `pri\cing.app:1`, Name: `ti\cks.eu:1`},
			[]string{"topic: migration.odd", `client_id: 'pri\cing.app:1'`, `subscription: 'ti\cks.eu:1'`},
		},
		{
			artemis, java.ActiveMQ6,
			java.Subscription{Topic: "migration.openwire", ClientID: `pri\cing.app:2`, Name: `ti\cks.eu:2`},
			[]string{"topic: migration.openwire", `client_id: 'pri\cing.app:2'`, `subscription: 'ti\cks.eu:2'`},
		},
		{ // by the name of the queue
			artemis, java.ActiveMQ6,
			java.Subscription{Topic: "migration.dots", ClientID: "pricing.app", Name: "ticks.eu"},
			[]string{`queue: 'migration.dots::pricing\.app.ticks\.eu'`},
		},
	} {
		b := c.broker.Broker(t)
		t.Run(string(b.Kind())+" from "+string(c.client)+" "+c.subscription.ClientID, func(t *testing.T) {
			e := startAWS(t, awslocal.Options{}, "prices")
			s := c.subscription
			config := configuration(e, brokerYAML("mq", b.URL("stomp+ssl"), brokers.App, b.CAFile()), pricesYAML(c.source...))
			publish := func(from, to int) {
				t.Helper()
				sendEnvelopes(t, config, "mq", "topic:"+s.Topic, orders(from, to))
			}
			consume := func(n int) []int {
				t.Helper()
				return orderNumbers(t, java.ReceiveDurable(t, c.client, b.URL("tcp"), brokers.App, s, n, time.Second))
			}
			consume(0) // the old consumer has made it, and is stopped
			publish(0, 5)
			p := startBridge(t, config)
			waitArrived(t, e, "prices", 5, 30*time.Second)
			publish(5, 8)
			waitArrived(t, e, "prices", 8, 30*time.Second)
			p.stop()
			if diff := cmp.Diff(sequence(0, 8), orderNumbers(t, arrivals(t, e, "prices"))); diff != "" { // one digit each
				t.Errorf("the bridge's messages (-want +got):\n%s", diff)
			}
			publish(8, 11)
			if diff := cmp.Diff(sequence(8, 11), consume(3)); diff != "" {
				t.Errorf("handed back (-want +got):\n%s", diff)
			}
			if err := java.Unsubscribe(t, c.client, b.URL("tcp"), brokers.App, s); err != nil {
				t.Fatal(err)
			}
		})
	}
}

// What the bridge has subscribed outlives it, under the names that the documentation says, and is gone once it is deleted
// as the documentation says.
func TestMigrationDeletesADurableSubscription(t *testing.T) {
	for _, c := range []struct {
		broker *brokers.Shared
		delete func(t *testing.T, b *brokers.Broker)
	}{
		{classic6, func(t *testing.T, b *brokers.Broker) {
			s := java.Subscription{Topic: "price.changes", ClientID: "jmsbridge-prices", Name: "bridge"}
			if err := java.Unsubscribe(t, java.ActiveMQ6, b.URL("tcp"), brokers.App, s); err != nil {
				t.Fatal(err)
			}
		}},
		{artemis, func(t *testing.T, b *brokers.Broker) {
			artemisCommand(t, b, "queue", "delete", "--name", "jmsbridge-prices.bridge")
		}},
	} {
		b := c.broker.Broker(t)
		t.Run(string(b.Kind()), func(t *testing.T) {
			e := startAWS(t, awslocal.Options{}, "prices")
			config := configuration(e, brokerYAML("mq", b.URL("stomp+ssl"), brokers.App, b.CAFile()), pricesYAML("topic: price.changes", "subscription: bridge"))
			run := func(meanwhile func()) {
				t.Helper()
				p := startBridge(t, config)
				p.waitStatus("prices", 30*time.Second, connected)
				meanwhile()
				p.stop()
			}
			publish := func(n int) {
				t.Helper()
				sendEnvelopes(t, config, "mq", "topic:price.changes", orders(n, n+1))
			}
			publish(0) // before there is a subscription
			run(func() {})
			publish(1)
			run(func() { waitArrived(t, e, "prices", 1, 30*time.Second) })
			publish(2)
			c.delete(t, b)
			publish(3)
			run(func() { // made anew
				publish(4)
				waitArrived(t, e, "prices", 2, 30*time.Second)
			})
			if diff := cmp.Diff([]int{1, 4}, orderNumbers(t, arrivals(t, e, "prices"))); diff != "" {
				t.Errorf("arrived (-want +got):\n%s", diff)
			}
			c.delete(t, b)
		})
	}
}

// connected tells whether the one connection of a route stands.
func connected(s bridge.RouteStatus) bool { return s.Connected == 1 }

// orders are messages from to to-1 of the migration.
func orders(from, to int) []bridge.Message {
	var all []bridge.Message
	for n := from; n < to; n++ {
		all = append(all, order(n))
	}
	return all
}

// artemisCommand runs Artemis's own command line as the operator does.
func artemisCommand(t testing.TB, b *brokers.Broker, args ...string) {
	t.Helper()
	home, err := brokers.Install(t.Context(), brokers.Artemis)
	if err != nil {
		t.Fatal(err)
	}
	args = append(args, "--url", b.URL("tcp"), "--user", brokers.Admin.Name, "--password", brokers.Admin.Password)
	out, err := exec.CommandContext(t.Context(), filepath.Join(home, "bin", "artemis"), args...).CombinedOutput()
	if err != nil {
		t.Fatalf("running artemis %s: %v\n%s", strings.Join(args[:2], " "), err, out)
	}
	t.Logf("%s", out)
}
