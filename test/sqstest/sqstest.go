package sqstest

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"
	"github.com/aws/smithy-go"
	"github.com/google/go-cmp/cmp"
)

// Harness is an endpoint to be checked.
type Harness struct {
	// Name is for messages.
	Name string
	// Client returns a client without retries. It is called once in each check.
	Client func(t testing.TB) *sqs.Client
	// VirtualTime runs each check in a testing/synctest bubble, in which Client makes the endpoint too, and adds the
	// checks that take minutes.
	VirtualTime bool
	// Differences are what is known to differ from AWS: the name of a check, and why.
	Differences map[string]string
	// Codes are AWS's error codes that the endpoint has another word for, everywhere.
	Codes map[string]string
}

// limit bounds one check.
const limit = 40 * time.Second

// Run runs all checks as subtests.
func Run(t *testing.T, h Harness) {
	known := map[string]bool{}
	for _, c := range checks() {
		known[c.name] = true
		if c.virtual && !h.VirtualTime {
			continue
		}
		t.Run(strings.ReplaceAll(c.name, " ", "_"), func(t *testing.T) {
			if h.VirtualTime {
				synctest.Test(t, func(t *testing.T) { h.run(t, c) })
				return
			}
			t.Parallel() // most of a check is waiting
			h.run(t, c)
		})
	}
	for name := range h.Differences {
		if !known[name] {
			t.Errorf("%s declares a difference in a check that does not exist: %q", h.Name, name)
		}
	}
}

func (h Harness) run(t *testing.T, c check) {
	ctx := t.Context()
	if !c.virtual {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, limit)
		defer cancel()
	}
	p := &probe{ctx: ctx, client: h.Client(t), codes: h.Codes}
	done := make(chan struct{})
	go func() { // so that must can end the check
		defer close(done)
		c.run(p)
	}()
	<-done
	p.cleanUp()
	reason, declared := h.Differences[c.name]
	switch {
	case declared && len(p.problems) == 0:
		t.Errorf("%s no longer differs from AWS here: take the declaration away (%s)", h.Name, reason)
	case declared:
		t.Logf("%s differs from AWS, as declared (%s): %s", h.Name, reason, strings.Join(p.problems, "; "))
	default:
		for _, problem := range p.problems {
			t.Error(problem)
		}
	}
}

// check is one thing that an endpoint has to do.
type check struct {
	name    string
	run     func(p *probe)
	virtual bool // takes minutes: in virtual time only
}

// probe is a check at work. It collects what is wrong instead of failing the test, since some of it may be declared.
type probe struct {
	ctx      context.Context
	client   *sqs.Client
	codes    map[string]string
	queues   []string
	mu       sync.Mutex // guards problems
	problems []string
}

func (p *probe) errorf(format string, a ...any) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.problems = append(p.problems, fmt.Sprintf(format, a...))
}

// must ends the check on an error. It is for the check's own goroutine.
func (p *probe) must(err error, what string) {
	if err != nil {
		p.errorf("%s: %v", what, err)
		runtime.Goexit()
	}
}

func (p *probe) equal(what string, got, want any) {
	if d := cmp.Diff(want, got); d != "" {
		p.errorf("%s (-want +got):\n%s", what, d)
	}
}

// refused wants an error with this code, in the form that the SDK shows.
func (p *probe) refused(what string, err error, want string) {
	if own, ok := p.codes[want]; ok {
		want = own
	}
	var api smithy.APIError
	switch {
	case err == nil:
		p.errorf("%s: accepted, want %s", what, want)
	case !errors.As(err, &api):
		p.errorf("%s: %v, want %s", what, err, want)
	case api.ErrorCode() != want:
		p.errorf("%s: code %s (%s), want %s", what, api.ErrorCode(), api.ErrorMessage(), want)
	}
}

// queue makes a queue of the check's own.
func (p *probe) queue(attributes map[string]string) *string { return p.create("", attributes) }

// fifo makes a FIFO queue of the check's own.
func (p *probe) fifo(attributes map[string]string) *string {
	all := map[string]string{"FifoQueue": "true"}
	for k, v := range attributes {
		all[k] = v
	}
	return p.create(".fifo", all)
}

// queueName is a name that no other check has, in no other run either.
func queueName(suffix string) string { return fmt.Sprintf("check-%016x%s", rand.Uint64(), suffix) }

func (p *probe) create(suffix string, attributes map[string]string) *string {
	out, err := p.client.CreateQueue(p.ctx, &sqs.CreateQueueInput{QueueName: aws.String(queueName(suffix)), Attributes: attributes})
	p.must(err, "creating a queue")
	p.queues = append(p.queues, *out.QueueUrl)
	return out.QueueUrl
}

func (p *probe) cleanUp() {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(p.ctx), 10*time.Second)
	defer cancel()
	for _, url := range p.queues {
		_, _ = p.client.DeleteQueue(ctx, &sqs.DeleteQueueInput{QueueUrl: aws.String(url)}) // the check may have done it
	}
}

func (p *probe) attributes(url *string, names ...string) map[string]string {
	in := &sqs.GetQueueAttributesInput{QueueUrl: url}
	for _, n := range names {
		in.AttributeNames = append(in.AttributeNames, types.QueueAttributeName(n))
	}
	out, err := p.client.GetQueueAttributes(p.ctx, in)
	p.must(err, "asking for queue attributes")
	return out.Attributes
}

func (p *probe) send(url *string, body string, change ...func(*sqs.SendMessageInput)) *sqs.SendMessageOutput {
	out, err := p.trySend(url, body, change...)
	p.must(err, "sending "+short(body))
	return out
}

func (p *probe) trySend(url *string, body string, change ...func(*sqs.SendMessageInput)) (*sqs.SendMessageOutput, error) {
	in := &sqs.SendMessageInput{QueueUrl: url, MessageBody: aws.String(body)}
	for _, f := range change {
		f(in)
	}
	return p.client.SendMessage(p.ctx, in)
}

func short(text string) string {
	if len(text) > 20 {
		return fmt.Sprintf("%.20q…", text)
	}
	return fmt.Sprintf("%q", text)
}

// inGroup sends to a FIFO queue; dedup "": none.
func inGroup(group, dedup string) func(*sqs.SendMessageInput) {
	return func(in *sqs.SendMessageInput) {
		if group != "" {
			in.MessageGroupId = aws.String(group)
		}
		if dedup != "" {
			in.MessageDeduplicationId = aws.String(dedup)
		}
	}
}

func withAttributes(a map[string]types.MessageAttributeValue) func(*sqs.SendMessageInput) {
	return func(in *sqs.SendMessageInput) { in.MessageAttributes = a }
}

// receive receives up to ten messages with everything there is to know, waiting up to so many seconds for the first.
func (p *probe) receive(url *string, wait int32, change ...func(*sqs.ReceiveMessageInput)) []types.Message {
	in := &sqs.ReceiveMessageInput{
		QueueUrl: url, MaxNumberOfMessages: 10, WaitTimeSeconds: wait, MessageAttributeNames: []string{"All"},
		MessageSystemAttributeNames: []types.MessageSystemAttributeName{types.MessageSystemAttributeNameAll},
	}
	for _, f := range change {
		f(in)
	}
	out, err := p.client.ReceiveMessage(p.ctx, in)
	p.must(err, "receiving")
	return out.Messages
}

// collect receives until there are n messages or nothing more comes.
func (p *probe) collect(url *string, n int) []types.Message {
	var all []types.Message
	for len(all) < n {
		got := p.receive(url, 2)
		if len(got) == 0 {
			break
		}
		all = append(all, got...)
	}
	return all
}

// one receives one message, or ends the check.
func (p *probe) one(url *string, change ...func(*sqs.ReceiveMessageInput)) types.Message {
	got := p.receive(url, 5, append([]func(*sqs.ReceiveMessageInput){upTo(1)}, change...)...)
	if len(got) != 1 {
		p.must(fmt.Errorf("%d messages", len(got)), "receiving one message")
	}
	return got[0]
}

func upTo(n int32) func(*sqs.ReceiveMessageInput) {
	return func(in *sqs.ReceiveMessageInput) { in.MaxNumberOfMessages = n }
}

// hidden receives with this visibility timeout; 0 can't be asked for, being the SDK's word for not set.
func hidden(seconds int32) func(*sqs.ReceiveMessageInput) {
	return func(in *sqs.ReceiveMessageInput) { in.VisibilityTimeout = seconds }
}

func (p *probe) delete(url *string, handles ...*string) {
	for _, h := range handles {
		_, err := p.client.DeleteMessage(p.ctx, &sqs.DeleteMessageInput{QueueUrl: url, ReceiptHandle: h})
		p.must(err, "deleting")
	}
}

// giveBack makes a received message visible at once.
func (p *probe) giveBack(url *string, m types.Message) {
	_, err := p.client.ChangeMessageVisibility(p.ctx, &sqs.ChangeMessageVisibilityInput{QueueUrl: url, ReceiptHandle: m.ReceiptHandle, VisibilityTimeout: 0})
	p.must(err, "giving back")
}

func bodies(all []types.Message) []string {
	out := make([]string, 0, len(all))
	for _, m := range all {
		out = append(out, aws.ToString(m.Body))
	}
	return out
}

func text(value string) types.MessageAttributeValue { return typed("String", value) }

func typed(kind, value string) types.MessageAttributeValue {
	return types.MessageAttributeValue{DataType: aws.String(kind), StringValue: aws.String(value)}
}

func batch(bodies ...string) []types.SendMessageBatchRequestEntry {
	out := make([]types.SendMessageBatchRequestEntry, len(bodies))
	for i, b := range bodies {
		out[i] = types.SendMessageBatchRequestEntry{Id: aws.String(fmt.Sprint("e", i)), MessageBody: aws.String(b)}
	}
	return out
}

func numbered(prefix string, n int) []string {
	out := make([]string, n)
	for i := range out {
		out[i] = fmt.Sprint(prefix, i)
	}
	return out
}
