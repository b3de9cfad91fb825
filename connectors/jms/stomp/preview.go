package stomp

import (
	"bytes"
	"errors"
	"fmt"

	"github.com/go-stomp/stomp/v3/frame"

	"github.com/jmsbridge/jmsbridge/bridge"
	"github.com/jmsbridge/jmsbridge/connectors/jms/stomp/client"
)

// Preview is what would be sent of one message.
type Preview struct {
	Destination string            `json:"destination"` // such as queue:NAME
	Headers     map[string]string `json:"headers"`
	// Body is a text, BodyBase64 anything else; both are left out for a message without body.
	Body       string `json:"body,omitempty"`
	BodyBase64 []byte `json:"body_base64,omitempty"`
}

// Preview returns the frame that ActiveMQ Classic would get, read back from its own bytes. It needs no connection, and so
// does not know which broker is there; other ones get the same in other headers.
func (s *Sink) Preview(o *bridge.Outgoing) (any, error) {
	l := &lane{sink: s, enc: encoder{kind: client.Classic}}
	to, err := l.destination(o)
	if err != nil {
		return nil, err
	}
	f, err := l.enc.frame(o, to)
	if err != nil {
		return nil, err
	}
	sent, err := frame.NewReader(bytes.NewReader(f.build(nil, "preview"))).Read()
	if err != nil {
		return nil, fmt.Errorf("reading what would be sent: %w", err)
	}
	if sent == nil {
		return nil, errors.New("reading what would be sent: there is no frame")
	}
	p := &Preview{Destination: to.String(), Headers: map[string]string{}}
	for i := range sent.Header.Len() {
		name, value := sent.Header.GetAt(i)
		switch _, twice := p.Headers[name]; {
		case twice, name == frame.Receipt, name == frame.Destination: // of two headers the first counts
		default:
			p.Headers[name] = value
		}
	}
	if o.Message.Body.Kind() == bridge.TextBody {
		p.Body = string(sent.Body)
	} else {
		p.BodyBase64 = sent.Body
	}
	return p, nil
}
