package demo

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"sync/atomic"
	"time"

	sdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	sqsapi "github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"
	"go.uber.org/zap"

	"github.com/jmsbridge/jmsbridge/bridge"
	"github.com/jmsbridge/jmsbridge/config"
	"github.com/jmsbridge/jmsbridge/connectors"
	"github.com/jmsbridge/jmsbridge/connectors/aws"
	"github.com/jmsbridge/jmsbridge/connectors/aws/awslocal"
	"github.com/jmsbridge/jmsbridge/connectors/jms/stomp/stomplocal"
)

const (
	quotesQueue, pricesQueue            = "quotes", "prices"
	requestsQueue, responsesQueue       = "price-requests", "price-replies"
	replyDeadQueue                      = "requests-dlq"
	quotesFunction                      = "quotes"
	replyKeyID, replySecret             = "DEMOACCESSKEY", "demo-secret-key"
	receiveWait                   int32 = 1 // seconds
)

// replyRoutes are the routes of the demo, as bridge.yaml has them, with shorter waits, for a viewer is waiting too. A request
// that the broker delivers again after its connection was reset is answered once all the same, by once: where the call
// answers the outcome is stored, and over SQS that the reply was sent.
const replyRoutes = `
brokers:
  - {name: demo, url: %q, username: %s, password: %s}
store:
  bolt: {path: %q}
routes:
  - name: quotes
    from:
      jms: {broker: demo, queue: quotes}
    to:
      - lambda: {function: quotes, invocation: request_response}
    reply:
      from: call
      once: true
    dead_letter:
      sqs: {queue: requests-dlq}
    retry: {min: 20ms, max: 500ms}
  - name: prices
    from:
      jms: {broker: demo, queue: prices}
    to:
      - sqs: {queue: price-requests}
    reply:
      from:
        sqs: {queue: price-replies}
      once: true
      key: only-for-a-demo-that-nobody-attacks
      allow: ["queue:REPLY.*"]
    dead_letter:
      sqs: {queue: requests-dlq}
    retry: {min: 20ms, max: 500ms}
`

// replyWorld is the broker, the AWS endpoint with a function and a queue's responder, and the routes in between.
type replyWorld struct {
	broker *stomplocal.Broker
	aws    *awslocal.Endpoint
	sdk    *sqsapi.Client // the responder's
	set    *connectors.Set
	routes []*bridge.Route
	folder string // of the store of outcomes

	failures countdown // calls of the function that are to fail
	doubles  countdown // requests that the responder answers twice
}

// buildReply starts everything but the routes and the responder.
func buildReply(log *zap.Logger) (w *replyWorld, err error) {
	w = &replyWorld{}
	defer func() {
		if err != nil {
			w.close()
		}
	}()
	if w.broker, err = stomplocal.Start(stomplocal.Options{Username: username, Password: password}); err != nil {
		return nil, fmt.Errorf("starting the embedded broker: %w", err)
	}
	w.aws, err = awslocal.Start(awslocal.Options{Keys: []awslocal.Key{{ID: replyKeyID, Secret: replySecret}}, Latency: latency, Seed: 1, LogRecords: -1})
	if err != nil {
		return nil, fmt.Errorf("starting the embedded AWS endpoint: %w", err)
	}
	for _, name := range []string{requestsQueue, responsesQueue, replyDeadQueue} {
		if _, err = w.aws.CreateQueue(awslocal.QueueOptions{Name: name}); err != nil {
			return nil, err
		}
	}
	if err = w.aws.CreateFunction(awslocal.FunctionOptions{Name: quotesFunction, Handler: w.quote}); err != nil {
		return nil, err
	}
	key := credentials.NewStaticCredentialsProvider(replyKeyID, replySecret, "")
	w.sdk = sqsapi.New(sqsapi.Options{Region: w.aws.Region(), BaseEndpoint: sdk.String(w.aws.URL()), Credentials: key})
	if w.folder, err = os.MkdirTemp("", "jmsbridge-demo-"); err != nil {
		return nil, fmt.Errorf("making a folder for the store of outcomes: %w", err)
	}
	text := fmt.Appendf(nil, replyRoutes, w.broker.URL(), username, password, filepath.Join(w.folder, "outcomes.db"))
	cfg, err := config.Parse("bridge.yaml", text)
	if err != nil {
		return nil, err
	}
	w.set = connectors.NewSet(cfg, log, nil)
	w.set.UseAWS(aws.NewClient(aws.Settings{
		Region: w.aws.Region(), EndpointURL: w.aws.URL(), Log: log, Credentials: key,
		Proxy: func(*http.Request) (*url.URL, error) { return nil, nil },
	}))
	if w.routes, err = w.set.Routes(); err != nil {
		return nil, fmt.Errorf("making the routes: %w", err)
	}
	return w, nil
}

// close ends everything but the routes, which have ended.
func (w *replyWorld) close() {
	if w.set != nil {
		_ = w.set.Close() // its outcomes are of no use to anybody
	}
	if w.folder != "" {
		_ = os.RemoveAll(w.folder) // which the system's own cleaning would do later
	}
	if w.broker != nil {
		_ = w.broker.Close() // nothing is kept anyway
	}
	if w.aws != nil {
		_ = w.aws.Close()
	}
}

// errQuote is the function's own failure.
var errQuote = &awslocal.FunctionError{Type: "OutOfLuck", Message: "the function fails once in a while"}

// quote is the function: it gets the envelope and returns a text.
func (w *replyWorld) quote(_ context.Context, payload []byte) ([]byte, error) {
	var request struct {
		Body string `json:"body"`
	}
	if err := json.Unmarshal(payload, &request); err != nil {
		return nil, fmt.Errorf("reading the request: %w", err)
	}
	if w.failures.take() {
		return nil, errQuote
	}
	return json.Marshal(answerTo(request.Body))
}

// answerTo is what both the function and the service answer.
func answerTo(body string) string { return "answer to " + body }

// respond is the service behind SQS, as AWS's point-to-point sample has it: it copies CorrelationID and answers to the
// queue that ReplyTo names. It ends with ctx.
func (w *replyWorld) respond(ctx context.Context) error {
	queue := w.aws.QueueURL(requestsQueue)
	for ctx.Err() == nil {
		got, err := w.sdk.ReceiveMessage(ctx, &sqsapi.ReceiveMessageInput{
			QueueUrl: &queue, MaxNumberOfMessages: 10, WaitTimeSeconds: receiveWait, MessageAttributeNames: []string{"All"},
		})
		if err != nil {
			return unlessEnded(ctx, "receiving requests", err)
		}
		for i := range got.Messages {
			m := &got.Messages[i]
			times := 1
			if w.doubles.take() {
				times = 2
			}
			for range times {
				if err := w.answer(ctx, m); err != nil {
					return unlessEnded(ctx, "answering a request", err)
				}
			}
			_, err := w.sdk.DeleteMessage(ctx, &sqsapi.DeleteMessageInput{QueueUrl: &queue, ReceiptHandle: m.ReceiptHandle})
			if err != nil {
				return unlessEnded(ctx, "deleting a request", err)
			}
		}
	}
	return nil
}

func unlessEnded(ctx context.Context, what string, err error) error {
	if ctx.Err() != nil {
		return nil //nolint:nilerr // the end of ctx is no failure
	}
	return fmt.Errorf("%s: %w", what, err)
}

var errNoReplyTo = errors.New("the request does not say where to answer")

func (w *replyWorld) answer(ctx context.Context, m *types.Message) error {
	id, to := m.MessageAttributes["CorrelationID"], m.MessageAttributes["ReplyTo"]
	if to.StringValue == nil || m.Body == nil {
		return errNoReplyTo
	}
	_, err := w.sdk.SendMessage(ctx, &sqsapi.SendMessageInput{
		QueueUrl: to.StringValue, MessageBody: sdk.String(answerTo(*m.Body)),
		MessageAttributes: map[string]types.MessageAttributeValue{"CorrelationID": id},
	})
	return err
}

// countdown is a fault of the responders' own: it is to happen so many times.
type countdown struct{ left, fired atomic.Int64 }

func (c *countdown) start(times int) injection {
	c.left.Store(int64(times))
	return c
}

// take tells whether it happens now.
func (c *countdown) take() bool {
	for {
		n := c.left.Load()
		if n <= 0 {
			return false
		}
		if c.left.CompareAndSwap(n, n-1) {
			c.fired.Add(1)
			return true
		}
	}
}

func (c *countdown) Fired() int { return int(c.fired.Load()) }
func (c *countdown) Over() bool { return c.left.Load() <= 0 }
func (c *countdown) Remove()    { c.left.Store(0) }

// replyFault is a fault that is still to come, or at work.
type replyFault struct {
	Fault
	inject func() injection
	back   func() bool // as in plannedFault

	at       injection
	injected time.Time
	overAt   int
}

// replyPlan returns the faults in their order.
func (w *replyWorld) plan() []*replyFault {
	const some = 3
	var logins uint64
	return []*replyFault{
		{
			Fault: Fault{Name: "the broker's connection is reset", Planned: 1}, overAt: -1,
			inject: func() injection { // on an ACK, so that it hits the bridge and not the requesters
				logins = w.broker.Stats().Connections
				return w.broker.Inject(stomplocal.Fault{Kind: stomplocal.Drop, Command: "ACK", Times: 1})
			},
			back: func() bool { return w.broker.Stats().Connections > logins },
		},
		{
			Fault: Fault{Name: fmt.Sprintf("the function fails %d times, and is called again", some), Planned: some}, overAt: -1,
			inject: func() injection { return w.failures.start(some) },
		},
		{
			Fault: Fault{Name: fmt.Sprintf("the service answers %d requests twice", some), Planned: some}, overAt: -1,
			inject: func() injection { return w.doubles.start(some) },
			back:   func() bool { return w.aws.Depth(responsesQueue).Total() == 0 },
		},
	}
}
