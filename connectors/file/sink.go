package file

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"go.uber.org/zap"

	"github.com/jmsbridge/jmsbridge/bridge"
	"github.com/jmsbridge/jmsbridge/bridge/envelope"
)

// StandardOutput is the path that means standard output.
const StandardOutput = "-"

// SinkSettings say where a sink writes. They are not changed after NewSink.
type SinkSettings struct {
	// Path is the file, which is created with mode 0600 when it is not there, or [StandardOutput].
	Path string
	// Output is what StandardOutput means; nil: os.Stdout. It is not closed.
	Output io.Writer
	// NoSync leaves out the fsync for each batch: faster by far, and what the machine had not written yet is lost when
	// it crashes.
	NoSync bool
	// Log takes what an operator should know; nil: nothing is logged.
	Log *zap.Logger
}

const (
	// batchMessages is how many messages share one write and one fsync, which costs a millisecond or more.
	batchMessages = 512
	// sendTimeout is for a disk that hangs and a reader of standard output that doesn't read.
	sendTimeout = 30 * time.Second
	// keptBuffer is the largest buffer kept from one batch to the next.
	keptBuffer = 4 << 20
)

// Sink appends envelopes to a file. It is a [bridge.Sink] and a [bridge.Inspector].
type Sink struct {
	settings SinkSettings
	log      *zap.Logger
	open     func() (output, error) // a test's double fails

	out  output     // nil: not connected
	busy chan error // a write that outlived its deadline; its result comes here
	buf  []byte     // belongs to the write while one runs
}

var (
	_ bridge.Sink      = (*Sink)(nil)
	_ bridge.Inspector = (*Sink)(nil)
)

// NewSink returns a sink. It opens nothing yet.
func NewSink(settings SinkSettings) (*Sink, error) {
	if settings.Path == "" {
		return nil, errors.New("the path of the file is missing")
	}
	s := &Sink{settings: settings, log: settings.Log}
	if s.log == nil {
		s.log = zap.NewNop()
	}
	s.open = s.openOutput
	return s, nil
}

func (s *Sink) openOutput() (output, error) {
	if s.settings.Path != StandardOutput {
		f, err := openFile(s.settings.Path, s.settings.NoSync, s.log)
		if err != nil {
			return nil, err
		}
		return f, nil
	}
	w := s.settings.Output
	if w == nil {
		w = os.Stdout
	}
	return &stream{w: w, noSync: s.settings.NoSync}, nil
}

// Connect opens the file. When a write of before still hangs it waits for its end, within ctx: two writers would mix
// their lines.
func (s *Sink) Connect(ctx context.Context) error {
	if err := s.settle(ctx); err != nil {
		return err
	}
	if s.out != nil {
		return nil
	}
	out, err := s.open()
	if err != nil {
		return fmt.Errorf("opening %s: %w", s.settings.Path, classed(err))
	}
	s.out = out
	return nil
}

// settle waits for a write that outlived its deadline, and closes what it wrote to.
func (s *Sink) settle(ctx context.Context) error {
	if s.busy == nil {
		return nil
	}
	select {
	case err := <-s.busy:
		s.busy = nil
		if err != nil {
			s.log.Warn("a write that outlived its deadline has failed", zap.String(bridge.LogFile, s.settings.Path), zap.Error(err))
		}
		s.drop()
		return nil
	case <-ctx.Done():
		return bridge.Errorf(bridge.Transient, "waiting for an earlier write to %s: %w", s.settings.Path, ctx.Err())
	}
}

// drop closes the output, which is opened anew by the next Connect. Standard output is kept: it alone knows that its
// last line is torn.
func (s *Sink) drop() {
	if s.out == nil {
		return
	}
	if _, keep := s.out.(*stream); keep {
		return
	}
	if err := s.out.close(); err != nil {
		s.log.Warn("closing the file failed", zap.String(bridge.LogFile, s.settings.Path), zap.Error(err))
	}
	s.out = nil
}

// Limits allows one call at a time, and any number of a group's messages in it: a write fails as a whole.
func (s *Sink) Limits() bridge.Limits {
	return bridge.Limits{Messages: batchMessages, Calls: 1, Run: batchMessages, Timeout: sendTimeout}
}

// Size returns an upper bound of the line. A file refuses none for its size.
func (s *Sink) Size(o *bridge.Outgoing) (int, error) {
	n := envelope.Bound(o.Message) + 1
	if o.Extra.Len() > 0 {
		n += envelope.Bound(&bridge.Message{Properties: o.Extra})
	}
	return n, nil
}

// Send writes the batch with one write and one fsync. A message that has no envelope gets its own error; any other
// error holds for all, and nothing of the batch is in the file then, unless the error is Ambiguous.
func (s *Sink) Send(ctx context.Context, batch []bridge.Outgoing, res []bridge.Result) error {
	if s.out == nil || s.busy != nil {
		return bridge.Classed(bridge.Transient, bridge.ErrNotConnected)
	}
	buf := s.buf[:0]
	for i := range batch {
		line, err := appendLine(buf, &batch[i])
		res[i] = bridge.Result{Err: err}
		if err == nil {
			buf = line
		}
	}
	if s.buf = buf; cap(buf) > keptBuffer {
		s.buf = nil
	}
	if len(buf) == 0 {
		return nil
	}
	done := make(chan error, 1)
	out := s.out
	go func() { done <- out.write(buf) }()
	select {
	case err := <-done:
		if err == nil {
			return nil
		}
		s.drop()
		return fmt.Errorf("writing to %s: %w", s.settings.Path, classed(err))
	case <-ctx.Done():
		s.busy, s.buf = done, nil
		return bridge.Errorf(bridge.Ambiguous, "writing to %s: %w: %w", s.settings.Path, bridge.ErrNotConnected, ctx.Err())
	}
}

// appendLine appends the envelope of o with what the engine adds.
func appendLine(dst []byte, o *bridge.Outgoing) ([]byte, error) {
	m := o.Message
	if o.Extra.Len() > 0 {
		with := *m
		for name, v := range o.Extra.All() {
			with.Properties = with.Properties.With(name, v)
		}
		m = &with
	}
	line, err := envelope.Append(dst, m)
	if err != nil {
		return dst, err
	}
	return append(line, '\n'), nil
}

// Close closes the file. A write that hangs is waited for within ctx.
func (s *Sink) Close(ctx context.Context) error {
	if err := s.settle(ctx); err != nil {
		return err
	}
	if s.out == nil {
		return nil
	}
	err := s.out.close()
	s.out = nil
	if err != nil {
		return fmt.Errorf("closing %s: %w", s.settings.Path, err)
	}
	return nil
}
