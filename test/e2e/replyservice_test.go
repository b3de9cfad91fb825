//go:build integration

package e2e_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	sdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"

	"github.com/jmsbridge/jmsbridge/bridge"
	"github.com/jmsbridge/jmsbridge/test/java"
)

const (
	replyKey  = "0123456789-reply-key-0123456789-a"
	secondKey = "0123456789-reply-key-0123456789-b"
)

// service is what stands behind SQS: it answers as AWS's point-to-point sample does, and as badly as a test wants.
type service struct {
	t   testing.TB
	sqs *sqs.Client
}

// newService returns a client of an AWS endpoint; the program under test has its own.
func newService(t testing.TB, url string) *service {
	t.Helper()
	transport := &http.Transport{MaxIdleConnsPerHost: 16}
	t.Cleanup(transport.CloseIdleConnections)
	return &service{t, sqs.New(sqs.Options{
		Region: "us-east-1", BaseEndpoint: &url, HTTPClient: &http.Client{Transport: transport},
		Credentials: credentials.NewStaticCredentialsProvider("AKIDEXAMPLE", "secret-k8Vb21", ""),
	})}
}

// url finds a queue.
func (s *service) url(queue string) string {
	s.t.Helper()
	out, err := s.sqs.GetQueueUrl(s.t.Context(), &sqs.GetQueueUrlInput{QueueName: &queue})
	if err != nil {
		s.t.Fatal(err)
	}
	return *out.QueueUrl
}

// question is a request as a responder sees it.
type question struct{ token, replyURL, body string }

// answer is what it sends.
type answer struct {
	token, body string
	properties  map[string]string
}

// asked reads a request that came over SQS.
func asked(m types.Message) (question, error) {
	token, url := m.MessageAttributes["CorrelationID"].StringValue, m.MessageAttributes["ReplyTo"].StringValue
	if token == nil || url == nil {
		return question{}, fmt.Errorf("a request without CorrelationID or ReplyTo: %v", m.MessageAttributes)
	}
	return question{*token, *url, *m.Body}, nil
}

// askedByEvent reads a request that came over an event bus, and its rule to a queue.
func askedByEvent(m types.Message) (question, error) {
	var event struct {
		Detail struct {
			Body  string `json:"body"`
			Reply struct {
				CorrelationID string    `json:"correlation_id"`
				QueueURL      string    `json:"queue_url"`
				Deadline      time.Time `json:"deadline"`
			} `json:"reply"`
		} `json:"detail"`
	}
	if err := json.Unmarshal([]byte(*m.Body), &event); err != nil {
		return question{}, fmt.Errorf("reading an event: %w", err)
	}
	r := event.Detail.Reply
	if r.CorrelationID == "" || r.QueueURL == "" || time.Until(r.Deadline) <= 0 {
		return question{}, fmt.Errorf("an event that can't be answered: %s", *m.Body)
	}
	return question{r.CorrelationID, r.QueueURL, event.Detail.Body}, nil
}

// respond works on a queue until the test ends. A request is deleted once its answers are sent.
func (s *service) respond(queue string, read func(types.Message) (question, error), behave func(question) []answer) {
	s.t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	var working sync.WaitGroup
	s.t.Cleanup(func() {
		cancel()
		working.Wait()
	})
	url := s.url(queue)
	for range 4 {
		working.Go(func() {
			for ctx.Err() == nil {
				out, err := s.sqs.ReceiveMessage(ctx, &sqs.ReceiveMessageInput{
					QueueUrl: &url, MaxNumberOfMessages: 10, WaitTimeSeconds: 5, MessageAttributeNames: []string{"All"},
				})
				if err != nil {
					if ctx.Err() == nil {
						s.t.Errorf("receiving requests: %v", err)
					}
					return
				}
				for _, m := range out.Messages {
					s.work(ctx, url, m, read, behave)
				}
			}
		})
	}
}

func (s *service) work(ctx context.Context, url string, m types.Message, read func(types.Message) (question, error), behave func(question) []answer) {
	q, err := read(m)
	if err != nil {
		s.t.Error(err)
	} else {
		for _, a := range behave(q) {
			if err := s.send(ctx, q.replyURL, a); err != nil && ctx.Err() == nil {
				s.t.Error(err)
			}
		}
	}
	if _, err := s.sqs.DeleteMessage(ctx, &sqs.DeleteMessageInput{QueueUrl: &url, ReceiptHandle: m.ReceiptHandle}); err != nil && ctx.Err() == nil {
		s.t.Errorf("deleting a request: %v", err)
	}
}

func (s *service) send(ctx context.Context, url string, a answer) error {
	attributes := map[string]types.MessageAttributeValue{}
	for name, value := range a.properties {
		attributes[name] = types.MessageAttributeValue{DataType: sdk.String("String"), StringValue: &value}
	}
	if a.token != "" {
		attributes["CorrelationID"] = types.MessageAttributeValue{DataType: sdk.String("String"), StringValue: &a.token}
	}
	_, err := s.sqs.SendMessage(ctx, &sqs.SendMessageInput{QueueUrl: &url, MessageBody: &a.body, MessageAttributes: attributes})
	if err != nil {
		return fmt.Errorf("sending an answer: %w", err)
	}
	return nil
}

// once answers as a responder should: the body tells which request it is for.
func once(q question) []answer {
	return []answer{{q.token, "answer to " + q.body, map[string]string{"answers": q.body}}}
}

// requests makes n requests, whose bodies are different in the whole test. Each fifth has no correlation id unless all
// are to have one: its answer is correlated by the JMSMessageID.
func requests(name string, n int, all bool, body func(text string) string) []bridge.Message {
	out := make([]bridge.Message, n)
	for i := range out {
		text := fmt.Sprintf("%s %d äöü", name, i)
		out[i].Body = bridge.NewText(body(text))
		if all || i%5 != 0 {
			out[i].CorrelationID = fmt.Sprintf("c-%s-%d", name, i)
		}
	}
	return out
}

func plain(text string) string { return text }

// checkAnswered wants each request to be answered once, with the answer that is its own.
func checkAnswered(t testing.TB, sent []bridge.Message, got []java.Exchanged, stray []bridge.Message, want func(i int) string) {
	t.Helper()
	complain := limitedErrors(t, 10)
	for i, x := range got {
		if len(x.Answers) != 1 {
			complain("request %d (%s) has %d answers after %s", i, x.ID, len(x.Answers), x.Took)
			continue
		}
		if err := isAnswer(&sent[i], x, want(i)); err != nil {
			complain("request %d (%s): %v", i, x.ID, err)
		}
	}
	for _, m := range stray {
		complain("nobody had asked for %q (%s)", m.Body.Data(), m.CorrelationID)
	}
}

// isAnswer checks the one answer to a request.
func isAnswer(sent *bridge.Message, x java.Exchanged, body string) error {
	m := &x.Answers[0]
	correlation := sent.CorrelationID
	if correlation == "" {
		correlation = x.ID
	}
	switch {
	case m.Body.Kind() != bridge.TextBody || m.Body.Data() != body:
		return fmt.Errorf("answered with %s %q, want %q", m.Body.Kind(), m.Body.Data(), body)
	case m.CorrelationID != correlation:
		return fmt.Errorf("answered with correlation id %q, want %q", m.CorrelationID, correlation)
	case m.Expiration.IsZero():
		return fmt.Errorf("the answer never expires")
	case !m.Persistent:
		return fmt.Errorf("a persistent request is answered with a message that is not")
	}
	return nil
}

// replyCount is how many answers of a route ended in this way, by its metrics.
func (p *bridgeProcess) replyCount(route, outcome string) (int, error) {
	url, err := p.admin()
	if err != nil {
		return 0, err
	}
	client := http.Client{Timeout: 5 * time.Second, Transport: &http.Transport{DisableKeepAlives: true}}
	got, err := client.Get(url + "/metrics")
	if err != nil {
		return 0, fmt.Errorf("asking for the metrics: %w", err)
	}
	defer got.Body.Close()
	text, err := io.ReadAll(got.Body)
	if err != nil {
		return 0, fmt.Errorf("reading the metrics: %w", err)
	}
	prefix := fmt.Sprintf("jmsbridge_replies_total{outcome=%q,route=%q} ", outcome, route)
	for line := range strings.Lines(string(text)) {
		if rest, ok := strings.CutPrefix(line, prefix); ok {
			n := 0
			_, err := fmt.Sscan(rest, &n)
			return n, err
		}
	}
	return 0, nil
}

// waitReplies waits until so many answers of a route have ended in this way.
func (p *bridgeProcess) waitReplies(route, outcome string, n int) {
	p.t.Helper()
	eventually(p.t, 30*time.Second, func() (bool, string) {
		have, err := p.replyCount(route, outcome)
		return err == nil && have == n, fmt.Sprintf("%d answers of %s are %s, want %d (%v)", have, route, outcome, n, err)
	})
}

// waitIdle waits until a route has settled so many requests and holds none.
func (p *bridgeProcess) waitIdle(route string, delivered int) {
	p.t.Helper()
	p.waitStatus(route, 30*time.Second, func(s bridge.RouteStatus) bool {
		return s.InFlight == 0 && s.HeldCount == 0 && s.Counters.Delivered == uint64(delivered)
	})
}
