//go:build integration

package e2e_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/jmsbridge/jmsbridge/connectors/aws/awslocal"
	"github.com/jmsbridge/jmsbridge/test/brokers"
)

// oracle knows what must arrive: message i is a pure function of i.
type oracle struct {
	count, groups int
	owed          int    // messages 0 to owed-1 are confirmed by the broker
	strict        string // the route's name, when its order is strict: the one group of all messages, and groups is 1
	pinned        bool   // the account is the message's JMSXGroupID too
}

// group is the MessageGroupId that message i must have where order is kept.
func (o *oracle) group(i int) string {
	if o.strict != "" {
		return o.strict
	}
	return o.properties(i)["account"]
}

const bodySize = 1024

// properties of a message: five strings, for STOMP carries no other types.
func (o *oracle) properties(i int) map[string]string {
	return map[string]string{
		"number":  strconv.Itoa(i),
		"account": "account-" + strconv.Itoa(i%o.groups),
		"region":  [...]string{"EU", "US", "AP"}[i%3],
		"amount":  strconv.FormatFloat(float64(i)/4, 'f', 2, 64),
		"note":    "Grüße: " + strconv.Itoa(i*7919),
	}
}

func (o *oracle) body(i int) string {
	head := "message " + strconv.Itoa(i) + " äöü "
	unit := strconv.Itoa(i*104729) + "<&>\"'\\ "
	return (head + strings.Repeat(unit, bodySize/len(unit)+1))[:bodySize]
}

func (o *oracle) message(i int) brokers.Message {
	m := brokers.Message{Body: o.body(i)}
	for _, name := range [...]string{"number", "account", "region", "amount", "note"} {
		m.Headers = append(m.Headers, brokers.Header{Name: name, Value: o.properties(i)[name]})
	}
	if o.pinned {
		m.Headers = append(m.Headers, brokers.Header{Name: "JMSXGroupID", Value: o.group(i)})
	}
	return m
}

// preload sends all messages to a queue of the broker.
func (o *oracle) preload(t testing.TB, b *brokers.Broker, queue string) {
	t.Helper()
	start := time.Now()
	c, err := b.Dial(t.Context(), "stomp", brokers.App)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	o.owed, err = c.Publish(t.Context(), queue, o.count, o.message, nil)
	if err != nil {
		t.Fatalf("preloading %s: %d confirmed, %v", queue, o.owed, err)
	}
	t.Logf("%d messages on %s in %s", o.owed, b.Kind(), time.Since(start).Round(time.Millisecond))
}

// recordProperties returns the user properties of what was sent, wherever the mapping has put them.
func recordProperties(r *awslocal.Record) (map[string]string, error) {
	all := map[string]string{}
	if more := r.Text("jmsbridge.more"); more != "" {
		var extra struct {
			Properties map[string]any `json:"properties"`
		}
		if err := json.Unmarshal([]byte(more), &extra); err != nil {
			return nil, fmt.Errorf("reading jmsbridge.more: %w", err)
		}
		for name, v := range extra.Properties {
			all[name] = fmt.Sprint(v)
		}
	}
	for name, a := range r.Attributes {
		if !ownAttribute(name) {
			all[name] = a.StringValue
		}
	}
	return all, nil
}

// ownAttribute tells an attribute that the bridge adds from a property of the message.
func ownAttribute(name string) bool {
	switch name {
	case "MessageID", "CorrelationID", "ReplyTo":
		return true
	}
	return strings.HasPrefix(name, "JMS") || strings.HasPrefix(name, "jmsbridge.")
}

// number checks one sent message against what it should be, and returns its number.
func (o *oracle) number(r *awslocal.Record) (int, error) {
	got, err := recordProperties(r)
	if err != nil {
		return 0, err
	}
	i, err := strconv.Atoi(got["number"])
	if err != nil || i < 0 || i >= o.count {
		return 0, fmt.Errorf("a message that nobody sent: %v", got)
	}
	if want := o.properties(i); !maps.Equal(got, want) {
		return i, fmt.Errorf("properties of message %d: %v, want %v", i, got, want)
	}
	if r.Body != o.body(i) {
		return i, fmt.Errorf("body of message %d: %q, want %q", i, r.Body, o.body(i))
	}
	return i, nil
}

// verdict is what the oracle found in the endpoint's log.
type verdict struct {
	delivered  int // different messages that are stored
	duplicates int // sends beyond the first that was stored or may have been, of all messages
	resent     int // sends of a message after one of it was answered as successful
}

// judge checks everything sent to a queue. problems are reported to t: loss, invention, corruption, order, and
// deduplication ids that differ. How many duplicates there may be is the test's to say.
func (o *oracle) judge(t testing.TB, e *awslocal.Endpoint, queue string, ordered bool) verdict {
	t.Helper()
	var v verdict
	type state struct {
		sends    int
		stored   bool
		answered bool
		dedup    string
	}
	states := make([]state, o.count)
	ids := map[string]int{}       // deduplication id → number
	last := make([]int, o.groups) // the last first delivery of each group, plus one
	complain := limitedErrors(t, 10)
	for _, r := range e.Log().Sends(queue) {
		i, err := o.number(&r)
		if err != nil {
			complain("%v", err)
			continue
		}
		s := &states[i]
		s.sends++
		if s.sends > 1 && r.DedupID != s.dedup {
			complain("message %d was sent with the deduplication ids %q and %q", i, s.dedup, r.DedupID)
		}
		s.dedup = r.DedupID
		if s.answered {
			v.resent++
		}
		if strings.HasSuffix(queue, ".fifo") {
			if other, ok := ids[r.DedupID]; r.DedupID == "" || ok && other != i {
				complain("message %d has the deduplication id %q of message %d", i, r.DedupID, other)
			}
			ids[r.DedupID] = i
			if ordered && r.Group != o.group(i) {
				complain("message %d is in group %q", i, r.Group)
			}
		}
		if !r.Stored() {
			continue
		}
		if s.stored {
			v.duplicates++
		} else {
			v.delivered++
			if g := i % o.groups; ordered {
				if i < last[g] {
					complain("message %d of group %d arrived after message %d", i, g, last[g]-1)
				}
				last[g] = i + 1
			}
		}
		s.stored = true
		s.answered = s.answered || r.Outcome == awslocal.Accepted
	}
	for i := range o.owed {
		if !states[i].stored {
			complain("message %d is lost", i)
		}
	}
	return v
}

// limitedErrors reports the first problems one by one.
func limitedErrors(t testing.TB, limit int) func(format string, args ...any) {
	n := 0
	return func(format string, args ...any) {
		t.Helper()
		n++
		if n <= limit {
			t.Errorf(format, args...)
		} else if n == limit+1 {
			t.Error("… and more")
		}
	}
}

// judgeQueue checks the order of what a consumer of the SQS queue would see, and that it sees everything once.
func (o *oracle) judgeQueue(t testing.TB, e *awslocal.Endpoint, queue string) {
	t.Helper()
	complain := limitedErrors(t, 10)
	last := make([]int, o.groups)
	messages := e.Messages(queue)
	for _, m := range messages {
		i, err := o.number(&awslocal.Record{Body: m.Body, Attributes: m.Attributes})
		if err != nil {
			complain("%v", err)
			continue
		}
		if g := i % o.groups; i < last[g] {
			complain("message %d of group %d lies after message %d", i, g, last[g]-1)
		} else {
			last[g] = i + 1
		}
	}
	if len(messages) != o.owed {
		t.Errorf("%s holds %d messages, want %d", queue, len(messages), o.owed)
	}
}
