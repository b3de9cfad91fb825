package lambda_test

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"flag"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-lambda-go/events"
	"github.com/google/go-cmp/cmp"

	"github.com/jmsbridge/jmsbridge/bridge"
	"github.com/jmsbridge/jmsbridge/connectors/aws/lambda"
)

var update = flag.Bool("update", false, "write the golden files anew")

const brokerARN = "arn:aws:mq:us-west-2:123456789012:broker:shop:b-0f5b7522-2b41-4f85-a615-735a4e6d96b5"

func withARN(s *lambda.SinkSettings) { s.SourceARN = brokerARN }

// full is a message that has everything.
func full() *bridge.Message {
	return &bridge.Message{
		Key: "k", ID: "ID:host-1:1", CorrelationID: "c-1", Type: "order \"new\"", UserID: "app", Destination: bridge.Destination{Kind: bridge.Queue, Name: "orders"},
		ReplyTo: bridge.Destination{Kind: bridge.TempQueue, Name: "ID:host-1:0:1"}, Timestamp: instant, Expiration: instant.Add(time.Hour), Priority: 9,
		Persistent: true, Redelivered: true, DeliveryCount: 2, GroupID: "g", GroupSeq: 3,
		Properties: bridge.NewProperties([]bridge.Entry{
			{Name: "region", Value: bridge.String("EU \"north\"\n<ü>")},
			{Name: "count", Value: bridge.Int(-3)},
			{Name: "small", Value: bridge.Byte(1)},
			{Name: "big", Value: bridge.Long(1<<62 + 1)},
			{Name: "rate", Value: bridge.Double(2)},
			{Name: "ratio", Value: bridge.Float(0.1)},
			{Name: "urgent", Value: bridge.Boolean(true)},
		}),
		Body: bridge.NewText(`{"order": 17, "note": "grüße"}`),
	}
}

// plain is a message that has nothing.
func plain() *bridge.Message {
	return &bridge.Message{ID: "ID:host-1:2", Priority: 4, Body: bridge.NewBytes("\x00\xff\x01")}
}

// TestPayloadsAreWhatTheGoldenFilesHold runs in virtual time, which begins at midnight UTC 2000-01-01: the time of receipt
// is one of the fields.
func TestPayloadsAreWhatTheGoldenFilesHold(t *testing.T) {
	for name, tt := range map[string]struct {
		change   []func(*lambda.SinkSettings)
		messages []*bridge.Message
	}{
		"envelope":        {nil, []*bridge.Message{full()}},
		"envelope-list":   {[]func(*lambda.SinkSettings){several(10)}, []*bridge.Message{full(), plain()}},
		"envelope-list-1": {[]func(*lambda.SinkSettings){several(10)}, []*bridge.Message{plain()}},
		"body":            {[]func(*lambda.SinkSettings){payload(lambda.Body)}, []*bridge.Message{full()}},
		"mq":              {[]func(*lambda.SinkSettings){payload(lambda.ActiveMQ), withARN}, []*bridge.Message{full()}},
		"mq-batch":        {[]func(*lambda.SinkSettings){payload(lambda.ActiveMQ), withARN, several(10)}, []*bridge.Message{full(), plain()}},
		"mq-no-arn":       {[]func(*lambda.SinkSettings){payload(lambda.ActiveMQ)}, []*bridge.Message{plain()}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				got := sent(t, tt.change, tt.messages...)
				var indented bytes.Buffer
				if err := json.Indent(&indented, []byte(got), "", "  "); err != nil {
					t.Fatalf("%v in %s", err, got)
				}
				indented.WriteByte('\n')
				path := filepath.Join("testdata", name+".json")
				if *update {
					if err := os.WriteFile(path, indented.Bytes(), 0o644); err != nil {
						t.Fatal(err)
					}
				}
				want, err := os.ReadFile(path)
				if err != nil {
					t.Fatal(err)
				}
				if diff := cmp.Diff(string(want), indented.String()); diff != "" {
					t.Errorf("golden (-), sent (+):\n%s", diff)
				}
			})
		})
	}
}

// sent sends messages to a function that answers nothing and returns its payload.
func sent(t *testing.T, change []func(*lambda.SinkSettings), messages ...*bridge.Message) string {
	t.Helper()
	e := local(t)
	answers(t, e, "null")
	s := connected(t, e, change...)
	res, err := send(t, s, messages...)
	if err != nil {
		t.Fatal(err)
	}
	for i := range res {
		if res[i].Err != nil || res[i].ID == "" {
			t.Errorf("message %d: %+v", i, res[i])
		}
	}
	all := bodies(e)
	if len(all) != 1 {
		t.Fatalf("%d calls", len(all))
	}
	return all[0]
}

func TestTheEventOfTheMappingIsReadByAWSsOwnLibrary(t *testing.T) {
	var got events.ActiveMQEvent
	d := json.NewDecoder(strings.NewReader(sent(t, []func(*lambda.SinkSettings){payload(lambda.ActiveMQ), withARN, several(10)}, full(), plain())))
	if err := d.Decode(&got); err != nil {
		t.Fatal(err)
	}
	if got.EventSource != "aws:mq" || got.EventSourceARN != brokerARN || len(got.Messages) != 2 {
		t.Fatalf("%+v", got)
	}
	now := time.Now().UnixMilli()
	for i := range got.Messages {
		if m := &got.Messages[i]; now-m.BrokerOutTime < 0 || now-m.BrokerOutTime > 60_000 {
			t.Errorf("brokerOutTime %d, now it is %d", m.BrokerOutTime, now)
		}
		got.Messages[i].BrokerOutTime = 0
	}
	if got.Messages[1].BrokerInTime == 0 {
		t.Error("without JMSTimestamp, brokerInTime is not the time of receipt")
	}
	got.Messages[1].BrokerInTime = 0
	want := []events.ActiveMQMessage{
		{
			MessageID: "ID:host-1:1", MessageType: "jms/text-message", Timestamp: 1700000000123, DeliveryMode: 2, CorrelationID: "c-1", ReplyTo: "temp-queue://ID:host-1:0:1",
			Destination: events.ActiveMQDestination{PhysicalName: "orders"}, Redelivered: true, Type: "order \"new\"", Expiration: 1700003600123, Priority: 9,
			Data: base64.StdEncoding.EncodeToString([]byte(`{"order": 17, "note": "grüße"}`)), BrokerInTime: 1700000000123,
			Properties: map[string]string{"region": "EU \"north\"\n<ü>", "count": "-3", "small": "1", "big": "4611686018427387905", "rate": "2.0", "ratio": "0.1", "urgent": "true"},
		},
		{MessageID: "ID:host-1:2", MessageType: "jms/bytes-message", DeliveryMode: 1, ReplyTo: "null", Priority: 4, Data: "AP8B", Properties: map[string]string{}},
	}
	if diff := cmp.Diff(want, got.Messages); diff != "" {
		t.Errorf("want (-), got (+):\n%s", diff)
	}
}

// The sample is github.com/aws/aws-lambda-go v1.55.1, events/testdata/activemq-event.json. connectionId is not in it, but in
// the sample of the developer guide ("Using Lambda with Amazon MQ").
func TestTheEventHasTheShapeOfTheLibrarysSample(t *testing.T) {
	raw, err := os.ReadFile("testdata/aws-lambda-go-activemq-event.json")
	if err != nil {
		t.Fatal(err)
	}
	var sample, ours any
	if err := json.Unmarshal(raw, &sample); err != nil {
		t.Fatal(err)
	}
	for name, batch := range map[string][]*bridge.Message{"full": {full()}, "plain": {plain()}, "both": {full(), plain()}} {
		if err := json.Unmarshal([]byte(sent(t, []func(*lambda.SinkSettings){payload(lambda.ActiveMQ), withARN, several(10)}, batch...)), &ours); err != nil {
			t.Fatal(err)
		}
		for _, m := range ours.(map[string]any)["messages"].([]any) {
			fields := m.(map[string]any)
			if fields["connectionId"] != "" {
				t.Errorf("connectionId is %v", fields["connectionId"])
			}
			delete(fields, "connectionId")
			if _, err := base64.StdEncoding.DecodeString(fields["data"].(string)); err != nil {
				t.Errorf("data: %v", err)
			}
			one := map[string]any{"messages": []any{m}, "eventSource": "", "eventSourceArn": ""}
			for _, difference := range shape("", sample, one) {
				t.Errorf("%s: %s", name, difference)
			}
		}
	}
}

// shape compares the names and the types of two values; of lists the first elements, of properties the types.
func shape(path string, want, got any) (out []string) {
	if a, b := fmt.Sprintf("%T", want), fmt.Sprintf("%T", got); a != b {
		return []string{path + " is " + b + ", not " + a}
	}
	switch want := want.(type) {
	case map[string]any:
		got := got.(map[string]any)
		if strings.HasSuffix(path, ".properties") {
			for name, value := range got {
				if _, ok := value.(string); !ok {
					out = append(out, path+"."+name+" is no string")
				}
			}
			return out
		}
		a, b := slices.Sorted(maps.Keys(want)), slices.Sorted(maps.Keys(got))
		if !slices.Equal(a, b) {
			return []string{fmt.Sprintf("%s has %q, not %q", path, b, a)}
		}
		for name := range want {
			out = append(out, shape(path+"."+name, want[name], got[name])...)
		}
	case []any:
		if got := got.([]any); len(got) > 0 {
			out = shape(path+"[]", want[0], got[0])
		}
	}
	return out
}

func TestABodyAloneIsJSON(t *testing.T) {
	object := func(s *lambda.SinkSettings) { s.ObjectBase64 = true }
	for name, tt := range map[string]struct {
		body bridge.Body
		want string
	}{
		"JSON":         {bridge.NewText(` {"a":[1,2]} `), ` {"a":[1,2]} `},
		"a number":     {bridge.NewText("12"), "12"},
		"text":         {bridge.NewText("he said \"go\"\n"), `"he said \"go\"\n"`},
		"broken JSON":  {bridge.NewText("{"), `"{"`},
		"two values":   {bridge.NewText("1 2"), `"1 2"`},
		"empty":        {bridge.NewText(""), `""`},
		"bytes":        {bridge.NewBytes("\x00\xff"), `"AP8="`},
		"object":       {bridge.NewObject("\xac\xed"), `"rO0="`},
		"map":          {bridge.NewMap([]bridge.Entry{{Name: "b", Value: bridge.Long(1)}, {Name: "a", Value: bridge.Double(2)}}), `{"a":2.0,"b":1}`},
		"stream":       {bridge.NewStream([]bridge.Value{bridge.Boolean(true), bridge.Null()}), `[true,null]`},
		"none":         {bridge.Body{}, "null"},
		"empty object": {bridge.NewMap(nil), "{}"},
	} {
		if got := sent(t, []func(*lambda.SinkSettings){payload(lambda.Body), object}, &bridge.Message{Body: tt.body}); got != tt.want {
			t.Errorf("%s: %s", name, got)
		}
	}
}

func TestWhatAPayloadCannotHoldIsPermanent(t *testing.T) {
	e := local(t)
	answers(t, e, "null")
	text := func(change func(*bridge.Message)) *bridge.Message {
		m := &bridge.Message{ID: "ID:1", Body: bridge.NewText("x")}
		change(m)
		return m
	}
	deep := bridge.ListValue(nil)
	for range 100 {
		deep = bridge.ListValue([]bridge.Value{deep})
	}
	for name, tt := range map[string]struct {
		payload lambda.Payload
		m       *bridge.Message
	}{
		"a map in the event":            {lambda.ActiveMQ, &bridge.Message{Body: bridge.NewMap(nil)}},
		"a stream in the event":         {lambda.ActiveMQ, &bridge.Message{Body: bridge.NewStream(nil)}},
		"an object in the event":        {lambda.ActiveMQ, &bridge.Message{Body: bridge.NewObject("x")}},
		"no body in the event":          {lambda.ActiveMQ, &bridge.Message{}},
		"an object":                     {lambda.Envelope, &bridge.Message{Body: bridge.NewObject("x")}},
		"an object alone":               {lambda.Body, &bridge.Message{Body: bridge.NewObject("x")}},
		"broken text":                   {lambda.Envelope, &bridge.Message{Body: bridge.NewText("\xff")}},
		"broken text alone":             {lambda.Body, &bridge.Message{Body: bridge.NewText("\xff")}},
		"broken text in JSON":           {lambda.Body, &bridge.Message{Body: bridge.NewText("\"\xff\"")}},
		"a broken id":                   {lambda.ActiveMQ, text(func(m *bridge.Message) { m.ID = "\xff" })},
		"a broken type":                 {lambda.ActiveMQ, text(func(m *bridge.Message) { m.Type = "\xff" })},
		"a broken destination":          {lambda.ActiveMQ, text(func(m *bridge.Message) { m.Destination.Name = "\xff" })},
		"a broken property":             {lambda.ActiveMQ, text(func(m *bridge.Message) { m.Properties = m.Properties.With("a", bridge.String("\xff")) })},
		"a broken name of a property":   {lambda.ActiveMQ, text(func(m *bridge.Message) { m.Properties = m.Properties.With("\xff", bridge.String("a")) })},
		"a property that is too deep":   {lambda.ActiveMQ, text(func(m *bridge.Message) { m.Properties = m.Properties.With("a", deep) })},
		"a body that is too deep":       {lambda.Body, &bridge.Message{Body: bridge.NewStream([]bridge.Value{deep})}},
		"a broken correlation id":       {lambda.ActiveMQ, text(func(m *bridge.Message) { m.CorrelationID = "\xff" })},
		"a broken destination of reply": {lambda.ActiveMQ, text(func(m *bridge.Message) { m.ReplyTo = bridge.Destination{Kind: bridge.Queue, Name: "\xff"} })},
	} {
		s := connected(t, e, payload(tt.payload))
		if n, err := s.Size(&bridge.Outgoing{Message: tt.m}); err == nil || bridge.ClassOf(err) != bridge.Permanent {
			t.Errorf("%s: size %d, %v is %v", name, n, err, bridge.ClassOf(err))
		}
		if _, err := send(t, s, tt.m); err == nil || bridge.ClassOf(err) != bridge.Permanent {
			t.Errorf("%s: sent, %v is %v", name, err, bridge.ClassOf(err))
		}
		if tt.payload == lambda.Body {
			continue
		}
		good := text(func(*bridge.Message) {})
		if _, err := send(t, connected(t, e, payload(tt.payload), several(10)), good, tt.m); bridge.ClassOf(err) != bridge.Suspect {
			t.Errorf("%s: with another one, %v is %v", name, err, bridge.ClassOf(err))
		}
	}
	if n := len(bodies(e)); n != 0 {
		t.Errorf("%d calls", n)
	}
}
