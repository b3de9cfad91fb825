// Package client is a connection of STOMP 1.2 for a daemon: a reader that slices its buffer, a writer that coalesces,
// heart-beats both ways, receipts in flight, and ERROR frames that end only what they must.
//
// It knows frames, not messages: what a header means to JMS is the stomp package's business, which implements
// [Handler]. It imports the standard library, and go-stomp's frame package for the names of commands and headers.
// go-stomp's reader is the oracle of a differential fuzz test.
//
// Three rules hold everywhere. Everything that a peer sends is bounded before anything is allocated for it. Everything
// that waits for a peer has a deadline. The reader never waits for a worker, except where the owner says that it has
// no room ([Handler.BeforeRead]); heart-beats and acknowledgements go on meanwhile.
package client
