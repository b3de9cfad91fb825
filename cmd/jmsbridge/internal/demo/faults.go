package demo

import (
	"fmt"
	"time"

	"github.com/jmsbridge/jmsbridge/connectors/aws/awslocal"
	"github.com/jmsbridge/jmsbridge/connectors/jms/stomp/stomplocal"
)

// Fault is what became of one injected fault.
type Fault struct {
	// Name is what goes wrong.
	Name string `json:"name"`
	// Planned is how often it was to fire, and Fired how often it did.
	Planned int `json:"planned"`
	Fired   int `json:"fired"`
	// Survived is the time from the injection until messages arrived again after the last firing.
	Survived time.Duration `json:"survived_ns"`
	// After is how many messages had arrived when it was injected.
	After int `json:"after"`
}

// injection is what both embedded endpoints return.
type injection interface {
	Fired() int
	Over() bool
	Remove()
}

// plannedFault is a fault that is still to come, or at work.
type plannedFault struct {
	Fault
	inject func(w *world) injection
	// back tells that what the fault took away is there again; nil: at once when it has fired for the last time.
	back func(w *world) bool

	at       injection
	injected time.Time
	overAt   int // how many had arrived when it had fired for the last time; -1: not yet
}

// plan returns the faults for a run of n messages, in their order. How often each fires grows with n.
func plan(n int) []*plannedFault {
	aFew := min(max(n/2000, 3), 20)
	some := min(max(n/200, 3), 100)
	sqs := func(name string, times int, f awslocal.Fault) *plannedFault {
		f.Times, f.Queue = times, targetQueue
		return &plannedFault{Fault: Fault{Name: name, Planned: times}, overAt: -1, inject: func(w *world) injection { return w.sqs.Inject(f) }}
	}
	var logins uint64
	return []*plannedFault{
		{
			Fault: Fault{Name: "the broker's connection is reset", Planned: 1}, overAt: -1,
			back: func(w *world) bool { return w.broker.Stats().Connections > logins },
			inject: func(w *world) injection { // on an ACK, so that it hits the bridge and not the producer
				logins = w.broker.Stats().Connections
				return w.broker.Inject(stomplocal.Fault{Kind: stomplocal.Drop, Command: "ACK", Times: 1})
			},
		},
		sqs(fmt.Sprintf("SQS throttles %d calls", aFew), aFew, awslocal.Fault{Kind: awslocal.Refuse, Code: "RequestThrottled"}),
		sqs(fmt.Sprintf("SQS answers %d calls with 500", aFew), aFew, awslocal.Fault{Kind: awslocal.Refuse}),
		sqs(fmt.Sprintf("SQS refuses %d messages inside batches", some), some, awslocal.Fault{Kind: awslocal.FailEntries}),
		sqs("SQS takes 3 batches and resets before the answer", 3, awslocal.Fault{Kind: awslocal.ResetAfter}),
	}
}
