package sqs

import (
	"math"
	"strconv"

	"github.com/jmsbridge/jmsbridge/bridge"
)

// The names of attributes. The first three are those of AWS's point-to-point samples.
const (
	nameMessageID     = "MessageID"
	nameCorrelationID = "CorrelationID"
	nameReplyTo       = "ReplyTo"
	nameType          = "JMSType"
	nameDestination   = "JMSDestination"
	nameJMSReplyTo    = "JMSReplyTo"
	nameTimestamp     = "JMSTimestamp"
	nameExpiration    = "JMSExpiration"
	namePriority      = "JMSPriority"
	nameDeliveryMode  = "JMSDeliveryMode"
	nameRedelivered   = "JMSRedelivered"
	nameUserID        = "JMSXUserID"
	nameGroupID       = "JMSXGroupID"
	nameGroupSeq      = "JMSXGroupSeq"
	nameBodyType      = "jmsbridge.body_type"
	nameEncoding      = "jmsbridge.encoding"
	nameMore          = "jmsbridge.more"
)

// The values of jmsbridge.encoding.
const (
	encodingBase64   = "base64"
	encodingEmpty    = "empty"
	encodingEnvelope = "envelope"
)

// Data types, with the labels of the Amazon SQS Java Messaging Library.
const (
	typeString  = "String"
	typeBoolean = "Number.Boolean"
	typeByte    = "Number.byte"
	typeShort   = "Number.short"
	typeInt     = "Number.int"
	typeLong    = "Number.long"
	typeFloat   = "Number.float"
	typeDouble  = "Number.double"
)

// maxAttributes is how many attributes SQS takes.
const maxAttributes = 10

// ours tells whether an attribute's name is taken: by a header, a mark, or another library's meaning for it.
func ours(name string) bool {
	switch name[0] {
	case 'M', 'C', 'R':
		return name == nameMessageID || name == nameCorrelationID || name == nameReplyTo
	case 'J':
		if len(name) < 7 || name[:3] != "JMS" {
			return false
		}
		switch name {
		case nameType, nameDestination, nameJMSReplyTo, nameTimestamp, nameExpiration, namePriority, nameDeliveryMode,
			nameRedelivered, nameUserID, nameGroupID, nameGroupSeq:
			return true
		}
		return name[:7] == "JMS_SQS"
	case 'j':
		return len(name) >= 10 && name[:10] == "jmsbridge."
	case 'E', 'S':
		// The SQS Extended Client takes the body of a message with one of these for a pointer into S3.
		return name == "ExtendedPayloadSize" || name == "SQSLargePayloadSize"
	}
	return false
}

// header is a bit for each header, to remember which are in jmsbridge.more.
type header uint16

const (
	headerMessageID header = 1 << iota
	headerCorrelationID
	headerType
	headerDestination
	headerReplyTo
	headerTimestamp
	headerExpiration
	headerPriority
	headerDeliveryMode
	headerRedelivered
	headerUserID
	headerGroupID
	headerGroupSeq
)

// The ranks of attributes: who stays when there are more than ten.
const (
	rankMessageID = iota
	rankCorrelationID
	rankReplyTo
	rankType
	rankBodyType
	rankEncoding
	rankMore
	rankExtra      // and up: the diagnosis
	rankNamed = 64 // and up: the configured names
	rankRest  = math.MaxInt32
)

// attribute is an attribute that a message may get. Its value is text, or the part of the scratch buffer that from and
// to bound.
type attribute struct {
	name, label string
	text        string
	from, to    int
	rank        int32
	header      header // of a header: its bit
	entry       int32  // of a property: its place in work.entries, plus one; 0: no property
}

// number appends a number's digits to the scratch buffer and returns the label, or "" where SQS has no form for the
// value: it takes up to 38 digits, of a magnitude from 10^-128 to 10^126.
func appendNumber(dst []byte, v *bridge.Value) ([]byte, string) {
	switch v.Type() {
	case bridge.BooleanType:
		if v.Bool() {
			return append(dst, '1'), typeBoolean
		}
		return append(dst, '0'), typeBoolean
	case bridge.ByteType:
		return strconv.AppendInt(dst, v.Int64(), 10), typeByte
	case bridge.ShortType:
		return strconv.AppendInt(dst, v.Int64(), 10), typeShort
	case bridge.IntType:
		return strconv.AppendInt(dst, v.Int64(), 10), typeInt
	case bridge.LongType:
		return strconv.AppendInt(dst, v.Int64(), 10), typeLong
	case bridge.FloatType:
		return appendFloat(dst, v.Float64(), 32, typeFloat)
	case bridge.DoubleType:
		return appendFloat(dst, v.Float64(), 64, typeDouble)
	}
	return dst, ""
}

func appendFloat(dst []byte, f float64, bits int, label string) ([]byte, string) {
	abs := math.Abs(f)
	switch {
	case f == 0:
		if math.Signbit(f) {
			return append(dst, "-0.0"...), label
		}
		return append(dst, "0.0"...), label
	case !(abs >= 1e-128 && abs <= 1e126): // NaN too
		return dst, ""
	case abs < 1e-6 || abs >= 1e21:
		return strconv.AppendFloat(dst, f, 'E', -1, bits), label
	}
	start := len(dst)
	dst = strconv.AppendFloat(dst, f, 'f', -1, bits)
	for _, c := range dst[start:] {
		if c == '.' {
			return dst, label
		}
	}
	return append(dst, '.', '0'), label
}
