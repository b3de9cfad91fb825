package config

import "time"

// Reply is how answers get back to the requester.
type Reply struct {
	From ReplyFrom `mapstructure:"from" required:"true" doc:"where answers come from: the word call, sqs or jms"`

	Target     string        `mapstructure:"target" doc:"the name of the target that answers, where a route has several"`
	Timeout    time.Duration `mapstructure:"timeout" min:"100ms" max:"24h" doc:"how long a request without a JMSExpiration may take"`
	Allow      []string      `mapstructure:"allow" doc:"where replies may go: kind and name, or URLs of SQS queues, with * for any letters"`
	Format     ReplyFormat   `mapstructure:"format" enum:"body|envelope" doc:"body, or envelope: the answer is a whole message with properties, type, priority"`
	Fault      bool          `mapstructure:"fault" doc:"true: a request that failed for good is answered with the error"`
	Key        Secret        `mapstructure:"key" doc:"seals what travels with a request over SQS; at least 32 bytes, best as ${file:PATH}"`
	OldKeys    []Secret      `mapstructure:"old_keys" doc:"keys that still open answers to requests which an earlier key has sealed"`
	Show       bool          `mapstructure:"show" doc:"true: the responder sees JMSReplyTo and the original correlation id too"`
	Once       bool          `mapstructure:"once" doc:"true: at most one reply a request, also after a crash; needs a store"`
	DeadLetter *DeadLetter   `mapstructure:"dead_letter" doc:"for answers that belong to no request; without it the route's"`
}

// ReplyFormat is what an answer means.
type ReplyFormat string

// The formats.
const (
	ReplyFormatBody     ReplyFormat = "body"
	ReplyFormatEnvelope ReplyFormat = "envelope"
)

// ReplyFrom is where answers come from: exactly one is set.
type ReplyFrom struct {
	// Call is the word `call`: the target's answer in the call is the reply.
	Call bool      `mapstructure:"-"`
	SQS  *ReplySQS `mapstructure:"sqs" doc:"the SQS queue to which responders answer"`
	JMS  *ReplyJMS `mapstructure:"jms" doc:"the broker queue to which JMS services answer"`
}

// ReplySQS is the queue that responders answer to.
type ReplySQS struct {
	Queue      string        `mapstructure:"queue" required:"true" doc:"the queue's name, URL or ARN"`
	Consumers  int           `mapstructure:"consumers" min:"1" max:"100" doc:"receive calls at once"`
	Visibility time.Duration `mapstructure:"visibility" min:"10s" max:"12h" doc:"how long an answer stays hidden at a time, also after a crash; extended until it is sent"`
}

// ReplyJMS is the broker queue that JMS services answer to.
type ReplyJMS struct {
	Broker string `mapstructure:"broker" required:"true" doc:"the name of a broker"`
	Queue  string `mapstructure:"queue" doc:"the queue for answers, shared by a selector; without it a temporary one, on Classic alone"`
}

// Store keeps what has to survive a restart: the outcomes of requests whose replies are sent at most once.
type Store struct {
	Bolt     *BoltStore     `mapstructure:"bolt" doc:"a file, for one process"`
	DynamoDB *DynamoDBStore `mapstructure:"dynamodb" doc:"an Amazon DynamoDB table, for several"`
}

// BoltStore is a file.
type BoltStore struct {
	Path string `mapstructure:"path" required:"true" doc:"the file; one process at a time opens it"`
}

// DynamoDBStore is a table.
type DynamoDBStore struct {
	Table string `mapstructure:"table" required:"true" doc:"the table, with a string key named id and the time to live attribute expires"`
}
