package connectors

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// notes are the footnotes of the page.
type notes struct{ texts []string }

// mark returns the number of a footnote, which it adds where it is new.
func (n *notes) mark(text string) string {
	i := slices.Index(n.texts, text)
	if i < 0 {
		i = len(n.texts)
		n.texts = append(n.texts, text)
	}
	return superscript(i + 1)
}

func superscript(n int) string {
	return strings.NewReplacer("0", "⁰", "1", "¹", "2", "²", "3", "³", "4", "⁴", "5", "⁵", "6", "⁶", "7", "⁷", "8", "⁸", "9", "⁹").Replace(fmt.Sprint(n))
}

// generally words a reason without what is one message's own, so that like reasons share a note.
func generally(reason string) string {
	for _, r := range [...]struct{ from, to string }{
		{`\d+ bytes`, "… bytes"},
		{`takes \d+`, "takes …"},
		{`at most \d+(;|$)`, "at most …$1"},
		{`"pad"`, "…"},
		{`encoding envelope: [^;]* is not valid UTF-8`, "encoding envelope: … is not valid UTF-8"},
		{`is of type \w+`, "is of type …"},
		{`with an? \w+ body`, "with such a body"},
	} {
		reason = regexp.MustCompile(r.from).ReplaceAllString(reason, r.to)
	}
	return reason
}

// text is a note as the page has it.
func (n *note) text() string {
	reason := generally(n.reason)
	if n.class == "" { // of a held message
		return reason
	}
	code := "no code"
	if n.code != "" {
		code, reason = "code `"+n.code+"`", strings.TrimPrefix(reason, n.code+": ")
	}
	return "class `" + n.class + "`, " + code + ": " + reason
}

// cell words a fate.
func (f *fate) cell(n *notes) string {
	switch {
	case f.dead != nil:
		return "dead letter" + n.mark(f.dead.text())
	case f.held != nil:
		return "held" + n.mark(f.held.text())
	case f.arrived == nil:
		return "–"
	}
	word := "whole"
	switch {
	case len(surplus([]string{"JMSMessageID", "properties"}, f.unlike)) == 0:
		word = "body"
	case len(f.unlike) > 0:
		word = "all but" + n.mark("all but "+strings.Join(f.unlike, ", "))
	}
	form := f.arrived.form
	if slices.Contains(f.unlike, "escapes") {
		form = append(form, "some as JSON escapes")
	}
	if len(form) > 0 {
		word += ": " + strings.Join(form, ", ")
	}
	return word
}

// render makes the page. Targets with the same table share it.
func render(tables []table) string {
	var page strings.Builder
	page.WriteString(intro)
	var n notes
	var sections []string
	like := map[string][]table{}
	for _, t := range tables {
		body := t.target.says + "\n\n" + t.markdown(&n)
		if like[body] == nil {
			sections = append(sections, body)
		}
		like[body] = append(like[body], t)
	}
	for _, body := range sections {
		page.WriteString("\n## " + like[body][0].target.name + "\n\n")
		for _, t := range like[body] {
			page.WriteString("- " + t.target.name + ": " + t.largest() + "\n")
		}
		page.WriteString("\n" + body)
	}
	page.WriteString("\n## Notes\n\n")
	for i, text := range n.texts {
		fmt.Fprintf(&page, "%d. %s\n", i+1, text)
	}
	return page.String()
}

func (t *table) markdown(n *notes) string {
	var b strings.Builder
	b.WriteString("| body | " + strings.Join(cases[:], " | ") + " |\n|---" + strings.Repeat("|---", len(cases)) + "|\n")
	for _, r := range t.rows {
		b.WriteString("| " + r.shape.name)
		for _, f := range r.cells {
			b.WriteString(" | " + f.cell(n))
		}
		b.WriteString(" |\n")
	}
	return b.String()
}

// largest words the size of the largest that arrived.
func (t *table) largest() string {
	var parts []string
	for _, r := range t.rows {
		n := countOf(r.cells[atLimit])
		if n == 0 || n != t.target.limit(r.shape) { // where only base64 is counted, a few bytes are left
			continue
		}
		if part := grouped(n) + " bytes" + t.target.counts(r.shape); !slices.Contains(parts, part) {
			parts = append(parts, part)
		}
	}
	if len(parts) == 0 {
		return "has no limit of its own; " + grouped(triedSize) + " bytes were tried"
	}
	return "takes " + strings.Join(parts, ", and ")
}

// counts says what is counted.
func (t *target) counts(s *shape) string {
	switch {
	case strings.HasPrefix(t.yaml, "sqs"):
		return " of body and attributes, which is the queue's own limit"
	case strings.HasPrefix(t.yaml, "lambda"):
		return " of payload"
	case strings.HasPrefix(t.yaml, "eventbridge"):
		return ", as EventBridge counts them"
	case s.none:
		return " of a property"
	default:
		return " of body"
	}
}

// grouped writes a number with commas.
func grouped(n int) string {
	text := fmt.Sprint(n)
	for i := len(text) - 3; i > 0; i -= 3 {
		text = text[:i] + "," + text[i:]
	}
	return text
}

const intro = `# What arrives at each target

This page is written by a test: it sends a message of each kind through a route to each target, reads what arrived, and
compares it with what was sent. It fails when something arrives changed that this page does not name, when a message is
nowhere, or in two places.

The messages are put into the route as they are, because no wire carries all kinds: over STOMP only texts and bytes come in
([What STOMP carries](stomp.md)). Targets are the embedded endpoints of ` + "`jmsbridge demo`" + `. The dead letter is an SQS queue that
takes 1 MiB; a queue of a broker would take texts and bytes up to 100 MiB. What is refused is refused for good at once: class
` + "`permanent`" + `, nothing is tried again.

| column | the message |
|---|---|
| small | a few headers, a property, a short body |
| at the limit | the largest that the target takes |
| over the limit | larger by the least that is possible: one byte, or four where a body alone goes as base64 |
| hostile characters | control characters, NUL, U+FFFE, U+FFFF, emoji, quotes and line breaks in body, headers, names and values; every header, and every type of property |
| half a surrogate pair | one that Java allows and UTF-8 does not: in the body where it holds text, else in a property |

| word | |
|---|---|
| whole | body, properties with their types, and headers are exactly what was sent, read as the page of the form says. Behind the colon is what the body looks like to others |
| all but | whole, but for what the note lists |
| body | the body alone is what was sent: the target was told to leave out the rest |
| dead letter | it is in the dead letter, whole, with the class and the code that the note has |
| held | it stays at the broker, unacknowledged, for the dead letter can't take it either; ` + "`/status`" + ` lists it with the reason that the note has |
| – | there is no such message: nothing in it has a size, or no size is too large |
`
