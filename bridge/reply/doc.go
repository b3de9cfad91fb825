// Package reply holds what turns an answer into a JMS reply: which destinations a reply may go to, which correlation id
// it carries, what a function's result means as a message, how a failure is told, and the sealed token that lets any
// replica route an answer that comes back over a queue.
//
// Everything here uses the CPU only, keeps no state but what is configured, and is safe for concurrent use. The engine
// calls it through [bridge.ReplySettings] and [bridge.TargetSettings].Ask; connectors put it together.
//
// A token is a promise to answers that are on their way: its form may gain versions, and a version is never read
// otherwise than it was written.
package reply
