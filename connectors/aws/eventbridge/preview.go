package eventbridge

import (
	"encoding/json"
	"fmt"
	"math"
	"time"

	"github.com/jmsbridge/jmsbridge/bridge"
	"github.com/jmsbridge/jmsbridge/bridge/envelope"
)

// Preview is what would be sent of one message.
type Preview struct {
	Bus        string          `json:"bus"`
	Source     string          `json:"source"`
	DetailType string          `json:"detail_type"`
	Time       string          `json:"time,omitempty"` // "": EventBridge's own
	Resources  []string        `json:"resources,omitempty"`
	Detail     json.RawMessage `json:"detail"`
}

// Preview returns the event as a call would have it, read back from the request's own bytes. It needs no connection.
func (s *Sink) Preview(o *bridge.Outgoing) (any, error) {
	w := &work{} // not pooled: what it returns outlives the call
	if err := w.fill(&s.form, o); err != nil {
		return nil, err
	}
	var entry struct {
		EventBusName, Source, DetailType, Detail string
		Time                                     *float64
		Resources                                []string
	}
	if err := json.Unmarshal(w.appendEntry(nil), &entry); err != nil {
		return nil, fmt.Errorf("reading what would be sent: %w", err)
	}
	p := &Preview{
		Bus: entry.EventBusName, Source: entry.Source, DetailType: entry.DetailType, Resources: entry.Resources,
		Detail: json.RawMessage(entry.Detail),
	}
	if entry.Time != nil {
		p.Time = string(envelope.AppendInstant(nil, time.UnixMilli(int64(math.Round(*entry.Time*1000)))))
	}
	return p, nil
}
