package stomp

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/jmsbridge/jmsbridge/bridge"
	"github.com/jmsbridge/jmsbridge/connectors/jms"
	"github.com/jmsbridge/jmsbridge/connectors/jms/stomp/client"
)

// classify gives an error of a connection its class, by what the brokers were seen to answer. What is not known is
// Transient.
func classify(err error, kind client.Kind) error {
	if err == nil {
		return nil
	}
	var own *bridge.Error
	if errors.As(err, &own) {
		return err
	}
	var server *client.ServerError
	if errors.As(err, &server) {
		class, code := classifyServer(server, kind)
		return &bridge.Error{Class: class, Code: code, Err: err, Remedy: remedy(server)}
	}
	var protocol *client.ProtocolError
	if errors.As(err, &protocol) || errors.Is(err, errForeign) {
		return &bridge.Error{Class: bridge.Transient, Code: codeProtocol, Err: err}
	}
	return &bridge.Error{Class: bridge.Transient, Err: err}
}

// classifyServer reads an ERROR frame.
func classifyServer(e *client.ServerError, kind client.Kind) (bridge.Class, string) {
	if kind == client.Artemis {
		return classifyArtemis(e)
	}
	return classifyClassic(e)
}

// classifyClassic: the body begins with the class of a Java exception (javax.jms on 5.x, jakarta.jms on 6.x: only the
// last segment counts), or the message header says it.
func classifyClassic(e *client.ServerError) (bridge.Class, string) {
	first, _, _ := strings.Cut(e.Body, "\n")
	name, _, _ := strings.Cut(first, ":")
	name = name[strings.LastIndexByte(name, '.')+1:]
	switch name {
	case "SecurityException", "JMSSecurityException", "InvalidDestinationException", "InvalidSelectorException":
		return bridge.Fatal, name
	case codeClientID:
		return bridge.Transient, name // the dead socket of our last connection may still hold it
	case "ResourceAllocationException":
		return bridge.Throttled, name
	case "DestinationDoesNotExistException":
		return bridge.Permanent, name
	}
	text := e.Message + "\n" + first
	switch {
	case strings.Contains(text, "is not authorized"), strings.Contains(text, "password is invalid"):
		return bridge.Fatal, "SecurityException"
	case strings.Contains(text, "The maximum "):
		return bridge.Permanent, "limit"
	case strings.HasPrefix(name, "JMSException"), strings.HasSuffix(name, "Exception"):
		return bridge.Transient, name
	default:
		return bridge.Transient, ""
	}
}

// artemisClasses are the codes that Artemis puts into its ERROR frames, in the order of their weight.
var artemisClasses = []struct {
	text  string
	class bridge.Class
}{
	{"AMQ229031", bridge.Fatal}, // unable to validate user
	{"AMQ229032", bridge.Fatal}, // no permission
	{"AMQ229213", bridge.Fatal}, // no permission on the queue
	{"Security Error", bridge.Fatal},
	{"AMQ339016", bridge.Fatal}, // error creating subscription; a missing right has no other reason here
	{"AMQ339001", bridge.Fatal}, // destination does not exist
	{"Invalid selector", bridge.Fatal},
	{codeArtemisAck, bridge.Transient},  // error acknowledging
	{"AMQ229014", bridge.Transient},     // no data within the connection TTL
	{"AMQ339040", bridge.Permanent},     // undefined escape sequence
	{"AMQ339031", bridge.Permanent},     // a header that is no number
	{codeArtemisSend, bridge.Throttled}, // error sending: the address is full, or a permission is missing
}

func classifyArtemis(e *client.ServerError) (bridge.Class, string) {
	if strings.HasPrefix(e.Body, "consumer with ID ") {
		return bridge.Transient, codeUnconvertible
	}
	text := e.Message + "\n" + e.Body
	for _, c := range artemisClasses {
		if strings.Contains(text, c.text) {
			code := ""
			if strings.HasPrefix(c.text, "AMQ") {
				code = c.text
			}
			return c.class, code
		}
	}
	return bridge.Transient, ""
}

// remedies are what to do about refusals that only the broker's operator or the configuration can end.
var remedies = []struct{ text, remedy string }{
	{"not authorized to read from", "give the user the right to read from it"},
	{"not authorized to write to", "give the user the right to write to it"},
	{"not authorized to create", "create the destination, or give the user the right to create it"},
	{"AMQ229032", "give the user the permission that the broker names"},
	{"AMQ229213", "give the user the permission that the broker names"},
	{"AMQ339016", "give the user the permissions CONSUME and, where the queue is not there yet, CREATE_DURABLE_QUEUE; the broker does not say which is missing"},
	{"AMQ339001", "create the destination at the broker, or correct its name"},
	{"InvalidSelectorException", "correct the selector"},
	{"Invalid selector", "correct the selector"},
	{"InvalidDestinationException", "correct the destination's name"},
}

// remedy says what to do about an ERROR frame; "" when it is nothing for the operator.
func remedy(e *client.ServerError) string {
	text := e.Message + "\n" + e.Body
	for _, r := range remedies {
		if strings.Contains(text, r.text) {
			return r.remedy
		}
	}
	return ""
}

// classifyConnect reads an error of the handshake on a connection to e.
func classifyConnect(err error, e jms.Endpoint) error {
	var protocol *client.ProtocolError
	var server *client.ServerError
	switch {
	case errors.As(err, &protocol) && len(protocol.First) > 0:
		return &bridge.Error{
			Class: bridge.Fatal, Code: codeProtocol, Err: fmt.Errorf("%w: %s", err, jms.GuessPeer(protocol.First)),
			Remedy: "check host, port and scheme of the broker's URL",
		}
	case errors.As(err, &protocol), errors.Is(err, client.ErrLogin):
		return &bridge.Error{Class: bridge.Fatal, Code: codeProtocol, Err: err}
	case errors.As(err, &server):
		return connectRefused(err, server)
	case errors.Is(err, client.ErrHandshakeTimeout):
		return &bridge.Error{
			Class: bridge.Transient, Code: jms.CodeSilent, Err: err,
			Remedy: "if it stays so, the port may belong to another protocol, or want TLS (stomp+ssl://)",
		}
	case e.TLS && !errors.Is(err, io.EOF):
		return jms.ClassifyTLS(err, e)
	default:
		return &bridge.Error{Class: bridge.Transient, Err: err}
	}
}

// loginPause is how long to wait after a refused login, so that no account is locked for it.
const loginPause = 30 * time.Second

// connectRefused reads an ERROR frame that answers CONNECT. Which broker it is isn't known yet.
func connectRefused(err error, e *client.ServerError) error {
	class, code := classifyClassic(e)
	if class == bridge.Transient && code == "" {
		class, code = classifyArtemis(e)
	}
	if strings.Contains(e.Message, "already connected from") {
		class, code = bridge.Transient, codeClientID
	}
	refused := &bridge.Error{Class: class, Code: code, Err: err}
	if strings.Contains(e.Message+e.Body, "is invalid") {
		refused.Remedy = "check username and password of the broker"
		refused.After = loginPause
	}
	return refused
}

// classifySubscribe reads the answer to SUBSCRIBE.
func classifySubscribe(err error) error {
	var server *client.ServerError
	if !errors.As(err, &server) {
		return classify(err, client.Unknown)
	}
	class, code := classifyClassic(server)
	if class == bridge.Transient {
		if c, k := classifyArtemis(server); k != "" || c != bridge.Transient {
			class, code = c, k
		}
	}
	if strings.HasPrefix(server.Message, "Durable consumer is in use") {
		code = codeDurableInUse
	}
	return &bridge.Error{Class: class, Code: code, Err: err, Remedy: remedy(server)}
}
