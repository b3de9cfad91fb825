package awslocal

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

const defaultBus = "default"

// PutEvent is an entry of PutEvents as it was asked for. Its detail is the Body of its [Record].
type PutEvent struct {
	// Bus is the bus's name; "default" where none was given.
	Bus, Source, DetailType string
	Resources               []string
	// Time is zero where none was given.
	Time time.Time
}

// BusCounts is what became of the events of a bus.
type BusCounts struct {
	// Events were taken; Unmatched are those of them for which no rule matched: EventBridge drops these.
	Events, Unmatched int
	// Delivered and Failed count events and targets: a queue or a function that does not exist, or does not take the event, is
	// a failure. One that a function fails on was delivered: [Endpoint.FunctionCounts] tells of it.
	Delivered, Failed int
}

// EventTarget is where a rule sends events.
type EventTarget struct {
	// ID is unique in the rule; "": the ARN.
	ID string
	// ARN is that of an SQS queue, of a function, or of what [Endpoint.DeliverEvents] serves.
	ARN string
	// MessageGroupID is needed for a FIFO queue, which has to have content-based deduplication.
	MessageGroupID string
}

// RuleOptions describe a rule for [Endpoint.CreateRule].
type RuleOptions struct {
	Name string
	// Bus is a bus's name or ARN; "": the default bus.
	Bus string
	// Pattern is an event pattern, of exact values, prefix, suffix, anything-but (without operators inside) and exists. ""
	// with Match nil matches everything.
	Pattern string
	// Match decides instead of Pattern, for patterns that this package does not know. It must not call the endpoint.
	Match   func(event []byte) bool
	Targets []EventTarget
}

// buses are all that EventBridge holds. The endpoint's mu guards them.
type buses struct {
	byName  map[string]*bus
	deliver map[string]func(arn string, event []byte)
}

type bus struct {
	name, arn   string
	description string
	created     time.Time
	rules       map[string]*rule
	counts      BusCounts
}

type rule struct {
	name, arn, description string
	pattern                string
	match                  func(event []byte, decoded any) bool
	disabled               bool
	targets                []EventTarget
}

// bus finds a bus by its name or ARN; e.mu is held. The default bus is always there.
func (e *Endpoint) bus(nameOrARN string) *bus {
	name, ok := e.busName(nameOrARN)
	if !ok {
		return nil
	}
	if b := e.events.byName[name]; b != nil || name != defaultBus {
		return b
	}
	return e.newBus(defaultBus)
}

func (e *Endpoint) newBus(name string) *bus {
	if e.events.byName == nil {
		e.events.byName = map[string]*bus{}
	}
	b := &bus{name: name, arn: e.BusARN(name), created: time.Now(), rules: map[string]*rule{}}
	e.events.byName[name] = b
	return b
}

// busName takes the name out of an ARN. false: it is a bus of another account or region.
func (e *Endpoint) busName(nameOrARN string) (string, bool) {
	if nameOrARN == "" {
		return defaultBus, true
	}
	if !strings.HasPrefix(nameOrARN, "arn:") {
		return nameOrARN, true
	}
	own := e.BusARN("")
	return strings.TrimPrefix(nameOrARN, own), strings.HasPrefix(nameOrARN, own)
}

// BusARN is the ARN of an event bus of the endpoint's account, whether or not it exists.
func (e *Endpoint) BusARN(name string) string {
	return "arn:aws:events:" + e.opt.Region + ":" + e.opt.Account + ":event-bus/" + name
}

// CreateBus makes an event bus and returns its ARN.
func (e *Endpoint) CreateBus(name string) (string, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	b, problem := e.createBus(name)
	if problem != nil {
		return "", fmt.Errorf("creating event bus %s: %w", name, problem)
	}
	return b.arn, nil
}

// CreateRule makes a rule with its targets, or replaces the one of its name.
func (e *Endpoint) CreateRule(o RuleOptions) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	if o.Pattern == "" && o.Match == nil {
		o.Pattern = "{}"
	}
	r, problem := e.putRule(o.Bus, o.Name, o.Pattern, o.Match)
	if problem == nil {
		problem = r.putTargets(o.Targets)
	}
	if problem != nil {
		return fmt.Errorf("creating rule %s: %w", o.Name, problem)
	}
	return nil
}

// DeliverEvents has the events of targets of a service ("states": the third part of the ARN) given to a Go function, which
// is called before PutEvents is answered, by any goroutine. nil takes it back. The queues and Lambda functions of the endpoint
// need none; one for "sqs" or "lambda" stands in their place.
func (e *Endpoint) DeliverEvents(service string, to func(arn string, event []byte)) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.events.deliver == nil {
		e.events.deliver = map[string]func(string, []byte){}
	}
	if to == nil {
		delete(e.events.deliver, service)
		return
	}
	e.events.deliver[service] = to
}

// BusCounts counts what became of the events of a bus; nothing for one that does not exist.
func (e *Endpoint) BusCounts(name string) BusCounts {
	e.mu.Lock()
	defer e.mu.Unlock()
	if b := e.bus(name); b != nil {
		return b.counts
	}
	return BusCounts{}
}

// Rules are the names of the rules of a bus.
func (e *Endpoint) Rules(name string) []string {
	e.mu.Lock()
	defer e.mu.Unlock()
	b := e.bus(name)
	if b == nil {
		return nil
	}
	return sortedNames(b.rules)
}

// Events returns the entries of PutEvents for a bus ("": any).
func (l *Log) Events(bus string) []Record {
	return l.where(func(r *Record) bool { return r.Event != nil && (bus == "" || r.Event.Bus == bus) })
}

func (e *Endpoint) createBus(name string) (*bus, *apiError) {
	switch {
	case name == "" || len(name) > 256 || !onlyNameBytes(name, "/.-_"):
		return nil, eventsError("ValidationException", "1 validation error detected: Value '%.300s' at 'name' failed to satisfy constraint: Member must satisfy regular expression pattern: [/\\.\\-_A-Za-z0-9]+", name)
	case strings.Contains(name, "/"):
		return nil, eventsError("ValidationException", "Event bus name must not contain '/'.")
	case name == defaultBus || e.events.byName[name] != nil:
		return nil, eventsError("ResourceAlreadyExistsException", "Event bus %s already exists.", name)
	}
	return e.newBus(name), nil
}

// putRule makes a rule, or changes the one that is there and leaves it its targets; e.mu is held.
func (e *Endpoint) putRule(busName, name, pattern string, match func([]byte) bool) (*rule, *apiError) {
	b := e.bus(busName)
	switch {
	case name == "" || len(name) > 64 || !onlyNameBytes(name, ".-_"):
		return nil, eventsError("ValidationException", "1 validation error detected: Value '%.100s' at 'name' failed to satisfy constraint: Member must satisfy regular expression pattern: [\\.\\-_A-Za-z0-9]+", name)
	case b == nil:
		return nil, errNoBus(busName)
	case pattern == "" && match == nil:
		return nil, eventsError("ValidationException", "Parameter(s) EventPattern or ScheduleExpression must be specified.")
	}
	decide := func(event []byte, _ any) bool { return match(event) }
	if match == nil {
		compiled, err := parsePattern(pattern)
		if err != nil {
			return nil, eventsError("InvalidEventPatternException", "Event pattern is not valid. Reason: %v", err)
		}
		decide = func(_ []byte, decoded any) bool { return compiled.matches(decoded) }
	}
	r := b.rules[name]
	if r == nil {
		path := "rule/" + name
		if b.name != defaultBus {
			path = "rule/" + b.name + "/" + name
		}
		r = &rule{name: name, arn: "arn:aws:events:" + e.opt.Region + ":" + e.opt.Account + ":" + path}
		b.rules[name] = r
	}
	r.pattern, r.match = pattern, decide
	return r, nil
}

// putTargets adds targets, or replaces those of the same ids; e.mu is held.
func (r *rule) putTargets(targets []EventTarget) *apiError {
	all := append([]EventTarget(nil), r.targets...)
	for _, t := range targets {
		if t.ID == "" {
			t.ID = t.ARN
		}
		part := strings.SplitN(t.ARN, ":", 6)
		if len(part) != 6 || part[0] != "arn" {
			return eventsError("ValidationException", "Parameter %s is not valid. Reason: Provided Arn is not in correct format.", t.ARN)
		}
		if part[2] == "sqs" && strings.HasSuffix(t.ARN, ".fifo") && t.MessageGroupID == "" {
			return eventsError("ValidationException", "Parameter(s) SqsParameters must be specified for target: %s.", t.ID)
		}
		found := false
		for i := range all {
			if all[i].ID == t.ID {
				all[i], found = t, true
			}
		}
		if !found {
			all = append(all, t)
		}
	}
	if len(all) > 5 {
		return eventsError("LimitExceededException", "The requested resource exceeds the maximum number allowed.")
	}
	r.targets = all
	return nil
}

func sortedNames(rules map[string]*rule) []string {
	return slices.Sorted(maps.Keys(rules))
}
