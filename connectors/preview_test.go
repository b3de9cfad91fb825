package connectors

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/jmsbridge/jmsbridge/bridge/envelope"
	"github.com/jmsbridge/jmsbridge/config"
	"github.com/jmsbridge/jmsbridge/connectors/aws/awslocal"
	"github.com/jmsbridge/jmsbridge/connectors/aws/lambda"
	"github.com/jmsbridge/jmsbridge/connectors/aws/sqs"
	"github.com/jmsbridge/jmsbridge/connectors/file"
	"github.com/jmsbridge/jmsbridge/connectors/jms/stomp"
	"github.com/jmsbridge/jmsbridge/connectors/jms/stomp/stomplocal"
)

// What a preview shows is compared with what a running route has sent of the same message. The file target tells what the
// source made of it.
func TestPreviewsShowWhatARunningRouteSends(t *testing.T) {
	lines := filepath.Join(t.TempDir(), "lines")
	routes := strings.ReplaceAll(`
- name: all
  from:
    jms: {broker: mq, queue: in}
  transform: '.properties.total = (.body | length)'
  to:
  - sqs: {queue: q.fifo, group_id: "${.properties.region}"}
  - lambda: {function: f, invocation: request_response}
  - jms: {broker: mq, queue: "out.${.properties.region}", allow: ["out.*"]}
  - file: {path: LINES}
  dead_letter:
    sqs: {queue: dlq}
`, "LINES", lines)
	x := startExchange(t, routes, "q.fifo", "dlq")
	payloads := make(chan []byte, 10)
	err := x.aws.CreateFunction(awslocal.FunctionOptions{Name: "f", Handler: func(_ context.Context, payload []byte) ([]byte, error) {
		payloads <- payload
		return nil, nil
	}})
	if err != nil {
		t.Fatal(err)
	}
	_, err = x.broker.Publish("/queue/in", stomplocal.Message{
		CorrelationID: "c", Type: "order", Body: []byte("grüße <&> \"quoted\" \\ : \n\U0001F69A"),
		Properties: []stomplocal.Property{{Name: "region", Value: "EU"}, {Name: "colon", Value: "a:b\\c"}},
	})
	if err != nil {
		t.Fatal(err)
	}
	var payload []byte
	select {
	case payload = <-payloads:
	case <-time.After(20 * time.Second):
		t.Fatalf("the function was not called: %+v", x.routes[0].Status())
	}
	var line []byte
	for end := time.Now().Add(20 * time.Second); len(line) == 0 || x.aws.Depth("q.fifo").Total() == 0 || x.broker.Depth("/queue/out.EU") == 0; {
		if time.Now().After(end) {
			t.Fatalf("not everything has arrived: %+v", x.routes[0].Status())
		}
		<-time.After(10 * time.Millisecond)
		line, _ = os.ReadFile(lines)
	}

	// The line is behind the transform, which makes the same of it again.
	m, err := envelope.Parse(line)
	if err != nil {
		t.Fatal(err)
	}
	text := "brokers: [{name: mq, url: \"stomp://127.0.0.1:1\"}]\nroutes:\n" + routes
	c, err := config.Parse("bridge.yaml", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	previews := NewPreviews(c)
	defer func() { _ = previews.Close() }()
	got, err := previews.Preview(t.Context(), &c.Routes[0], m)
	if err != nil || got.Failed != "" || got.Filtered || len(got.Targets) != 4 {
		t.Fatalf("%+v, %v", got, err)
	}

	arrived := x.aws.Messages("q.fifo")[0]
	shown, _ := got.Targets[0].Sent.(*sqs.Preview)
	want := &sqs.Preview{
		Body: arrived.Body, Attributes: map[string]json.RawMessage{}, AttributeTypes: map[string]string{}, GroupID: arrived.Group, Deduplication: shown.Deduplication,
	}
	for name, a := range arrived.Attributes {
		value := json.RawMessage(a.StringValue)
		if a.DataType == "String" {
			value, _ = json.Marshal(a.StringValue)
		} else {
			want.AttributeTypes[name] = a.DataType
		}
		want.Attributes[name] = value
	}
	if diff := cmp.Diff(want, shown); diff != "" {
		t.Errorf("sqs (-sent +shown):\n%s", diff)
	}
	records := x.aws.Log().Group("q.fifo", func(r *awslocal.Record) string { return r.DedupID })
	if len(records[shown.Deduplication]) != 1 {
		t.Errorf("no message was sent with the deduplication id %q", shown.Deduplication)
	}
	if f, _ := got.Targets[1].Sent.(*lambda.Preview); f == nil || string(f.Payload) != string(payload) {
		t.Errorf("lambda: got %s\nsent %s", f.Payload, payload)
	}
	out := x.broker.Browse("/queue/out.EU", 1)[0]
	f, _ := got.Targets[2].Sent.(*stomp.Preview)
	if f == nil || f.Destination != "queue:out.EU" || f.Body != string(out.Body) || f.Headers["correlation-id"] != out.CorrelationID || f.Headers["type"] != out.Type {
		t.Errorf("jms: got %+v\nsent %+v", f, out)
	}
	for _, p := range out.Properties {
		if f.Headers[p.Name] != p.Value {
			t.Errorf("jms: %s is %q, and %q was sent", p.Name, f.Headers[p.Name], p.Value)
		}
	}
	if l, _ := got.Targets[3].Sent.(*file.Preview); l == nil || string(l.Line) != strings.TrimSuffix(string(line), "\n") {
		t.Errorf("file: got %s\nsent %s", l.Line, line)
	}
}

func TestPreviewOfABinaryBodyForABroker(t *testing.T) {
	c, err := config.Parse("bridge.yaml", []byte(`
brokers: [{name: mq, url: "stomp://127.0.0.1:1"}]
routes:
- name: r
  from:
    jms: {broker: mq, queue: in}
  to:
  - jms: {broker: mq, queue: out}
`))
	if err != nil {
		t.Fatal(err)
	}
	previews := NewPreviews(c)
	defer func() { _ = previews.Close() }()
	m, err := envelope.Parse([]byte(`{"body_type": "bytes", "body": "AAH/"}`))
	if err != nil {
		t.Fatal(err)
	}
	got, err := previews.Preview(t.Context(), &c.Routes[0], m)
	if err != nil {
		t.Fatal(err)
	}
	f, _ := got.Targets[0].Sent.(*stomp.Preview)
	if f == nil || base64.StdEncoding.EncodeToString(f.BodyBase64) != "AAH/" || f.Body != "" || f.Headers["content-length"] != "3" {
		t.Errorf("%+v", f)
	}
	m, err = envelope.Parse([]byte(`{"body_type": "map", "body": {}}`))
	if err != nil {
		t.Fatal(err)
	}
	if got, err = previews.Preview(t.Context(), &c.Routes[0], m); err != nil || !strings.Contains(got.Targets[0].Failed, "map body") {
		t.Errorf("%+v, %v", got, err)
	}
}
