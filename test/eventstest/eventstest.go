package eventstest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge/types"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	sqstypes "github.com/aws/aws-sdk-go-v2/service/sqs/types"
	"github.com/aws/smithy-go"
	"github.com/google/go-cmp/cmp"
)

// Harness is an endpoint to be checked.
type Harness struct {
	// Name is for messages.
	Name string
	// Endpoint is called once in each check.
	Endpoint func(t testing.TB) Endpoint
	// Functions tells that the endpoint runs Lambda functions: only then they are checked.
	Functions bool
	// Differences are what is known to differ from AWS: the name of a check, and why.
	Differences map[string]string
}

// Endpoint is what a check works on.
type Endpoint struct {
	// Events and Queues are clients without retries.
	Events *eventbridge.Client
	Queues *sqs.Client
	// Function makes a Lambda function and returns its ARN. The function sends each event that it gets to the queue, as it
	// stands, and then fails as often for one event as the member "fail" of its detail says.
	Function func(name, queueURL string) (arn string, err error)
}

// limit bounds one check.
const limit = 40 * time.Second

// Run runs all checks as subtests.
func Run(t *testing.T, h Harness) {
	known := map[string]bool{}
	checks := slices.Concat(busChecks(), ruleChecks(), putChecks(), refusalChecks())
	if h.Functions {
		checks = append(checks, functionChecks()...)
	}
	for _, c := range checks {
		known[c.name] = true
		t.Run(strings.ReplaceAll(c.name, " ", "_"), func(t *testing.T) {
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
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	defer cancel()
	p := &probe{ctx: ctx, name: fmt.Sprintf("check-%016x", rand.Uint64())}
	e := h.Endpoint(t)
	p.events, p.queues, p.function = e.Events, e.Queues, e.Function
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
	name string
	run  func(p *probe)
}

// probe is a check at work. It collects what is wrong instead of failing the test, since some of it may be declared.
type probe struct {
	ctx      context.Context
	events   *eventbridge.Client
	queues   *sqs.Client
	function func(name, queueURL string) (arn string, err error)
	name     string // what no other check has, in no other run either
	undo     []func(context.Context)
	problems []string
}

func (p *probe) errorf(format string, a ...any) {
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

// refused wants an error with this code.
func (p *probe) refused(what string, err error, want string) {
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

func (p *probe) cleanUp() {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(p.ctx), 10*time.Second)
	defer cancel()
	for _, f := range slices.Backward(p.undo) {
		f(ctx)
	}
}

// bus makes a bus of the check's own and returns its ARN; its name is the check's.
func (p *probe) bus() string {
	out, err := p.events.CreateEventBus(p.ctx, &eventbridge.CreateEventBusInput{Name: &p.name})
	p.must(err, "creating a bus")
	p.undo = append(p.undo, func(ctx context.Context) {
		_, _ = p.events.DeleteEventBus(ctx, &eventbridge.DeleteEventBusInput{Name: &p.name}) // the check may have done it
	})
	return aws.ToString(out.EventBusArn)
}

// queue makes a queue of the check's own and returns its URL and ARN.
func (p *probe) queue(suffix string, attributes map[string]string) (url, arn string) {
	name := fmt.Sprint(p.name, "-", len(p.undo), suffix)
	out, err := p.queues.CreateQueue(p.ctx, &sqs.CreateQueueInput{QueueName: &name, Attributes: attributes})
	p.must(err, "creating a queue")
	url = aws.ToString(out.QueueUrl)
	p.undo = append(p.undo, func(ctx context.Context) { _, _ = p.queues.DeleteQueue(ctx, &sqs.DeleteQueueInput{QueueUrl: &url}) })
	got, err := p.queues.GetQueueAttributes(p.ctx, &sqs.GetQueueAttributesInput{QueueUrl: &url, AttributeNames: []sqstypes.QueueAttributeName{"QueueArn"}})
	p.must(err, "asking for the queue's ARN")
	return url, got.Attributes["QueueArn"]
}

// rule makes a rule on the check's bus and returns its ARN.
func (p *probe) rule(name, pattern string, targets ...types.Target) string {
	out, err := p.events.PutRule(p.ctx, &eventbridge.PutRuleInput{Name: &name, EventBusName: &p.name, EventPattern: &pattern})
	p.must(err, "putting a rule")
	p.undo = append(p.undo, func(ctx context.Context) {
		if len(targets) > 0 {
			ids := make([]string, 0, len(targets))
			for _, t := range targets {
				ids = append(ids, *t.Id)
			}
			_, _ = p.events.RemoveTargets(ctx, &eventbridge.RemoveTargetsInput{Rule: &name, EventBusName: &p.name, Ids: ids})
		}
		_, _ = p.events.DeleteRule(ctx, &eventbridge.DeleteRuleInput{Name: &name, EventBusName: &p.name})
	})
	if len(targets) > 0 {
		put, err := p.events.PutTargets(p.ctx, &eventbridge.PutTargetsInput{Rule: &name, EventBusName: &p.name, Targets: targets})
		p.must(err, "putting targets")
		p.equal("failed targets", put.FailedEntryCount, int32(0))
	}
	return aws.ToString(out.RuleArn)
}

// route makes a bus with one rule for a queue, and returns the queue's URL.
func (p *probe) route(pattern string) string {
	p.bus()
	url, arn := p.queue("", nil)
	p.rule("all", pattern, to(arn))
	return url
}

func to(arn string) types.Target { return types.Target{Id: aws.String("queue"), Arn: &arn} }

// entry is an event for the check's bus.
func (p *probe) entry(source, detailType, detail string) types.PutEventsRequestEntry {
	e := types.PutEventsRequestEntry{EventBusName: &p.name}
	for _, f := range []struct {
		to   **string
		text string
	}{{&e.Source, source}, {&e.DetailType, detailType}, {&e.Detail, detail}} {
		if f.text != "" {
			*f.to = aws.String(f.text)
		}
	}
	return e
}

// put puts events, and ends the check when the call as a whole is refused.
func (p *probe) put(entries ...types.PutEventsRequestEntry) *eventbridge.PutEventsOutput {
	out, err := p.tryPut(entries...)
	p.must(err, "putting events")
	if len(out.Entries) != len(entries) {
		p.must(fmt.Errorf("%d of %d", len(out.Entries), len(entries)), "reading the entries of the answer")
	}
	return out
}

func (p *probe) tryPut(entries ...types.PutEventsRequestEntry) (*eventbridge.PutEventsOutput, error) {
	return p.events.PutEvents(p.ctx, &eventbridge.PutEventsInput{Entries: entries})
}

// event is what a target gets.
type event struct {
	Version    string          `json:"version"`
	ID         string          `json:"id"`
	DetailType string          `json:"detail-type"`
	Source     string          `json:"source"`
	Account    string          `json:"account"`
	Time       string          `json:"time"`
	Region     string          `json:"region"`
	Resources  []string        `json:"resources"`
	Detail     json.RawMessage `json:"detail"`
	group      string
	trace      string
	text       string // the whole, as it came
}

// received takes n events out of a queue, or fewer when no more come.
func (p *probe) received(url string, n int) []event {
	var all []event
	for len(all) < n {
		out, err := p.queues.ReceiveMessage(p.ctx, &sqs.ReceiveMessageInput{
			QueueUrl: &url, MaxNumberOfMessages: 10, WaitTimeSeconds: 1,
			MessageSystemAttributeNames: []sqstypes.MessageSystemAttributeName{sqstypes.MessageSystemAttributeNameAll},
		})
		p.must(err, "receiving")
		if len(out.Messages) == 0 {
			break
		}
		for _, m := range out.Messages {
			var e event
			p.must(json.Unmarshal([]byte(*m.Body), &e), "reading the event "+*m.Body)
			e.group, e.trace, e.text = m.Attributes["MessageGroupId"], m.Attributes["AWSTraceHeader"], *m.Body
			all = append(all, e)
			_, err := p.queues.DeleteMessage(p.ctx, &sqs.DeleteMessageInput{QueueUrl: &url, ReceiptHandle: m.ReceiptHandle})
			p.must(err, "deleting")
		}
	}
	return all
}

// sources are those of events, sorted.
func sources(all []event) []string {
	out := make([]string, 0, len(all))
	for _, e := range all {
		out = append(out, e.Source)
	}
	slices.Sort(out)
	return out
}

// codes are the error codes of an answer, "" for what was taken.
func codes(out *eventbridge.PutEventsOutput) []string {
	all := make([]string, 0, len(out.Entries))
	for _, e := range out.Entries {
		code := aws.ToString(e.ErrorCode)
		if (code == "") == (aws.ToString(e.EventId) == "") {
			code = fmt.Sprintf("code %q with id %q", code, aws.ToString(e.EventId))
		}
		all = append(all, code)
	}
	return all
}
