package main

import (
	"context"
	"fmt"

	"github.com/jmsbridge/jmsbridge/config"
	"github.com/jmsbridge/jmsbridge/connectors"
)

// loadConfig loads the configuration, but does not wait for it beyond ctx: a file system may hang, and a signal has to
// end the process all the same. The error has its exit code.
func loadConfig(ctx context.Context, path string) (*config.Config, error) {
	return within(ctx, "loading the configuration", func() (*config.Config, error) {
		cfg, err := connectors.Load(path)
		if err != nil {
			return nil, usage(err)
		}
		return cfg, nil
	})
}

// within returns what f returns, or leaves it behind when ctx ends first.
func within[T any](ctx context.Context, doing string, f func() (T, error)) (T, error) {
	type answer struct {
		value T
		err   error
	}
	done := make(chan answer, 1)
	go func() {
		value, err := f()
		done <- answer{value, err}
	}()
	select {
	case a := <-done:
		return a.value, a.err
	case <-ctx.Done():
		var none T
		return none, failed(fmt.Errorf("%s: %w", doing, context.Cause(ctx)))
	}
}
