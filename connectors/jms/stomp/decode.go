package stomp

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/jmsbridge/jmsbridge/bridge"
	"github.com/jmsbridge/jmsbridge/connectors/jms/stomp/client"
)

// delivery is a bridge.Delivery with its message, its first properties and its acknowledgement id in one allocation.
// The strings of all of them share one other: the copy of the frame.
type delivery struct {
	bridge.Delivery
	ack     string
	id      string // the header message-id
	wire    int    // bytes of the frame
	entries [inlineEntries]bridge.Entry
}

const inlineEntries = 6

const (
	// deliveryOverhead is what a delivery occupies beside its frame, the first properties included.
	deliveryOverhead = 1100
	// entrySize is what each further property occupies beside its text.
	entrySize = 64
	// keepScratch is the largest memory for decoding that is kept for the next message.
	keepScratch = 1 << 20
)

// decoder turns MESSAGE frames into deliveries, as one broker means them. The reader's goroutine uses it.
type decoder struct {
	kind          client.Kind
	modified      bool // texts are Java's modified UTF-8
	bare          bridge.DestinationKind
	emptyBodyText bool

	copied   strings.Builder // the frame's strings; given away with each message
	unfolded int             // bytes of the strings that are not in copied
	scratch  []byte
	raw      rawMessage
}

// rawMessage are the headers of a frame that mean something, as indices; -1: not there.
type rawMessage struct {
	header  [roleCount]int16
	entries []int16 // the properties
}

func newDecoder(kind client.Kind, version string, set SourceSettings) decoder {
	return decoder{
		kind: kind, modified: kind == client.Classic && modifiedUTF8(version), bare: set.Destination.Kind,
		emptyBodyText: set.EmptyBodyText,
	}
}

// delivery decodes a frame of the subscription with this id. An error ends the connection.
func (d *decoder) delivery(f *client.Frame, subscription string) (*delivery, error) {
	d.sort(f)
	if !d.ours(f, subscription) {
		return nil, errForeign
	}
	out := &delivery{}
	m := &out.Message
	body := f.Body()
	// Decoding never lengthens, so the strings never move.
	d.copied, d.unfolded = strings.Builder{}, 0
	d.copied.Grow(f.HeadSize() + len(body))

	out.ack = d.text(f, roleAck)
	out.id = d.text(f, roleMessageID)
	if out.ack == "" {
		out.ack = out.id
	}
	m.CorrelationID = d.text(f, roleCorrelationID)
	m.Type = d.text(f, roleType)
	m.UserID = d.text(f, roleUserID)
	m.GroupID = d.text(f, roleGroupID)
	if n, ok := d.number(f, roleGroupSeq); ok && m.GroupID != "" && n >= math.MinInt32 && n <= math.MaxInt32 {
		m.GroupSeq = int32(n)
	}
	m.Priority = bridge.DefaultPriority
	if n, ok := d.number(f, rolePriority); ok && n >= 0 && n <= 9 {
		m.Priority = uint8(n)
	}
	m.Timestamp = d.instant(f, roleTimestamp)
	m.Expiration = d.instant(f, roleExpires)
	m.Persistent = d.is(f, rolePersistent, "true")
	m.Redelivered = d.is(f, roleRedelivered, "true")
	bare := d.bare
	if d.is(f, roleDestinationType, "MULTICAST") {
		bare = bridge.Topic
	} else if d.is(f, roleDestinationType, "ANYCAST") {
		bare = bridge.Queue
	}
	m.Destination = parseDestination(d.text(f, roleDestination), bare)
	m.ReplyTo = parseDestination(d.text(f, roleReplyTo), bridge.Queue)
	d.identify(f, m, out.id)
	d.properties(f, out)
	d.body(f, out)
	d.companions(f, out)
	if f.Doubtful && f.Skipped == 0 {
		out.Hold = errTextEnd
	}
	if hold := d.unsettleable(out.ack, out.id); hold != nil {
		out.Hold = hold
	}
	out.wire = f.Size()
	out.Size = out.wire + deliveryOverhead + entrySize*max(0, m.Properties.Len()-inlineEntries) + d.unfolded
	if cap(d.scratch) > keepScratch {
		d.scratch = nil
	}
	return out, nil
}

// ours tells whether a frame names our subscription, whose id no sender can guess. A sender's property may be another
// header of this name, before or after the broker's.
func (d *decoder) ours(f *client.Frame, subscription string) bool {
	first := d.raw.header[roleSubscription]
	if first < 0 || string(f.Value(int(first))) == subscription {
		return first >= 0
	}
	for i := int(first) + 1; i < f.Headers(); i++ {
		if string(f.Name(i)) == "subscription" && string(f.Value(i)) == subscription {
			return true
		}
	}
	return false
}

// errTextEnd holds a text within which what looks like the beginning of a frame follows a NUL and a line break.
var errTextEnd = &bridge.Error{
	Class: bridge.Permanent, Code: "text-end",
	Err:    errors.New("the text holds a NUL character and what looks like a STOMP frame: where it ends can't be told"),
	Remedy: "consume such messages over OpenWire, or send them as bytes",
}

// identify sets key and id. Classic's message-id is JMSMessageID. Artemis makes a new message-id at each delivery, of
// which only the journal's id after the comma stays; the sender's own id is in a property, or not visible.
func (d *decoder) identify(f *client.Frame, m *bridge.Message, id string) {
	switch d.kind {
	case client.Artemis:
		if m.ID = d.text(f, roleHiddenID); m.ID != "" {
			m.Key = m.ID
			return
		}
		if i := strings.LastIndexByte(id, ','); i >= 0 {
			m.Key = id[i+1:]
		}
	case client.Classic:
		m.ID, m.Key = id, id
	default:
		// A message-id need only be unique within a subscription; one in JMS's form is the sender's.
		if strings.HasPrefix(id, "ID:") {
			m.ID, m.Key = id, id
		}
	}
}

// properties are all headers that mean nothing else, as strings: the wire has no types. The first of two alike counts.
func (d *decoder) properties(f *client.Frame, out *delivery) {
	n := len(d.raw.entries)
	if n == 0 {
		return
	}
	entries := out.entries[:0]
	if n > len(out.entries) {
		entries = make([]bridge.Entry, 0, n)
	}
	seen := map[string]struct{}(nil)
	if n > fewEntries { // else looking at each is cheaper
		seen = make(map[string]struct{}, n)
	}
	for _, i := range d.raw.entries {
		name, value := f.Name(int(i)), f.Value(int(i))
		escaped := f.Escaped(int(i))
		// Classic decodes and writes escapes in values only; Artemis and others in names too.
		key := d.copy(name, escaped && d.kind != client.Classic)
		if seen != nil {
			if _, ok := seen[key]; ok {
				continue
			}
			seen[key] = struct{}{}
		} else if repeated(entries, key) {
			continue
		}
		entries = append(entries, bridge.Entry{Name: key, Value: bridge.String(d.copy(value, escaped))})
	}
	out.Message.Properties = bridge.NewProperties(entries)
}

// fewEntries is up to how many properties are compared one by one.
const fewEntries = 32

func repeated(entries []bridge.Entry, name string) bool {
	for i := range entries {
		if entries[i].Name == name {
			return true
		}
	}
	return false
}

// body tells the type of the body. What can't be told is held, or marked as inferred.
func (d *decoder) body(f *client.Frame, out *delivery) {
	body := f.Body()
	m := &out.Message
	switch {
	case f.Skipped > 0:
		out.Hold = &bridge.Error{
			Class: bridge.Permanent, Code: "body-too-large", Err: fmt.Errorf("the body of %d bytes exceeds max_body", f.Skipped),
			Remedy: "raise max_body on the route, or consume the message by other means",
		}
	case d.kind == client.Artemis:
		d.inferArtemis(f, out, body)
	case d.kind == client.Classic && d.is(f, roleBodyKind, "text"):
		m.Body = d.classicText(body) // whatever content-length says
	case f.HasLength:
		m.Body = bridge.NewBytes(d.copy(body, false))
	case len(body) == 0:
		m.Body = bridge.NewText("").Inferred()
		if d.kind == client.Classic && !d.emptyBodyText {
			out.Hold = errEmptyBody
		}
	default:
		m.Body = d.classicText(body)
	}
}

// errEmptyBody holds what may be a Map, Stream or Object: Classic sends all of them, and an empty Text, as nothing.
var errEmptyBody = &bridge.Error{
	Class: bridge.Permanent, Code: "empty-body",
	Err:    errors.New("the message has no body and no content-length: over STOMP an empty Text can't be told from a Map, Stream or Object"),
	Remedy: "consume such messages over OpenWire, or write empty_body: text if all are texts",
}

// classicText decodes a text. Bytes that are no UTF-8 at all, which a STOMP sender may have left, are kept as bytes.
func (d *decoder) classicText(body []byte) bridge.Body {
	if d.modified {
		if decoded, ok := appendStandardUTF8(d.scratch[:0], body); ok {
			d.scratch = decoded
			return bridge.NewText(d.copy(decoded, false))
		}
	}
	if utf8.Valid(body) {
		return bridge.NewText(d.copy(body, false))
	}
	return bridge.NewBytes(d.copy(body, false)).Inferred()
}

// inferArtemis guesses between Text and Bytes, which both have a content-length: a Bytes has it before message-id and a
// Text as its last header (2.44); AMQP senders' types are told by an annotation. Else valid UTF-8 without NUL is a text.
func (d *decoder) inferArtemis(f *client.Frame, out *delivery, body []byte) {
	text := utf8.Valid(body) && bytes.IndexByte(body, 0) < 0
	if i := d.raw.header[roleAMQPType]; i >= 0 {
		switch string(f.Value(int(i))) {
		case "1", "2", "4":
			out.Hold = errAMQPBody
		case "3":
			text = false
		}
	} else if f.HasLength && f.LengthAt < int(d.raw.header[roleMessageID]) {
		text = false
	}
	data := d.copy(body, false)
	if text {
		out.Message.Body = bridge.NewText(data).Inferred()
		return
	}
	out.Message.Body = bridge.NewBytes(data).Inferred()
}

// errAMQPBody holds a Map, Stream or Object of an AMQP sender, whose annotation tells the type (0 is a message without
// body, 1 an Object, 2 a Map, 3 Bytes, 4 a Stream, 5 a Text).
var errAMQPBody = &bridge.Error{
	Class: bridge.Permanent, Code: "body-type",
	Err:    errors.New("the message is a Map, Stream or Object, whose content Artemis does not pass on over STOMP"),
	Remedy: "consume such messages over AMQP or OpenWire",
}

// unsettleable tells when Classic can't take an acknowledgement: it reads the id as its own and closes the connection
// when that fails. Its own ids end in three numbers.
func (d *decoder) unsettleable(ack, id string) error {
	if ack == "" {
		return &bridge.Error{
			Class: bridge.Permanent, Code: "unsettleable",
			Err: errors.New("the message has no acknowledgement id, so it can't be settled over STOMP"),
		}
	}
	if d.kind != client.Classic || endsInThreeNumbers(id) {
		return nil
	}
	return errAMQPSent
}

var errAMQPSent = &bridge.Error{
	Class: bridge.Permanent, Code: "unsettleable",
	Err:    errors.New("an AMQP client sent this message, and Classic can't settle such messages over STOMP"),
	Remedy: "use an OpenWire or AMQP source for queues that AMQP clients send to",
}

// endsInThreeNumbers tells whether id ends in three colon-separated numbers (session, producer, sequence; the session
// of a STOMP sender is -1).
func endsInThreeNumbers(id string) bool {
	for range 3 {
		i := strings.LastIndexByte(id, ':')
		if i < 0 || !isNumber(id[i+1:]) {
			return false
		}
		id = id[:i]
	}
	return true
}

func isNumber(s string) bool {
	s = strings.TrimPrefix(s, "-")
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	return s != ""
}

// text returns the decoded value of a header; "" when it is not there.
func (d *decoder) text(f *client.Frame, r role) string {
	i := d.raw.header[r]
	if i < 0 {
		return ""
	}
	return d.copy(f.Value(int(i)), f.Escaped(int(i)))
}

// copy appends b to the message's own memory and returns it as a string.
func (d *decoder) copy(b []byte, escaped bool) string {
	if escaped {
		d.scratch = client.AppendUnescaped(d.scratch[:0], b)
		b = d.scratch
	}
	from := d.copied.Len()
	d.copied.Write(b)
	return d.copied.String()[from:]
}

func (d *decoder) number(f *client.Frame, r role) (int64, bool) {
	i := d.raw.header[r]
	if i < 0 {
		return 0, false
	}
	return parseInt(f.Value(int(i)))
}

// instant reads milliseconds since 1970; 0 means not set, on both brokers.
func (d *decoder) instant(f *client.Frame, r role) time.Time {
	n, ok := d.number(f, r)
	if !ok || n <= 0 {
		return time.Time{}
	}
	return time.UnixMilli(n).UTC()
}

func (d *decoder) is(f *client.Frame, r role, value string) bool {
	i := d.raw.header[r]
	return i >= 0 && string(f.Value(int(i))) == value
}
