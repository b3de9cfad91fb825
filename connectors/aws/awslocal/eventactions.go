package awslocal

import (
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
)

const (
	nsEvents      = "com.amazonaws.events"
	eventsService = "events"
)

// eventActions returns the EventBridge actions that are served.
func eventActions() map[string]func(*call) (any, *apiError) {
	return map[string]func(*call) (any, *apiError){
		"PutEvents":        (*call).putEvents,
		"CreateEventBus":   (*call).createEventBus,
		"DescribeEventBus": (*call).describeEventBus,
		"DeleteEventBus":   (*call).deleteEventBus,
		"PutRule":          (*call).putEventRule,
		"DeleteRule":       (*call).deleteEventRule,
		"ListRules":        (*call).listEventRules,
		"PutTargets":       (*call).putEventTargets,
		"RemoveTargets":    (*call).removeEventTargets,
	}
}

func eventsError(kind, format string, a ...any) *apiError {
	return &apiError{namespace: nsEvents, kind: kind, code: kind, message: fmt.Sprintf(format, a...), status: http.StatusBadRequest}
}

func errNoBus(name string) *apiError {
	return eventsError("ResourceNotFoundException", "Event bus %s does not exist.", name)
}

func errNoRule(name, bus string) *apiError {
	if bus == "" {
		bus = defaultBus
	}
	return eventsError("ResourceNotFoundException", "Rule %s does not exist on EventBus %s.", name, bus)
}

// eventsNamed is the error of a fault for EventBridge, in the words and with the status of its own protocol.
func eventsNamed(code, message string, status int) *apiError {
	if code == "" || code == "InternalError" {
		code = "InternalFailure"
	}
	e := eventsError(code, "%s", message)
	if message == "" {
		e.message = map[string]string{
			"InternalFailure":     "The request processing has failed because of an unknown error, exception or failure.",
			"ThrottlingException": "Rate exceeded",
		}[code]
	}
	switch code {
	case "InternalFailure", "InternalException":
		e.status = http.StatusInternalServerError
	case "ServiceUnavailable":
		e.status = http.StatusServiceUnavailable
	case "ExpiredTokenException", "UnrecognizedClientException", "InvalidSignatureException":
		e.status = http.StatusForbidden
	}
	if status != 0 {
		e.status = status
	}
	e.receiver = e.status >= 500
	return e
}

// eventsTarget recognises a call of EventBridge.
func (c *call) eventsTarget(r *http.Request) (action string, ok bool) {
	if action, ok = strings.CutPrefix(r.Header.Get("X-Amz-Target"), "AWSEvents."); ok {
		c.service = eventsService
	}
	return action, ok
}

// runEvents answers a call of EventBridge.
func (c *call) runEvents(r *http.Request) (any, *apiError) {
	if scope := r.Header.Get("Authorization"); c.who.ID != "" && !strings.Contains(scope, "/"+eventsService+"/aws4_request") {
		return nil, coralError("InvalidSignatureException", "InvalidSignatureException", "Credential should be scoped to correct service: 'events'.")
	}
	run, ok := eventActions()[c.action]
	if !ok {
		return nil, &apiError{namespace: nsCoral, kind: "UnknownOperationException", code: "UnknownOperationException", status: 400}
	}
	return run(c)
}

// eventsHeader gives an answer the form of JSON 1.1, which knows no codes of an older protocol.
func (c *call) eventsHeader(header http.Header) {
	if c.service != eventsService {
		return
	}
	header.Del("X-Amzn-Query-Error")
	if header.Get("Content-Type") != "text/html" { // what a proxy in between would say
		header.Set("Content-Type", "application/x-amz-json-1.1")
	}
}

// gateEvents applies what decides about the whole call: deny rules and faults.
func (c *call) gateEvents() *apiError {
	if c.e.denied(c.action, c.queue) {
		p := errAccessDenied(c.principal(), "events:"+c.action, c.e.BusARN(c.queue))
		p.code, p.status = p.kind, http.StatusBadRequest
		return p
	}
	problem := c.applyFaults()
	if problem == nil {
		return nil
	}
	f := &c.fault.fault
	problem = eventsNamed(f.Code, f.Message, f.Status)
	problem.raw = f.Raw
	return problem
}

// eventFault finds the fault of an entry.
func (c *call) eventFault(r *Record) (code, message string) {
	f := &c.e.faults
	f.mu.Lock()
	defer f.mu.Unlock()
	defer f.sweep()
	for _, i := range f.list {
		if i.fault.Kind != FailEntries || !i.fault.concerns(c.action, c.queue) || (i.fault.Match != nil && !i.fault.Match(r)) || !i.fire() {
			continue
		}
		r.Faulted = true
		e := eventsNamed(i.fault.Code, i.fault.Message, 0)
		return e.code, e.message
	}
	return "", ""
}

// managed decodes a request about buses and rules, and runs do with e.mu held unless a fault keeps it from being
// processed. bus is the request's own name of its bus.
func (c *call) managed(in any, bus *string, do func() (any, *apiError)) (any, *apiError) {
	if problem := c.decode(in); problem != nil {
		return nil, problem
	}
	c.queue, _ = c.e.busName(*bus)
	problem := c.gateEvents()
	c.logged(problem)
	if problem != nil || c.cutBefore() {
		return answerless{}, problem
	}
	c.e.mu.Lock()
	defer c.e.mu.Unlock()
	return do()
}

func (c *call) createEventBus() (any, *apiError) {
	var in struct{ Name, Description string }
	return c.managed(&in, &in.Name, func() (any, *apiError) {
		b, problem := c.e.createBus(in.Name)
		if problem != nil {
			return nil, problem
		}
		b.description = in.Description
		return map[string]string{"EventBusArn": b.arn}, nil
	})
}

func (c *call) describeEventBus() (any, *apiError) {
	var in struct{ Name string }
	return c.managed(&in, &in.Name, func() (any, *apiError) {
		b := c.e.bus(in.Name)
		if b == nil {
			return nil, errNoBus(in.Name)
		}
		at := float64(b.created.UnixMilli()) / 1000
		out := map[string]any{"Name": b.name, "Arn": b.arn, "CreationTime": at, "LastModifiedTime": at}
		if b.description != "" {
			out["Description"] = b.description
		}
		return out, nil
	})
}

func (c *call) deleteEventBus() (any, *apiError) {
	var in struct{ Name string }
	return c.managed(&in, &in.Name, func() (any, *apiError) {
		b := c.e.bus(in.Name)
		switch {
		case in.Name == defaultBus:
			return nil, eventsError("ValidationException", "Cannot delete event bus default.")
		case b == nil:
			return nil, nil // an empty answer: it is gone
		case len(b.rules) > 0:
			return nil, eventsError("ValidationException", "Event bus %s can't be deleted since it has rules.", b.name)
		}
		delete(c.e.events.byName, b.name)
		return nil, nil // an empty answer
	})
}

func (c *call) putEventRule() (any, *apiError) {
	var in struct{ Name, EventBusName, EventPattern, ScheduleExpression, State, Description string }
	return c.managed(&in, &in.EventBusName, func() (any, *apiError) {
		if in.ScheduleExpression != "" {
			return nil, eventsError("ValidationException", "The local AWS endpoint knows no ScheduleExpression.")
		}
		r, problem := c.e.putRule(in.EventBusName, in.Name, in.EventPattern, nil)
		if problem != nil {
			return nil, problem
		}
		r.disabled, r.description = in.State == "DISABLED", in.Description
		return map[string]string{"RuleArn": r.arn}, nil
	})
}

func (c *call) deleteEventRule() (any, *apiError) {
	var in struct{ Name, EventBusName string }
	return c.managed(&in, &in.EventBusName, func() (any, *apiError) {
		b := c.e.bus(in.EventBusName)
		if b == nil || b.rules[in.Name] == nil {
			return nil, nil // an empty answer: it is gone
		}
		if len(b.rules[in.Name].targets) > 0 {
			return nil, eventsError("ValidationException", "Rule can't be deleted since it has targets.")
		}
		delete(b.rules, in.Name)
		return nil, nil // an empty answer
	})
}

type listedRule struct {
	Name         string
	Arn          string
	EventBusName string
	EventPattern string `json:",omitempty"`
	Description  string `json:",omitempty"`
	State        string
}

func (c *call) listEventRules() (any, *apiError) {
	var in struct {
		EventBusName, NamePrefix, NextToken string
		Limit                               *int
	}
	return c.managed(&in, &in.EventBusName, func() (any, *apiError) {
		b := c.e.bus(in.EventBusName)
		if b == nil {
			return nil, errNoBus(in.EventBusName)
		}
		limit := 100
		if in.Limit != nil {
			if limit = *in.Limit; limit < 1 || limit > 100 {
				return nil, eventsError("ValidationException", "1 validation error detected: Value '%d' at 'limit' failed to satisfy constraint: Member must have value between 1 and 100", limit)
			}
		}
		names := slices.DeleteFunc(sortedNames(b.rules), func(n string) bool { return !strings.HasPrefix(n, in.NamePrefix) })
		from, _ := strconv.Atoi(in.NextToken)
		names = names[min(max(from, 0), len(names)):]
		out := struct {
			Rules     []listedRule
			NextToken string `json:",omitempty"`
		}{Rules: []listedRule{}}
		if len(names) > limit {
			names, out.NextToken = names[:limit], strconv.Itoa(from+limit)
		}
		for _, name := range names {
			r := b.rules[name]
			one := listedRule{Name: name, Arn: r.arn, EventBusName: b.name, EventPattern: r.pattern, Description: r.description, State: "ENABLED"}
			if r.disabled {
				one.State = "DISABLED"
			}
			out.Rules = append(out.Rules, one)
		}
		return out, nil
	})
}

// failedTargets is the answer of PutTargets and RemoveTargets; what fails here fails as a whole.
type failedTargets struct {
	FailedEntryCount int
	FailedEntries    []struct{}
}

func (c *call) putEventTargets() (any, *apiError) {
	var in struct {
		Rule, EventBusName string
		Targets            []struct {
			Id, Arn, Input, InputPath string
			InputTransformer          *struct{}
			SqsParameters             struct{ MessageGroupId string }
		}
	}
	return c.managed(&in, &in.EventBusName, func() (any, *apiError) {
		b := c.e.bus(in.EventBusName)
		if b == nil {
			return nil, errNoBus(in.EventBusName)
		}
		r := b.rules[in.Rule]
		if r == nil {
			return nil, errNoRule(in.Rule, in.EventBusName)
		}
		targets := make([]EventTarget, 0, len(in.Targets))
		for _, t := range in.Targets {
			if t.Input != "" || t.InputPath != "" || t.InputTransformer != nil {
				return nil, eventsError("ValidationException", "The local AWS endpoint does not transform events.")
			}
			targets = append(targets, EventTarget{ID: t.Id, ARN: t.Arn, MessageGroupID: t.SqsParameters.MessageGroupId})
		}
		if problem := r.putTargets(targets); problem != nil {
			return nil, problem
		}
		return failedTargets{FailedEntries: []struct{}{}}, nil
	})
}

func (c *call) removeEventTargets() (any, *apiError) {
	var in struct {
		Rule, EventBusName string
		Ids                []string
	}
	return c.managed(&in, &in.EventBusName, func() (any, *apiError) {
		b := c.e.bus(in.EventBusName)
		if b == nil {
			return nil, errNoBus(in.EventBusName)
		}
		r := b.rules[in.Rule]
		if r == nil {
			return nil, errNoRule(in.Rule, in.EventBusName)
		}
		r.targets = slices.DeleteFunc(r.targets, func(t EventTarget) bool { return slices.Contains(in.Ids, t.ID) })
		return failedTargets{FailedEntries: []struct{}{}}, nil
	})
}
