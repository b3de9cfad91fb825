package awslocal

import (
	"iter"
	"sync"
	"time"
)

// Outcome is what became of what was asked.
type Outcome uint8

const (
	// Pending has not been answered yet.
	Pending Outcome = iota
	// Accepted was done and answered so.
	Accepted
	// Refused was answered with an error, of the call or of the entry, and not done.
	Refused
	// AnswerLost was done, and the answer never left.
	AnswerLost
	// NotProcessed was not done, and there was no answer.
	NotProcessed
)

// String names the outcome.
func (o Outcome) String() string {
	return [...]string{"pending", "accepted", "refused", "answer lost", "not processed"}[o]
}

// Record is one message of a send, one entry of another batch, or one other request, as it was asked for, before any
// deduplication. Its maps are shared and not to be changed.
type Record struct {
	// Number counts records from 1; Request counts HTTP requests.
	Number, Request uint64
	RequestID       string
	At              time.Time
	Action          string
	// Queue is the queue's name; of a call of Lambda the function's.
	Queue string
	// Entry is the index in the batch, and EntryID its id.
	Entry      int
	EntryID    string
	Body       string
	BodySize   int
	Attributes map[string]Attribute
	// Trace is the system attribute AWSTraceHeader.
	Trace          string
	Group, DedupID string
	// Qualifier and Invocation ("RequestResponse", "Event", "DryRun") are a call's of Lambda, whose payload is Body.
	// FunctionError is what its function answered with: "Unhandled", "Handled", or "".
	Qualifier, Invocation, FunctionError string
	// MessageID is the id that was given; of the first one when it was Deduplicated.
	MessageID    string
	Deduplicated bool
	Outcome      Outcome
	// Code is the error of a Refused one, in the form that the SDK shows.
	Code string
	// Faulted says that an injected fault made this outcome.
	Faulted bool
	// Event is the entry of a PutEvents; nil for everything else. Queue is then the bus, if all entries are for one.
	Event *PutEvent
}

// Text returns the text of an attribute, "" when it is missing.
func (r *Record) Text(attribute string) string { return r.Attributes[attribute].StringValue }

// Stored says that the message was taken into the queue (or recognised as a duplicate there), whether or not the client
// heard of it.
func (r *Record) Stored() bool { return r.MessageID != "" }

// Log is what was asked of an endpoint, oldest first. Its methods may be called by any goroutines at once.
type Log struct {
	mu       sync.Mutex
	limit    int // 0: all; negative: none
	bodiless bool
	records  []*Record
	dropped  uint64 // records before records[0] that are forgotten
	number   uint64
	byDedup  map[dedupKey][]*Record
	calls    map[string]int
}

type dedupKey struct{ queue, id string }

func newLog(limit int, bodiless bool) *Log {
	return &Log{limit: limit, bodiless: bodiless, byDedup: map[dedupKey][]*Record{}, calls: map[string]int{}}
}

// add takes the records of a call.
func (l *Log) add(c *call, records []*Record) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.limit < 0 {
		return
	}
	for _, r := range records {
		l.number++
		r.Number, r.Request, r.RequestID, r.At, r.Action, r.Queue = l.number, c.number, c.id, c.arrived, c.action, c.queue
		if l.bodiless {
			r.Body, r.Attributes = "", nil
		}
		l.records = append(l.records, r)
		if r.DedupID != "" {
			key := dedupKey{r.Queue, r.DedupID}
			l.byDedup[key] = append(l.byDedup[key], r)
		}
	}
	if l.limit > 0 && len(l.records) > l.limit+l.limit/2 { // half of it more, so that the copy is paid rarely
		n := len(l.records) - l.limit
		for _, r := range l.records[:n] {
			if key := (dedupKey{r.Queue, r.DedupID}); r.DedupID != "" {
				if rest := l.byDedup[key][1:]; len(rest) == 0 {
					delete(l.byDedup, key)
				} else {
					l.byDedup[key] = rest
				}
			}
		}
		l.dropped += uint64(n)
		l.records = append([]*Record(nil), l.records[n:]...)
	}
}

// complete settles the outcome of a call's records.
func (l *Log) complete(c *call, outcome Outcome, code string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.calls[c.action]++
	for _, r := range c.records {
		if r.Outcome == Pending {
			r.Outcome, r.Code = outcome, code
		}
	}
}

// lose corrects the outcome of a call whose answer could not be written.
func (l *Log) lose(c *call) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, r := range c.records {
		if r.Outcome == Accepted {
			r.Outcome = AnswerLost
		}
	}
}

// Len is how many records were made, the forgotten ones too.
func (l *Log) Len() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return int(l.number)
}

// Calls is how many requests of an action have ended.
func (l *Log) Calls(action string) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.calls[action]
}

// Reset forgets everything.
func (l *Log) Reset() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.records, l.dropped, l.number = nil, 0, 0
	l.byDedup, l.calls = map[dedupKey][]*Record{}, map[string]int{}
}

// All walks over copies of the records, as they are when it starts.
func (l *Log) All() iter.Seq[Record] {
	l.mu.Lock()
	all := make([]Record, len(l.records))
	for i, r := range l.records {
		all[i] = *r
	}
	l.mu.Unlock()
	return func(yield func(Record) bool) {
		for _, r := range all {
			if !yield(r) {
				return
			}
		}
	}
}

// Sends returns the messages that were asked to be sent to a queue ("": any).
func (l *Log) Sends(queue string) []Record {
	return l.where(func(r *Record) bool {
		return (r.Action == "SendMessage" || r.Action == "SendMessageBatch") && (queue == "" || r.Queue == queue)
	})
}

// Count counts the records that match; match must not call the log.
func (l *Log) Count(match func(*Record) bool) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	n := 0
	for _, r := range l.records {
		if match(r) {
			n++
		}
	}
	return n
}

// ByDedupID returns the sends with a deduplication id, without looking through the log.
func (l *Log) ByDedupID(queue, id string) []Record {
	l.mu.Lock()
	defer l.mu.Unlock()
	found := l.byDedup[dedupKey{queue, id}]
	out := make([]Record, len(found))
	for i, r := range found {
		out[i] = *r
	}
	return out
}

// Group sorts the sends to a queue by a key of the caller's choice, in one pass: what was sent more than once has more
// than one record. A key "" is left out.
func (l *Log) Group(queue string, key func(*Record) string) map[string][]Record {
	out := map[string][]Record{}
	for _, r := range l.Sends(queue) {
		if k := key(&r); k != "" {
			out[k] = append(out[k], r)
		}
	}
	return out
}

func (l *Log) where(match func(*Record) bool) []Record {
	l.mu.Lock()
	defer l.mu.Unlock()
	var out []Record
	for _, r := range l.records {
		if match(r) {
			out = append(out, *r)
		}
	}
	return out
}
