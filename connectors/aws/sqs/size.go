package sqs

import (
	"fmt"

	"github.com/jmsbridge/jmsbridge/bridge"
	"github.com/jmsbridge/jmsbridge/bridge/envelope"
)

// Size returns an upper bound of what SQS counts of a message: exact where it matters, for a message that fills a tenth
// of a call; loose and cheap for the many that are smaller. The error says that the queue will never take it.
func (s *Sink) Size(o *bridge.Outgoing) (int, error) {
	limit := int(s.maxSize.Load())
	if n := bound(&s.form, o); n <= min(limit, batchBytes/batchMessages) {
		return n, nil
	}
	w, _ := s.works.Get().(*work)
	defer s.works.Put(w)
	if err := w.fill(&s.form, o); err != nil {
		return 0, err
	}
	n := w.size()
	w.release()
	if n > limit {
		return 0, &bridge.Error{
			Class: bridge.Permanent, Code: "TooLarge",
			Err:    fmt.Errorf("the message is %d bytes as SQS counts it, and the queue takes %d", n, limit),
			Remedy: "raise the queue's MaximumMessageSize (at most 1 MiB), or send less",
		}
	}
	return n, nil
}

// unbounded is more than any limit: measure.
const unbounded = 1 << 62

// bound is an upper bound that reads no text.
func bound(f *form, o *bridge.Outgoing) int {
	const (
		fixed    = 900 // names, types and numbers of headers and marks; the fixed part of jmsbridge.more
		property = 256 // type, number, separators
		escaped  = 6   // \u001f
	)
	m := o.Message
	n := fixed
	switch kind := m.Body.Kind(); {
	case f.envelope, kind == bridge.MapBody, kind == bridge.StreamBody:
		n += envelope.Bound(m)
	case kind == bridge.ObjectBody:
		return unbounded // it may be refused
	default:
		n += 4 * (len(m.Body.Data()) + 2) / 3
	}
	n += escaped * (len(m.ID) + len(m.CorrelationID) + len(m.Type) + len(m.UserID) + len(m.GroupID) + len(m.Destination.Name) + len(m.ReplyTo.Name))
	for _, p := range [...]bridge.Properties{m.Properties, o.Extra} {
		for name, v := range p.All() {
			if t := v.Type(); t == bridge.MapType || t == bridge.ListType {
				return unbounded
			}
			n += property + 3*escaped*len(name) + escaped*len(v.Str())
		}
	}
	return n
}

// release lets go of the message.
func (w *work) release() {
	clear(w.attributes)
	clear(w.entries)
	clear(w.left)
	w.attributes, w.entries, w.left = w.attributes[:0], w.entries[:0], w.left[:0]
	w.body, w.trace = "", ""
	if cap(w.scratch) > 1<<20 {
		w.scratch = nil
	}
}
