package file

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/jmsbridge/jmsbridge/bridge"
	"github.com/jmsbridge/jmsbridge/bridge/envelope"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func batch(texts ...string) ([]bridge.Outgoing, []bridge.Result) {
	out, res := make([]bridge.Outgoing, len(texts)), make([]bridge.Result, len(texts))
	for i, text := range texts {
		out[i].Message = &bridge.Message{Body: bridge.NewText(text)}
		res[i].Err = bridge.ErrUnanswered
	}
	return out, res
}

func connected(t *testing.T, settings SinkSettings) *Sink {
	t.Helper()
	s, err := NewSink(settings)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Connect(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close(context.Background()) })
	return s
}

func send(t *testing.T, s *Sink, texts ...string) error {
	t.Helper()
	out, res := batch(texts...)
	err := s.Send(t.Context(), out, res)
	for i := range res {
		if err == nil && res[i].Err != nil {
			t.Errorf("%q: %v", texts[i], res[i].Err)
		}
	}
	return err
}

// texts returns the bodies of the lines of a file; a line that is no envelope is given as it is, in brackets.
func texts(t *testing.T, data []byte) string {
	t.Helper()
	if len(data) > 0 && data[len(data)-1] != '\n' {
		t.Errorf("the last line has no end: %q", data)
	}
	var all []string
	for line := range strings.Lines(string(data)) {
		m, err := envelope.Parse([]byte(line))
		if err != nil {
			all = append(all, "["+strings.TrimSuffix(line, "\n")+"]")
			continue
		}
		all = append(all, m.Body.Data())
	}
	return strings.Join(all, " ")
}

func content(t *testing.T, path string) string {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return texts(t, data)
}

func TestLinesAreAppendedInOrder(t *testing.T) {
	path := filepath.Join(t.TempDir(), "out.jsonl")
	s := connected(t, SinkSettings{Path: path})
	if err := errors.Join(send(t, s, "a", "b"), send(t, s, "c")); err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
	if err := errors.Join(s.Close(t.Context()), s.Close(t.Context()), s.Connect(t.Context()), send(t, s, "d")); err != nil {
		t.Fatal(err)
	}
	if got := content(t, path); got != "a b c d" {
		t.Errorf("got %q", got)
	}
}

func TestWhatTheEngineAddsIsWritten(t *testing.T) {
	var out bytes.Buffer
	s := connected(t, SinkSettings{Path: StandardOutput, Output: &out})
	o, res := batch("a")
	o[0].Extra = bridge.NewProperties([]bridge.Entry{{Name: "route", Value: bridge.String("orders")}})
	if err := s.Send(t.Context(), o, res); err != nil || res[0].Err != nil {
		t.Fatal(err, res)
	}
	m, err := envelope.Parse(out.Bytes())
	if err != nil {
		t.Fatal(err)
	}
	if v, _ := m.Properties.Lookup("route"); v.Str() != "orders" {
		t.Errorf("got %s", out.Bytes())
	}
	if n, err := s.Size(&o[0]); err != nil || n < out.Len() {
		t.Errorf("size %d, %v; the line has %d bytes", n, err, out.Len())
	}
}

func TestMessageWithoutEnvelopeFailsAlone(t *testing.T) {
	path := filepath.Join(t.TempDir(), "out.jsonl")
	s := connected(t, SinkSettings{Path: path})
	out, res := batch("a", "\xff", "b")
	if err := s.Send(t.Context(), out, res); err != nil {
		t.Fatal(err)
	}
	if res[0].Err != nil || res[2].Err != nil || bridge.ClassOf(res[1].Err) != bridge.Permanent {
		t.Errorf("got %v", res)
	}
	out, res = batch("\xff")
	if err := s.Send(t.Context(), out, res); err != nil || res[0].Err == nil {
		t.Errorf("got %v, %v", err, res)
	}
	if got := content(t, path); got != "a b" {
		t.Errorf("got %q", got)
	}
}

func TestTornLineOfACrashStaysAndTheNextBeginsAnew(t *testing.T) {
	path := filepath.Join(t.TempDir(), "out.jsonl")
	if err := os.WriteFile(path, []byte("{\"body\":\"a\"}\n{\"bo"), 0o640); err != nil {
		t.Fatal(err)
	}
	s := connected(t, SinkSettings{Path: path})
	if err := send(t, s, "b"); err != nil {
		t.Fatal(err)
	}
	if got := content(t, path); got != `a [{"bo] b` {
		t.Errorf("got %q", got)
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o640 {
		t.Errorf("the mode of an existing file was changed: %v, %v", info.Mode(), err)
	}
}

// full is a disk with room for so many bytes more.
type full struct {
	diskFile
	room  int
	fired *int
	sync  error
}

func (f *full) Write(p []byte) (int, error) {
	if len(p) <= f.room {
		f.room -= len(p)
		return f.diskFile.Write(p)
	}
	*f.fired++
	n, err := f.diskFile.Write(p[:f.room])
	if err != nil {
		return n, err
	}
	f.room = 0
	return n, &os.PathError{Op: "write", Path: "out", Err: syscall.ENOSPC}
}

func (f *full) Sync() error {
	if f.sync != nil {
		*f.fired++
		return f.sync
	}
	return f.diskFile.Sync()
}

// TestFullDiskLeavesNoTornLine lets the disk run full at every byte of a batch, and then sends the batch again.
func TestFullDiskLeavesNoTornLine(t *testing.T) {
	line, err := envelope.Append(nil, &bridge.Message{Body: bridge.NewText("b")})
	if err != nil {
		t.Fatal(err)
	}
	whole := 2 * (len(line) + 1)
	for room := range whole + 1 {
		fired := 0
		path := filepath.Join(t.TempDir(), "out.jsonl")
		s := connected(t, SinkSettings{Path: path})
		if err := send(t, s, "a"); err != nil {
			t.Fatal(err)
		}
		regular := s.out.(*regular)
		regular.file = &full{diskFile: regular.file, room: room, fired: &fired}
		err := send(t, s, "b", "c")
		if (err != nil) != (room < whole) || fired != 0 != (room < whole) {
			t.Fatalf("room for %d of %d: %v, full %d times", room, whole, err, fired)
		}
		if err == nil {
			continue
		}
		e := bridge.AsError(err)
		if e.Class != bridge.Fatal || e.Code != "disk_full" || e.Remedy == "" {
			t.Errorf("got %+v", e)
		}
		if got := content(t, path); got != "a" {
			t.Fatalf("room for %d: %q is left", room, got)
		}
		if err := send(t, s, "b"); !errors.Is(err, bridge.ErrNotConnected) {
			t.Fatalf("sending without Connect: %v", err)
		}
		if err := errors.Join(s.Connect(t.Context()), send(t, s, "b", "c"), s.Close(t.Context())); err != nil {
			t.Fatal(err)
		}
		if got := content(t, path); got != "a b c" {
			t.Fatalf("room for %d: got %q", room, got)
		}
	}
}

func TestFailedSyncConfirmsNothing(t *testing.T) {
	path := filepath.Join(t.TempDir(), "out.jsonl")
	s := connected(t, SinkSettings{Path: path})
	fired := 0
	regular := s.out.(*regular)
	regular.file = &full{diskFile: regular.file, room: 1 << 20, fired: &fired, sync: syscall.EIO}
	err := send(t, s, "a")
	if bridge.AsError(err) == nil || bridge.AsError(err).Code != "io_error" || fired != 1 {
		t.Fatalf("got %v, fired %d", err, fired)
	}
	if got := content(t, path); got != "" {
		t.Errorf("%q is left", got)
	}
}

func TestARealDeviceThatIsFull(t *testing.T) {
	s := connected(t, SinkSettings{Path: "/dev/full"})
	if e := bridge.AsError(send(t, s, "a")); e == nil || e.Class != bridge.Fatal || e.Code != "disk_full" {
		t.Errorf("got %+v", e)
	}
}

func TestMovedFileIsOpenedAnew(t *testing.T) {
	for name, move := range map[string]func(path string) error{
		"renamed":  func(path string) error { return os.Rename(path, path+".1") },
		"deleted":  os.Remove,
		"replaced": func(path string) error { return errors.Join(os.Remove(path), os.WriteFile(path, nil, 0o600)) },
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "out.jsonl")
			s := connected(t, SinkSettings{Path: path})
			if err := errors.Join(send(t, s, "a"), move(path)); err != nil {
				t.Fatal(err)
			}
			err := send(t, s, "b")
			if !errors.Is(err, bridge.ErrNotConnected) || bridge.ClassOf(err) != bridge.Transient {
				t.Fatalf("got %v", err)
			}
			if err := errors.Join(s.Connect(t.Context()), send(t, s, "b")); err != nil {
				t.Fatal(err)
			}
			if got := content(t, path); got != "b" {
				t.Errorf("got %q", got)
			}
		})
	}
}

func TestEmptiedFileIsGoneOnWith(t *testing.T) {
	path := filepath.Join(t.TempDir(), "out.jsonl")
	s := connected(t, SinkSettings{Path: path})
	if err := errors.Join(send(t, s, "a"), os.Truncate(path, 0), send(t, s, "b")); err != nil {
		t.Fatal(err)
	}
	if got := content(t, path); got != "b" {
		t.Errorf("got %q", got)
	}
}

func TestTwoWritersOfOneFileAreRefused(t *testing.T) {
	path := filepath.Join(t.TempDir(), "out.jsonl")
	first := connected(t, SinkSettings{Path: path})
	second, err := NewSink(SinkSettings{Path: path})
	if err != nil {
		t.Fatal(err)
	}
	if e := bridge.AsError(second.Connect(t.Context())); e == nil || e.Code != "locked" || e.Class != bridge.Fatal {
		t.Errorf("got %+v", e)
	}
	if err := errors.Join(first.Close(t.Context()), second.Connect(t.Context()), second.Close(t.Context())); err != nil {
		t.Error(err)
	}
}

func TestConnectSaysWhatIsWrong(t *testing.T) {
	dir := t.TempDir()
	pipe := filepath.Join(dir, "pipe")
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	pipeSink, err := NewSink(SinkSettings{Path: pipe})
	if err != nil {
		t.Fatal(err)
	}
	if e := bridge.AsError(pipeSink.Connect(t.Context())); e == nil || e.Code != "named_pipe" || e.Class != bridge.Fatal {
		t.Errorf("named pipe: got %+v", e)
	}
	for path, code := range map[string]string{dir: "is_directory", filepath.Join(dir, "no", "out"): "no_directory"} {
		s, err := NewSink(SinkSettings{Path: path})
		if err != nil {
			t.Fatal(err)
		}
		e := bridge.AsError(s.Connect(t.Context()))
		if e == nil || e.Code != code || e.Class != bridge.Fatal || e.Remedy == "" {
			t.Errorf("%s: got %+v", path, e)
		}
		if _, err := s.Inspect(t.Context()); bridge.AsError(err) == nil || bridge.AsError(err).Code != code {
			t.Errorf("%s: inspection gives %v", path, err)
		}
	}
	if _, err := NewSink(SinkSettings{}); err == nil {
		t.Error("a sink without a path is accepted")
	}
}

func TestInspectChangesNothing(t *testing.T) {
	path := filepath.Join(t.TempDir(), "out.jsonl")
	s, err := NewSink(SinkSettings{Path: path, NoSync: true})
	if err != nil {
		t.Fatal(err)
	}
	found, err := s.Inspect(t.Context())
	if err != nil || found.Peer != "file "+path || len(found.Warnings) != 1 {
		t.Errorf("got %+v, %v", found, err)
	}
	if _, err := os.Stat(path); err == nil {
		t.Error("the file was created")
	}
	if err := os.WriteFile(path, []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	if found, err = s.Inspect(t.Context()); err != nil || found.Facts[0].Value != "1 bytes" {
		t.Errorf("got %+v, %v", found, err)
	}
}

func TestInspectRefusesANamedPipeAsConnectDoes(t *testing.T) {
	path := filepath.Join(t.TempDir(), "pipe")
	if err := syscall.Mkfifo(path, 0o600); err != nil {
		t.Fatal(err)
	}
	s, err := NewSink(SinkSettings{Path: path})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Inspect(t.Context()); bridge.ClassOf(err) != bridge.Fatal || bridge.AsError(err).Code != "named_pipe" {
		t.Errorf("the inspection gives %v", err)
	}
}

// stuck is a reader of standard output that doesn't read.
type stuck struct {
	mu      sync.Mutex
	bytes   bytes.Buffer
	release chan struct{}
}

func (s *stuck) Write(p []byte) (int, error) {
	<-s.release
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.bytes.Write(p)
}

func TestAWriteThatHangsIsAmbiguousAndIsWaitedFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &stuck{release: make(chan struct{})}
		s, err := NewSink(SinkSettings{Path: StandardOutput, Output: w})
		if err != nil {
			t.Fatal(err)
		}
		if err := s.Connect(t.Context()); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), s.Limits().Timeout)
		defer cancel()
		begin := time.Now()
		out, res := batch("a")
		err = s.Send(ctx, out, res)
		if bridge.ClassOf(err) != bridge.Ambiguous || !errors.Is(err, bridge.ErrNotConnected) || time.Since(begin) != s.Limits().Timeout {
			t.Fatalf("got %v after %v", err, time.Since(begin))
		}
		if err := s.Send(t.Context(), out, res); !errors.Is(err, bridge.ErrNotConnected) {
			t.Errorf("a second write beside the first: %v", err)
		}
		ctx, cancel = context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := s.Connect(ctx); err == nil || bridge.ClassOf(err) != bridge.Transient {
			t.Errorf("Connect while the write hangs: %v", err)
		}
		if err := s.Close(ctx); err == nil {
			t.Error("Close while the write hangs gives no error")
		}
		close(w.release)
		out, res = batch("b")
		if err := errors.Join(s.Connect(t.Context()), s.Send(t.Context(), out, res), s.Close(t.Context())); err != nil {
			t.Fatal(err)
		}
		if got := texts(t, w.bytes.Bytes()); got != "a b" {
			t.Errorf("got %q", got)
		}
	})
}

// brokenOnce fails in the middle of its first write.
type brokenOnce struct {
	bytes.Buffer
	at    int
	fired bool
}

func (b *brokenOnce) Write(p []byte) (int, error) {
	if b.fired {
		return b.Buffer.Write(p)
	}
	b.fired = true
	n, _ := b.Buffer.Write(p[:b.at])
	return n, io.ErrShortWrite
}

func TestTornLineOnStandardOutputIsEnded(t *testing.T) {
	w := &brokenOnce{at: 5}
	s := connected(t, SinkSettings{Path: StandardOutput, Output: w})
	if err := send(t, s, "a"); bridge.ClassOf(err) != bridge.Transient || !w.fired {
		t.Fatalf("got %v", err)
	}
	if err := errors.Join(s.Connect(t.Context()), send(t, s, "a")); err != nil {
		t.Fatal(err)
	}
	if got := texts(t, w.Bytes()); got != `[{"pri] a` {
		t.Errorf("got %q", got)
	}
}

func BenchmarkSend(b *testing.B) {
	for _, noSync := range []bool{false, true} {
		b.Run(fmt.Sprintf("noSync=%v", noSync), func(b *testing.B) {
			s, err := NewSink(SinkSettings{Path: filepath.Join(b.TempDir(), "out.jsonl"), NoSync: noSync})
			if err != nil {
				b.Fatal(err)
			}
			if err := s.Connect(b.Context()); err != nil {
				b.Fatal(err)
			}
			out, res := batch(strings.Split(strings.Repeat("0123456789abcdef ", batchMessages-1)+"x", " ")...)
			b.ReportAllocs()
			for b.Loop() {
				if err := s.Send(b.Context(), out, res); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(b.Elapsed().Microseconds())/float64(b.N*batchMessages), "µs/message")
			_ = s.Close(b.Context())
		})
	}
}
