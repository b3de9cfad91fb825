package file

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"

	"github.com/jmsbridge/jmsbridge/bridge"
)

// Inspect tells whether the file can be written to. It creates and changes nothing.
func (s *Sink) Inspect(context.Context) (bridge.Inspection, error) {
	if s.settings.Path == StandardOutput {
		return bridge.Inspection{Peer: "standard output"}, nil
	}
	found := bridge.Inspection{Peer: "file " + s.settings.Path}
	info, err := os.Stat(s.settings.Path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		directory := filepath.Dir(s.settings.Path)
		if err := unix.Access(directory, unix.W_OK|unix.X_OK); err != nil {
			return found, fmt.Errorf("looking at the directory %s: %w", directory, classed(err))
		}
		found.Facts = append(found.Facts, bridge.Fact{Name: "size", Value: "will be created"})
	case err != nil:
		return found, fmt.Errorf("looking at %s: %w", s.settings.Path, classed(err))
	case info.IsDir():
		return found, fmt.Errorf("looking at %s: %w", s.settings.Path, classed(unix.EISDIR))
	case info.Mode()&fs.ModeNamedPipe != 0:
		return found, fmt.Errorf("looking at %s: %w", s.settings.Path, classed(errPipe))
	default:
		if err := unix.Access(s.settings.Path, unix.W_OK); err != nil {
			return found, fmt.Errorf("looking at %s: %w", s.settings.Path, classed(err))
		}
		found.Facts = append(found.Facts, bridge.Fact{Name: "size", Value: fmt.Sprintf("%d bytes", info.Size())})
	}
	if s.settings.NoSync {
		found.Warnings = append(found.Warnings, bridge.Warning{
			Text: "Lines are confirmed before they are on the disk: a crash of the machine loses the last of them.", Remedy: "Leave out no_sync.",
		})
	}
	return found, nil
}
