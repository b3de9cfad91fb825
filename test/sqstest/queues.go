package sqstest

import (
	"errors"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"
)

const noQueue = "AWS.SimpleQueueService.NonExistentQueue"

func queueChecks() []check {
	return []check{
		{name: "a queue's URL is found by its name", run: func(p *probe) {
			url := p.queue(nil)
			name := (*url)[strings.LastIndexByte(*url, '/')+1:]
			out, err := p.client.GetQueueUrl(p.ctx, &sqs.GetQueueUrlInput{QueueName: &name})
			p.must(err, "asking for the URL")
			p.equal("URL", *out.QueueUrl, *url)
			arn := strings.Split(p.attributes(url, "QueueArn")["QueueArn"], ":")
			if len(arn) != 6 || arn[2] != "sqs" || arn[5] != name {
				p.errorf("ARN %v", arn)
			}
		}},
		{name: "creating a queue again finds it", run: func(p *probe) {
			name := queueName("")
			in := &sqs.CreateQueueInput{QueueName: &name, Attributes: map[string]string{"VisibilityTimeout": "20"}}
			one, err := p.client.CreateQueue(p.ctx, in)
			p.must(err, "creating")
			p.queues = append(p.queues, *one.QueueUrl)
			two, err := p.client.CreateQueue(p.ctx, in)
			p.must(err, "creating again")
			p.equal("URL", *two.QueueUrl, *one.QueueUrl)
			in.Attributes["VisibilityTimeout"] = "21"
			_, err = p.client.CreateQueue(p.ctx, in)
			p.refused("another attribute", err, "QueueAlreadyExists")
			var exists *types.QueueNameExists
			if !errors.As(err, &exists) {
				p.errorf("the error is a %T", err)
			}
		}},
		{name: "queues are listed by prefix", run: func(p *probe) {
			url := p.queue(nil)
			name := (*url)[strings.LastIndexByte(*url, '/')+1:]
			out, err := p.client.ListQueues(p.ctx, &sqs.ListQueuesInput{QueueNamePrefix: &name})
			p.must(err, "listing")
			p.equal("URLs", out.QueueUrls, []string{*url})
		}},
		{name: "lists come in pages", run: func(p *probe) {
			prefix := queueName("-page-")
			var want []string
			for _, s := range []string{"a", "b", "c"} {
				out, err := p.client.CreateQueue(p.ctx, &sqs.CreateQueueInput{QueueName: aws.String(prefix + s)})
				p.must(err, "creating")
				want = append(want, *out.QueueUrl)
			}
			p.queues = append(p.queues, want...)
			var got []string
			pages := sqs.NewListQueuesPaginator(p.client, &sqs.ListQueuesInput{QueueNamePrefix: &prefix, MaxResults: aws.Int32(2)})
			for n := 0; pages.HasMorePages() && n < 5; n++ {
				page, err := pages.NextPage(p.ctx)
				p.must(err, "next page")
				if len(page.QueueUrls) > 2 {
					p.errorf("%d in a page", len(page.QueueUrls))
				}
				got = append(got, page.QueueUrls...)
			}
			slices.Sort(got)
			p.equal("URLs", got, want)
		}},
		{name: "a missing queue is named so", run: func(p *probe) {
			_, err := p.client.GetQueueUrl(p.ctx, &sqs.GetQueueUrlInput{QueueName: aws.String("no-such-queue")})
			p.refused("GetQueueUrl", err, noQueue)
			var missing *types.QueueDoesNotExist
			if !errors.As(err, &missing) {
				p.errorf("the error is a %T", err)
			}
			there := p.queue(nil)
			url := aws.String((*there)[:strings.LastIndexByte(*there, '/')] + "/no-such-queue")
			_, err = p.trySend(url, "x")
			p.refused("SendMessage", err, noQueue)
			_, err = p.client.SendMessageBatch(p.ctx, &sqs.SendMessageBatchInput{QueueUrl: url, Entries: batch("x")})
			p.refused("SendMessageBatch", err, noQueue)
			_, err = p.client.ReceiveMessage(p.ctx, &sqs.ReceiveMessageInput{QueueUrl: url})
			p.refused("ReceiveMessage", err, noQueue)
			_, err = p.client.GetQueueAttributes(p.ctx, &sqs.GetQueueAttributesInput{QueueUrl: url, AttributeNames: []types.QueueAttributeName{"All"}})
			p.refused("GetQueueAttributes", err, noQueue)
		}},
		{name: "queue names have rules", run: func(p *probe) {
			for _, name := range []string{"a b", "a.b", strings.Repeat("x", 81), "ä"} {
				_, err := p.client.CreateQueue(p.ctx, &sqs.CreateQueueInput{QueueName: &name})
				p.refused(name, err, "InvalidParameterValue")
			}
		}},
		{name: "a FIFO queue's name ends in .fifo", run: func(p *probe) {
			_, err := p.client.CreateQueue(p.ctx, &sqs.CreateQueueInput{QueueName: aws.String(queueName("")), Attributes: map[string]string{"FifoQueue": "true"}})
			p.refused("FIFO without .fifo", err, "InvalidParameterValue")
		}},
		{name: "a name in .fifo is a FIFO queue's", run: func(p *probe) {
			_, err := p.client.CreateQueue(p.ctx, &sqs.CreateQueueInput{QueueName: aws.String(queueName(".fifo"))})
			p.refused(".fifo without FIFO", err, "InvalidParameterValue")
		}},
		{name: "a new queue has AWS's defaults", run: func(p *probe) {
			got := p.attributes(p.queue(nil), "All")
			for name, want := range map[string]string{
				"VisibilityTimeout": "30", "MessageRetentionPeriod": "345600", "DelaySeconds": "0", "ReceiveMessageWaitTimeSeconds": "0",
				"ApproximateNumberOfMessages": "0", "ApproximateNumberOfMessagesNotVisible": "0", "ApproximateNumberOfMessagesDelayed": "0",
			} {
				p.equal(name, got[name], want)
			}
			if got["FifoQueue"] != "" {
				p.errorf("FifoQueue %q", got["FifoQueue"])
			}
		}},
		{name: "a new queue takes messages of 1 MiB", run: func(p *probe) {
			p.equal("MaximumMessageSize", p.attributes(p.queue(nil), "MaximumMessageSize")["MaximumMessageSize"], "1048576")
		}},
		{name: "a new FIFO queue has AWS's defaults", run: func(p *probe) {
			got := p.attributes(p.fifo(nil), "All")
			p.equal("FifoQueue", got["FifoQueue"], "true")
			p.equal("ContentBasedDeduplication", got["ContentBasedDeduplication"], "false")
		}},
		{name: "attributes are set and read back", run: func(p *probe) {
			url := p.queue(map[string]string{"VisibilityTimeout": "11", "MaximumMessageSize": "2048"})
			_, err := p.client.SetQueueAttributes(p.ctx, &sqs.SetQueueAttributesInput{QueueUrl: url, Attributes: map[string]string{"VisibilityTimeout": "12", "DelaySeconds": "3"}})
			p.must(err, "setting")
			got := p.attributes(url, "VisibilityTimeout", "DelaySeconds", "MaximumMessageSize")
			p.equal("attributes", got, map[string]string{"VisibilityTimeout": "12", "DelaySeconds": "3", "MaximumMessageSize": "2048"})
		}},
		{name: "attributes out of range are refused", run: func(p *probe) {
			url := p.queue(nil)
			for name, value := range map[string]string{
				"VisibilityTimeout": "43201", "MessageRetentionPeriod": "59", "DelaySeconds": "901", "ReceiveMessageWaitTimeSeconds": "21", "MaximumMessageSize": "1023",
			} {
				_, err := p.client.SetQueueAttributes(p.ctx, &sqs.SetQueueAttributesInput{QueueUrl: url, Attributes: map[string]string{name: value}})
				p.refused(name+"="+value, err, "InvalidAttributeValue")
			}
		}},
		{name: "an unknown attribute is refused", run: func(p *probe) {
			_, err := p.client.GetQueueAttributes(p.ctx, &sqs.GetQueueAttributesInput{QueueUrl: p.queue(nil), AttributeNames: []types.QueueAttributeName{"Colour"}})
			p.refused("Colour", err, "InvalidAttributeName")
		}},
		{name: "the counts tell visible, hidden and delayed", run: func(p *probe) {
			url := p.queue(nil)
			for range 3 {
				p.send(url, "x")
			}
			p.send(url, "later", func(in *sqs.SendMessageInput) { in.DelaySeconds = 900 })
			p.receive(url, 0, upTo(1))
			got := p.attributes(url, "ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible", "ApproximateNumberOfMessagesDelayed")
			p.equal("counts", got, map[string]string{
				"ApproximateNumberOfMessages": "2", "ApproximateNumberOfMessagesNotVisible": "1", "ApproximateNumberOfMessagesDelayed": "1",
			})
		}},
		{name: "a purge empties a queue", run: func(p *probe) {
			url := p.queue(nil)
			p.send(url, "x")
			_, err := p.client.PurgeQueue(p.ctx, &sqs.PurgeQueueInput{QueueUrl: url})
			p.must(err, "purging")
			p.equal("left", bodies(p.receive(url, 0)), []string{})
		}},
		{name: "a second purge has to wait", run: func(p *probe) {
			url := p.queue(nil)
			_, err := p.client.PurgeQueue(p.ctx, &sqs.PurgeQueueInput{QueueUrl: url})
			p.must(err, "purging")
			_, err = p.client.PurgeQueue(p.ctx, &sqs.PurgeQueueInput{QueueUrl: url})
			p.refused("again", err, "AWS.SimpleQueueService.PurgeQueueInProgress")
		}},
		{name: "a deleted queue is gone", run: func(p *probe) {
			url := p.queue(nil)
			_, err := p.client.DeleteQueue(p.ctx, &sqs.DeleteQueueInput{QueueUrl: url})
			p.must(err, "deleting")
			_, err = p.trySend(url, "x")
			p.refused("sending", err, noQueue)
		}},
		{name: "tags are kept", run: func(p *probe) {
			url := p.queue(nil)
			_, err := p.client.TagQueue(p.ctx, &sqs.TagQueueInput{QueueUrl: url, Tags: map[string]string{"a": "1", "b": "2"}})
			p.must(err, "tagging")
			_, err = p.client.UntagQueue(p.ctx, &sqs.UntagQueueInput{QueueUrl: url, TagKeys: []string{"a"}})
			p.must(err, "untagging")
			out, err := p.client.ListQueueTags(p.ctx, &sqs.ListQueueTagsInput{QueueUrl: url})
			p.must(err, "listing")
			p.equal("tags", out.Tags, map[string]string{"b": "2"})
		}},
	}
}

// checks are all checks.
func checks() []check {
	return slices.Concat(queueChecks(), sendChecks(), attributeChecks(), receiveChecks(), fifoChecks(), slowChecks())
}
