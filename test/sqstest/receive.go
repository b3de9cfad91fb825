package sqstest

import (
	"fmt"
	"strconv"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"
)

func receiveChecks() []check {
	return []check{
		{name: "a receive takes up to ten", run: func(p *probe) {
			url := p.queue(nil)
			for _, n := range []int32{11, -1} {
				_, err := p.client.ReceiveMessage(p.ctx, &sqs.ReceiveMessageInput{QueueUrl: url, MaxNumberOfMessages: n})
				p.refused(fmt.Sprint(n, " messages"), err, "InvalidParameterValue")
			}
		}},
		{name: "a receive waits up to 20 s", run: func(p *probe) {
			_, err := p.client.ReceiveMessage(p.ctx, &sqs.ReceiveMessageInput{QueueUrl: p.queue(nil), WaitTimeSeconds: 21})
			p.refused("21 s", err, "InvalidParameterValue")
		}},
		{name: "a message is hidden while it is in flight", run: func(p *probe) {
			url := p.queue(nil)
			p.send(url, "x")
			p.one(url)
			p.equal("again", bodies(p.receive(url, 0)), []string{})
		}},
		{name: "a message comes back after its visibility timeout", run: func(p *probe) {
			url := p.queue(nil)
			p.send(url, "x")
			one := p.one(url, hidden(1))
			two := p.one(url)
			p.equal("body", *two.Body, "x")
			p.equal("id", *two.MessageId, *one.MessageId)
			if *one.ReceiptHandle == *two.ReceiptHandle {
				p.errorf("the receipt handle is the same")
			}
			p.equal("receive counts", []string{one.Attributes["ApproximateReceiveCount"], two.Attributes["ApproximateReceiveCount"]}, []string{"1", "2"})
		}},
		{name: "a message has its times and its sender", run: func(p *probe) {
			url := p.queue(nil)
			p.send(url, "x")
			a := p.one(url).Attributes
			for _, name := range []string{"SentTimestamp", "ApproximateFirstReceiveTimestamp"} {
				ms, err := strconv.ParseInt(a[name], 10, 64)
				if off := time.Since(time.UnixMilli(ms)); err != nil || off < -time.Minute || off > time.Minute {
					p.errorf("%s %q", name, a[name])
				}
			}
			if a["SenderId"] == "" {
				p.errorf("no SenderId")
			}
		}},
		{name: "visibility can be changed", run: func(p *probe) {
			url := p.queue(nil)
			p.send(url, "x")
			p.giveBack(url, p.one(url))
			m := p.one(url, hidden(1))
			_, err := p.client.ChangeMessageVisibility(p.ctx, &sqs.ChangeMessageVisibilityInput{QueueUrl: url, ReceiptHandle: m.ReceiptHandle, VisibilityTimeout: 60})
			p.must(err, "extending")
			p.equal("after the first timeout", bodies(p.receive(url, 2)), []string{})
		}},
		{name: "visibility can be changed in a batch", run: func(p *probe) {
			url := p.queue(nil)
			p.send(url, "x")
			m := p.one(url)
			out, err := p.client.ChangeMessageVisibilityBatch(p.ctx, &sqs.ChangeMessageVisibilityBatchInput{QueueUrl: url, Entries: []types.ChangeMessageVisibilityBatchRequestEntry{
				{Id: aws.String("good"), ReceiptHandle: m.ReceiptHandle, VisibilityTimeout: 0},
				{Id: aws.String("bad"), ReceiptHandle: aws.String("nonsense"), VisibilityTimeout: 0},
			}})
			p.must(err, "changing")
			if len(out.Successful) != 1 || len(out.Failed) != 1 || *out.Successful[0].Id != "good" || !out.Failed[0].SenderFault {
				p.errorf("successful %+v, failed %+v", out.Successful, out.Failed)
			}
			p.equal("visible again", bodies(p.receive(url, 2)), []string{"x"})
		}},
		{name: "visibility is at most twelve hours", run: func(p *probe) {
			url := p.queue(nil)
			p.send(url, "x")
			_, err := p.client.ChangeMessageVisibility(p.ctx, &sqs.ChangeMessageVisibilityInput{QueueUrl: url, ReceiptHandle: p.one(url).ReceiptHandle, VisibilityTimeout: 43201})
			p.refused("a second more", err, "InvalidParameterValue")
		}},
		{name: "a receipt handle that never was is refused", run: func(p *probe) {
			url := p.queue(nil)
			_, err := p.client.ChangeMessageVisibility(p.ctx, &sqs.ChangeMessageVisibilityInput{QueueUrl: url, ReceiptHandle: aws.String("nonsense"), VisibilityTimeout: 0})
			p.refused("changing", err, "ReceiptHandleIsInvalid")
			_, err = p.client.DeleteMessage(p.ctx, &sqs.DeleteMessageInput{QueueUrl: url, ReceiptHandle: aws.String("nonsense")})
			p.refused("deleting", err, "ReceiptHandleIsInvalid")
		}},
		{name: "a deleted message is gone, and may be deleted again", run: func(p *probe) {
			url := p.queue(nil)
			p.send(url, "x")
			m := p.one(url, hidden(1))
			p.delete(url, m.ReceiptHandle, m.ReceiptHandle)
			p.equal("left", bodies(p.receive(url, 2)), []string{})
		}},
		{name: "messages are deleted in batches", run: func(p *probe) {
			url := p.queue(nil)
			p.send(url, "x")
			m := p.one(url)
			out, err := p.client.DeleteMessageBatch(p.ctx, &sqs.DeleteMessageBatchInput{QueueUrl: url, Entries: []types.DeleteMessageBatchRequestEntry{
				{Id: aws.String("good"), ReceiptHandle: m.ReceiptHandle}, {Id: aws.String("bad"), ReceiptHandle: aws.String("nonsense")},
			}})
			p.must(err, "deleting")
			if len(out.Successful) != 1 || len(out.Failed) != 1 || *out.Failed[0].Id != "bad" || aws.ToString(out.Failed[0].Code) != "ReceiptHandleIsInvalid" || !out.Failed[0].SenderFault {
				p.errorf("successful %+v, failed %+v", out.Successful, out.Failed)
			}
			_, err = p.client.DeleteMessageBatch(p.ctx, &sqs.DeleteMessageBatchInput{QueueUrl: url, Entries: []types.DeleteMessageBatchRequestEntry{}})
			p.refused("no entries", err, "AWS.SimpleQueueService.EmptyBatchRequest")
		}},
		{name: "a long poll of an empty queue waits", run: func(p *probe) {
			url := p.queue(nil)
			began := time.Now()
			p.equal("messages", bodies(p.receive(url, 1)), []string{})
			if d := time.Since(began); d < 900*time.Millisecond || d > 5*time.Second {
				p.errorf("waited %v", d)
			}
		}},
		{name: "a long poll ends when a message comes", run: func(p *probe) {
			url := p.queue(nil)
			began := time.Now()
			got := make(chan []types.Message, 1)
			go func() {
				out, err := p.client.ReceiveMessage(p.ctx, &sqs.ReceiveMessageInput{QueueUrl: url, WaitTimeSeconds: 20})
				if err != nil {
					p.errorf("receiving: %v", err)
					got <- nil
					return
				}
				got <- out.Messages
			}()
			p.receive(p.queue(nil), 1) // gives the other one time to begin
			p.send(url, "x")
			p.equal("messages", bodies(<-got), []string{"x"})
			if d := time.Since(began); d > 10*time.Second {
				p.errorf("took %v", d)
			}
		}},
		{name: "a message that was received too often goes to the dead-letter queue", run: func(p *probe) {
			p.redrive(p.queue(nil), func(a map[string]string) *string { return p.queue(a) }, func(*sqs.SendMessageInput) {})
		}},
		{name: "a dead letter says where it came from", run: func(p *probe) {
			dead := p.queue(nil)
			arn := p.attributes(dead, "QueueArn")["QueueArn"]
			url := p.queue(map[string]string{"RedrivePolicy": fmt.Sprintf(`{"deadLetterTargetArn":%q,"maxReceiveCount":1}`, arn)})
			p.send(url, "x")
			p.giveBack(url, p.one(url))
			p.equal("received", bodies(p.receive(url, 1)), []string{})
			p.equal("source", p.one(dead).Attributes["DeadLetterQueueSourceArn"], p.attributes(url, "QueueArn")["QueueArn"])
			out, err := p.client.ListDeadLetterSourceQueues(p.ctx, &sqs.ListDeadLetterSourceQueuesInput{QueueUrl: dead})
			p.must(err, "listing sources")
			p.equal("sources", out.QueueUrls, []string{*url})
		}},
		{name: "a redrive policy names a queue that is there", run: func(p *probe) {
			url := p.queue(nil)
			arn := p.attributes(url, "QueueArn")["QueueArn"]
			_, err := p.client.SetQueueAttributes(p.ctx, &sqs.SetQueueAttributesInput{QueueUrl: url, Attributes: map[string]string{
				"RedrivePolicy": fmt.Sprintf(`{"deadLetterTargetArn":%q,"maxReceiveCount":1}`, arn+"-none"),
			}})
			if err == nil {
				p.errorf("a missing queue was accepted")
			}
		}},
	}
}

// redrive wants a message to be in dead after two receives, with all that it had.
func (p *probe) redrive(dead *string, source func(map[string]string) *string, change func(*sqs.SendMessageInput)) {
	arn := p.attributes(dead, "QueueArn")["QueueArn"]
	url := source(map[string]string{"RedrivePolicy": fmt.Sprintf(`{"deadLetterTargetArn":%q,"maxReceiveCount":2}`, arn)})
	sent := p.send(url, "x", withAttributes(map[string]types.MessageAttributeValue{"k": text("v")}), change)
	for range 2 {
		p.giveBack(url, p.one(url))
	}
	p.equal("received a third time", bodies(p.receive(url, 1)), []string{})
	m := p.one(dead)
	p.equal("id", *m.MessageId, *sent.MessageId)
	p.equal("body", *m.Body, "x")
	p.equal("attribute", aws.ToString(m.MessageAttributes["k"].StringValue), "v")
}
