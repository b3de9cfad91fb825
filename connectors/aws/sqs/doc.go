// Package sqs sends messages to Amazon SQS queues, standard and FIFO, and reads back what it has sent.
//
// # Form of a message
//
// With `body: body` the body is the SQS message's body, and headers and properties are message attributes:
//
//	attribute             data type       holds
//	MessageID             String          JMSMessageID
//	CorrelationID         String          JMSCorrelationID
//	JMSType               String          JMSType
//	JMSDestination        String          where it was delivered from, as in the envelope: queue:orders
//	JMSReplyTo            String          JMSReplyTo, likewise
//	JMSTimestamp          Number.long     milliseconds since 1970
//	JMSExpiration         Number.long     milliseconds since 1970
//	JMSPriority           Number.int      0 to 9
//	JMSDeliveryMode       Number.int      2 persistent, 1 not (jakarta.jms.DeliveryMode)
//	JMSRedelivered        Number.Boolean  1; left out otherwise
//	JMSXUserID            String          JMSXUserID
//	JMSXGroupID           String          JMSXGroupID
//	JMSXGroupSeq          Number.int      JMSXGroupSeq, unless it is 0
//	jmsbridge.body_type   String          what the body was, unless it was a text: bytes, map, stream, object, none;
//	                                      "text inferred" and the like where the source's wire does not tell
//	jmsbridge.encoding    String          what was done to the body: base64, empty, envelope
//	jmsbridge.more        String          what found no room or no form as an attribute, as JSON
//	(a property's name)   by its type     String, Number.byte, .short, .int, .long, .float, .double, .Boolean (1 or 0)
//
// A header that is not set gives no attribute. The data types carry the labels that the Amazon SQS Java Messaging
// Library reads. A property is an attribute under its own name when SQS allows the name and the value, and the name is
// none of the above, nor one that other libraries give a meaning (JMS_SQS…, ExtendedPayloadSize). The rest is in
// jmsbridge.more: headers under the envelope's names, and `properties` with `property_types` as in the envelope
// (package envelope); body_types too, of a Map or Stream body.
//
// SQS takes ten attributes. When there are more, these stay: MessageID, CorrelationID, ReplyTo, JMSType, the two marks,
// jmsbridge.more, then what the engine adds (the diagnosis of a dead letter, the most telling first), then those named
// in the configuration in that order, then the rest by name.
//
// # Bodies
//
// A text is the body as it is. One with characters that SQS refuses (it takes those of XML 1.0) is base64 of its UTF-8,
// marked. Bytes and, where the route allows them, Java objects are base64. A Map is the envelope's JSON object, a
// Stream its array. SQS refuses an empty body: an empty text, no bytes, or no body at all is a single space, marked
// `empty`.
//
// With `body: envelope` the body is the envelope (characters outside XML 1.0 escaped as JSON allows) with the mark
// `envelope`; attributes are only the mark, what the engine adds, and those named in the configuration.
//
// [Decode] reads all of it back. Not carried, because they say something about a delivery and not about the message:
// Message.Key, and with `body: body` Message.DeliveryCount.
//
// # FIFO
//
// MessageGroupId is the engine's group where SQS allows its characters (ASCII without spaces, at most 128), else its
// SHA-256 in hex. MessageDeduplicationId is the engine's; a message without a key gets an id that no other has, for
// with the same one SQS would drop it.
//
// # What may be touched
//
// The names and forms above are a promise to every consumer. The package imports bridge, envelope and what the AWS
// connectors share. Sending goes around the SDK's middleware: the request is written here, into buffers that are used
// again. The tests hold it against the SDK.
package sqs
