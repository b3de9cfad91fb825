package sqs

import (
	"cmp"
	"encoding/base64"
	"slices"
	"strings"

	"github.com/jmsbridge/jmsbridge/bridge"
	"github.com/jmsbridge/jmsbridge/bridge/envelope"
	"github.com/jmsbridge/jmsbridge/connectors/aws"
)

// form says how messages are mapped. It is not changed.
type form struct {
	envelope     bool
	objectBase64 bool
	fifo         bool
	rank         map[string]int32 // of the configured names
}

// work is the mapping of one message, in buffers that are used again. It points into the message.
type work struct {
	scratch    []byte
	attributes []attribute // after fill: at most ten
	entries    []bridge.Entry
	left       []bridge.Entry // properties for jmsbridge.more
	leftHeader header

	body     string // as it is; or
	bodyFrom int    // bodyFrom to bodyTo of scratch, when bodyTo > 0
	bodyTo   int
	base64   bool // body has to be encoded
	trace    string
}

// placeholder stands for a body that SQS would refuse as empty.
const placeholder = " "

var errObject = bridge.Errorf(bridge.Permanent, "the message holds a serialised Java object, which this target rejects (object: reject)")

// fill maps one message. The error is of class Permanent.
func (w *work) fill(f *form, o *bridge.Outgoing) error {
	m := o.Message
	w.scratch, w.attributes, w.entries, w.left = w.scratch[:0], w.attributes[:0], w.entries[:0], w.left[:0]
	w.leftHeader, w.body, w.bodyFrom, w.bodyTo, w.base64 = 0, "", 0, 0, false
	w.trace = aws.TraceHeader(m.Properties)
	if err := w.fillBody(f, o); err != nil {
		return err
	}
	if !f.envelope {
		w.headers(m, o.Ask != nil)
	}
	if o.Ask != nil {
		w.ask(o.Ask)
	}
	for i := range diagnosis {
		if v, ok := o.Extra.Lookup(diagnosis[i]); ok {
			w.property(diagnosis[i], v, int32(rankExtra+i), true)
		}
	}
	for name, v := range o.Extra.All() {
		if !slices.Contains(diagnosis[:], name) {
			w.property(name, v, int32(rankExtra+len(diagnosis)), true)
		}
	}
	for name, v := range m.Properties.All() {
		rank, named := f.rank[name]
		if !named {
			rank = rankRest
		}
		if o.Extra.Len() > 0 {
			if _, replaced := o.Extra.Lookup(name); replaced {
				continue
			}
		}
		if !f.envelope || named {
			w.property(name, v, rank, !f.envelope)
		}
	}
	if !f.envelope {
		for i := range w.attributes {
			if a := &w.attributes[i]; a.rank == rankRest && a.header != 0 {
				if rank, named := f.rank[a.name]; named {
					a.rank = rank
				}
			}
		}
	}
	return w.choose(f, m)
}

// diagnosis is what the engine says of a dead letter, the most telling first.
var diagnosis = [...]string{
	bridge.DeadErrorCode, bridge.DeadError, bridge.DeadErrorClass, bridge.DeadRoute, bridge.DeadDestination,
	bridge.DeadAttempts, bridge.DeadTarget, bridge.DeadRequestID, bridge.DeadFirstTime, bridge.DeadLastTime, bridge.DeadExpiration,
}

func (w *work) fillBody(f *form, o *bridge.Outgoing) error {
	m := o.Message
	kind := m.Body.Kind()
	if kind == bridge.ObjectBody && !f.objectBase64 {
		// A dead letter takes what the target rejected.
		if _, dead := o.Extra.Lookup(bridge.DeadRoute); !dead {
			return errObject
		}
	}
	if f.envelope {
		return w.json(func(dst []byte) ([]byte, error) { return envelope.AppendRequest(dst, m, o.Ask) }, encodingEnvelope)
	}
	w.bodyType(m.Body)
	data := m.Body.Data()
	switch kind {
	case bridge.MapBody, bridge.StreamBody:
		return w.json(func(dst []byte) ([]byte, error) { return envelope.AppendContent(dst, m.Body) }, "")
	case bridge.TextBody:
		w.body = data
		if data != "" && !legal(data) {
			w.base64 = true
		}
	case bridge.BytesBody, bridge.ObjectBody:
		w.body, w.base64 = data, data != ""
	}
	switch {
	case data == "":
		w.body = placeholder
		w.mark(nameEncoding, encodingEmpty, rankEncoding)
	case w.base64:
		w.mark(nameEncoding, encodingBase64, rankEncoding)
	}
	return nil
}

// bodyType marks every body but a text that is known to be one.
func (w *work) bodyType(b bridge.Body) {
	word := b.Kind().String()
	switch {
	case b.IsInferred():
		w.mark(nameBodyType, inferred[b.Kind()], rankBodyType)
	case b.Kind() != bridge.TextBody:
		w.mark(nameBodyType, word, rankBodyType)
	}
}

// inferredSuffix follows the body's type where the source's wire does not tell it.
const inferredSuffix = " inferred"

var inferred = func() (words [bridge.ObjectBody + 1]string) {
	for k := range words {
		words[k] = bridge.BodyKind(k).String() + inferredSuffix
	}
	return words
}()

// json makes the body of what a function of package envelope appends.
func (w *work) json(add func([]byte) ([]byte, error), encoding string) error {
	w.bodyFrom = len(w.scratch)
	b, err := add(w.scratch)
	if err != nil {
		return err
	}
	w.scratch = aws.EscapeNoncharacters(b, w.bodyFrom)
	w.bodyTo = len(w.scratch)
	if encoding != "" {
		w.mark(nameEncoding, encoding, rankEncoding)
	}
	return nil
}

func (w *work) mark(name, value string, rank int32) {
	w.attributes = append(w.attributes, attribute{name: name, label: typeString, text: value, rank: rank})
}

// headers makes attributes of the headers that are set.
func (w *work) headers(m *bridge.Message, asked bool) {
	w.header(headerMessageID, nameMessageID, m.ID, rankMessageID)
	if asked && m.CorrelationID != "" {
		w.leftHeader |= headerCorrelationID // its place is taken by the one that the answer has to carry
	} else {
		w.header(headerCorrelationID, nameCorrelationID, m.CorrelationID, rankCorrelationID)
	}
	w.header(headerType, nameType, m.Type, rankType)
	w.destination(headerDestination, nameDestination, m.Destination)
	w.destination(headerReplyTo, nameJMSReplyTo, m.ReplyTo)
	if !m.Timestamp.IsZero() {
		w.integer(headerTimestamp, nameTimestamp, typeLong, m.Timestamp.UnixMilli())
	}
	if !m.Expiration.IsZero() {
		w.integer(headerExpiration, nameExpiration, typeLong, m.Expiration.UnixMilli())
	}
	w.integer(headerPriority, namePriority, typeInt, int64(m.Priority))
	mode := int64(1)
	if m.Persistent {
		mode = 2
	}
	w.integer(headerDeliveryMode, nameDeliveryMode, typeInt, mode)
	if m.Redelivered {
		w.integer(headerRedelivered, nameRedelivered, typeBoolean, 1)
	}
	w.header(headerUserID, nameUserID, m.UserID, rankRest)
	w.header(headerGroupID, nameGroupID, m.GroupID, rankRest)
	if m.GroupSeq != 0 {
		w.integer(headerGroupSeq, nameGroupSeq, typeInt, int64(m.GroupSeq))
	}
}

// ask tells the responder how to answer, in the attributes of AWS's point-to-point samples.
func (w *work) ask(a *bridge.Ask) {
	w.mark(nameCorrelationID, a.CorrelationID, rankCorrelationID)
	w.mark(nameReplyTo, a.QueueURL, rankReplyTo)
}

func (w *work) header(bit header, name, value string, rank int32) {
	switch {
	case value == "":
	case !legal(value):
		w.leftHeader |= bit
	default:
		w.attributes = append(w.attributes, attribute{name: name, label: typeString, text: value, rank: rank, header: bit})
	}
}

func (w *work) destination(bit header, name string, d bridge.Destination) {
	if d.IsZero() {
		return
	}
	if !legal(d.Name) {
		w.leftHeader |= bit
		return
	}
	from := len(w.scratch)
	w.scratch = append(append(append(w.scratch, d.Kind.String()...), ':'), d.Name...)
	w.attributes = append(w.attributes, attribute{name: name, label: typeString, from: from, to: len(w.scratch), rank: rankRest, header: bit})
}

func (w *work) integer(bit header, name, label string, n int64) {
	from := len(w.scratch)
	v := bridge.Long(n)
	w.scratch, _ = appendNumber(w.scratch, &v)
	w.attributes = append(w.attributes, attribute{name: name, label: label, from: from, to: len(w.scratch), rank: rankRest, header: bit})
}

// property makes an attribute of a property where SQS allows it, else it is left for jmsbridge.more (when keep is set).
func (w *work) property(name string, v bridge.Value, rank int32, keep bool) {
	w.entries = append(w.entries, bridge.Entry{Name: name, Value: v})
	a := attribute{name: name, rank: rank, entry: int32(len(w.entries))}
	if !keep {
		a.entry = 0
	}
	if legalName(name) && !ours(name) {
		if v.Type() == bridge.StringType {
			if text := v.Str(); text != "" && legal(text) {
				a.label, a.text = typeString, text
			}
		} else {
			a.from = len(w.scratch)
			w.scratch, a.label = appendNumber(w.scratch, &v)
			a.to = len(w.scratch)
		}
	}
	if a.label != "" {
		w.attributes = append(w.attributes, a)
	} else if keep {
		w.left = append(w.left, w.entries[len(w.entries)-1])
	}
}

// choose keeps ten attributes and puts the rest into jmsbridge.more.
func (w *work) choose(f *form, m *bridge.Message) error {
	types := false
	if !f.envelope && (m.Body.Kind() == bridge.MapBody || m.Body.Kind() == bridge.StreamBody) {
		types = true
	}
	if !types && len(w.left) == 0 && w.leftHeader == 0 && len(w.attributes) <= maxAttributes {
		return nil
	}
	if len(w.attributes) >= maxAttributes {
		w.shed(f)
	}
	from := len(w.scratch)
	b, err := w.appendMore(w.scratch, m, types)
	if err != nil {
		return err
	}
	if len(b) == from {
		return nil
	}
	w.scratch = aws.EscapeNoncharacters(b, from)
	w.attributes = append(w.attributes, attribute{name: nameMore, label: typeString, from: from, to: len(w.scratch), rank: rankMore})
	return nil
}

// shed leaves the nine first attributes and passes the rest on. An attribute that the body holds too, as in an
// envelope, is simply left out.
func (w *work) shed(f *form) {
	slices.SortFunc(w.attributes, func(a, b attribute) int {
		if c := cmp.Compare(a.rank, b.rank); c != 0 {
			return c
		}
		return strings.Compare(a.name, b.name)
	})
	if f.envelope && len(w.left) == 0 {
		// Ten have room when no more than the body's own are left over.
		over := w.attributes[min(maxAttributes, len(w.attributes)):]
		if !slices.ContainsFunc(over, func(a attribute) bool { return a.entry != 0 }) {
			w.attributes = w.attributes[:min(maxAttributes, len(w.attributes))]
			return
		}
	}
	for i := maxAttributes - 1; i < len(w.attributes); i++ {
		a := &w.attributes[i]
		switch {
		case a.entry != 0:
			w.left = append(w.left, w.entries[a.entry-1])
		default:
			w.leftHeader |= a.header
		}
	}
	w.attributes = w.attributes[:maxAttributes-1]
}

// value returns the length of an attribute's value.
func (a *attribute) length() int {
	if a.to > a.from {
		return a.to - a.from
	}
	return len(a.text)
}

// size is what SQS counts: the encoded body, and name, type and value of each attribute. The system attribute is free.
func (w *work) size() int {
	n := w.bodySize()
	for i := range w.attributes {
		a := &w.attributes[i]
		n += len(a.name) + len(a.label) + a.length()
	}
	return n
}

func (w *work) bodySize() int {
	switch {
	case w.bodyTo > 0:
		return w.bodyTo - w.bodyFrom
	case w.base64:
		return base64.StdEncoding.EncodedLen(len(w.body))
	default:
		return len(w.body)
	}
}
