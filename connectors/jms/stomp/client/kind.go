package client

import "strings"

// Kind is the kind of a broker, as the server header of CONNECTED tells it.
type Kind uint8

// The kinds. What is known of neither is treated with care by the stomp package.
const (
	Unknown Kind = iota
	Classic
	Artemis
)

// String returns the broker's name.
func (k Kind) String() string {
	switch k {
	case Classic:
		return "ActiveMQ Classic"
	case Artemis:
		return "ActiveMQ Artemis"
	default:
		return "unknown STOMP broker"
	}
}

// Kind tells which broker it is.
func (c *Conn) Kind() Kind {
	switch {
	case strings.HasPrefix(c.server, "ActiveMQ-Artemis/"):
		return Artemis
	case strings.HasPrefix(c.server, "ActiveMQ/"):
		return Classic
	default:
		return Unknown
	}
}

// Version returns the broker's version ("6.1.7"); "" when it does not tell.
func (c *Conn) Version() string {
	_, v, _ := strings.Cut(c.Server(), "/")
	v, _, _ = strings.Cut(v, " ")
	return v
}

// Server returns the server header of CONNECTED, as it may be shown.
func (c *Conn) Server() string { return Clip(c.secrets.Replace(c.server), serverShown) }
