package jms

import (
	"bytes"
	"fmt"
)

// GuessPeer says in a few words who answers with these first bytes, for an error about a port that speaks another
// protocol than the URL's scheme says. What the brokers answer is in the protocol notes of the project.
func GuessPeer(first []byte) string {
	switch {
	case len(first) == 0:
		return "it sent nothing"
	case bytes.HasPrefix(first, []byte("HTTP/")), bytes.HasPrefix(first, []byte("<htm")), bytes.HasPrefix(first, []byte("<!DOC")):
		return "it speaks HTTP"
	case bytes.HasPrefix(first, []byte("AMQP")):
		return "it speaks AMQP"
	case len(first) >= 5 && first[0] == 0 && first[4] == 1, bytes.Contains(first, []byte("ActiveMQ\x00")):
		// A length of 4 bytes, then data type 1: WireFormatInfo, which Classic sends as soon as it accepts.
		return "it speaks OpenWire (the scheme for that is tcp:// or ssl://)"
	case len(first) >= 3 && (first[0] == 0x15 || first[0] == 0x16) && first[1] == 3 && first[2] <= 4:
		return "it speaks TLS (the scheme for that is stomp+ssl://)"
	case bytes.HasPrefix(first, []byte("SSH-")):
		return "it speaks SSH"
	case bytes.HasPrefix(first, []byte("CONNECTED\n")), bytes.HasPrefix(first, []byte("ERROR\n")), bytes.HasPrefix(first, []byte("CONNECTED\r\n")):
		return "it speaks STOMP"
	default:
		return fmt.Sprintf("it sent %q, which is no protocol known here", clip(first, 24))
	}
}

func clip(b []byte, n int) []byte { return b[:min(len(b), n)] }
