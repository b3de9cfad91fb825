package eventbridge_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/jmsbridge/jmsbridge/bridge"
	"github.com/jmsbridge/jmsbridge/connectors/aws/awslocal"
	"github.com/jmsbridge/jmsbridge/connectors/aws/eventbridge"
)

var update = flag.Bool("update", false, "write testdata/events.golden")

// bodies are one of each kind, and what could go wrong with it.
var bodies = []struct {
	name string
	body bridge.Body
}{
	{"none", bridge.Body{}},
	{"text", bridge.NewText("hello")},
	{"text, empty", bridge.NewText("")},
	{"text, a JSON object", bridge.NewText(" {\"a\": 1,\n\"b\":\"<é>\"}\n")},
	{"text, a JSON list", bridge.NewText(`[1, {"a":2}]`)},
	{"text, a JSON string", bridge.NewText(`"x"`)},
	{"text, a JSON number", bridge.NewText(`1.50`)},
	{"text, null", bridge.NewText(`null`)},
	{"text, two JSON objects", bridge.NewText(`{}{}`)},
	{"text, a number that is none", bridge.NewText(`01`)},
	{"text, an object with a number that is none", bridge.NewText(`{"a":01}`)},
	{"text, NaN", bridge.NewText(`NaN`)},
	{"text, an object with NaN", bridge.NewText(`{"a":NaN}`)},
	{"text, an object with a trailing comma", bridge.NewText(`{"a":1,}`)},
	{"text, an object with a key twice", bridge.NewText(`{"a":1,"a":2}`)},
	{"text, a huge number", bridge.NewText(`{"a":` + strings.Repeat("9", 40) + `,"b":1e999}`)},
	{"text, with a byte order mark", bridge.NewText("\ufeff{}")},
	{"text, hostile characters", bridge.NewText("\x00\x1f\x7f\"\\</script>\u2028\r\n\t😀")},
	{"text, what SQS refuses", bridge.NewText("\ufffe\uffff")},
	{"text, a JSON object with what SQS refuses", bridge.NewText("{\"\ufffe\":\"\uffff\"}")},
	{"text, XML", bridge.NewText(`<a b="c">&amp;</a>`)},
	{"text, a lone surrogate escaped", bridge.NewText(`{"a":"\ud800"}`)},
	{"bytes", bridge.NewBytes("\x00\xff{}")},
	{"bytes, empty", bridge.NewBytes("")},
	{"bytes, a JSON object", bridge.NewBytes(`{}`)},
	{"map", bridge.NewMap([]bridge.Entry{
		{Name: "s", Value: bridge.String("x\x00")},
		{Name: "l", Value: bridge.Long(1<<53 + 2)},
		{Name: "nan", Value: bridge.Double(math.NaN())},
		{Name: "raw", Value: bridge.Bytes("\xff")},
		{Name: "null", Value: bridge.Null()},
		{Name: "in", Value: bridge.MapValue([]bridge.Entry{{Name: "c", Value: bridge.Char('x')}})},
	})},
	{"map, empty", bridge.NewMap(nil)},
	{"stream", bridge.NewStream([]bridge.Value{bridge.Int(1), bridge.String("a\"b"), bridge.Boolean(true)})},
	{"stream, empty", bridge.NewStream(nil)},
	{"object", bridge.NewObject("\xac\xed\x00\x05")},
}

// TestEventsOfEachBody compares what is sent with a golden file. It is looked at by people when it changes.
func TestEventsOfEachBody(t *testing.T) {
	var got bytes.Buffer
	for _, form := range []string{"body", "envelope"} {
		e := endpoint(t, awslocal.Options{})
		set := settings(t, e.Transport())
		set.Body = form == "body"
		s := connected(t, set)
		for _, b := range bodies {
			m := &bridge.Message{
				ID: "ID:h-1", Priority: 4, Persistent: true, Timestamp: instant, Destination: bridge.Destination{Kind: bridge.Topic, Name: "prices"},
				Properties: bridge.NewProperties([]bridge.Entry{{Name: "n", Value: bridge.Long(1)}}), Body: b.body,
			}
			r := sent(t, e, s, bridge.Outgoing{Message: m})
			if q := e.Drain("prices"); len(q) != 1 || !strings.Contains(q[0].Body, `"source":"mq.prices"`) {
				t.Errorf("%s: the queue got %+v", b.name, q)
			}
			checkObject(t, r.Body)
			fmt.Fprintf(&got, "%s | %s\n    %q\n", form, b.name, r.Body)
		}
	}
	file := filepath.Join("testdata", "events.golden")
	if *update {
		if err := os.WriteFile(file, got.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	golden, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(string(golden), got.String()); d != "" {
		t.Errorf("run with -update if this is meant (-want +got):\n%s", d)
	}
}

// checkObject fails unless a detail is a JSON object.
func checkObject(t interface{ Errorf(string, ...any) }, detail string) {
	d := json.NewDecoder(strings.NewReader(detail))
	d.UseNumber() // 1e999 is JSON
	var object map[string]any
	if err := d.Decode(&object); err != nil || object == nil || d.More() || !json.Valid([]byte(detail)) {
		t.Errorf("the detail %.200q is no JSON object: %v", detail, err)
	}
}

func TestADeepTextIsAString(t *testing.T) {
	e := endpoint(t, awslocal.Options{})
	set := settings(t, e.Transport())
	set.Body = true
	s := connected(t, set)
	for depth, whole := range map[int]bool{2: true, 900: true, 901: false, 2000: false, 9000: false} {
		for _, deep := range []string{
			strings.Repeat(`{"a":`, depth) + "1" + strings.Repeat("}", depth),
			strings.Repeat(`[`, depth) + strings.Repeat("]", depth),
		} {
			detail := sent(t, e, s, bridge.Outgoing{Message: text(deep)}).Body
			if asIs := detail == deep || detail == `{"data":`+deep+`}`; asIs != whole {
				t.Errorf("depth %d: %.60q", depth, detail)
			}
		}
	}
	flat := `{"a":"` + strings.Repeat(`[{\"`, 2000) + `"}` // depth within a string is none
	if detail := sent(t, e, s, bridge.Outgoing{Message: text(flat)}).Body; detail != flat {
		t.Errorf("%.60q", detail)
	}
}

func TestTemplatesMakeEachField(t *testing.T) {
	e := endpoint(t, awslocal.Options{})
	if _, err := e.CreateBus("prices-eu"); err != nil {
		t.Fatal(err)
	}
	set := settings(t, e.Transport())
	set.Bus, set.Allows = template(t, "prices-${.properties.region}"), func(bus string) bool { return strings.HasPrefix(bus, "prices-") }
	set.Source, set.DetailType = template(t, "mq.${.destination}"), template(t, `${.type // "none"}`)
	set.Time = template(t, "${.properties.at}")
	s := connected(t, withResources(t, set, "arn:${.properties.region}:\"x\"", "${.message_id}"))
	m := text("x")
	m.Type, m.Destination = "pri\"ce\n😀", bridge.Destination{Kind: bridge.Topic, Name: "p"}
	m.Properties = bridge.NewProperties([]bridge.Entry{{Name: "region", Value: bridge.String("eu")}, {Name: "at", Value: bridge.String("2001-02-03T04:05:06.789+01:00")}})
	got := sent(t, e, s, bridge.Outgoing{Message: m}).Event
	wantEvent := &awslocal.PutEvent{
		Bus: "prices-eu", Source: "mq.topic:p", DetailType: m.Type, Resources: []string{`arn:eu:"x"`, "ID:host-1:1"},
		Time: time.Date(2001, 2, 3, 3, 5, 6, 789e6, time.UTC),
	}
	if d := cmp.Diff(wantEvent, got); d != "" {
		t.Error(d)
	}
	if c := e.BusCounts("prices-eu"); c.Events != 1 {
		t.Errorf("%+v", c)
	}
}

func TestTheTimeIsJMSTimestamp(t *testing.T) {
	e := endpoint(t, awslocal.Options{})
	s := connected(t, settings(t, e.Transport()))
	for name, c := range map[string]struct{ at, want time.Time }{
		"set": {instant, instant}, "absent": {}, "before 1970": {time.UnixMilli(-1), time.UnixMilli(-1)},
		"beyond four digits": {time.UnixMilli(math.MaxInt64), time.Time{}}, "before Christ": {time.UnixMilli(math.MinInt64), time.Time{}},
		"the last second": {time.UnixMilli(253402300799999), time.UnixMilli(253402300799999)},
	} {
		m := text("x")
		m.Timestamp = c.at
		if got := sent(t, e, s, bridge.Outgoing{Message: m}).Event.Time; !got.Equal(c.want) {
			t.Errorf("%s: %v, want %v", name, got, c.want)
		}
	}
}

func TestTheTraceHeaderGoesAlong(t *testing.T) {
	e := endpoint(t, awslocal.Options{})
	s := connected(t, settings(t, e.Transport()))
	const header = "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=1"
	for value, want := range map[string]string{
		header: header, "nonsense": "", "": "", "Root=1-5759e988-bd862e3fe1be46a994272793\n": "",
	} {
		m := text("x")
		m.Properties = bridge.NewProperties([]bridge.Entry{{Name: "AWSTraceHeader", Value: bridge.String(value)}})
		if got := sent(t, e, s, bridge.Outgoing{Message: m}).Trace; got != want {
			t.Errorf("%q became %q", value, got)
		}
	}
	m := text("x")
	m.Properties = bridge.NewProperties([]bridge.Entry{{Name: "traceparent", Value: bridge.String("00-5759e988bd862e3fe1be46a994272793-53995c3f42cd8ad8-01")}})
	if got := sent(t, e, s, bridge.Outgoing{Message: m}).Trace; got != header {
		t.Errorf("%q", got)
	}
}

func TestARequestSaysHowToAnswer(t *testing.T) {
	e := endpoint(t, awslocal.Options{})
	s := connected(t, settings(t, e.Transport()))
	ask := &bridge.Ask{CorrelationID: "token\"", QueueURL: "https://sqs.test/1/replies", Deadline: instant}
	var got struct {
		Body  string
		Reply map[string]string
	}
	if err := json.Unmarshal([]byte(sent(t, e, s, bridge.Outgoing{Message: text("x"), Ask: ask}).Body), &got); err != nil {
		t.Fatal(err)
	}
	wantReply := map[string]string{"correlation_id": ask.CorrelationID, "queue_url": ask.QueueURL, "deadline": "2023-11-14T22:13:20.123Z"}
	if d := cmp.Diff(wantReply, got.Reply); d != "" || got.Body != "x" {
		t.Error(got.Body, d)
	}
}

func withResources(t *testing.T, set eventbridge.SinkSettings, templates ...string) eventbridge.SinkSettings {
	for _, text := range templates {
		set.Resources = append(set.Resources, template(t, text))
	}
	return set
}
