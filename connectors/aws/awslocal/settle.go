package awslocal

import (
	"container/heap"
	"time"
)

func errHandle(handle string) *apiError {
	return plain("ReceiptHandleIsInvalid", "The input receipt handle \""+handle+"\" is not a valid receipt handle.")
}

func errExpired(handle string) *apiError {
	return invalidParameter("Value %s for parameter ReceiptHandle is invalid. Reason: The receipt handle has expired.", handle)
}

func (c *call) deleteMessage() (any, *apiError)         { return c.settleOne((*queue).delete) }
func (c *call) changeVisibility() (any, *apiError)      { return c.settleOne((*queue).hide) }
func (c *call) deleteMessageBatch() (any, *apiError)    { return c.settleBatch((*queue).delete) }
func (c *call) changeVisibilityBatch() (any, *apiError) { return c.settleBatch((*queue).hide) }

func (c *call) settleOne(do func(*queue, *settleRequest, time.Time) *apiError) (any, *apiError) {
	var in settleRequest
	if problem := c.decode(&in); problem != nil {
		return nil, problem
	}
	out, problem := c.settleAll(in.QueueUrl, []settleRequest{in}, do)
	if problem != nil || out == nil {
		return answerless{}, problem
	}
	if len(out.Failed) > 0 {
		failed := out.Failed[0]
		return nil, named(failed.Code, failed.Message, 0)
	}
	return nil, nil // an empty answer
}

func (c *call) settleBatch(do func(*queue, *settleRequest, time.Time) *apiError) (any, *apiError) {
	var in settleBatchRequest
	if problem := c.decode(&in); problem != nil {
		return nil, problem
	}
	ids := make([]string, len(in.Entries))
	for i := range in.Entries {
		ids[i] = in.Entries[i].Id
	}
	if problem := checkBatch(ids); problem != nil {
		c.queue = keyOf(in.QueueUrl).name
		c.logged(problem)
		return nil, problem
	}
	out, problem := c.settleAll(in.QueueUrl, in.Entries, do)
	if problem != nil {
		return nil, problem
	}
	if out == nil {
		return answerless{}, nil
	}
	return out, nil
}

// settleAll applies do to each entry. Nothing, without an error, is for a call that a fault keeps from being processed.
func (c *call) settleAll(url string, entries []settleRequest, do func(*queue, *settleRequest, time.Time) *apiError) (*batchResult[batchOK], *apiError) {
	key, problem := c.begin(url)
	if problem != nil || c.cutBefore() {
		c.logged(problem)
		return nil, problem
	}
	now := time.Now()
	e := c.e
	e.mu.Lock()
	defer e.mu.Unlock()
	q := e.queues[key]
	if q == nil {
		c.logged(errNoQueue())
		return nil, errNoQueue()
	}
	q.tick(now)
	out := &batchResult[batchOK]{}
	for i := range entries {
		in := &entries[i]
		r := &Record{Entry: i, EntryID: in.Id, Faulted: c.fault != nil}
		c.records = append(c.records, r)
		if m, _, ok := q.find(in.ReceiptHandle); ok && m != nil {
			r.MessageID, r.Group, r.Body, r.BodySize = m.id, m.group, m.body, len(m.body)
		}
		if f, hit := c.entryFault(r); hit {
			r.Outcome, r.Code, r.Faulted = Refused, f.Code, true
			out.Failed = append(out.Failed, f)
			continue
		}
		if p := do(q, in, now); p != nil {
			r.Outcome, r.Code = Refused, p.code
			out.Failed = append(out.Failed, batchError{in.Id, true, p.code, p.message})
			continue
		}
		out.Successful = append(out.Successful, batchOK{in.Id})
	}
	e.log.add(c, c.records)
	return out, nil
}

// delete deletes a message. One that is gone already is no error, and neither is a replaced handle of a standard queue,
// which deletes nothing.
func (q *queue) delete(in *settleRequest, _ time.Time) *apiError {
	if in.ReceiptHandle == "" {
		return missingParameter("ReceiptHandle")
	}
	m, current, ok := q.find(in.ReceiptHandle)
	switch {
	case !ok:
		return errHandle(in.ReceiptHandle)
	case m == nil:
		return nil
	case q.fifo && (!current || m.state != inFlight):
		return errExpired(in.ReceiptHandle)
	case current:
		q.settle(m)
	}
	return nil
}

// hide sets how long a message stays hidden from now.
func (q *queue) hide(in *settleRequest, now time.Time) *apiError {
	switch {
	case in.ReceiptHandle == "":
		return missingParameter("ReceiptHandle")
	case in.VisibilityTimeout == nil:
		return missingParameter("VisibilityTimeout")
	case *in.VisibilityTimeout < 0 || *in.VisibilityTimeout > maxVisibility:
		return invalidParameter("Value %d for parameter VisibilityTimeout is invalid. Reason: VisibilityTimeout must be an integer between 0 and %d.", *in.VisibilityTimeout, maxVisibility)
	}
	m, current, ok := q.find(in.ReceiptHandle)
	if !ok {
		return errHandle(in.ReceiptHandle)
	}
	if m == nil {
		return invalidParameter("Value %s for parameter ReceiptHandle is invalid. Reason: Message does not exist or is not available for visibility timeout change.", in.ReceiptHandle)
	}
	if !current || m.state != inFlight {
		if q.fifo {
			return errExpired(in.ReceiptHandle)
		}
		return legacy("MessageNotInflight", "The message referred to isn't in flight.")
	}
	m.due = now.Add(time.Duration(*in.VisibilityTimeout) * time.Second)
	heap.Fix(&q.waiting, m.index)
	if q.waiters > 0 { // the next wake-up may have moved
		q.waiters = 0
		close(q.wake)
		q.wake = make(chan struct{})
	}
	q.tick(now)
	return nil
}
