// Command report reads `go test -json` on standard input and prints what a person wants to see: what failed with its
// output, and the line of each package. It fails when a test failed, and when a test was skipped: what is required and
// does not run is not tested.
//
//	go test -json ./... | go run ./test/report
package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"
)

// event is a line of `go test -json` (see `go doc test2json`).
type event struct {
	Action, Package, Test, Output, ImportPath, FailedBuild string
}

func main() {
	if err := run(os.Stdin, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "report:", err)
		os.Exit(1)
	}
}

// run prints the report and returns an error unless everything ran and passed.
func run(in io.Reader, out io.Writer) error {
	type key struct{ pkg, test string }
	output := map[key][]string{} // of tests that run; kept of packages for what fails outside of tests
	var failed, skipped []string
	packages := 0
	lines := bufio.NewScanner(in)
	lines.Buffer(nil, 16<<20)
	for lines.Scan() {
		var e event
		if err := json.Unmarshal(lines.Bytes(), &e); err != nil {
			fmt.Fprintln(out, lines.Text()) // what go itself says
			continue
		}
		k := key{e.Package, e.Test}
		switch e.Action {
		case "build-output":
			fmt.Fprint(out, e.Output)
		case "build-fail":
			failed = append(failed, e.ImportPath+" (does not build)")
		case "output":
			if e.Test == "" && packageLine(e.Output) {
				fmt.Fprint(out, e.Output)
				if strings.HasPrefix(e.Output, "ok") {
					packages++
				}
				continue
			}
			output[k] = append(output[k], e.Output)
		case "pass":
			delete(output, k)
		case "skip":
			if e.Test != "" {
				skipped = append(skipped, e.Package+" "+e.Test+": "+strings.TrimSpace(strings.Join(output[k], " ")))
			}
		case "fail":
			failed = append(failed, strings.TrimSpace(e.Package+" "+e.Test))
			fmt.Fprint(out, strings.Join(output[k], ""))
			delete(output, k)
		}
	}
	if err := lines.Err(); err != nil {
		return fmt.Errorf("reading the test output: %w", err)
	}
	switch {
	case len(failed) > 0:
		return fmt.Errorf("failed:\n  %s", strings.Join(failed, "\n  "))
	case len(skipped) > 0:
		return fmt.Errorf("skipped, which is a failure here:\n  %s", strings.Join(skipped, "\n  "))
	case packages == 0:
		return fmt.Errorf("no package was tested")
	}
	return nil
}

// packageLine tells the line that go test prints for a package.
func packageLine(s string) bool {
	return strings.HasPrefix(s, "ok  \t") || strings.HasPrefix(s, "FAIL\t") || strings.HasPrefix(s, "ok \t")
}
