// Package aws is what the connectors of AWS services share: how AWS is reached ([Settings]), one configuration and one
// pool of connections for all of them ([Client]), signed calls without the SDK's middleware for what carries messages
// ([Caller]), and what AWS's errors mean ([Classify]).
//
// # Credentials
//
// They come from the SDK's default chain (environment, profile, web identity, container, instance), and with a role_arn
// from STS on top of it. What the chain found is dropped when AWS says that it has expired or is not known: the next
// call reads files and environment again, so a rotation needs no restart.
//
// # Calls that carry messages
//
// A [Caller] makes each call once. The SDK's own retries are off everywhere: the engine alone retries. Its signature
// (Signature Version 4) is written here, for the SDK's costs 48 allocations; tests compare the two.
//
// # What may be touched
//
// The package imports bridge and the SDK. It knows no service but STS, and nothing of messages. Nothing here logs or
// returns a credential: error texts hold codes and AWS's messages, in which what looks like a key is struck out.
package aws
