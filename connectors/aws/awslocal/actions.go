package awslocal

// action returns what serves an SQS action; nil: it is not served.
func action(name string) func(*call) (any, *apiError) {
	switch name {
	case "SendMessage":
		return (*call).sendMessage
	case "SendMessageBatch":
		return (*call).sendMessageBatch
	case "ReceiveMessage":
		return (*call).receiveMessage
	case "DeleteMessage":
		return (*call).deleteMessage
	case "DeleteMessageBatch":
		return (*call).deleteMessageBatch
	case "ChangeMessageVisibility":
		return (*call).changeVisibility
	case "ChangeMessageVisibilityBatch":
		return (*call).changeVisibilityBatch
	case "CreateQueue":
		return (*call).createQueue
	case "DeleteQueue":
		return (*call).deleteQueue
	case "PurgeQueue":
		return (*call).purgeQueue
	case "GetQueueUrl":
		return (*call).getQueueURL
	case "ListQueues":
		return (*call).listQueues
	case "GetQueueAttributes":
		return (*call).getQueueAttributes
	case "SetQueueAttributes":
		return (*call).setQueueAttributes
	case "ListDeadLetterSourceQueues":
		return (*call).listSources
	case "TagQueue":
		return (*call).tagQueue
	case "UntagQueue":
		return (*call).untagQueue
	case "ListQueueTags":
		return (*call).listTags
	}
	return nil
}

// answerless is what a call answers whose fault keeps it from being processed: nobody reads it.
type answerless struct{}

// logged puts one record of a call without messages into the log.
func (c *call) logged(problem *apiError) {
	r := &Record{}
	if problem != nil {
		r.Outcome, r.Code, r.Faulted = Refused, problem.code, c.fault != nil
	} else if c.fault != nil {
		r.Faulted = true
	}
	c.records = []*Record{r}
	c.e.log.add(c, c.records)
}
