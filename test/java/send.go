package java

import (
	"encoding/base64"
	"fmt"
	"strconv"
	"strings"
	"testing"

	"github.com/jmsbridge/jmsbridge/bridge"
	"github.com/jmsbridge/jmsbridge/test/brokers"
)

// Send sends messages to a queue, or to topic:NAME, as the user, one after the other, and returns their JMSMessageIDs. Of a message it takes
// CorrelationID, Type, ReplyTo, GroupID, GroupSeq, Priority, Properties and Body; an Object body is a string that Java
// serialises. Messages are persistent.
func Send(t testing.TB, c Client, url string, u brokers.User, queue string, messages ...bridge.Message) []string {
	t.Helper()
	var in strings.Builder
	for i := range messages {
		if err := writeMessage(&in, &messages[i]); err != nil {
			t.Fatalf("message %d: %v", i, err)
		}
	}
	out, err := c.run(t.Context(), in.String(), "send", url, u.Name, u.Password, queue)
	if err != nil {
		t.Fatal(err)
	}
	ids := strings.Split(strings.TrimRight(string(out), "\n"), "\n")
	if len(ids) != len(messages) {
		t.Fatalf("%s sent %d of %d messages", c, len(ids), len(messages))
	}
	return ids
}

// writeMessage writes a message in the tool's line protocol.
func writeMessage(b *strings.Builder, m *bridge.Message) error {
	fmt.Fprintf(b, "message %s\n", m.Body.Kind())
	priority := ""
	if m.Priority != 0 {
		priority = strconv.Itoa(int(m.Priority))
	}
	seq := ""
	if m.GroupSeq != 0 {
		seq = strconv.Itoa(int(m.GroupSeq))
	}
	for _, h := range []struct{ name, value string }{
		{"correlation-id", m.CorrelationID},
		{"type", m.Type},
		{"reply-to", m.ReplyTo.Name},
		{"group", m.GroupID},
		{"group-seq", seq},
		{"priority", priority},
	} {
		if h.value != "" {
			fmt.Fprintf(b, "header %s %s\n", h.name, encode(h.value))
		}
	}
	for name, v := range m.Properties.All() {
		if err := writeValue(b, "property", name, v); err != nil {
			return err
		}
	}
	var err error
	switch body := m.Body; body.Kind() {
	case bridge.TextBody, bridge.ObjectBody:
		err = writeValue(b, "value", "", bridge.String(body.Data()))
	case bridge.BytesBody:
		err = writeValue(b, "value", "", bridge.Bytes(body.Data()))
	case bridge.MapBody:
		for _, e := range body.Map() {
			if err == nil {
				err = writeValue(b, "value", e.Name, e.Value)
			}
		}
	case bridge.StreamBody:
		for _, v := range body.Stream() {
			if err == nil {
				err = writeValue(b, "value", "", v)
			}
		}
	case bridge.NoBody:
	}
	b.WriteString("send\n")
	return err
}

func writeValue(b *strings.Builder, word, name string, v bridge.Value) error {
	var text string
	switch v.Type() {
	case bridge.NullType:
	case bridge.BooleanType:
		text = strconv.FormatBool(v.Bool())
	case bridge.ByteType, bridge.ShortType, bridge.IntType, bridge.LongType, bridge.CharType:
		text = strconv.FormatInt(v.Int64(), 10)
	case bridge.FloatType:
		text = javaFloat(v.Float64(), 32)
	case bridge.DoubleType:
		text = javaFloat(v.Float64(), 64)
	case bridge.StringType, bridge.BytesType:
		text = encode(v.Str())
	default:
		return fmt.Errorf("%q has type %s, which the tool can't send", name, v.Type())
	}
	fmt.Fprintf(b, "%s %s %s %s\n", word, v.Type(), encode(name), text)
	return nil
}

// javaFloat writes a number as Java reads and writes it.
func javaFloat(f float64, bits int) string {
	switch s := strconv.FormatFloat(f, 'g', -1, bits); s {
	case "+Inf":
		return "Infinity"
	case "-Inf":
		return "-Infinity"
	default:
		return s
	}
}

func encode(s string) string { return base64.StdEncoding.EncodeToString([]byte(s)) }
