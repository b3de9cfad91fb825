package bridge

import "time"

// plantedBug is a known mistake that a test plants to prove that the simulation finds it. Nothing outside this package
// can set one.
type plantedBug uint8

const (
	bugNone              plantedBug = iota
	bugSettleEarly                  // settle before the target's answer
	bugResend                       // send again what was answered as a success
	bugOvertake                     // a later message of a group overtakes
	bugLoseAtStop                   // the stop settles what was not sent
	bugSettleElsewhere              // settle a delivery over a newer connection
	bugOutageBudget                 // an outage spends attempts
	bugForgetHeld                   // a held message is forgotten
	bugStaleCopy                    // a copy whose connection is gone stays in its lane
	bugHeader                       // a header is lost when a message is sent again
	bugProperty                     // the last property is lost
	bugBody                         // two messages of a call have each other's bodies
	bugInvent                       // a message that nobody has put is sent
	bugTwin                         // the second of two deliveries with one key is settled unsent
	bugLongWait                     // the wait before a source is connected again has no bound
	bugWindowBytes                  // the window's bytes are no limit
	bugWindowMessages               // the window's messages are no limit
	bugSettleAtFirst                // settle when the first of several targets has confirmed
	bugForgetDone                   // forget which targets have a delivery that comes again
	bugSettleBeforeReply            // settle a request before its reply is confirmed
	bugHalveInPlace                 // never find the one bad message of a batch: the halves stay whole
)

// settings changes the settings of a route, where this bug is one of them.
func (b plantedBug) settings(s *RouteSettings) {
	switch b {
	case bugWindowBytes:
		s.Window.Bytes = 1 << 40
	case bugWindowMessages:
		s.Window.Messages = 1 << 20
	default:
	}
}

// outgoing changes what a call carries, where this bug does that.
func (b plantedBug) outgoing(out []Outgoing) {
	for i := range out {
		m := *out[i].Message
		switch {
		case b == bugHeader && out[i].Attempt > 1:
			m.CorrelationID = ""
		case b == bugProperty && m.Properties.Len() > 0:
			m.Properties = NewProperties(m.Properties.entries[:m.Properties.Len()-1])
		case b == bugBody && len(out) > 1:
			m.Body = out[(i+1)%len(out)].Message.Body
		case b == bugInvent:
			m.Key += "0"
		default:
			continue
		}
		out[i].Message = &m
	}
}

// pause changes the wait before a source is connected again.
func (b plantedBug) pause(try int, wait time.Duration) time.Duration {
	if b == bugLongWait {
		return wait << min(try, 20)
	}
	return wait
}
