package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"time"

	"go.uber.org/zap"

	"github.com/jmsbridge/jmsbridge/cmd/jmsbridge/internal/demo"
)

// defaultRequests is how many requests demo --reply sends unless it is told.
const defaultRequests = 300

// replyDemoRunner is demo.RunReply, or what stands for it in a test.
type replyDemoRunner func(context.Context, demo.Options) (*demo.ReplyReport, error)

func runReplyDemo(
	ctx context.Context, run replyDemoRunner, messages int, asJSON bool, log *zap.Logger, out, errs io.Writer,
) error {
	view := newDemoViewer(out, errs, messages)
	report, err := run(ctx, demo.Options{Messages: messages, Observe: view.observe, Event: view.event, Log: log})
	view.close()
	if err != nil {
		return failed(err)
	}
	last := fmt.Sprintf("asked %d, answered %d, wrong %d, twice %d", report.Asked, report.Answered, report.Wrong, report.Twice)
	if asJSON {
		encoder := json.NewEncoder(out)
		encoder.SetIndent("", "  ")
		if err := encoder.Encode(report); err != nil {
			return failed(fmt.Errorf("writing the result: %w", err))
		}
		fmt.Fprintln(errs, last)
	} else if err := printReplyDemo(out, report, last); err != nil {
		return failed(fmt.Errorf("writing the result: %w", err))
	}
	switch problems := report.Problems(); {
	case len(problems) > 0:
		return failed(fmt.Errorf("%w: %s", errDemo, strings.Join(problems, "; ")))
	case report.Interrupted:
		return &exitError{code: exitBySignal(ctx)}
	default:
		return nil
	}
}

// printReplyDemo prints the result as a short table.
func printReplyDemo(out io.Writer, r *demo.ReplyReport, last string) error {
	var b strings.Builder
	fmt.Fprintln(&b)
	if err := printVerdicts(&b, r.Checks, r.Faults); err != nil {
		return err
	}
	fmt.Fprintf(&b, "\n%d answers in %v, faults included: half of them within %v, the slowest in %v\n",
		r.Answered, r.Duration.Round(time.Millisecond), r.Median.Round(time.Millisecond), r.Slowest.Round(time.Millisecond))
	if r.Interrupted {
		fmt.Fprintln(&b, "stopped before the end: nothing more was asked")
	}
	fmt.Fprintln(&b, last)
	_, err := io.WriteString(out, b.String())
	return err
}
