package awslocal

import (
	"fmt"
	"time"
)

// QueueOptions describe a queue for [Endpoint.CreateQueue].
type QueueOptions struct {
	// Name ends in .fifo for a FIFO queue.
	Name string
	// Account is the owner; "": the endpoint's account.
	Account string
	// Attributes are as in the API's CreateQueue; FifoQueue is set by the name.
	Attributes map[string]string
}

// CreateQueue makes a queue and returns its URL.
func (e *Endpoint) CreateQueue(o QueueOptions) (string, error) {
	if o.Account == "" {
		o.Account = e.opt.Account
	}
	given := map[string]string{}
	for name, value := range o.Attributes {
		given[name] = value
	}
	if len(o.Name) > 5 && o.Name[len(o.Name)-5:] == ".fifo" {
		given["FifoQueue"] = "true"
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	q, problem := e.create(queueKey{o.Account, o.Name}, given, nil, time.Now())
	if problem != nil {
		return "", fmt.Errorf("creating queue %s: %w", o.Name, problem)
	}
	return q.url, nil
}

// Depth is how many messages a queue holds.
type Depth struct{ Visible, InFlight, Delayed int }

// Total is all of them.
func (d Depth) Total() int { return d.Visible + d.InFlight + d.Delayed }

// Depth counts the messages of a queue, exactly. queue is its name or URL; a queue that does not exist is empty.
func (e *Endpoint) Depth(queue string) Depth {
	e.mu.Lock()
	defer e.mu.Unlock()
	q := e.lookUp(queue)
	if q == nil {
		return Depth{}
	}
	visible, hidden, waiting := q.counts(time.Now())
	return Depth{visible, hidden, waiting}
}

// Message is a message of a queue as it lies there. Its map is shared and not to be changed.
type Message struct {
	ID, Body       string
	Attributes     map[string]Attribute
	Trace          string
	Group, DedupID string
	// SequenceNumber has 20 digits in a FIFO queue, else it is "".
	SequenceNumber string
	SentAt         time.Time
	Receives       int
	InFlight       bool
	// Source is the ARN of the queue that gave it up; "" when it came directly.
	Source string
}

// Text returns the text of an attribute, "" when it is missing.
func (m *Message) Text(attribute string) string { return m.Attributes[attribute].StringValue }

// Messages returns all messages of a queue in the order of their arrival, and changes nothing.
func (e *Endpoint) Messages(queue string) []Message {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.peek(queue)
}

// Drain returns all messages of a queue in the order of their arrival, those in flight too, and removes them.
func (e *Endpoint) Drain(queue string) []Message {
	e.mu.Lock()
	defer e.mu.Unlock()
	out := e.peek(queue)
	if q := e.lookUp(queue); q != nil {
		q.empty()
	}
	return out
}

func (e *Endpoint) peek(queue string) []Message {
	q := e.lookUp(queue)
	if q == nil {
		return nil
	}
	q.tick(time.Now())
	out := make([]Message, 0, q.all.n)
	for m := q.all.head; m != nil; m = m.link[1].next {
		seen := Message{
			ID: m.id, Body: m.body, Attributes: m.attributes, Trace: m.trace, Group: m.group, DedupID: m.dedup,
			SentAt: m.sent, Receives: m.receives, InFlight: m.state == inFlight, Source: m.source,
		}
		if m.sequence != 0 {
			seen.SequenceNumber = sequenceNumber(m.sequence)
		}
		out = append(out, seen)
	}
	return out
}

func (e *Endpoint) lookUp(queue string) *queue {
	key := keyOf(queue)
	if key.account == "" {
		key.account = e.opt.Account
	}
	return e.queues[key]
}

// QueueURL is the URL of a queue of the endpoint's account, whether or not it exists.
func (e *Endpoint) QueueURL(name string) string { return e.url + "/" + e.opt.Account + "/" + name }

// QueueARN is the ARN of a queue of the endpoint's account, whether or not it exists.
func (e *Endpoint) QueueARN(name string) string {
	return "arn:aws:sqs:" + e.opt.Region + ":" + e.opt.Account + ":" + name
}
