// Package docs_test proves what the documentation shows: its configurations load, its envelopes parse, its commands and
// metrics exist, its links lead somewhere.
package docs_test

import (
	"bufio"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/jmsbridge/jmsbridge/bridge"
	"github.com/jmsbridge/jmsbridge/bridge/envelope"
	"github.com/jmsbridge/jmsbridge/connectors"
)

// pages returns the text of every page by its path.
func pages(t *testing.T) map[string]string {
	t.Helper()
	paths, err := filepath.Glob("*.md")
	if err != nil || len(paths) < 7 {
		t.Fatalf("found %v, %v", paths, err)
	}
	all := map[string]string{}
	for _, p := range append(paths, "../README.md", "../SECURITY.md", "../CHANGELOG.md") {
		text, err := os.ReadFile(p)
		if err != nil {
			t.Fatal(err)
		}
		all[p] = string(text)
	}
	return all
}

// blocks returns the code blocks of a language in a page.
func blocks(text, language string) []string {
	var all []string
	var block strings.Builder
	inside := false
	for line := range strings.Lines(text) {
		switch {
		case inside && strings.HasPrefix(line, "```"):
			inside = false
			all = append(all, block.String())
			block.Reset()
		case inside:
			block.WriteString(line)
		case strings.TrimSpace(line) == "```"+language:
			inside = true
		}
	}
	return all
}

// whole makes a configuration of the part of a route, or of the file, that a page shows.
func whole(part string) string {
	const start = "brokers: [{name: mq, url: stomp://localhost:61613}]\nroutes:\n  - name: shown\n"
	const from, to = "    from: {jms: {broker: mq, queue: asked}}\n", "    to: [{sqs: {queue: asked}}]\n"
	text := "    dead_letter: drop\n" + part
	if strings.HasPrefix(part, "store:") {
		return start + from + to + "    dead_letter: drop\n" + part
	}
	if !strings.Contains(part, "    from:\n") {
		text = from + text
	}
	if !strings.Contains(part, "    to:\n") {
		text += to
	}
	return start + text
}

func TestConfigurationsLoad(t *testing.T) {
	t.Setenv("MQ_PASSWORD", "secret")
	t.Setenv("REPLY_KEY", strings.Repeat("k", 44))
	count := 0
	for page, text := range pages(t) {
		all := blocks(text, "yaml")
		for _, part := range append(blocks(text, "yaml route"), blocks(text, "yaml top")...) {
			all = append(all, whole(part))
		}
		for _, block := range all {
			count++
			file := filepath.Join(t.TempDir(), "bridge.yaml")
			if err := os.WriteFile(file, []byte(block), 0o600); err != nil {
				t.Fatal(err)
			}
			if _, err := connectors.Load(file); err != nil {
				t.Errorf("%s: %v\n%s", page, err, block)
			}
		}
	}
	if count < 11 {
		t.Errorf("found only %d configurations", count)
	}
}

func TestEnvelopesParse(t *testing.T) {
	text := pages(t)["envelope.md"]
	found := blocks(text, "json")
	if len(found) != 2 {
		t.Fatalf("found %d envelopes", len(found))
	}
	for _, block := range found {
		if _, err := envelope.Parse([]byte(block)); err != nil {
			t.Errorf("%v\n%s", err, block)
		}
	}
	// The first shows every header in the order in which it is written.
	m, err := envelope.Parse([]byte(found[0]))
	if err != nil {
		t.Fatal(err)
	}
	data, err := envelope.Append(nil, m)
	if err != nil {
		t.Fatal(err)
	}
	compact := regexp.MustCompile(`\n *|(": |, )`).ReplaceAllStringFunc(found[0], func(s string) string {
		return strings.ReplaceAll(strings.TrimSpace(s), "\n", "")
	})
	if compact != string(data) {
		t.Errorf("the page shows\n%s\nbut it is written\n%s", compact, data)
	}
}

var (
	link    = regexp.MustCompile(`\]\(([^)]+)\)`)
	heading = regexp.MustCompile(`(?m)^#+ (.*)$`)
)

// anchor is how the hosts of Markdown name a heading.
func anchor(title string) string {
	var b strings.Builder
	for _, r := range strings.ToLower(title) {
		switch {
		case unicode.IsLetter(r), unicode.IsDigit(r), r == '-', r == '_':
			b.WriteRune(r)
		case r == ' ':
			b.WriteByte('-')
		}
	}
	return b.String()
}

func TestLinksLeadSomewhere(t *testing.T) {
	all := pages(t)
	for page, text := range all {
		for _, found := range link.FindAllStringSubmatch(text, -1) {
			target, section, _ := strings.Cut(found[1], "#")
			if strings.Contains(target, "://") {
				t.Errorf("%s: a link leaves the repository: %s", page, found[1])
				continue
			}
			path := page
			if target != "" {
				path = filepath.Join(filepath.Dir(page), target)
			}
			if _, err := os.Stat(path); err != nil {
				t.Errorf("%s: %s leads nowhere", page, found[1])
				continue
			}
			if section == "" {
				continue
			}
			there := slices.ContainsFunc(heading.FindAllStringSubmatch(all[path], -1), func(h []string) bool { return anchor(h[1]) == section })
			if !there {
				t.Errorf("%s: %s has no section %q", page, path, section)
			}
		}
	}
}

func TestCommandsExist(t *testing.T) {
	program := filepath.Join(t.TempDir(), "jmsbridge")
	if out, err := exec.CommandContext(t.Context(), "go", "build", "-o", program, "../cmd/jmsbridge").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	help := map[string]string{}
	flag := regexp.MustCompile(`(^| )(--?[a-z][a-z-]*)`)
	count := 0
	for page, text := range pages(t) {
		for _, block := range blocks(text, "sh") {
			for line := range strings.Lines(block) {
				line, _, _ = strings.Cut(line, " #")
				line = strings.Replace(line, "go run ./cmd/jmsbridge", "jmsbridge", 1)
				rest, ok := strings.CutPrefix(line, "jmsbridge ")
				if !ok {
					continue
				}
				count++
				command := strings.Fields(rest)[0]
				if help[command] == "" {
					out, err := exec.CommandContext(t.Context(), program, command, "--help").CombinedOutput()
					if err != nil || !strings.Contains(string(out), "jmsbridge "+command) {
						t.Errorf("%s: there is no command %q", page, command)
					}
					help[command] = string(out)
				}
				for _, f := range flag.FindAllStringSubmatch(rest, -1) {
					if !regexp.MustCompile(`(?m)(^|[ ,])` + f[2] + `($|[ ,=])`).MatchString(help[command]) {
						t.Errorf("%s: %q has no flag %s", page, command, f[2])
					}
				}
			}
		}
	}
	if count < 8 {
		t.Errorf("found only %d commands", count)
	}
}

func TestMetricsExist(t *testing.T) {
	descriptions := make(chan *prometheus.Desc, 100)
	bridge.NewMetrics(nil).Describe(descriptions)
	close(descriptions)
	known := []string{"jmsbridge_build_info", "jmsbridge_log_lines_dropped_total"} // of the process, not of a route
	for d := range descriptions {
		name := regexp.MustCompile(`fqName: "([^"]+)"`).FindStringSubmatch(d.String())
		known = append(known, name[1])
	}
	for page, text := range pages(t) {
		for _, name := range regexp.MustCompile(`\bjmsbridge_[a-z_]+[a-z]\b`).FindAllString(text, -1) {
			if strings.HasPrefix(page, "operations") && !slices.Contains(known, name) {
				t.Errorf("%s: there is no metric %s", page, name)
			}
		}
	}
}

// TestDependenciesAreNamed compares the page with what our own code imports.
func TestDependenciesAreNamed(t *testing.T) {
	imports, err := exec.CommandContext(t.Context(), "go", "list", "-f", `{{join .Imports "\n"}}`,
		"../bridge/...", "../cmd/...", "../config/...", "../connectors/...").Output()
	if err != nil {
		t.Fatal(err)
	}
	var modules []string
	file, err := os.ReadFile("../go.mod")
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range regexp.MustCompile(`(?m)^(?:require)?\s+(\S+) v`).FindAllStringSubmatch(string(file), -1) {
		modules = append(modules, m[1])
	}
	used := map[string]bool{}
	scanner := bufio.NewScanner(strings.NewReader(string(imports)))
	for scanner.Scan() {
		best := ""
		for _, m := range modules {
			if (scanner.Text() == m || strings.HasPrefix(scanner.Text(), m+"/")) && len(m) > len(best) {
				best = m
			}
		}
		if best != "" {
			used[best] = true
		}
	}
	named := map[string]bool{}
	for line := range strings.Lines(pages(t)["dependencies.md"]) {
		for _, m := range modules {
			if strings.HasPrefix(line, "| "+m+" |") {
				named[m] = true
			}
		}
	}
	for m := range used {
		if !named[m] {
			t.Errorf("dependencies.md does not name %s", m)
		}
	}
	for m := range named {
		if !used[m] {
			t.Errorf("dependencies.md names %s, which nothing imports", m)
		}
	}
}
