package stomplocal

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
)

// Limits of what a client may send; ActiveMQ Classic has the same for command, header line and number of headers.
const (
	maxCommand    = 1024
	maxHeaderLine = 10240
	maxHeaders    = 1000
	maxHead       = 1 << 20 // all header lines of a frame together
)

// frame is a frame of a client. Its headers are valid until the reader goes on; strings in them may be kept.
type frame struct {
	command   string
	headers   []header
	body      []byte // owned by whoever took the frame
	hasLength bool
}

type header struct{ name, value string }

// value returns the first header with this name: of repeated ones the first counts.
func (f *frame) value(name string) string {
	v, _ := f.lookup(name)
	return v
}

func (f *frame) lookup(name string) (string, bool) {
	for i := range f.headers {
		if f.headers[i].name == name {
			return f.headers[i].value, true
		}
	}
	return "", false
}

// protocolError is what a client did against the protocol. The text goes into an ERROR frame, then the connection ends.
type protocolError string

func (v protocolError) Error() string { return string(v) }

// errSilent ends a connection without a word, as Classic does for some mistakes.
var errSilent = errors.New("closing without an ERROR frame")

// frameReader reads frames and bounds everything first.
type frameReader struct {
	br      *bufio.Reader
	maxBody int
	head    []byte // scratch
	ends    []int  // scratch: where each header line ends in head
	f       frame
}

func newFrameReader(r io.Reader, maxBody int) *frameReader {
	return &frameReader{br: bufio.NewReaderSize(r, 64<<10), maxBody: maxBody}
}

// next returns the next frame; heart-beats before it are skipped.
func (r *frameReader) next() (*frame, error) {
	for {
		b, err := r.br.ReadByte()
		if err != nil {
			return nil, err
		}
		if b != '\n' && b != '\r' {
			_ = r.br.UnreadByte() // cannot fail right after ReadByte
			break
		}
	}
	line, err := r.line(maxCommand, "The maximum command length was exceeded")
	if err != nil {
		return nil, err
	}
	r.f = frame{command: internCommand(line), headers: r.f.headers[:0]}
	if err := r.readHead(); err != nil {
		return nil, err
	}
	return &r.f, r.readBody()
}

// line returns the next line without its end, as a slice of the buffer.
func (r *frameReader) line(limit int, tooLong string) ([]byte, error) {
	b, err := r.br.ReadSlice('\n')
	if errors.Is(err, bufio.ErrBufferFull) || len(b) > limit+2 {
		return nil, protocolError(tooLong)
	}
	if err != nil {
		return nil, unexpected(err)
	}
	b = b[:len(b)-1]
	if n := len(b); n > 0 && b[n-1] == '\r' {
		b = b[:n-1]
	}
	return b, nil
}

func (r *frameReader) readHead() error {
	r.head, r.ends = r.head[:0], r.ends[:0]
	for {
		b, err := r.line(maxHeaderLine, "The maximum header length was exceeded")
		if err != nil {
			return err
		}
		if len(b) == 0 {
			break
		}
		if len(r.ends) == maxHeaders {
			return protocolError("The maximum number of headers was exceeded")
		}
		if len(r.head)+len(b) > maxHead {
			return protocolError("The maximum frame size was exceeded")
		}
		r.head = append(r.head, b...)
		r.ends = append(r.ends, len(r.head))
	}
	all, from := string(r.head), 0
	for _, end := range r.ends {
		name, value, found := strings.Cut(all[from:end], ":")
		if !found || strings.IndexByte(all[from:end], 0) >= 0 {
			return protocolError("Unable to parse header line [" + all[from:end] + "]")
		}
		r.f.headers = append(r.f.headers, header{name, unescape(value)}) // Classic decodes no escapes in names
		from = end
	}
	return nil
}

func (r *frameReader) readBody() error {
	text, ok := r.f.lookup("content-length")
	if !ok {
		body, err := r.untilNull()
		r.f.body = body
		return err
	}
	n, err := strconv.ParseInt(text, 10, 32)
	switch {
	case errors.Is(err, strconv.ErrRange) && !strings.HasPrefix(text, "-") || n > int64(r.maxBody):
		return protocolError("The maximum data length was exceeded")
	case err != nil && !errors.Is(err, strconv.ErrRange):
		return protocolError("Specified content-length is not a valid integer")
	case err != nil || n < 0:
		return errSilent
	}
	r.f.hasLength = true
	if r.f.body, err = r.exactly(int(n)); err != nil {
		return err
	}
	end, err := r.br.ReadByte()
	if err != nil {
		return unexpected(err)
	}
	if end != 0 {
		return protocolError("content-length bytes were read and there was no trailing null byte")
	}
	return nil
}

// exactly reads n bytes, and takes memory for a large body only as it arrives.
func (r *frameReader) exactly(n int) ([]byte, error) {
	const atOnce = 64 << 10
	if n == 0 {
		return nil, nil
	}
	if n <= atOnce {
		b := make([]byte, n)
		_, err := io.ReadFull(r.br, b)
		return b, unexpected(err)
	}
	var b bytes.Buffer
	_, err := io.CopyN(&b, r.br, int64(n))
	return b.Bytes(), unexpected(err)
}

func (r *frameReader) untilNull() ([]byte, error) {
	var body []byte
	for {
		b, err := r.br.ReadSlice(0)
		if len(body)+len(b) > r.maxBody+1 {
			return nil, protocolError("The maximum data length was exceeded")
		}
		body = append(body, b...)
		switch {
		case errors.Is(err, bufio.ErrBufferFull):
		case err != nil:
			return nil, unexpected(err)
		case len(body) == 1:
			return nil, nil
		default:
			return body[:len(body)-1], nil
		}
	}
}

// unexpected says that the stream ended inside a frame.
func unexpected(err error) error {
	if errors.Is(err, io.EOF) {
		return fmt.Errorf("reading a frame: %w", io.ErrUnexpectedEOF)
	}
	return err
}

// internCommand saves an allocation for each frame.
func internCommand(b []byte) string {
	switch string(b) {
	case "SEND":
		return "SEND"
	case "ACK":
		return "ACK"
	case "NACK":
		return "NACK"
	default:
		return string(b)
	}
}

// unescape decodes the escapes of STOMP 1.2; an undefined one stays as it is.
func unescape(s string) string {
	if strings.IndexByte(s, '\\') < 0 {
		return s
	}
	b := make([]byte, 0, len(s))
	for i := 0; i < len(s); i++ {
		if s[i] == '\\' && i+1 < len(s) {
			if at := strings.IndexByte(`rnc\`, s[i+1]); at >= 0 {
				b = append(b, "\r\n:\\"[at])
				i++
				continue
			}
		}
		b = append(b, s[i])
	}
	return string(b)
}

// appendHeader appends a header line; only the value is escaped, as Classic does it.
func appendHeader(dst []byte, name, value string) []byte {
	dst = append(dst, name...)
	dst = append(dst, ':')
	from := 0
	for i := range len(value) {
		at := strings.IndexByte("\r\n:\\", value[i])
		if at < 0 {
			continue
		}
		dst = append(dst, value[from:i]...)
		dst = append(dst, '\\', `rnc\`[at])
		from = i + 1
	}
	dst = append(dst, value[from:]...)
	return append(dst, '\n')
}

// appendError appends an ERROR frame. A body that holds a NUL would break the stream, so it ends there.
func appendError(dst []byte, receipt, message, body string) []byte {
	dst = append(dst, "ERROR\ncontent-type:text/plain\n"...)
	if receipt != "" {
		dst = appendHeader(dst, "receipt-id", receipt)
	}
	dst = appendHeader(dst, "message", message)
	dst = append(dst, '\n')
	body, _, _ = strings.Cut(body, "\x00")
	dst = append(dst, body...)
	return append(dst, 0, '\n')
}

func appendReceipt(dst []byte, id string) []byte {
	dst = append(dst, "RECEIPT\n"...)
	dst = appendHeader(dst, "receipt-id", id)
	return append(dst, '\n', 0, '\n')
}
