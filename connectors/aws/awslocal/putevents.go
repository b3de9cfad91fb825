package awslocal

import (
	"bytes"
	"encoding/json"
	"math"
	"strings"
	"time"
	"unicode/utf8"
)

const (
	// maxEventBytes is what the entries of a call may have together. The user guide says "less than 1 MB"; 1,048,576 has
	// been seen to be taken, and one more to be refused.
	maxEventBytes = 1 << 20
	// maxEventDepth is what JSON readers in Java take by default (Jackson's StreamReadConstraints).
	maxEventDepth = 1000
	maxDetailType = 128
	timeSize      = 14 // EventBridge user guide, "calculating PutEvents event entry size"
)

type putEntry struct {
	Time         json.RawMessage
	Source       *string
	Resources    []string
	DetailType   *string
	Detail       *string
	EventBusName *string
	TraceHeader  *string
}

type putResult struct {
	EventId      string `json:",omitempty"`
	ErrorCode    string `json:",omitempty"`
	ErrorMessage string `json:",omitempty"`
}

type putAnswer struct {
	FailedEntryCount int
	Entries          []putResult
}

// event is what targets get.
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
}

// delivery is an event for a target that is not a queue.
type delivery struct {
	to    func(arn string, event []byte)
	arn   string
	event []byte
}

func (c *call) putEvents() (any, *apiError) {
	var in struct{ Entries []putEntry }
	if problem := c.decode(&in); problem != nil {
		return nil, problem
	}
	problem := c.recordEvents(in.Entries)
	refuse := func(p *apiError) (any, *apiError) {
		for _, r := range c.records {
			r.Outcome, r.Code, r.Faulted = Refused, p.code, c.fault != nil
		}
		c.e.log.add(c, c.records)
		return nil, p
	}
	if p := c.gateEvents(); p != nil {
		return refuse(p)
	}
	if c.cutBefore() {
		for _, r := range c.records {
			r.Faulted = true
		}
		c.e.log.add(c, c.records)
		return answerless{}, nil
	}
	if problem == nil {
		problem = checkEntries(in.Entries)
	}
	if problem != nil {
		return refuse(problem)
	}
	out := putAnswer{Entries: make([]putResult, len(in.Entries))}
	made := make([][]byte, len(in.Entries))
	for i := range in.Entries {
		r, result := c.records[i], &out.Entries[i]
		if result.ErrorCode, result.ErrorMessage = in.Entries[i].check(); result.ErrorCode == "" {
			result.ErrorCode, result.ErrorMessage = c.eventFault(r)
		}
		if result.ErrorCode != "" {
			out.FailedEntryCount++
			r.Outcome, r.Code = Refused, result.ErrorCode
			continue
		}
		result.EventId = newID()
		r.MessageID, r.Faulted = result.EventId, c.fault != nil
		made[i] = c.event(&in.Entries[i], r)
	}
	for _, d := range c.dispatch(made) {
		d.to(d.arn, d.event)
	}
	return out, nil
}

// recordEvents makes the records of the entries. The call's bus is that of all entries, or none when they differ.
func (c *call) recordEvents(entries []putEntry) *apiError {
	records := make([]Record, len(entries))
	c.records = make([]*Record, len(entries))
	var problem *apiError
	for i := range entries {
		in, r := &entries[i], &records[i]
		name, _ := c.e.busName(deref(in.EventBusName))
		at, ok := eventTime(in.Time)
		if !ok && problem == nil {
			problem = eventsError("SerializationException", "Time is not a timestamp")
		}
		r.Entry, r.Body, r.BodySize, r.Trace = i, deref(in.Detail), len(deref(in.Detail)), deref(in.TraceHeader)
		r.Event = &PutEvent{Bus: name, Source: deref(in.Source), DetailType: deref(in.DetailType), Resources: in.Resources, Time: at}
		if i == 0 {
			c.queue = name
		} else if c.queue != name {
			c.queue = ""
		}
		c.records[i] = r
	}
	return problem
}

// eventTime reads a timestamp of JSON 1.1: seconds, with a fraction.
func eventTime(text json.RawMessage) (time.Time, bool) {
	if len(text) == 0 || string(text) == "null" {
		return time.Time{}, true
	}
	var seconds float64
	if json.Unmarshal(text, &seconds) != nil || math.Abs(seconds) > 1e12 {
		return time.Time{}, false
	}
	return time.UnixMilli(int64(math.Round(seconds * 1000))), true
}

// checkEntries judges the call as a whole.
func checkEntries(entries []putEntry) *apiError {
	const constraint = "1 validation error detected: Value '[PutEventsRequestEntry]' at 'entries' failed to satisfy constraint: Member must have length "
	switch {
	case len(entries) == 0:
		return eventsError("ValidationException", constraint+"greater than or equal to 1")
	case len(entries) > 10:
		return eventsError("ValidationException", constraint+"less than or equal to 10")
	}
	size := 0
	for i := range entries {
		in := &entries[i]
		if in.EventBusName != nil && !validBusName(*in.EventBusName) {
			return eventsError("ValidationException", "1 validation error detected: Value '%.200s' at 'entries.%d.member.eventBusName' failed to satisfy constraint: Member must satisfy regular expression pattern", *in.EventBusName, i+1)
		}
		size += len(deref(in.Source)) + len(deref(in.DetailType)) + len(deref(in.Detail))
		for _, r := range in.Resources {
			size += len(r)
		}
		if len(in.Time) > 0 {
			size += timeSize
		}
	}
	if size > maxEventBytes {
		return eventsError("ValidationException", "Total size of the entries in the request is over the limit.")
	}
	return nil
}

// validBusName holds for names and ARNs.
func validBusName(name string) bool {
	return name != "" && len(name) <= 1600 && onlyNameBytes(name, "/.-_:")
}

// check judges one entry, with the codes and words that AWS was recorded to answer.
func (in *putEntry) check() (code, message string) {
	for _, p := range []struct {
		name  string
		value *string
	}{{"Source", in.Source}, {"DetailType", in.DetailType}, {"Detail", in.Detail}} {
		if deref(p.value) == "" {
			return "InvalidArgument", "Parameter " + p.name + " is not valid. Reason: " + p.name + " is a required argument."
		}
	}
	switch detail := *in.Detail; {
	case strings.HasPrefix(*in.Source, "aws."):
		return "NotAuthorizedForSourceException", "Not authorized for the source."
	case utf8.RuneCountInString(*in.DetailType) > maxDetailType:
		return "InvalidArgument", "Parameter DetailType is not valid. Reason: DetailType must have length less than or equal to 128."
	case strings.TrimLeft(detail, " \t\r\n")[:1] != "{" || !json.Valid([]byte(detail)) || depthOf(detail) > maxEventDepth:
		return "MalformedDetail", "Detail is malformed."
	}
	return "", ""
}

// depthOf counts the levels of objects and arrays of valid JSON.
func depthOf(text string) int {
	depth, most, inString := 0, 0, false
	for i := 0; i < len(text); i++ {
		switch c := text[i]; {
		case inString:
			if c == '\\' {
				i++
			}
			inString = c != '"'
		case c == '"':
			inString = true
		case c == '{' || c == '[':
			depth++
			most = max(most, depth)
		case c == '}' || c == ']':
			depth--
		}
	}
	return most
}

// event is the event of an entry as targets get it. Its time has no fraction, as AWS's has none.
func (c *call) event(in *putEntry, r *Record) []byte {
	at := r.Event.Time
	if at.IsZero() {
		at = c.arrived
	}
	e := event{
		Version: "0", ID: r.MessageID, DetailType: *in.DetailType, Source: *in.Source, Account: c.account(), Region: c.e.opt.Region,
		Time: at.UTC().Format("2006-01-02T15:04:05Z"), Resources: in.Resources, Detail: json.RawMessage(*in.Detail),
	}
	if e.Resources == nil {
		e.Resources = []string{}
	}
	var text bytes.Buffer
	to := json.NewEncoder(&text)
	to.SetEscapeHTML(false)
	if err := to.Encode(e); err != nil {
		return nil // the detail was checked
	}
	return bytes.TrimSuffix(text.Bytes(), []byte("\n"))
}

// dispatch puts events into the queues of the rules that match, logs the call, and returns what is for others. EventBridge
// does this behind its answer; here it is done before.
func (c *call) dispatch(made [][]byte) []delivery {
	e := c.e
	e.mu.Lock()
	defer e.mu.Unlock()
	e.log.add(c, c.records)
	var others []delivery
	for i, event := range made {
		if event == nil {
			continue
		}
		b := e.bus(c.records[i].Event.Bus)
		if b == nil {
			continue // recorded from AWS: an event for a bus that does not exist is taken, and dropped
		}
		b.counts.Events++
		decoded, _ := decodeJSON(event)
		matched := false
		for _, name := range sortedNames(b.rules) {
			r := b.rules[name]
			if r.disabled || !r.match(event, decoded) {
				continue
			}
			matched = true
			for _, t := range r.targets {
				if to := e.events.deliver[serviceOf(t.ARN)]; to != nil {
					others = append(others, delivery{to, t.ARN, event})
					b.counts.Delivered++
				} else if e.deliverEvent(t, event, c.records[i].Trace) {
					b.counts.Delivered++
				} else {
					b.counts.Failed++
				}
			}
		}
		if !matched {
			b.counts.Unmatched++
		}
	}
	return others
}

// serviceOf is the service of an ARN.
func serviceOf(arn string) string { return strings.SplitN(arn, ":", 4)[2] }

// deliverEvent gives an event to a target of this endpoint; e.mu is held. false: it has none such, or that does not take it.
func (e *Endpoint) deliverEvent(t EventTarget, event []byte, trace string) bool {
	switch serviceOf(t.ARN) {
	case "sqs":
		return e.sendEvent(t, event, trace)
	case "lambda":
		return e.invokeByEvent(t.ARN, event)
	default:
		return false
	}
}

// invokeByEvent calls a function asynchronously, as EventBridge does: what becomes of the call is Lambda's affair.
func (e *Endpoint) invokeByEvent(arn string, event []byte) bool {
	account, name, qualifier, ok := functionID(arn)
	f := e.functions.find(name)
	if !ok || f == nil || account != e.opt.Account {
		return false
	}
	version, ok := f.version(qualifier)
	if !ok || f.refusal("Event", event) != nil {
		return false
	}
	return f.enqueue(&invocation{id: newID(), arn: arn, version: version, payload: bytes.Clone(event)}) == nil
}

// sendEvent sends an event to a queue; e.mu is held. false: there is none, or it does not take it.
func (e *Endpoint) sendEvent(t EventTarget, event []byte, trace string) bool {
	part := strings.Split(t.ARN, ":")
	q := e.queues[queueKey{part[4], part[len(part)-1]}]
	body := string(event)
	if q == nil || q.fifo && !q.set.contentDedup || len(body) > q.set.maxSize || checkBody(body) != nil {
		return false
	}
	in := sendRequest{MessageBody: &body}
	if t.MessageGroupID != "" {
		in.MessageGroupId = &t.MessageGroupID
	}
	m := &message{id: newID(), body: body, bodyMD5: md5Hex(body), trace: trace, sender: "AIDAEVENTS", group: t.MessageGroupID}
	q.accept(&in, m, &Record{}, time.Now())
	return true
}
