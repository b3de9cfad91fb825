package sqstest

import (
	"fmt"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"
)

// grouped makes entries of one group whose deduplication ids are their bodies.
func grouped(group string, bodies ...string) []types.SendMessageBatchRequestEntry {
	out := batch(bodies...)
	for i := range out {
		out[i].MessageGroupId, out[i].MessageDeduplicationId = aws.String(group), out[i].MessageBody
	}
	return out
}

func fifoChecks() []check {
	return []check{
		{name: "a FIFO queue wants a group", run: func(p *probe) {
			_, err := p.trySend(p.fifo(nil), "x", inGroup("", "d"))
			p.refused("no group", err, "MissingParameter")
		}},
		{name: "a FIFO queue wants a group for each entry", run: func(p *probe) {
			entries := grouped("g", "a", "b")
			entries[1].MessageGroupId = nil
			_, err := p.sendBatch(p.fifo(nil), entries)
			p.refused("no group", err, "InvalidParameterValue")
		}},
		{name: "a FIFO queue wants a deduplication id", run: func(p *probe) {
			_, err := p.trySend(p.fifo(nil), "x", inGroup("g", ""))
			p.refused("no deduplication id", err, "InvalidParameterValue")
		}},
		{name: "a FIFO message has no delay of its own", run: func(p *probe) {
			_, err := p.trySend(p.fifo(nil), "x", inGroup("g", "d"), func(in *sqs.SendMessageInput) { in.DelaySeconds = 1 })
			p.refused("delay", err, "InvalidParameterValue")
		}},
		{name: "group and deduplication ids have rules", run: func(p *probe) {
			url := p.fifo(nil)
			for _, id := range []string{"a b", "ä", strings.Repeat("x", 129)} {
				_, err := p.trySend(url, "x", inGroup(id, "d"))
				p.refused("group "+short(id), err, "InvalidParameterValue")
				_, err = p.trySend(url, "x", inGroup("g", id))
				p.refused("deduplication id "+short(id), err, "InvalidParameterValue")
			}
		}},
		{name: "group and deduplication ids take punctuation", run: func(p *probe) {
			const id = "!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~" + "09azAZ"
			url := p.fifo(nil)
			p.send(url, "x", inGroup(id, id))
			a := p.one(url).Attributes
			p.equal("ids", []string{a["MessageGroupId"], a["MessageDeduplicationId"]}, []string{id, id})
		}},
		{name: "a message with a known deduplication id is not stored", run: func(p *probe) {
			url := p.fifo(nil)
			p.send(url, "x", inGroup("g", "d"))
			p.send(url, "y", inGroup("g", "d"))
			p.equal("stored", bodies(p.receive(url, 0)), []string{"x"})
		}},
		{name: "a deduplicated message gets the answer of the first", run: func(p *probe) {
			url := p.fifo(nil)
			one, two := p.send(url, "x", inGroup("g", "d")), p.send(url, "x", inGroup("g", "d"))
			p.equal("id", *two.MessageId, *one.MessageId)
			p.equal("sequence number", aws.ToString(two.SequenceNumber), aws.ToString(one.SequenceNumber))
		}},
		{name: "deduplication holds in a batch", run: func(p *probe) {
			url := p.fifo(nil)
			entries := grouped("g", "a", "b")
			entries[1].MessageDeduplicationId = entries[0].MessageDeduplicationId
			out, err := p.sendBatch(url, entries)
			p.must(err, "sending")
			p.equal("answered", len(out.Successful), 2)
			p.equal("stored", bodies(p.receive(url, 0)), []string{"a"})
		}},
		{name: "deduplication outlives the message", run: func(p *probe) {
			url := p.fifo(nil)
			p.send(url, "x", inGroup("g", "d"))
			p.delete(url, p.one(url).ReceiptHandle)
			p.send(url, "x", inGroup("g", "d"))
			p.equal("stored", bodies(p.receive(url, 1)), []string{})
		}},
		{name: "deduplication is for the whole queue", run: func(p *probe) {
			url := p.fifo(nil)
			p.send(url, "x", inGroup("g", "d"))
			p.send(url, "y", inGroup("h", "d"))
			p.equal("stored", bodies(p.receive(url, 0)), []string{"x"})
		}},
		{name: "deduplication can be for each group", run: func(p *probe) {
			url := p.fifo(map[string]string{"DeduplicationScope": "messageGroup", "FifoThroughputLimit": "perMessageGroupId"})
			p.send(url, "x", inGroup("g", "d"))
			p.send(url, "y", inGroup("h", "d"))
			p.send(url, "z", inGroup("h", "d"))
			p.equal("stored", len(p.collect(url, 3)), 2)
		}},
		{name: "deduplication can be by content", run: func(p *probe) {
			url := p.fifo(map[string]string{"ContentBasedDeduplication": "true"})
			one := p.send(url, "x", inGroup("g", ""))
			two := p.send(url, "x", inGroup("g", ""), withAttributes(map[string]types.MessageAttributeValue{"k": text("v")}))
			p.equal("id", *two.MessageId, *one.MessageId)
			p.send(url, "y", inGroup("g", ""))
			p.send(url, "x", inGroup("g", "own"))
			p.equal("stored", bodies(p.collect(url, 3)), []string{"x", "y", "x"})
		}},
		{name: "sequence numbers have 20 digits", run: func(p *probe) {
			url := p.fifo(nil)
			n := aws.ToString(p.send(url, "x", inGroup("g", "d")).SequenceNumber)
			if len(n) != 20 || strings.Trim(n, "0123456789") != "" {
				p.errorf("sequence number %q", n)
			}
			p.equal("received", p.one(url).Attributes["SequenceNumber"], n)
		}},
		{name: "sequence numbers grow", run: func(p *probe) {
			url := p.fifo(nil)
			last := ""
			for i := range 20 {
				n := aws.ToString(p.send(url, "x", inGroup("g", fmt.Sprint(i))).SequenceNumber)
				if len(n) < len(last) || (len(n) == len(last) && n <= last) {
					p.errorf("%s after %s", n, last)
				}
				last = n
			}
		}},
		{name: "a group keeps its order", run: func(p *probe) {
			url := p.fifo(nil)
			want := numbered("m", 30)
			for i := 0; i < 30; i += 10 {
				out, err := p.sendBatch(url, grouped("g", want[i:i+10]...))
				p.must(err, "sending")
				p.equal("failed", len(out.Failed), 0)
			}
			var got []string
			for len(got) < 30 {
				messages := p.receive(url, 2)
				if len(messages) == 0 {
					break
				}
				got = append(got, bodies(messages)...)
				for _, m := range messages {
					p.delete(url, m.ReceiptHandle)
				}
			}
			p.equal("order", got, want)
		}},
		{name: "a receive takes several of a group", run: func(p *probe) {
			url := p.fifo(nil)
			_, err := p.sendBatch(url, grouped("g", numbered("m", 5)...))
			p.must(err, "sending")
			p.equal("received", bodies(p.receive(url, 2)), numbered("m", 5))
		}},
		{name: "a group in flight is locked", run: func(p *probe) {
			url := p.fifo(nil)
			_, err := p.sendBatch(url, grouped("g", "a", "b"))
			p.must(err, "sending")
			a := p.one(url)
			p.equal("while it is in flight", bodies(p.receive(url, 1)), []string{})
			p.delete(url, a.ReceiptHandle)
			p.equal("then", bodies(p.receive(url, 2)), []string{"b"})
		}},
		{name: "a locked group leaves the others alone", run: func(p *probe) {
			url := p.fifo(nil)
			_, err := p.sendBatch(url, append(grouped("g", "a"), withID("other", grouped("h", "b"))...))
			p.must(err, "sending")
			first := p.one(url)
			second := p.one(url)
			p.equal("groups", map[string]bool{first.Attributes["MessageGroupId"]: true, second.Attributes["MessageGroupId"]: true}, map[string]bool{"g": true, "h": true})
		}},
		{name: "what comes back keeps its place", run: func(p *probe) {
			url := p.fifo(nil)
			_, err := p.sendBatch(url, grouped("g", "a", "b", "c"))
			p.must(err, "sending")
			got := p.receive(url, 2, upTo(2))
			p.equal("first", bodies(got), []string{"a", "b"})
			for i := len(got) - 1; i >= 0; i-- {
				p.giveBack(url, got[i])
			}
			p.equal("again", bodies(p.receive(url, 2)), []string{"a", "b", "c"})
		}},
		{name: "what comes back after its timeout keeps its place", run: func(p *probe) {
			url := p.fifo(nil)
			_, err := p.sendBatch(url, grouped("g", "a", "b"))
			p.must(err, "sending")
			p.one(url, hidden(1))
			p.equal("again", bodies(p.receive(url, 5)), []string{"a", "b"})
		}},
		{name: "an expired receipt handle deletes nothing of a FIFO queue", run: func(p *probe) {
			url := p.fifo(nil)
			p.send(url, "x", inGroup("g", "d"))
			old := p.one(url, hidden(1))
			p.one(url)
			_, err := p.client.DeleteMessage(p.ctx, &sqs.DeleteMessageInput{QueueUrl: url, ReceiptHandle: old.ReceiptHandle})
			p.refused("deleting", err, "InvalidParameterValue")
		}},
		{name: "a FIFO queue has a FIFO dead-letter queue", run: func(p *probe) {
			p.redrive(p.fifo(nil), func(a map[string]string) *string { return p.fifo(a) }, inGroup("g", "d"))
		}},
		{name: "a FIFO dead letter keeps its group", run: func(p *probe) {
			dead := p.fifo(nil)
			arn := p.attributes(dead, "QueueArn")["QueueArn"]
			url := p.fifo(map[string]string{"RedrivePolicy": fmt.Sprintf(`{"deadLetterTargetArn":%q,"maxReceiveCount":1}`, arn)})
			p.send(url, "x", inGroup("g", "d"))
			p.giveBack(url, p.one(url))
			p.equal("received", bodies(p.receive(url, 1)), []string{})
			p.equal("group", p.one(dead).Attributes["MessageGroupId"], "g")
		}},
	}
}

func withID(id string, entries []types.SendMessageBatchRequestEntry) []types.SendMessageBatchRequestEntry {
	entries[0].Id = aws.String(id)
	return entries
}
