package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	sdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	ebapi "github.com/aws/aws-sdk-go-v2/service/eventbridge"
	ebtypes "github.com/aws/aws-sdk-go-v2/service/eventbridge/types"
	lambdaapi "github.com/aws/aws-sdk-go-v2/service/lambda"
	sqsapi "github.com/aws/aws-sdk-go-v2/service/sqs"
	sqstypes "github.com/aws/aws-sdk-go-v2/service/sqs/types"

	"github.com/jmsbridge/jmsbridge/bridge"
)

// newBare returns a loop of the obvious kind: as many workers as calls, each of which takes messages, makes the SDK's own
// structs or encoding/json's text of them, and calls. It has no retries, order, limits, settlement or metrics. What it
// sends has the content of what jmsbridge sends: the same ten attributes, the same fields of the envelope.
func newBare(s settings) (func(context.Context) error, error) {
	client := &http.Client{Transport: &http.Transport{MaxIdleConns: s.calls, MaxIdleConnsPerHost: s.calls}}
	keys := credentials.NewStaticCredentialsProvider("AKIDBENCH", "secret", "")
	const region = "us-east-1"
	size := 10
	var call func(context.Context, []bridge.Message) error
	switch s.target {
	case "sqs", "fifo":
		api := sqsapi.New(sqsapi.Options{Region: region, BaseEndpoint: &s.endpoint, Credentials: keys, HTTPClient: client})
		call = sendBatch(api, s)
	case "lambda", "lambda10":
		api := lambdaapi.New(lambdaapi.Options{Region: region, BaseEndpoint: &s.endpoint, Credentials: keys, HTTPClient: client})
		if s.target == "lambda" {
			size = 1
		}
		call = invoke(api, size > 1)
	case "eventbridge":
		api := ebapi.New(ebapi.Options{Region: region, BaseEndpoint: &s.endpoint, Credentials: keys, HTTPClient: client})
		call = putEvents(api)
	default:
		return nil, fmt.Errorf("no target %q", s.target)
	}
	return func(ctx context.Context) error {
		defer client.CloseIdleConnections()
		ctx, cancel := context.WithCancelCause(ctx)
		defer cancel(nil)
		var next atomic.Int64
		var workers sync.WaitGroup
		for range s.calls {
			workers.Go(func() {
				batch := make([]bridge.Message, 0, size)
				for ctx.Err() == nil {
					end := int(next.Add(int64(size)))
					batch = batch[:0]
					for i := end - size; i < min(end, s.messages); i++ {
						batch = append(batch, variants()[i%len(variants())])
					}
					if len(batch) == 0 {
						return
					}
					if err := call(ctx, batch); err != nil {
						cancel(err)
					}
				}
			})
		}
		workers.Wait()
		return context.Cause(ctx)
	}, nil
}

// text is a JMS message as loops write them with encoding/json.
type text struct {
	MessageID   string         `json:"message_id"`
	Destination string         `json:"destination"`
	Timestamp   time.Time      `json:"timestamp"`
	Priority    uint8          `json:"priority"`
	Persistent  bool           `json:"persistent"`
	Redelivered bool           `json:"redelivered"`
	Properties  map[string]any `json:"properties"`
	BodyType    string         `json:"body_type"`
	Body        string         `json:"body"`
}

func textOf(m *bridge.Message) text {
	p := make(map[string]any, properties)
	for name, v := range m.Properties.All() {
		p[name] = v.Str()
	}
	return text{
		MessageID: m.ID, Destination: m.Destination.String(), Timestamp: m.Timestamp, Priority: m.Priority, Persistent: m.Persistent,
		Redelivered: m.Redelivered, Properties: p, BodyType: "text", Body: m.Body.Data(),
	}
}

func sendBatch(api *sqsapi.Client, s settings) func(context.Context, []bridge.Message) error {
	url := s.endpoint + "/123456789012/bench"
	fifo := s.target == "fifo"
	if fifo {
		url += ".fifo"
	}
	return func(ctx context.Context, batch []bridge.Message) error {
		in := &sqsapi.SendMessageBatchInput{QueueUrl: &url, Entries: make([]sqstypes.SendMessageBatchRequestEntry, len(batch))}
		for i := range batch {
			m := &batch[i]
			a := make(map[string]sqstypes.MessageAttributeValue, properties+5)
			word := func(name, value string) {
				a[name] = sqstypes.MessageAttributeValue{DataType: sdk.String("String"), StringValue: &value}
			}
			number := func(name, kind string, value int64) {
				a[name] = sqstypes.MessageAttributeValue{DataType: &kind, StringValue: sdk.String(strconv.FormatInt(value, 10))}
			}
			word("MessageID", m.ID)
			word("JMSDestination", m.Destination.String())
			number("JMSTimestamp", "Number.long", m.Timestamp.UnixMilli())
			number("JMSPriority", "Number.int", int64(m.Priority))
			number("JMSDeliveryMode", "Number.int", 2)
			for name, v := range m.Properties.All() {
				word(name, v.Str())
			}
			in.Entries[i] = sqstypes.SendMessageBatchRequestEntry{Id: sdk.String(strconv.Itoa(i)), MessageBody: sdk.String(m.Body.Data()), MessageAttributes: a}
			if fifo {
				group, _ := account(m)
				in.Entries[i].MessageGroupId, in.Entries[i].MessageDeduplicationId = &group, &m.ID
			}
		}
		out, err := api.SendMessageBatch(ctx, in)
		if err == nil && len(out.Successful) != len(batch) {
			err = errors.New("an entry was refused")
		}
		return err
	}
}

func invoke(api *lambdaapi.Client, list bool) func(context.Context, []bridge.Message) error {
	return func(ctx context.Context, batch []bridge.Message) error {
		var payload []byte
		var err error
		if list {
			all := make([]text, len(batch))
			for i := range batch {
				all[i] = textOf(&batch[i])
			}
			payload, err = json.Marshal(all)
		} else {
			payload, err = json.Marshal(textOf(&batch[0]))
		}
		if err != nil {
			return fmt.Errorf("writing the payload: %w", err)
		}
		out, err := api.Invoke(ctx, &lambdaapi.InvokeInput{FunctionName: sdk.String("bench"), Payload: payload})
		if err == nil && out.FunctionError != nil {
			err = errors.New("the function has failed")
		}
		return err
	}
}

func putEvents(api *ebapi.Client) func(context.Context, []bridge.Message) error {
	return func(ctx context.Context, batch []bridge.Message) error {
		in := &ebapi.PutEventsInput{Entries: make([]ebtypes.PutEventsRequestEntry, len(batch))}
		for i := range batch {
			detail, err := json.Marshal(textOf(&batch[i]))
			if err != nil {
				return fmt.Errorf("writing the detail: %w", err)
			}
			in.Entries[i] = ebtypes.PutEventsRequestEntry{
				EventBusName: sdk.String("bench"), Source: sdk.String("mq.bench"), DetailType: sdk.String("order"),
				Time: &batch[i].Timestamp, Detail: sdk.String(string(detail)),
			}
		}
		out, err := api.PutEvents(ctx, in)
		if err == nil && out.FailedEntryCount != 0 {
			err = errors.New("an entry was refused")
		}
		return err
	}
}
