package sqs

import (
	"encoding/json"
	"fmt"
	"strings"

	"github.com/jmsbridge/jmsbridge/bridge"
)

// Preview is what would be sent of one message.
type Preview struct {
	Body string `json:"body"`
	// Attributes are strings, and numbers where the data type is one; AttributeTypes are the data types of those that are
	// no plain String.
	Attributes     map[string]json.RawMessage `json:"attributes,omitempty"`
	AttributeTypes map[string]string          `json:"attribute_types,omitempty"`
	// GroupID and Deduplication are those of a FIFO queue.
	GroupID       string `json:"group_id,omitempty"`
	Deduplication string `json:"deduplication,omitempty"`
}

// Preview returns the message as a call would have it, read back from the request's own bytes. It needs no connection.
func (s *Sink) Preview(o *bridge.Outgoing) (any, error) {
	w := &work{} // not pooled: what it returns outlives the call
	if err := w.fill(&s.form, o); err != nil {
		return nil, err
	}
	var group, dedup string
	if s.form.fifo {
		group, dedup = groupID(o), dedupID(o)
	}
	var entry struct {
		MessageBody       string
		MessageAttributes map[string]struct{ DataType, StringValue string }
		Group             string `json:"MessageGroupId"`
		Deduplication     string `json:"MessageDeduplicationId"`
	}
	if err := json.Unmarshal(w.appendEntry(nil, 0, group, dedup), &entry); err != nil {
		return nil, fmt.Errorf("reading what would be sent: %w", err)
	}
	p := &Preview{Body: entry.MessageBody, GroupID: entry.Group, Deduplication: entry.Deduplication}
	if len(entry.MessageAttributes) > 0 {
		p.Attributes = map[string]json.RawMessage{}
	}
	for name, a := range entry.MessageAttributes {
		p.Attributes[name] = json.RawMessage(a.StringValue)
		if a.DataType == typeString || !strings.HasPrefix(a.DataType, "Number") || !json.Valid([]byte(a.StringValue)) {
			text, err := json.Marshal(a.StringValue)
			if err != nil {
				return nil, fmt.Errorf("writing attribute %s: %w", name, err)
			}
			p.Attributes[name] = text
		}
		if a.DataType != typeString {
			if p.AttributeTypes == nil {
				p.AttributeTypes = map[string]string{}
			}
			p.AttributeTypes[name] = a.DataType
		}
	}
	return p, nil
}
