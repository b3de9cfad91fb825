package connectors

import (
	"context"
	"fmt"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	sdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	sqsapi "github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"

	"github.com/jmsbridge/jmsbridge/bridge"
	"github.com/jmsbridge/jmsbridge/config"
	"github.com/jmsbridge/jmsbridge/connectors/aws/awslocal"
	"github.com/jmsbridge/jmsbridge/connectors/jms/stomp/stomplocal"
)

// exchange is a broker, an endpoint, the routes between them and a responder behind SQS.
type exchange struct {
	t      *testing.T
	broker *stomplocal.Broker
	aws    *awslocal.Endpoint
	sqs    *sqsapi.Client
	routes []*bridge.Route
}

// startExchange runs the routes of a configuration, in which BROKER and ENDPOINT stand for the addresses.
func startExchange(t *testing.T, routes string, queues ...string) *exchange {
	t.Helper()
	for name, value := range map[string]string{
		"AWS_ACCESS_KEY_ID": "AKIDEXAMPLE", "AWS_SECRET_ACCESS_KEY": "secret", "AWS_SESSION_TOKEN": "", "AWS_REGION": "us-east-1",
		"AWS_CONFIG_FILE": "/dev/null", "AWS_SHARED_CREDENTIALS_FILE": "/dev/null", "AWS_EC2_METADATA_DISABLED": "true", "AWS_ENDPOINT_URL": "",
	} {
		t.Setenv(name, value)
	}
	x := &exchange{t: t, broker: startBroker(t, stomplocal.Options{})}
	var err error
	if x.aws, err = awslocal.Start(awslocal.Options{}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = x.aws.Close() })
	for _, name := range queues {
		if _, err := x.aws.CreateQueue(awslocal.QueueOptions{Name: name}); err != nil {
			t.Fatal(err)
		}
	}
	x.sqs = sqsapi.New(sqsapi.Options{
		Region: x.aws.Region(), BaseEndpoint: sdk.String(x.aws.URL()), HTTPClient: &http.Client{Transport: x.aws.Transport()},
		Credentials: credentials.NewStaticCredentialsProvider("AKIDEXAMPLE", "secret", ""),
	})
	text := fmt.Sprintf("brokers: [{name: mq, url: %q}]\naws: {endpoint_url: %q, region: us-east-1}\nroutes:\n%s", x.broker.URL(), x.aws.URL(),
		strings.ReplaceAll(routes, "ENDPOINT", x.aws.URL()))
	c, err := config.Parse(filepath.Join(t.TempDir(), "bridge.yaml"), []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	set := NewSet(c, nil, bridge.NewMetrics(nil))
	if x.routes, err = set.Routes(); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	for _, r := range x.routes {
		running.Go(func() {
			if err := r.Run(ctx, nil); err != nil {
				t.Error(err)
			}
		})
	}
	t.Cleanup(func() {
		cancel()
		running.Wait()
		set.awsClient().Close()
	})
	return x
}

// respond answers each request on a queue as AWS's point-to-point sample does, until the test ends.
func (x *exchange) respond(queue string, answer func(types.Message) string) {
	ctx, cancel := context.WithCancel(context.Background())
	var working sync.WaitGroup
	x.t.Cleanup(func() {
		cancel()
		working.Wait()
	})
	url := x.aws.QueueURL(queue)
	working.Go(func() {
		for ctx.Err() == nil {
			out, err := x.sqs.ReceiveMessage(ctx, &sqsapi.ReceiveMessageInput{
				QueueUrl: &url, MaxNumberOfMessages: 10, WaitTimeSeconds: 1, MessageAttributeNames: []string{"All"},
			})
			if err != nil {
				return
			}
			for _, m := range out.Messages {
				_, err := x.sqs.SendMessage(ctx, &sqsapi.SendMessageInput{
					QueueUrl: m.MessageAttributes["ReplyTo"].StringValue, MessageBody: sdk.String(answer(m)),
					MessageAttributes: map[string]types.MessageAttributeValue{"CorrelationID": m.MessageAttributes["CorrelationID"]},
				})
				if err != nil {
					x.t.Error(err)
				}
				_, _ = x.sqs.DeleteMessage(ctx, &sqsapi.DeleteMessageInput{QueueUrl: &url, ReceiptHandle: m.ReceiptHandle})
			}
		}
	})
}

// ask puts a request on a queue.
func (x *exchange) ask(queue, replyTo, correlation, body string) string {
	x.t.Helper()
	id, err := x.broker.Publish("/queue/"+queue, stomplocal.Message{ReplyTo: replyTo, CorrelationID: correlation, Body: []byte(body)})
	if err != nil {
		x.t.Fatal(err)
	}
	return id
}

// replies waits for n messages on a reply queue, and returns correlation ids and bodies.
func (x *exchange) replies(queue string, n int) map[string]string {
	x.t.Helper()
	for end := time.Now().Add(20 * time.Second); x.broker.Depth("/queue/"+queue) < n; {
		if time.Now().After(end) {
			for _, r := range x.routes {
				x.t.Logf("%+v", r.Status())
			}
			x.t.Fatalf("%d replies of %d", x.broker.Depth("/queue/"+queue), n)
		}
		<-time.After(10 * time.Millisecond)
	}
	out := map[string]string{}
	for _, m := range x.broker.Browse("/queue/"+queue, 1000) {
		out[m.CorrelationID] = string(m.Body)
	}
	return out
}

const replyRoute = `
- name: prices
  from:
    jms: {broker: mq, queue: prices}
  to:
  - sqs: {queue: price-requests}
  dead_letter:
    sqs: {queue: dlq}
  reply:
    from:
      sqs: {queue: price-replies}
    key: 01234567890123456789012345678901
    allow: ["queue:REPLY.*"]
    timeout: 10s
`

func TestARequesterIsAnsweredByAServiceBehindSQS(t *testing.T) {
	x := startExchange(t, replyRoute, "price-requests", "price-replies", "dlq")
	x.respond("price-requests", func(m types.Message) string {
		if _, ok := m.MessageAttributes["JMSReplyTo"]; ok {
			t.Error("the responder sees where the reply goes")
		}
		if strings.HasPrefix(*m.MessageAttributes["CorrelationID"].StringValue, "c-") {
			t.Error("the responder sees the requester's correlation id")
		}
		return "answer to " + *m.Body
	})
	want := map[string]string{}
	for i := range 50 {
		correlation, body := fmt.Sprintf("c-%d", i), fmt.Sprintf("request %d", i)
		x.ask("prices", "/queue/REPLY.app", correlation, body)
		want[correlation] = "answer to " + body
	}
	id := x.ask("prices", "/queue/REPLY.app", "", "without a correlation id")
	want[id] = "answer to without a correlation id"
	got := x.replies("REPLY.app", len(want))
	for correlation, body := range want {
		if got[correlation] != body {
			t.Errorf("%s is answered with %q, not %q", correlation, got[correlation], body)
		}
	}
}

func TestForgedLateAndUnwantedAnswersReachNobody(t *testing.T) {
	x := startExchange(t, replyRoute, "price-requests", "price-replies", "dlq")
	replies := x.aws.QueueURL("price-replies")
	for _, token := range []string{"forged", strings.Repeat("A", 200)} {
		_, err := x.sqs.SendMessage(t.Context(), &sqsapi.SendMessageInput{
			QueueUrl: &replies, MessageBody: sdk.String("x"),
			MessageAttributes: map[string]types.MessageAttributeValue{"CorrelationID": {DataType: sdk.String("String"), StringValue: &token}},
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	x.ask("prices", "/queue/payments", "c", "a request whose reply may not go there")
	for end := time.Now().Add(20 * time.Second); x.aws.Depth("dlq").Total() < 3; {
		if time.Now().After(end) {
			t.Fatalf("%d dead letters of 3", x.aws.Depth("dlq").Total())
		}
		<-time.After(10 * time.Millisecond)
	}
	if x.aws.Depth("price-requests").Total() != 0 || x.broker.Depth("/queue/payments") != 0 {
		t.Error("somebody was asked for an answer that can't be given")
	}
}

func TestASecondAnswerIsDropped(t *testing.T) {
	x := startExchange(t, replyRoute, "price-requests", "price-replies", "dlq")
	x.respond("price-requests", func(m types.Message) string {
		_, err := x.sqs.SendMessage(t.Context(), &sqsapi.SendMessageInput{
			QueueUrl: m.MessageAttributes["ReplyTo"].StringValue, MessageBody: sdk.String("first"),
			MessageAttributes: map[string]types.MessageAttributeValue{"CorrelationID": m.MessageAttributes["CorrelationID"]},
		})
		if err != nil {
			t.Error(err)
		}
		return "second"
	})
	for i := range 20 {
		x.ask("prices", "/queue/REPLY.app", fmt.Sprint("c-", i), "x")
	}
	x.replies("REPLY.app", 20)
	for end := time.Now().Add(20 * time.Second); x.aws.Depth("price-replies").Total() > 0 && time.Now().Before(end); {
		<-time.After(10 * time.Millisecond)
	}
	if n := x.broker.Depth("/queue/REPLY.app"); n != 20 {
		t.Errorf("%d replies to 20 requests", n)
	}
}

const serviceRoute = `
- name: lookups
  from:
    sqs: {queue: lookup-requests, wait: 1s}
  to:
  - jms: {broker: mq, queue: lookups}
  dead_letter:
    sqs: {queue: dlq}
  reply:
    from:
      jms: {broker: mq, queue: bridge.replies}
    timeout: 5s
    fault: true
    allow: ["ENDPOINT*"]
`

// serve is a JMS service on a queue: it answers to JMSReplyTo with the request's correlation id.
func (x *exchange) serve(queue string, answer func(stomplocal.Message) string) {
	ctx, cancel := context.WithCancel(context.Background())
	var working sync.WaitGroup
	x.t.Cleanup(func() {
		cancel()
		working.Wait()
	})
	working.Go(func() {
		served := map[string]bool{}
		for ctx.Err() == nil {
			for _, m := range x.broker.Browse("/queue/"+queue, 1000) {
				if served[m.ID] {
					continue
				}
				served[m.ID] = true
				if body := answer(m); body != "" {
					if _, err := x.broker.Publish(m.ReplyTo, stomplocal.Message{CorrelationID: m.CorrelationID, Body: []byte(body)}); err != nil {
						x.t.Error(err)
					}
				}
			}
			<-time.After(10 * time.Millisecond)
		}
	})
}

// request puts a request for a JMS service into a queue.
func (x *exchange) request(queue, replyTo, correlation, body string) {
	x.t.Helper()
	url, reply := x.aws.QueueURL(queue), x.aws.QueueURL(replyTo)
	text := func(s string) types.MessageAttributeValue {
		return types.MessageAttributeValue{DataType: sdk.String("String"), StringValue: &s}
	}
	_, err := x.sqs.SendMessage(x.t.Context(), &sqsapi.SendMessageInput{
		QueueUrl: &url, MessageBody: &body,
		MessageAttributes: map[string]types.MessageAttributeValue{"CorrelationID": text(correlation), "ReplyTo": text(reply), "region": text("EU")},
	})
	if err != nil {
		x.t.Fatal(err)
	}
}

// answers takes n messages off an SQS queue, and returns bodies by correlation id.
func (x *exchange) answersIn(queue string, n int) map[string]string {
	x.t.Helper()
	url, out := x.aws.QueueURL(queue), map[string]string{}
	for end := time.Now().Add(20 * time.Second); len(out) < n; {
		if time.Now().After(end) {
			for _, r := range x.routes {
				x.t.Logf("%+v", r.Status())
			}
			x.t.Fatalf("%d answers of %d", len(out), n)
		}
		got, err := x.sqs.ReceiveMessage(x.t.Context(), &sqsapi.ReceiveMessageInput{
			QueueUrl: &url, MaxNumberOfMessages: 10, WaitTimeSeconds: 1, MessageAttributeNames: []string{"All"},
		})
		if err != nil {
			x.t.Fatal(err)
		}
		for _, m := range got.Messages {
			out[*m.MessageAttributes["CorrelationID"].StringValue] = *m.Body
		}
	}
	return out
}

func TestARequesterBehindSQSIsAnsweredByAJMSService(t *testing.T) {
	x := startExchange(t, serviceRoute, "lookup-requests", "answers", "dlq")
	x.serve("lookups", func(m stomplocal.Message) string {
		if m.CorrelationID == "" || !strings.HasPrefix(m.CorrelationID, "jmsbridge.lookups.") || m.Expires.IsZero() {
			t.Errorf("the request has correlation id %q and expires at %v", m.CorrelationID, m.Expires)
		}
		return "answer to " + string(m.Body)
	})
	for i := range 40 {
		x.request("lookup-requests", "answers", fmt.Sprint("c-", i), fmt.Sprint("request ", i))
	}
	got := x.answersIn("answers", 40)
	for i := range 40 {
		if want := fmt.Sprint("answer to request ", i); got[fmt.Sprint("c-", i)] != want {
			t.Errorf("c-%d is answered with %q", i, got[fmt.Sprint("c-", i)])
		}
	}
	for end := time.Now().Add(10 * time.Second); x.aws.Depth("lookup-requests").Total() > 0; {
		if time.Now().After(end) {
			t.Fatalf("%d requests are left", x.aws.Depth("lookup-requests").Total())
		}
		<-time.After(10 * time.Millisecond)
	}
}

func TestNoAnswerGoesToTheRequestQueueItself(t *testing.T) {
	x := startExchange(t, serviceRoute, "lookup-requests", "answers", "dlq")
	var mu sync.Mutex
	var asked []string
	x.serve("lookups", func(m stomplocal.Message) string {
		mu.Lock()
		defer mu.Unlock()
		asked = append(asked, string(m.Body))
		return "answer to " + string(m.Body)
	})
	x.request("lookup-requests", "lookup-requests", "evil", "mine")
	x.request("lookup-requests", "answers", "good", "yours")
	if got := x.answersIn("answers", 1); got["good"] != "answer to yours" {
		t.Errorf("answered with %q", got)
	}
	for end := time.Now().Add(20 * time.Second); x.aws.Depth("lookup-requests").Total() > 0; {
		if time.Now().After(end) {
			t.Fatalf("%d requests are left", x.aws.Depth("lookup-requests").Total())
		}
		<-time.After(10 * time.Millisecond)
	}
	mu.Lock()
	defer mu.Unlock()
	slices.Sort(asked)
	if s := x.routes[0].Status(); s.Replies.Refused != 1 || !slices.Equal(asked, []string{"mine", "yours"}) {
		t.Errorf("%+v, the service was asked %q", s.Replies, asked)
	}
}

// A request that the service does not answer in time is a dead letter; a fault would come too late for its requester.
func TestAServiceThatDoesNotAnswerIsNotWaitedForLonger(t *testing.T) {
	x := startExchange(t, strings.Replace(serviceRoute, "timeout: 5s", "timeout: 1s", 1), "lookup-requests", "answers", "dlq")
	x.request("lookup-requests", "answers", "c", "request")
	for end := time.Now().Add(20 * time.Second); x.aws.Depth("dlq").Total() == 0 || x.aws.Depth("lookup-requests").Total() > 0; {
		if time.Now().After(end) {
			t.Fatalf("%d dead letters, %d requests", x.aws.Depth("dlq").Total(), x.aws.Depth("lookup-requests").Total())
		}
		<-time.After(10 * time.Millisecond)
	}
	if s := x.routes[0].Status(); s.Replies.Late != 1 || x.aws.Depth("answers").Total() != 0 {
		t.Errorf("%+v, %d answers", s.Replies, x.aws.Depth("answers").Total())
	}
}

func TestARequestThatCanNotBeSentIsAnsweredWithAFault(t *testing.T) {
	x := startExchange(t, serviceRoute, "lookup-requests", "answers", "dlq")
	url, reply := x.aws.QueueURL("lookup-requests"), x.aws.QueueURL("answers")
	text := func(s string) types.MessageAttributeValue {
		return types.MessageAttributeValue{DataType: sdk.String("String"), StringValue: &s}
	}
	_, err := x.sqs.SendMessage(t.Context(), &sqsapi.SendMessageInput{
		QueueUrl: &url, MessageBody: sdk.String("***"), MessageAttributes: map[string]types.MessageAttributeValue{
			"CorrelationID": text("c"), "ReplyTo": text(reply), "jmsbridge.encoding": text("base64"),
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	if got := x.answersIn("answers", 1); !strings.Contains(got["c"], "base64") {
		t.Errorf("answered with %q", got["c"])
	}
}
