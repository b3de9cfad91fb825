package lambda

import (
	"encoding/json"
	"time"

	"github.com/jmsbridge/jmsbridge/bridge"
)

// Preview is what would be sent of one message.
type Preview struct {
	Payload json.RawMessage `json:"payload"`
}

// Preview returns the payload of a call with this message alone. It needs no connection. Where the payload says when the
// bridge got the message, it is the message's own time, so that it is the same each time.
func (s *Sink) Preview(o *bridge.Outgoing) (any, error) {
	f := s.form
	f.now = func() time.Time { return o.Message.Timestamp }
	payload, err := f.appendPayload(nil, []bridge.Outgoing{*o})
	if err != nil {
		return nil, err
	}
	return &Preview{payload}, nil
}
