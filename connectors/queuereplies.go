package connectors

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/jmsbridge/jmsbridge/bridge"
	"github.com/jmsbridge/jmsbridge/bridge/reply"
	"github.com/jmsbridge/jmsbridge/connectors/aws"
	"github.com/jmsbridge/jmsbridge/connectors/aws/sqs"
)

// queueReply is the answer to a requester behind SQS: for its queue, with its correlation id.
func queueReply(request, answer *bridge.Message, deadline time.Time) *bridge.Message {
	if !wantsAnswer(request) {
		return nil
	}
	url, _ := request.Properties.Lookup(replyQueueProperty)
	m := *answer
	m.Key, m.Destination, m.Expiration = request.Key, bridge.Destination{Kind: bridge.Queue, Name: url.Str()}, deadline
	m.CorrelationID, m.ReplyTo = reply.Correlation(request), bridge.Destination{}
	return &m
}

// queueFault tells a requester behind SQS of a failure.
func queueFault(request *bridge.Message, f bridge.Failure, deadline time.Time) (*bridge.Message, error) {
	entries := []bridge.Entry{
		{Name: reply.FaultProperty, Value: bridge.Boolean(true)}, {Name: reply.FaultClass, Value: bridge.String(f.Class.String())},
	}
	if f.Code != "" {
		entries = append(entries, bridge.Entry{Name: reply.FaultCode, Value: bridge.String(f.Code)})
	}
	answer := &bridge.Message{
		Priority: bridge.DefaultPriority, Persistent: true, Properties: bridge.NewProperties(entries), Body: bridge.NewText(f.Text),
	}
	return queueReply(request, answer, deadline), nil
}

// maxReplyQueues bounds how many requesters' queues are known at a time.
const maxReplyQueues = 256

// queueReplies sends each message to the SQS queue that its destination names by a URL.
type queueReplies struct {
	client *aws.Client
	allow  []string
	own    string    // the name of the request queue: an answer there would be a request again
	form   *sqs.Sink // to measure with

	mu    sync.Mutex
	sinks map[string]*sqs.Sink // by URL, connected
}

// newQueueReplies sends to the queues that a pattern allows, but for the request queue itself, which is given by its name,
// URL or ARN.
func newQueueReplies(client *aws.Client, allow []string, requests string) *queueReplies {
	form, _ := sqs.NewSink(sqs.SinkSettings{Client: client, Queue: "any", ObjectBase64: true}) // a name that is one can't fail
	return &queueReplies{client: client, allow: allow, own: queueName(requests), form: form, sinks: map[string]*sqs.Sink{}}
}

func (q *queueReplies) Connect(context.Context) error { return nil }

func (q *queueReplies) Limits() bridge.Limits {
	l := q.form.Limits()
	l.Run, l.Group, l.Dedup, l.Linger = 0, false, false, 0
	return l
}

func (q *queueReplies) Size(o *bridge.Outgoing) (int, error) { return q.form.Size(o) }

// Send makes one call for each queue.
func (q *queueReplies) Send(ctx context.Context, batch []bridge.Outgoing, res []bridge.Result) error {
	byQueue := map[string][]int{}
	for i := range batch {
		url := batch[i].Message.Destination.Name
		byQueue[url] = append(byQueue[url], i)
	}
	for url, places := range byQueue {
		sink, err := q.sink(ctx, url)
		some, results := make([]bridge.Outgoing, len(places)), make([]bridge.Result, len(places))
		for n, i := range places {
			some[n], results[n] = batch[i], bridge.Result{Err: bridge.ErrUnanswered}
			some[n].Group, some[n].DedupID = batch[i].Message.Key, batch[i].Message.Key
		}
		if err == nil {
			err = sink.Send(ctx, some, results)
		}
		for n, i := range places {
			res[i] = results[n]
			if err != nil {
				res[i].Err = err
			}
			res[i].Err = ofTheRequester(res[i].Err)
		}
	}
	return nil
}

// ofTheRequester makes an error that the requester's queue causes one of that reply alone.
func ofTheRequester(err error) error {
	if err != nil && bridge.ClassOf(err) == bridge.Fatal {
		return bridge.Classed(bridge.Permanent, err)
	}
	return err
}

// sink returns the sink of a queue, connected.
func (q *queueReplies) sink(ctx context.Context, url string) (*sqs.Sink, error) {
	if !q.allows(url) {
		return nil, &bridge.Error{
			Class: bridge.Permanent, Code: bridge.CodeReplyRefused, Err: fmt.Errorf("no reply goes to the queue %.200q", url),
			Remedy: "if that requester is to be answered, add a pattern to reply.allow",
		}
	}
	q.mu.Lock()
	known := q.sinks[url]
	q.mu.Unlock()
	if known != nil {
		return known, nil
	}
	made, err := sqs.NewSink(sqs.SinkSettings{Client: q.client, Queue: url, ObjectBase64: true})
	if err != nil {
		return nil, bridge.Classed(bridge.Permanent, err)
	}
	if err := made.Connect(ctx); err != nil {
		return nil, err
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	if known := q.sinks[url]; known != nil {
		return known, made.Close(ctx)
	}
	for old, s := range q.sinks {
		if len(q.sinks) < maxReplyQueues {
			break
		}
		delete(q.sinks, old)
		_ = s.Close(ctx) // ends a goroutine, and can't fail
	}
	q.sinks[url] = made
	return made, nil
}

// queueName is the last part of a queue's URL or ARN.
func queueName(queue string) string {
	queue, _, _ = strings.Cut(queue, "?")
	return queue[strings.LastIndexAny(queue, "/:")+1:]
}

// allows tells whether a reply may go to a queue.
func (q *queueReplies) allows(url string) bool {
	if queueName(url) == q.own {
		return false
	}
	for _, pattern := range q.allow {
		if head, tail, star := strings.Cut(pattern, "*"); url == pattern || star && len(url) >= len(head)+len(tail) &&
			strings.HasPrefix(url, head) && strings.HasSuffix(url, tail) {
			return true
		}
	}
	return false
}

// Close forgets the queues.
func (q *queueReplies) Close(ctx context.Context) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	var errs []error
	for url, s := range q.sinks {
		errs = append(errs, s.Close(ctx))
		delete(q.sinks, url)
	}
	return errors.Join(errs...)
}
