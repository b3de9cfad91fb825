package docs_test

import (
	"fmt"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/google/go-cmp/cmp"

	"github.com/jmsbridge/jmsbridge/bridge"
	"github.com/jmsbridge/jmsbridge/connectors/aws"
	"github.com/jmsbridge/jmsbridge/connectors/aws/awslocal"
	"github.com/jmsbridge/jmsbridge/connectors/aws/sqs"
)

// arrived sends each message to a queue of its own endpoint and returns what lies there.
func arrived(t *testing.T, settings sqs.SinkSettings, messages ...bridge.Message) []awslocal.Message {
	t.Helper()
	endpoint, err := awslocal.Start(awslocal.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = endpoint.Close() }()
	if _, err := endpoint.CreateQueue(awslocal.QueueOptions{Name: "orders"}); err != nil {
		t.Fatal(err)
	}
	settings.Queue = "orders"
	settings.Client = aws.NewClient(aws.Settings{
		Region: endpoint.Region(), EndpointURL: endpoint.URL(), Credentials: credentials.NewStaticCredentialsProvider("key", "secret", ""),
	})
	sink, err := sqs.NewSink(settings)
	if err != nil {
		t.Fatal(err)
	}
	if err := sink.Connect(t.Context()); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = sink.Close(t.Context()) }()
	for i := range messages {
		res := []bridge.Result{{Err: bridge.ErrUnanswered}}
		if err := sink.Send(t.Context(), []bridge.Outgoing{{Message: &messages[i]}}, res); err != nil || res[0].Err != nil {
			t.Fatal(err, res[0].Err)
		}
	}
	there := endpoint.Messages("orders")
	if len(there) != len(messages) {
		t.Fatalf("%d of %d messages arrived", len(there), len(messages))
	}
	return there
}

// TestAttributesAreThoseOfTheTable sends every header, property type and mark, and compares with docs/sqs.md.
func TestAttributesAreThoseOfTheTable(t *testing.T) {
	now := time.UnixMilli(1795341276729)
	property := func(name string, v bridge.Value) bridge.Message {
		return bridge.Message{Body: bridge.NewText("x"), Properties: bridge.NewProperties([]bridge.Entry{{Name: name, Value: v}})}
	}
	found := map[string]string{} // name or JMS type → data type
	collect := func(messages ...bridge.Message) {
		for _, m := range arrived(t, sqs.SinkSettings{}, messages...) {
			for name, a := range m.Attributes {
				found[name] = a.DataType
			}
		}
	}
	collect(
		bridge.Message{ID: "ID:1", CorrelationID: "c", Type: "t", UserID: "u", GroupID: "g", GroupSeq: 1, Redelivered: true, Body: bridge.NewText("x")},
		bridge.Message{
			Destination: bridge.Destination{Kind: bridge.Queue, Name: "q"}, ReplyTo: bridge.Destination{Kind: bridge.TempQueue, Name: "r"},
			Timestamp: now, Expiration: now, Body: bridge.NewBytes("x"),
		},
		property("no/attribute", bridge.String("x")),
	)
	headers, types := tables(t)
	if diff := cmp.Diff(headers, found); diff != "" {
		t.Errorf("docs/sqs.md differs from what arrives (-page +arrived):\n%s", diff)
	}

	found = map[string]string{}
	collect(
		property("String", bridge.String("x")), property("int", bridge.Int(1)), property("long", bridge.Long(1)), property("short", bridge.Short(1)),
		property("byte", bridge.Byte(1)), property("float", bridge.Float(1)), property("double", bridge.Double(1)), property("boolean", bridge.Boolean(true)),
	)
	for name := range headers {
		delete(found, name)
	}
	if diff := cmp.Diff(types, found); diff != "" {
		t.Errorf("docs/sqs.md differs from what arrives (-page +arrived):\n%s", diff)
	}
}

// tables reads the two tables of attributes from docs/sqs.md.
func tables(t *testing.T) (headers, types map[string]string) {
	t.Helper()
	text := pages(t)["sqs.md"]
	rows := func(header string) map[string]string {
		all := map[string]string{}
		_, table, ok := strings.Cut(text, header+"\n")
		if !ok {
			t.Fatalf("docs/sqs.md has no table %q", header)
		}
		for line := range strings.Lines(table) {
			if !strings.HasPrefix(line, "|") {
				break
			}
			cells := strings.Split(line, "|")
			names := regexp.MustCompile(`[A-Za-z._]+`).FindAllString(cells[1], -1)
			values := regexp.MustCompile(`(String|Number\.[A-Za-z]+)`).FindAllString(cells[2], -1)
			for i, name := range names {
				all[name] = values[min(i, len(values)-1)]
			}
		}
		return all
	}
	headers, types = rows("| attribute | data type | from |\n|---|---|---|"), rows("| JMS type | data type |\n|---|---|")
	if len(headers) < 16 || len(types) != 8 {
		t.Fatalf("read %v and %v", headers, types)
	}
	return headers, types
}

// TestBodiesAreThoseOfTheTable sends each kind of body and compares body and marks with the table of docs/sqs.md.
func TestBodiesAreThoseOfTheTable(t *testing.T) {
	entries := []bridge.Entry{{Name: "a", Value: bridge.Int(1)}}
	cases := []struct {
		row, body, kind, encoding string
		content                   bridge.Body
	}{
		{"| Text | as it is |", "x", "", "", bridge.NewText("x")},
		{"| Text with characters that SQS refuses", "AA==", "", "base64", bridge.NewText("\x00")},
		{"| Bytes | base64 |", "AA==", "bytes", "base64", bridge.NewBytes("\x00")},
		{"| Map, Stream | the JSON object", `{"a":1}`, "map", "", bridge.NewMap(entries)},
		{"| Map, Stream | the JSON object", `[1]`, "stream", "", bridge.NewStream([]bridge.Value{bridge.Int(1)})},
		{"| empty Text, empty Bytes, no body | one space", " ", "", "empty", bridge.NewText("")},
		{"| Object | dead letter; with `object: base64` base64", "AA==", "object", "base64", bridge.NewObject("\x00")},
	}
	text := pages(t)["sqs.md"]
	for _, c := range cases {
		got := arrived(t, sqs.SinkSettings{ObjectBase64: true}, bridge.Message{Body: c.content})[0]
		marks := fmt.Sprintf("%q %q %q", got.Body, got.Text("jmsbridge.body_type"), got.Text("jmsbridge.encoding"))
		if want := fmt.Sprintf("%q %q %q", c.body, c.kind, c.encoding); marks != want {
			t.Errorf("%s: got %s, want %s", c.row, marks, want)
		}
		if !strings.Contains(text, c.row) {
			t.Errorf("docs/sqs.md has no row %q", c.row)
		}
	}
	if got := arrived(t, sqs.SinkSettings{}, bridge.Message{Body: bridge.NewText("x").Inferred()})[0]; got.Text("jmsbridge.body_type") != "text inferred" {
		t.Errorf("an inferred text is marked %q", got.Text("jmsbridge.body_type"))
	}
	if got := arrived(t, sqs.SinkSettings{Envelope: true}, bridge.Message{Body: bridge.NewText("x")})[0]; got.Text("jmsbridge.encoding") != "envelope" {
		t.Errorf("an envelope is marked %q", got.Text("jmsbridge.encoding"))
	}
}
