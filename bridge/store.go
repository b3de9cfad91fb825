package bridge

import (
	"context"
	"time"
)

// Store keeps small records that have to survive a crash: what a request was answered with, and that it was. It is safe
// for concurrent use, by several processes too where the implementation says so.
type Store interface {
	// Keep stores value under key until expires, durably when it returns, unless there is something under that key
	// already: then that is returned and nothing changes.
	Keep(ctx context.Context, key string, value []byte, expires time.Time) (existing []byte, err error)
	// Find returns what is under key; nil: nothing, or it has expired.
	Find(ctx context.Context, key string) ([]byte, error)
	// Close releases what the store holds.
	Close() error
}
