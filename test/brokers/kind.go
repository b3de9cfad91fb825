package brokers

import (
	"fmt"
	"slices"
	"strings"
)

// Kind is a broker product in the version that the tests run.
type Kind string

// The brokers that the tests know.
const (
	Classic6 Kind = "classic6" // ActiveMQ Classic 6.1.7
	Classic5 Kind = "classic5" // ActiveMQ Classic 5.18.3
	Artemis  Kind = "artemis"  // ActiveMQ Artemis 2.44.0
)

// Kinds are all brokers, in the order in which to test them.
func Kinds() []Kind { return []Kind{Classic6, Classic5, Artemis} }

// Version returns the version of the broker.
func (k Kind) Version() string {
	switch k {
	case Classic6:
		return "6.1.7"
	case Classic5:
		return "5.18.3"
	case Artemis:
		return "2.44.0"
	default:
		return "unknown"
	}
}

// Classic tells whether the broker is ActiveMQ Classic.
func (k Kind) Classic() bool { return k == Classic6 || k == Classic5 }

// ParseKind returns the kind with this name.
func ParseKind(name string) (Kind, error) {
	for _, k := range Kinds() {
		if string(k) == name {
			return k, nil
		}
	}
	return "", fmt.Errorf("unknown broker %q: one of %v", name, Kinds())
}

// schemes are the connectors of every broker, as the scheme of their URL.
var schemes = []string{"stomp", "stomp+ssl", "tcp", "ssl", "amqp", "amqp+ssl"}

// secure tells whether a connector speaks TLS.
func secure(scheme string) bool { return scheme == "ssl" || strings.HasSuffix(scheme, "+ssl") }

// Schemes returns the connectors of every broker, as the scheme of their URL.
func Schemes() []string { return slices.Clone(schemes) }
