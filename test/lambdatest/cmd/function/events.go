package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"

	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"
)

// queues is a client with the settings of the environment, as any function has it.
func queues(ctx context.Context) (*sqs.Client, error) {
	cfg, err := config.LoadDefaultConfig(ctx)
	if err != nil {
		return nil, fmt.Errorf("loading the settings of the environment: %w", err)
	}
	return sqs.NewFromConfig(cfg), nil
}

// forwarder counts how often it has failed for each event. A process has one call at a time.
type forwarder struct{ failed map[string]int }

func newForwarder() *forwarder { return &forwarder{map[string]int{}} }

func (f *forwarder) handle(ctx context.Context, raw json.RawMessage) error {
	var e events.EventBridgeEvent
	if err := json.Unmarshal(raw, &e); err != nil {
		return fmt.Errorf("reading the event: %w", err)
	}
	var detail struct{ Fail int }
	if err := json.Unmarshal(e.Detail, &detail); err != nil {
		return fmt.Errorf("reading the detail: %w", err)
	}
	to, err := queues(ctx)
	if err != nil {
		return err
	}
	in := &sqs.SendMessageInput{QueueUrl: aws.String(os.Getenv("FUNCTION_QUEUE")), MessageBody: aws.String(string(raw))}
	if _, err := to.SendMessage(ctx, in); err != nil {
		return fmt.Errorf("sending the event on: %w", err)
	}
	if f.failed[e.ID] < detail.Fail {
		f.failed[e.ID]++
		return errors.New("failing as asked")
	}
	return nil
}

// asked is the detail of a request.
type asked struct {
	Body  string
	Reply struct {
		CorrelationID string `json:"correlation_id"`
		QueueURL      string `json:"queue_url"`
	}
}

// answer is what docs/replies.md asks of a function behind an event bus: the correlation id as it is, to the queue named.
func answer(ctx context.Context, e events.EventBridgeEvent) error {
	var q asked
	if err := json.Unmarshal(e.Detail, &q); err != nil {
		return fmt.Errorf("reading the request: %w", err)
	}
	to, err := queues(ctx)
	if err != nil {
		return err
	}
	text := func(s string) types.MessageAttributeValue {
		return types.MessageAttributeValue{DataType: aws.String("String"), StringValue: &s}
	}
	_, err = to.SendMessage(ctx, &sqs.SendMessageInput{
		QueueUrl: &q.Reply.QueueURL, MessageBody: aws.String("answer to " + q.Body),
		MessageAttributes: map[string]types.MessageAttributeValue{"CorrelationID": text(q.Reply.CorrelationID), "answers": text(q.Body)},
	})
	if err != nil {
		return fmt.Errorf("sending the answer: %w", err)
	}
	return nil
}
