package main

import (
	"context"
	"errors"
	"os"
	"os/signal"
	"sync"
	"syscall"
)

// signalError is the cause of a context that a signal has ended.
type signalError struct{ os.Signal }

func (e signalError) Error() string { return "ended by signal: " + e.String() }

// Is tells that the context is canceled, which nobody has to look at the cause to know.
func (signalError) Is(target error) bool { return target == context.Canceled }

// untilSignal returns a context that ends at the first signal, which is its cause. A second one ends the process at
// once, unless somebody else asks for it: the daemon does. stop is to be called at the end.
func untilSignal(parent context.Context) (ctx context.Context, stop func()) {
	ctx, cancel := context.WithCancelCause(parent)
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	var waiting sync.WaitGroup
	waiting.Go(func() {
		defer signal.Stop(signals) // the next one does what it does by default
		select {
		case s := <-signals:
			signal.Stop(signals)
			cancel(signalError{s})
		case <-ctx.Done():
		}
	})
	return ctx, func() {
		cancel(nil)
		waiting.Wait()
	}
}

// exitBySignal returns the exit code of a command that the end of ctx has interrupted, as shells have it: 128 and the
// number of the signal, which is SIGINT where it was none.
func exitBySignal(ctx context.Context) int {
	var by signalError
	if errors.As(context.Cause(ctx), &by) && by.Signal == syscall.SIGTERM {
		return exitTerminated
	}
	return exitInterrupted
}
