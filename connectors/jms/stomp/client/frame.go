package client

import "bytes"

// Frame is a frame of the server, as slices of the reader's buffer: valid only until the reader goes on. Header names
// and values are raw; where [Frame.Escaped] says so they hold escapes.
type Frame struct {
	Command Command
	// HasLength tells that the frame has a content-length, LengthAt which header it is.
	HasLength bool
	LengthAt  int
	// Skipped is the length of a body that was thrown away because it exceeds [Limits].Body; Body is empty then.
	Skipped int64
	// Doubtful tells that a body without content-length holds what looks like the beginning of a frame, or is followed by a frame that
	// anybody could have written into it: it may be longer or shorter than it was sent.
	Doubtful bool

	base               []byte
	headers            []headerAt
	bodyStart, bodyEnd int
}

type headerAt struct {
	name, colon, end int32 // offsets in base
	escaped          bool
}

// Headers returns the number of header lines, repeated ones included.
func (f *Frame) Headers() int { return len(f.headers) }

// Name returns the raw name of header i.
func (f *Frame) Name(i int) []byte { h := f.headers[i]; return f.base[h.name:h.colon] }

// Value returns the raw value of header i.
func (f *Frame) Value(i int) []byte { h := f.headers[i]; return f.base[h.colon+1 : h.end] }

// Escaped tells that the line of header i holds a backslash, in its name or its value.
func (f *Frame) Escaped(i int) bool { return f.headers[i].escaped }

// Body returns the body.
func (f *Frame) Body() []byte { return f.base[f.bodyStart:f.bodyEnd] }

// Size returns the bytes of the frame on the wire, without a body that was thrown away.
func (f *Frame) Size() int { return len(f.base) }

// HeadSize returns the bytes of the command and the header lines.
func (f *Frame) HeadSize() int { return f.bodyStart }

// Lookup returns the decoded value of the first header with this name, which must need no escape itself.
func (f *Frame) Lookup(name string) (string, bool) {
	for i := range f.headers {
		if string(f.Name(i)) == name {
			if f.Escaped(i) {
				return string(AppendUnescaped(nil, f.Value(i))), true
			}
			return string(f.Value(i)), true
		}
	}
	return "", false
}

// AppendUnescaped appends b with its escapes decoded (STOMP 1.2: \r, \n, \c, \\). An undefined escape stays as it is:
// the brokers pass them on.
func AppendUnescaped(dst, b []byte) []byte {
	for {
		i := bytes.IndexByte(b, '\\')
		if i < 0 || i+1 == len(b) {
			return append(dst, b...)
		}
		dst = append(dst, b[:i]...)
		switch b[i+1] {
		case 'r':
			dst = append(dst, '\r')
		case 'n':
			dst = append(dst, '\n')
		case 'c':
			dst = append(dst, ':')
		case '\\':
			dst = append(dst, '\\')
		default:
			dst = append(dst, b[i], b[i+1])
		}
		b = b[i+2:]
	}
}
