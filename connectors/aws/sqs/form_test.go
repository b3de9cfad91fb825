package sqs_test

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/jmsbridge/jmsbridge/bridge"
	"github.com/jmsbridge/jmsbridge/connectors/aws/awslocal"
	"github.com/jmsbridge/jmsbridge/connectors/aws/sqs"
)

// sent sends one message and returns what the queue holds of it: the body, and "TYPE VALUE" of each attribute.
func sent(t *testing.T, set sqs.SinkSettings, o bridge.Outgoing) (awslocal.Message, map[string]string) {
	t.Helper()
	e, client := inMemory(t)
	if set.Queue == "" {
		set.Queue = "orders"
	}
	queue(t, e, set.Queue, nil)
	set.Client = client
	send(t, connected(t, set), o)
	m := e.Drain(set.Queue)
	attributes := map[string]string{}
	for name, a := range m[0].Attributes {
		attributes[name] = a.DataType + " " + a.StringValue
	}
	return m[0], attributes
}

func TestHeadersAndPropertiesHaveTheirDocumentedForm(t *testing.T) {
	at := time.UnixMilli(1700000000123)
	for name, c := range map[string]struct {
		message bridge.Message
		body    string
		want    map[string]string
	}{
		"all headers but one": {
			bridge.Message{
				ID: "ID:1", CorrelationID: "c-1", Type: "order", Destination: bridge.Destination{Kind: bridge.Queue, Name: "orders"},
				ReplyTo: bridge.Destination{Kind: bridge.TempQueue, Name: "t"}, Timestamp: at, Expiration: at.Add(time.Second), Priority: 9,
				Redelivered: true, Body: bridge.NewText("x"),
			},
			"x",
			map[string]string{
				"MessageID": "String ID:1", "CorrelationID": "String c-1", "JMSType": "String order", "JMSDestination": "String queue:orders",
				"JMSReplyTo": "String temp-queue:t", "JMSTimestamp": "Number.long 1700000000123", "JMSExpiration": "Number.long 1700000001123",
				"JMSPriority": "Number.int 9", "JMSDeliveryMode": "Number.int 1", "JMSRedelivered": "Number.Boolean 1",
			},
		},
		"group and user": {
			bridge.Message{UserID: "u", GroupID: "g", GroupSeq: 7, Priority: 4, Persistent: true, Body: bridge.NewText("x")},
			"x",
			map[string]string{
				"JMSXUserID": "String u", "JMSXGroupID": "String g", "JMSXGroupSeq": "Number.int 7", "JMSPriority": "Number.int 4", "JMSDeliveryMode": "Number.int 2",
			},
		},
		"types": {
			bridge.Message{Persistent: true, Body: bridge.NewText("x"), Properties: bridge.NewProperties([]bridge.Entry{
				{Name: "b", Value: bridge.Byte(-1)},
				{Name: "s", Value: bridge.Short(2)},
				{Name: "i", Value: bridge.Int(3)},
				{Name: "l", Value: bridge.Long(1 << 60)},
				{Name: "f", Value: bridge.Float(1.5)},
				{Name: "d", Value: bridge.Double(2)},
				{Name: "t", Value: bridge.Boolean(true)},
				{Name: "x", Value: bridge.String("é")},
			})},
			"x",
			map[string]string{
				"b": "Number.byte -1", "s": "Number.short 2", "i": "Number.int 3", "l": "Number.long 1152921504606846976", "f": "Number.float 1.5",
				"d": "Number.double 2.0", "t": "Number.Boolean 1", "x": "String é", "JMSPriority": "Number.int 0", "JMSDeliveryMode": "Number.int 2",
			},
		},
		"what has no form": {
			bridge.Message{Persistent: true, Body: bridge.NewText("x"), Properties: bridge.NewProperties([]bridge.Entry{
				{Name: "CorrelationID", Value: bridge.String("mine")},
				{Name: "AWS.x", Value: bridge.Int(1)},
				{Name: "empty", Value: bridge.String("")},
				{Name: "gone", Value: bridge.Null()},
				{Name: "c", Value: bridge.Char('c')},
				{Name: "control", Value: bridge.String("a\x01")},
				{Name: "ok", Value: bridge.Int(1)},
			})},
			"x",
			map[string]string{
				"ok": "Number.int 1", "JMSPriority": "Number.int 0", "JMSDeliveryMode": "Number.int 2",
				"jmsbridge.more": `String {"properties":{"AWS.x":1,"CorrelationID":"mine","c":"c","control":"a\u0001","empty":"","gone":null},"property_types":{"c":"char","gone":"null"}}`,
			},
		},
		"no body":       {bridge.Message{}, " ", map[string]string{"jmsbridge.body_type": "String none", "jmsbridge.encoding": "String empty"}},
		"empty text":    {bridge.Message{Body: bridge.NewText("")}, " ", map[string]string{"jmsbridge.encoding": "String empty"}},
		"inferred text": {bridge.Message{Body: bridge.NewText("x").Inferred()}, "x", map[string]string{"jmsbridge.body_type": "String text inferred"}},
		"control text":  {bridge.Message{Body: bridge.NewText("a\x00")}, "YQA=", map[string]string{"jmsbridge.encoding": "String base64"}},
		"bytes":         {bridge.Message{Body: bridge.NewBytes("\x00\xff")}, "AP8=", map[string]string{"jmsbridge.body_type": "String bytes", "jmsbridge.encoding": "String base64"}},
		"map": {
			bridge.Message{Body: bridge.NewMap([]bridge.Entry{{Name: "b", Value: bridge.Long(2)}, {Name: "a", Value: bridge.String("x")}})},
			`{"a":"x","b":2}`,
			map[string]string{"jmsbridge.body_type": "String map", "jmsbridge.more": `String {"body_types":{"b":"long"}}`},
		},
		"stream": {
			bridge.Message{Body: bridge.NewStream([]bridge.Value{bridge.Int(1), bridge.String("two")})},
			`[1,"two"]`,
			map[string]string{"jmsbridge.body_type": "String stream"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			got, attributes := sent(t, sqs.SinkSettings{}, bridge.Outgoing{Message: &c.message})
			if got.Body != c.body {
				t.Errorf("body %q, not %q", got.Body, c.body)
			}
			if c.want["JMSPriority"] == "" {
				delete(attributes, "JMSPriority")
				delete(attributes, "JMSDeliveryMode")
			}
			if diff := cmp.Diff(c.want, attributes); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// The responder copies CorrelationID, so it is the token; the requester's own goes on beside it.
func TestARequestKeepsItsCorrelationIDBesideTheToken(t *testing.T) {
	m := text("x")
	m.CorrelationID = "c-1"
	_, attributes := sent(t, sqs.SinkSettings{}, bridge.Outgoing{Message: m, Ask: &bridge.Ask{CorrelationID: "token", QueueURL: "url"}})
	if attributes["CorrelationID"] != "String token" || attributes["ReplyTo"] != "String url" || !strings.Contains(attributes["jmsbridge.more"], `"c-1"`) {
		t.Errorf("%v", attributes)
	}
}

func TestOfFortyPropertiesTheNamedOnesStay(t *testing.T) {
	var entries []bridge.Entry
	for i := range 40 {
		entries = append(entries, bridge.Entry{Name: fmt.Sprintf("p%02d", i), Value: bridge.Int(int32(i))})
	}
	m := text("x")
	m.CorrelationID, m.Properties = "c", bridge.NewProperties(entries)
	_, attributes := sent(t, sqs.SinkSettings{Attributes: []string{"p39", "JMSPriority", "absent", "p17"}}, bridge.Outgoing{Message: m})
	want := []string{"CorrelationID", "JMSDeliveryMode", "JMSPriority", "MessageID", "jmsbridge.more", "p00", "p01", "p02", "p17", "p39"}
	if diff := cmp.Diff(want, slices.Sorted(maps.Keys(attributes))); diff != "" {
		t.Error(diff)
	}
	if more := attributes["jmsbridge.more"]; !strings.Contains(more, `"p38":38`) || strings.Contains(more, `"p39"`) {
		t.Errorf("more is %s", more)
	}
}

func TestADeadLetterKeepsItsDiagnosis(t *testing.T) {
	m := text("x")
	m.Properties = bridge.NewProperties([]bridge.Entry{{Name: "a", Value: bridge.Int(1)}, {Name: bridge.DeadError, Value: bridge.String("of the last time")}})
	m.Timestamp, m.Destination = time.UnixMilli(1), bridge.Destination{Kind: bridge.Queue, Name: "orders"}
	extra := bridge.NewProperties([]bridge.Entry{
		{Name: bridge.DeadRoute, Value: bridge.String("orders")},
		{Name: bridge.DeadTarget, Value: bridge.String("sqs")},
		{Name: bridge.DeadErrorClass, Value: bridge.String("permanent")},
		{Name: bridge.DeadError, Value: bridge.String("too large")},
		{Name: bridge.DeadAttempts, Value: bridge.Int(1)},
		{Name: bridge.DeadFirstTime, Value: bridge.Long(1)},
		{Name: bridge.DeadLastTime, Value: bridge.Long(2)},
		{Name: bridge.DeadErrorCode, Value: bridge.String("TooLarge")},
		{Name: bridge.DeadDestination, Value: bridge.String("queue:orders")},
	})
	_, attributes := sent(t, sqs.SinkSettings{Attributes: []string{"a"}}, bridge.Outgoing{Message: m, Extra: extra})
	for name, want := range map[string]string{
		"MessageID": "String ID:host-1:1", bridge.DeadErrorCode: "String TooLarge", bridge.DeadError: "String too large", bridge.DeadRoute: "String orders",
		bridge.DeadErrorClass: "String permanent", bridge.DeadDestination: "String queue:orders", bridge.DeadAttempts: "Number.int 1",
	} {
		if attributes[name] != want {
			t.Errorf("%s is %q, not %q", name, attributes[name], want)
		}
	}
	if len(attributes) != 10 || !strings.Contains(attributes["jmsbridge.more"], `"a":1`) {
		t.Errorf("%q", attributes)
	}
}

func TestAnEnvelopeHasNoAttributesButThoseAskedFor(t *testing.T) {
	m := text("x\ufffe")
	m.Properties = bridge.NewProperties([]bridge.Entry{{Name: "region", Value: bridge.String("EU")}, {Name: "other", Value: bridge.Int(1)}})
	got, attributes := sent(t, sqs.SinkSettings{Envelope: true, Attributes: []string{"region"}}, bridge.Outgoing{Message: m})
	if diff := cmp.Diff(map[string]string{"jmsbridge.encoding": "String envelope", "region": "String EU"}, attributes); diff != "" {
		t.Error(diff)
	}
	const want = `{"message_id":"ID:host-1:1","priority":4,"persistent":true,"redelivered":false,"properties":{"other":1,"region":"EU"},"body_type":"text","body":"x\ufffe"}`
	if got.Body != want {
		t.Errorf("body %s", got.Body)
	}
}

func TestJavaObjectsAreRejectedUnlessAllowed(t *testing.T) {
	m := &bridge.Message{ID: "ID:1", Body: bridge.NewObject("\xac\xed\x00\x05")}
	_, client := inMemory(t)
	s, err := sqs.NewSink(sqs.SinkSettings{Client: client, Queue: "orders"})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Size(&bridge.Outgoing{Message: m}); err == nil || bridge.ClassOf(err) != bridge.Permanent {
		t.Errorf("not allowed: %v", err)
	}
	got, attributes := sent(t, sqs.SinkSettings{ObjectBase64: true}, bridge.Outgoing{Message: m})
	if got.Body != "rO0ABQ==" || attributes["jmsbridge.body_type"] != "String object" {
		t.Errorf("allowed: %q %q", got.Body, attributes)
	}
	extra := bridge.NewProperties([]bridge.Entry{{Name: bridge.DeadRoute, Value: bridge.String("orders")}})
	if got, _ := sent(t, sqs.SinkSettings{}, bridge.Outgoing{Message: m, Extra: extra}); got.Body != "rO0ABQ==" {
		t.Errorf("as a dead letter: %q", got.Body)
	}
}

func TestFIFOIdsAreLegal(t *testing.T) {
	hash := func(s string) string {
		sum := sha256.Sum256([]byte(s))
		return hex.EncodeToString(sum[:])
	}
	long := strings.Repeat("x", 129)
	for _, c := range []struct{ group, dedup, wantGroup, wantDedup string }{
		{"account-1", "abc", "account-1", "abc"},
		{"!~", strings.Repeat("y", 128), "!~", strings.Repeat("y", 128)},
		{"two words", "a b", hash("two words"), hash("a b")},
		{"é", "é", hash("é"), hash("é")},
		{long, long, hash(long), hash(long)},
	} {
		got, _ := sent(t, sqs.SinkSettings{Queue: "orders.fifo"}, bridge.Outgoing{Message: text("x"), Group: c.group, DedupID: c.dedup})
		if got.Group != c.wantGroup || got.DedupID != c.wantDedup {
			t.Errorf("%q, %q became %q, %q", c.group, c.dedup, got.Group, got.DedupID)
		}
	}
}

func TestMessagesWithoutAKeyAreNotTakenForOne(t *testing.T) {
	e, client := inMemory(t)
	queue(t, e, "orders.fifo", map[string]string{"ContentBasedDeduplication": "true"})
	s := connected(t, sqs.SinkSettings{Client: client, Queue: "orders.fifo"})
	same := bridge.Outgoing{Message: text("x"), Group: "g"}
	send(t, s, same)
	send(t, s, same)
	if got := len(e.Drain("orders.fifo")); got != 2 {
		t.Errorf("%d of 2 messages arrived", got)
	}
}

func TestTraceContextIsPassedOnWhenItIsOne(t *testing.T) {
	const xray = "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=1"
	for _, c := range []struct{ name, value, want string }{
		{"AWSTraceHeader", xray, xray},
		{"X-Amzn-Trace-Id", "Root=1-5759e988-bd862e3fe1be46a994272793", "Root=1-5759e988-bd862e3fe1be46a994272793"},
		{"X_HYPHEN_Amzn_HYPHEN_Trace_HYPHEN_Id", xray, xray},
		{"traceparent", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01", "Root=1-4bf92f35-77b34da6a3ce929d0e0e4736;Parent=00f067aa0ba902b7;Sampled=1"},
		{"traceparent", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00", "Root=1-4bf92f35-77b34da6a3ce929d0e0e4736;Parent=00f067aa0ba902b7;Sampled=0"},
		{"traceparent", "01-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-0b-more", "Root=1-4bf92f35-77b34da6a3ce929d0e0e4736;Parent=00f067aa0ba902b7;Sampled=1"},
		{"traceparent", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-more", ""},
		{"traceparent", "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01", ""},
		{"traceparent", "00-00000000000000000000000000000000-00f067aa0ba902b7-01", ""},
		{"traceparent", "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01", ""},
		{"traceparent", "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01", ""},
		{"traceparent", "00", ""},
		{"AWSTraceHeader", "Root=nonsense", ""},
		{"AWSTraceHeader", xray + ";Parent=x", ""},
		{"AWSTraceHeader", "Sampled=1", ""},
		{"AWSTraceHeader", xray + ";Note=\x00", ""},
		{"other_property", xray, ""},
	} {
		m := text("x")
		m.Properties = bridge.NewProperties([]bridge.Entry{{Name: c.name, Value: bridge.String(c.value)}})
		got, _ := sent(t, sqs.SinkSettings{}, bridge.Outgoing{Message: m})
		if got.Trace != c.want {
			t.Errorf("%s %q became %q, not %q", c.name, c.value, got.Trace, c.want)
		}
		if v, _ := decoded(t, &got).Properties.Lookup(c.name); v.Str() != c.value {
			t.Errorf("%s %q was read back as %q", c.name, c.value, v.Str())
		}
	}
}

// SQS takes ten messages and 1 MiB in a call, and of a FIFO queue's group it may take the second after it refused the
// first.
func TestACallHoldsWhatSQSTakes(t *testing.T) {
	_, client := inMemory(t)
	s, err := sqs.NewSink(sqs.SinkSettings{Client: client, Queue: "orders.fifo"})
	if err != nil {
		t.Fatal(err)
	}
	if l := s.Limits(); l.Messages != 10 || l.Bytes != 1_048_576 || l.Run != 1 {
		t.Errorf("%+v", l)
	}
}

func TestSizeIsExactWhereItMatters(t *testing.T) {
	e, client := inMemory(t)
	queue(t, e, "orders", map[string]string{"MaximumMessageSize": "262144"})
	s := connected(t, sqs.SinkSettings{Client: client, Queue: "orders"})
	overhead := len("MessageIDString"+"ID:host-1:1") + len("JMSPriorityNumber.int4") + len("JMSDeliveryModeNumber.int2")
	for body, ok := range map[string]bool{
		strings.Repeat("x", 262144-overhead): true, strings.Repeat("x", 262145-overhead): false, strings.Repeat("é", (262144-overhead)/2): true,
		"\x00" + strings.Repeat("x", 200000): false, // base64
	} {
		o := bridge.Outgoing{Message: text(body)}
		n, err := s.Size(&o)
		if (err == nil) != ok {
			t.Errorf("%d bytes: %d, %v", len(body), n, err)
		}
		if err != nil {
			if bridge.ClassOf(err) != bridge.Permanent {
				t.Errorf("%v is %v", err, bridge.ClassOf(err))
			}
			continue
		}
		send(t, s, o) // the queue agrees
	}
}
