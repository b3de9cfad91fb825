package awslocal

import (
	"maps"
	"slices"
	"sort"
	"strconv"
	"strings"
	"time"
)

const coolDown = time.Minute // after a purge, and before a deleted name may be used again

func (c *call) createQueue() (any, *apiError) {
	var in queueRequest
	if problem := c.decode(&in); problem != nil {
		return nil, problem
	}
	c.queue = in.QueueName
	key := queueKey{c.account(), in.QueueName}
	problem := c.gate(key)
	c.logged(problem)
	if problem != nil || c.cutBefore() {
		return answerless{}, problem
	}
	c.e.mu.Lock()
	defer c.e.mu.Unlock()
	tags := in.Tags
	if tags == nil {
		tags = in.Tags_
	}
	q, problem := c.e.create(key, in.Attributes, tags, time.Now())
	if problem != nil {
		return nil, problem
	}
	return queueURL{q.url}, nil
}

// create makes a queue, or finds it when it has these attributes; e.mu is held.
func (e *Endpoint) create(key queueKey, given, tags map[string]string, now time.Time) (*queue, *apiError) {
	fifo := strings.HasSuffix(key.name, ".fifo")
	if !validQueueName(key.name) {
		return nil, invalidParameter("Value %s for parameter QueueName is invalid. Reason: Can only include alphanumeric characters, hyphens, or underscores. 1 to 80 in length.", key.name)
	}
	if fifo != (given["FifoQueue"] == "true") {
		if fifo {
			return nil, invalidParameter("Value %s for parameter QueueName is invalid. Reason: Can only include alphanumeric characters, hyphens, or underscores. 1 to 80 in length.", key.name)
		}
		if given["FifoQueue"] == "true" {
			return nil, invalidParameter("Value %s for parameter QueueName is invalid. Reason: The name of a FIFO queue must end with the .fifo suffix.", key.name)
		}
	}
	if q := e.queues[key]; q != nil {
		for name, value := range given {
			if q.attributes[name] != value {
				return nil, &apiError{
					kind: "QueueNameExists", code: "QueueAlreadyExists", status: 400,
					message: "A queue already exists with the same name and a different value for attribute " + name,
				}
			}
		}
		return q, nil
	}
	if at, ok := e.deleted[key]; ok && now.Sub(at) < coolDown {
		return nil, legacy("QueueDeletedRecently", "You must wait 60 seconds after deleting a queue before you can create another with the same name.")
	}
	attributes := defaults(fifo)
	set, problem := e.merge(attributes, given, fifo)
	if problem != nil {
		return nil, problem
	}
	delete(e.deleted, key)
	q := e.newQueue(key, set, attributes, now)
	maps.Copy(q.tags, tags)
	e.queues[key] = q
	return q, nil
}

// onQueue decodes a request about one queue and runs do with e.mu held.
func (c *call) onQueue(do func(*queue, *queueRequest) (any, *apiError)) (any, *apiError) {
	var in queueRequest
	if problem := c.decode(&in); problem != nil {
		return nil, problem
	}
	key, problem := c.begin(in.QueueUrl)
	c.logged(problem)
	if problem != nil || c.cutBefore() {
		return answerless{}, problem
	}
	c.e.mu.Lock()
	defer c.e.mu.Unlock()
	q := c.e.queues[key]
	if q == nil {
		return nil, errNoQueue()
	}
	return do(q, &in)
}

func (c *call) deleteQueue() (any, *apiError) {
	return c.onQueue(func(q *queue, _ *queueRequest) (any, *apiError) {
		delete(c.e.queues, q.queueKey)
		c.e.deleted[q.queueKey] = time.Now()
		close(q.wake) // receivers look again and find nothing
		q.wake, q.waiters = make(chan struct{}), 0
		return nil, nil // an empty answer
	})
}

func (c *call) purgeQueue() (any, *apiError) {
	return c.onQueue(func(q *queue, _ *queueRequest) (any, *apiError) {
		now := time.Now()
		if !q.purged.IsZero() && now.Sub(q.purged) < coolDown {
			p := legacy("PurgeQueueInProgress", "Only one PurgeQueue operation on "+q.name+" is allowed every 60 seconds.")
			p.status = 403
			return nil, p
		}
		q.purged = now
		q.empty()
		return nil, nil // an empty answer
	})
}

func (q *queue) empty() {
	for q.all.head != nil {
		q.settle(q.all.head)
	}
}

func (c *call) getQueueURL() (any, *apiError) {
	var in queueRequest
	if problem := c.decode(&in); problem != nil {
		return nil, problem
	}
	key := queueKey{c.account(), in.QueueName}
	if in.QueueOwnerAWSAccountId != "" {
		key.account = in.QueueOwnerAWSAccountId
	}
	c.queue = key.name
	problem := c.gate(key)
	c.logged(problem)
	if problem != nil || c.cutBefore() {
		return answerless{}, problem
	}
	c.e.mu.Lock()
	defer c.e.mu.Unlock()
	q := c.e.queues[key]
	if q == nil {
		return nil, errNoQueue()
	}
	return queueURL{q.url}, nil
}

func (c *call) listQueues() (any, *apiError) {
	var in queueRequest
	if problem := c.decode(&in); problem != nil {
		return nil, problem
	}
	problem := c.gate(queueKey{})
	c.logged(problem)
	if problem != nil || c.cutBefore() {
		return answerless{}, problem
	}
	c.e.mu.Lock()
	defer c.e.mu.Unlock()
	var urls []string
	for key, q := range c.e.queues {
		if key.account == c.account() && strings.HasPrefix(key.name, in.QueueNamePrefix) {
			urls = append(urls, q.url)
		}
	}
	sort.Strings(urls)
	from, _ := slices.BinarySearch(urls, in.NextToken)
	urls = urls[from:]
	out := struct {
		QueueUrls []string `json:",omitempty"`
		NextToken string   `json:",omitempty"`
	}{QueueUrls: urls}
	limit := 1000
	if in.MaxResults != nil {
		if limit = *in.MaxResults; limit < 1 || limit > 1000 {
			return nil, invalidParameter("Value %d for parameter MaxResults is invalid. Reason: MaxResults must be an integer between 1 and 1000.", limit)
		}
	}
	if len(urls) > limit {
		out.QueueUrls = urls[:limit]
		if in.MaxResults != nil {
			out.NextToken = urls[limit]
		}
	}
	return out, nil
}

func (c *call) listSources() (any, *apiError) {
	return c.onQueue(func(q *queue, _ *queueRequest) (any, *apiError) {
		urls := []string{}
		for _, other := range c.e.queues {
			if other.set.redrive.target == q.queueKey {
				urls = append(urls, other.url)
			}
		}
		sort.Strings(urls)
		return map[string][]string{"queueUrls": urls}, nil
	})
}

func (c *call) getQueueAttributes() (any, *apiError) {
	return c.onQueue(func(q *queue, in *queueRequest) (any, *apiError) {
		all := maps.Clone(q.attributes)
		visible, hidden, waiting := q.counts(time.Now())
		all["QueueArn"] = q.arn
		all["ApproximateNumberOfMessages"] = strconv.Itoa(visible)
		all["ApproximateNumberOfMessagesNotVisible"] = strconv.Itoa(hidden)
		all["ApproximateNumberOfMessagesDelayed"] = strconv.Itoa(waiting)
		all["CreatedTimestamp"] = strconv.FormatInt(q.created.Unix(), 10)
		all["LastModifiedTimestamp"] = strconv.FormatInt(q.modified.Unix(), 10)
		out := map[string]string{}
		for _, name := range in.AttributeNames {
			if name == "All" {
				out = all
				break
			}
			if value, ok := all[name]; ok {
				out[name] = value
			} else if _, fifoOnly := defaults(true)[name]; !stored(name) && name != "RedrivePolicy" && !fifoOnly {
				return nil, plain("InvalidAttributeName", "Unknown Attribute "+name+".")
			}
		}
		if len(out) == 0 {
			return nil, nil // an empty answer
		}
		return map[string]map[string]string{"Attributes": out}, nil
	})
}

func (c *call) setQueueAttributes() (any, *apiError) {
	return c.onQueue(func(q *queue, in *queueRequest) (any, *apiError) {
		all := maps.Clone(q.attributes)
		set, problem := c.e.merge(all, in.Attributes, q.fifo)
		if problem != nil {
			return nil, problem
		}
		q.attributes, q.set, q.modified = all, set, time.Now()
		return nil, nil // an empty answer
	})
}

func (c *call) tagQueue() (any, *apiError) {
	return c.onQueue(func(q *queue, in *queueRequest) (any, *apiError) {
		maps.Copy(q.tags, in.Tags)
		return nil, nil // an empty answer
	})
}

func (c *call) untagQueue() (any, *apiError) {
	return c.onQueue(func(q *queue, in *queueRequest) (any, *apiError) {
		for _, name := range in.TagKeys {
			delete(q.tags, name)
		}
		return nil, nil // an empty answer
	})
}

func (c *call) listTags() (any, *apiError) {
	return c.onQueue(func(q *queue, _ *queueRequest) (any, *apiError) {
		return map[string]map[string]string{"Tags": maps.Clone(q.tags)}, nil
	})
}
