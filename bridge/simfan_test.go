package bridge

import (
	"errors"
	"fmt"
	"strings"
	"time"
)

// A third of the simulated worlds have further targets, and a third answer requests.

// simMore is a further target of a simulated route.
type simMore struct {
	*simTarget
	name       string
	bestEffort bool
	choosy     bool // a filter of its own lets two of three messages through
}

func (m *simMore) wants(put *Message) bool { return !m.choosy || put.GroupSeq%3 != 0 }

// extend draws further targets and replies.
func (w *simWorld) extend() {
	w.orphans, w.sly, w.known = map[string]bool{}, map[string]bool{}, map[string]*Message{}
	if w.chance(0.3) {
		for i := range 1 + w.rng.IntN(2) {
			w.addTarget(fmt.Sprint("more", i+1))
		}
	}
	if w.chance(0.3) {
		w.addReplies()
	}
}

func (w *simWorld) addTarget(name string) {
	l := Limits{
		Messages: 1 + w.rng.IntN(10), Calls: 1 + w.rng.IntN(4), Run: 1 + w.rng.IntN(3), Timeout: 2*time.Second + w.upTo(5*time.Second),
		Linger: w.upTo(5 * time.Millisecond), Dedup: w.chance(0.5), OneGroup: w.chance(0.3), Window: w.upTo(20 * time.Millisecond),
	}
	m := &simMore{simTarget: newSimTarget(l), name: name, bestEffort: w.chance(0.3), choosy: w.chance(0.3)}
	m.noOrder = w.set.Order == OrderNone
	m.latency = func() time.Duration { return w.locked(w.answer) }
	m.fault = func(batch []Outgoing) simFault { return w.moreFault(m, batch) }
	if !m.bestEffort { // one that nobody waits for keeps what is settled already
		m.fresh = w.checkFresh
	}
	m.content = func(o *Outgoing) string {
		if put := w.putMessage(o.Message.Key); put != nil && !m.wants(put) {
			return "the target's own filter does not let it through"
		}
		return w.checkContent(o, l)
	}
	set := TargetSettings{Name: name, Sink: m, BestEffort: m.bestEffort}
	if m.choosy {
		set.Stages = []Stage{stageFunc(func(msg *Message) (*Message, error) {
			if !m.wants(msg) {
				return nil, nil
			}
			return msg, nil
		})}
	}
	w.more = append(w.more, m)
	w.set.Targets = append(w.set.Targets, set)
	if w.faults.outage {
		from := w.upTo(20 * time.Second)
		w.phases = append(w.phases, simPhase{from, from + w.upTo(30*time.Second), name + " outage"})
	}
}

// moreFault chooses what happens to a call of a further target.
func (w *simWorld) moreFault(m *simMore, batch []Outgoing) simFault {
	w.mu.Lock()
	defer w.mu.Unlock()
	f := simFault{partial: map[int]error{}, stormy: !w.quiet()}
	w.fire("fan-out")
	if w.quiet() {
		return f
	}
	switch {
	case w.in(m.name + " outage"):
		w.fire("outage of a further target")
		f.err = &Error{Class: Transient, Code: "500", Err: errTransient}
	case w.faults.lostAnswer && w.chance(0.03):
		f.err, f.stored = &Error{Class: Ambiguous, Code: "reset", Err: errTransient}, true
	case w.faults.throttle && w.chance(0.1):
		f.err = &Error{Class: Throttled, Code: "Throttled", Err: errTransient}
	case w.faults.suspect && len(batch) > 1 && w.chance(0.1):
		f.err = &Error{Class: Suspect, Code: "BatchRequestTooLong", Err: errTransient}
	case w.faults.stall && w.chance(0.05):
		f.stall = w.upTo(8 * time.Second)
	case w.faults.partial && w.chance(0.15):
		w.fire("partial failure of a further target")
		w.partly(batch, &f)
	}
	if f.err != nil {
		f.partial = nil
	}
	return f
}

const simReply = "reply "

// addReplies makes the first target answer, and a requester wait.
func (w *simWorld) addReplies() {
	w.requester = newSimTarget(Limits{Messages: 1 + w.rng.IntN(10), Calls: 1 + w.rng.IntN(4), Timeout: 5 * time.Second})
	w.requester.noOrder = true
	w.requester.latency = func() time.Duration { return w.locked(w.answer) }
	w.requester.fault = w.requesterFault
	w.requester.content = w.checkReply
	w.target.answer = func(o *Outgoing) *Message { return &Message{Body: NewText("answer to " + o.Message.Key)} }
	w.set.Targets[0].Answers = true
	w.set.Reply = &ReplySettings{
		PipelineSettings: PipelineSettings{Name: "requester", Sink: w.requester}, Timeout: time.Hour,
		Make: func(request, answer *Message, deadline time.Time) (*Message, error) {
			if request.ReplyTo.IsZero() {
				return nil, nil
			}
			return &Message{
				Key: simReply + request.Key, CorrelationID: request.ID, Destination: request.ReplyTo, Expiration: deadline, Body: answer.Body,
			}, nil
		},
	}
	if w.faults.outage {
		from := w.upTo(20 * time.Second)
		w.phases = append(w.phases, simPhase{from, from + w.upTo(30*time.Second), "reply outage"})
	}
}

// checkReply says what is wrong with a reply: it must be the answer to its request, for nobody else. "": nothing.
func (w *simWorld) checkReply(o *Outgoing) string {
	m := o.Message
	key, ok := strings.CutPrefix(m.Key, simReply)
	put := w.putMessage(key)
	if !ok || put == nil {
		return "a reply to a request that nobody has put"
	}
	if m.CorrelationID != put.ID || m.Destination != put.ReplyTo || m.Body.Data() != "answer to "+key || m.Expiration.IsZero() {
		return fmt.Sprintf("it is %+v", m)
	}
	return ""
}

// requesterFault chooses what happens to a call with replies.
func (w *simWorld) requesterFault(batch []Outgoing) simFault {
	w.mu.Lock()
	defer w.mu.Unlock()
	f := simFault{partial: map[int]error{}, stormy: !w.quiet()}
	w.fire("reply")
	for i := range batch {
		key := strings.TrimPrefix(batch[i].Message.Key, simReply)
		if w.orphans[key] || !w.quiet() && w.chance(0.02) {
			w.fire("orphan")
			w.orphans[key] = true
			f.partial[i] = &Error{Class: Permanent, Code: "DestinationDoesNotExistException", Err: errTransient}
		}
	}
	if w.quiet() {
		return f
	}
	switch {
	case w.in("reply outage"):
		w.fire("reply outage")
		f.err = &Error{Class: Transient, Code: "down", Err: errTransient}
	case w.faults.lostAnswer && w.chance(0.03):
		f.err, f.stored = &Error{Class: Ambiguous, Code: "reset", Err: errTransient}, true
	case w.faults.disconnect && w.chance(0.02):
		f.err = fmt.Errorf("sending: %w", ErrNotConnected)
	case w.faults.throttle && w.chance(0.05):
		f.err = &Error{Class: Throttled, Code: "Throttled", Err: errTransient}
	}
	if f.err != nil {
		f.partial = nil
	}
	return f
}

// lacking says who lacks a message that is settled; "": nobody. The caller holds the lock, or nothing runs any more.
func (w *simWorld) lacking(key string, put *Message) string {
	if put == nil || w.dropped[key] || w.expires[key] {
		return ""
	}
	for _, m := range w.more {
		if !m.bestEffort && m.wants(put) && !m.has(key) && !w.deadFor(key, m.name) && !(w.set.DropDead && w.mayUseUp()) {
			return "target " + m.name + " lacks it"
		}
	}
	if w.requester == nil || put.ReplyTo.IsZero() || w.requester.has(simReply+key) || w.orphans[key] || w.deadFor(key, "t") ||
		w.set.DropDead && (w.mayUseUp() || w.poison[key]) {
		return ""
	}
	return "its requester has no reply"
}

// deadFor tells whether the dead letter has a message because of one target.
func (w *simWorld) deadFor(key, target string) bool {
	w.dead.mu.Lock()
	defer w.dead.mu.Unlock()
	for i := range w.dead.log {
		if s := &w.dead.log[i]; s.key == key {
			if name, _ := s.extra.Lookup(DeadTarget); name.Str() == target {
				return true
			}
		}
	}
	return false
}

// isTarget tells whether a target has this name.
func (w *simWorld) isTarget(name string) bool {
	for i := range w.set.Targets {
		if w.set.Targets[i].Name == name {
			return true
		}
	}
	return false
}

// judgeMore checks the further targets and the requester at the end.
func (w *simWorld) judgeMore() {
	for _, b := range w.brokers {
		for _, key := range b.keys {
			if b.owed[key] == 0 && !w.held[key] {
				if text := w.lacking(key, w.putMessage(key)); text != "" {
					w.problem("I1", "%s was settled, and %s", key, text)
				}
			}
		}
	}
	for _, m := range w.more {
		for _, text := range m.wrong {
			w.problem("I2", "%s: %s", m.name, text)
		}
		if !m.bestEffort {
			w.judgeDuplicates(m.simTarget, 1)
			w.judgeOrderOf(m.simTarget)
		}
	}
	if w.requester == nil {
		return
	}
	for _, text := range w.requester.wrong {
		w.problem("I5", "%s", text)
	}
	w.judgeReplies()
}

// judgeReplies: a request gets one reply, unless a verdict was lost with a connection or the process.
func (w *simWorld) judgeReplies() {
	if w.restarted {
		return
	}
	for key, n := range w.requester.confirmed {
		lost, copied := 0, false
		for _, b := range w.brokers {
			lost += b.lostVerdicts[strings.TrimPrefix(key, simReply)]
			copied = copied || b.copied[strings.TrimPrefix(key, simReply)]
		}
		if n > 1+lost && !copied {
			w.problem("I5", "%s was sent %d times, and %d verdicts were lost", key, n, lost)
		}
	}
}

// slyFault finds the one message of a call that is the cause and does not show itself: the engine has to halve.
func (w *simWorld) slyFault(batch []Outgoing) (bool, error) {
	for i := range batch {
		if w.sly[batch[i].Message.Key] && len(batch) > 1 {
			w.fire("one of a call, nobody knows which")
			return true, &Error{Class: Suspect, Code: "FunctionError", Err: errors.New("one of them")}
		}
	}
	return false, nil
}
