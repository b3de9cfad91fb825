package main

import (
	"bytes"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"

	"github.com/jmsbridge/jmsbridge/config"
	"github.com/jmsbridge/jmsbridge/connectors"
)

// printCheck prints the result for people. cfg is nil when there are problems.
func printCheck(out io.Writer, cfg *config.Config, result *checkResult) error {
	var b bytes.Buffer
	switch {
	case len(result.Problems) > 0:
		for _, p := range result.Problems {
			fmt.Fprintln(&b, printable(p.String()))
		}
		fmt.Fprintf(&b, "\n%s\n", plural(len(result.Problems), "mistake"))
	case result.Report == nil:
		fmt.Fprintf(&b, "%s: %s and %s, no mistakes; nothing was dialled\n",
			result.File, plural(len(cfg.Brokers), "broker"), plural(len(cfg.Routes), "route"))
	default:
		printReport(&b, result)
	}
	_, err := io.WriteString(out, printableLines(b.String()))
	return err
}

func printReport(b *bytes.Buffer, result *checkResult) {
	report := result.Report
	table := tabwriter.NewWriter(b, 0, 0, 2, ' ', 0)
	_, _ = fmt.Fprintln(table, "BROKER\tURL\tFOUND") // a buffer takes everything
	for _, broker := range report.Brokers {
		_, _ = fmt.Fprintf(table, "%s\t%s\t%s\n", broker.Name, broker.URL, peerOf(&broker.Found))
	}
	_ = table.Flush()
	fmt.Fprintln(b)
	_, _ = fmt.Fprintln(table, "ROUTE\tFROM\tTO\tDEAD LETTER\tORDER")
	for _, r := range report.Routes {
		word, _, _ := strings.Cut(r.Order, ":")
		word, _, _ = strings.Cut(word, ";")
		_, _ = fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%s\n", r.Name, r.From, r.To, r.DeadLetter, word)
	}
	_ = table.Flush()
	known := map[connectors.Fact]bool{} // said of a broker, and so not again of a route's end there
	for i := range report.Brokers {
		broker := &report.Brokers[i]
		fmt.Fprintf(b, "\nbroker %s\n", broker.Name)
		printFound(b, "found", &broker.Found, nil)
		for _, f := range broker.Facts {
			known[f] = true
		}
	}
	for i := range report.Routes {
		printRoute(b, &report.Routes[i], known)
	}
	printWarnings(b, report)
	if report.Refused != "" {
		fmt.Fprintf(b, "\n%s\n", report.Refused)
	}
	fmt.Fprintf(b, "\n%s: %s, %s\n", result.File, plural(result.Errors, "error"), plural(result.Warnings, "warning"))
}

func peerOf(f *connectors.Found) string {
	if f.Error != "" {
		return "error"
	}
	return printable(f.Peer)
}

func printRoute(b *bytes.Buffer, r *connectors.RouteReport, known map[connectors.Fact]bool) {
	fmt.Fprintf(b, "\nroute %s\n", r.Name)
	printLine(b, "settles", r.Settles)
	printLine(b, "order", r.Order)
	if r.Cost != "" {
		printLine(b, "", r.Cost)
	}
	if r.Reply != "" {
		printLine(b, "replies", r.Reply)
	}
	for i := range r.Ends {
		printFound(b, r.Ends[i].Role, &r.Ends[i].Found, known)
	}
}

// printFound prints the peer and its facts in one line, but for those that are known already, or the error.
func printFound(b *bytes.Buffer, label string, f *connectors.Found, known map[connectors.Fact]bool) {
	if f.Error != "" {
		printLine(b, label, "ERROR ("+f.Class+") "+f.Error)
		return
	}
	words := []string{f.Peer}
	for _, fact := range f.Facts {
		if !known[fact] {
			words = append(words, fact.Name+" "+fact.Value)
		}
	}
	printLine(b, label, strings.Join(words, ", "))
}

// printWarnings prints each warning once, with all that it concerns.
func printWarnings(b *bytes.Buffer, report *connectors.Report) {
	concerns := map[connectors.Warning][]string{}
	var order []connectors.Warning
	add := func(who string, warnings []connectors.Warning) {
		for _, w := range warnings {
			if concerns[w] == nil {
				order = append(order, w)
			}
			concerns[w] = append(concerns[w], who)
		}
	}
	for _, broker := range report.Brokers {
		add("broker "+broker.Name, broker.Warnings)
	}
	for _, r := range report.Routes {
		add("route "+r.Name, r.Warnings)
	}
	if len(order) > 0 {
		fmt.Fprint(b, "\nwarnings\n")
	}
	for _, w := range order {
		fmt.Fprintf(b, "  %s: %s\n", strings.Join(concerns[w], ", "), printable(w.Text))
		if w.Remedy != "" {
			fmt.Fprintf(b, "    → %s\n", printable(w.Remedy))
		}
	}
}

func printLine(b *bytes.Buffer, label, text string) {
	fmt.Fprintf(b, "  %-12s %s\n", label, printable(text))
}

func plural(n int, what string) string {
	if n == 1 {
		return fmt.Sprintf("%d %s", n, what)
	}
	return fmt.Sprintf("%d %ss", n, what)
}
