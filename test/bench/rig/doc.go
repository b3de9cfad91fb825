// Package rig has what the benchmarks of whole processes share: building programs, the endpoint in a process of its own,
// measured processes, and medians with their spread.
package rig
