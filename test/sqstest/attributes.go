package sqstest

import (
	"crypto/md5" // SQS's digests are MD5 by its API
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/google/go-cmp/cmp"
)

// attributeDigest is the MD5 of message attributes as the SQS developer guide defines it.
func attributeDigest(a map[string]types.MessageAttributeValue) string {
	var b []byte
	part := func(s string) { b = append(binary.BigEndian.AppendUint32(b, uint32(len(s))), s...) }
	for _, name := range slices.Sorted(maps.Keys(a)) {
		part(name)
		part(*a[name].DataType)
		if strings.HasPrefix(*a[name].DataType, "Binary") {
			b = append(b, 2)
			part(string(a[name].BinaryValue))
		} else {
			b = append(b, 1)
			part(*a[name].StringValue)
		}
	}
	sum := md5.Sum(b)
	return hex.EncodeToString(sum[:])
}

func attributeChecks() []check {
	mixed := map[string]types.MessageAttributeValue{
		"MessageID": text("ID:h-1"), "JMSPriority": typed("Number.int", "4"), "rate": typed("Number.float", "-1.5E-3"),
		"flag": typed("Number.Boolean", "1"), "raw": {DataType: aws.String("Binary.gif"), BinaryValue: []byte{0, 1, 255}}, "a.b-c_D": text("ä € \U0001F600"),
	}
	return []check{
		{name: "attributes arrive unchanged", run: func(p *probe) {
			url := p.queue(nil)
			p.send(url, "x", withAttributes(mixed))
			got := p.one(url).MessageAttributes
			if d := cmp.Diff(mixed, got, cmpopts.IgnoreUnexported(types.MessageAttributeValue{}), cmpopts.EquateEmpty()); d != "" {
				p.errorf("attributes (-want +got):\n%s", d)
			}
		}},
		{name: "attributes have an MD5", run: func(p *probe) {
			url := p.queue(nil)
			out := p.send(url, "x", withAttributes(mixed))
			p.equal("sent", aws.ToString(out.MD5OfMessageAttributes), attributeDigest(mixed))
			p.equal("received", aws.ToString(p.one(url).MD5OfMessageAttributes), attributeDigest(mixed))
		}},
		{name: "a batch has the MD5s of attributes", run: func(p *probe) {
			entries := batch("x")
			entries[0].MessageAttributes = mixed
			out, err := p.sendBatch(p.queue(nil), entries)
			p.must(err, "sending")
			p.equal("MD5", aws.ToString(out.Successful[0].MD5OfMessageAttributes), attributeDigest(mixed))
		}},
		{name: "attributes come when asked for", run: func(p *probe) {
			url := p.queue(nil)
			p.send(url, "x", withAttributes(map[string]types.MessageAttributeValue{"bar.one": text("1"), "bar.two": text("2"), "foo": text("3")}))
			for _, tt := range []struct{ asked, want []string }{
				{nil, nil},
				{[]string{"foo"}, []string{"foo"}},
				{[]string{"foo", "none"}, []string{"foo"}},
				{[]string{"bar.*"}, []string{"bar.one", "bar.two"}},
				{[]string{".*"}, []string{"bar.one", "bar.two", "foo"}},
			} {
				m := p.one(url, func(in *sqs.ReceiveMessageInput) { in.MessageAttributeNames = tt.asked })
				p.equal(fmt.Sprint("asked ", tt.asked), slices.Sorted(maps.Keys(m.MessageAttributes)), tt.want)
				p.giveBack(url, m)
			}
		}},
		{name: "the MD5 is of the attributes that come", run: func(p *probe) {
			url := p.queue(nil)
			p.send(url, "x", withAttributes(map[string]types.MessageAttributeValue{"foo": text("1"), "bar": text("2")}))
			m := p.one(url, func(in *sqs.ReceiveMessageInput) { in.MessageAttributeNames = []string{"foo"} })
			p.equal("MD5", aws.ToString(m.MD5OfMessageAttributes), attributeDigest(m.MessageAttributes))
		}},
		{name: "ten attributes pass", run: func(p *probe) { p.send(p.queue(nil), "x", withAttributes(many(10))) }},
		{name: "eleven attributes are refused", run: func(p *probe) {
			_, err := p.trySend(p.queue(nil), "x", withAttributes(many(11)))
			p.refused("eleven", err, "InvalidParameterValue")
		}},
		{name: "attribute names may not begin with AWS or Amazon", run: func(p *probe) {
			p.refuseNames("AWS.x", "aws.x", "Amazon.x", "amazon.X")
		}},
		{name: "attribute names have no loose dots", run: func(p *probe) { p.refuseNames(".x", "x.", "x..y") }},
		{name: "attribute names have few characters", run: func(p *probe) { p.refuseNames("a b", "ä", "a$b", "a:b") }},
		{name: "attribute names end at 256", run: func(p *probe) {
			p.send(p.queue(nil), "x", withAttributes(map[string]types.MessageAttributeValue{strings.Repeat("x", 256): text("v")}))
			p.refuseNames(strings.Repeat("x", 257))
		}},
		{name: "an attribute's type is String, Number or Binary", run: func(p *probe) {
			url := p.queue(nil)
			for _, kind := range []string{"Text", "string", "Boolean"} {
				_, err := p.trySend(url, "x", withAttributes(map[string]types.MessageAttributeValue{"k": typed(kind, "v")}))
				p.refused("type "+kind, err, "InvalidParameterValue")
			}
		}},
		{name: "an attribute is not empty", run: func(p *probe) {
			_, err := p.trySend(p.queue(nil), "x", withAttributes(map[string]types.MessageAttributeValue{"k": text("")}))
			p.refused("empty", err, "InvalidParameterValue")
		}},
		{name: "a number is a number", run: func(p *probe) {
			url := p.queue(nil)
			for _, n := range []string{"1", "-1.5", "1e10", "9223372036854775807"} {
				p.send(url, "x", withAttributes(map[string]types.MessageAttributeValue{"k": typed("Number", n)}))
			}
			for _, n := range []string{"x", "NaN", "1e999", "0x10"} {
				_, err := p.trySend(url, "x", withAttributes(map[string]types.MessageAttributeValue{"k": typed("Number.int", n)}))
				p.refused("number "+n, err, "InvalidParameterValue")
			}
		}},
		{name: "an attribute with a bad character is refused", run: func(p *probe) {
			_, err := p.trySend(p.queue(nil), "x", withAttributes(map[string]types.MessageAttributeValue{"k": text("a\x01b")}))
			if err == nil {
				p.errorf("accepted")
			}
		}},
		{name: "an entry with a bad attribute fails alone", run: func(p *probe) {
			entries := batch("a", "b", "c")
			entries[1].MessageAttributes = map[string]types.MessageAttributeValue{"AWS.x": text("v")}
			out, err := p.sendBatch(p.queue(nil), entries)
			p.must(err, "sending")
			p.onlyFailed(out, "e1", "InvalidParameterValue")
		}},
		{name: "the trace header is a system attribute", run: func(p *probe) {
			url := p.queue(nil)
			const trace = "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=1"
			system := types.MessageSystemAttributeValue{DataType: aws.String("String"), StringValue: aws.String(trace)}
			out := p.send(url, "x", func(in *sqs.SendMessageInput) {
				in.MessageSystemAttributes = map[string]types.MessageSystemAttributeValue{"AWSTraceHeader": system}
			})
			p.equal("MD5", aws.ToString(out.MD5OfMessageSystemAttributes), attributeDigest(map[string]types.MessageAttributeValue{"AWSTraceHeader": text(trace)}))
			p.equal("trace", p.one(url).Attributes["AWSTraceHeader"], trace)
		}},
	}
}

func many(n int) map[string]types.MessageAttributeValue {
	a := map[string]types.MessageAttributeValue{}
	for i := range n {
		a[fmt.Sprint("k", i)] = text("v")
	}
	return a
}

func (p *probe) refuseNames(names ...string) {
	url := p.queue(nil)
	for _, name := range names {
		_, err := p.trySend(url, "x", withAttributes(map[string]types.MessageAttributeValue{name: text("v")}))
		p.refused("name "+short(name), err, "InvalidParameterValue")
	}
}
