package config

import (
	"slices"
	"strings"
	"time"
)

// Target is one of the places where a route's messages go: exactly one of the services is set.
type Target struct {
	Name      string     `mapstructure:"name" doc:"in metrics, status and dead letters; \"\": the service's word, numbered where two are alike"`
	Required  bool       `mapstructure:"required" doc:"false: best effort; messages settle without it, and what it can't take is dropped and counted"`
	Filter    Pattern    `mapstructure:"filter" doc:"an EventBridge event pattern over the envelope, for this target alone"`
	Transform Expression `mapstructure:"transform" doc:"a jq program for this target alone"`
	Retry     *Retry     `mapstructure:"retry" doc:"for this target instead of the route's retry"`

	SQS         *SQSTarget         `mapstructure:"sqs" doc:"an Amazon SQS queue"`
	JMS         *JMSTarget         `mapstructure:"jms" doc:"a queue or topic of a broker"`
	Lambda      *LambdaTarget      `mapstructure:"lambda" doc:"an AWS Lambda function"`
	EventBridge *EventBridgeTarget `mapstructure:"eventbridge" doc:"an Amazon EventBridge event bus"`
	File        *FileTarget        `mapstructure:"file" doc:"a file of JSON lines"`
}

// SQSBody is what the body of an SQS message holds.
type SQSBody string

// The bodies.
const (
	SQSBodyPlain    SQSBody = "body"
	SQSBodyEnvelope SQSBody = "envelope"
)

// ObjectBody is what becomes of a message with a serialised Java object.
type ObjectBody string

// The policies for objects.
const (
	ObjectReject ObjectBody = "reject"
	ObjectBase64 ObjectBody = "base64"
)

// SQSTarget is an Amazon SQS queue as a target or dead letter.
type SQSTarget struct {
	Queue      string     `mapstructure:"queue" required:"true" doc:"the queue's name, URL or ARN"`
	Body       SQSBody    `mapstructure:"body" enum:"body|envelope" doc:"body (headers and properties as attributes) or envelope (all in JSON)"`
	GroupID    Template   `mapstructure:"group_id" doc:"for this target instead of the route's group_id"`
	Attributes []string   `mapstructure:"attributes" doc:"the properties that stay attributes of their own when there are more than ten"`
	Object     ObjectBody `mapstructure:"object" enum:"reject|base64" doc:"reject (to the dead letter) or base64: for serialised Java objects, which are never read"`
}

// JMSTarget is a queue or topic of a broker as a target or dead letter.
type JMSTarget struct {
	Broker string   `mapstructure:"broker" required:"true" doc:"the name of a broker"`
	Queue  Template `mapstructure:"queue" doc:"the queue to send to; a template needs allow"`
	Topic  Template `mapstructure:"topic" doc:"or the topic; a template needs allow"`
	Allow  []string `mapstructure:"allow" doc:"the names that a template may make, with * for any letters"`
}

// Allows tells whether a name that the target's template made may be sent to.
func (t *JMSTarget) Allows(name string) bool {
	return slices.ContainsFunc(t.Allow, func(pattern string) bool { return matchesStars(pattern, name) })
}

// matchesStars matches name against a pattern in which each * stands for any letters, none included.
func matchesStars(pattern, name string) bool {
	parts := strings.Split(pattern, "*")
	last := len(parts) - 1
	if last == 0 {
		return pattern == name
	}
	name, ok := strings.CutPrefix(name, parts[0])
	if !ok {
		return false
	}
	for _, p := range parts[1:last] {
		i := strings.Index(name, p)
		if i < 0 {
			return false
		}
		name = name[i+len(p):]
	}
	return strings.HasSuffix(name, parts[last])
}

// FileTarget is a file of JSON envelopes, one a line.
type FileTarget struct {
	Path   string `mapstructure:"path" required:"true" doc:"the file to append to, relative to this file's folder; \"-\": standard output"`
	NoSync bool   `mapstructure:"no_sync" doc:"true: don't wait for the disk; a crash of the machine loses the last lines"`
}

// Invocation is how a function is called.
type Invocation string

// The ways to call a function.
const (
	InvokeRequestResponse Invocation = "request_response"
	InvokeEvent           Invocation = "event"
)

// Payload is what a function gets.
type Payload string

// The payloads.
const (
	PayloadEnvelope Payload = "envelope"
	PayloadBody     Payload = "body"
	PayloadAWSMQ    Payload = "aws:mq"
)

// LambdaTarget is an AWS Lambda function.
type LambdaTarget struct {
	Function    string      `mapstructure:"function" required:"true" doc:"the function's name or ARN"`
	Qualifier   string      `mapstructure:"qualifier" doc:"a version or alias; \"\": none"`
	Invocation  Invocation  `mapstructure:"invocation" enum:"request_response|event" doc:"request_response (confirmed when it returns) or event (when Lambda has queued it)"`
	Payload     Payload     `mapstructure:"payload" enum:"envelope|body|aws:mq" doc:"envelope, body (of the message alone) or aws:mq (the event of Lambda's own mapping)"`
	Batch       LambdaBatch `mapstructure:"batch" doc:"how many messages a call holds; payload body takes one"`
	Concurrency int         `mapstructure:"concurrency" min:"1" max:"1000" doc:"calls at once"`
	Object      ObjectBody  `mapstructure:"object" enum:"reject|base64" doc:"reject (to the dead letter) or base64: for serialised Java objects, which are never read"`
}

// LambdaBatch is what a call holds.
type LambdaBatch struct {
	Messages int           `mapstructure:"messages" min:"1" max:"10000" doc:"messages; more than one makes the payload a list, and batchItemFailures is honoured"`
	Bytes    Size          `mapstructure:"bytes" min:"1KiB" max:"6MiB" doc:"bytes of the payload"`
	Window   time.Duration `mapstructure:"window" min:"0s" max:"5m" doc:"how long a batch that is not full waits for more"`
}

// Allows tells whether a bus that the target's template made may be used.
func (t *EventBridgeTarget) Allows(name string) bool {
	return slices.ContainsFunc(t.Allow, func(pattern string) bool { return matchesStars(pattern, name) })
}

// Detail is what the detail of an event holds.
type Detail string

// The details.
const (
	DetailEnvelope Detail = "envelope"
	DetailBody     Detail = "body"
)

// EventBridgeTarget is an Amazon EventBridge event bus.
type EventBridgeTarget struct {
	Bus         Template   `mapstructure:"bus" required:"true" doc:"the bus's name or ARN; a template needs allow"`
	Source      Template   `mapstructure:"source" required:"true" doc:"the events' source, such as mq.orders; not aws.…"`
	DetailType  Template   `mapstructure:"detail_type" required:"true" doc:"their detail-type, such as ${.type}"`
	Resources   []Template `mapstructure:"resources" doc:"their resources"`
	Time        Template   `mapstructure:"time" doc:"their time in RFC 3339; \"\": JMSTimestamp"`
	Detail      Detail     `mapstructure:"detail" enum:"envelope|body" doc:"envelope, or body: a text that is a JSON object as it is, anything else wrapped"`
	Allow       []string   `mapstructure:"allow" doc:"the buses that a template may make, with * for any letters"`
	Concurrency int        `mapstructure:"concurrency" min:"1" max:"1000" doc:"calls at once"`
	Object      ObjectBody `mapstructure:"object" enum:"reject|base64" doc:"reject (to the dead letter) or base64: for serialised Java objects, which are never read"`
}
