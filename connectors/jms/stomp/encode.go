package stomp

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/go-stomp/stomp/v3/frame"

	"github.com/jmsbridge/jmsbridge/bridge"
	"github.com/jmsbridge/jmsbridge/connectors/jms/stomp/client"
)

// Classic's limits for what it takes (seen on 5.18.3 and 6.1.7): beyond them it closes the connection.
const (
	classicHeaderLine = 10240
	classicHeaders    = 1000
	classicBody       = 100 << 20
)

// maxMessage bounds one message as size counts it, which is up to twice what is sent: any body that Classic takes fits.
const maxMessage = 3 * classicBody

// encoder turns messages into SEND frames, as one broker means them. It is safe for concurrent use.
type encoder struct {
	kind     client.Kind
	modified bool // texts are stored as they come and read as Java's modified UTF-8
}

func newEncoder(kind client.Kind, version string) encoder {
	return encoder{kind: kind, modified: kind == client.Classic && modifiedUTF8(version)}
}

// sendFrame is a SEND frame without its receipt.
type sendFrame struct {
	head  []byte // command and headers
	count int    // headers
	body  string
	err   error // the first header that can't be sent
	limit int   // bytes of a header line; 0: none
}

func (f *sendFrame) build(dst []byte, receipt string) []byte {
	dst = append(dst, f.head...)
	dst = client.AppendHeader(dst, frame.Receipt, receipt)
	return client.AppendBody(dst, f.body)
}

func (f *sendFrame) header(name, value string) {
	if f.err == nil && !clean(name, value) {
		f.err = unsendable("header-encoding", fmt.Sprintf("header %q holds a NUL character or is not valid UTF-8", client.Clip(name, 100)))
	}
	from := len(f.head)
	f.head = client.AppendHeader(f.head, name, value)
	f.count++
	if n := len(f.head) - from; f.limit > 0 && n > f.limit && f.err == nil {
		f.err = unsendable("header-too-long", fmt.Sprintf("the header line of %q has %d bytes and the broker takes %d", name, n, f.limit))
	}
}

// clean tells whether a header can stand in a frame. A NUL ends the frame for some servers, and then the connection and
// all that is in flight on it.
func clean(name, value string) bool {
	return utf8.ValidString(name) && utf8.ValidString(value) && strings.IndexByte(name, 0) < 0 && strings.IndexByte(value, 0) < 0
}

func unsendable(code, text string) error {
	return &bridge.Error{Class: bridge.Permanent, Code: code, Unsent: true, Err: errors.New(text)}
}

// size is an upper bound of the frame's bytes, or why the message can't cross this wire at all.
func (e encoder) size(o *bridge.Outgoing) (int, error) {
	m := o.Message
	switch m.Body.Kind() {
	case bridge.MapBody, bridge.StreamBody, bridge.ObjectBody:
		return 0, errBodyKind(m.Body.Kind())
	}
	// A header's bytes double at most when each is escaped; companions repeat names and, six times as long, values.
	n := 1024 + 2*(len(m.CorrelationID)+len(m.Type)+len(m.ReplyTo.Name)+len(m.GroupID)) + 2*len(m.Body.Data())
	for name, v := range m.Properties.All() {
		n += 8*(len(name)+len(v.Str())) + 64
	}
	for name, v := range o.Extra.All() {
		n += 8*(len(name)+len(v.Str())) + 64
	}
	return n, nil
}

func errBodyKind(k bridge.BodyKind) error {
	return unsendable("body-type", fmt.Sprintf("a message with a %s body can't be sent over STOMP", k))
}

// frame encodes a message for a destination. An error is Permanent.
func (e encoder) frame(o *bridge.Outgoing, to bridge.Destination) (*sendFrame, error) {
	m := o.Message
	f := &sendFrame{head: make([]byte, 0, 768)}
	if e.kind != client.Artemis {
		f.limit = classicHeaderLine
	}
	f.head = client.AppendCommand(f.head, frame.SEND)
	name, routing := spell(e.kind, to)
	f.header(frame.Destination, name)
	if routing != "" {
		f.header("destination-type", routing)
	}
	more, err := e.properties(f, o, e.headers(f, o))
	if err != nil {
		return nil, err
	}
	if err := e.body(f, m.Body); err != nil {
		return nil, err
	}
	if e.kind != client.Artemis && m.GroupID != "" {
		more = appendMember(more, "JMSXGroupID", m.GroupID)
		if m.GroupSeq != 0 {
			more = appendMember(more, "JMSXGroupSeq", strconv.Itoa(int(m.GroupSeq)))
		}
	}
	if len(more) > 0 {
		f.header(companionMore, string(append(more, '}')))
	}
	if f.err == nil && e.kind != client.Artemis && f.count >= classicHeaders {
		f.err = unsendable("too-many-headers", fmt.Sprintf("the message makes %d headers and the broker takes %d", f.count+1, classicHeaders))
	}
	return f, f.err
}

// headers writes the JMS headers. JMSMessageID is the broker's to give; Artemis has no header for JMSTimestamp and
// would keep one as a property. It returns what goes into companionMore: texts that no header can hold. Where the broker
// itself reads a header it must stand there, so such a message is refused.
func (e encoder) headers(f *sendFrame, o *bridge.Outgoing) (more []byte) {
	m := o.Message
	if m.Persistent {
		f.header("persistent", "true")
	}
	f.header("priority", strconv.Itoa(int(min(m.Priority, 9))))
	if !m.Expiration.IsZero() {
		f.header("expires", strconv.FormatInt(max(m.Expiration.UnixMilli(), 1), 10))
	}
	for _, h := range [...]struct{ name, value, more string }{
		{"correlation-id", m.CorrelationID, moreCorrelationID}, {"type", m.Type, moreType},
	} {
		switch {
		case h.value == "":
		case strings.IndexByte(h.value, 0) >= 0 && utf8.ValidString(h.value):
			more = appendMember(more, h.more, h.value)
		default:
			f.header(h.name, h.value)
		}
	}
	if !m.ReplyTo.IsZero() {
		f.header("reply-to", replyHeader(e.kind, m.ReplyTo))
	}
	group, seq := "JMSXGroupID", "JMSXGroupSeq"
	if e.kind == client.Artemis {
		group, seq = "_AMQ_GROUP_ID", "_AMQ_GROUP_SEQUENCE"
		if o.DedupID != "" {
			f.header("_AMQ_DUPL_ID", o.DedupID)
		}
	} else if !m.Timestamp.IsZero() {
		f.header("timestamp", strconv.FormatInt(m.Timestamp.UnixMilli(), 10))
	}
	if m.GroupID != "" {
		f.header(group, m.GroupID)
		if m.GroupSeq != 0 {
			f.header(seq, strconv.Itoa(int(m.GroupSeq)))
		}
	}
	return more
}

// properties writes the message's properties and the engine's, which win. It returns more with what goes into
// companionMore.
func (e encoder) properties(f *sendFrame, o *bridge.Outgoing, more []byte) ([]byte, error) {
	var types []byte
	members := 4 // the headers that may be there too
	write := func(name string, v bridge.Value) error {
		if strings.HasPrefix(name, "JMSX") {
			return nil // they are the brokers' own, and JMSXDeliveryCount is even believed
		}
		text, ok := formatValue(v)
		if !ok {
			return unsendable("property-type", fmt.Sprintf("property %q is a %s, which can't be sent over STOMP", name, v.Type()))
		}
		if !utf8.ValidString(name) || !utf8.ValidString(text) {
			return unsendable("property-encoding", fmt.Sprintf("property %q is not valid UTF-8", name))
		}
		if v.Type() != bridge.StringType {
			types = appendMember(types, name, v.Type().String())
		}
		legal := e.isHeader(name) && !isCompanion(name) && strings.IndexByte(text, 0) < 0 // a NUL ends the frame for some servers
		if legal {
			f.header(name, text)
		}
		if !legal || e.kind != client.Artemis && beyondBMP(text) {
			more = appendMember(more, name, text)
			if members++; members > mostMembers {
				return unsendable("too-many-properties", fmt.Sprintf("more than %d properties have names or texts that no header can hold", mostMembers))
			}
		}
		return nil
	}
	for name, v := range o.Extra.All() {
		if err := write(name, v); err != nil {
			return nil, err
		}
	}
	for name, v := range o.Message.Properties.All() {
		if _, replaced := o.Extra.Lookup(name); replaced {
			continue
		}
		if err := write(name, v); err != nil {
			return nil, err
		}
	}
	if len(types) > 0 {
		f.header(companionTypes, string(append(types, '}')))
	}
	return more, nil
}

// isHeader tells whether a property of this name can be a header: it means nothing to a broker or to STOMP, and needs
// no escape, which Classic does not decode in names.
func (e encoder) isHeader(name string) bool {
	if name == "" || strings.ContainsAny(name, ":\\\r\n\x00") {
		return false
	}
	switch name {
	case "destination", "destination-type", "receipt", "receipt-id", "transaction", "content-length", "message-id", "subscription",
		"ack", "id", "persistent", "expires", "priority", "type", "correlation-id", "reply-to", "timestamp", "redelivered",
		"amq-msg-type", "transformation", "message":
		return false
	}
	return !strings.HasPrefix(name, "_AMQ_") && !strings.HasPrefix(name, "__AMQ_") && !strings.HasPrefix(name, "__HDR_") &&
		!strings.HasPrefix(name, "JMS_AMQP_") && name != "NATIVE_MESSAGE_ID"
}

// beyondBMP tells whether s has a character that is two in UTF-16: in a property, Classic breaks it for Java.
func beyondBMP(s string) bool {
	for i := range len(s) {
		if s[i] >= 0xF0 {
			return true
		}
	}
	return false
}

// body writes the headers that say the body's type, and takes the body over.
func (e encoder) body(f *sendFrame, b bridge.Body) error {
	f.body = b.Data()
	if e.kind != client.Artemis && len(f.body) > classicBody {
		return unsendable("body-too-large", fmt.Sprintf("the body has %d bytes and the broker takes %d", len(f.body), classicBody))
	}
	told := false // the frame alone tells the type
	switch b.Kind() {
	case bridge.NoBody:
	case bridge.BytesBody:
		f.header(frame.ContentLength, strconv.Itoa(len(f.body)))
		told = e.kind == client.Classic
	case bridge.TextBody:
		told = f.body != ""
		if err := e.text(f); err != nil {
			return err
		}
	default:
		return errBodyKind(b.Kind())
	}
	switch {
	case b.IsInferred():
		f.header(companionBody, b.Kind().String()+companionInferred)
	case !told:
		f.header(companionBody, b.Kind().String())
	}
	return nil
}

// text: a frame without content-length is a Text on both brokers, but can't hold a NUL. Older Classics take modified
// UTF-8, which has none; newer ones can be told the type. On Artemis it would become a Bytes.
func (e encoder) text(f *sendFrame) error {
	switch {
	case f.body == "":
	case !utf8.ValidString(f.body):
		return unsendable("text-encoding", "the text is not valid UTF-8, and the broker would change it")
	case e.modified:
		f.body = modifiedUTF8Of(f.body)
	case strings.IndexByte(f.body, 0) < 0:
	case e.kind == client.Classic:
		f.header("amq-msg-type", "text")
		f.header(frame.ContentLength, strconv.Itoa(len(f.body)))
	default:
		return unsendable("text-with-nul", "a text that holds a NUL character can't be sent over STOMP to this broker, which would make bytes of it")
	}
	return nil
}
