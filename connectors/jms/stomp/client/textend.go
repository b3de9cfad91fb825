package client

import (
	"bytes"
	"math"
	"time"
)

// maxBeats is how many newlines may follow a frame: more heart-beats than the proof of its end is waited for.
const maxBeats = 1024

// identity is what the peer's frames name and no sender of a message can guess. It tells a frame from a text that looks
// like one.
type identity struct {
	subscription string // the id of the one subscription
	receipts     string // what the ids of receipts begin with
}

// errorQuiet is how long nothing must follow an ERROR before it counts as whole. Where its text ends matters little.
const errorQuiet = 10 * time.Millisecond

// endReader is a source that can be asked to prove where a text ends. readEnd reads as Read does, after it has made the
// peer send a frame of this connection; readWithin waits for a limited time.
type endReader interface {
	readEnd(p []byte) (int, error)
	readWithin(p []byte, d time.Duration) (int, error)
}

// ahead is what is read beyond a NUL that may end a text.
type ahead struct {
	pos     int // the next byte to look at, from Reader.start; 0: nothing is looked at
	frame   int // where the command of what follows begins, from Reader.start; 0: only newlines so far
	command Command
	headers []headerAt // from frame on
	over    bool       // the head exceeds the limits, so headers are not all there
	isError bool       // an ERROR has the header that each of them has
	idle    bool       // only newlines follow, and then nothing yet
	adopt   bool       // it is the next frame
}

func (a *ahead) reset() { *a = ahead{headers: a.headers[:0]} }

type verdict uint8

const (
	undecided verdict = iota
	isText
	isEnd
)

// text looks for the NUL that ends a body without content-length.
func (r *Reader) text() (more bool, err error) {
	for {
		data := r.buf[r.start:r.end]
		i := bytes.IndexByte(data[r.scan:], 0)
		if i < 0 {
			r.scan = len(data)
			return true, r.shed()
		}
		r.scan += i
		switch r.follows(data) {
		case undecided:
			return true, r.shed()
		case isText:
			r.scan++
			r.ahead.reset()
		case isEnd:
			return false, r.endText()
		}
	}
}

// endText ends the text at the NUL that was found last.
func (r *Reader) endText() error {
	if err := r.shed(); err != nil {
		return err
	}
	r.ahead.idle = false
	r.pos, r.frame.bodyEnd = r.scan, r.scan
	if r.frame.Skipped > 0 {
		r.frame.bodyEnd = r.frame.bodyStart
	}
	r.state = readTrailer
	return nil
}

// shed throws away the text up to the NUL that was found last, when it is too long to keep. It moves only what is behind.
func (r *Reader) shed() error {
	n := r.scan - r.pos
	if n == 0 || r.frame.Skipped == 0 && n <= r.limits.Body {
		return nil
	}
	if r.frame.Skipped += int64(n); r.frame.Skipped > math.MaxInt32 {
		return r.broken("a body without content-length does not end")
	}
	from := r.start + r.pos
	r.end = from + copy(r.buf[from:], r.buf[from+n:r.end])
	r.scan = r.pos
	if a := &r.ahead; a.pos > 0 {
		a.pos -= n
		if a.frame > 0 {
			a.frame -= n
		}
	}
	return nil
}

// follows tells whether the NUL at scan is the end of the frame: a newline follows it, and then nothing but heart-beats,
// or a frame of this connection. It goes on where it was when there was no more to read.
func (r *Reader) follows(data []byte) verdict {
	if !r.trailerLF || r.frame.Command == Receipt { // a RECEIPT has no body
		return isEnd
	}
	a := &r.ahead
	if a.pos == 0 {
		a.pos = r.scan + 1
	}
	if a.frame == 0 {
		for a.pos < len(data) && data[a.pos] == '\n' {
			a.pos++
		}
		beats := a.pos - r.scan - 1
		a.idle = a.pos == len(data) && beats > 0
		switch {
		case beats > maxBeats:
			return isText
		case a.pos == len(data):
			return undecided
		case beats == 0:
			return isText
		}
		if v := a.commandLine(data[a.pos:]); v != isEnd {
			return v
		}
	}
	v := r.head(data)
	if v == isText {
		// A frame whose head is broken looks the same. Then this text would be glued to it.
		r.frame.Doubtful = true
	}
	return v
}

// commandLine reads the command of what may be the next frame.
func (a *ahead) commandLine(b []byte) verdict {
	for _, c := range followers {
		if n := min(len(b), len(c.line)); bytes.Equal(b[:n], c.line[:n]) {
			if n < len(c.line) {
				return undecided
			}
			a.frame, a.command = a.pos, c.command
			a.pos += n
			return isEnd
		}
	}
	return isText
}

// followers are the commands of the frames that a server sends after CONNECTED.
var followers = []struct {
	command Command
	line    []byte
}{{Message, []byte("MESSAGE\n")}, {Receipt, []byte("RECEIPT\n")}, {Error, []byte("ERROR\n")}}

// head looks in the head of what may be the next frame for what makes it one of this connection.
func (r *Reader) head(data []byte) verdict {
	a := &r.ahead
	for {
		n := bytes.IndexByte(data[a.pos:], '\n')
		end := a.pos + n
		if n < 0 {
			end = len(data)
		}
		if end-a.frame > max(r.limits.Body, r.limits.Head) {
			return isText // it is not kept for ever
		}
		if n < 0 {
			return undecided
		}
		line := withoutCR(data[a.pos : a.pos+n])
		if len(line) == 0 {
			if a.isError {
				r.frame.Doubtful = true // anybody can write such a frame
				return r.adopt()
			}
			return isText
		}
		h, ok := newHeader(line, a.pos-a.frame)
		if !ok {
			return isText
		}
		if len(a.headers) == r.limits.Headers || a.pos+n-a.frame > r.limits.Head {
			a.over = true
		} else {
			a.headers = append(a.headers, h)
		}
		a.pos += n + 1
		colon := h.colon - h.name
		name, value := line[:colon], line[colon+1:]
		switch a.command {
		case Message:
			if string(name) == "subscription" && r.ours.subscription != "" && string(value) == r.ours.subscription {
				return r.adopt()
			}
		default:
			if string(name) == "receipt-id" && r.ours.receipts != "" && bytes.HasPrefix(value, []byte(r.ours.receipts)) {
				return r.adopt()
			}
			a.isError = a.isError || a.command == Error && string(name) == "message"
		}
	}
}

// adopt takes what follows for the next frame.
func (r *Reader) adopt() verdict {
	a := &r.ahead
	a.adopt = !a.over
	return isEnd
}

// read reads from the source, which proves the end of the text in work when that is complete if nothing more comes.
func (r *Reader) read(p []byte) (int, error) {
	e, ok := r.src.(endReader)
	switch {
	case !ok || !r.ahead.idle:
		return r.src.Read(p)
	case r.frame.Command == Error:
		return e.readWithin(p, errorQuiet)
	default:
		return e.readEnd(p)
	}
}

// mayEnd tells whether the frame in work ends although nothing has followed it: an ERROR does, after which the broker may
// also have closed. A message that the end of the connection may have cut comes again.
func (r *Reader) mayEnd() bool {
	return r.state == readText && r.ahead.idle && r.frame.Command == Error
}
