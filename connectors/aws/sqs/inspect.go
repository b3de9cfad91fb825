package sqs

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"time"

	"github.com/jmsbridge/jmsbridge/bridge"
)

// Inspect looks at the queue and at who asks. It sends nothing.
func (s *Sink) Inspect(ctx context.Context) (bridge.Inspection, error) {
	f, err := s.look(ctx)
	if err != nil {
		return bridge.Inspection{}, fmt.Errorf("looking at queue %s: %w", s.settings.Queue, err)
	}
	kind := "standard"
	if s.form.fifo {
		kind = "FIFO"
	}
	in := bridge.Inspection{Peer: fmt.Sprintf("SQS %s queue %s", kind, s.address.name)}
	fact := func(name, value string) {
		if value != "" {
			in.Facts = append(in.Facts, bridge.Fact{Name: name, Value: value})
		}
	}
	warn := func(text, remedy string) {
		in.Warnings = append(in.Warnings, bridge.Warning{Text: text, Remedy: remedy})
	}
	fact("queue url", f.url)
	fact("endpoint", f.lookups.endpoint.URL)
	fact("region", f.lookups.endpoint.Region)
	if who, err := s.settings.Client.CallerIdentity(ctx); err == nil {
		fact("caller", who.ARN)
	} else {
		warn(fmt.Sprintf("who the credentials belong to is not known: %v", err), "let the bridge reach STS, or ignore this")
	}
	for _, remark := range f.remarks {
		warn(remark, "allow sqs:GetQueueUrl and sqs:GetQueueAttributes on the queue")
	}
	fact("largest message", strconv.Itoa(f.maxSize)+" bytes")
	if f.attributes != nil {
		s.describe(f, fact, warn)
	}
	return in, nil
}

// describe words a queue's attributes.
func (s *Sink) describe(f *found, fact, warn func(string, string)) {
	a := f.attributes
	retention := time.Duration(a.number("MessageRetentionPeriod", 0)) * time.Second
	if retention > 0 {
		fact("keeps messages", retention.String())
	}
	if retention > 0 && retention < 24*time.Hour {
		warn("the queue forgets messages after "+retention.String()+", read or not", "raise MessageRetentionPeriod")
	}
	if f.maxSize < safeBytes {
		warn(fmt.Sprintf("the queue takes messages of at most %d bytes; larger ones go to the dead letter", f.maxSize),
			"raise MaximumMessageSize, to at most 1 MiB")
	}
	switch {
	case a["KmsMasterKeyId"] != "":
		fact("encrypted with", a["KmsMasterKeyId"])
	case a["SqsManagedSseEnabled"] == "true":
		fact("encrypted with", "a key of SQS's own")
	}
	if d := a.number("DelaySeconds", 0); d > 0 {
		fact("delays messages", (time.Duration(d) * time.Second).String())
	}
	var redrive struct {
		Target string      `json:"deadLetterTargetArn"`
		Max    json.Number `json:"maxReceiveCount"`
	}
	if policy := a["RedrivePolicy"]; policy != "" && json.Unmarshal([]byte(policy), &redrive) == nil {
		fact("its dead-letter queue", redrive.Target)
		fact("received at most", redrive.Max.String()+" times")
	}
	if !s.form.fifo {
		return
	}
	scope, limit := a["DeduplicationScope"], a["FifoThroughputLimit"]
	fact("deduplication scope", scope)
	fact("throughput limit", limit)
	if limit == "perMessageGroupId" && scope == "messageGroup" {
		return
	}
	warn("the queue takes 300 calls a second, 3,000 messages in full batches",
		"for more, set DeduplicationScope to messageGroup and FifoThroughputLimit to perMessageGroupId")
}
