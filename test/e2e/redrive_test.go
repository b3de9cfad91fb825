//go:build integration

package e2e_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/jmsbridge/jmsbridge/bridge"
	"github.com/jmsbridge/jmsbridge/connectors/aws/awslocal"
	"github.com/jmsbridge/jmsbridge/test/brokers"
)

// typedProperties are one property of each type that SQS has a label for: how `jmsbridge send` is told, and what the
// consumer of the SQS queue must see.
var typedProperties = []struct {
	name, flag string
	want       awslocal.Attribute
}{
	{"count", "count:int=42", awslocal.Attribute{DataType: "Number.int", StringValue: "42"}},
	{"level", "level:byte=-7", awslocal.Attribute{DataType: "Number.byte", StringValue: "-7"}},
	{"paid", "paid:boolean=true", awslocal.Attribute{DataType: "Number.Boolean", StringValue: "1"}},
	{"quantity", "quantity:long=9007199254740993", awslocal.Attribute{DataType: "Number.long", StringValue: "9007199254740993"}},
	{"rate", "rate:double=2", awslocal.Attribute{DataType: "Number.double", StringValue: "2.0"}},
	{"region", "region=EU", awslocal.Attribute{DataType: "String", StringValue: "EU"}},
	{"size", "size:short=300", awslocal.Attribute{DataType: "Number.short", StringValue: "300"}},
	{"weight", "weight:float=1.5", awslocal.Attribute{DataType: "Number.float", StringValue: "1.5"}},
}

// A property keeps its type on the whole way: sent over STOMP, dead-lettered to a broker queue, and redriven to SQS.
func TestRedriveKeepsTheTypesOfProperties(t *testing.T) {
	for _, shared := range []*brokers.Shared{classic6, artemis} {
		b := shared.Broker(t)
		t.Run(string(b.Kind()), func(t *testing.T) {
			e := startAWS(t, awslocal.Options{}, "orders")
			const queue, dead = "redrive.typed", "DLQ.redrive.typed"
			mq := brokerYAML("mq", b.URL("stomp+ssl"), brokers.App, b.CAFile())
			config := configuration(e, mq, routeYAML("orders", queue, "orders",
				"dead_letter:", "  jms:", "    broker: mq", "    queue: "+dead))
			args := []string{"--broker", "mq", "queue:" + queue, "an order", "--group", "g7", "--group-seq", "3"}
			for _, p := range typedProperties {
				args = append(args, "--property", p.flag)
			}
			runCommand(t, config, 0, "send", args...)

			refuse := e.Inject(awslocal.Fault{Kind: awslocal.FailEntries, Code: "InvalidMessageContents", SenderFault: true})
			p := startBridge(t, config)
			b.WaitDepth(t, dead, 1, 30*time.Second)
			b.WaitDepth(t, queue, 0, 10*time.Second)
			p.stop()
			if refuse.Fired() == 0 || e.Depth("orders").Total() != 0 {
				t.Fatalf("the target refused %d and took %+v", refuse.Fired(), e.Depth("orders"))
			}
			refuse.Remove()

			// SQS takes ten attributes, and the diagnosis is there too: the redrive names those that consumers need.
			var names []string
			for _, p := range typedProperties {
				names = append(names, p.name)
			}
			target := "orders\n          attributes: [" + strings.Join(names, ", ") + "]"
			redrive := configuration(e, mq, routeYAML("orders-redrive", dead, target,
				"dead_letter:", "  jms:", "    broker: mq", "    queue: "+dead+".again"))
			p = startBridge(t, redrive)
			waitArrived(t, e, "orders", 1, 30*time.Second)
			b.WaitDepth(t, dead, 0, 10*time.Second)
			p.stop()

			arrived := e.Messages("orders")[0]
			for _, p := range typedProperties {
				if diff := cmp.Diff(p.want, arrived.Attributes[p.name]); diff != "" {
					t.Errorf("property %s at SQS (-want +got):\n%s", p.name, diff)
				}
			}
			// What had no room among the ten attributes is in jmsbridge.more, with its type.
			m := arrivals(t, e, "orders")[0]
			if m.GroupID != "g7" || m.GroupSeq != 3 || m.Body.Data() != "an order" {
				t.Errorf("group %q, %d; body %q", m.GroupID, m.GroupSeq, m.Body.Data())
			}
			for name, want := range map[string]bridge.ValueType{
				bridge.DeadErrorCode: bridge.StringType, bridge.DeadAttempts: bridge.IntType,
				bridge.DeadFirstTime: bridge.LongType, bridge.DeadLastTime: bridge.LongType,
			} {
				if v, ok := m.Properties.Lookup(name); !ok || v.Type() != want {
					t.Errorf("property %s is %+v, of type %s, want %s", name, v, v.Type(), want)
				}
			}
		})
	}
}
