package sqs

import "unicode/utf8"

const (
	low  = 0x0101010101010101
	high = 0x8080808080808080
)

// word returns eight bytes of s from i on, little-endian. The compiler makes one load of it.
func word(s string, i int) uint64 {
	_ = s[i+7]
	return uint64(s[i]) | uint64(s[i+1])<<8 | uint64(s[i+2])<<16 | uint64(s[i+3])<<24 |
		uint64(s[i+4])<<32 | uint64(s[i+5])<<40 | uint64(s[i+6])<<48 | uint64(s[i+7])<<56
}

// special tells whether any of eight bytes is a control character or no ASCII. It may be wrong only by saying yes.
func special(w uint64) bool { return ((w-0x20*low)|w)&high != 0 }

// legal tells whether SQS takes the text: valid UTF-8 of #x9 | #xA | #xD | #x20 to #xD7FF | #xE000 to #xFFFD | #x10000
// to #x10FFFF (Amazon SQS API reference, SendMessage).
func legal(s string) bool {
	for i := 0; i < len(s); {
		if i+8 <= len(s) && !special(word(s, i)) {
			i += 8
			continue
		}
		c := s[i]
		if c < utf8.RuneSelf {
			if c < 0x20 && c != '\t' && c != '\n' && c != '\r' {
				return false
			}
			i++
			continue
		}
		r, n := utf8.DecodeRuneInString(s[i:])
		if r == 0xFFFE || r == 0xFFFF || r == utf8.RuneError && n == 1 {
			return false
		}
		i += n
	}
	return true
}

// legalName tells whether a message attribute may have this name: letters, digits, _ - and . with no dot first, last or
// after another, at most 256, and not beginning with AWS. or Amazon. in any case (SQS developer guide, "Message
// attribute components").
func legalName(name string) bool {
	if name == "" || len(name) > 256 || name[0] == '.' || name[len(name)-1] == '.' {
		return false
	}
	for i := range len(name) {
		switch c := name[i]; {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9', c == '_', c == '-':
		case c == '.':
			if name[i-1] == '.' {
				return false
			}
		default:
			return false
		}
	}
	return !hasPrefixFold(name, "aws.") && !hasPrefixFold(name, "amazon.")
}

// hasPrefixFold compares ASCII without regard to case; prefix is in lower case.
func hasPrefixFold(s, prefix string) bool {
	if len(s) < len(prefix) {
		return false
	}
	for i := range len(prefix) {
		c := s[i]
		if c >= 'A' && c <= 'Z' {
			c += 'a' - 'A'
		}
		if c != prefix[i] {
			return false
		}
	}
	return true
}

// legalToken tells whether a MessageGroupId or MessageDeduplicationId may be this: 1 to 128 ASCII letters, digits and
// punctuation.
func legalToken(id string) bool {
	if id == "" || len(id) > 128 {
		return false
	}
	for i := range len(id) {
		if id[i] <= ' ' || id[i] > '~' {
			return false
		}
	}
	return true
}
