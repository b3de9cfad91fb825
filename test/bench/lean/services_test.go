package lean_test

import (
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge"
	ebtypes "github.com/aws/aws-sdk-go-v2/service/eventbridge/types"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
)

func TestLambdaTakesTheAnswers(t *testing.T) {
	e, base := newClient(t, 0)
	e.Reset(0, true)
	c := lambda.New(lambda.Options{
		Region: "us-east-1", BaseEndpoint: aws.String(e.URL()), Retryer: aws.NopRetryer{}, HTTPClient: base.Options().HTTPClient,
		Credentials: credentials.NewStaticCredentialsProvider("AKID", "secret", ""),
	})
	f, err := c.GetFunctionConfiguration(t.Context(), &lambda.GetFunctionConfigurationInput{FunctionName: aws.String("orders")})
	if err != nil || aws.ToString(f.FunctionName) != "orders" || aws.ToInt32(f.Timeout) != 30 {
		t.Fatal(err, f)
	}
	for _, call := range []struct {
		payload, answer string
		messages        int64
	}{
		{`{"body":"[1,2]"}`, `{"ok":true}`, 1},
		{`"text"`, `{"ok":true}`, 1},
		{`[{"body":"a","list":[1,{"x":"]"}]}, {"body":"b"},3]`, `{"batchItemFailures":[]}`, 3},
		{`[]`, `{"batchItemFailures":[]}`, 0},
	} {
		before := e.Stats()
		out, err := c.Invoke(t.Context(), &lambda.InvokeInput{FunctionName: aws.String("orders"), Payload: []byte(call.payload)})
		if err != nil || out.FunctionError != nil || string(out.Payload) != call.answer {
			t.Errorf("%s: %v %+v", call.payload, err, out)
		}
		after := e.Stats()
		if after.Messages-before.Messages != call.messages || after.Distinct-before.Distinct != call.messages || after.Requests-before.Requests != 1 {
			t.Errorf("%s: %+v", call.payload, after)
		}
	}
}

func TestEventBridgeTakesTheAnswers(t *testing.T) {
	e, base := newClient(t, 0)
	e.Reset(0, true)
	c := eventbridge.New(eventbridge.Options{
		Region: "us-east-1", BaseEndpoint: aws.String(e.URL()), Retryer: aws.NopRetryer{}, HTTPClient: base.Options().HTTPClient,
		Credentials: credentials.NewStaticCredentialsProvider("AKID", "secret", ""),
	})
	if bus, err := c.DescribeEventBus(t.Context(), &eventbridge.DescribeEventBusInput{Name: aws.String("bench")}); err != nil || bus.Arn == nil {
		t.Fatal(err, bus)
	}
	var entries []ebtypes.PutEventsRequestEntry
	for _, detail := range []string{`{"a":"],}"}`, `{"a":[1,{}]}`, `{}`} {
		entries = append(entries, ebtypes.PutEventsRequestEntry{Detail: aws.String(detail), DetailType: aws.String("t"), Source: aws.String("s")})
	}
	out, err := c.PutEvents(t.Context(), &eventbridge.PutEventsInput{Entries: entries})
	if err != nil || out.FailedEntryCount != 0 || len(out.Entries) != 3 || aws.ToString(out.Entries[2].EventId) != "3" {
		t.Errorf("%v %+v", err, out)
	}
	if s := e.Stats(); s.Messages != 3 || s.Distinct != 3 || s.Requests != 1 || s.First == 0 {
		t.Errorf("%+v", s)
	}
}
