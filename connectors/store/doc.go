// Package store keeps what has to survive a crash, behind [bridge.Store]: in a file for one process ([OpenBolt]), or in
// an Amazon DynamoDB table for several ([NewDynamoDB]).
//
// Both forget a record when it expires, and neither changes one that is there: whoever comes second learns what the
// first has stored. The package imports bridge and what the AWS connectors share.
package store
