package config

import (
	"fmt"
	"strings"
)

// clientName refuses a JMS client id that no STOMP broker can be told: CONNECT has no escapes that both brokers read, and
// they cut white space off its ends.
func (v *validator) clientName(id, path string) {
	switch {
	case strings.ContainsFunc(id, isControl):
		v.add(path, fmt.Sprintf("%q holds a control character, which STOMP can't send in a client id", id), "")
	case strings.TrimSpace(id) != id:
		v.add(path, fmt.Sprintf("%q begins or ends with white space, which brokers cut off over STOMP", id), "")
	}
}

// subscriptionName refuses what no header can hold.
func (v *validator) subscriptionName(name, path string) {
	if strings.ContainsFunc(name, isControl) {
		v.add(path, fmt.Sprintf("%q holds a control character", name), "")
	}
}

func isControl(r rune) bool { return r < ' ' || r == 0x7f }
