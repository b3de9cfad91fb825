package awslocal

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"sync"
	"time"
)

const (
	defaultFunctionTimeout = 3 * time.Second // Lambda's own
	accountConcurrency     = 1000            // of an account that asked for no more
	defaultProcesses       = 10
	defaultEventQueue      = 1000
	latest                 = "$LATEST"
)

// FunctionOptions describe a function for [Endpoint.CreateFunction]. It has either a Handler or a Command.
type FunctionOptions struct {
	Name string
	// Timeout is how long a call may run; 0: 3 s, as Lambda has it.
	Timeout time.Duration
	// Concurrency is how many calls may run at once, reserved for the function; negative: none, so that each call is
	// throttled. 0: the account's 1,000 for a Handler, and 10 for a Command.
	Concurrency int
	// Handler is the function. Its error is a function error: a [*FunctionError] as it stands, another as an unhandled one.
	// It must return when ctx ends, which it does at the timeout and when the endpoint closes; what it writes to
	// [FunctionLog] is the log.
	Handler func(ctx context.Context, payload []byte) ([]byte, error)
	// Command is a program, and its arguments, that speaks Lambda's Runtime API. Each process has one call at a time; they
	// are started when they are needed.
	Command []string
	// Environment is added to what Lambda itself tells a program ("NAME=value"); nothing of this process's is passed on.
	Environment []string
	// Aliases are the published versions that aliases name. A version is callable by its number too.
	Aliases map[string]string
	// State is Active, Pending, Inactive or Failed; "": Active. A call of a function that is Pending or Failed is refused.
	State string
	// MemoryMB is told by the configuration; 0: 128.
	MemoryMB int
	// DeadLetterARN is told by the configuration. Nothing is sent there.
	DeadLetterARN string
	// EventQueue is how many asynchronous calls may wait or run; 0: 1,000.
	EventQueue int
	// EventRetry is the wait before an asynchronous call that failed is tried again, doubled before the third try; 0: one
	// minute, as Lambda has it.
	EventRetry time.Duration
}

// FunctionError is an error that a Handler answers with.
type FunctionError struct {
	// Handled makes X-Amz-Function-Error say so: what old runtimes told of an error that the function returned.
	Handled       bool
	Type, Message string
	// Payload is the whole answer, instead of an object made of Type and Message.
	Payload []byte
}

// Error returns type and message.
func (e *FunctionError) Error() string { return e.Type + ": " + e.Message }

// FunctionCounts is what a function has done.
type FunctionCounts struct {
	// Runs are calls that ran, tries of asynchronous ones included; Errors are those of them that ended in a function error.
	Runs, Errors int
	// Throttled are calls that were refused for want of concurrency.
	Throttled int
	// Queued are asynchronous calls that wait or run now; Done are those that went well, and Lost those that failed three
	// times.
	Queued, Done, Lost int
	// Started are the processes that were started, Running those that live.
	Started, Running int
}

// functions are an endpoint's.
type functions struct {
	mu      sync.Mutex // guards what follows
	byName  map[string]*function
	closed  bool
	ctx     context.Context // ends when the endpoint closes
	cancel  context.CancelFunc
	running sync.WaitGroup // calls and processes
}

// function is one function and what runs of it.
type function struct {
	e    *Endpoint
	opt  FunctionOptions
	arn  string
	made time.Time
	// slots holds a token for each call that runs.
	slots chan struct{}

	mu       sync.Mutex // guards what follows
	counts   FunctionCounts
	idle     []*process            // the last one used at the end
	all      map[*process]struct{} // that live
	versions map[string]bool
	gone     bool // deleted or replaced: processes end after their call
}

// functionName is what Lambda allows.
var functionName = regexp.MustCompile(`^[a-zA-Z0-9-_]{1,64}$`)

// CreateFunction makes a function, or replaces one, whose processes then end.
func (e *Endpoint) CreateFunction(o FunctionOptions) error {
	switch {
	case !functionName.MatchString(o.Name):
		return fmt.Errorf("creating function %q: the name is none", o.Name)
	case (o.Handler == nil) == (len(o.Command) == 0):
		return fmt.Errorf("creating function %s: it needs a handler or a command", o.Name)
	}
	if o.Timeout <= 0 {
		o.Timeout = defaultFunctionTimeout
	}
	if o.Concurrency == 0 {
		o.Concurrency = accountConcurrency
		if o.Handler == nil {
			o.Concurrency = defaultProcesses
		}
	}
	if o.State == "" {
		o.State = "Active"
	}
	if o.MemoryMB == 0 {
		o.MemoryMB = 128
	}
	if o.EventQueue <= 0 {
		o.EventQueue = defaultEventQueue
	}
	if o.EventRetry <= 0 {
		o.EventRetry = time.Minute
	}
	f := &function{
		e: e, opt: o, arn: e.FunctionARN(o.Name), made: time.Now(), slots: make(chan struct{}, max(o.Concurrency, 0)),
		all: map[*process]struct{}{}, versions: map[string]bool{latest: true},
	}
	for _, version := range o.Aliases {
		f.versions[version] = true
	}
	e.functions.mu.Lock()
	old, closed := e.functions.byName[o.Name], e.functions.closed
	if !closed {
		e.functions.byName[o.Name] = f
	}
	e.functions.mu.Unlock()
	if closed {
		return errors.New("creating function " + o.Name + ": the endpoint is closed")
	}
	if old != nil {
		old.end()
	}
	return nil
}

// DeleteFunction removes a function; its processes end. One that does not exist is no error.
func (e *Endpoint) DeleteFunction(name string) {
	e.functions.mu.Lock()
	f := e.functions.byName[name]
	delete(e.functions.byName, name)
	e.functions.mu.Unlock()
	if f != nil {
		f.end()
	}
}

// FunctionARN is the ARN of a function of the endpoint's account, whether or not it exists.
func (e *Endpoint) FunctionARN(name string) string {
	return "arn:aws:lambda:" + e.opt.Region + ":" + e.opt.Account + ":function:" + name
}

// FunctionCounts counts what a function has done; nothing for one that does not exist.
func (e *Endpoint) FunctionCounts(name string) FunctionCounts {
	f := e.functions.find(name)
	if f == nil {
		return FunctionCounts{}
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.counts.Running = len(f.all)
	return f.counts
}

func (fs *functions) find(name string) *function {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	return fs.byName[name]
}

// begin lets a call or a process begin unless the endpoint is closing; running.Done ends it.
func (fs *functions) begin() bool {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	if fs.closed {
		return false
	}
	fs.running.Add(1)
	return true
}

// close ends all processes and waits for the calls. The endpoint's stop is closed.
func (fs *functions) close() {
	fs.mu.Lock()
	fs.closed = true
	fs.cancel()
	all := make([]*function, 0, len(fs.byName))
	for _, f := range fs.byName {
		all = append(all, f)
	}
	fs.mu.Unlock()
	for _, f := range all {
		f.end()
	}
	fs.running.Wait()
}

// end ends the processes.
func (f *function) end() {
	f.mu.Lock()
	all := make([]*process, 0, len(f.all))
	for p := range f.all {
		all = append(all, p)
	}
	f.idle, f.gone = nil, true
	f.mu.Unlock()
	for _, p := range all {
		p.kill()
	}
}

// count changes the counts.
func (f *function) count(change func(*FunctionCounts)) {
	f.mu.Lock()
	defer f.mu.Unlock()
	change(&f.counts)
}

// version returns the version that a qualifier names.
func (f *function) version(qualifier string) (string, bool) {
	if qualifier == "" {
		return latest, true
	}
	if v, ok := f.opt.Aliases[qualifier]; ok {
		return v, true
	}
	return qualifier, f.versions[qualifier]
}

// functionID takes apart what names a function in a path: a name, an ARN or the last three parts of one, each with or
// without a qualifier.
func functionID(text string) (account, name, qualifier string, ok bool) {
	part := strings.Split(text, ":")
	if len(part) >= 7 && part[0] == "arn" && part[2] == "lambda" && part[5] == "function" {
		account, part = part[4], part[6:]
	} else if len(part) >= 3 && part[1] == "function" {
		account, part = part[0], part[2:]
	}
	if len(part) > 2 || !functionName.MatchString(part[0]) {
		return "", "", "", false
	}
	if len(part) == 2 {
		qualifier = part[1]
		ok = qualifier != ""
	} else {
		ok = true
	}
	return account, part[0], qualifier, ok
}
