package stomp

import (
	"strings"

	"github.com/jmsbridge/jmsbridge/bridge"
	"github.com/jmsbridge/jmsbridge/connectors/jms/stomp/client"
)

// spell returns a destination as the broker's frames name it, and on Artemis its routing type. Artemis takes
// "/queue/x" for the name of an address, and creates what it does not know as MULTICAST unless the type is said.
func spell(kind client.Kind, d bridge.Destination) (name, routing string) {
	if kind == client.Artemis {
		if d.Kind == bridge.Topic || d.Kind == bridge.TempTopic {
			return d.Name, "MULTICAST"
		}
		return d.Name, "ANYCAST"
	}
	switch d.Kind {
	case bridge.Topic:
		return "/topic/" + d.Name, ""
	case bridge.TempQueue:
		return "/remote-temp-queue/" + d.Name, ""
	case bridge.TempTopic:
		return "/remote-temp-topic/" + d.Name, ""
	default:
		return "/queue/" + d.Name, ""
	}
}

// prefixes are how the brokers spell kinds of destinations, Classic's first.
var prefixes = []struct {
	text string
	kind bridge.DestinationKind
}{
	{"/queue/", bridge.Queue},
	{"/topic/", bridge.Topic},
	{"/remote-temp-queue/", bridge.TempQueue},
	{"/remote-temp-topic/", bridge.TempTopic},
	{"/temp-queue/", bridge.TempQueue},
	{"/temp-topic/", bridge.TempTopic},
	{"queue://", bridge.Queue},
	{"topic://", bridge.Topic},
	{"temp-queue://", bridge.TempQueue},
	{"temp-topic://", bridge.TempTopic},
}

// parseDestination reads a destination or reply-to header. A bare name, which Artemis uses, has the given kind.
func parseDestination(s string, bare bridge.DestinationKind) bridge.Destination {
	if s == "" {
		return bridge.Destination{}
	}
	if s[0] == '/' || strings.Contains(s, "://") {
		for _, p := range prefixes {
			if rest, ok := strings.CutPrefix(s, p.text); ok {
				return bridge.Destination{Kind: p.kind, Name: rest}
			}
		}
	}
	return bridge.Destination{Kind: bare, Name: s}
}

// replyHeader returns how a reply-to is written, so that the broker knows it as JMSReplyTo.
func replyHeader(kind client.Kind, d bridge.Destination) string {
	if kind == client.Artemis {
		// Artemis takes the header literally as an address and shows it as queue://NAME.
		if d.Kind == bridge.Topic {
			return "topic://" + d.Name
		}
		return d.Name
	}
	if d == AnswerQueue() {
		return ownPrefix + d.Name
	}
	name, _ := spell(kind, d)
	return name
}
