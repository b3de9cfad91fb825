package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"regexp"

	"github.com/spf13/cobra"

	"github.com/jmsbridge/jmsbridge/cmd/jmsbridge/internal/routetest"
	"github.com/jmsbridge/jmsbridge/config"
	"github.com/jmsbridge/jmsbridge/connectors"
)

// testOptions are the flags of test.
type testOptions struct {
	path  string
	run   string
	route string
	json  bool
}

func newTestCommand() *cobra.Command {
	var o testOptions
	c := &cobra.Command{
		Use:   "test CASES.yaml",
		Short: "Test routes: a message in, what would be sent, filtered or failed; nothing is dialled",
		Long: `Send each message of a file of cases through its route and compare what would be sent with what is expected. Filters,
transforms, templates and the forms of the messages are the daemon's own; no broker and no AWS is dialled, no file is
written; the configuration has to load, as with check --offline. A case without expectations is shown instead.

A file of cases:

  cases:
    - name: orders of the EU go on, with their region
      route: orders
      message:                       # an envelope, as docs/envelope.md has it
        message_id: ID:1
        properties: {region: EU, amount: 12}
        body: '{"id": 17}'
      expect:
        - target: sqs                # may be left out where a route has one
          sent:                      # what is named is compared
            body: {id: 17}           # a text that is JSON is compared as such
            attributes: {region: EU}
    - name: others do not
      route: orders
      message: {properties: {region: US}}
      filtered: true                 # by the route as a whole; or failed: "part of the error"

Exit code: 0 every case passes, 1 one fails, 2 wrong usage, configuration or cases.`,
		Example: `  jmsbridge test -c bridge.yaml cases.yaml
  jmsbridge test -c bridge.yaml cases.yaml --run 'region|group'
  jmsbridge test -c bridge.yaml cases.yaml --route orders
  jmsbridge test -c bridge.yaml cases.yaml --json | jq '.cases[] | select(.passed == false)'`,
		Args: one("file of cases"),
		RunE: func(c *cobra.Command, args []string) error {
			return testRoutes(c.Context(), o, args[0], c.OutOrStdout())
		},
		ValidArgsFunction: func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
			return []string{"yaml", "yml"}, cobra.ShellCompDirectiveFilterFileExt
		},
	}
	c.Flags().StringVarP(&o.path, "config", "c", "bridge.yaml", "the configuration")
	c.Flags().StringVar(&o.run, "run", "", "only the cases whose name matches this regular expression")
	c.Flags().StringVar(&o.route, "route", "", "only the cases of this route")
	c.Flags().BoolVar(&o.json, "json", false, "print the result as JSON")
	_ = c.RegisterFlagCompletionFunc("route", func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) { // the flag is there
		return routeNames(o.path), cobra.ShellCompDirectiveNoFileComp
	})
	return c
}

// routeNames are for completion; none where the configuration has mistakes.
func routeNames(path string) (names []string) {
	cfg, err := connectors.Load(path)
	if err != nil {
		return nil
	}
	for i := range cfg.Routes {
		names = append(names, cfg.Routes[i].Name)
	}
	return names
}

// testResult is what test prints as JSON.
type testResult struct {
	File string `json:"file"`
	// Problems are the mistakes in the configuration or in the file; with any, there are no Cases.
	Problems []config.Problem `json:"problems,omitempty"`
	Cases    []testedCase     `json:"cases,omitempty"`
	Passed   int              `json:"passed"`
	Failed   int              `json:"failed"`
	Shown    int              `json:"shown"` // nothing was expected of them
}

// testedCase is what became of one case.
type testedCase struct {
	Name  string `json:"name"`
	Line  int    `json:"line"`
	Route string `json:"route"`
	// Passed is left out where nothing is expected.
	Passed *bool    `json:"passed,omitempty"`
	Wrong  []string `json:"wrong,omitempty"`
	// Got is what the route made of the message.
	Got *connectors.Preview `json:"got"`
}

func testRoutes(ctx context.Context, o testOptions, file string, out io.Writer) error {
	wanted, err := regexp.Compile(o.run)
	if err != nil {
		return usage(fmt.Errorf("--run: %w", err))
	}
	result := testResult{File: file}
	cfg, cases, err := loadCases(o, file)
	var wrong *config.Error
	switch {
	case errors.As(err, &wrong):
		result.Problems = wrong.Problems
	case err != nil:
		return usage(err)
	default:
		if err := runCases(ctx, cfg, cases, func(c *routetest.Case) bool {
			return wanted.MatchString(c.Name) && (o.route == "" || c.Route.Name == o.route)
		}, &result); err != nil {
			return err
		}
	}
	if o.json {
		e := json.NewEncoder(out)
		e.SetIndent("", "  ")
		e.SetEscapeHTML(false)
		err = e.Encode(&result)
	} else {
		err = printTest(out, &result)
	}
	switch {
	case err != nil:
		return fmt.Errorf("printing: %w", err)
	case len(result.Problems) > 0:
		return &exitError{code: exitUsage}
	case len(result.Cases) == 0:
		return usage(errors.New("no case is chosen by --run and --route"))
	case result.Failed > 0:
		return &exitError{code: exitFailed}
	default:
		return nil
	}
}

// loadCases reads the configuration, and then the cases, which name its routes.
func loadCases(o testOptions, file string) (*config.Config, []routetest.Case, error) {
	cfg, err := connectors.Load(o.path)
	if err != nil {
		return nil, nil, err
	}
	if o.route != "" && !hasRoute(cfg, o.route) {
		return nil, nil, fmt.Errorf("--route: there is no route %q in %s", o.route, o.path)
	}
	cases, err := routetest.Load(file, cfg)
	return cfg, cases, err
}

func hasRoute(cfg *config.Config, name string) bool {
	for i := range cfg.Routes {
		if cfg.Routes[i].Name == name {
			return true
		}
	}
	return false
}

func runCases(ctx context.Context, cfg *config.Config, cases []routetest.Case, chosen func(*routetest.Case) bool, result *testResult) error {
	previews := connectors.NewPreviews(cfg)
	defer func() { _ = previews.Close() }() // nothing is open
	for i := range cases {
		c := &cases[i]
		if !chosen(c) {
			continue
		}
		got, err := previews.Preview(ctx, c.Route, c.Message)
		if err != nil {
			return fmt.Errorf("case %q: %w", c.Name, err)
		}
		one := testedCase{Name: c.Name, Line: c.Line, Route: c.Route.Name, Got: got}
		if one.Wrong, err = routetest.Judge(c, got); err != nil {
			return fmt.Errorf("case %q: %w", c.Name, err)
		}
		passed := len(one.Wrong) == 0
		switch {
		case !c.Asks():
			result.Shown++
		case passed:
			one.Passed = &passed
			result.Passed++
		default:
			one.Passed = &passed
			result.Failed++
		}
		result.Cases = append(result.Cases, one)
	}
	return nil
}
