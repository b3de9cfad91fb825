package aws

import (
	"bytes"
	"strings"
)

// noncharacters is how U+FFFE and U+FFFF begin: EF BF BE and EF BF BF.
const noncharacters = "\xef\xbf"

// EscapeNoncharacters writes U+FFFE and U+FFFF in the valid JSON that stands in b from start on as escapes, in place: SQS
// takes no others of the characters that JSON leaves as they are. They stand only inside strings, where an escape means
// the same. It returns b, longer where there were any.
func EscapeNoncharacters(b []byte, start int) []byte {
	at := noncharacter(b, start)
	if at < 0 {
		return b
	}
	tail := append([]byte(nil), b[at:]...)
	b = b[:at]
	for len(tail) > 0 {
		b = append(b, '\\', 'u', 'f', 'f', 'f', 'e'+tail[2]-0xBE)
		tail = tail[3:]
		next := noncharacter(tail, 0)
		if next < 0 {
			return append(b, tail...)
		}
		b = append(b, tail[:next]...)
		tail = tail[next:]
	}
	return b
}

// noncharacter finds the next of them; -1: there is none.
func noncharacter(b []byte, from int) int {
	for {
		i := bytes.Index(b[from:], []byte(noncharacters))
		if i < 0 || from+i+2 >= len(b) {
			return -1
		}
		if from += i; b[from+2] >= 0xBE { // else another of the last characters of the plane
			return from
		}
		from += 2
	}
}

// HasNoncharacter tells whether a text has U+FFFE or U+FFFF.
func HasNoncharacter(s string) bool {
	return strings.Contains(s, "\ufffe") || strings.Contains(s, "\uffff")
}
