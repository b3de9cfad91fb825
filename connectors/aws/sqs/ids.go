package sqs

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"

	"github.com/jmsbridge/jmsbridge/bridge"
)

// groupID returns the MessageGroupId of a message for a FIFO queue.
func groupID(o *bridge.Outgoing) string {
	switch {
	case legalToken(o.Group):
		return o.Group
	case o.Group != "":
		return hashed(o.Group)
	default: // the engine names a group for each message of a FIFO queue; without one it is a group of its own
		return dedupID(o)
	}
}

// dedupID returns the MessageDeduplicationId of a message for a FIFO queue.
func dedupID(o *bridge.Outgoing) string {
	switch {
	case legalToken(o.DedupID):
		return o.DedupID
	case o.DedupID != "":
		return hashed(o.DedupID)
	default:
		return rand.Text()
	}
}

func hashed(s string) string {
	sum := sha256.Sum256([]byte(s))
	return hex.EncodeToString(sum[:])
}
