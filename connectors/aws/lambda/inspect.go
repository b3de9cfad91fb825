package lambda

import (
	"cmp"
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/lambda/types"

	"github.com/jmsbridge/jmsbridge/bridge"
)

// Inspect looks at the function. It calls nothing.
func (s *Sink) Inspect(ctx context.Context) (bridge.Inspection, error) {
	f, err := s.look(ctx)
	if err != nil {
		return bridge.Inspection{}, fmt.Errorf("looking at function %s: %w", s.settings.Function, err)
	}
	in := bridge.Inspection{Peer: "Lambda function " + s.settings.Function}
	fact := func(name, value string) {
		if value != "" {
			in.Facts = append(in.Facts, bridge.Fact{Name: name, Value: value})
		}
	}
	warn := func(text, remedy string) {
		in.Warnings = append(in.Warnings, bridge.Warning{Text: text, Remedy: remedy})
	}
	fact("endpoint", f.endpoint.URL)
	fact("region", f.endpoint.Region)
	fact("qualifier", s.settings.Qualifier)
	for _, remark := range f.remarks {
		warn(remark, "allow lambda:GetFunctionConfiguration on the function")
	}
	if c := f.config; c != nil {
		fact("runtime", string(c.Runtime))
		if c.Timeout != nil {
			fact("its timeout", (time.Duration(*c.Timeout) * time.Second).String())
		}
		if c.MemorySize != nil {
			fact("its memory", strconv.Itoa(int(*c.MemorySize))+" MB")
		}
		fact("state", string(c.State))
		if c.State != "" && c.State != types.StateActive {
			warn("the function is "+strings.ToLower(string(c.State))+": "+*cmp.Or(c.StateReason, new(string)), remedyState)
		}
		if s.settings.Event && (c.DeadLetterConfig == nil || c.DeadLetterConfig.TargetArn == nil) {
			warn("Lambda tries an event twice more when the function fails, and then forgets it", "give the function a dead-letter queue or an on-failure destination")
		}
	}
	if s.settings.Event {
		warn("a message counts as delivered when Lambda has queued it, before the function has run", "use invocation: request_response where that matters")
	}
	if s.settings.Payload == ActiveMQ && s.settings.SourceARN == "" {
		warn("eventSourceArn is empty: the broker has no arn", "write the broker's arn where the function looks at it")
	}
	return in, nil
}
