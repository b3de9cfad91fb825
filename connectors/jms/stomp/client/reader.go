package client

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math"
)

// Command is the command of a frame that a server sends.
type Command uint8

// The server's commands (STOMP 1.2, "Server Frames").
const (
	Message Command = iota + 1
	Receipt
	Error
	Connected
)

// Limits bound what a peer may make this process allocate for one frame.
type Limits struct {
	// Head is the most bytes of all header lines together; 0: 1 MiB. Classic's own limit for what it takes is 10 KiB a
	// line, but what it sends on from other protocols has no limit.
	Head int
	// Headers is the most headers; 0: 1,000, Classic's own number.
	Headers int
	// Body is the most bytes of a body that are kept; 0: 16 MiB. The rest of the frame is read and thrown away, and
	// [Frame.Skipped] says so.
	Body int
}

func (l Limits) withDefaults() Limits {
	if l.Head <= 0 {
		l.Head = 1 << 20
	}
	if l.Headers <= 0 {
		l.Headers = 1000
	}
	if l.Body <= 0 {
		l.Body = 16 << 20
	}
	return l
}

const (
	bufferSize = 64 << 10 // what one read takes at most; holds some forty messages of 1 KiB
	keepBuffer = 1 << 20  // a larger buffer is given back when it is empty
	maxCommand = len("CONNECTED\r")
)

// ProtocolError says that the peer sent something that is not STOMP, or more than the limits allow. The connection
// can't go on: where the next frame begins is unknown.
type ProtocolError struct {
	Reason string
	// First holds the first bytes of the frame, at most 32, for a guess at what the peer speaks.
	First []byte
	// MessageID is the message-id of the frame, when its head was read so far; "": not known.
	MessageID string
}

// Error returns the reason, and the message that can't be read.
func (e *ProtocolError) Error() string {
	if e.MessageID != "" {
		return fmt.Sprintf("reading the frame of message %q: %s", Clip(e.MessageID, 200), e.Reason)
	}
	return "reading a STOMP frame: " + e.Reason
}

type readState uint8

const (
	readCommand readState = iota
	readHeaders
	readBody
	readText
	skipBody
	readTrailer
)

// Reader reads server frames. It slices its buffer: a frame is valid until the next call of Next. One goroutine uses it.
type Reader struct {
	src    io.Reader
	limits Limits
	// trailerLF: the peer ends each frame with NUL LF, as Classic does; so a NUL in a text without content-length,
	// which newer Classics send as it is, can be told from the end: by what follows.
	trailerLF bool
	ours      identity

	buf        []byte
	start, end int // the frame's first byte, and the end of what is read
	pos        int // the next byte to parse, from start
	scan       int // where the search for the end of a text goes on, from start
	ahead      ahead
	length     int64
	state      readState
	done       bool // frame has been returned, and is dropped by the next call
	err        error
	frame      Frame
}

// NewReader returns a Reader of src.
func NewReader(src io.Reader, limits Limits) *Reader {
	return &Reader{src: src, limits: limits.withDefaults(), buf: make([]byte, bufferSize)}
}

// Buffered returns the number of bytes that are read but belong to later frames. Some may be heart-beats.
func (r *Reader) Buffered() int {
	n := r.end - r.start
	if r.done {
		n -= r.pos
	}
	return n
}

// Next returns the next frame; heart-beats are passed over. The frame is valid until the next call. An error is final.
// io.EOF means that the peer closed between two frames, io.ErrUnexpectedEOF that it did so within one.
func (r *Reader) Next() (*Frame, error) {
	if r.err != nil {
		return nil, r.err
	}
	if r.done {
		r.drop()
	}
	for {
		ok, err := r.parse()
		if err == nil && !ok {
			err = r.fill()
		}
		if err != nil && r.mayEnd() {
			if err = r.endText(); err == nil {
				continue
			}
		}
		if err != nil {
			r.err = err
			return nil, err
		}
		if ok {
			r.done = true
			return &r.frame, nil
		}
	}
}

// drop forgets the frame that Next has returned. What of the next one was read while the end of this one was looked for
// is not read again.
func (r *Reader) drop() {
	from := r.start
	r.start += r.pos
	r.pos, r.scan, r.length, r.state, r.done = 0, 0, 0, readCommand, false
	r.frame = Frame{headers: r.frame.headers[:0]}
	if a := &r.ahead; a.adopt {
		r.start, r.pos, r.state = from+a.frame, a.pos-a.frame, readHeaders
		r.frame.Command = a.command
		r.frame.headers, a.headers = a.headers, r.frame.headers
	}
	r.ahead.reset()
	if r.start == r.end {
		r.start, r.end = 0, 0
		if len(r.buf) > keepBuffer {
			r.buf = make([]byte, bufferSize)
		}
	}
}

// fill reads more. The frame in work may move within the buffer, or into a larger one: twice as large, so that memory
// follows what has arrived and not what the peer announced.
func (r *Reader) fill() error {
	if r.end == len(r.buf) {
		to := r.buf
		if r.start < len(r.buf)/2 {
			to = make([]byte, 2*len(r.buf))
		}
		copy(to, r.buf[r.start:r.end])
		r.buf, r.end, r.start = to, r.end-r.start, 0
	}
	for range 100 {
		n, err := r.read(r.buf[r.end:])
		r.end += n
		switch {
		case n > 0:
			return nil // an error comes again
		case errors.Is(err, io.EOF) && r.end > r.start:
			return io.ErrUnexpectedEOF
		case err != nil:
			return err
		}
	}
	return io.ErrNoProgress
}

// parse goes on with the frame in work. It returns false when it needs more bytes.
func (r *Reader) parse() (bool, error) {
	for {
		var more bool
		var err error
		switch r.state {
		case readCommand:
			more, err = r.command()
		case readHeaders:
			more, err = r.header()
		case readBody:
			more = r.body()
		case readText:
			more, err = r.text()
		case skipBody:
			more = r.skip()
		case readTrailer:
			if r.start+r.pos == r.end {
				return false, nil
			}
			if r.buf[r.start+r.pos] != 0 {
				return false, r.broken("the body does not end where content-length says")
			}
			r.pos++
			r.frame.base = r.buf[r.start : r.start+r.pos]
			return true, nil
		}
		if err != nil {
			return false, err
		}
		if more {
			return false, nil
		}
	}
}

func (r *Reader) broken(reason string) error {
	e := &ProtocolError{Reason: reason, First: bytes.Clone(r.buf[r.start:min(r.end, r.start+32)])}
	if r.frame.Command == Message {
		r.frame.base = r.buf[r.start : r.start+r.pos]
		e.MessageID, _ = r.frame.Lookup("message-id")
	}
	return e
}

var (
	commandMessage   = []byte("MESSAGE")
	commandReceipt   = []byte("RECEIPT")
	commandError     = []byte("ERROR")
	commandConnected = []byte("CONNECTED")
)

func (r *Reader) command() (more bool, err error) {
	for r.start < r.end { // heart-beats, and the newline that Classic sends after each frame
		switch b := r.buf[r.start]; {
		case b == '\n':
			r.start++
			continue
		case b == '\r':
			if r.start+1 == r.end {
				return true, nil
			}
			if r.buf[r.start+1] == '\n' {
				r.start += 2
				continue
			}
		}
		break
	}
	data := r.buf[r.start:r.end]
	if len(data) == 0 {
		return true, nil
	}
	end := bytes.IndexByte(data[:min(len(data), maxCommand+1)], '\n')
	if end < 0 {
		if len(data) > maxCommand || !mayBeCommand(data) {
			return false, r.broken("the peer does not speak STOMP")
		}
		return true, nil
	}
	switch line := bytes.TrimSuffix(data[:end], []byte{'\r'}); {
	case bytes.Equal(line, commandMessage):
		r.frame.Command = Message
	case bytes.Equal(line, commandReceipt):
		r.frame.Command = Receipt
	case bytes.Equal(line, commandError):
		r.frame.Command = Error
	case bytes.Equal(line, commandConnected):
		r.frame.Command = Connected
	default:
		return false, r.broken("the peer does not speak STOMP, or the frame before this one was longer than it said")
	}
	r.pos = end + 1
	r.state = readHeaders
	return false, nil
}

// mayBeCommand tells whether b may be the beginning of a server's command line.
func mayBeCommand(b []byte) bool {
	b = bytes.TrimSuffix(b, []byte{'\r'})
	for _, c := range [][]byte{commandMessage, commandReceipt, commandError, commandConnected} {
		if bytes.HasPrefix(c, b) {
			return true
		}
	}
	return false
}

// header takes the header lines that are there.
func (r *Reader) header() (more bool, err error) {
	for {
		data := r.buf[r.start+r.pos : r.end]
		n := bytes.IndexByte(data, '\n')
		if n < 0 && r.pos+len(data) > r.limits.Head || n >= 0 && r.pos+n > r.limits.Head {
			return false, r.broken(fmt.Sprintf("the headers of a frame exceed %d bytes", r.limits.Head))
		}
		if n < 0 {
			return true, nil
		}
		line := withoutCR(data[:n])
		if len(line) == 0 {
			r.pos += n + 1
			return false, r.headDone()
		}
		h, ok := newHeader(line, r.pos)
		if !ok {
			return false, r.broken("a header line has no name or no colon")
		}
		if len(r.frame.headers) == r.limits.Headers {
			return false, r.broken(fmt.Sprintf("a frame has more than %d headers", r.limits.Headers))
		}
		r.frame.headers = append(r.frame.headers, h)
		r.pos += n + 1
	}
}

func withoutCR(line []byte) []byte {
	if n := len(line); n > 0 && line[n-1] == '\r' {
		return line[:n-1]
	}
	return line
}

// newHeader reads a header line that begins at this offset of its frame.
func newHeader(line []byte, at int) (headerAt, bool) {
	colon := bytes.IndexByte(line, ':')
	if colon <= 0 {
		return headerAt{}, false
	}
	return headerAt{
		name: int32(at), colon: int32(at + colon), end: int32(at + len(line)), //nolint:gosec // bounded by Limits.Head
		escaped: bytes.IndexByte(line, '\\') >= 0,
	}, true
}

func (r *Reader) headDone() error {
	f := &r.frame
	f.base = r.buf[r.start : r.start+r.pos]
	f.bodyStart, f.bodyEnd = r.pos, r.pos
	r.scan = r.pos
	r.state = readText
	for i := range f.headers {
		if string(f.Name(i)) != "content-length" {
			continue
		}
		n, ok := parseLength(f.Value(i))
		if !ok {
			return r.broken("content-length is no number between 0 and 2147483647")
		}
		f.HasLength, f.LengthAt = true, i
		r.length = n
		r.state = readBody
		if n > int64(r.limits.Body) {
			f.Skipped = n
			r.state = skipBody
		}
		break
	}
	return nil
}

// parseLength reads a content-length. A Java array, which every broker keeps a body in, is no longer than 2^31-1.
func parseLength(b []byte) (int64, bool) {
	n := int64(0)
	for _, c := range b {
		if c < '0' || c > '9' {
			return 0, false
		}
		if n = n*10 + int64(c-'0'); n > math.MaxInt32 {
			return 0, false
		}
	}
	return n, len(b) > 0
}

func (r *Reader) body() (more bool) {
	if int64(r.end-r.start-r.pos) <= r.length {
		return true // the NUL after it belongs to it
	}
	r.pos += int(r.length)
	r.frame.bodyEnd = r.pos
	r.state = readTrailer
	return false
}

// skip throws away a body that is too long, so that the buffer holds only the headers and what comes after.
func (r *Reader) skip() (more bool) {
	from := r.start + r.pos
	n := int(min(r.length, int64(r.end-from)))
	r.end = from + copy(r.buf[from:], r.buf[from+n:r.end])
	r.length -= int64(n)
	if r.length > 0 {
		return true
	}
	r.state = readTrailer
	return false
}
