package reply

import (
	"errors"
	"fmt"
	"strings"

	"github.com/jmsbridge/jmsbridge/bridge"
)

// Allow says where replies may go. JMSReplyTo is what a stranger wrote: a reply to a queue that somebody else consumes
// is a message in his name.
type Allow struct {
	patterns []pattern
	refused  []bridge.Destination // never, whatever the patterns say
}

type pattern struct {
	kind  bridge.DestinationKind
	parts []string // of the name, between its stars
}

// ParseAllow reads patterns such as "temp-queue:*" and "queue:REPLY.*"; a star stands for any characters. refused are
// destinations that no reply may go to: the route's own source and target, or an answer would be a request again.
func ParseAllow(patterns []string, refused ...bridge.Destination) (*Allow, error) {
	a := &Allow{refused: refused}
	for _, text := range patterns {
		word, name, ok := strings.Cut(text, ":")
		kind := bridge.NoDestination
		for k := bridge.Queue; k <= bridge.TempTopic; k++ {
			if word == k.String() {
				kind = k
			}
		}
		if !ok || kind == bridge.NoDestination || name == "" {
			return nil, fmt.Errorf("%q is no pattern of a destination: write such as queue:REPLY.* or temp-queue:*", text)
		}
		a.patterns = append(a.patterns, pattern{kind, strings.Split(name, "*")})
	}
	return a, nil
}

// special are the characters with which a broker reads more than one name out of a destination, or options
// (ActiveMQ: composite "a,b", wildcards "*" ">" "#", options "?"; Artemis: "::" of a fully qualified queue name).
const special = ",*>#?"

// Check tells whether a reply may go to d. The error is of class Permanent and has the code
// [bridge.CodeReplyRefused].
func (a *Allow) Check(d bridge.Destination) error {
	refuse := func(why string) error {
		return &bridge.Error{
			Class: bridge.Permanent, Code: bridge.CodeReplyRefused, Err: fmt.Errorf("no reply goes to %.200q: %s", d.String(), why),
			Remedy: "if that requester is to be answered, add a pattern to reply.allow",
		}
	}
	temporary := d.Kind == bridge.TempQueue || d.Kind == bridge.TempTopic
	switch {
	case d.IsZero() || d.Name == "":
		return refuse("it has no name")
	case strings.ContainsAny(d.Name, special) || !temporary && strings.Contains(d.Name, "::"):
		return refuse("it is not one plain destination")
	case strings.Contains(d.Name, "://") || strings.HasPrefix(d.Name, "/"):
		return refuse("it is spelled with a prefix of its own")
	case strings.ContainsFunc(d.Name, func(r rune) bool { return r < ' ' || r == 0x7f }):
		return refuse("it holds a control character")
	case strings.HasPrefix(d.Name, "ActiveMQ.") || strings.HasPrefix(d.Name, "activemq.") || strings.HasPrefix(d.Name, "$"):
		return refuse("it is one of the broker's own")
	}
	for _, own := range a.refused {
		if own == d {
			return refuse("the route itself uses it")
		}
	}
	for i := range a.patterns {
		if p := &a.patterns[i]; p.kind == d.Kind && p.matches(d.Name) {
			return nil
		}
	}
	return refuse("no pattern of reply.allow matches it")
}

func (p *pattern) matches(name string) bool {
	last := len(p.parts) - 1
	if last == 0 {
		return p.parts[0] == name
	}
	name, ok := strings.CutPrefix(name, p.parts[0])
	if !ok {
		return false
	}
	for _, part := range p.parts[1:last] {
		_, after, found := strings.Cut(name, part)
		if !found {
			return false
		}
		name = after
	}
	return strings.HasSuffix(name, p.parts[last])
}

var errNoReplyTo = errors.New("the request has no JMSReplyTo")
