// Package eventbridge puts JMS messages on Amazon EventBridge event buses.
//
// # Events
//
// Bus, source, detail-type, resources and time come from templates. The time is JMSTimestamp unless a template says
// otherwise. The detail is always a JSON object:
//
//	detail    it is
//	envelope  the envelope, with reply when an answer over a queue is wanted
//	body      a text that is a JSON object as it stands, a Map as the envelope has it; anything else wrapped, as
//	          CloudEvents does: {"data": …} for JSON, texts and Streams, {"data_base64": "…"} for bytes and Java
//	          objects, {} for no body
//
// A text that is a JSON object goes byte for byte, but for U+FFFE and U+FFFF (see below), keys that stand there twice and
// numbers of any size included. A text that is nearly JSON (NaN, 01, a byte order mark) or nested more than 900 levels
// deep is a string in data.
//
// What a template makes is judged for each message: a source that begins with aws., a detail-type of more than 128
// characters, a bus that is no name or not allowed, a time that is not in RFC 3339, and what is no UTF-8 are Permanent for
// it. Where all of a field is fixed, what is wrong with it is found when the sink is made. A JMSTimestamp that has no year
// of four digits is left out.
//
// An event is refused as too large 1 KiB before EventBridge's limit: it writes about 200 bytes around each, and drops
// without a word what its target does not take then. For the same reason U+FFFE and U+FFFF, which SQS refuses, are written
// as escapes in the detail, and Permanent elsewhere. (The endpoint of the tests keeps escapes as they are; AWS does not say
// whether EventBridge does.)
//
// # Answers
//
// A call holds ten events and 1 MB. Results are matched by their place. EventBridge answers for each event: a failed
// one is sent again, the others are not. An answer that is torn, or does not name each event, is Ambiguous. An event for
// which no rule matches is accepted and dropped, by EventBridge's design: keep an archive, or a rule that catches all.
//
// # What may be touched
//
// The package imports bridge, envelope, stage and what the AWS connectors share. The SDK finds the endpoint and looks at
// the bus; calls are made by [aws.Caller].
package eventbridge
