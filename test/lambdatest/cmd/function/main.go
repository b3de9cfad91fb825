// Command function is a Lambda function for tests, built on AWS's own runtime for Go. FUNCTION_MODE chooses what it is:
//
//	(none)    does what its payload says, see request
//	activemq  takes the event of Lambda's mapping for Amazon MQ and answers with what it has decoded
//	batch     the same event; answers batchItemFailures with the messages whose data is "poison"
//	strict    the same event; fails as a whole when any data is "poison"
//	init      fails before it asks for its first call
//	forward   takes an event of EventBridge and sends it to the SQS queue of FUNCTION_QUEUE; then fails as often for one
//	          event as its detail's "fail" says
//	answer    takes an event of jmsbridge by EventBridge and sends its answer to the queue that the event's reply names
package main

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-lambda-go/lambda"
	"github.com/aws/aws-lambda-go/lambdacontext"
)

func main() {
	switch os.Getenv("FUNCTION_MODE") {
	case "activemq":
		lambda.Start(func(_ context.Context, e events.ActiveMQEvent) (events.ActiveMQEvent, error) { return e, nil })
	case "batch":
		lambda.Start(batch)
	case "strict":
		lambda.Start(strict)
	case "init":
		fmt.Fprintln(os.Stderr, "no database")
		os.Exit(3)
	case "forward":
		lambda.Start(newForwarder().handle)
	case "answer":
		lambda.Start(answer)
	default:
		lambda.Start(do)
	}
}

// request is what the function is to do.
type request struct {
	Do    string          `json:"do"` // echo, context, fail, panic, sleep, exit, log, large
	Value json.RawMessage `json:"value"`
	Text  string          `json:"text"`
	Sleep time.Duration   `json:"sleep"`
	Bytes int             `json:"bytes"`
}

// customError has a type of its own, which Lambda tells.
type customError struct{ text string }

func (e *customError) Error() string { return e.text }

func do(ctx context.Context, r request) (any, error) {
	switch r.Do {
	case "echo":
		return r.Value, nil
	case "context":
		lc, _ := lambdacontext.FromContext(ctx)
		at, _ := ctx.Deadline()
		return map[string]any{
			"id": lc.AwsRequestID, "arn": lc.InvokedFunctionArn, "name": lambdacontext.FunctionName, "left": time.Until(at).Milliseconds(),
			"pid": os.Getpid(), "home": os.Getenv("HOME"), "extra": os.Getenv("EXTRA"),
		}, nil
	case "fail":
		return nil, &customError{r.Text}
	case "panic":
		panic(r.Text)
	case "sleep":
		select {
		case <-time.After(r.Sleep):
		case <-ctx.Done(): // a function that does not look at its time
			<-time.After(r.Sleep)
		}
		return "slept", nil
	case "exit":
		fmt.Fprint(os.Stderr, r.Text)
		os.Exit(7)
	case "log":
		fmt.Println(r.Text)
		fmt.Fprint(os.Stderr, "and no line end")
		return "logged", nil
	case "large":
		return strings.Repeat("x", r.Bytes), nil
	}
	return nil, fmt.Errorf("no such thing to do: %q", r.Do)
}

func batch(_ context.Context, e events.ActiveMQEvent) (events.SQSEventResponse, error) {
	var out events.SQSEventResponse // the shape is the same for each mapping that has it
	for _, m := range e.Messages {
		poison, err := isPoison(m)
		if err != nil {
			return out, err
		}
		if poison {
			out.BatchItemFailures = append(out.BatchItemFailures, events.SQSBatchItemFailure{ItemIdentifier: m.MessageID})
		}
	}
	return out, nil
}

func strict(_ context.Context, e events.ActiveMQEvent) (int, error) {
	for _, m := range e.Messages {
		if poison, err := isPoison(m); err != nil || poison {
			return 0, errors.Join(err, fmt.Errorf("cannot digest message %s", m.MessageID))
		}
	}
	return len(e.Messages), nil
}

func isPoison(m events.ActiveMQMessage) (bool, error) {
	data, err := base64.StdEncoding.DecodeString(m.Data)
	return string(data) == "poison", err
}
