package client

// AppendCommand appends the command line of a client frame.
func AppendCommand(dst []byte, command string) []byte {
	dst = append(dst, command...)
	return append(dst, '\n')
}

// AppendHeader appends a header line with its escapes (STOMP 1.2). Neither may hold a NUL, which has no escape.
func AppendHeader(dst []byte, name, value string) []byte {
	dst = appendEscaped(dst, name)
	dst = append(dst, ':')
	dst = appendEscaped(dst, value)
	return append(dst, '\n')
}

// AppendBody appends the end of the headers, the body and the NUL. A body that holds a NUL needs a content-length
// among the headers.
func AppendBody(dst []byte, body string) []byte {
	dst = append(dst, '\n')
	dst = append(dst, body...)
	return append(dst, 0)
}

func appendEscaped(dst []byte, s string) []byte {
	from := 0
	for i := range len(s) {
		var code byte
		switch s[i] {
		case '\\':
			code = '\\'
		case '\n':
			code = 'n'
		case '\r':
			code = 'r'
		case ':':
			code = 'c'
		default:
			continue
		}
		dst = append(dst, s[from:i]...)
		dst = append(dst, '\\', code)
		from = i + 1
	}
	return append(dst, s[from:]...)
}

// EscapedSize returns the bytes that AppendHeader makes of s.
func EscapedSize(s string) int {
	n := len(s)
	for i := range len(s) {
		switch s[i] {
		case '\\', '\n', '\r', ':':
			n++
		}
	}
	return n
}
