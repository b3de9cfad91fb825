package connectors

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"path/filepath"
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
	return startExchangeWatched(t, nil, routes, queues...)
}

// startExchangeWatched shows each call of the routes to AWS before it is made.
func startExchangeWatched(t *testing.T, watch func(action, body string), routes string, queues ...string) *exchange {
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
	url := x.aws.URL()
	if watch != nil {
		url = watched(t, x.aws, watch)
	}
	text := fmt.Sprintf("brokers: [{name: mq, url: %q}]\naws: {endpoint_url: %q, region: us-east-1}\nroutes:\n%s", x.broker.URL(), url,
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

// watched is the address of a server in front of an endpoint, to which it shows each call.
func watched(t *testing.T, e *awslocal.Endpoint, watch func(action, body string)) string {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return // the client has gone
		}
		watch(r.Header.Get("X-Amz-Target"), string(body))
		r.Body = io.NopCloser(bytes.NewReader(body))
		(&httputil.ReverseProxy{Transport: e.Transport(), Rewrite: func(p *httputil.ProxyRequest) {
			p.Out.URL.Scheme, p.Out.URL.Host = "http", r.Host
		}, ErrorHandler: func(http.ResponseWriter, *http.Request, error) {}}).ServeHTTP(w, r)
	}))
	t.Cleanup(s.Close)
	return s.URL
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

// A bridge that is killed leaves its answers hidden for so long.
func TestAnswersAreHiddenForAsLongAsTheRouteSays(t *testing.T) {
	for _, tc := range []struct{ key, want string }{
		{"{queue: price-replies}", `"VisibilityTimeout":10,`},
		{"{queue: price-replies, visibility: 45s}", `"VisibilityTimeout":45,`},
	} {
		t.Run(tc.key, func(t *testing.T) {
			received := make(chan string, 1)
			startExchangeWatched(t, func(action, body string) {
				if action == "AmazonSQS.ReceiveMessage" {
					select {
					case received <- body:
					default: // one is enough
					}
				}
			}, strings.Replace(replyRoute, "{queue: price-replies}", tc.key, 1), "price-requests", "price-replies", "dlq")
			select {
			case body := <-received:
				if !strings.Contains(body, tc.want) {
					t.Errorf("%s has no %s", body, tc.want)
				}
			case <-time.After(20 * time.Second):
				t.Fatal("nobody receives answers")
			}
		})
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
