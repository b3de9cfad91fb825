package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"
	"go.uber.org/zap"

	"github.com/jmsbridge/jmsbridge/cmd/jmsbridge/internal/demo"
	"github.com/jmsbridge/jmsbridge/config"
)

// The exit codes after Ctrl-C and SIGTERM, as shells have them (128 and the number of the signal).
const (
	exitInterrupted = 130
	exitTerminated  = 143
)

var errDemo = errors.New("the demo found something wrong")

// demoRunner is demo.Run, or what stands for it in a test.
type demoRunner func(context.Context, demo.Options) (*demo.Report, error)

func newDemoCommand(run demoRunner) *cobra.Command {
	var messages int
	var asJSON, verbose, reply bool
	c := &cobra.Command{
		Use:   "demo",
		Short: "See it work: no account, no broker, no configuration",
		Long: fmt.Sprintf(`Start an embedded STOMP broker and an embedded SQS endpoint in this process, put messages on the broker, and move
them over a real route to an SQS FIFO queue. On the way the broker's connection is reset, and SQS throttles, answers
500, refuses messages inside batches and cuts connections before its answer. At the end every message that arrived is
compared with what was sent: id, each property with its type, body, and the order within each group. Duplicates are
counted in SQS's log of requests, before its deduplication removes them.

Nothing leaves this machine, and nothing is written to its disk. The progress (messages settled at the broker, settled
a second, in flight, duplicates, faults) goes to standard error, the result to standard output, its last line being:
sent N, delivered N, lost 0, duplicated D. With --json the result is one JSON object, and that line goes to standard
error.

With --reply the embedded ends are requesters on a temporary and on a named queue, a Lambda function and a service behind SQS. Each
request (--messages, %d unless said) is compared with its answer while the broker's connection is reset, the function fails
and the service answers twice. The last line is: asked N, answered N, wrong 0, twice 0. What was answered is kept in a
temporary file until the end.

Ctrl-C stops it in order: what is in flight is finished, the rest stays on the broker, and the result says so. A second
one ends it at once.

Exit code: 0 nothing lost and every check passed, 1 otherwise, 2 wrong usage, %d after Ctrl-C and %d after SIGTERM when
all was well until then.`, defaultRequests, exitInterrupted, exitTerminated),
		Example: `  jmsbridge demo
  jmsbridge demo --messages 200000
  jmsbridge demo --reply                      # requests and their answers
  jmsbridge demo --json | jq .faults`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			if reply && !c.Flags().Changed("messages") {
				messages = defaultRequests
			}
			if messages < demo.MinMessages || messages > demo.MaxMessages {
				return usage(fmt.Errorf("--messages must be %d to %d, not %d", demo.MinMessages, demo.MaxMessages, messages))
			}
			log := zap.NewNop()
			if verbose {
				var err error
				if log, err = newLogger(config.Log{Level: "info", Format: config.LogConsole}, c.ErrOrStderr()); err != nil {
					return err
				}
			}
			if reply {
				return runReplyDemo(c.Context(), demo.RunReply, messages, asJSON, log, c.OutOrStdout(), c.ErrOrStderr())
			}
			return runDemo(c.Context(), run, messages, asJSON, log, c.OutOrStdout(), c.ErrOrStderr())
		},
	}
	c.Flags().IntVarP(&messages, "messages", "n", 20000, fmt.Sprintf("how many messages, %d to %d", demo.MinMessages, demo.MaxMessages))
	c.Flags().BoolVar(&reply, "reply", false, "show requests and their answers")
	c.Flags().BoolVar(&asJSON, "json", false, "print the result as JSON")
	c.Flags().BoolVarP(&verbose, "verbose", "v", false, "show what the daemon would log")
	return c
}

func runDemo(ctx context.Context, run demoRunner, messages int, asJSON bool, log *zap.Logger, out, errs io.Writer) error {
	view := newDemoViewer(out, errs, messages)
	report, err := run(ctx, demo.Options{Messages: messages, Observe: view.observe, Event: view.event, Log: log})
	view.close()
	if err != nil {
		return failed(err)
	}
	last := fmt.Sprintf("sent %d, delivered %d, lost %d, duplicated %d", report.Sent, report.Delivered, report.Lost, report.Duplicated)
	if asJSON {
		encoder := json.NewEncoder(out)
		encoder.SetIndent("", "  ")
		if err := encoder.Encode(report); err != nil {
			return failed(fmt.Errorf("writing the result: %w", err))
		}
		fmt.Fprintln(errs, last)
	} else if err := printDemo(out, report, last); err != nil {
		return failed(fmt.Errorf("writing the result: %w", err))
	}
	switch wrong := report.Wrong(); {
	case len(wrong) > 0: // of an interrupted run too: a loss is no smaller for it
		return failed(fmt.Errorf("%w: %s", errDemo, strings.Join(wrong, "; ")))
	case report.Interrupted:
		return &exitError{code: exitBySignal(ctx)}
	default:
		return nil
	}
}

// printDemo prints the result as a short table.
func printDemo(out io.Writer, r *demo.Report, last string) error {
	var b strings.Builder
	fmt.Fprintln(&b)
	if err := printVerdicts(&b, r.Checks, r.Faults); err != nil {
		return err
	}
	fmt.Fprintf(&b, "\n%d messages in %d groups in %v: %.0f a second, faults included\n", r.Delivered, r.Groups, r.Duration.Round(time.Millisecond), r.Rate())
	if r.Interrupted {
		fmt.Fprintf(&b, "stopped before the end: %d messages are still on the broker\n", r.Waiting)
	}
	if r.Duplicated > 0 {
		fmt.Fprintf(&b, "of %d duplicates, all after a fault, the FIFO queue recognised %d by their deduplication id\n", r.Duplicated, r.Deduplicated)
	}
	fmt.Fprintln(&b, last)
	_, err := io.WriteString(out, b.String())
	return err
}

// printVerdicts prints a line for each check and each fault.
func printVerdicts(w io.Writer, checks []demo.Check, faults []demo.Fault) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, c := range checks {
		verdict := "ok"
		if c.Wrong > 0 {
			verdict = fmt.Sprintf("%d WRONG", c.Wrong)
		}
		fmt.Fprintf(t, "%s\t%d looked at\t%s\n", c.Name, c.Looked, verdict)
		if c.First != "" {
			fmt.Fprintf(t, "  the first: %s\t\t\n", c.First)
		}
	}
	for _, f := range faults {
		survived := "not survived"
		if f.Survived > 0 {
			survived = "survived in " + f.Survived.Round(time.Millisecond).String()
		}
		fmt.Fprintf(t, "fault: %s\tfired %d×\t%s\n", f.Name, f.Fired, survived)
	}
	return t.Flush()
}

// terminals tells whether all of these are terminals whose cursor may be moved.
func terminals(ws ...io.Writer) bool {
	if os.Getenv("NO_COLOR") != "" || os.Getenv("TERM") == "dumb" {
		return false
	}
	for _, w := range ws {
		f, ok := w.(*os.File)
		if !ok || !isTerminal(f) {
			return false
		}
	}
	return true
}
