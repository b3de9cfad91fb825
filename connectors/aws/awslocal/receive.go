package awslocal

import (
	"strconv"
	"strings"
	"time"
)

const maxVisibility = 43200 // seconds

func (c *call) receiveMessage() (any, *apiError) {
	var in receiveRequest
	if problem := c.decode(&in); problem != nil {
		return nil, problem
	}
	key, problem := c.begin(in.QueueUrl)
	c.logged(problem)
	if problem != nil || c.cutBefore() {
		return answerless{}, problem
	}
	limit, visibility := 1, -1
	if in.MaxNumberOfMessages != nil {
		if limit = *in.MaxNumberOfMessages; limit < 1 || limit > 10 {
			return nil, invalidParameter("Value %d for parameter MaxNumberOfMessages is invalid. Reason: Must be between 1 and 10, if provided.", limit)
		}
	}
	if in.VisibilityTimeout != nil {
		if visibility = *in.VisibilityTimeout; visibility < 0 || visibility > maxVisibility {
			return nil, invalidParameter("Value %d for parameter VisibilityTimeout is invalid. Reason: Must be between 0 and %d.", visibility, maxVisibility)
		}
	}
	if in.WaitTimeSeconds != nil && (*in.WaitTimeSeconds < 0 || *in.WaitTimeSeconds > 20) {
		return nil, invalidParameter("Value %d for parameter WaitTimeSeconds is invalid. Reason: Must be >= 0 and <= 20, if provided.", *in.WaitTimeSeconds)
	}
	system := append(in.AttributeNames, in.MessageSystemAttributeNames...)
	for _, name := range system {
		if !systemAttribute(name) {
			return nil, plain("InvalidAttributeName", "Unknown Attribute "+name+".")
		}
	}
	var out receiveResult
	for {
		c.e.mu.Lock()
		q := c.e.queues[key]
		if q == nil {
			c.e.mu.Unlock()
			return nil, errNoQueue()
		}
		now := time.Now()
		wait := q.set.wait
		if in.WaitTimeSeconds != nil {
			wait = time.Duration(*in.WaitTimeSeconds) * time.Second
		}
		hide := q.set.visibility
		if visibility >= 0 {
			hide = time.Duration(visibility) * time.Second
		}
		room := maxInFlight - (len(q.waiting) - q.delays)
		if room <= 0 && !q.fifo {
			c.e.mu.Unlock()
			return nil, &apiError{kind: "OverLimit", code: "OverLimit", status: 403, message: "Too many messages in flight."}
		}
		taken := q.take(min(limit, room), hide, now)
		for _, m := range taken {
			out.Messages = append(out.Messages, q.shown(m, system, in.MessageAttributeNames))
		}
		left := time.Until(c.arrived.Add(wait))
		if len(taken) > 0 || left <= 0 {
			c.e.mu.Unlock()
			return out, nil
		}
		q.waiters++
		wake, next := q.wake, q.next()
		c.e.mu.Unlock()
		if !next.IsZero() {
			left = max(0, min(left, time.Until(next)))
		}
		timer := time.NewTimer(left)
		select {
		case <-wake:
		case <-timer.C:
		case <-c.ctx.Done():
			timer.Stop()
			return out, nil
		case <-c.e.stop:
			timer.Stop()
			return out, nil
		}
		timer.Stop()
	}
}

func systemAttribute(name string) bool {
	switch name {
	case "All", "SenderId", "SentTimestamp", "ApproximateReceiveCount", "ApproximateFirstReceiveTimestamp", "SequenceNumber",
		"MessageDeduplicationId", "MessageGroupId", "AWSTraceHeader", "DeadLetterQueueSourceArn":
		return true
	}
	return false
}

// shown is a message as a receiver sees it.
func (q *queue) shown(m *message, system, wanted []string) receivedMessage {
	out := receivedMessage{MessageId: m.id, ReceiptHandle: q.receipt(m), MD5OfBody: m.bodyMD5, Body: m.body}
	if len(system) > 0 {
		out.Attributes = map[string]string{}
		for _, name := range system {
			if name == "All" {
				for n, v := range m.system() {
					out.Attributes[n] = v
				}
			} else if v := m.system()[name]; v != "" {
				out.Attributes[name] = v
			}
		}
	}
	for name, a := range m.attributes {
		if asked(wanted, name) {
			if out.MessageAttributes == nil {
				out.MessageAttributes = map[string]Attribute{}
			}
			out.MessageAttributes[name] = a
		}
	}
	out.MD5OfMessageAttributes = md5Attributes(out.MessageAttributes) // of what is shown: recorded from AWS
	return out
}

func asked(wanted []string, name string) bool {
	for _, w := range wanted {
		if w == "All" || w == ".*" || w == name {
			return true
		}
		if prefix, ok := strings.CutSuffix(w, ".*"); ok && strings.HasPrefix(name, prefix) {
			return true
		}
	}
	return false
}

func (m *message) system() map[string]string {
	a := map[string]string{
		"SenderId":                         m.sender,
		"SentTimestamp":                    strconv.FormatInt(m.sent.UnixMilli(), 10),
		"ApproximateReceiveCount":          strconv.Itoa(m.receives),
		"ApproximateFirstReceiveTimestamp": strconv.FormatInt(m.firstSeen.UnixMilli(), 10),
	}
	for name, value := range map[string]string{
		"MessageGroupId": m.group, "MessageDeduplicationId": m.dedup, "AWSTraceHeader": m.trace, "DeadLetterQueueSourceArn": m.source,
	} {
		if value != "" {
			a[name] = value
		}
	}
	if m.sequence != 0 {
		a["SequenceNumber"] = sequenceNumber(m.sequence)
	}
	return a
}
