// Package sourcetest is the conformance suite of bridge.Source and bridge.Sink: what the engine relies on, run alike
// against embedded and real brokers. A connector's tests build a [Harness] and call [RunSource] and [RunSink].
//
// The suite knows no protocol. What a wire can't do is said in [Features], never skipped in silence: each feature
// changes what is expected, so a broker that does better than said fails too.
package sourcetest
