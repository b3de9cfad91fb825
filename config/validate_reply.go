package config

import (
	"context"
	"fmt"
	"strings"
)

// minKey is the fewest bytes of a reply key.
const minKey = 32

func (v *validator) reply(r *Route, path string) {
	p := r.Reply
	if p == nil {
		return
	}
	path = join(path, "reply")
	switch countSet(p.From.Call, p.From.SQS != nil, p.From.JMS != nil) {
	case 0:
		v.addMissing(join(path, "from"), "answers come from one of sqs and jms, or from the word call")
		return
	case 1:
	default:
		v.add(join(path, "from"), "answers come from one of sqs, jms and call", "")
		return
	}
	target := v.answering(r, path)
	if p.From.JMS == nil {
		v.replyAllow(p, path)
	}
	v.replyDeadLetter(r, path)
	switch {
	case p.From.JMS != nil:
		v.replyFromJMS(r, target, path)
	case r.From.JMS == nil && r.From.SQS != nil:
		v.add(join(path, "from"), "requests that come from SQS are answered by a JMS service", "write from: {jms: {broker: NAME}}")
	case p.From.Call:
		v.replyFromCall(target, path)
	default:
		v.replyFromSQS(r, target, path)
	}
	if p.Once && v.config.Store.Bolt == nil && v.config.Store.DynamoDB == nil {
		v.add(join(path, "once"), "once needs a store", "write store: {bolt: {path: FILE}} for one process, or store: {dynamodb: {table: NAME}} for several")
	}
}

// answering returns the target that answers; nil when that can't be told.
func (v *validator) answering(r *Route, path string) *Target {
	if r.Reply.Target != "" {
		for i := range r.To {
			if r.To[i].Name == r.Reply.Target {
				if !r.To[i].Required {
					v.add(join(path, "target"), "a target that is best effort can't be the one that answers", "remove required: false")
				}
				return &r.To[i]
			}
		}
		v.add(join(path, "target"), fmt.Sprintf("no target is named %q", r.Reply.Target), "give the target that answers a name")
		return nil
	}
	if len(r.To) > 1 {
		v.add(join(path, "target"), "the route has several targets, and it is not said which one answers", "name that target, and write reply.target: NAME")
		return nil
	}
	if len(r.To) == 0 {
		return nil
	}
	return &r.To[0]
}

func (v *validator) replyAllow(p *Reply, path string) {
	for i, pattern := range p.Allow {
		kind, name, ok := strings.Cut(pattern, ":")
		switch kind {
		case "queue", "topic", "temp-queue", "temp-topic":
		default:
			ok = false
		}
		at := fmt.Sprintf("%s[%d]", join(path, "allow"), i)
		switch {
		case !ok || name == "":
			v.add(at, fmt.Sprintf("%q is no pattern of a destination", pattern), "write such as queue:REPLY.* or temp-queue:*")
		case strings.ContainsAny(name, ",>#?"):
			v.add(at, fmt.Sprintf("%q matches nothing: no reply goes to a composite, wildcard or optioned name", pattern), "write one pattern for each name; * stands for any characters")
		}
	}
	if len(p.Allow) == 0 {
		v.add(join(path, "allow"), "no reply may go anywhere", `leave it out for ["temp-queue:*"]`)
	}
}

func (v *validator) replyDeadLetter(r *Route, path string) {
	d := r.Reply.DeadLetter
	if d == nil {
		return
	}
	path = join(path, "dead_letter")
	switch {
	case d.SQS != nil:
		v.sqs(d.SQS, join(path, "sqs"))
		if from := r.Reply.From.SQS; from != nil && from.Queue == d.SQS.Queue {
			v.add(join(path, "sqs.queue"), "the dead letter is the reply queue itself: a bad answer would go round for ever", "use another queue")
		}
	case d.JMS != nil:
		v.jms(d.JMS, join(path, "jms"))
	case !d.Drop:
		v.addMissing(path, "a dead letter needs one of sqs and jms, or is the word drop")
	}
}

func (v *validator) replyFromCall(t *Target, path string) {
	switch {
	case t == nil:
	case t.Lambda == nil:
		v.add(join(path, "from"), "only lambda answers in the call", "write from: {sqs: {queue: NAME}} for a responder that answers over a queue")
	case t.Lambda.Invocation == InvokeEvent:
		v.add(join(path, "from"), "invocation: event returns no result that could be the reply", "write invocation: request_response")
	case t.Lambda.Batch.Messages > 1:
		v.add(join(path, "from"), "a call with several messages has one result, which can't be the reply to each", "write batch.messages: 1")
	}
}

func (v *validator) replyFromSQS(r *Route, t *Target, path string) {
	p := r.Reply
	queue := p.From.SQS.Queue
	if queue != "" {
		if err := checkSQSQueue(queue); err != nil {
			v.add(join(path, "from.sqs.queue"), err.Error(), "")
		}
	}
	if t != nil && t.SQS == nil && t.EventBridge == nil && t.Lambda == nil {
		v.add(join(path, "from"), "a responder that answers over SQS is asked through sqs, eventbridge or lambda", "")
	}
	if t != nil && t.SQS != nil && t.SQS.Queue == queue {
		v.add(join(path, "from.sqs.queue"), "requests and answers would share one queue", "use another queue for answers")
	}
	switch {
	case t != nil && t.Lambda != nil && t.Lambda.Payload != PayloadEnvelope:
		v.add(join(path, "from"), fmt.Sprintf("payload: %s has no place for what the responder has to copy into its answer", t.Lambda.Payload), "write payload: envelope")
	case t != nil && t.EventBridge != nil && t.EventBridge.Detail != DetailEnvelope:
		v.add(join(path, "from"), fmt.Sprintf("detail: %s has no place for what the responder has to copy into its answer", t.EventBridge.Detail), "write detail: envelope")
	}
	if !p.Key.IsSet() {
		v.addMissing(join(path, "key"), "answers over SQS need a key, which seals what travels with the request")
	}
	v.replyKey(p.Key, join(path, "key"))
	for i, k := range p.OldKeys {
		v.replyKey(k, fmt.Sprintf("%s[%d]", join(path, "old_keys"), i))
	}
}

// replyKey checks that a key is long enough.
func (v *validator) replyKey(k Secret, path string) {
	if !k.IsSet() {
		return
	}
	text, err := k.Reveal(context.Background())
	if err != nil {
		v.add(path, err.Error(), "")
		return
	}
	if len(text) < minKey {
		v.add(path, fmt.Sprintf("the key has %d bytes, and needs at least %d", len(text), minKey), "make one: head -c 32 /dev/urandom | base64 > reply.key")
	}
}

// replyFromJMS is the way round: an SQS requester calls a JMS service.
func (v *validator) replyFromJMS(r *Route, t *Target, path string) {
	from := r.Reply.From.JMS
	v.broker(from.Broker, join(path, "from.jms"))
	if r.From.SQS == nil {
		v.add(join(path, "from"), "answers from a JMS service are for requests that come from SQS", "write from: {sqs: {queue: NAME}} as the route's source")
	}
	if t != nil && (t.JMS == nil || t.JMS.Broker != from.Broker) {
		v.add(join(path, "from.jms.broker"), "the service is asked at another broker than it answers at", "use one broker for both")
	}
	for i, pattern := range r.Reply.Allow {
		if r.From.SQS == nil {
			break // the remark above says what is wrong with the whole
		}
		if !strings.HasPrefix(pattern, "https://") && !strings.HasPrefix(pattern, "http://") || strings.Count(pattern, "*") > 1 {
			v.add(fmt.Sprintf("%s[%d]", join(path, "allow"), i), fmt.Sprintf("%q is no URL of a queue to which an answer may go", pattern),
				"list the requesters' queues, such as https://sqs.eu-west-1.amazonaws.com/123456789012/*")
		}
	}
	if strings.ContainsAny(from.Queue, ",*>#?") {
		v.add(join(path, "from.jms.queue"), fmt.Sprintf("%q is not one queue", from.Queue), "")
	}
	if r.Reply.Once {
		v.add(join(path, "once"), "once is for requests that come from JMS", "leave it out")
	}
}
