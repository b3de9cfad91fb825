// Package lean is an endpoint for benchmarks: it takes SendMessageBatch of SQS, Invoke of Lambda and PutEvents of
// EventBridge, counts their messages, answers after a fixed time, and keeps nothing. It speaks HTTP/1.1 by hand on one goroutine a connection and scans requests without decoding them: 2 µs
// of CPU a message of 1 KiB, most of it the MD5 that the SDK wants to see, beside what the kernel takes for the sockets.
//
// It checks nothing: no signature, no limit, no name. Use connectors/aws/awslocal for anything but load.
package lean
