package stomplocal

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Message is a message as tests and the demo publish and see it.
type Message struct {
	// ID is the message-id. In Publish, "" lets the broker make one, of the form ID:HOST-PORT-TIME-1:C:1:1:N. An id
	// that doesn't end in three numeric parts separated by colons is one that an AMQP client gave: as with Classic,
	// an ACK or NACK of such a message closes the connection without a word.
	ID string
	// Destination is where the message is ("/queue/orders"); Publish does not read it.
	Destination string
	// CorrelationID, ReplyTo and Type are the JMS headers; "" means not set. ReplyTo is spelled as on the wire.
	CorrelationID, ReplyTo, Type string
	// Group is JMSXGroupID. Classic never shows it over STOMP; here it can be selected by.
	Group string
	// Priority is 0 to 9. Publish takes 0 as 4, JMS's default.
	Priority int
	// Timestamp is JMSTimestamp; Publish takes zero as now.
	Timestamp time.Time
	// Expires is JMSExpiration; zero: never.
	Expires time.Time
	// Persistent tells the delivery mode.
	Persistent bool
	// Redelivered tells that the message has been delivered before; Publish does not read it.
	Redelivered bool
	// Properties are the user's own properties in their order on the wire.
	Properties []Property
	// Bytes says that the body is that of a BytesMessage: it has a content-length.
	Bytes bool
	// Body is the body. An empty one without Bytes may be a Text, Map, Stream, Object or none: Classic's STOMP does
	// not tell.
	Body []byte
}

// Property is a property of a message; over STOMP each is a string.
type Property struct{ Name, Value string }

// message is what the broker keeps of a message; it is never changed.
type message struct {
	id         string
	settleable bool
	head       []byte // header lines that are the same in each delivery
	body       []byte
	bytes      bool
	persistent bool
	priority   int
	timestamp  int64 // ms
	expires    int64 // ms; 0: never

	correlationID, replyTo, jmsType, group string
	replyTemp                              *queue // reply-to, when it is a temporary queue
	original                               string // original-destination; "": none
	properties                             []Property
}

// entry is a message in a queue: either pending, or delivered to a subscription and not acknowledged yet.
type entry struct {
	*message
	queue       *queue
	seq         uint64 // place in the queue
	redelivered bool

	sub  *subscription // not nil: delivered
	ack  uint64        // the ack id of this delivery
	list *entryList
	prev *entry
	next *entry
}

// entryList is a doubly linked list of entries, which know which list they are in.
type entryList struct {
	head, tail *entry
	n          int
}

func (l *entryList) pushBack(e *entry) { l.insertAfter(e, l.tail) }

// insertAfter puts e behind at, or first where at is nil.
func (l *entryList) insertAfter(e, at *entry) {
	e.list, e.prev = l, at
	if at == nil {
		e.next, l.head = l.head, e
	} else {
		e.next, at.next = at.next, e
	}
	if e.next == nil {
		l.tail = e
	} else {
		e.next.prev = e
	}
	l.n++
}

func (l *entryList) remove(e *entry) {
	if e.prev == nil {
		l.head = e.next
	} else {
		e.prev.next = e.next
	}
	if e.next == nil {
		l.tail = e.prev
	} else {
		e.next.prev = e.prev
	}
	e.list, e.prev, e.next = nil, nil, nil
	l.n--
}

// stripped are the headers of a SEND that are not properties.
var stripped = map[string]bool{
	"destination": true, "receipt": true, "transaction": true, "content-length": true, "message-id": true,
	"redelivered": true, "subscription": true, "ack": true, "JMSXUserID": true, "persistent": true, "priority": true, "expires": true,
	"timestamp": true, "correlation-id": true, "reply-to": true, "type": true, "JMSXGroupID": true, "JMSXGroupSeq": true,
}

// refusalError is an ERROR frame that leaves the connection open.
type refusalError struct{ message, body string }

func (r *refusalError) Error() string { return r.message }

func refuse(format string, args ...any) error {
	return &refusalError{message: fmt.Sprintf(format, args...)}
}

// fromSend makes a message of a SEND frame. errSilent: close the connection, as Classic does.
func (c *conn) fromSend(f *frame) (*message, error) {
	m := &message{settleable: true, body: f.body, bytes: f.hasLength, priority: 4, timestamp: time.Now().UnixMilli()}
	f.body = nil
	m.persistent = strings.EqualFold(f.value("persistent"), "true")
	m.correlationID, m.jmsType, m.group = f.value("correlation-id"), f.value("type"), f.value("JMSXGroupID")
	var priority int64 = 4
	for _, n := range []struct {
		name string
		to   *int64
	}{{"priority", &priority}, {"expires", &m.expires}, {"timestamp", &m.timestamp}} {
		if text, ok := f.lookup(n.name); ok {
			v, err := strconv.ParseInt(text, 10, 64)
			if err != nil {
				return nil, errSilent
			}
			*n.to = v
		}
	}
	m.priority = int(min(max(priority, 0), 9))
	if _, ok := f.lookup("transformation"); ok {
		return nil, refuse("transformation is not supported by the embedded broker")
	}
	switch kind, ok := f.lookup("amq-msg-type"); {
	case !ok:
	case kind == "text":
		m.bytes = false
	case kind == "bytes":
		m.bytes = true
	default:
		return nil, refuse("Unsupported message type '%s'", kind)
	}
	if reply, ok := f.lookup("reply-to"); ok {
		c.takeReplyTo(m, reply)
	}
	m.properties = make([]Property, 0, len(f.headers))
	for i := range f.headers {
		h := &f.headers[i]
		repeated := slices.ContainsFunc(m.properties, func(p Property) bool { return p.Name == h.name })
		if !stripped[h.name] && !repeated {
			m.properties = append(m.properties, Property{h.name, h.value})
		}
	}
	return m, nil
}

// takeReplyTo understands a reply-to header; what is no destination becomes a property.
func (c *conn) takeReplyTo(m *message, reply string) {
	switch {
	case strings.HasPrefix(reply, prefixTemp):
		m.replyTemp = c.tempQueue(reply[len(prefixTemp):])
		m.replyTo = prefixRemoteTemp + m.replyTemp.name
	case strings.HasPrefix(reply, prefixQueue), strings.HasPrefix(reply, prefixTopic), strings.HasPrefix(reply, prefixRemoteTemp):
		m.replyTo = reply
	default:
		m.properties = append(m.properties, Property{"reply-to", reply})
	}
}

var errIllegalName = errors.New("a property name must not be empty or hold a colon, a line break or a NUL")

// fromPublished makes a message of what a test publishes.
func fromPublished(p Message) (*message, error) {
	m := &message{
		id: p.ID, settleable: p.ID == "" || settleable(p.ID), body: slices.Clone(p.Body), bytes: p.Bytes, persistent: p.Persistent,
		priority: p.Priority, timestamp: time.Now().UnixMilli(), correlationID: p.CorrelationID, replyTo: p.ReplyTo,
		jmsType: p.Type, group: p.Group, properties: slices.Clone(p.Properties),
	}
	if !p.Bytes && slices.Contains(p.Body, 0) {
		return nil, errors.New("a text body can't hold a NUL")
	}
	if m.priority == 0 {
		m.priority = 4
	}
	if m.priority < 0 || m.priority > 9 {
		return nil, fmt.Errorf("priority %d is not between 0 and 9", m.priority)
	}
	if !p.Timestamp.IsZero() {
		m.timestamp = p.Timestamp.UnixMilli()
	}
	if !p.Expires.IsZero() {
		m.expires = p.Expires.UnixMilli()
	}
	for _, q := range p.Properties {
		if q.Name == "" || strings.ContainsAny(q.Name, ":\n\r\x00") || strings.Contains(q.Value, "\x00") {
			return nil, fmt.Errorf("property %q: %w", q.Name, errIllegalName)
		}
	}
	return m, nil
}

// settleable tells whether an id ends in three numeric parts: Classic's STOMP can acknowledge no other message.
func settleable(id string) bool {
	for range 3 {
		at := strings.LastIndexByte(id, ':')
		if at < 0 {
			return false
		}
		if _, err := strconv.ParseInt(id[at+1:], 10, 64); err != nil {
			return false
		}
		id = id[:at]
	}
	return true
}

// seal encodes the header lines that are the same in each delivery.
func (m *message) seal() {
	b := make([]byte, 0, 192+32*len(m.properties))
	b = appendHeader(b, "message-id", m.id)
	if m.bytes {
		b = appendHeader(b, "content-length", strconv.Itoa(len(m.body)))
	}
	b = appendHeader(b, "priority", strconv.Itoa(m.priority))
	b = appendHeader(b, "timestamp", strconv.FormatInt(m.timestamp, 10))
	b = appendHeader(b, "expires", strconv.FormatInt(m.expires, 10))
	if m.persistent {
		b = appendHeader(b, "persistent", "true")
	}
	for _, h := range [...]header{{"correlation-id", m.correlationID}, {"type", m.jmsType}, {"original-destination", m.original}} {
		if h.value != "" {
			b = appendHeader(b, h.name, h.value)
		}
	}
	for _, p := range m.properties {
		b = appendHeader(b, p.Name, p.Value)
	}
	m.head = b
}

// public returns the message as a test sees it.
func (e *entry) public() Message {
	p := Message{
		ID: e.id, Destination: e.queue.shown, CorrelationID: e.correlationID, ReplyTo: e.replyTo, Type: e.jmsType, Group: e.group,
		Priority: e.priority, Timestamp: time.UnixMilli(e.timestamp), Persistent: e.persistent, Redelivered: e.redelivered,
		Properties: slices.Clone(e.properties), Bytes: e.bytes, Body: slices.Clone(e.body),
	}
	if e.expires != 0 {
		p.Expires = time.UnixMilli(e.expires)
	}
	return p
}
