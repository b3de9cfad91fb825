package config

import "time"

// Order is which messages keep their order.
type Order string

// The orders.
const (
	OrderNone   Order = "none"
	OrderGroup  Order = "group"
	OrderStrict Order = "strict"
)

// Expired is what becomes of a message whose JMSExpiration has passed.
type Expired string

// The policies for expired messages.
const (
	ExpiredDeadLetter Expired = "dead_letter"
	ExpiredDrop       Expired = "drop"
	ExpiredForward    Expired = "forward"
)

// Route is one source, its targets and its policies.
type Route struct {
	Name       string        `mapstructure:"name" required:"true" doc:"unique; in logs, metrics and deduplication ids, so renaming a route forgets what was sent"`
	Enabled    bool          `mapstructure:"enabled" doc:"false: load and check the route, but don't run it"`
	From       From          `mapstructure:"from" required:"true" doc:"where messages come from"`
	Filter     Pattern       `mapstructure:"filter" doc:"an EventBridge event pattern over the envelope; what does not match is accepted and counted"`
	Transform  Expression    `mapstructure:"transform" doc:"a jq program that makes another envelope of each message's; empty drops the message"`
	To         []Target      `mapstructure:"to" required:"true" doc:"where they go; a message is settled when every required target has confirmed it"`
	Order      Order         `mapstructure:"order" enum:"none|group|strict" doc:"none, group (within JMSXGroupID or group_id) or strict (the whole destination)"`
	GroupID    Template      `mapstructure:"group_id" doc:"the group of a message without JMSXGroupID, such as ${.properties.account}"`
	DeadLetter *DeadLetter   `mapstructure:"dead_letter" doc:"sqs, jms or drop: for messages that can't be delivered; without it they are held at the broker"`
	Expired    Expired       `mapstructure:"expired" enum:"dead_letter|drop|forward" doc:"dead_letter, drop or forward: what becomes of messages past their JMSExpiration"`
	Retry      Retry         `mapstructure:"retry" doc:"how often a failed message is tried again"`
	Window     Window        `mapstructure:"window" doc:"what the route may hold between broker and target"`
	Reply      *Reply        `mapstructure:"reply" doc:"how answers get back to the requester; without it nobody is answered"`
	Drain      time.Duration `mapstructure:"drain" min:"100ms" max:"1h" doc:"at stop, how long running sends may take to finish"`
}

// From is the source of a route: exactly one field is set.
type From struct {
	JMS *JMSSource `mapstructure:"jms" doc:"a queue, topic or subscription of a broker"`
	SQS *SQSSource `mapstructure:"sqs" doc:"an Amazon SQS queue"`
}

// SQSSource is an Amazon SQS queue as a source.
type SQSSource struct {
	Queue      string        `mapstructure:"queue" required:"true" doc:"the queue's name, URL or ARN"`
	Consumers  int           `mapstructure:"consumers" min:"1" max:"100" doc:"receive calls at once"`
	Prefetch   int           `mapstructure:"prefetch" min:"0" max:"32766" doc:"most undeleted messages a consumer; 0: as the target's batches need, at most 1000"`
	Visibility time.Duration `mapstructure:"visibility" min:"10s" max:"12h" doc:"how long a message stays hidden at a time; extended while it is worked on"`
	Wait       time.Duration `mapstructure:"wait" min:"0s" max:"20s" doc:"how long a receive call waits for a message"`
}

// EmptyBody is what a STOMP frame of Classic with neither body nor content-length is taken for.
type EmptyBody string

// The readings of an empty body.
const (
	EmptyBodyHold EmptyBody = "hold"
	EmptyBodyText EmptyBody = "text"
)

// Acknowledge is how deliveries are settled.
type Acknowledge string

// The ways to acknowledge.
const (
	AcknowledgeIndividual Acknowledge = "individual"
	AcknowledgeCumulative Acknowledge = "cumulative"
)

// JMSSource is a queue, topic or subscription of a broker.
type JMSSource struct {
	Broker        string      `mapstructure:"broker" required:"true" doc:"the name of a broker"`
	Queue         string      `mapstructure:"queue" doc:"the queue to consume; wildcards as the broker has them"`
	Topic         string      `mapstructure:"topic" doc:"or the topic; without a subscription, what is published while disconnected is lost"`
	Subscription  string      `mapstructure:"subscription" doc:"the durable subscription's name; \"\": not durable"`
	Selector      string      `mapstructure:"selector" doc:"a JMS selector, in quotes: \"region = 'EU'\""`
	Consumers     int         `mapstructure:"consumers" min:"1" max:"100" doc:"connections, with one subscription each"`
	Prefetch      int         `mapstructure:"prefetch" min:"0" max:"32766" doc:"most unsettled messages a consumer; 0: as the target's batches need, at most 1000"`
	PrefetchBytes Size        `mapstructure:"prefetch_bytes" min:"0B" max:"1GiB" doc:"the same in bytes, which is what Artemis counts; 0B: as prefetch needs"`
	MaxBody       Size        `mapstructure:"max_body" min:"1KiB" max:"1GiB" doc:"a longer body is held at the broker, with that reason"`
	ClientID      string      `mapstructure:"client_id" doc:"the JMS client id; \"\": none, and for a subscription the broker's, or jmsbridge-ROUTE"`
	EmptyBody     EmptyBody   `mapstructure:"empty_body" enum:"hold|text" doc:"hold, or text: on Classic an empty frame may be a Map, Stream or Object"`
	Exclusive     bool        `mapstructure:"exclusive" doc:"true: subscribe exclusively (Classic) even where order does not need it"`
	Acknowledge   Acknowledge `mapstructure:"acknowledge" enum:"individual|cumulative" doc:"individual, or cumulative: faster, Classic only, more duplicates after a crash"`
}

// DeadLetter takes what a route can't deliver: one of SQS and JMS is set, or Drop.
type DeadLetter struct {
	// Drop is the word `drop` in place of a target: such messages are counted and forgotten.
	Drop bool       `mapstructure:"-"`
	SQS  *SQSTarget `mapstructure:"sqs" doc:"an Amazon SQS queue"`
	JMS  *JMSTarget `mapstructure:"jms" doc:"a queue or topic of a broker"`
}

// Retry is how failures of a message are repeated: with full jitter between Min and Max.
type Retry struct {
	Attempts int           `mapstructure:"attempts" min:"1" max:"1000" doc:"tries of one message before the dead letter; a target that is down costs none"`
	Min      time.Duration `mapstructure:"min" min:"1ms" max:"1h" doc:"the longest first wait"`
	Max      time.Duration `mapstructure:"max" min:"1ms" max:"1h" doc:"the longest wait"`
	MaxAge   time.Duration `mapstructure:"max_age" min:"0s" max:"720h" doc:"how long one message may be tried while its target works; 0s: no limit"`
}

// Window is what a route may hold between broker and target.
type Window struct {
	Messages int  `mapstructure:"messages" min:"0" max:"1000000" doc:"messages; 0: as many as the consumers' prefetch allows"`
	Bytes    Size `mapstructure:"bytes" min:"1MiB" max:"64GiB" doc:"bytes of messages; when they are full the consumers wait"`
}

// GroupTemplate returns the template of the group for messages to t that have no JMSXGroupID: the target's own, else
// the route's, else "".
func (r *Route) GroupTemplate(t *Target) Template {
	if t.SQS != nil && t.SQS.GroupID != "" {
		return t.SQS.GroupID
	}
	return r.GroupID
}

// ClientID returns the JMS client id that a route's source connects with: its own; for a durable subscription without
// one its broker's, else jmsbridge-ROUTE; "" for others, which need none.
func (c *Config) ClientID(r *Route) string {
	switch {
	case r.From.JMS == nil:
		return ""
	case r.From.JMS.ClientID != "" || r.From.JMS.Subscription == "":
		return r.From.JMS.ClientID
	}
	if b := c.Broker(r.From.JMS.Broker); b != nil && b.ClientID != "" {
		return b.ClientID
	}
	return "jmsbridge-" + r.Name
}
