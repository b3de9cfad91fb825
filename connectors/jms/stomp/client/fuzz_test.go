package client

import (
	"bytes"
	"errors"
	"io"
	"regexp"
	"strings"
	"testing"

	"github.com/go-stomp/stomp/v3/frame"
	"github.com/google/go-cmp/cmp"
)

// The library allocates what content-length says, so inputs that say much are not for it.
var large = regexp.MustCompile(`content-length:[0-9]{7}`)

var commands = map[string]Command{frame.MESSAGE: Message, frame.RECEIPT: Receipt, frame.ERROR: Error, frame.CONNECTED: Connected}

// FuzzReaderAgainstGoStomp compares the frames of any input with those that go-stomp's reader finds. Ours knows the
// server's commands only, and refuses nothing else that go-stomp takes.
func FuzzReaderAgainstGoStomp(f *testing.F) {
	f.Add([]byte(session))
	f.Add([]byte("MESSAGE\r\na\\c:b\\\\\r\n\r\nx\x00\r\nRECEIPT\n\n\x00"))
	f.Add([]byte("\n\nERROR\ncontent-length:2\ncontent-length:9\n\n\x00\x00\x00"))
	f.Add([]byte("MESSAGE\ncontent-length:00000000000002\n\nab\x00"))
	f.Fuzz(func(t *testing.T, in []byte) {
		ours, err := readAll(NewReader(bytes.NewReader(in), Limits{}))
		if large.Match(in) {
			return
		}
		oracle := frame.NewReader(bytes.NewReader(in))
		for i := 0; ; i++ {
			theirs, theirErr := oracle.Read()
			if theirs == nil && theirErr == nil {
				i--
				continue // a heart-beat
			}
			var protocol *ProtocolError
			if theirErr != nil {
				if i < len(ours) {
					t.Fatalf("frame %d: ours %+v, theirs %v", i, ours[i], theirErr)
				}
				return
			}
			command, ofServer := commands[theirs.Command]
			if i >= len(ours) {
				if ofServer && !(errors.As(err, &protocol) && theirs.Header.Len() > 1000) {
					t.Fatalf("frame %d: ours %v, theirs %v", i, err, theirs)
				}
				return
			}
			want := got{Command: command, Body: string(theirs.Body)}
			for j := range theirs.Header.Len() {
				k, v := theirs.Header.GetAt(j)
				want.Headers = append(want.Headers, k+"="+v)
			}
			if diff := cmp.Diff(want, ours[i]); diff != "" {
				t.Fatalf("frame %d: %s", i, diff)
			}
		}
	})
}

// FuzzReaderOfPieces reads the same input whole and byte by byte, in both readings of a NUL.
func FuzzReaderOfPieces(f *testing.F) {
	f.Add([]byte(session), true)
	f.Add([]byte("MESSAGE\na:b\n\nx\x00y\x00\nMESS\x00\n\n"), true)
	f.Add([]byte("MESSAGE\na:b\n\nx\x00\n\n\x00\nMESSAGE\na:b\nsubscription:s\n\ny\x00\n\nRECEIPT\nreceipt-id:r-1\n\n\x00\n"), true)
	f.Add([]byte("MESSAGE\na:b\n\nx\x00\nERROR\nmessage:m\n\ny\x00\nERROR\n\n\x00\nERROR\nreceipt-id:r-2\nmessage:m\n\n\x00\n"), true)
	f.Add([]byte("MESSAGE\na:b\n\nx\x00\nMESSAGE\na:b\n\nforged\x00\nMESSAGE\na:b\nc:d\ne:f\ng:h\ni:j\nk:l\nsubscription:s\n\n\x00\n"), true)
	f.Add([]byte("MESSAGE\na:b\n\n"+strings.Repeat("\x00", 70)+"\x00\nRECEIPT\nreceipt-id:r-1\n\n\x00\n"), true)
	f.Add([]byte("ERROR\nmessage:m\n\nx\x00\n\n"), true)
	f.Add([]byte("MESSAGE\ncontent-length:70\n\n0123456789012345678901234567890123456789012345678901234567890123456789\x00"), false)
	f.Fuzz(func(t *testing.T, in []byte, classic bool) {
		limits := Limits{Head: 200, Headers: 5, Body: 64}
		read := func(src io.Reader) ([]got, error) {
			r := NewReader(src, limits)
			if classic {
				r.trailerLF, r.ours = true, testIdentity
			}
			return readAll(r)
		}
		whole, err := read(bytes.NewReader(in))
		pieces, pieceErr := read(&pieceReader{in: in})
		if diff := cmp.Diff(whole, pieces); diff != "" {
			t.Fatal(diff)
		}
		var a, b *ProtocolError
		if errors.As(err, &a) != errors.As(pieceErr, &b) {
			t.Fatalf("whole %v, pieces %v", err, pieceErr)
		}
	})
}

type pieceReader struct {
	in []byte
	n  int
}

func (r *pieceReader) Read(p []byte) (int, error) {
	if len(r.in) == 0 {
		return 0, io.EOF
	}
	r.n = r.n%3 + 1
	n := copy(p, r.in[:min(r.n, len(r.in))])
	r.in = r.in[n:]
	return n, nil
}
