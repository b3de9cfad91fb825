// Package awslocal is an AWS endpoint inside the process, for the demo and the tests: Amazon SQS over the AWS JSON 1.0
// protocol that the AWS SDK for Go v2 speaks, AWS Lambda (Invoke and GetFunctionConfiguration), and enough of AWS STS
// (GetCallerIdentity, AssumeRole) for clients that ask who they are.
//
// It follows AWS's documentation and recorded answers of the service: names, limits, error codes in both of their forms
// (`__type` and the header X-Amzn-Query-Error), message digests, visibility, long polling, redrive, and FIFO queues with
// their order, deduplication, sequence numbers and group locks. The conformance suite in test/sqstest says so, and runs
// against endpoints that others wrote too.
//
// Functions are Go functions in this process, or real ones: programs built on a runtime of Lambda's, such as
// github.com/aws/aws-lambda-go, which run unchanged, for the endpoint speaks the Runtime API to them. They have reserved
// concurrency, timeouts, logs, crashes, and a queue with two more tries for asynchronous calls; test/lambdatest holds them
// to the SDK. A program needs a socket and the real clock, so it can't run inside a testing/synctest bubble.
//
// On top of the service it has what tests need: settable faults that count how often they fired ([Fault]), a log of what
// was asked before any deduplication ([Log]), and direct looks into the queues ([Endpoint.Depth], [Endpoint.Messages],
// [Endpoint.Drain]). Time comes from package time only, so an endpoint works inside a testing/synctest bubble; there,
// use [Endpoint.Transport] instead of the loopback socket.
//
// Of Amazon EventBridge it has PutEvents, buses and rules, whose targets are the SQS queues and the Lambda functions of the
// same endpoint; other services take events through [Endpoint.DeliverEvents]. Queues have an event before PutEvents is
// answered. Functions are called asynchronously, so one that fails is tried twice more. The patterns of rules are few
// ([RuleOptions]), there are no schedules, input transformers, archives and retries, and neither a queue's nor a function's
// policy is asked. The conformance suite in test/eventstest holds it.
//
// What it leaves out: the old query protocol for SQS, permissions (deny rules stand in for them), message move tasks,
// ReceiveRequestAttemptId, the request rate of FIFO queues, server-side encryption (attributes are stored, faults stand
// in for KMS), the randomness of short polling and of standard queues (they keep order here), and duplicates made by the
// service itself; of Lambda all that makes functions (they are made in Go), response streaming, durable executions, tenants,
// destinations and event source mappings.
//
// No operation walks over a queue, so a message costs the same with 100,000 others there; what is in flight or delayed is
// in a heap. Only Messages, Drain and a purge look at each.
//
// The package has no state of its own, not one variable: several endpoints live side by side. It imports the standard
// library only and knows nothing of the bridge; nothing in it may import bridge or config.
package awslocal
