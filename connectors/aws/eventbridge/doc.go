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
// What a template makes is judged for each message: a source that begins with aws., a detail-type of more than 128
// characters, a bus that is not allowed are Permanent for it.
//
// # Answers
//
// A call holds ten events and 1 MB. Results are matched by their place. EventBridge answers for each event: a failed
// one is sent again, the others are not. An event for which no rule matches is accepted and dropped, by EventBridge's
// design: keep an archive, or a rule that catches all.
//
// # What may be touched
//
// The package imports bridge, envelope, stage and what the AWS connectors share. The SDK finds the endpoint and looks at
// the bus; calls are made by [aws.Caller].
package eventbridge
