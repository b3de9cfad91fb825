package sqs

import (
	"strconv"
	"strings"
	"time"

	"github.com/jmsbridge/jmsbridge/bridge"
	"github.com/jmsbridge/jmsbridge/connectors/aws"
)

// received is a message as ReceiveMessage returns it.
type received struct {
	MessageID         string `json:"MessageId"`
	ReceiptHandle     string
	Body              string
	Attributes        map[string]string
	MessageAttributes map[string]Attribute
}

// appendReceive appends a request for messages.
func appendReceive(b []byte, url string, n int, visibility, wait time.Duration) []byte {
	b = append(appendEscaped(append(b, `{"QueueUrl":"`...), url), `","MaxNumberOfMessages":`...)
	b = strconv.AppendInt(b, int64(n), 10)
	b = strconv.AppendInt(append(b, `,"VisibilityTimeout":`...), int64(visibility/time.Second), 10)
	b = strconv.AppendInt(append(b, `,"WaitTimeSeconds":`...), int64(wait/time.Second), 10)
	return append(b, `,"MessageSystemAttributeNames":["All"],"MessageAttributeNames":["All"]}`...)
}

// delivery makes a delivery of a message. One whose own marks contradict it is handed over as it stands, to be refused.
func (m *received) delivery(queue string, r *receipt) *bridge.Delivery {
	d := &bridge.Delivery{Lease: r, Tag: r.tag, Size: len(m.Body) + 1024}
	for name, a := range m.MessageAttributes {
		d.Size += len(name) + len(a.StringValue) + len(a.BinaryValue)
	}
	decoded, err := Decode(m.Body, m.MessageAttributes)
	if err != nil {
		d.Refuse = bridge.Classed(bridge.Permanent, err)
		decoded = m.raw()
	}
	d.Message = *decoded
	m.complete(&d.Message, queue)
	return d
}

// raw takes the body for a text and every attribute for a property, but for the two by which it is told from others.
func (m *received) raw() *bridge.Message {
	out := &bridge.Message{Priority: bridge.DefaultPriority, Persistent: true, Body: bridge.NewText(m.Body)}
	entries := make([]bridge.Entry, 0, len(m.MessageAttributes))
	for name, a := range m.MessageAttributes {
		if name == nameMessageID || name == nameCorrelationID {
			continue
		}
		v := bridge.String(a.StringValue)
		if strings.HasPrefix(a.DataType, "Binary") {
			v = bridge.Bytes(string(a.BinaryValue))
		}
		entries = append(entries, bridge.Entry{Name: name, Value: v})
	}
	out.Properties = bridge.NewProperties(entries)
	out.ID, out.CorrelationID = m.MessageAttributes[nameMessageID].StringValue, m.MessageAttributes[nameCorrelationID].StringValue
	return out
}

// complete fills in what SQS itself says, where the message does not: those that a jmsbridge sent say all of it.
func (m *received) complete(out *bridge.Message, queue string) {
	out.Key = m.MessageID
	if out.Destination.IsZero() {
		out.Destination = bridge.Destination{Kind: bridge.Queue, Name: queue}
	}
	if n, err := strconv.Atoi(m.Attributes["ApproximateReceiveCount"]); err == nil {
		out.DeliveryCount = n
		out.Redelivered = out.Redelivered || n > 1
	}
	if out.Timestamp.IsZero() {
		if ms, err := strconv.ParseInt(m.Attributes["SentTimestamp"], 10, 64); err == nil {
			out.Timestamp = time.UnixMilli(ms).UTC()
		}
	}
	if group := m.Attributes["MessageGroupId"]; out.GroupID == "" && group != "" && group != out.ID && group != m.MessageID {
		out.GroupID = group
	}
	if header := m.Attributes["AWSTraceHeader"]; header != "" && aws.TraceHeader(out.Properties) == "" {
		out.Properties = out.Properties.With(aws.TraceProperty, bridge.String(header))
	}
}
