package sqs

import (
	"encoding/base64"
	"strconv"
)

// appendEntry appends a SendMessageBatchRequestEntry, whose Id is its place in the batch.
func (w *work) appendEntry(dst []byte, id int, group, dedup string) []byte {
	dst = append(dst, `{"Id":"`...)
	dst = strconv.AppendInt(dst, int64(id), 10)
	dst = append(dst, `","MessageBody":"`...)
	switch {
	case w.bodyTo > 0:
		dst = appendEscapedBytes(dst, w.scratch[w.bodyFrom:w.bodyTo])
	case w.base64:
		dst = appendBase64(dst, w.body)
	default:
		dst = appendEscaped(dst, w.body)
	}
	dst = append(dst, '"')
	if len(w.attributes) > 0 {
		dst = append(dst, `,"MessageAttributes":{`...)
		for i := range w.attributes {
			a := &w.attributes[i]
			if i > 0 {
				dst = append(dst, ',')
			}
			dst = append(dst, '"')
			dst = append(dst, a.name...)
			dst = append(dst, `":{"DataType":"`...)
			dst = append(dst, a.label...)
			dst = append(dst, `","StringValue":"`...)
			if a.to > a.from {
				dst = appendEscapedBytes(dst, w.scratch[a.from:a.to])
			} else {
				dst = appendEscaped(dst, a.text)
			}
			dst = append(dst, '"', '}')
		}
		dst = append(dst, '}')
	}
	if w.trace != "" {
		dst = append(dst, `,"MessageSystemAttributes":{"AWSTraceHeader":{"DataType":"String","StringValue":"`...)
		dst = appendEscaped(dst, w.trace)
		dst = append(dst, `"}}`...)
	}
	if group != "" {
		dst = append(dst, `,"MessageGroupId":"`...)
		dst = appendEscaped(dst, group)
		dst = append(dst, `","MessageDeduplicationId":"`...)
		dst = appendEscaped(dst, dedup)
		dst = append(dst, '"')
	}
	return append(dst, '}')
}

// quoted tells whether any of eight bytes is a control character, a quote or a backslash. It may be wrong only by
// saying yes.
func quoted(w uint64) bool {
	quote, slash := w^('"'*low), w^('\\'*low)
	return ((w-0x20*low)&^w|(quote-low)&^quote|(slash-low)&^slash)&high != 0
}

const hexDigits = "0123456789abcdef"

// appendEscaped appends legal text as it stands between the quotes of a JSON string.
func appendEscaped(dst []byte, s string) []byte {
	start := 0
	for i := 0; i < len(s); {
		if i+8 <= len(s) && !quoted(word(s, i)) {
			i += 8
			continue
		}
		c := s[i]
		if c >= 0x20 && c != '"' && c != '\\' {
			i++
			continue
		}
		dst = append(dst, s[start:i]...)
		dst = appendEscape(dst, c)
		i++
		start = i
	}
	return append(dst, s[start:]...)
}

// appendEscapedBytes is appendEscaped for what stands in the scratch buffer: mostly digits, and JSON full of quotes.
func appendEscapedBytes(dst, s []byte) []byte {
	start := 0
	for i, c := range s {
		if c >= 0x20 && c != '"' && c != '\\' {
			continue
		}
		dst = append(dst, s[start:i]...)
		dst = appendEscape(dst, c)
		start = i + 1
	}
	return append(dst, s[start:]...)
}

func appendEscape(dst []byte, c byte) []byte {
	switch c {
	case '"', '\\':
		return append(dst, '\\', c)
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

// appendBase64 encodes by pieces of a multiple of three: a conversion of the whole would copy the body.
func appendBase64(dst []byte, raw string) []byte {
	var piece [768]byte
	for len(raw) > 0 {
		n := copy(piece[:], raw)
		dst = base64.StdEncoding.AppendEncode(dst, piece[:n])
		raw = raw[n:]
	}
	return dst
}
