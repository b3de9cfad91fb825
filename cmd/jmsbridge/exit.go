package main

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"
)

// The exit codes of every command.
const (
	exitDone   = 0 // it did what was asked
	exitFailed = 1 // it could not, or found something that can't work
	exitUsage  = 2 // the command line or the configuration is wrong
)

// exitError is an error with the exit code that it means. A command returns one of it, or a plain error, which means
// exitFailed; what cobra itself refuses on the command line means exitUsage.
type exitError struct {
	code int
	err  error // nil: what there is to say has been printed already
}

func (e *exitError) Error() string {
	if e.err == nil {
		return fmt.Sprintf("exit code %d", e.code)
	}
	return e.err.Error()
}

func (e *exitError) Unwrap() error { return e.err }

// failed returns err with exit code 1; usage returns it with exit code 2.
func failed(err error) error { return &exitError{code: exitFailed, err: err} }
func usage(err error) error  { return &exitError{code: exitUsage, err: err} }

// one takes one argument, and says what it is where it is missing.
func one(what string) cobra.PositionalArgs {
	return func(c *cobra.Command, args []string) error {
		if len(args) == 1 {
			return nil
		}
		return usage(fmt.Errorf("name one %s, not %d; see '%s --help'", what, len(args), c.CommandPath()))
	}
}

// exitCode returns the exit code that the error of an executed root command means, and whether there is nothing left
// to print about it.
func exitCode(err error) (code int, silent bool) {
	if err == nil {
		return exitDone, true
	}
	var e *exitError
	if errors.As(err, &e) {
		return e.code, e.err == nil
	}
	return exitUsage, false
}
