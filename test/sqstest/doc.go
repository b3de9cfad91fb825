// Package sqstest says what an SQS endpoint has to do, as checks with the real AWS SDK. Any endpoint can be put to it:
// the project's own awslocal, servers that others wrote, and a real account's.
//
//	sqstest.Run(t, sqstest.Harness{Name: "awslocal", Client: func(t testing.TB) *sqs.Client { … }})
//
// What a check wants is what AWS documents, or what the service was recorded to answer. Where an endpoint is known to
// differ, the harness declares it, check by check, with the reason; a declared difference that does not differ any more
// fails, so that the declarations stay true.
//
// It imports the AWS SDK and the standard library, and nothing of the bridge. The servers that others wrote are started
// by the tests of this package, with the build tag integration.
package sqstest
