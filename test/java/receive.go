package java

import (
	"bufio"
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"strconv"
	"testing"
	"time"

	"github.com/jmsbridge/jmsbridge/bridge"
	"github.com/jmsbridge/jmsbridge/test/brokers"
)

// Receive consumes up to n messages of a queue, and ends after the silence. The body of an Object message is its Java
// serialisation.
func Receive(t testing.TB, c Client, url string, u brokers.User, queue string, n int, silence time.Duration) []bridge.Message {
	t.Helper()
	out, err := c.run(t.Context(), "", "receive", url, u.Name, u.Password, queue, strconv.Itoa(n), strconv.FormatInt(silence.Milliseconds(), 10))
	if err != nil {
		t.Fatal(err)
	}
	return parseMessages(t, out)
}

func parseMessages(t testing.TB, out []byte) []bridge.Message {
	t.Helper()
	var got []bridge.Message
	lines := bufio.NewScanner(bytes.NewReader(out))
	lines.Buffer(nil, 64<<20)
	for lines.Scan() {
		m, err := parseMessage(lines.Bytes())
		if err != nil {
			t.Fatalf("message %d: %v: %s", len(got), err, lines.Bytes())
		}
		got = append(got, m)
	}
	return got
}

type received struct {
	ID            string          `json:"id"`
	CorrelationID string          `json:"correlation_id"`
	Type          string          `json:"type"`
	ReplyTo       string          `json:"reply_to"`
	Priority      uint8           `json:"priority"`
	Timestamp     int64           `json:"timestamp"`
	Expiration    int64           `json:"expiration"`
	Persistent    bool            `json:"persistent"`
	Redelivered   bool            `json:"redelivered"`
	Properties    []receivedValue `json:"properties"`
	Kind          string          `json:"kind"`
	Body          []receivedValue `json:"body"`
}

type receivedValue struct{ Name, Type, Value string }

// parseMessage reads a line of the tool. JMSX properties become fields, as a source would do it.
func parseMessage(line []byte) (bridge.Message, error) {
	var r received
	if err := json.Unmarshal(line, &r); err != nil {
		return bridge.Message{}, fmt.Errorf("reading JSON: %w", err)
	}
	m := bridge.Message{
		ID: r.ID, CorrelationID: r.CorrelationID, Type: r.Type, Priority: r.Priority, Persistent: r.Persistent, Redelivered: r.Redelivered,
	}
	if r.ReplyTo != "" {
		m.ReplyTo = bridge.Destination{Kind: bridge.Queue, Name: r.ReplyTo}
	}
	if r.Timestamp != 0 {
		m.Timestamp = time.UnixMilli(r.Timestamp)
	}
	if r.Expiration != 0 {
		m.Expiration = time.UnixMilli(r.Expiration)
	}
	var properties []bridge.Entry
	for _, p := range r.Properties {
		v, err := p.value()
		if err != nil {
			return m, fmt.Errorf("property %q: %w", p.Name, err)
		}
		switch p.Name {
		case "JMSXGroupID":
			m.GroupID = v.Str()
		case "JMSXGroupSeq":
			m.GroupSeq = int32(v.Int64())
		case "JMSXDeliveryCount":
			m.DeliveryCount = int(v.Int64())
		case "JMSXUserID":
			m.UserID = v.Str()
		default:
			properties = append(properties, bridge.Entry{Name: p.Name, Value: v})
		}
	}
	m.Properties = bridge.NewProperties(properties)
	entries := make([]bridge.Entry, 0, len(r.Body))
	values := make([]bridge.Value, 0, len(r.Body))
	for _, b := range r.Body {
		v, err := b.value()
		if err != nil {
			return m, fmt.Errorf("body: %w", err)
		}
		entries = append(entries, bridge.Entry{Name: b.Name, Value: v})
		values = append(values, v)
	}
	switch {
	case r.Kind == "map":
		m.Body = bridge.NewMap(entries)
	case r.Kind == "stream":
		m.Body = bridge.NewStream(values)
	case r.Kind == "none":
	case len(values) != 1:
		return m, fmt.Errorf("%d values in a %s", len(values), r.Kind)
	case r.Kind == "text":
		m.Body = bridge.NewText(values[0].Str())
	case r.Kind == "bytes":
		m.Body = bridge.NewBytes(values[0].Str())
	default:
		m.Body = bridge.NewObject(values[0].Str())
	}
	return m, nil
}

func (r receivedValue) value() (bridge.Value, error) {
	switch r.Type {
	case "null":
		return bridge.Null(), nil
	case "boolean":
		return bridge.Boolean(r.Value == "true"), nil
	case "float", "double":
		bits := map[string]int{"float": 32, "double": 64}[r.Type]
		f, err := strconv.ParseFloat(r.Value, bits)
		if r.Type == "float" {
			return bridge.Float(float32(f)), err
		}
		return bridge.Double(f), err
	case "string", "bytes":
		raw, err := base64.StdEncoding.DecodeString(r.Value)
		if r.Type == "string" {
			return bridge.String(string(raw)), err
		}
		return bridge.Bytes(string(raw)), err
	}
	n, err := strconv.ParseInt(r.Value, 10, 64)
	if err != nil {
		return bridge.Value{}, fmt.Errorf("reading a %s: %w", r.Type, err)
	}
	switch r.Type {
	case "byte":
		return bridge.Byte(int8(n)), nil
	case "short":
		return bridge.Short(int16(n)), nil
	case "int":
		return bridge.Int(int32(n)), nil
	case "long":
		return bridge.Long(n), nil
	case "char":
		return bridge.Char(uint16(n)), nil
	default:
		return bridge.Value{}, fmt.Errorf("unknown type %q", r.Type)
	}
}
