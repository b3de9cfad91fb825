package file

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	"go.uber.org/zap"

	"github.com/jmsbridge/jmsbridge/bridge"
)

// output takes whole lines. write is all or nothing where the output can be cut off again.
type output interface {
	write(lines []byte) error
	close() error
}

// errMoved says that the file was moved away or deleted: what is written to it now would be found by nobody.
var errMoved = fmt.Errorf("the file is no longer there under its name: %w", bridge.ErrNotConnected)

// diskFile is what regular needs of an *os.File; a test's double runs out of space in the middle of a line.
type diskFile interface {
	io.Writer
	Stat() (fs.FileInfo, error)
	Sync() error
	Truncate(size int64) error
	Close() error
}

// errPipe: a pipe takes what nobody has read, and forgets it with its last reader.
var errPipe = errors.New("it is a named pipe, which keeps nothing")

// regular is a file on disk, or a device, which can be neither cut off nor synced.
type regular struct {
	file   diskFile
	path   string
	disk   bool
	noSync bool
	log    *zap.Logger
}

// openFile opens or creates the file and makes sure that the next line begins on a line of its own.
func openFile(path string, noSync bool, log *zap.Logger) (*regular, error) {
	_, err := os.Lstat(path)
	created := errors.Is(err, fs.ErrNotExist)
	// O_NONBLOCK: opening a named pipe must not wait for a reader.
	f, err := os.OpenFile(path, os.O_RDWR|os.O_APPEND|os.O_CREATE|syscall.O_NONBLOCK, 0o600)
	if err != nil {
		return nil, err
	}
	r := &regular{file: f, path: path, noSync: noSync, log: log}
	if err := r.prepare(f, created); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return r, nil
}

func (r *regular) prepare(f *os.File, created bool) error {
	info, err := f.Stat()
	if err != nil {
		return err
	}
	if info.Mode()&fs.ModeNamedPipe != 0 {
		return errPipe
	}
	if r.disk = info.Mode().IsRegular(); !r.disk {
		return nil
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		return fmt.Errorf("another writer has the file open: %w", err)
	}
	if created {
		// Without this the file itself, not only its content, may be gone after a crash.
		if err := syncDirectory(filepath.Dir(r.path)); err != nil {
			return err
		}
	}
	torn, err := endsTorn(f, info.Size())
	if err != nil || !torn {
		return err
	}
	r.log.Warn("file ends in the middle of a line, going on with a new one", zap.String(bridge.LogFile, r.path))
	return r.write([]byte("\n"))
}

// endsTorn tells whether the last line has no end.
func endsTorn(f io.ReaderAt, size int64) (bool, error) {
	if size == 0 {
		return false, nil
	}
	var last [1]byte
	if _, err := f.ReadAt(last[:], size-1); err != nil {
		return false, err
	}
	return last[0] != '\n', nil
}

func syncDirectory(path string) error {
	d, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// write appends lines and makes them durable, or leaves the file as it was.
func (r *regular) write(lines []byte) error {
	if !r.disk {
		_, err := r.file.Write(lines)
		return err
	}
	// The size is asked each time, for somebody may have emptied the file (copytruncate).
	info, err := r.file.Stat()
	if err != nil {
		return err
	}
	if there, err := os.Stat(r.path); err != nil || !os.SameFile(info, there) {
		return errMoved
	}
	n, err := r.file.Write(lines)
	if err == nil && !r.noSync {
		err = r.file.Sync()
	}
	if err == nil || n == 0 {
		return err
	}
	if cut := r.file.Truncate(info.Size()); cut != nil {
		r.log.Warn("cutting off what a failed write left failed", zap.String(bridge.LogFile, r.path), zap.Error(cut))
	}
	return err
}

func (r *regular) close() error { return r.file.Close() }

// stream is standard output. What a failed write left can't be taken back: the next one ends the line first.
type stream struct {
	w      io.Writer
	noSync bool
	torn   bool
}

func (s *stream) write(lines []byte) error {
	if s.torn {
		if _, err := s.w.Write([]byte("\n")); err != nil {
			return err
		}
		s.torn = false
	}
	n, err := s.w.Write(lines)
	if err != nil {
		s.torn = n > 0 && lines[n-1] != '\n'
		return err
	}
	if f, ok := s.w.(*os.File); ok && !s.noSync {
		err = f.Sync()
		if errors.Is(err, syscall.EINVAL) || errors.Is(err, syscall.ENOTSUP) || errors.Is(err, syscall.EROFS) {
			err = nil // a pipe or a terminal
		}
	}
	return err
}

func (s *stream) close() error { return nil }

// classed says what an error of the file system means. None is the fault of a message, so whatever needs an operator
// pauses the route and keeps its messages at the broker.
func classed(err error) error {
	if errors.Is(err, bridge.ErrNotConnected) {
		return bridge.Classed(bridge.Transient, err)
	}
	e := &bridge.Error{Class: bridge.Fatal, Err: err}
	switch {
	case errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EDQUOT):
		e.Code, e.Remedy = "disk_full", "make room; the route goes on by itself"
	case errors.Is(err, syscall.EFBIG):
		e.Code, e.Remedy = "file_too_large", "move the file away; the route goes on by itself"
	case errors.Is(err, fs.ErrPermission), errors.Is(err, syscall.EROFS):
		e.Code, e.Remedy = "not_writable", "let the user that jmsbridge runs as write to it"
	case errors.Is(err, fs.ErrNotExist):
		e.Code, e.Remedy = "no_directory", "create the directory"
	case errors.Is(err, syscall.EISDIR):
		e.Code, e.Remedy = "is_directory", "name a file"
	case errors.Is(err, errPipe):
		e.Code, e.Remedy = "named_pipe", `write to a file, or to standard output (path: "-")`
	case errors.Is(err, syscall.EWOULDBLOCK):
		e.Code, e.Remedy = "locked", "give each route a file of its own"
	case errors.Is(err, syscall.EPIPE):
		e.Code, e.Remedy = "no_reader", "start what reads from it"
	case errors.Is(err, syscall.EIO):
		e.Code, e.Remedy = "io_error", "look at the disk"
	default:
		e.Class = bridge.Transient
	}
	return e
}
