package bridge

import "time"

// Message is a JMS message in the form that every connector shares. A Message is immutable once a [Source] has
// returned it: whoever wants another one copies the struct.
type Message struct {
	// Key is the idempotency key: the same on every redelivery of this message. "" means that it has none.
	Key string
	// ID is JMSMessageID as the sender's own client shows it, where the wire tells it.
	ID string
	// CorrelationID is JMSCorrelationID; "" means not set.
	CorrelationID string
	// Type is JMSType; "" means not set.
	Type string
	// UserID is JMSXUserID; "" means not set.
	UserID string
	// Destination is where the message was delivered from, spelled without the wire's prefixes.
	Destination Destination
	// ReplyTo is JMSReplyTo; its zero value means not set.
	ReplyTo Destination
	// Timestamp is JMSTimestamp, to the millisecond; zero means not set.
	Timestamp time.Time
	// Expiration is JMSExpiration, to the millisecond; zero means never.
	Expiration time.Time
	// Priority is JMSPriority, 0 to 9; JMS's own default is 4.
	Priority uint8
	// Persistent tells JMSDeliveryMode PERSISTENT.
	Persistent bool
	// Redelivered is JMSRedelivered.
	Redelivered bool
	// DeliveryCount is JMSXDeliveryCount, 1 at the first delivery; 0 means that the protocol does not tell.
	DeliveryCount int
	// GroupID is JMSXGroupID; "" means not set, or not carried by the wire.
	GroupID string
	// GroupSeq is JMSXGroupSeq; meaningful only with a GroupID.
	GroupSeq int32
	// Properties are the application's own properties; JMS headers and JMSX properties that have a field here are not
	// repeated among them.
	Properties Properties
	// Body is the body with its JMS type; the zero Body is a message without one (javax.jms.Message).
	Body Body
}

// DefaultPriority is JMSPriority of a message whose sender did not choose one (Jakarta Messaging 3.1, section 3.4.10).
const DefaultPriority = 4

// DestinationKind tells a queue from a topic, and a temporary one from a lasting one.
type DestinationKind uint8

// The kinds of a destination. The zero kind means that there is no destination.
const (
	NoDestination DestinationKind = iota
	Queue
	Topic
	TempQueue
	TempTopic
)

// String returns the prefix that the envelope writes: "queue", "topic", "temp-queue", "temp-topic"; "" for none.
func (k DestinationKind) String() string {
	switch k {
	case Queue:
		return "queue"
	case Topic:
		return "topic"
	case TempQueue:
		return "temp-queue"
	case TempTopic:
		return "temp-topic"
	default:
		return ""
	}
}

// Destination is a JMS destination: its kind and its bare name, without any wire's prefix.
type Destination struct {
	Kind DestinationKind
	Name string
}

// IsZero tells that no destination is set.
func (d Destination) IsZero() bool { return d.Kind == NoDestination }

// String returns "KIND:NAME" as the envelope writes it ("queue:orders"), and "" for the zero Destination.
func (d Destination) String() string {
	if d.IsZero() {
		return ""
	}
	return d.Kind.String() + ":" + d.Name
}
