package bridge

// BodyKind is the JMS type of a message's body.
type BodyKind uint8

// The body types of JMS (Jakarta Messaging 3.1, section 3.11). NoBody is a plain Message.
const (
	NoBody BodyKind = iota
	TextBody
	BytesBody
	MapBody
	StreamBody
	ObjectBody
)

// String returns the envelope's word: "none", "text", "bytes", "map", "stream" or "object".
func (k BodyKind) String() string {
	switch k {
	case TextBody:
		return "text"
	case BytesBody:
		return "bytes"
	case MapBody:
		return "map"
	case StreamBody:
		return "stream"
	case ObjectBody:
		return "object"
	default:
		return "none"
	}
}

// Body is the body of a message. It is a small value that shares its content and is never changed: a text, and the
// bytes of a Bytes or Object body, are held as a string, so that passing them on costs no copy. (The design sketches
// an interface; a struct saves an allocation a message.)
type Body struct {
	kind     BodyKind
	inferred bool
	data     string
	values   any // []Entry for a Map, []Value for a Stream
}

// NewText returns the body of a TextMessage. s should be valid UTF-8.
func NewText(s string) Body { return Body{kind: TextBody, data: s} }

// NewBytes returns the body of a BytesMessage; the string holds raw bytes.
func NewBytes(raw string) Body { return Body{kind: BytesBody, data: raw} }

// NewObject returns the body of an ObjectMessage: a serialised Java object, which is never deserialised here.
func NewObject(raw string) Body { return Body{kind: ObjectBody, data: raw} }

// NewMap returns the body of a MapMessage. The Body owns entries from now on; names are unique.
func NewMap(entries []Entry) Body { return Body{kind: MapBody, values: entries} }

// NewStream returns the body of a StreamMessage. The Body owns values from now on.
func NewStream(values []Value) Body { return Body{kind: StreamBody, values: values} }

// Inferred returns the same body marked as one whose JMS type the wire did not tell and the source inferred.
func (b Body) Inferred() Body {
	b.inferred = true
	return b
}

// Kind returns the JMS type of the body.
func (b Body) Kind() BodyKind { return b.kind }

// IsInferred tells that the wire did not tell the JMS type, and the source inferred it.
func (b Body) IsInferred() bool { return b.inferred }

// Data returns the text of a Text body, or the raw bytes of a Bytes or Object body; "" for the other kinds.
func (b Body) Data() string { return b.data }

// Map returns the entries of a Map body in their order on the wire; nil for the other kinds. The caller must not
// change them.
func (b Body) Map() []Entry {
	e, _ := b.values.([]Entry)
	return e
}

// Stream returns the values of a Stream body; nil for the other kinds. The caller must not change them.
func (b Body) Stream() []Value {
	v, _ := b.values.([]Value)
	return v
}

// Equal tells whether two bodies have the same kind and content, inferred or not.
func (b Body) Equal(o Body) bool {
	return b.kind == o.kind && b.data == o.data &&
		equalEntries(b.Map(), o.Map()) && equalValues(b.Stream(), o.Stream())
}
