package awslocal_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"
	"github.com/google/go-cmp/cmp"

	"github.com/jmsbridge/jmsbridge/connectors/aws/awslocal"
)

func TestABatchGoesInAndComesOutOverTheSDK(t *testing.T) {
	e := start(t, awslocal.Options{})
	c, url := client(t, e), queue(t, e, "orders", nil)
	ctx := within(t, 10*time.Second)
	sent, err := c.SendMessageBatch(ctx, &sqs.SendMessageBatchInput{QueueUrl: url, Entries: entries("m", 10)})
	if err != nil {
		t.Fatal(err)
	}
	if len(sent.Successful) != 10 || len(sent.Failed) != 0 {
		t.Fatalf("sent %d, failed %d", len(sent.Successful), len(sent.Failed))
	}
	if d := e.Depth("orders"); d != (awslocal.Depth{Visible: 10}) {
		t.Errorf("depth %+v", d)
	}
	got, err := c.ReceiveMessage(ctx, &sqs.ReceiveMessageInput{
		QueueUrl: url, MaxNumberOfMessages: 10, MessageAttributeNames: []string{"All"},
		MessageSystemAttributeNames: []types.MessageSystemAttributeName{types.MessageSystemAttributeNameAll},
	})
	if err != nil {
		t.Fatal(err)
	}
	var bodies []string
	deletes := make([]types.DeleteMessageBatchRequestEntry, 0, len(got.Messages))
	for i, m := range got.Messages {
		bodies = append(bodies, *m.Body+" "+*m.MessageAttributes["MessageID"].StringValue+" "+m.Attributes["ApproximateReceiveCount"])
		deletes = append(deletes, types.DeleteMessageBatchRequestEntry{Id: aws.String(fmt.Sprint(i)), ReceiptHandle: m.ReceiptHandle})
	}
	var want []string
	for i := range 10 {
		want = append(want, fmt.Sprintf("m%d ID:m%d 1", i, i))
	}
	if d := cmp.Diff(want, bodies); d != "" {
		t.Error(d)
	}
	if d := e.Depth("orders"); d != (awslocal.Depth{InFlight: 10}) {
		t.Errorf("depth %+v", d)
	}
	if out, err := c.DeleteMessageBatch(ctx, &sqs.DeleteMessageBatchInput{QueueUrl: url, Entries: deletes}); err != nil || len(out.Failed) > 0 {
		t.Fatal(err, out)
	}
	if d := e.Depth("orders"); d.Total() != 0 {
		t.Errorf("depth %+v", d)
	}
	u, err := c.GetQueueUrl(ctx, &sqs.GetQueueUrlInput{QueueName: aws.String("orders")})
	if err != nil || *u.QueueUrl != *url {
		t.Error(err, u)
	}
	a, err := c.GetQueueAttributes(ctx, &sqs.GetQueueAttributesInput{QueueUrl: url, AttributeNames: []types.QueueAttributeName{"All"}})
	if err != nil || a.Attributes["MaximumMessageSize"] != "1048576" || a.Attributes["QueueArn"] != e.QueueARN("orders") {
		t.Error(err, a)
	}
}

func TestFIFODeduplicationIsLoggedBeforeItHappens(t *testing.T) {
	e := start(t, awslocal.Options{})
	c, url := client(t, e), queue(t, e, "orders.fifo", nil)
	ctx := within(t, 10*time.Second)
	var ids []string
	for range 2 {
		out, err := c.SendMessage(ctx, &sqs.SendMessageInput{
			QueueUrl: url, MessageBody: aws.String("x"), MessageGroupId: aws.String("g"), MessageDeduplicationId: aws.String("d"),
		})
		if err != nil {
			t.Fatal(err)
		}
		ids = append(ids, *out.MessageId, *out.SequenceNumber)
	}
	if ids[0] != ids[2] || ids[1] != ids[3] || len(ids[1]) != 20 {
		t.Error(ids)
	}
	if n := e.Depth("orders.fifo").Visible; n != 1 {
		t.Errorf("%d messages", n)
	}
	asked := e.Log().ByDedupID("orders.fifo", "d")
	if len(asked) != 2 || asked[0].Deduplicated || !asked[1].Deduplicated || asked[1].Outcome != awslocal.Accepted {
		t.Errorf("%+v", asked)
	}
}
