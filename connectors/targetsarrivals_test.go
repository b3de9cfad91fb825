package connectors

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/aws/aws-lambda-go/events"

	"github.com/jmsbridge/jmsbridge/bridge"
	"github.com/jmsbridge/jmsbridge/bridge/envelope"
	"github.com/jmsbridge/jmsbridge/connectors/aws/awslocal"
	"github.com/jmsbridge/jmsbridge/connectors/aws/sqs"
	"github.com/jmsbridge/jmsbridge/connectors/jms/stomp/stomplocal"
)

// arrival is what lay at a target, read as its documentation says.
type arrival struct {
	message *bridge.Message
	err     error // it can't be read
	counted int   // its bytes as the service counts them
	form    []string
	untold  []string // what a reader has to know beforehand
}

// readQueue takes what lies in a queue.
func readQueue(queue string) func(*world, *shape) []arrival {
	return func(w *world, _ *shape) (all []arrival) {
		for _, m := range w.aws.Drain(queue) {
			attributes := map[string]sqs.Attribute{}
			a := arrival{counted: len(m.Body)}
			for name, v := range m.Attributes {
				attributes[name] = sqs.Attribute{DataType: v.DataType, StringValue: v.StringValue, BinaryValue: v.BinaryValue}
				a.counted += len(name) + len(v.DataType) + len(v.StringValue) + len(v.BinaryValue)
			}
			a.message, a.err = sqs.Decode(m.Body, attributes)
			if a.err == nil && m.Text("jmsbridge.encoding") != "envelope" {
				a.form = queueForm(&m, a.message.Body)
			}
			all = append(all, a)
		}
		return all
	}
}

// queueForm tells in which form a body came, from the queue's message alone.
func queueForm(m *awslocal.Message, b bridge.Body) (form []string) {
	switch encoding := m.Text("jmsbridge.encoding"); {
	case encoding == "base64" && m.Body == base64.StdEncoding.EncodeToString([]byte(b.Data())):
		form = append(form, "base64")
	case encoding == "empty" && m.Body == " ":
		form = append(form, "one space")
	case encoding == "" && (b.Kind() == bridge.MapBody || b.Kind() == bridge.StreamBody) && json.Valid([]byte(m.Body)):
		form = append(form, "JSON")
	case encoding == "" && m.Body == b.Data():
	default:
		form = append(form, "as marked "+encoding) // nobody could tell: the page would show it
	}
	if strings.Contains(m.Text("jmsbridge.more"), `"properties"`) {
		form = append(form, "some in `jmsbridge.more`")
	}
	return form
}

// readFunction takes what the function was called with.
func readFunction(parse func([]byte, *shape) arrival) func(*world, *shape) []arrival {
	return func(w *world, s *shape) (all []arrival) {
		for {
			select {
			case payload := <-w.called:
				a := parse(payload, s)
				a.counted = len(payload)
				all = append(all, a)
			default:
				return all
			}
		}
	}
}

// readEvents takes what a rule has put into its queue.
func readEvents(parse func([]byte, *shape) arrival) func(*world, *shape) []arrival {
	return func(w *world, s *shape) (all []arrival) {
		for _, m := range w.aws.Drain("events") {
			var event struct {
				Source, Time string
				DetailType   string `json:"detail-type"`
				Detail       json.RawMessage
			}
			err := json.Unmarshal([]byte(m.Body), &event)
			a := parse(event.Detail, s)
			if a.err == nil {
				a.err = err
			}
			if event.Time != sentAt.Format(time.RFC3339) {
				a.err = fmt.Errorf("the event's time is %s", event.Time)
			}
			a.counted = len(event.Source) + len(event.DetailType) + len(event.Detail) + 14 // and the time
			all = append(all, a)
		}
		return all
	}
}

// readFile takes the lines of the file.
func readFile(w *world, _ *shape) (all []arrival) {
	text, err := os.ReadFile(w.file)
	if os.IsNotExist(err) {
		return nil
	}
	if err == nil {
		err = os.Truncate(w.file, 0)
	}
	if err != nil {
		return []arrival{{err: err}}
	}
	for line := range bytes.Lines(text) {
		a := parseEnvelope(bytes.TrimSuffix(line, []byte("\n")), nil)
		a.counted = len(line)
		all = append(all, a)
	}
	return all
}

// readBroker takes what lies in the broker's queue with a source of ours, after a look at what it is on the wire.
func readBroker(w *world, s *shape) (all []arrival) {
	raw := make([]stomplocal.Message, w.broker.Depth("/queue/table"))
	switch {
	case len(raw) == 0:
		return nil
	case !w.huge: // else a look is one copy more of a hundred megabytes
		raw = w.broker.Browse("/queue/table", 0)
	}
	ctx, cancel := context.WithTimeout(w.t.Context(), patience)
	defer cancel()
	if err := w.back.Connect(ctx, len(raw)); err != nil {
		return []arrival{{err: err}}
	}
	for i := range raw {
		var dst [1]*bridge.Delivery
		if n, err := w.back.Receive(ctx, dst[:]); n == 0 {
			return append(all, arrival{err: err})
		}
		d := dst[0]
		a := wireForm(&raw[i], s)
		a.message, a.err = &d.Message, errors.Join(d.Hold, d.Settle(bridge.Accept))
		if w.huge {
			a.counted = len(d.Message.Body.Data())
		}
		all = append(all, a)
	}
	if err := w.back.Close(ctx); err != nil {
		all = append(all, arrival{err: err})
	}
	return all
}

// wireForm tells what a frame shows: its size, and whether it needs a reader of ours.
func wireForm(m *stomplocal.Message, s *shape) (a arrival) {
	a.counted = len(m.Body)
	for _, p := range m.Properties {
		switch {
		case s.none && p.Name == "pad":
			a.counted = len("pad:") + len(p.Value) + len("\n")
		case p.Name == "jmsbridge_more":
			a.form = append(a.form, "some in `jmsbridge_more`")
		}
	}
	return a
}

func parseEnvelope(text []byte, _ *shape) arrival {
	m, err := envelope.Parse(text)
	return arrival{message: m, err: err}
}

// parseList reads a list of one envelope.
func parseList(text []byte, s *shape) arrival {
	var list []json.RawMessage
	if err := json.Unmarshal(text, &list); err != nil {
		return arrival{err: err}
	}
	if len(list) != 1 {
		return arrival{err: errSeveral}
	}
	return parseEnvelope(list[0], s)
}

// parseBody reads a body that came alone. Its type is what the reader expects.
func parseBody(text []byte, s *shape) arrival {
	a := arrival{message: &bridge.Message{}, untold: []string{"body type"}}
	var data string
	switch kind := s.body("").Kind(); kind {
	case bridge.NoBody:
		if a.form = []string{"`null`"}; string(text) != "null" {
			a.err = errForm
		}
	case bridge.MapBody, bridge.StreamBody:
		a.form = []string{"JSON"}
		a.message.Body, a.err = envelope.ParseContent(kind, text, nil)
	case bridge.TextBody:
		if s.json {
			a.form, a.message.Body = []string{"as it is"}, bridge.NewText(string(text))
			break
		}
		a.form = []string{"a JSON string"}
		a.err = json.Unmarshal(text, &data)
		a.message.Body = bridge.NewText(data)
	default:
		a.form = []string{"a string of base64"}
		a.message.Body, a.err = unbase64(text, s)
	}
	return a
}

func unbase64(text []byte, s *shape) (bridge.Body, error) {
	var raw []byte // which encoding/json reads from base64
	err := json.Unmarshal(text, &raw)
	return s.body(string(raw)), err
}

// parseDetail reads a detail made of a body.
func parseDetail(text []byte, s *shape) arrival {
	if kind := s.body("").Kind(); kind == bridge.MapBody || s.json {
		return parseBody(text, s)
	}
	var detail map[string]json.RawMessage
	if err := json.Unmarshal(text, &detail); err != nil {
		return arrival{err: err}
	}
	for name, value := range detail {
		a := parseBody(value, s)
		a.form = []string{"wrapped in `" + name + "`"}
		return a
	}
	a := parseBody([]byte("null"), s)
	a.form = []string{"`{}`"}
	return a
}

// parseMQ reads an event of Lambda's mapping with AWS's own library.
func parseMQ(text []byte, s *shape) arrival {
	var event events.ActiveMQEvent
	if err := json.Unmarshal(text, &event); err != nil {
		return arrival{err: err}
	}
	if len(event.Messages) != 1 {
		return arrival{err: errSeveral}
	}
	in := &event.Messages[0]
	data, err := base64.StdEncoding.DecodeString(in.Data)
	out := &bridge.Message{
		ID: in.MessageID, CorrelationID: in.CorrelationID, Type: in.Type, Priority: uint8(in.Priority), Persistent: in.DeliveryMode == 2,
		Redelivered: in.Redelivered, Timestamp: time.UnixMilli(in.Timestamp).UTC(), Destination: bridge.Destination{Kind: bridge.Queue, Name: in.Destination.PhysicalName},
	}
	if in.Expiration != 0 {
		out.Expiration = time.UnixMilli(in.Expiration).UTC()
	}
	if name, ok := strings.CutPrefix(in.ReplyTo, "queue://"); ok {
		out.ReplyTo = bridge.Destination{Kind: bridge.Queue, Name: name}
	}
	switch in.MessageType {
	case "jms/text-message":
		out.Body = bridge.NewText(string(data))
	case "jms/bytes-message":
		out.Body = bridge.NewBytes(string(data))
	}
	var entries []bridge.Entry
	for name, v := range in.Properties {
		entries = append(entries, bridge.Entry{Name: name, Value: bridge.String(v)})
	}
	out.Properties = bridge.NewProperties(entries)
	return arrival{message: out, err: err}
}

// headers are the names under which headers differ.
var headers = []string{
	"JMSMessageID", "JMSCorrelationID", "JMSType", "JMSXUserID", "JMSDestination", "JMSReplyTo", "JMSTimestamp", "JMSExpiration", "JMSPriority",
	"JMSDeliveryMode", "JMSRedelivered", "JMSXGroupID", "JMSXGroupSeq",
}

// differences names what of a message arrived otherwise, or not at all.
func differences(sent, got *bridge.Message) (all []string) {
	same := []bool{
		sent.ID == got.ID, sent.CorrelationID == got.CorrelationID, sent.Type == got.Type, sent.UserID == got.UserID, sent.Destination == got.Destination,
		sent.ReplyTo == got.ReplyTo, sent.Timestamp.Equal(got.Timestamp), sent.Expiration.Equal(got.Expiration), sent.Priority == got.Priority,
		sent.Persistent == got.Persistent, sent.Redelivered == got.Redelivered, sent.GroupID == got.GroupID, sent.GroupSeq == got.GroupSeq,
	}
	for i, name := range headers {
		if !same[i] {
			all = append(all, name)
		}
	}
	switch {
	case sent.Properties.Equal(got.Properties):
	case texts(sent.Properties).Equal(texts(got.Properties)):
		all = append(all, "property types")
	default:
		all = append(all, "properties")
	}
	switch {
	case sent.Body.Equal(got.Body) && sent.Body.IsInferred() == got.Body.IsInferred():
	case sent.Body.Kind() == got.Body.Kind() && elements(sent.Body) != nil && slices.Equal(elements(sent.Body), elements(got.Body)):
		all = append(all, "element types")
	case sent.Body.Kind() == bridge.TextBody && got.Body.Kind() == bridge.TextBody && sameJSON(sent.Body.Data(), got.Body.Data()):
		all = append(all, "escapes")
	default:
		all = append(all, "body")
	}
	return all
}

// sameJSON tells whether two texts are JSON and mean the same.
func sameJSON(a, b string) bool {
	var x, y any
	return json.Unmarshal([]byte(a), &x) == nil && json.Unmarshal([]byte(b), &y) == nil && reflect.DeepEqual(x, y)
}

// elements are those of a Map or a Stream, as texts; nil for other bodies.
func elements(b bridge.Body) (all []string) {
	for _, e := range b.Map() {
		all = append(all, e.Name+"="+text(e.Value))
	}
	slices.Sort(all)
	for _, v := range b.Stream() {
		all = append(all, text(v))
	}
	return all
}

// texts are properties as Java's getStringProperty has them, and bytes in base64.
func texts(p bridge.Properties) bridge.Properties {
	var entries []bridge.Entry
	for name, v := range p.All() {
		entries = append(entries, bridge.Entry{Name: name, Value: bridge.String(text(v))})
	}
	return bridge.NewProperties(entries)
}

func text(v bridge.Value) string {
	switch v.Type() {
	case bridge.BooleanType:
		return strconv.FormatBool(v.Bool())
	case bridge.ByteType, bridge.ShortType, bridge.IntType, bridge.LongType:
		return strconv.FormatInt(v.Int64(), 10)
	case bridge.FloatType:
		return javaFloat(v.Float64(), 32)
	case bridge.DoubleType:
		return javaFloat(v.Float64(), 64)
	case bridge.CharType:
		if v.Int64() >= 0xD800 && v.Int64() < 0xE000 {
			return strconv.FormatInt(v.Int64(), 10) // no text has half a character
		}
		return string(rune(v.Int64()))
	case bridge.BytesType:
		return base64.StdEncoding.EncodeToString([]byte(v.Str()))
	default:
		return v.Str()
	}
}

// javaFloat writes the floats of the messages here, as a JSON number or the word for what has no digits.
func javaFloat(f float64, bits int) string {
	switch text := strconv.FormatFloat(f, 'g', -1, bits); text {
	case "-Inf":
		return "-Infinity"
	case "+Inf":
		return "Infinity"
	default:
		return text
	}
}

// surplus are those of some that are not among others.
func surplus(some, others []string) []string {
	return slices.DeleteFunc(slices.Clone(some), func(s string) bool { return slices.Contains(others, s) })
}
