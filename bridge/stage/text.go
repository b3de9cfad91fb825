package stage

import (
	"cmp"
	"strings"
	"unicode/utf8"

	"github.com/jmsbridge/jmsbridge/bridge"
)

// textOf is a string of the envelope in two parts, so that a destination ("queue:" and a name) can be compared without
// putting it together. head is "" for all other strings.
type textOf struct {
	head, tail string
}

// heads are the first parts of destinations. None has a letter that folds to one outside ASCII.
var heads = [...]string{
	bridge.Queue: "queue:", bridge.Topic: "topic:", bridge.TempQueue: "temp-queue:", bridge.TempTopic: "temp-topic:",
}

func destinationText(d bridge.Destination) textOf {
	if int(d.Kind) >= len(heads) {
		return textOf{tail: d.String()}
	}
	return textOf{head: heads[d.Kind], tail: d.Name}
}

func (t textOf) joined() string {
	if t.head == "" {
		return t.tail
	}
	return t.head + t.tail
}

// compare orders as strings.Compare does. It is written with cmp.Compare, to which the compiler sees that nothing is kept.
func (t textOf) compare(s string) int {
	if len(s) < len(t.head) {
		if c := cmp.Compare(t.head[:len(s)], s); c != 0 {
			return c
		}
		return 1
	}
	if c := cmp.Compare(t.head, s[:len(t.head)]); c != 0 {
		return c
	}
	return cmp.Compare(t.tail, s[len(t.head):])
}

func (t textOf) hasPrefix(p string) bool {
	if len(p) <= len(t.head) {
		return t.head[:len(p)] == p
	}
	return p[:len(t.head)] == t.head && strings.HasPrefix(t.tail, p[len(t.head):])
}

func (t textOf) hasSuffix(s string) bool {
	if len(s) <= len(t.tail) {
		return strings.HasSuffix(t.tail, s)
	}
	rest := s[:len(s)-len(t.tail)]
	return s[len(rest):] == t.tail && strings.HasSuffix(t.head, rest)
}

// drop returns what follows the first n bytes.
func (t textOf) drop(n int) textOf {
	if n <= len(t.head) {
		return textOf{t.head[n:], t.tail}
	}
	return textOf{tail: t.tail[n-len(t.head):]}
}

// after returns what follows part where it comes first.
func (t textOf) after(part string) (textOf, bool) {
	for i := range len(t.head) {
		if rest := t.drop(i); rest.hasPrefix(part) {
			return rest.drop(len(part)), true
		}
	}
	at := strings.Index(t.tail, part)
	if at < 0 {
		return t, false
	}
	return textOf{tail: t.tail[at+len(part):]}, true
}

func (t textOf) equalFold(s string) bool {
	if t.head == "" {
		return strings.EqualFold(t.tail, s)
	}
	return len(s) > len(t.head) && strings.EqualFold(t.head, s[:len(t.head)]) && strings.EqualFold(t.tail, s[len(t.head):])
}

func (t textOf) hasPrefixFold(p string) bool {
	if t.head == "" {
		return hasPrefixFold(t.tail, p)
	}
	if len(p) <= len(t.head) {
		return hasPrefixFold(t.head, p)
	}
	return strings.EqualFold(t.head, p[:len(t.head)]) && hasPrefixFold(t.tail, p[len(t.head):])
}

func (t textOf) hasSuffixFold(s string) bool {
	return hasSuffixFold(t.joined(), s)
}

// hasPrefixFold is strings.HasPrefix in any case. Letters of one pair may differ in their length in bytes.
func hasPrefixFold(s, prefix string) bool {
	for prefix != "" {
		p, n := utf8.DecodeRuneInString(prefix)
		r, m := utf8.DecodeRuneInString(s)
		if m == 0 || p != r && !strings.EqualFold(prefix[:n], s[:m]) {
			return false
		}
		s, prefix = s[m:], prefix[n:]
	}
	return true
}

func hasSuffixFold(s, suffix string) bool {
	for suffix != "" {
		p, n := utf8.DecodeLastRuneInString(suffix)
		r, m := utf8.DecodeLastRuneInString(s)
		if m == 0 || p != r && !strings.EqualFold(suffix[len(suffix)-n:], s[len(s)-m:]) {
			return false
		}
		s, suffix = s[:len(s)-m], suffix[:len(suffix)-n]
	}
	return true
}
