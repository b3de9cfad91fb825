package client

import (
	"errors"
	"strings"
)

// ErrArtemis says that the broker turned out to be an Artemis, which has read the client id as another one than was meant:
// connect anew and say so ([Config].Artemis).
var ErrArtemis = errors.New("the broker is an Artemis, which reads this client id otherwise")

// ArtemisName is a client id or a subscription's name as Artemis's Java clients write it into the name of a subscription's
// queue. STOMP takes both as they are, so it has to write them likewise to have the same queue.
func ArtemisName(s string) string {
	return strings.NewReplacer(`\`, `\\`, `.`, `\.`).Replace(s)
}

// appendClientID appends the header that names the client. Classic decodes the escapes of CONNECT, which STOMP 1.2 does
// not have; Artemis does not.
func appendClientID(dst []byte, id string, artemis bool) []byte {
	if !artemis {
		return AppendHeader(dst, clientIDHeader, id)
	}
	return append(dst, clientIDHeader+":"+ArtemisName(id)+"\n"...)
}

const clientIDHeader = "client-id"

// misread tells that an Artemis has read a client id that was written for others, and reads it otherwise.
func misread(id string) bool { return strings.ContainsAny(id, `\.:`) }
