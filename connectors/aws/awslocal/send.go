package awslocal

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"time"
)

func (c *call) sendMessage() (any, *apiError) {
	var in sendRequest
	if problem := c.decode(&in); problem != nil {
		return nil, problem
	}
	results, failed, problem := c.send(in.QueueUrl, []sendRequest{in}, false)
	switch {
	case problem != nil:
		return nil, problem
	case len(failed) > 0:
		return nil, failed[0].problem
	case len(results) == 0:
		return answerless{}, nil
	}
	results[0].Id = ""
	return results[0], nil
}

func (c *call) sendMessageBatch() (any, *apiError) {
	var in sendBatchRequest
	if problem := c.decode(&in); problem != nil {
		return nil, problem
	}
	results, failed, problem := c.send(in.QueueUrl, in.Entries, true)
	if problem != nil {
		return nil, problem
	}
	out := batchResult[sendResult]{Successful: results}
	for _, f := range failed {
		out.Failed = append(out.Failed, f.batchError)
	}
	return out, nil
}

// entryFailure is a failed entry, and the error that a single call answers for it.
type entryFailure struct {
	batchError
	problem *apiError
}

// send sends entries. The records go into the log in the order in which the queue has taken the messages.
func (c *call) send(url string, entries []sendRequest, batch bool) ([]sendResult, []entryFailure, *apiError) {
	records := make([]Record, len(entries))
	c.records = make([]*Record, len(entries))
	for i := range entries {
		in, r := &entries[i], &records[i]
		c.records[i] = r
		r.Entry, r.EntryID, r.Attributes, r.Trace = i, in.Id, in.MessageAttributes, in.MessageSystemAttributes["AWSTraceHeader"].StringValue
		r.Group, r.DedupID = deref(in.MessageGroupId), deref(in.MessageDeduplicationId)
		r.Body, r.BodySize = deref(in.MessageBody), len(deref(in.MessageBody))
	}
	key, problem := c.begin(url)
	refuse := func(p *apiError) ([]sendResult, []entryFailure, *apiError) {
		for _, r := range c.records {
			r.Outcome, r.Code, r.Faulted = Refused, p.code, c.fault != nil && problem != nil
		}
		c.e.log.add(c, c.records)
		return nil, nil, p
	}
	if problem != nil {
		return refuse(problem)
	}
	if c.cutBefore() {
		for _, r := range c.records {
			r.Faulted = true
		}
		c.e.log.add(c, c.records)
		return nil, nil, nil
	}
	if batch {
		ids := make([]string, len(entries))
		size := 0
		for i := range entries {
			ids[i] = entries[i].Id
			size += messageSize(deref(entries[i].MessageBody), entries[i].MessageAttributes)
		}
		if p := checkBatch(ids); p != nil {
			return refuse(p)
		}
		if size > maxBatchBytes {
			return refuse(legacy("BatchRequestTooLong", fmt.Sprintf("Batch requests cannot be longer than %d bytes. You have sent %d bytes.", maxBatchBytes, size)))
		}
	}
	made := make([]*message, len(entries)) // outside the lock: digests and checks
	wrong := make([]*apiError, len(entries))
	for i := range entries {
		if deref(entries[i].MessageBody) == "" {
			return refuse(missingParameter("MessageBody"))
		}
		made[i], wrong[i] = c.message(&entries[i])
	}
	now := time.Now()
	e := c.e
	e.mu.Lock()
	defer e.mu.Unlock()
	q := e.queues[key]
	if q == nil {
		return refuse(errNoQueue())
	}
	for i := range entries {
		if p := q.checkSend(&entries[i], batch); p != nil {
			return refuse(p)
		}
	}
	results := make([]sendResult, 0, len(entries))
	var failed []entryFailure
	for i := range entries {
		in, r := &entries[i], c.records[i]
		p := wrong[i]
		if p == nil {
			if size := messageSize(made[i].body, made[i].attributes); size > q.set.maxSize {
				p = invalidParameter("One or more parameters are invalid. Reason: Message must be shorter than %d bytes.", q.set.maxSize)
			}
		}
		if p != nil {
			failed = append(failed, entryFailure{batchError{in.Id, true, p.code, p.message}, p})
			r.Outcome, r.Code = Refused, p.code
			continue
		}
		if f, hit := c.entryFault(r); hit {
			failed = append(failed, entryFailure{f, named(f.Code, f.Message, 0)})
			r.Outcome, r.Code, r.Faulted = Refused, f.Code, true
			continue
		}
		results = append(results, q.accept(in, made[i], r, now))
		r.Faulted = c.fault != nil
	}
	e.log.add(c, c.records)
	return results, failed, nil
}

// message checks what doesn't depend on the queue, and makes the message.
func (c *call) message(in *sendRequest) (*message, *apiError) {
	if p := checkBody(*in.MessageBody); p != nil {
		return nil, p
	}
	if p := checkAttributes(in.MessageAttributes); p != nil {
		return nil, p
	}
	for name, a := range in.MessageSystemAttributes {
		if name != "AWSTraceHeader" || a.DataType != "String" || a.StringValue == "" {
			return nil, invalidParameter("Message system attribute name '%s' is invalid.", name)
		}
	}
	if in.DelaySeconds != nil && (*in.DelaySeconds < 0 || *in.DelaySeconds > 900) {
		return nil, invalidParameter("Value %d for parameter DelaySeconds is invalid. Reason: DelaySeconds must be >= 0 and <= 900.", *in.DelaySeconds)
	}
	return &message{
		id: newID(), body: *in.MessageBody, bodyMD5: md5Hex(*in.MessageBody), attributes: in.MessageAttributes,
		trace: in.MessageSystemAttributes["AWSTraceHeader"].StringValue, sender: "AIDALOCAL" + c.account(),
		group: deref(in.MessageGroupId), dedup: deref(in.MessageDeduplicationId),
	}, nil
}

// checkSend checks the parameters that depend on the kind of the queue. SQS answers these for a whole batch.
func (q *queue) checkSend(in *sendRequest, batch bool) *apiError {
	if g := in.MessageGroupId; g != nil && !validToken(*g) {
		return invalidParameter("Value %s for parameter MessageGroupId is invalid. Reason: MessageGroupId can only include alphanumeric and punctuation characters. 1 to 128 in length.", *g)
	}
	if d := in.MessageDeduplicationId; d != nil && !validToken(*d) {
		return invalidParameter("Value %s for parameter MessageDeduplicationId is invalid. Reason: MessageDeduplicationId can only include alphanumeric and punctuation characters. 1 to 128 in length.", *d)
	}
	if !q.fifo {
		if in.MessageDeduplicationId != nil {
			return invalidParameter("Value %s for parameter MessageDeduplicationId is invalid. Reason: The request include parameter that is not valid for this queue type.", *in.MessageDeduplicationId)
		}
		return nil
	}
	if in.MessageGroupId == nil {
		p := missingParameter("MessageGroupId")
		if batch { // recorded from AWS: another code in a batch
			return invalidParameter("%s", p.message)
		}
		return p
	}
	if in.MessageDeduplicationId == nil && !q.set.contentDedup {
		return invalidParameter("The queue should either have ContentBasedDeduplication enabled or MessageDeduplicationId provided explicitly")
	}
	if in.DelaySeconds != nil && *in.DelaySeconds != 0 {
		return invalidParameter("Value %d for parameter DelaySeconds is invalid. Reason: The request include parameter that is not valid for this queue type.", *in.DelaySeconds)
	}
	return nil
}

// accept takes a checked message into the queue; e.mu is held.
func (q *queue) accept(in *sendRequest, m *message, r *Record, now time.Time) sendResult {
	out := sendResult{
		Id: in.Id, MessageId: m.id, MD5OfMessageBody: m.bodyMD5, MD5OfMessageAttributes: md5Attributes(m.attributes),
		MD5OfMessageSystemAttributes: md5Attributes(in.MessageSystemAttributes),
	}
	m.sent = now
	delay := q.set.delay
	if in.DelaySeconds != nil {
		delay = time.Duration(*in.DelaySeconds) * time.Second
	}
	if q.fifo {
		delay = q.set.delay
		if m.dedup == "" {
			sum := sha256.Sum256([]byte(m.body))
			m.dedup = hex.EncodeToString(sum[:])
			r.DedupID = m.dedup
		}
		key := m.dedup
		if q.set.dedupByGroup {
			key = m.group + "\x00" + key
		}
		if before, ok := q.duplicate(key, now); ok {
			out.MessageId, out.SequenceNumber = before.id, sequenceNumber(before.sequence)
			r.MessageID, r.Deduplicated = before.id, true
			return out
		}
		m.sequence = q.e.nextSequence()
		q.dedup[key] = sentBefore{m.id, m.sequence, now}
		q.ages = append(q.ages, dedupAge{key, now})
		out.SequenceNumber = sequenceNumber(m.sequence)
	}
	r.MessageID = m.id
	q.add(m, delay, now)
	return out
}

// checkBatch checks the ids of a batch's entries.
func checkBatch(ids []string) *apiError {
	if len(ids) == 0 {
		return legacy("EmptyBatchRequest", "There should be at least one SendMessageBatchRequestEntry in the request.")
	}
	if len(ids) > maxBatchEntries {
		return legacy("TooManyEntriesInBatchRequest", fmt.Sprintf("Maximum number of entries per request are %d. You have sent %d.", maxBatchEntries, len(ids)))
	}
	for i, id := range ids {
		if !validEntryID(id) {
			return legacy("InvalidBatchEntryId", "A batch entry id can only contain alphanumeric characters, hyphens and underscores. It can be at most 80 letters long.")
		}
		for _, other := range ids[:i] {
			if other == id {
				return legacy("BatchEntryIdsNotDistinct", "Id "+id+" repeated.")
			}
		}
	}
	return nil
}

func deref(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}

// newID is a random UUID.
func newID() string {
	var b [16]byte
	_, _ = rand.Read(b[:]) // never fails
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	var out [36]byte
	hex.Encode(out[:8], b[:4])
	hex.Encode(out[9:13], b[4:6])
	hex.Encode(out[14:18], b[6:8])
	hex.Encode(out[19:23], b[8:10])
	hex.Encode(out[24:], b[10:])
	out[8], out[13], out[18], out[23] = '-', '-', '-', '-'
	return string(out[:])
}
