// Command jmsbridge moves messages from JMS brokers to AWS and brings the answers back.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/spf13/cobra"

	"github.com/jmsbridge/jmsbridge/cmd/jmsbridge/internal/demo"
)

func main() {
	ctx, stop := untilSignal(context.Background())
	code := run(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}

// run is the whole program: it executes the command in args and returns the exit code.
func run(ctx context.Context, args []string, in io.Reader, out, errs io.Writer) int {
	return runCommand(ctx, newRootCommand(in, out, errs), args)
}

// runCommand executes a root command, prints what it returns, and returns the exit code.
func runCommand(ctx context.Context, root *cobra.Command, args []string) int {
	root.SetArgs(args)
	err := root.ExecuteContext(ctx)
	code, silent := exitCode(err)
	if !silent {
		complain(root.ErrOrStderr(), fmt.Sprintf("jmsbridge: %s\n", printableLines(err.Error())))
	}
	return code
}

// complain prints the last words of the program. Nobody may be reading: it waits a little, and leaves the write behind.
func complain(to io.Writer, text string) {
	said := make(chan struct{})
	go func() {
		defer close(said)
		_, _ = io.WriteString(to, text) // there is nowhere else to say that it failed
	}()
	limit := time.NewTimer(logFlush)
	defer limit.Stop()
	select {
	case <-said:
	case <-limit.C:
	}
}

func newRootCommand(in io.Reader, out, errs io.Writer) *cobra.Command {
	root := &cobra.Command{
		Use:   "jmsbridge",
		Short: "Moves messages from JMS brokers to AWS without losing any",
		Long: `jmsbridge moves messages from JMS brokers (ActiveMQ Classic, ActiveMQ Artemis, Amazon MQ) to AWS.
A message is settled at the broker only after its target, or a dead letter, has confirmed it.`,
		Example: `  jmsbridge demo                      # see it work: no account, no broker, no configuration
  jmsbridge check -c bridge.yaml      # look at everything, move nothing
  jmsbridge run -c bridge.yaml        # the daemon`,
		Version:       versionLine(),
		SilenceUsage:  true,
		SilenceErrors: true,
	}
	root.SetIn(in)
	root.SetOut(out)
	root.SetErr(errs)
	root.SetFlagErrorFunc(func(c *cobra.Command, err error) error {
		return usage(fmt.Errorf("%w; see '%s --help'", err, c.CommandPath()))
	})
	root.AddCommand(newDemoCommand(demo.Run), newRunCommand(), newCheckCommand(), newTestCommand(), newSendCommand(), newReceiveCommand(), newSchemaCommand(), newVersionCommand())
	root.InitDefaultVersionFlag() // so that it is listed
	addCobraCommands(root)
	failAll(root)
	return root
}

// failAll gives every command below c the exit codes of failing.
func failAll(c *cobra.Command) {
	for _, sub := range c.Commands() {
		if sub.RunE != nil {
			sub.RunE = failing(sub.RunE)
		}
		failAll(sub)
	}
}

// failing gives each plain error of a command the exit code 1, so that what is left without a code is cobra's own
// complaint about the command line.
func failing(runE func(*cobra.Command, []string) error) func(*cobra.Command, []string) error {
	return func(c *cobra.Command, args []string) error {
		err := runE(c, args)
		var coded *exitError
		if err == nil || errors.As(err, &coded) {
			return err
		}
		return failed(err)
	}
}
