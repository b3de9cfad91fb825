// Package file is the target that writes each message as one line of JSON, the envelope, to a file or to standard
// output.
//
// A line that was confirmed is never changed, and never lost with the process or the machine: each batch is one write
// and, for a regular file, one fsync before it is confirmed. What a failed write left behind is cut off again, so a
// batch that is tried once more leaves no torn line; what a crash left behind without a line end stays as it is, and
// the next line begins on a line of its own. The file is locked (flock) while it is open, for cutting off is safe only
// for the one who writes.
//
// The package does not rotate. A file that was moved away or deleted is noticed before the next batch and opened anew
// under its name, so `mv` is enough.
//
// It imports bridge and bridge/envelope only. sink.go is the contract, output.go the operating system.
package file
