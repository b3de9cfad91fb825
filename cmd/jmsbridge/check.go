package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"github.com/jmsbridge/jmsbridge/config"
	"github.com/jmsbridge/jmsbridge/connectors"
)

// checkOptions are the flags of check.
type checkOptions struct {
	path    string
	offline bool
	json    bool
	timeout time.Duration
}

func newCheckCommand() *cobra.Command {
	var o checkOptions
	c := &cobra.Command{
		Use:   "check",
		Short: "Look at a configuration, its brokers and its targets, and move nothing",
		Long: `Read the configuration and list every mistake with its file, line and path. When there is none, dial every broker and
ask AWS about every target, and print what was found: how each route settles and orders, what its order costs, and what
to know before relying on it. Nothing is consumed or sent. Disabled routes are looked at too.

Exit code: 0 all can work (there may be warnings), 1 something can't work now, 2 wrong usage or configuration.`,
		Example: `  jmsbridge check -c bridge.yaml
  jmsbridge check -c bridge.yaml --offline     # the file only; nothing is dialled
  jmsbridge check -c bridge.yaml --json | jq '.report.routes[].warnings'`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error { return check(c.Context(), o, c.OutOrStdout()) },
	}
	c.Flags().StringVarP(&o.path, "config", "c", "bridge.yaml", "the configuration")
	c.Flags().BoolVar(&o.offline, "offline", false, "stop after the file; dial nothing")
	c.Flags().BoolVar(&o.json, "json", false, "print JSON instead of tables")
	c.Flags().DurationVar(&o.timeout, "timeout", 30*time.Second, "how long looking at one broker or target may take")
	return c
}

// checkResult is what check prints as JSON.
type checkResult struct {
	File string `json:"file"`
	// Problems are the mistakes in the file; with any, there is no Report.
	Problems []config.Problem   `json:"problems,omitempty"`
	Report   *connectors.Report `json:"report,omitempty"`
	Errors   int                `json:"errors"`
	Warnings int                `json:"warnings"`
}

func check(ctx context.Context, o checkOptions, out io.Writer) error {
	if o.timeout <= 0 {
		return usage(errors.New("--timeout has to be longer than 0"))
	}
	result := checkResult{File: o.path}
	cfg, err := loadConfig(ctx, o.path)
	var wrong *config.Error
	switch {
	case errors.As(err, &wrong):
		result.Problems = wrong.Problems
	case err != nil && o.json:
		result.Problems = []config.Problem{{File: o.path, Text: err.Error()}}
	case err != nil:
		return err
	case !o.offline:
		result.Report = connectors.Check(ctx, connectors.NewSet(cfg, nil, nil), o.timeout)
		result.Errors, result.Warnings = result.Report.Errors(), result.Report.WarningCount()
	}
	if o.json {
		err = printCheckJSON(out, &result)
	} else {
		err = printCheck(out, cfg, &result)
	}
	if err != nil {
		return fmt.Errorf("printing: %w", err)
	}
	switch {
	case len(result.Problems) > 0, result.Report != nil && result.Report.Refused != "":
		return &exitError{code: exitUsage}
	case result.Errors > 0:
		return &exitError{code: exitFailed}
	default:
		return nil
	}
}

func printCheckJSON(out io.Writer, result *checkResult) error {
	e := json.NewEncoder(out)
	e.SetIndent("", "  ")
	e.SetEscapeHTML(false)
	return e.Encode(result)
}
