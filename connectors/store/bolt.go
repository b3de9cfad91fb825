package store

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"time"

	"go.etcd.io/bbolt"
	berrors "go.etcd.io/bbolt/errors"

	"github.com/jmsbridge/jmsbridge/bridge"
)

const (
	lockTimeout = 2 * time.Second
	batchDelay  = 2 * time.Millisecond // how long a write waits for others, to share one fsync
	sweepMost   = 32                   // expired records removed by one write
)

// The buckets: records by key (eight bytes of expiry, then the value), and keys by expiry.
var (
	records = []byte("records")
	expiry  = []byte("expiry")
)

// Bolt is a store in a file. One process at a time has it open.
type Bolt struct{ db *bbolt.DB }

var _ bridge.Store = (*Bolt)(nil)

// OpenBolt opens or makes the file. The error is of class Fatal: another process may have it open, or it may be damaged.
// A damaged file is not replaced by an empty one, for the promise that it keeps would be broken without a word.
func OpenBolt(path string) (*Bolt, error) {
	fail := func(err error, remedy string) (*Bolt, error) {
		return nil, &bridge.Error{Class: bridge.Fatal, Code: "Store", Err: fmt.Errorf("opening the store %s: %w", path, err), Remedy: remedy}
	}
	db, err := bbolt.Open(path, 0o600, &bbolt.Options{Timeout: lockTimeout})
	switch {
	case errors.Is(err, berrors.ErrTimeout):
		return fail(errors.New("another process has it open"), "stop that process, or give each a file of its own")
	case err != nil:
		return fail(err, "check the path and its rights; a damaged file has to be moved away by hand")
	}
	db.MaxBatchDelay = batchDelay
	err = db.Update(func(tx *bbolt.Tx) error {
		_, err := tx.CreateBucketIfNotExists(records)
		if err == nil {
			_, err = tx.CreateBucketIfNotExists(expiry)
		}
		return err
	})
	if err != nil {
		return fail(errors.Join(err, db.Close()), "check that the file can be written")
	}
	return &Bolt{db}, nil
}

// Keep implements [bridge.Store]. Writes that come together share one fsync. An error of the file is of class Fatal.
func (b *Bolt) Keep(ctx context.Context, key string, value []byte, expires time.Time) (existing []byte, err error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	now := time.Now()
	err = b.db.Batch(func(tx *bbolt.Tx) error {
		existing = nil // the function may run twice
		all, byTime := tx.Bucket(records), tx.Bucket(expiry)
		if err := sweep(all, byTime, now); err != nil {
			return err
		}
		if old := live(all.Get([]byte(key)), now); old != nil {
			existing = append([]byte{}, old...)
			return nil
		}
		at := binary.BigEndian.AppendUint64(nil, uint64(expires.UnixMilli()))
		if err := all.Put([]byte(key), append(at[:8:8], value...)); err != nil {
			return err
		}
		return byTime.Put(append(at, key...), nil)
	})
	if err != nil { // the disk is full or broken: no request is to blame, and each would fail
		return nil, &bridge.Error{
			Class: bridge.Fatal, Code: "Store", Err: fmt.Errorf("storing in %s: %w", b.db.Path(), err),
			Remedy: "make room on the disk, or look at it; the route goes on by itself",
		}
	}
	return existing, nil
}

// live returns the value of a record that has not expired.
func live(record []byte, now time.Time) []byte {
	if len(record) < 8 || !now.Before(time.UnixMilli(int64(binary.BigEndian.Uint64(record)))) {
		return nil
	}
	return record[8:]
}

// sweep removes some of what has expired.
func sweep(all, byTime *bbolt.Bucket, now time.Time) error {
	c := byTime.Cursor()
	for range sweepMost {
		k, _ := c.First()
		if len(k) < 8 || now.Before(time.UnixMilli(int64(binary.BigEndian.Uint64(k)))) {
			return nil
		}
		// The record may have been replaced by a later one of the same key.
		if key := k[8:]; live(all.Get(key), now) == nil {
			if err := all.Delete(key); err != nil {
				return err
			}
		}
		if err := c.Delete(); err != nil {
			return err
		}
	}
	return nil
}

// Find implements [bridge.Store].
func (b *Bolt) Find(ctx context.Context, key string) (value []byte, err error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	err = b.db.View(func(tx *bbolt.Tx) error {
		if v := live(tx.Bucket(records).Get([]byte(key)), time.Now()); v != nil {
			value = append([]byte{}, v...)
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("looking into the store: %w", err)
	}
	return value, nil
}

// Close closes the file.
func (b *Bolt) Close() error { return b.db.Close() }
