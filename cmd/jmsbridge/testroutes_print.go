package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"strings"

	"github.com/jmsbridge/jmsbridge/connectors"
)

// printTest prints the result for people: a line for each case, and below it what differs or what is shown.
func printTest(out io.Writer, result *testResult) error {
	var b bytes.Buffer
	if len(result.Problems) > 0 {
		for _, p := range result.Problems {
			fmt.Fprintln(&b, p)
		}
		fmt.Fprintf(&b, "\n%s\n", plural(len(result.Problems), "mistake"))
	}
	for i := range result.Cases {
		c := &result.Cases[i]
		switch {
		case c.Passed == nil:
			fmt.Fprintf(&b, "SHOW  %s (route %s)\n", c.Name, c.Route)
			if err := printPreview(&b, c.Got); err != nil {
				return err
			}
		case *c.Passed:
			fmt.Fprintf(&b, "PASS  %s\n", c.Name)
		default:
			fmt.Fprintf(&b, "FAIL  %s (%s:%d, route %s)\n", c.Name, result.File, c.Line, c.Route)
			for _, text := range c.Wrong {
				printIndented(&b, text)
			}
		}
	}
	if len(result.Cases) > 0 {
		fmt.Fprintf(&b, "\n%s: %d passed, %d failed", plural(len(result.Cases), "case"), result.Passed, result.Failed)
		if result.Shown > 0 {
			fmt.Fprintf(&b, ", %d shown", result.Shown)
		}
		fmt.Fprintln(&b)
	}
	_, err := out.Write(b.Bytes())
	return err
}

// printPreview prints what a route makes of a message.
func printPreview(b *bytes.Buffer, p *connectors.Preview) error {
	switch {
	case p.Failed != "":
		printIndented(b, "the route fails: "+p.Failed)
	case p.Filtered:
		printIndented(b, "the route filters it")
	default:
		for i := range p.Targets {
			if err := printTarget(b, &p.Targets[i]); err != nil {
				return err
			}
		}
	}
	if p.Reply != connectors.ReplyNone {
		printIndented(b, "reply: "+string(p.Reply))
	}
	return nil
}

func printTarget(b *bytes.Buffer, t *connectors.TargetPreview) error {
	switch {
	case t.Failed != "":
		printIndented(b, "target "+t.Name+" fails: "+t.Failed)
	case t.Filtered:
		printIndented(b, "target "+t.Name+" filters it")
	default:
		var text bytes.Buffer
		e := json.NewEncoder(&text)
		e.SetEscapeHTML(false)
		e.SetIndent("", "  ")
		if err := e.Encode(t.Sent); err != nil {
			return fmt.Errorf("writing what would be sent: %w", err)
		}
		printIndented(b, "target "+t.Name+" gets "+strings.TrimSuffix(text.String(), "\n"))
	}
	return nil
}

func printIndented(b *bytes.Buffer, text string) {
	for line := range strings.Lines(text) {
		fmt.Fprintf(b, "      %s\n", strings.TrimSuffix(line, "\n"))
	}
}
