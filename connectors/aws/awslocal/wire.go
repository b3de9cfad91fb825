package awslocal

// The shapes of the SQS API, as far as they are served.

type sendRequest struct {
	Id                      string
	QueueUrl                string
	MessageBody             *string
	DelaySeconds            *int
	MessageAttributes       map[string]Attribute
	MessageSystemAttributes map[string]Attribute
	MessageDeduplicationId  *string
	MessageGroupId          *string
}

type sendBatchRequest struct {
	QueueUrl string
	Entries  []sendRequest
}

type sendResult struct {
	Id                           string `json:",omitempty"`
	MessageId                    string
	MD5OfMessageBody             string
	MD5OfMessageAttributes       string `json:",omitempty"`
	MD5OfMessageSystemAttributes string `json:",omitempty"`
	SequenceNumber               string `json:",omitempty"`
}

type batchError struct {
	Id          string
	SenderFault bool
	Code        string
	Message     string `json:",omitempty"`
}

type batchResult[T any] struct {
	Successful []T          `json:",omitempty"`
	Failed     []batchError `json:",omitempty"`
}

type batchOK struct {
	Id string
}

type receiveRequest struct {
	QueueUrl                    string
	AttributeNames              []string
	MessageSystemAttributeNames []string
	MessageAttributeNames       []string
	MaxNumberOfMessages         *int
	VisibilityTimeout           *int
	WaitTimeSeconds             *int
	ReceiveRequestAttemptId     string
}

type receivedMessage struct {
	MessageId              string
	ReceiptHandle          string
	MD5OfBody              string
	Body                   string
	Attributes             map[string]string    `json:",omitempty"`
	MD5OfMessageAttributes string               `json:",omitempty"`
	MessageAttributes      map[string]Attribute `json:",omitempty"`
}

type receiveResult struct {
	Messages []receivedMessage `json:",omitempty"`
}

type settleRequest struct {
	Id                string
	QueueUrl          string
	ReceiptHandle     string
	VisibilityTimeout *int
}

type settleBatchRequest struct {
	QueueUrl string
	Entries  []settleRequest
}

type queueRequest struct {
	QueueUrl               string
	QueueName              string
	QueueNamePrefix        string
	QueueOwnerAWSAccountId string
	Attributes             map[string]string // CreateQueue, SetQueueAttributes
	AttributeNames         []string          // GetQueueAttributes
	Tags                   map[string]string
	TagKeys                []string
	Tags_                  map[string]string `json:"tags"` // CreateQueue spells it so
	MaxResults             *int
	NextToken              string
}

type queueURL struct {
	QueueUrl string
}
