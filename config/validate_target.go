package config

import (
	"fmt"
	"strings"
)

func (v *validator) sqsSource(r *Route, path string) {
	s := r.From.SQS
	if s.Queue != "" {
		if err := checkSQSQueue(s.Queue); err != nil {
			v.add(join(path, "queue"), err.Error(), "")
		}
	}
	fifo := strings.HasSuffix(s.Queue, ".fifo")
	if (r.Order == OrderGroup || r.Order == OrderStrict) && s.Queue != "" && !fifo {
		v.add(join(path, "queue"), fmt.Sprintf("order: %s needs a FIFO queue, for a standard queue keeps no order", r.Order), "use a queue whose name ends in .fifo, or order: none")
	}
	if r.Order == OrderStrict && s.Consumers > 1 {
		v.add(join(path, "consumers"), "order: strict takes one consumer", "write consumers: 1")
	}
}

func (v *validator) lambda(r *Route, l *LambdaTarget, path string) {
	if strings.HasPrefix(l.Function, "arn:") && !isARN(l.Function, "lambda") {
		v.add(join(path, "function"), fmt.Sprintf("%q is no ARN of a function", l.Function), "write arn:aws:lambda:REGION:ACCOUNT:function:NAME")
	}
	if strings.ContainsAny(l.Qualifier, ":/ ") {
		v.add(join(path, "qualifier"), fmt.Sprintf("%q is no version or alias", l.Qualifier), "write $LATEST, a number or an alias")
	}
	if l.Batch.Messages > 1 && l.Payload == PayloadBody {
		v.add(join(path, "batch.messages"), "payload: body takes one message a call", "use payload: envelope or aws:mq, or batch.messages: 1")
	}
	if l.Invocation == InvokeEvent && r.Order != OrderNone {
		v.add(join(path, "invocation"), "event invocations keep no order", "use request_response, or order: none")
	}
	const most = 1 << 20 // of an asynchronous invocation
	if l.Invocation == InvokeEvent && l.Batch.Bytes > most && v.written(join(path, "batch.bytes")) {
		v.add(join(path, "batch.bytes"), fmt.Sprintf("%v is more than an asynchronous call takes (1MiB)", l.Batch.Bytes), "")
	}
}

func (v *validator) eventBridge(r *Route, e *EventBridgeTarget, path string) {
	if e.Source.IsLiteral() && strings.HasPrefix(string(e.Source), "aws.") {
		v.add(join(path, "source"), "sources that begin with aws. are AWS's own", "write such as mq.orders")
	}
	if e.DetailType.IsLiteral() && len(e.DetailType) > 128 {
		v.add(join(path, "detail_type"), "it is longer than 128 characters", "")
	}
	if strings.HasPrefix(string(e.Bus), "arn:") && e.Bus.IsLiteral() && !isARN(string(e.Bus), "events") {
		v.add(join(path, "bus"), fmt.Sprintf("%q is no ARN of an event bus", string(e.Bus)), "write arn:aws:events:REGION:ACCOUNT:event-bus/NAME")
	}
	switch templated := !e.Bus.IsLiteral(); {
	case templated && len(e.Allow) == 0:
		v.add(join(path, "allow"), "a bus that a template makes needs allow", `list the names it may make, such as allow: ["orders-*"]`)
	case !templated && len(e.Allow) > 0:
		v.add(join(path, "allow"), "allow is for a bus that a template makes", "leave it out")
	}
	if r.Order != OrderNone {
		v.add(join(path, "bus"), fmt.Sprintf("an event bus keeps no order, and the route asks for order: %s", r.Order), "write order: none, or use another target")
	}
}
