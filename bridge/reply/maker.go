package reply

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"time"
	"unicode/utf8"

	"github.com/jmsbridge/jmsbridge/bridge"
	"github.com/jmsbridge/jmsbridge/bridge/envelope"
)

// Format is what an answer means.
type Format uint8

const (
	// FormatBody takes the answer for the body of the reply; see [Maker.Reply].
	FormatBody Format = iota
	// FormatEnvelope takes it for a whole message in the envelope's form: properties, type, priority and time to live.
	FormatEnvelope
)

// Maker makes replies for one route.
type Maker struct {
	Allow  *Allow
	Format Format
	// Result means that answers are what a function returned, in JSON; otherwise they are messages as they stand.
	Result bool
}

// Correlation is the correlation id of the reply to a request: its JMSCorrelationID or, without one, its JMSMessageID
// (Jakarta Messaging 3.1, section 3.4.4, and the habit of every requester).
func Correlation(request *bridge.Message) string {
	if request.CorrelationID != "" {
		return request.CorrelationID
	}
	return request.ID
}

// address makes the reply's headers of the request's.
func (k *Maker) address(request *bridge.Message, deadline time.Time) (*bridge.Message, error) {
	if err := k.Allow.Check(request.ReplyTo); err != nil {
		return nil, err
	}
	return &bridge.Message{
		Key: request.Key, Destination: request.ReplyTo, CorrelationID: Correlation(request), Expiration: deadline,
		Priority: request.Priority, Persistent: request.Persistent,
	}, nil
}

// Reply makes the reply to a request of the answer that its target gave; nil for a request without JMSReplyTo. It is
// what [bridge.ReplySettings].Make wants.
//
// With FormatBody a Result is read as functions write it: a JSON string is the text itself; an object of
// "body" and "isBase64Encoded", the habit of API Gateway, is that body, as bytes where it is base64; null is an empty
// text; anything else is the JSON as it stands. An answer that is not JSON is taken as it is. With FormatEnvelope the
// answer is an envelope; where it says a destination, a correlation id, or a later expiration than the requester
// waits, the request wins.
func (k *Maker) Reply(request, answer *bridge.Message, deadline time.Time) (*bridge.Message, error) {
	if request.ReplyTo.IsZero() {
		return nil, nil //nolint:nilnil // the engine's word for: nobody waits
	}
	m, err := k.address(request, deadline)
	if err != nil {
		return nil, err
	}
	if k.Format == FormatEnvelope {
		return k.whole(m, answer)
	}
	m.Type, m.Properties, m.Body = answer.Type, answer.Properties, answer.Body
	if k.Result {
		m.Body, err = body(answer.Body)
	}
	return m, err
}

// whole makes a reply of an envelope.
func (k *Maker) whole(m, answer *bridge.Message) (*bridge.Message, error) {
	data := answer.Body.Data()
	if answer.Body.Kind() == bridge.NoBody {
		data = "{}"
	}
	e, err := envelope.Parse([]byte(data))
	if err != nil {
		return nil, bridge.Errorf(bridge.Permanent, "reading the answer as an envelope: %w", err)
	}
	m.Type, m.Properties, m.Body, m.GroupID, m.GroupSeq = e.Type, e.Properties, e.Body, e.GroupID, e.GroupSeq
	m.Priority, m.Persistent = e.Priority, e.Persistent
	if !e.Expiration.IsZero() && e.Expiration.Before(m.Expiration) {
		m.Expiration = e.Expiration
	}
	return m, nil
}

// body reads a function's result.
func body(b bridge.Body) (bridge.Body, error) {
	data := b.Data()
	if b.Kind() != bridge.TextBody || !utf8.ValidString(data) {
		return b, nil
	}
	if len(data) == 0 || !json.Valid([]byte(data)) {
		return b, nil
	}
	switch first(data) {
	case '"':
		var text string
		if err := json.Unmarshal([]byte(data), &text); err != nil {
			return b, fmt.Errorf("reading the answer: %w", err)
		}
		return bridge.NewText(text), nil
	case 'n':
		return bridge.NewText(""), nil
	case '{':
		return gateway(b)
	default:
		return b, nil
	}
}

func first(data string) byte {
	for i := range len(data) {
		switch data[i] {
		case ' ', '\t', '\r', '\n':
		default:
			return data[i]
		}
	}
	return 0
}

// gateway reads {"body": …, "isBase64Encoded": …}; other objects are the reply as they stand.
func gateway(b bridge.Body) (bridge.Body, error) {
	var fields map[string]json.RawMessage
	if err := json.Unmarshal([]byte(b.Data()), &fields); err != nil {
		return b, fmt.Errorf("reading the answer: %w", err)
	}
	var text string
	var encoded bool
	told := json.Unmarshal(fields["isBase64Encoded"], &encoded) == nil && json.Unmarshal(fields["body"], &text) == nil
	if !told {
		return b, nil
	}
	if !encoded {
		return bridge.NewText(text), nil
	}
	raw, err := base64.StdEncoding.DecodeString(text)
	if err != nil {
		return b, bridge.Errorf(bridge.Permanent, "reading the answer: its body is not base64, as isBase64Encoded says")
	}
	return bridge.NewBytes(string(raw)), nil
}

// The properties by which a requester tells a fault from an answer. They are Java identifiers, as JMS wants.
const (
	FaultProperty = "JMSBridgeFault"      // true
	FaultClass    = "JMSBridgeErrorClass" // as in a dead letter
	FaultCode     = "JMSBridgeErrorCode"
)

// Fault makes the reply that tells a requester of a failure: a text with the error, and properties that a client can
// test. It is what [bridge.ReplySettings].Fault wants.
func (k *Maker) Fault(request *bridge.Message, f bridge.Failure, deadline time.Time) (*bridge.Message, error) {
	if request.ReplyTo.IsZero() {
		return nil, errNoReplyTo
	}
	m, err := k.address(request, deadline)
	if err != nil {
		return nil, err
	}
	entries := []bridge.Entry{{Name: FaultProperty, Value: bridge.Boolean(true)}, {Name: FaultClass, Value: bridge.String(f.Class.String())}}
	if f.Code != "" {
		entries = append(entries, bridge.Entry{Name: FaultCode, Value: bridge.String(f.Code)})
	}
	m.Properties, m.Body = bridge.NewProperties(entries), bridge.NewText(f.Text)
	return m, nil
}
