// Package lambda calls AWS Lambda functions with JMS messages, and takes their results for answers.
//
// # Payloads
//
// A call holds one message, unless the settings allow several; then the payload is always a list, however many came
// together.
//
//	payload   one message                          several
//	envelope  the envelope, with reply when an     a JSON array of envelopes
//	          answer over a queue is wanted
//	body      the body alone, as JSON              (not possible)
//	aws:mq    the event of Lambda's own mapping    the same
//	          for Amazon MQ, with one message
//
// A body alone is a text that is JSON as it stands, another text as a JSON string, bytes and Java objects as a JSON
// string of base64, a Map or Stream as the envelope has it, and null for no body.
//
// The event `aws:mq` has the field names and types that Lambda's mapping sends and github.com/aws/aws-lambda-go's
// events.ActiveMQEvent reads. (The developer guide's sample differs from what the mapping really sends in three places:
// correlationId for correlationID, expiration as a string, and replyTo null instead of "null". The library's own
// sample, taken from the mapping, is followed.) It knows Text and Bytes only: other bodies are Permanent. connectionId
// is empty, for no wire tells it. Properties are strings there: numbers and booleans as Java prints them, bytes in base64,
// null as "".
//
// # Results
//
// A function that returns has confirmed its messages. An error of the function is a failure and never an answer. In a
// call with several messages `batchItemFailures` is honoured, as other mappings of Lambda's do: itemIdentifier is a
// message's id, or its place in the list counted from 0 ("0"). A list that names something else counts as a failure of
// the whole call, and so does one that is malformed; an empty list, null, or a result of another kind is success. A call
// of several that fails as a whole is Suspect: the engine halves it until the message that fails is alone. The code of a
// function's error is "FunctionError." and its errorType; its text has errorMessage and the end of the function's log,
// where what looks like a secret is left out. An error that keeps the function from running at all, such as a handler that
// is not there, is nobody's fault among the messages: the target is down. The code of a throttled call is the reason that Lambda gives.
//
// With the invocation `event` Lambda's queue has taken the message: what the function does with it, nobody learns.
//
// # Time
//
// A call may take as long as the function's own timeout and five seconds more. Where that can't be read
// (lambda:GetFunctionConfiguration), it is the longest that Lambda has: 15 minutes. The client's limit for
// the first byte of an answer does not hold here.
//
// # What may be touched
//
// The package imports bridge, envelope and what the AWS connectors share. The SDK finds the endpoint and reads the
// function's configuration; calls are made by [aws.Caller].
package lambda
