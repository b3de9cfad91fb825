package sqstest

import (
	"crypto/md5" // SQS's digests are MD5 by its API
	"encoding/hex"
	"fmt"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"
)

const mebibyte = 1 << 20

func digest(body string) string {
	sum := md5.Sum([]byte(body))
	return hex.EncodeToString(sum[:])
}

func (p *probe) sendBatch(url *string, entries []types.SendMessageBatchRequestEntry) (*sqs.SendMessageBatchOutput, error) {
	return p.client.SendMessageBatch(p.ctx, &sqs.SendMessageBatchInput{QueueUrl: url, Entries: entries})
}

func sendChecks() []check {
	const refusedID = "AWS.SimpleQueueService.InvalidBatchEntryId"
	return []check{
		{name: "a message arrives unchanged", run: func(p *probe) {
			url := p.queue(nil)
			const body = "ä €\t\r\n \"\\ <&> \U0001F600 \uFFFD \u2028 \u007f \u0085"
			out := p.send(url, body)
			p.equal("MD5", aws.ToString(out.MD5OfMessageBody), digest(body))
			m := p.one(url)
			p.equal("body", *m.Body, body)
			p.equal("MD5", aws.ToString(m.MD5OfBody), digest(body))
			p.equal("id", *m.MessageId, *out.MessageId)
		}},
		{name: "a batch answers for each entry", run: func(p *probe) {
			url := p.queue(nil)
			out, err := p.sendBatch(url, batch(numbered("m", 10)...))
			p.must(err, "sending")
			ids := map[string]string{}
			for _, s := range out.Successful {
				ids[*s.Id] = *s.MD5OfMessageBody
			}
			want := map[string]string{}
			for i, b := range numbered("m", 10) {
				want[fmt.Sprint("e", i)] = digest(b)
			}
			p.equal("answers", ids, want)
			got := bodies(p.collect(url, 10))
			slices.Sort(got)
			p.equal("bodies", got, numbered("m", 10))
		}},
		{name: "an empty batch is refused", run: func(p *probe) {
			_, err := p.sendBatch(p.queue(nil), batch())
			p.refused("no entries", err, "AWS.SimpleQueueService.EmptyBatchRequest")
		}},
		{name: "a batch of eleven is refused", run: func(p *probe) {
			_, err := p.sendBatch(p.queue(nil), batch(numbered("m", 11)...))
			p.refused("eleven entries", err, "AWS.SimpleQueueService.TooManyEntriesInBatchRequest")
		}},
		{name: "entry ids are distinct", run: func(p *probe) {
			entries := batch("a", "b")
			entries[1].Id = entries[0].Id
			_, err := p.sendBatch(p.queue(nil), entries)
			p.refused("two alike", err, "AWS.SimpleQueueService.BatchEntryIdsNotDistinct")
		}},
		{name: "entry ids have rules", run: func(p *probe) {
			url := p.queue(nil)
			for _, id := range []string{"a b", "ä", "a.b", strings.Repeat("x", 81), ""} {
				entries := batch("a")
				entries[0].Id = &id
				_, err := p.sendBatch(url, entries)
				p.refused(fmt.Sprintf("id %q", id), err, refusedID)
			}
		}},
		{name: "a batch has 1 MiB", run: func(p *probe) {
			url := p.queue(nil)
			half := strings.Repeat("x", mebibyte/2)
			out, err := p.sendBatch(url, batch(half, half))
			p.must(err, "exactly 1 MiB")
			p.equal("failed", len(out.Failed), 0)
		}},
		{name: "a batch over 1 MiB is refused", run: func(p *probe) {
			half := strings.Repeat("x", mebibyte/2)
			_, err := p.sendBatch(p.queue(nil), batch(half, half+"x"))
			p.refused("one byte more", err, "AWS.SimpleQueueService.BatchRequestTooLong")
		}},
		{name: "attributes count in a batch's size", run: func(p *probe) {
			half := strings.Repeat("x", mebibyte/2)
			entries := batch(half, half[:mebibyte/2-8])
			entries[0].MessageAttributes = map[string]types.MessageAttributeValue{"k": text("xx")} // 1 + 6 + 2
			_, err := p.sendBatch(p.queue(nil), entries)
			p.refused("one byte more", err, "AWS.SimpleQueueService.BatchRequestTooLong")
		}},
		{name: "a batch may be larger than a message of its queue", run: func(p *probe) {
			url := p.queue(map[string]string{"MaximumMessageSize": "1024"})
			kib := strings.Repeat("x", 1024)
			out, err := p.sendBatch(url, batch(kib, kib, kib))
			p.must(err, "three of 1 KiB")
			p.equal("sent", len(out.Successful), 3)
		}},
		{name: "a queue has its own limit", run: func(p *probe) {
			url := p.queue(map[string]string{"MaximumMessageSize": "1024"})
			p.send(url, strings.Repeat("x", 1024))
			_, err := p.trySend(url, strings.Repeat("x", 1025))
			p.refused("a byte more", err, "InvalidParameterValue")
		}},
		{name: "attributes count in a message's size", run: func(p *probe) {
			url := p.queue(map[string]string{"MaximumMessageSize": "1024"})
			a := withAttributes(map[string]types.MessageAttributeValue{"k": text("x")}) // 1 + 6 + 1
			p.send(url, strings.Repeat("x", 1016), a)
			_, err := p.trySend(url, strings.Repeat("x", 1017), a)
			p.refused("a byte more", err, "InvalidParameterValue")
		}},
		{name: "an entry over the queue's limit fails alone", run: func(p *probe) {
			url := p.queue(map[string]string{"MaximumMessageSize": "1024"})
			out, err := p.sendBatch(url, batch("a", strings.Repeat("x", 1025), "b"))
			p.must(err, "sending")
			p.onlyFailed(out, "e1", "InvalidParameterValue")
		}},
		{name: "an empty body is refused", run: func(p *probe) {
			_, err := p.trySend(p.queue(nil), "")
			p.refused("no body", err, "MissingParameter")
		}},
		{name: "characters outside XML 1.0 are refused", run: func(p *probe) {
			url := p.queue(nil)
			for _, body := range []string{"\x00", "a\x0bb", "\x1f", "\uFFFE", "\uFFFF"} {
				_, err := p.trySend(url, body)
				p.refused(fmt.Sprintf("body %+q", body), err, "InvalidMessageContents")
			}
		}},
		{name: "an entry with a bad character fails alone", run: func(p *probe) {
			out, err := p.sendBatch(p.queue(nil), batch("a", "b\x01", "c"))
			p.must(err, "sending")
			p.onlyFailed(out, "e1", "InvalidMessageContents")
		}},
		{name: "a delayed message comes later", run: func(p *probe) {
			url := p.queue(nil)
			p.send(url, "x", func(in *sqs.SendMessageInput) { in.DelaySeconds = 1 })
			p.equal("at once", bodies(p.receive(url, 0)), []string{})
			p.equal("later", bodies(p.receive(url, 10)), []string{"x"})
		}},
		{name: "a queue delays its messages", run: func(p *probe) {
			url := p.queue(map[string]string{"DelaySeconds": "1"})
			p.send(url, "x")
			p.equal("at once", bodies(p.receive(url, 0)), []string{})
			p.equal("later", bodies(p.receive(url, 10)), []string{"x"})
		}},
		{name: "a delay over 15 minutes is refused", run: func(p *probe) {
			_, err := p.trySend(p.queue(nil), "x", func(in *sqs.SendMessageInput) { in.DelaySeconds = 901 })
			p.refused("901 s", err, "InvalidParameterValue")
		}},
		{name: "a standard queue has no deduplication ids", run: func(p *probe) {
			_, err := p.trySend(p.queue(nil), "x", inGroup("", "d"))
			p.refused("deduplication id", err, "InvalidParameterValue")
		}},
	}
}

// onlyFailed wants one entry to have failed by the sender's fault and two to have succeeded.
func (p *probe) onlyFailed(out *sqs.SendMessageBatchOutput, id, code string) {
	if len(out.Failed) != 1 || len(out.Successful) != 2 {
		p.errorf("%d failed, %d successful", len(out.Failed), len(out.Successful))
		return
	}
	f := out.Failed[0]
	p.equal("failure", []any{*f.Id, aws.ToString(f.Code), f.SenderFault}, []any{id, code, true})
}
