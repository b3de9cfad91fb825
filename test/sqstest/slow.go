package sqstest

import (
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
)

// slowChecks take minutes or days: they run in virtual time, where a sleep costs nothing.
func slowChecks() []check {
	return []check{
		{name: "a deduplication id is forgotten after five minutes", virtual: true, run: func(p *probe) {
			url := p.fifo(nil)
			p.send(url, "a", inGroup("g", "d"))
			p.sleep(5*time.Minute - time.Second)
			p.send(url, "b", inGroup("g", "d"))
			p.equal("within", bodies(p.receive(url, 0)), []string{"a"})
			p.sleep(2 * time.Second)
			p.send(url, "c", inGroup("h", "d"))
			p.equal("after", bodies(p.receive(url, 0)), []string{"a", "c"}[1:])
		}},
		{name: "a message is forgotten after its retention period", virtual: true, run: func(p *probe) {
			url := p.queue(map[string]string{"MessageRetentionPeriod": "120"})
			p.send(url, "a")
			p.sleep(119 * time.Second)
			p.send(url, "b")
			p.equal("within", p.attributes(url, "ApproximateNumberOfMessages")["ApproximateNumberOfMessages"], "2")
			p.sleep(2 * time.Second)
			p.equal("after", bodies(p.receive(url, 0)), []string{"b"})
		}},
		{name: "the visibility timeout is 30 s by default", virtual: true, run: func(p *probe) {
			url := p.queue(nil)
			p.send(url, "x")
			p.one(url)
			p.sleep(29 * time.Second)
			p.equal("before", bodies(p.receive(url, 0)), []string{})
			p.sleep(2 * time.Second)
			p.equal("after", bodies(p.receive(url, 0)), []string{"x"})
		}},
		{name: "a queue can be purged again after a minute", virtual: true, run: func(p *probe) {
			url := p.queue(nil)
			for range 2 {
				_, err := p.client.PurgeQueue(p.ctx, &sqs.PurgeQueueInput{QueueUrl: url})
				p.must(err, "purging")
				p.sleep(61 * time.Second)
			}
		}},
		{name: "the name of a deleted queue rests for a minute", virtual: true, run: func(p *probe) {
			name := aws.String(queueName(""))
			out, err := p.client.CreateQueue(p.ctx, &sqs.CreateQueueInput{QueueName: name})
			p.must(err, "creating")
			_, err = p.client.DeleteQueue(p.ctx, &sqs.DeleteQueueInput{QueueUrl: out.QueueUrl})
			p.must(err, "deleting")
			_, err = p.client.CreateQueue(p.ctx, &sqs.CreateQueueInput{QueueName: name})
			p.refused("at once", err, "AWS.SimpleQueueService.QueueDeletedRecently")
			p.sleep(61 * time.Second)
			_, err = p.client.CreateQueue(p.ctx, &sqs.CreateQueueInput{QueueName: name})
			p.must(err, "creating again")
		}},
	}
}

// sleep lets virtual time pass.
func (p *probe) sleep(d time.Duration) {
	select {
	case <-time.After(d):
	case <-p.ctx.Done():
	}
}
