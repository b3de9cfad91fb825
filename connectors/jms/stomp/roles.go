package stomp

import (
	"bytes"

	"github.com/jmsbridge/jmsbridge/connectors/jms/stomp/client"
)

// role is what a header of a MESSAGE frame means.
type role int8

const (
	roleProperty role = iota // an application's property
	roleHidden               // the broker's noise
	roleSubscription
	roleAck
	roleMessageID
	roleHiddenID // the sender's JMSMessageID, where Artemis shows it as a property
	roleDestination
	roleDestinationType
	roleReplyTo
	roleCorrelationID
	roleType
	roleUserID
	roleGroupID
	roleGroupSeq
	rolePriority
	roleTimestamp
	roleExpires
	rolePersistent
	roleRedelivered
	roleAMQPType
	roleBodyKind // amq-msg-type, which a STOMP sender may have forced the type with
	roleTypes    // these three are our own, see companions.go
	roleMore
	roleBodyType
	roleCount
)

// sort gives each header its role; of headers alike the first counts (STOMP 1.2, "Repeated Header Entries").
func (d *decoder) sort(f *client.Frame) {
	for i := range d.raw.header {
		d.raw.header[i] = -1
	}
	d.raw.entries = d.raw.entries[:0]
	for i := range f.Headers() {
		switch r := d.role(f.Name(i)); r {
		case roleProperty:
			d.raw.entries = append(d.raw.entries, int16(i)) //nolint:gosec // Limits.Headers is far below
		case roleHidden:
		default:
			if d.raw.header[r] < 0 {
				d.raw.header[r] = int16(i) //nolint:gosec // Limits.Headers is far below
			}
		}
	}
}

var (
	prefixHeader   = []byte("__HDR_")
	prefixAMQP     = []byte("JMS_AMQP_")
	prefixOriginal = []byte("_AMQ_ORIG_") // where a divert, an expiry or a dead letter took the message from
)

func (d *decoder) role(name []byte) role {
	switch string(name) {
	case "subscription":
		return roleSubscription
	case "ack":
		return roleAck
	case "message-id":
		return roleMessageID
	case "destination":
		return roleDestination
	case "reply-to":
		return roleReplyTo
	case "correlation-id":
		return roleCorrelationID
	case "type":
		return roleType
	case "priority":
		return rolePriority
	case "timestamp":
		return roleTimestamp
	case "expires":
		return roleExpires
	case "persistent":
		return rolePersistent
	case "redelivered":
		return roleRedelivered
	case "JMSXUserID":
		return roleUserID
	case "JMSXGroupID":
		return roleGroupID
	case "JMSXGroupSeq":
		return roleGroupSeq
	case "content-length", "receipt":
		return roleHidden
	case "amq-msg-type":
		return roleBodyKind
	case companionTypes:
		return roleTypes
	case companionMore:
		return roleMore
	case companionBody:
		return roleBodyType
	}
	switch {
	case d.kind == client.Artemis:
		return artemisRole(name)
	case d.kind == client.Classic && string(name) == "original-destination": // no property to a Java client either
		return roleHidden
	default:
		return roleProperty
	}
}

// artemisRole knows what Artemis adds: its own words, and what is left of the headers of other wires.
func artemisRole(name []byte) role {
	switch string(name) {
	case "destination-type":
		return roleDestinationType
	case "_AMQ_GROUP_ID":
		return roleGroupID
	case "_AMQ_GROUP_SEQUENCE":
		return roleGroupSeq
	case "_AMQ_VALIDATED_USER":
		return roleUserID
	case "__HDR_MESSAGE_ID", "NATIVE_MESSAGE_ID":
		return roleHiddenID
	case "JMS_AMQP_MA_x-opt-jms-msg-type":
		return roleAMQPType
	case "__AMQ_CID", "_AMQ_DUPL_ID", "_AMQ_ACTUAL_EXPIRY":
		return roleHidden
	}
	if bytes.HasPrefix(name, prefixHeader) || bytes.HasPrefix(name, prefixAMQP) || bytes.HasPrefix(name, prefixOriginal) {
		return roleHidden
	}
	return roleProperty
}
