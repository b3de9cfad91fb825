package stage_test

import (
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"
	"github.com/google/go-cmp/cmp"

	"github.com/jmsbridge/jmsbridge/bridge"
	"github.com/jmsbridge/jmsbridge/bridge/envelope"
	"github.com/jmsbridge/jmsbridge/bridge/stage"
)

// block is a code block of docs/filters.md: what stands behind its three backticks, and its text.
type block struct {
	tag, text string
}

func page(t *testing.T) (string, []block) {
	t.Helper()
	data, err := os.ReadFile("../../docs/filters.md")
	if err != nil {
		t.Fatal(err)
	}
	var blocks []block
	for _, found := range regexp.MustCompile("(?ms)^```([a-z ]*)\n(.*?)^```$").FindAllStringSubmatch(string(data), -1) {
		blocks = append(blocks, block{found[1], found[2]})
	}
	return string(data), blocks
}

// sample is the message of the page.
func sample(t *testing.T, blocks []block) *bridge.Message {
	t.Helper()
	i := slices.IndexFunc(blocks, func(b block) bool { return b.tag == "json message" })
	return parse(t, blocks[i].text)
}

func parseYAML(t *testing.T, text string) (*stage.Pattern, error) {
	t.Helper()
	var v any
	if err := yaml.Unmarshal([]byte(text), &v); err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return stage.ParsePattern(v)
}

func TestFiltersOfThePage(t *testing.T) {
	text, blocks := page(t)
	m := sample(t, blocks)
	count := 0
	check := func(pattern string, want bool) {
		count++
		p, err := parseYAML(t, pattern)
		if err != nil {
			t.Errorf("%s: %v", pattern, err)
			return
		}
		if got, err := p.Matches(m); got != want || err != nil {
			t.Errorf("%s: got %v, %v", pattern, got, err)
		}
	}
	for i, b := range blocks {
		switch b.tag {
		case "yaml filter":
			check(b.text, true)
		case "yaml filter drops":
			check(b.text, false)
		case "yaml filter wrong":
			count++
			_, err := parseYAML(t, b.text)
			if want := strings.TrimSpace(blocks[i+1].text); err == nil || err.Error() != want {
				t.Errorf("%s: got %v", b.text, err)
			}
		}
	}
	for _, row := range regexp.MustCompile("(?m)^\\|(?: `[a-z-]+`)? \\| `([a-z_]+: .*?)` \\|").FindAllStringSubmatch(text, -1) {
		check(row[1], true)
	}
	if count < 25 {
		t.Errorf("found only %d filters", count)
	}
}

func TestTemplatesOfThePage(t *testing.T) {
	text, blocks := page(t)
	m := sample(t, blocks)
	rows := regexp.MustCompile("(?m)^\\| `([^`]*\\$[^`]*)` \\| `([^`]*)` \\|$").FindAllStringSubmatch(text, -1)
	for _, row := range rows {
		source := strings.ReplaceAll(row[1], `\|`, "|")
		tmpl, err := stage.ParseTemplate(source)
		if err != nil {
			t.Errorf("%s: %v", source, err)
			continue
		}
		if got, err := tmpl.Expand(m); got != row[2] || err != nil {
			t.Errorf("%s: got %s, %v", source, got, err)
		}
	}
	if len(rows) < 14 {
		t.Errorf("found only %d templates", len(rows))
	}
}

func TestTransformsOfThePage(t *testing.T) {
	_, blocks := page(t)
	m := sample(t, blocks)
	count := 0
	for i, b := range blocks {
		if !strings.HasPrefix(b.tag, "jq transform") {
			continue
		}
		count++
		then := blocks[i+1]
		tr, err := stage.ParseTransform(b.text)
		if b.tag == "jq transform wrong" {
			if err == nil || !strings.HasSuffix(err.Error(), strings.TrimSpace(then.text)) {
				t.Errorf("%s: got %v", b.text, err)
			}
			continue
		}
		if err != nil {
			t.Errorf("%s: %v", b.text, err)
			continue
		}
		out, err := tr.Process(t.Context(), m)
		switch {
		case b.tag == "jq transform fails":
			if err == nil || !strings.HasSuffix(err.Error(), strings.TrimSpace(then.text)) {
				t.Errorf("%s: got %v", b.text, err)
			}
		case err != nil:
			t.Errorf("%s: %v", b.text, err)
		case then.tag == "text dropped":
			if out != nil {
				t.Errorf("%s: it is kept", b.text)
			}
		default:
			if diff := cmp.Diff(text(t, parse(t, then.text)), text(t, out)); then.tag != "json result" || diff != "" {
				t.Errorf("%s: %s", b.text, diff)
			}
		}
	}
	if count < 6 {
		t.Errorf("found only %d transforms", count)
	}
}

// TestThePageNamesEveryOperator, and the limits as they are.
func TestThePageNamesEveryOperator(t *testing.T) {
	text, blocks := page(t)
	for _, operator := range []string{"prefix", "suffix", "equals-ignore-case", "wildcard", "numeric", "exists", "cidr", "anything-but"} {
		if !strings.Contains(text, "| `"+operator+"` |") {
			t.Errorf("there is no %s", operator)
		}
	}
	for _, code := range []string{stage.CodeMissing, stage.CodeExpression, stage.CodeBudget, stage.DefaultTime.String()[:3] + " ms"} {
		if !strings.Contains(text, code) {
			t.Errorf("there is no %s", code)
		}
	}
	if _, err := envelope.Append(nil, sample(t, blocks)); err != nil {
		t.Error(err)
	}
}
