package demo

import (
	"fmt"
	"strconv"
	"time"

	"github.com/jmsbridge/jmsbridge/connectors/aws/awslocal"
)

// Report is the outcome of a run.
type Report struct {
	Sent      int `json:"sent"`
	Delivered int `json:"delivered"`
	// Lost are messages that the broker took, that did not arrive, and that the broker does not have any more.
	Lost int `json:"lost"`
	// Duplicated is how many messages too many SQS was sent and took, counted in the log of requests before its
	// deduplication; Deduplicated is how many of those its FIFO queue recognised.
	Duplicated   int `json:"duplicated"`
	Deduplicated int `json:"deduplicated_by_sqs"`
	// Waiting is how many were left on the broker, after an interruption.
	Waiting     int           `json:"waiting_at_broker"`
	DeadLetters int           `json:"dead_letters"`
	Groups      int           `json:"groups"`
	Duration    time.Duration `json:"duration_ns"`
	Interrupted bool          `json:"interrupted"`
	Faults      []Fault       `json:"faults"`
	Checks      []Check       `json:"checks"`
}

// Check is one thing that was looked at for every message.
type Check struct {
	Name string `json:"name"`
	// Looked is how many were looked at, Wrong how many of them were wrong.
	Looked int `json:"looked_at"`
	Wrong  int `json:"wrong"`
	// First describes the first wrong one.
	First string `json:"first_wrong,omitempty"`
}

func (c *Check) look(right bool, format string, args ...any) {
	c.Looked++
	if right {
		return
	}
	if c.Wrong++; c.Wrong == 1 {
		c.First = fmt.Sprintf(format, args...)
	}
}

// OK tells that nothing was lost and every check passed.
func (r *Report) OK() bool { return len(r.Wrong()) == 0 }

// Wrong says in words what was lost and which checks failed; none: all is well.
func (r *Report) Wrong() []string {
	var all []string
	if r.Lost != 0 {
		all = append(all, fmt.Sprintf("%d messages were lost", r.Lost))
	}
	for _, c := range r.Checks {
		if c.Wrong > 0 {
			all = append(all, fmt.Sprintf("%s: %d wrong of %d, the first: %s", c.Name, c.Wrong, c.Looked, c.First))
		}
	}
	return all
}

// Rate is delivered messages a second, faults included.
func (r *Report) Rate() float64 { return float64(r.Delivered) / max(r.Duration.Seconds(), 0.001) }

// fail adds a failed check for an error, if there is one.
func (r *Report) fail(name string, err error) {
	if err != nil {
		r.Checks = append(r.Checks, Check{Name: name, Looked: 1, Wrong: 1, First: err.Error()})
	}
}

// judge looks at every message that arrived. The route has stopped.
func (r *run) judge(took time.Duration) *Report {
	n := int(r.sent.Load())
	out := &Report{Sent: n, Groups: r.groups, Duration: took, DeadLetters: r.sqs.Depth(deadQueue).Total(), Interrupted: r.interrupted}
	known := Check{Name: "every message in SQS was sent, and is there once"}
	bodies := Check{Name: "every body is unchanged"}
	properties := Check{Name: "every property has its value and its type"}
	groups := Check{Name: "every message is in its group"}
	order := Check{Name: "the order holds in every group"}

	seen := make([]bool, n)
	last := map[string]int{}
	for _, m := range r.sqs.Messages(targetQueue) {
		i, ours := indexOf(m.Text("CorrelationID"), n)
		known.look(ours && !seen[i], "message %s with correlation id %q", m.ID, m.Text("CorrelationID"))
		if !ours || seen[i] {
			continue
		}
		seen[i] = true
		out.Delivered++
		e := expect(i, r.groups)
		bodies.look(m.Body == e.body, "%s has the body %.80q", e.id, m.Body)
		wrong := wrongAttribute(e.attributes(i), e.rate, m.Attributes)
		properties.look(wrong == "", "%s: %s", e.id, wrong)
		groups.look(m.Group == e.account, "%s is in %q, not in %q", e.id, m.Group, e.account)
		before, follows := last[m.Group]
		order.look(!follows || before < i, "%s comes after message %d of its group", e.id, before)
		last[m.Group] = i
	}
	waiting := map[int]bool{}
	for _, m := range r.broker.Browse("/queue/"+brokerQueue, 0) {
		if i, ours := indexOf(m.CorrelationID, n); ours && !seen[i] {
			waiting[i] = true
		}
	}
	out.Waiting = len(waiting)
	out.Lost = n - out.Delivered - out.Waiting
	left := Check{Name: "the broker's queue holds nothing unsettled"}
	unacked := r.broker.Unacked("/queue/" + brokerQueue)
	left.look(unacked == 0, "%d messages are delivered and not settled", unacked)
	dead := Check{Name: "nothing went to the dead letter queue"}
	dead.look(out.DeadLetters == 0, "%d messages", out.DeadLetters)
	out.Checks = append(out.Checks, known, bodies, properties, groups, order, r.judgeDuplicates(out), left, dead, r.judgeFaults(out))
	return out
}

// wrongAttribute describes the first attribute that is not as it must be; "": all are.
func wrongAttribute(want map[string]attribute, rate float64, got map[string]awslocal.Attribute) string {
	for name, w := range want {
		g, ok := got[name]
		switch {
		case !ok:
			return name + " is missing"
		case g.DataType != w.typ:
			return fmt.Sprintf("%s is a %s, not a %s", name, g.DataType, w.typ)
		case name == "rate":
			if v, err := strconv.ParseFloat(g.StringValue, 64); err != nil || v != rate {
				return fmt.Sprintf("%s is %s, not %v", name, g.StringValue, rate)
			}
		case g.StringValue != w.value:
			return fmt.Sprintf("%s is %q, not %q", name, g.StringValue, w.value)
		}
	}
	return ""
}

// judgeDuplicates counts what SQS took more than once, and looks whether each had the deduplication id of the first.
func (r *run) judgeDuplicates(out *Report) Check {
	c := Check{Name: "every duplicate carries the same deduplication id"}
	byID := r.sqs.Log().Group(targetQueue, func(rec *awslocal.Record) string {
		if !rec.Stored() {
			return ""
		}
		return rec.Text("CorrelationID")
	})
	for id, records := range byID {
		out.Duplicated += len(records) - 1
		for _, rec := range records[1:] {
			c.look(rec.DedupID == records[0].DedupID, "%s was sent with two deduplication ids", id)
			if rec.Deduplicated {
				out.Deduplicated++
			}
		}
	}
	return c
}

// judgeFaults looks whether every fault has fired as often as planned. Those that an interruption left out or cut short
// are not wrong.
func (r *run) judgeFaults(out *Report) Check {
	c := Check{Name: "every injected fault fired and was survived"}
	for _, f := range r.faults {
		if f.at == nil {
			continue
		}
		out.Faults = append(out.Faults, f.Fault)
		c.look(r.interrupted || f.Fired == f.Planned && f.Survived > 0, "%s: it fired %d times of %d", f.Name, f.Fired, f.Planned)
	}
	return c
}
