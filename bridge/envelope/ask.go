package envelope

import "github.com/jmsbridge/jmsbridge/bridge"

// AppendRequest appends the envelope of a request, as [Append] does, and behind its fields the object
//
//	"reply": {"correlation_id": …, "queue_url": …, "deadline": …}
//
// that tells the responder how to answer. It is no part of the message: [Parse] passes it over. ask may be nil.
func AppendRequest(dst []byte, m *bridge.Message, ask *bridge.Ask) ([]byte, error) {
	out, err := Append(dst, m)
	if err != nil || ask == nil {
		return out, err
	}
	e := encoder{buf: append(out[:len(out)-1], `,"reply":{`...)}
	e.field("correlation_id", ask.CorrelationID)
	e.field("queue_url", ask.QueueURL)
	if !ask.Deadline.IsZero() {
		e.key("deadline")
		e.buf = appendInstant(e.buf, ask.Deadline)
	}
	if e.err != nil {
		return dst, e.err
	}
	return append(e.buf, '}', '}'), nil
}
