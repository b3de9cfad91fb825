package client

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

// got is a frame as a test writes it down.
type got struct {
	Command Command
	Headers []string // "name=value", decoded
	Body    string
	Skipped int64

	Doubtful bool
}

// testIdentity is what the tests' frames name; proof is a frame that proves the end of the text before it.
var testIdentity = identity{subscription: "s", receipts: "r-"}

const proof = "RECEIPT\nreceipt-id:r-9\n\n\x00\n"

var proved = got{Command: Receipt, Headers: []string{"receipt-id=r-9"}}

func dump(f *Frame) got {
	g := got{Command: f.Command, Body: string(f.Body()), Skipped: f.Skipped, Doubtful: f.Doubtful}
	for i := range f.Headers() {
		g.Headers = append(g.Headers, string(AppendUnescaped(nil, f.Name(i)))+"="+string(AppendUnescaped(nil, f.Value(i))))
	}
	return g
}

// readAll reads until the error, which it returns.
func readAll(r *Reader) ([]got, error) {
	var all []got
	for {
		f, err := r.Next()
		if err != nil {
			return all, err
		}
		all = append(all, dump(f))
	}
}

func TestReaderReadsFrames(t *testing.T) {
	for _, tc := range []struct {
		name, in string
		classic  bool
		limits   Limits
		want     []got
	}{
		{name: "heart-beats between frames", in: "\n\r\n\nRECEIPT\nreceipt-id:1\n\n\x00\n\n", want: []got{{Command: Receipt, Headers: []string{"receipt-id=1"}}}},
		{name: "carriage returns", in: "RECEIPT\r\nreceipt-id:1\r\n\r\n\x00", want: []got{{Command: Receipt, Headers: []string{"receipt-id=1"}}}},
		{name: "escapes", in: "MESSAGE\na\\cb:c\\n\\r\\\\d\\t\\\n\nx\x00", want: []got{{Command: Message, Headers: []string{"a:b=c\n\r\\d\\t\\"}, Body: "x"}}},
		{name: "colons and spaces in values", in: "MESSAGE\na: b:c \n\n\x00", want: []got{{Command: Message, Headers: []string{"a= b:c "}}}},
		{name: "content-length covers NUL", in: "MESSAGE\ncontent-length:3\n\na\x00b\x00", want: []got{{Command: Message, Headers: []string{"content-length=3"}, Body: "a\x00b"}}},
		{name: "the first content-length counts", in: "MESSAGE\ncontent-length:1\ncontent-length:9\n\na\x00", want: []got{{Command: Message, Headers: []string{"content-length=1", "content-length=9"}, Body: "a"}}},
		{name: "an empty body with content-length", in: "MESSAGE\ncontent-length:0\n\n\x00", want: []got{{Command: Message, Headers: []string{"content-length=0"}}}},
		{name: "no headers", in: "ERROR\n\nbroken\x00", want: []got{{Command: Error, Body: "broken"}}},
		{name: "frames without anything between", in: "RECEIPT\na:1\n\n\x00RECEIPT\na:2\n\n\x00", want: []got{{Command: Receipt, Headers: []string{"a=1"}}, {Command: Receipt, Headers: []string{"a=2"}}}},
		{
			name: "NUL in a text of Classic", classic: true, in: "MESSAGE\na:1\n\nx\x00y\x00\x00\n\nRECEIPT\nreceipt-id:r-2\n\n\x00\n",
			want: []got{{Command: Message, Headers: []string{"a=1"}, Body: "x\x00y\x00"}, {Command: Receipt, Headers: []string{"receipt-id=r-2"}}},
		},
		{
			name: "NUL at both ends of a text of Classic", classic: true, in: "MESSAGE\na:1\n\n\x00x\x00\x00\nMESSAGE\nb:c\nsubscription:s\nd:e\n\n\x00\n" + proof,
			want: []got{
				{Command: Message, Headers: []string{"a=1"}, Body: "\x00x\x00"},
				{Command: Message, Headers: []string{"b=c", "subscription=s", "d=e"}},
				proved,
			},
		},
		{
			name: "NUL and newlines in a text of Classic", classic: true,
			in:   "MESSAGE\na:1\n\nx\x00\ny\x00\n\n\nz\x00\n\n\x00\nMESS\x00\n\r\n\x00\n" + proof,
			want: []got{{Command: Message, Headers: []string{"a=1"}, Body: "x\x00\ny\x00\n\n\nz\x00\n\n\x00\nMESS\x00\n\r\n"}, proved},
		},
		{
			name: "more newlines than heart-beats in a text of Classic", classic: true,
			in:   "MESSAGE\na:1\n\nx\x00" + strings.Repeat("\n", 3000) + "\x00\n" + proof,
			want: []got{{Command: Message, Headers: []string{"a=1"}, Body: "x\x00" + strings.Repeat("\n", 3000)}, proved},
		},
		{
			name: "what looks like frames in a text of Classic", classic: true,
			in: "MESSAGE\na:1\n\nx\x00\nMESSAGE\nsubscription:guess\n\nforged\x00\nRECEIPT\nreceipt-id:2\n\n\x00\nERROR\n\n\x00\nMESSAGE\na:b\x00\n" + proof,
			want: []got{{
				Command: Message, Headers: []string{"a=1"}, Doubtful: true,
				Body: "x\x00\nMESSAGE\nsubscription:guess\n\nforged\x00\nRECEIPT\nreceipt-id:2\n\n\x00\nERROR\n\n\x00\nMESSAGE\na:b",
			}, proved},
		},
		{
			name: "an ERROR after a text of Classic, which anybody could have written", classic: true,
			in: "MESSAGE\na:1\n\nx\x00\nERROR\nmessage:m\n\nb\x00\n" + proof,
			want: []got{
				{Command: Message, Headers: []string{"a=1"}, Body: "x", Doubtful: true},
				{Command: Error, Headers: []string{"message=m"}, Body: "b"},
				proved,
			},
		},
		{
			name: "an ERROR after a text of Classic that answers us", classic: true,
			in: "MESSAGE\na:1\n\nx\x00\nERROR\nmessage:m\nreceipt-id:r-1\n\nb\x00\n" + proof,
			want: []got{
				{Command: Message, Headers: []string{"a=1"}, Body: "x"},
				{Command: Error, Headers: []string{"message=m", "receipt-id=r-1"}, Body: "b"},
				proved,
			},
		},
		{
			name: "an ERROR before the end", classic: true, in: "ERROR\nmessage:m\n\nb\x00\n",
			want: []got{{Command: Error, Headers: []string{"message=m"}, Body: "b"}},
		},
		{
			name: "a body over the limit is read past", limits: Limits{Body: 4}, in: "MESSAGE\ncontent-length:9\n\n12345\x00789\x00MESSAGE\na:1\n\n1234\x00",
			want: []got{{Command: Message, Headers: []string{"content-length=9"}, Skipped: 9}, {Command: Message, Headers: []string{"a=1"}, Body: "1234"}},
		},
		{
			name: "a text over the limit is read past", limits: Limits{Body: 4}, in: "MESSAGE\na:1\n\n12345\x00MESSAGE\na:2\n\n1234\x00",
			want: []got{{Command: Message, Headers: []string{"a=1"}, Skipped: 5}, {Command: Message, Headers: []string{"a=2"}, Body: "1234"}},
		},
		{
			name: "a text over the limit with NUL of Classic", classic: true, limits: Limits{Body: 4},
			in: "MESSAGE\na:1\n\n12345\x00789\x00\nMESSAGE\nsubscription:s\n\n1234\x00\n" + proof,
			want: []got{
				{Command: Message, Headers: []string{"a=1"}, Skipped: 9},
				{Command: Message, Headers: []string{"subscription=s"}, Body: "1234"},
				proved,
			},
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			for how, src := range map[string]io.Reader{
				"at once":      strings.NewReader(tc.in),
				"byte by byte": iotest.OneByteReader(strings.NewReader(tc.in)),
				"by halves":    iotest.HalfReader(strings.NewReader(tc.in)),
			} {
				r := NewReader(src, tc.limits)
				if tc.classic {
					r.trailerLF, r.ours = true, testIdentity
				}
				all, err := readAll(r)
				if !errors.Is(err, io.EOF) {
					t.Errorf("%s: %v, want EOF", how, err)
				}
				if diff := cmp.Diff(tc.want, all); diff != "" {
					t.Errorf("%s: %s", how, diff)
				}
			}
		})
	}
}

// Where the connection ends after what may be the end of a text, the text may be cut; it comes again.
func TestReaderKeepsBackATextThatTheEndMayHaveCut(t *testing.T) {
	for _, in := range []string{"MESSAGE\na:1\n\nx\x00", "MESSAGE\na:1\n\nx\x00\n", "MESSAGE\na:1\n\nx\x00\n\n\n", "MESSAGE\na:1\n\nx\x00\nMESSAGE\nsubscription:"} {
		r := NewReader(strings.NewReader(in), Limits{})
		r.trailerLF, r.ours = true, testIdentity
		if all, err := readAll(r); len(all) != 0 || !errors.Is(err, io.ErrUnexpectedEOF) {
			t.Errorf("%q: %v, %v", in, all, err)
		}
	}
}

// The next frame's head may be larger than is read ahead: then it is refused by itself and is no part of the text.
func TestReaderEndsATextBeforeAHeadThatIsTooLarge(t *testing.T) {
	for name, head := range map[string]string{
		"headers": strings.Repeat("a:b\n", 10), "bytes": "a:" + strings.Repeat("b", 200) + "\n",
	} {
		r := NewReader(strings.NewReader("MESSAGE\na:1\n\nx\x00\nMESSAGE\nmessage-id:m\n"+head+"subscription:s\n\n\x00\n"), Limits{Headers: 5, Head: 100})
		r.trailerLF, r.ours = true, testIdentity
		all, err := readAll(r)
		var protocol *ProtocolError
		if len(all) != 1 || all[0].Body != "x" || all[0].Doubtful || !errors.As(err, &protocol) || protocol.MessageID != "m" {
			t.Errorf("%s: %v, %v", name, all, err)
		}
	}
}

// A text of any shape costs time in proportion to its length, in pieces of any size.
func TestReaderTakesLinearTimeForATextOfClassic(t *testing.T) {
	const size = 5 << 19
	for name, unit := range map[string]string{
		"NULs": "\x00", "newlines": "\x00" + strings.Repeat("\n", 1<<20), "ends": "\x00\n", "commands": "\x00\nMESSAGE\n", "heads": "\x00\nMESSAGE\n" + strings.Repeat("a:b\n", 1000),
		"errors": "\x00\nERROR\n", "blank heads": "\x00\nMESSAGE\n\n",
	} {
		for _, limit := range []int{1 << 20, 2 * size} {
			text := strings.Repeat(unit, size/len(unit))
			for _, piece := range []int{1448, 4 * size} {
				r := NewReader(&segments{data: "MESSAGE\na:1\n\n" + text + "\x00\n" + proof, size: piece}, Limits{Body: limit})
				r.trailerLF, r.ours = true, testIdentity
				from := time.Now()
				all, err := readAll(r)
				if took := time.Since(from); took > 10*time.Second {
					t.Errorf("%s, limit %d: %v", name, limit, took)
				}
				if !errors.Is(err, io.EOF) || len(all) != 2 || int(all[0].Skipped)+len(all[0].Body) != len(text) || (all[0].Skipped > 0) != (len(text) > limit) {
					t.Errorf("%s, limit %d: %d frames, %v", name, limit, len(all), err)
				}
			}
		}
	}
}

// segments gives its data in pieces of one size.
type segments struct {
	data string
	size int
}

func (s *segments) Read(p []byte) (int, error) {
	if s.data == "" {
		return 0, io.EOF
	}
	n := copy(p, s.data[:min(s.size, len(s.data))])
	s.data = s.data[n:]
	return n, nil
}

func TestReaderRefuses(t *testing.T) {
	for _, tc := range []struct{ name, in, reason string }{
		{"HTTP", "HTTP/1.1 400 Bad Request\r\n\r\n", "does not speak STOMP"},
		{"OpenWire", "\x00\x00\x01\x51\x01ActiveMQ", "does not speak STOMP"},
		{"AMQP", "AMQP\x00\x01\x00\x00", "does not speak STOMP"},
		{"a TLS alert", "\x15\x03\x03\x00\x02\x02\x0a", "does not speak STOMP"},
		{"a client's command", "SEND\n\n\x00", "does not speak STOMP"},
		{"a command that never ends", "CONNECTEDCONNECTEDCONNECTED", "does not speak STOMP"},
		{"a header without colon", "MESSAGE\nabc\n\n\x00", "no colon"},
		{"a header without name", "MESSAGE\n:abc\n\n\x00", "no name"},
		{"content-length of 4 GiB", "MESSAGE\ncontent-length:4294967295\n\n", "content-length"},
		{"content-length over a Java array", "MESSAGE\ncontent-length:2147483648\n\n", "content-length"},
		{"content-length beyond 64 bits", "MESSAGE\ncontent-length:99999999999999999999999\n\n", "content-length"},
		{"negative content-length", "MESSAGE\ncontent-length:-1\n\n", "content-length"},
		{"content-length with a sign", "MESSAGE\ncontent-length:+1\n\nx\x00", "content-length"},
		{"content-length that is no number", "MESSAGE\ncontent-length:1x\n\nx\x00", "content-length"},
		{"empty content-length", "MESSAGE\ncontent-length:\n\nx\x00", "content-length"},
		{"content-length that is too short", "MESSAGE\ncontent-length:1\n\nxy\x00", "does not end"},
		{"an endless header line", "MESSAGE\na:" + strings.Repeat("x", 2<<20), "exceed"},
		{"endless headers", "MESSAGE\n" + strings.Repeat("a:b\n", 2000), "more than 1000 headers"},
		{"a bare carriage return", "\rMESSAGE\n\n\x00", "does not speak STOMP"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			r := NewReader(strings.NewReader(tc.in), Limits{})
			all, err := readAll(r)
			var protocol *ProtocolError
			if !errors.As(err, &protocol) || !strings.Contains(protocol.Reason, tc.reason) || len(all) != 0 {
				t.Fatalf("%v, %v; want %q", all, err, tc.reason)
			}
			if len(protocol.First) == 0 || !strings.HasPrefix(strings.TrimLeft(tc.in, "\n"), string(protocol.First)) {
				t.Errorf("first bytes are %q", protocol.First)
			}
			if _, again := r.Next(); again != err { //nolint:errorlint // the very same error
				t.Errorf("the error is not final: %v", again)
			}
		})
	}
}

// endless gives the same bytes for ever, up to a limit that no test should reach, and counts them.
type endless struct {
	head, tail string
	n          int
}

func (e *endless) Read(p []byte) (int, error) {
	if e.n > 64<<20 {
		return 0, errors.New("read on and on")
	}
	from := 0
	if e.n < len(e.head) {
		from = copy(p, e.head[e.n:])
	}
	for i := from; i < len(p); i++ {
		p[i] = e.tail[i%len(e.tail)]
	}
	e.n += len(p)
	return len(p), nil
}

func TestReaderBoundsMemory(t *testing.T) {
	for _, tc := range []struct {
		name   string
		src    *endless
		buffer int
	}{
		{"a header line", &endless{head: "MESSAGE\na:", tail: "x"}, 2 << 20},
		{"many header lines", &endless{head: "MESSAGE\n", tail: "a:b\n"}, 64 << 10},
		{"a body that is announced", &endless{head: "MESSAGE\ncontent-length:2147483647\n\n", tail: "x"}, 64 << 10},
		{"a text", &endless{head: "MESSAGE\na:b\n\n", tail: "x"}, 4 << 20},
	} {
		t.Run(tc.name, func(t *testing.T) {
			r := NewReader(tc.src, Limits{Body: 1 << 20})
			if f, err := r.Next(); err == nil {
				t.Fatalf("a frame: %v", dump(f))
			}
			if len(r.buf) > tc.buffer {
				t.Errorf("the buffer has grown to %d, want at most %d", len(r.buf), tc.buffer)
			}
		})
	}
}

func TestReaderAllocatesAsBytesArrive(t *testing.T) {
	r := NewReader(strings.NewReader("MESSAGE\ncontent-length:16000000\n\nonly this"), Limits{})
	if _, err := r.Next(); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("%v, want unexpected EOF", err)
	}
	if len(r.buf) != bufferSize {
		t.Errorf("the buffer has grown to %d for a promise", len(r.buf))
	}
}

func TestReaderGivesLargeBuffersBack(t *testing.T) {
	big := "MESSAGE\ncontent-length:3000000\n\n" + strings.Repeat("x", 3000000) + "\x00"
	r := NewReader(io.MultiReader(strings.NewReader(big), strings.NewReader("RECEIPT\na:b\n\n\x00")), Limits{})
	for range 2 {
		if _, err := r.Next(); err != nil {
			t.Fatal(err)
		}
	}
	if len(r.buf) > keepBuffer {
		t.Errorf("the buffer is still %d bytes", len(r.buf))
	}
}

// session is what a Classic, and in its second half an Artemis, was seen to send.
const session = "CONNECTED\nserver:ActiveMQ/6.1.7\nheart-beat:10000,10000\nsession:ID:vm-36449-1795491924241-3:2\nversion:1.2\n\n\x00\n" +
	"RECEIPT\nreceipt-id:1\n\n\x00\n\n" +
	"MESSAGE\nexpires:0\ndestination:/queue/q1\nack:ID\\cvm-41357-1795490520532-4\\c1103\nsubscription:s1\npriority:4\nmessage-id:ID\\cvm-41357-1795490520532-3\\c7\\c-1\\c1\\c3\ntimestamp:1795491861316\n\nplain\x00\n" +
	"MESSAGE\ncontent-length:3\nexpires:1999999999999\ncorrelation-id:a\\cb\ndestination:/queue/q1\nack:ID\\cvm-4\\c1102\nsubscription:s1\npriority:7\nmessage-id:ID\\cvm-3\\c7\\c-1\\c1\\c2\npersistent:true\nreply-to:/queue/rep\n\nx\x00z\x00\n" +
	"\n\nERROR\ncontent-type:text/plain\nmessage:User reader is not authorized to read from\\c queue\\c//q\n\njava.lang.SecurityException: no\n\tat x\x00\n" +
	"MESSAGE\nsubscription:s1\ncontent-length:3\nmessage-id:6096,6085\ndestination:q1\nredelivered:false\npersistent:true\ntype:ty\ndestination-type:ANYCAST\nack:6096,6085\n\nxyz\x00\n" +
	"MESSAGE\nsubscription:s1\nmessage-id:6096,6087\ndestination:q1\nreceipt:3\nack:6096,6087\ncontent-length:5\n\nplain\x00\n"

func TestReaderOfASessionCutAnywhere(t *testing.T) {
	whole, err := readAll(NewReader(strings.NewReader(session), Limits{}))
	if !errors.Is(err, io.EOF) || len(whole) != 7 {
		t.Fatalf("%d frames, %v", len(whole), err)
	}
	for cut := range len(session) {
		for _, classic := range []bool{false, true} {
			r := NewReader(strings.NewReader(session[:cut]), Limits{})
			if classic {
				r.trailerLF, r.ours = true, identity{subscription: "s1", receipts: "1"}
			}
			all, err := readAll(r)
			for i := range all { // an ERROR that ends the session counts
				all[i].Doubtful = false
			}
			if !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
				t.Fatalf("cut at %d: %v", cut, err)
			}
			if diff := cmp.Diff(whole[:len(all)], all, cmpopts.EquateEmpty()); diff != "" {
				t.Fatalf("cut at %d: %s", cut, diff)
			}
			// A frame whose last byte is there is never held back, but for the newline that Classic always sends.
			if want := strings.Count(strings.ReplaceAll(session[:cut], "x\x00", ""), "\x00"); !classic && len(all) < want {
				t.Fatalf("cut at %d: %d frames, want %d", cut, len(all), want)
			}
		}
	}
}

func TestAppendIsReadBack(t *testing.T) {
	for _, v := range []string{"", "plain", "a:b", "\n", "\r\n", `\`, `\n`, "Grüße 😀", strings.Repeat(`:\`, 100)} {
		b := AppendCommand(nil, "MESSAGE")
		b = AppendHeader(b, "name", v)
		if n := EscapedSize(v); len(b) != len("MESSAGE\nname:\n")+n {
			t.Errorf("%q: EscapedSize is %d", v, n)
		}
		b = AppendBody(b, "body")
		f, err := NewReader(bytes.NewReader(b), Limits{}).Next()
		if err != nil {
			t.Fatal(err)
		}
		if got, ok := f.Lookup("name"); !ok || got != v {
			t.Errorf("%q is read back as %q", v, got)
		}
		if _, ok := f.Lookup("other"); ok {
			t.Error("a header that isn't there is found")
		}
	}
}
