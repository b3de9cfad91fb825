// Package envelope is the JSON form of a JMS message, both ways. Every target that takes a whole message writes it
// with [Append], and everything that reads one back uses [Parse]: the way there and back loses nothing.
//
// # Form
//
// The fields, in this order; what is not set is left out:
//
//	message_id correlation_id reply_to type destination timestamp expiration priority persistent redelivered
//	delivery_count group_id group_seq user_id properties property_types body_type body_type_inferred body body_types
//
// An envelope that asks for an answer has one more, reply, behind them; see [AppendRequest].
//
// Destinations are written "queue:NAME", "topic:NAME", "temp-queue:NAME", "temp-topic:NAME"; instants in RFC 3339, UTC,
// with milliseconds (years outside 0 to 9999, which RFC 3339 can't say but a Java long can, with a sign and at least
// six digits, as ISO 8601 and ECMAScript have it). priority, persistent, redelivered and body_type are always there.
//
// properties is a JSON object sorted by name. The exact JMS type of a value follows from its JSON form where it can:
//
//	string                              a String
//	true, false                         a boolean
//	number without fraction or exponent an int
//	number with either                  a double (2 is written 2.0)
//
// and is named in property_types everywhere else:
//
//	null         null
//	byte, short  number
//	long         number; beyond ±2^53 a string, for JavaScript would change it
//	float        number, the shortest that gives the same float
//	float, double "NaN", "Infinity" or "-Infinity". Java has one NaN; the bits of others are not kept
//	char         string of one UTF-16 unit; half of a surrogate pair, which is no text, as the number of the unit
//	bytes        base64 (RFC 4648, section 4)
//	map, list    object, array; inside, the same rule again
//
// The key in property_types is a JSON Pointer (RFC 6901) without its first slash: "amount", "order/lines/0/price", and
// "a~1b" for a property whose name is "a/b". The body of a Map is an object and that of a Stream an array, under the
// same rule, with body_types (a Stream's are keyed by index). A Text is a string; Bytes and Object are base64.
//
// Two encodings of one delivery are the same bytes; a redelivery differs only in redelivered and delivery_count. The
// idempotency key is not part of the envelope.
//
// # Strings
//
// JSON holds Unicode text. A source hands over valid UTF-8; a string that is not is refused by [Append] with an error
// of class Permanent that names the field, never replaced by something else. Likewise [Parse] refuses escapes of
// unpaired surrogates, duplicate names, unknown fields and types that name nothing.
//
// # What may be touched
//
// The form is a promise to every consumer of every target: fields may be added, never renamed, reordered or given
// another meaning. The golden files in testdata hold it. The package imports the standard library and bridge only.
package envelope
