package routetest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math/big"
	"slices"
	"strings"

	"github.com/rogpeppe/go-internal/diff"

	"github.com/jmsbridge/jmsbridge/connectors"
)

// Judge returns what differs from what is expected, in words and with a diff; none: the case passes.
func Judge(c *Case, got *connectors.Preview) ([]string, error) {
	var wrong []string
	switch {
	case c.Filtered && !got.Filtered:
		wrong = append(wrong, "expected that the route filters the message; "+fate(got.Filtered, got.Failed, "it passes"))
	case c.Failed != "" && !strings.Contains(got.Failed, c.Failed):
		wrong = append(wrong, fmt.Sprintf("expected that the route fails with %q; %s", c.Failed, fate(got.Filtered, got.Failed, "it passes")))
	}
	if c.Reply != "" && c.Reply != got.Reply {
		wrong = append(wrong, fmt.Sprintf("reply: expected %s, got %s", c.Reply, got.Reply))
	}
	for i := range c.Expect {
		e := &c.Expect[i]
		at := slices.IndexFunc(got.Targets, func(t connectors.TargetPreview) bool { return t.Name == e.Target })
		text, err := judgeTarget(e, &got.Targets[at])
		if err != nil {
			return nil, err
		}
		if text != "" {
			wrong = append(wrong, fmt.Sprintf("target %s: %s", e.Target, text))
		}
	}
	return wrong, nil
}

func judgeTarget(e *Expectation, got *connectors.TargetPreview) (string, error) {
	happened := fate(got.Filtered, got.Failed, "it is sent")
	switch {
	case e.Filtered && !got.Filtered:
		return "expected that the message is filtered; " + happened, nil
	case e.Failed != "" && !strings.Contains(got.Failed, e.Failed):
		return fmt.Sprintf("expected that it fails with %q; %s", e.Failed, happened), nil
	case e.Sent == nil:
		return "", nil
	case got.Sent == nil:
		return "expected that it is sent; " + happened, nil
	}
	data, err := json.Marshal(got.Sent)
	if err != nil {
		return "", fmt.Errorf("writing what would be sent: %w", err)
	}
	sent, err := decode(data)
	if err != nil {
		return "", err
	}
	return Diff(e.Sent, sent), nil
}

// fate words what happened.
func fate(filtered bool, failed, otherwise string) string {
	switch {
	case failed != "":
		return "it fails: " + failed
	case filtered:
		return "it is filtered"
	default:
		return otherwise
	}
}

// Diff compares what is expected with what is there, as far as something is expected; "": they agree. Of an object the
// named keys are compared, of a list all entries; numbers by value; null agrees with what is missing; and an object or a
// list agrees with a text that is such JSON.
func Diff(want, got any) string {
	want, got = part(want, got)
	lines := strings.Split(strings.TrimRight(string(diff.Diff("expected", page(want), "got", page(got))), "\n"), "\n")
	const head = 3 // lines that name the two files
	if len(lines) <= head {
		return ""
	}
	shown := []string{"(-expected +got)"}
	for i, line := range lines[head:] {
		switch hunk := strings.HasPrefix(line, "@@"); {
		case hunk && i > 0:
			shown = append(shown, "…")
		case !hunk:
			shown = append(shown, line)
		}
	}
	return strings.Join(shown, "\n")
}

// page writes JSON for reading, a value a line.
func page(v any) []byte {
	var out bytes.Buffer
	e := json.NewEncoder(&out)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	if err := e.Encode(v); err != nil { // a number that JSON can't write; everything else came from JSON
		return fmt.Appendf(nil, "%v\n", v)
	}
	return out.Bytes()
}

// part cuts got to what is expected of it, and gives both the same form where they agree.
func part(want, got any) (any, any) {
	text, isText := got.(string)
	switch w := want.(type) {
	case map[string]any:
		if isText {
			got = parsed(text, got)
		}
		g, ok := got.(map[string]any)
		if !ok {
			return want, got
		}
		return parts(w, g)
	case []any:
		if isText {
			got = parsed(text, got)
		}
		g, ok := got.([]any)
		if !ok {
			return want, got
		}
		wants, gots := slices.Clone(w), slices.Clone(g)
		for i := range min(len(wants), len(gots)) {
			wants[i], gots[i] = part(w[i], g[i])
		}
		return wants, gots
	case json.Number:
		if n, ok := got.(json.Number); ok && equal(w, n) {
			return plain(want), plain(want)
		}
	}
	if w, g := plain(want), plain(got); w != g {
		return w, g
	}
	return want, got // which differ where no float64 does
}

// parts cuts an object to the keys that are named.
func parts(want, got map[string]any) (any, any) {
	wants, gots := map[string]any{}, map[string]any{}
	for name, w := range want {
		g, there := got[name]
		if w == nil && !there {
			continue
		}
		if !there {
			wants[name] = w
			continue
		}
		wants[name], gots[name] = part(w, g)
	}
	return wants, gots
}

// parsed returns the object or list that a text is; otherwise what it was.
func parsed(text string, otherwise any) any {
	v, err := decode([]byte(text))
	if err != nil || !json.Valid([]byte(text)) {
		return otherwise
	}
	return v
}

// plain makes numbers look like numbers in a diff.
func plain(v any) any {
	n, ok := v.(json.Number)
	if !ok {
		return v
	}
	if i, err := n.Int64(); err == nil {
		return i
	}
	if f, err := n.Float64(); err == nil {
		return f
	}
	return v
}

// maxDigits bounds the exponent of numbers that are compared by value: the digits of 1e999999999 fill the memory.
const maxDigits = 400

func equal(a, b json.Number) bool {
	if a == b {
		return true
	}
	x, okX := exact(a)
	y, okY := exact(b)
	return okX && okY && x.Cmp(y) == 0
}

func exact(n json.Number) (*big.Rat, bool) {
	f, _, err := big.ParseFloat(string(n), 10, 64, big.ToNearestEven)
	if err != nil || f.Sign() != 0 && (f.MantExp(nil) > 4*maxDigits || f.MantExp(nil) < -4*maxDigits) {
		return nil, false
	}
	return new(big.Rat).SetString(string(n))
}
