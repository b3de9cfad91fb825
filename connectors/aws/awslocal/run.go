package awslocal

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"
)

const (
	unhandled = "Unhandled"
	// maxResponse is the largest answer of a function: 6 MB, and 100 bytes that Lambda's own message counts in.
	maxResponse = syncPayload + 100
	// eventTries is how often Lambda runs an asynchronous call that fails.
	eventTries = 3
)

// invocation is one call of a function on its way.
type invocation struct {
	id, arn, version string
	payload          []byte
	log              functionLog
	answer           functionResult // once done is closed
	done             chan struct{}
}

// functionResult is what a call of a function ends with.
type functionResult struct {
	payload []byte
	failure string // X-Amz-Function-Error
}

// failed is the answer of a function error.
func failed(kind, format string, a ...any) functionResult {
	text, _ := json.Marshal(map[string]string{"errorType": kind, "errorMessage": fmt.Sprintf(format, a...)}) //nolint:errchkjson // two strings
	return functionResult{text, unhandled}
}

// start begins a synchronous call, unless too many run.
func (f *function) start(in *invocation) *apiError {
	select {
	case f.slots <- struct{}{}:
	default:
		f.count(func(c *FunctionCounts) { c.Throttled++ })
		if f.opt.Concurrency == accountConcurrency {
			return errConcurrency(reasonAccount)
		}
		return errConcurrency(reasonReserved)
	}
	if !f.e.functions.begin() {
		<-f.slots
		return lambdaError("ServiceException", "The endpoint is closing.")
	}
	in.done = make(chan struct{})
	go func() {
		defer f.e.functions.running.Done()
		f.run(in)
		<-f.slots // before the caller can call again
		close(in.done)
	}()
	return nil
}

// enqueue takes an asynchronous call.
func (f *function) enqueue(in *invocation) *apiError {
	f.mu.Lock()
	full := f.counts.Queued >= f.opt.EventQueue
	if full {
		f.counts.Throttled++
	} else {
		f.counts.Queued++
	}
	f.mu.Unlock()
	if full {
		return errConcurrency("FunctionInvocationRateLimitExceeded")
	}
	if !f.e.functions.begin() {
		return lambdaError("ServiceException", "The endpoint is closing.")
	}
	go func() {
		defer f.e.functions.running.Done()
		ok := f.deliver(in)
		f.count(func(c *FunctionCounts) {
			c.Queued--
			if ok {
				c.Done++
			} else {
				c.Lost++
			}
		})
	}()
	return nil
}

// deliver runs an asynchronous call until it goes well, and returns whether it did.
func (f *function) deliver(in *invocation) bool {
	for try := range eventTries {
		if try > 0 && !f.e.functions.pause(f.opt.EventRetry<<(try-1)) {
			return false
		}
		select {
		case f.slots <- struct{}{}:
		case <-f.e.functions.ctx.Done():
			return false
		}
		again := &invocation{id: in.id, arn: in.arn, version: in.version, payload: in.payload}
		f.run(again)
		<-f.slots
		if again.answer.failure == "" {
			return true
		}
	}
	return false
}

// pause waits, and returns false when the endpoint closes first.
func (fs *functions) pause(d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-fs.ctx.Done():
		return false
	}
}

// run runs the function once and fills in.answer. The caller holds a slot.
func (f *function) run(in *invocation) {
	began := time.Now()
	in.log.printf("START RequestId: %s Version: %s\n", in.id, in.version)
	if f.opt.Handler != nil {
		in.answer = f.handle(in)
	} else {
		in.answer = f.ask(in)
	}
	if n := len(in.answer.payload); n > maxResponse {
		in.answer = failed("Function.ResponseSizeTooLarge", "Response payload size exceeded maximum allowed payload size (%d bytes).", maxResponse)
	}
	took := float64(time.Since(began).Microseconds()) / 1000
	in.log.printf("END RequestId: %s\nREPORT RequestId: %s\tDuration: %.2f ms\tBilled Duration: %.0f ms\tMemory Size: %d MB\n", in.id, in.id, took, took+0.5, f.opt.MemoryMB)
	f.count(func(c *FunctionCounts) {
		c.Runs++
		if in.answer.failure != "" {
			c.Errors++
		}
	})
}

// timedOut is Lambda's answer for a function that takes too long.
func (f *function) timedOut(in *invocation) functionResult {
	in.log.printf("%s %s Task timed out after %.2f seconds\n", time.Now().UTC().Format("2006-01-02T15:04:05.000Z"), in.id, f.opt.Timeout.Seconds())
	return failed("Sandbox.Timedout", "RequestId: %s Error: Task timed out after %.2f seconds", in.id, f.opt.Timeout.Seconds())
}

type logKey struct{}

// handle calls a handler in this process.
func (f *function) handle(in *invocation) functionResult {
	ctx, cancel := context.WithTimeout(context.WithValue(f.e.functions.ctx, logKey{}, &in.log), f.opt.Timeout)
	defer cancel()
	out := make(chan functionResult, 1)
	if !f.e.functions.begin() {
		return failed("Sandbox.Failure", "The endpoint is closing.")
	}
	go func() {
		defer f.e.functions.running.Done()
		out <- f.guarded(ctx, in)
	}()
	select {
	case result := <-out:
		if result.failure == "" || !errors.Is(ctx.Err(), context.DeadlineExceeded) {
			return result
		} // it noticed the end of its time
	case <-ctx.Done():
	}
	if !errors.Is(ctx.Err(), context.DeadlineExceeded) {
		return failed("Sandbox.Failure", "The endpoint is closing.")
	}
	return f.timedOut(in)
}

// guarded calls the handler and makes an answer of what it returns, a panic included.
func (f *function) guarded(ctx context.Context, in *invocation) (result functionResult) {
	defer func() {
		if v := recover(); v != nil {
			result = failed("Runtime.Panic", "%v", v)
		}
	}()
	payload, err := f.opt.Handler(ctx, in.payload)
	var own *FunctionError
	switch {
	case err == nil:
		return functionResult{payload: payload}
	case errors.As(err, &own):
		result = failed(own.Type, "%s", own.Message)
		if own.Payload != nil {
			result.payload = own.Payload
		}
		if own.Handled {
			result.failure = "Handled"
		}
		return result
	default:
		return failed("errorString", "%s", err.Error())
	}
}
