package awslocal

// actions are the SQS actions that are served.
var actions = map[string]func(*call) (any, *apiError){
	"SendMessage":                  (*call).sendMessage,
	"SendMessageBatch":             (*call).sendMessageBatch,
	"ReceiveMessage":               (*call).receiveMessage,
	"DeleteMessage":                (*call).deleteMessage,
	"DeleteMessageBatch":           (*call).deleteMessageBatch,
	"ChangeMessageVisibility":      (*call).changeVisibility,
	"ChangeMessageVisibilityBatch": (*call).changeVisibilityBatch,
	"CreateQueue":                  (*call).createQueue,
	"DeleteQueue":                  (*call).deleteQueue,
	"PurgeQueue":                   (*call).purgeQueue,
	"GetQueueUrl":                  (*call).getQueueURL,
	"ListQueues":                   (*call).listQueues,
	"GetQueueAttributes":           (*call).getQueueAttributes,
	"SetQueueAttributes":           (*call).setQueueAttributes,
	"ListDeadLetterSourceQueues":   (*call).listSources,
	"TagQueue":                     (*call).tagQueue,
	"UntagQueue":                   (*call).untagQueue,
	"ListQueueTags":                (*call).listTags,
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
