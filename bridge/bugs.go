package bridge

// plantedBug is a known mistake that a test plants to prove that the simulation finds it. Nothing outside this package
// can set one.
type plantedBug uint8

const (
	bugNone            plantedBug = iota
	bugSettleEarly                // settle before the target's answer
	bugResend                     // send again what was answered as a success
	bugOvertake                   // a later message of a group overtakes
	bugLoseAtStop                 // the stop settles what was not sent
	bugSettleElsewhere            // settle a delivery over a newer connection
	bugOutageBudget               // an outage spends attempts
	bugForgetHeld                 // a held message is forgotten
	bugStaleCopy                  // a copy whose connection is gone stays in its lane
)
