// Package eventstest says what an EventBridge endpoint with rules to SQS queues and Lambda functions has to do, as checks
// with the real AWS SDK. Any endpoint can be put to it: the project's own awslocal, servers that others wrote, and a real account's (whose
// queues then need a policy that lets EventBridge send).
//
//	eventstest.Run(t, eventstest.Harness{Name: "awslocal", Endpoint: func(t testing.TB) eventstest.Endpoint { … }})
//
// What a check wants is what AWS documents, or what the service was recorded to answer. Where an endpoint is known to
// differ, the harness declares it, check by check, with the reason; a declared difference that does not differ any more
// fails, so that the declarations stay true.
package eventstest
