package stomp

import (
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// modifiedUTF8 tells whether a Classic of this version sends and stores texts as Java's modified UTF-8: those before
// 5.18.6, 5.19.0, 6.1.4 and 6.2.0. A version that can't be read is taken for a newer one.
func modifiedUTF8(version string) bool {
	parts := strings.SplitN(version, ".", 3)
	if len(parts) < 3 {
		return false
	}
	var n [3]int
	for i, p := range parts {
		p, _, _ = strings.Cut(p, "-")
		v, err := strconv.Atoi(p)
		if err != nil {
			return false
		}
		n[i] = v
	}
	switch {
	case n[0] < 5, n[0] == 5 && n[1] < 18:
		return true
	case n[0] == 5 && n[1] == 18:
		return n[2] < 6
	case n[0] == 6 && n[1] == 0:
		return true
	case n[0] == 6 && n[1] == 1:
		return n[2] < 4
	default:
		return false
	}
}

// appendStandardUTF8 appends modified UTF-8 (JVM specification, 4.4.7: NUL as C0 80, characters beyond U+FFFF as two
// surrogates of three bytes each) as standard UTF-8. Standard UTF-8 is taken as well, for STOMP senders leave it as
// they wrote it. It returns false when b is neither.
func appendStandardUTF8(dst, b []byte) ([]byte, bool) {
	if utf8.Valid(b) {
		return append(dst, b...), true
	}
	for len(b) > 0 {
		switch {
		case len(b) >= 2 && b[0] == 0xC0 && b[1] == 0x80:
			dst = append(dst, 0)
			b = b[2:]
		case len(b) >= 6 && b[0] == 0xED && b[3] == 0xED && surrogate(b) != utf8.RuneError: // U+D000 begins with ED too
			r := utf16.DecodeRune(surrogate(b), surrogate(b[3:]))
			if r == utf8.RuneError {
				return dst, false
			}
			dst = utf8.AppendRune(dst, r)
			b = b[6:]
		default:
			r, n := utf8.DecodeRune(b)
			if r == utf8.RuneError && n == 1 {
				return dst, false
			}
			dst = append(dst, b[:n]...)
			b = b[n:]
		}
	}
	return dst, true
}

// surrogate reads three bytes that begin with ED; RuneError when they are no surrogate.
func surrogate(b []byte) rune {
	if b[1]&0xE0 != 0xA0 || b[2]&0xC0 != 0x80 {
		return utf8.RuneError
	}
	return 0xD000 | rune(b[1]&0x3F)<<6 | rune(b[2]&0x3F)
}

// modifiedUTF8Of returns a text as an older Classic stores it, so that Java consumers can read it: NUL as C0 80,
// characters beyond U+FFFF as two surrogates.
func modifiedUTF8Of(s string) string {
	plain := true
	for i := range len(s) {
		if s[i] == 0 || s[i] >= 0xF0 {
			plain = false
			break
		}
	}
	if plain {
		return s
	}
	out := make([]byte, 0, len(s)+len(s)/2)
	for _, r := range s {
		switch {
		case r == 0:
			out = append(out, 0xC0, 0x80)
		case r > 0xFFFF:
			hi, lo := utf16.EncodeRune(r)
			for _, u := range [...]rune{hi, lo} {
				out = append(out, 0xED, 0x80|byte(u>>6&0x3F), 0x80|byte(u&0x3F))
			}
		default:
			out = utf8.AppendRune(out, r)
		}
	}
	return string(out)
}
