package awslocal

import (
	"math/rand/v2"
	"slices"
	"sync"
	"time"
)

// FaultKind is what a fault does.
type FaultKind uint8

const (
	// Refuse answers the whole call with Fault.Code and processes nothing. Code "" is an InternalError with status 500.
	// "RequestThrottled", "ThrottlingException", "ServiceUnavailable", "ExpiredToken", "KmsDisabled" and the other
	// errors of SQS get the form and status that AWS gives them, and so do those of Lambda for its actions.
	Refuse FaultKind = iota
	// ResetBefore resets the connection, and nothing is processed.
	ResetBefore
	// ResetAfter processes the call and resets the connection instead of an answer.
	ResetAfter
	// StallBefore processes nothing and says nothing for Fault.Delay (0: until the client gives up), then resets.
	StallBefore
	// StallAfter processes the call, and then is as silent.
	StallAfter
	// Latency answers Fault.Delay later than usual.
	Latency
	// FailEntries fails entries of a batch, or the one message of a single call, with Fault.Code ("": InternalError).
	FailEntries
)

// Fault is what is to go wrong, for which calls, and how often.
type Fault struct {
	Kind FaultKind
	// Actions are the calls it is for; none: SendMessage and SendMessageBatch; "*": all.
	Actions []string
	// Queue is the name of the queue, or of the function, it is for; "": all.
	Queue string
	// Share of the calls (or entries) it hits, by chance; 0 and 1: each.
	Share float64
	// Times is how often it fires before it is over; 0: until removed.
	Times int
	// Delay is for Latency and stalls.
	Delay time.Duration
	// Code, Message and Status are the error; 0 and "": as AWS has them for the code.
	Code, Message string
	Status        int
	// Reason is the reason of Lambda's TooManyRequestsException; "": ConcurrentInvocationLimitExceeded.
	Reason string
	// Raw is the whole body of the answer instead of AWS's JSON, for what a proxy in between would say.
	Raw string
	// SenderFault is that field of a failed entry.
	SenderFault bool
	// Match chooses entries; nil: each. It must not call the endpoint.
	Match func(*Record) bool
}

// Injection is a fault at work.
type Injection struct {
	all    *faults
	fault  Fault
	random *rand.Rand
	fired  int
	over   bool
}

type faults struct {
	mu   sync.Mutex // guards the list and each injection
	seed uint64
	made uint64
	list []*Injection
}

// Inject sets a fault, after those that are there. The first that applies decides about a call; latencies and failures
// of entries add to it.
func (e *Endpoint) Inject(f Fault) *Injection {
	e.faults.mu.Lock()
	defer e.faults.mu.Unlock()
	e.faults.made++
	i := &Injection{all: &e.faults, fault: f, random: rand.New(rand.NewPCG(e.faults.seed, e.faults.made))}
	e.faults.list = append(e.faults.list, i)
	return i
}

// ClearFaults removes all faults.
func (e *Endpoint) ClearFaults() {
	e.faults.mu.Lock()
	defer e.faults.mu.Unlock()
	for _, i := range e.faults.list {
		i.over = true
	}
	e.faults.list = nil
}

// Fired is how often the fault has hit a call, or an entry.
func (i *Injection) Fired() int {
	i.all.mu.Lock()
	defer i.all.mu.Unlock()
	return i.fired
}

// Over says that the fault has fired as often as it should, or was removed.
func (i *Injection) Over() bool {
	i.all.mu.Lock()
	defer i.all.mu.Unlock()
	return i.over
}

// Remove ends the fault. It is safe twice.
func (i *Injection) Remove() {
	i.all.mu.Lock()
	defer i.all.mu.Unlock()
	i.over = true
	i.all.list = slices.DeleteFunc(i.all.list, func(o *Injection) bool { return o == i })
}

// concerns says whether the fault is for such calls.
func (f *Fault) concerns(action, queue string) bool {
	if f.Queue != "" && f.Queue != queue {
		return false
	}
	if len(f.Actions) == 0 {
		return action == "SendMessage" || action == "SendMessageBatch"
	}
	return slices.Contains(f.Actions, action) || slices.Contains(f.Actions, "*")
}

// fire counts the fault, if chance has it; all.mu is held.
func (i *Injection) fire() bool {
	if i.over || (i.fault.Share > 0 && i.fault.Share < 1 && i.random.Float64() >= i.fault.Share) {
		return false
	}
	i.fired++
	if i.fault.Times > 0 && i.fired >= i.fault.Times {
		i.over = true
	}
	return true
}

// sweep forgets the faults that are over; mu is held.
func (f *faults) sweep() {
	if len(f.list) == 0 {
		return
	}
	f.list = slices.DeleteFunc(f.list, func(i *Injection) bool { return i.over })
}

// applyFaults finds the fault of the whole call. A refusal is returned; the others are left in c.fault.
func (c *call) applyFaults() *apiError {
	f := &c.e.faults
	f.mu.Lock()
	defer f.mu.Unlock()
	defer f.sweep()
	for _, i := range f.list {
		if i.fault.Kind == FailEntries || !i.fault.concerns(c.action, c.queue) || !i.fire() {
			continue
		}
		if i.fault.Kind == Latency {
			c.delay += i.fault.Delay
			continue
		}
		c.fault = i
		if i.fault.Kind == Refuse {
			problem := named(i.fault.Code, i.fault.Message, i.fault.Status)
			if c.form == restProtocol {
				problem = lambdaNamed(&i.fault)
			}
			problem.raw = i.fault.Raw
			return problem
		}
		return nil
	}
	return nil
}

// cutBefore says that the call's fault keeps it from being processed.
func (c *call) cutBefore() bool {
	return c.fault != nil && (c.fault.fault.Kind == ResetBefore || c.fault.fault.Kind == StallBefore)
}

// entryFault finds the fault of an entry.
func (c *call) entryFault(r *Record) (batchError, bool) {
	f := &c.e.faults
	f.mu.Lock()
	defer f.mu.Unlock()
	defer f.sweep()
	for _, i := range f.list {
		if i.fault.Kind != FailEntries || !i.fault.concerns(c.action, c.queue) || (i.fault.Match != nil && !i.fault.Match(r)) || !i.fire() {
			continue
		}
		problem := named(i.fault.Code, i.fault.Message, 0)
		return batchError{Id: r.EntryID, Code: problem.code, Message: problem.message, SenderFault: i.fault.SenderFault}, true
	}
	return batchError{}, false
}
