package connectors

import (
	"context"
	"encoding/json"
	"errors"
	"time"

	"github.com/jmsbridge/jmsbridge/bridge"
	"github.com/jmsbridge/jmsbridge/connectors/aws"
)

// latencyCalls is how many calls are made to find the shortest: the first may open a connection.
const latencyCalls = 3

// measure returns how long the shortest of a few small calls to an SQS queue took; 0 when none was answered. A refusal
// is an answer.
func measure(ctx context.Context, client *aws.Client, target *Found) time.Duration {
	queue, endpoint := target.fact("queue url"), aws.Endpoint{URL: target.fact("endpoint"), Region: target.fact("region"), Service: "sqs"}
	body, err := json.Marshal(map[string]any{"QueueUrl": queue, "AttributeNames": []string{"QueueArn"}})
	if err != nil || queue == "" || endpoint.URL == "" {
		return 0
	}
	caller, err := client.Caller(endpoint, "AmazonSQS.GetQueueAttributes")
	if err != nil {
		return 0
	}
	shortest := time.Duration(0)
	for range latencyCalls {
		call := caller.Acquire()
		call.Body = append(call.Body[:0], body...)
		begun := time.Now()
		err := call.Do(ctx)
		took := time.Since(begun)
		answered := err == nil || answeredWith(err)
		call.Release()
		if answered && (shortest == 0 || took < shortest) {
			shortest = took
		}
	}
	return shortest
}

// answeredWith tells that an error is AWS's own answer.
func answeredWith(err error) bool {
	var e *bridge.Error
	return errors.As(err, &e) && e.RequestID != ""
}

// fact returns a fact's value; "" when it was not found.
func (f *Found) fact(name string) string {
	for _, fact := range f.Facts {
		if fact.Name == name {
			return fact.Value
		}
	}
	return ""
}
