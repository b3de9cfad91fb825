package envelope

import "encoding/base64"

// plain tells which bytes stand in a JSON string as they are. Bytes of multi-byte characters do.
var plain = func() (t [256]bool) {
	for c := range t {
		t[c] = c >= 0x20 && c != '"' && c != '\\'
	}
	return t
}()

const hexDigits = "0123456789abcdef"

// appendString appends valid UTF-8 as a JSON string.
func appendString(dst []byte, s string) []byte {
	dst = append(dst, '"')
	dst = appendEscaped(dst, s)
	return append(dst, '"')
}

// appendEscaped appends what stands between the quotes. It escapes only what JSON demands: nothing is changed for the
// sake of HTML.
func appendEscaped(dst []byte, s string) []byte {
	start := 0
	for i := 0; i < len(s); {
		if len(s)-i >= 8 && allPlain(s[i:i+8]) {
			i += 8
			continue
		}
		c := s[i]
		if i++; !plain[c] {
			dst = append(dst, s[start:i-1]...)
			dst = appendEscape(dst, c)
			start = i
		}
	}
	return append(dst, s[start:]...)
}

// appendEscapedBytes does the same for the few bytes of a pointer.
func appendEscapedBytes(dst, s []byte) []byte {
	for _, c := range s {
		if plain[c] {
			dst = append(dst, c)
		} else {
			dst = appendEscape(dst, c)
		}
	}
	return dst
}

func appendEscape(dst []byte, c byte) []byte {
	switch c {
	case '"', '\\':
		return append(dst, '\\', c)
	case '\b':
		return append(dst, '\\', 'b')
	case '\f':
		return append(dst, '\\', 'f')
	case '\n':
		return append(dst, '\\', 'n')
	case '\r':
		return append(dst, '\\', 'r')
	case '\t':
		return append(dst, '\\', 't')
	default:
		return append(dst, '\\', 'u', '0', '0', hexDigits[c>>4], hexDigits[c&15])
	}
}

// The same byte eight times, and the highest bit of each.
const (
	ones  = 0x0101010101010101
	highs = 0x8080808080808080
)

// allPlain tells that none of eight bytes needs an escape. It looks at them at once: a byte minus another borrows into
// its highest bit when it is smaller. It may say no wrongly, never yes.
func allPlain(s string) bool {
	_ = s[7]
	w := uint64(s[0]) | uint64(s[1])<<8 | uint64(s[2])<<16 | uint64(s[3])<<24 |
		uint64(s[4])<<32 | uint64(s[5])<<40 | uint64(s[6])<<48 | uint64(s[7])<<56
	quote, slash := w^ones*'"', w^ones*'\\'
	return ((w-ones*0x20)&^w|(quote-ones)&^quote|(slash-ones)&^slash)&highs == 0
}

// appendBase64 appends raw bytes as a JSON string in base64.
func appendBase64(dst []byte, raw string) []byte {
	// By pieces of a multiple of three: a conversion of the whole would copy the body.
	var piece [768]byte
	dst = append(dst, '"')
	for len(raw) > 0 {
		n := copy(piece[:], raw)
		dst = base64.StdEncoding.AppendEncode(dst, piece[:n])
		raw = raw[n:]
	}
	return append(dst, '"')
}
