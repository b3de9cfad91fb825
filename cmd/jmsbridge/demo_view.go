package main

import (
	"fmt"
	"io"
	"os"
	"sync/atomic"
	"time"

	"github.com/mattn/go-isatty"
	"github.com/vbauerster/mpb/v8"
	"github.com/vbauerster/mpb/v8/decor"

	"github.com/jmsbridge/jmsbridge/cmd/jmsbridge/internal/demo"
)

// demoViewer shows how the demo goes on. Its methods are called by one goroutine.
type demoViewer interface {
	observe(p demo.Progress)
	event(text string)
	close()
}

// newDemoViewer returns a viewer with a moving bar when both outputs are terminals, else one that prints lines.
func newDemoViewer(out, errs io.Writer, total int) demoViewer {
	if terminals(out, errs) {
		return newBarViewer(errs, total)
	}
	return &lineViewer{w: errs}
}

func isTerminal(f *os.File) bool { return isatty.IsTerminal(f.Fd()) }

// lineViewer prints a line for each event, and one a second.
type lineViewer struct {
	w    io.Writer
	last time.Duration
}

func (v *lineViewer) event(text string) { fmt.Fprintln(v.w, text) }

func (v *lineViewer) observe(p demo.Progress) {
	if p.Elapsed-v.last < time.Second {
		return
	}
	v.last = p.Elapsed
	fmt.Fprintf(v.w, "%4.0fs: %d of %d messages, %s\n", p.Elapsed.Seconds(), p.Settled, p.Total, demoFigures(p))
}

func (v *lineViewer) close() {}

func demoFigures(p demo.Progress) string {
	return fmt.Sprintf("%.0f/s, %d in flight, %d duplicates, %d faults", p.Rate, p.InFlight, p.Duplicates, p.Faults)
}

// barViewer moves a bar, with the events above it.
type barViewer struct {
	progress *mpb.Progress
	bar      *mpb.Bar
	now      atomic.Pointer[demo.Progress]
}

func newBarViewer(w io.Writer, total int) *barViewer {
	v := &barViewer{progress: mpb.New(mpb.WithOutput(w), mpb.WithWidth(30), mpb.WithRefreshRate(100*time.Millisecond))}
	v.now.Store(&demo.Progress{Total: total})
	v.bar = v.progress.AddBar(int64(total),
		mpb.PrependDecorators(decor.Any(func(decor.Statistics) string {
			p := v.now.Load()
			return fmt.Sprintf("%7d of %d ", p.Settled, p.Total)
		})),
		mpb.AppendDecorators(decor.Any(func(decor.Statistics) string { return " " + demoFigures(*v.now.Load()) })),
	)
	v.bar.EnableTriggerComplete()
	return v
}

func (v *barViewer) observe(p demo.Progress) {
	v.now.Store(&p)
	v.bar.SetCurrent(int64(min(p.Settled, p.Total-1))) // a complete bar moves no more: close completes it
}

func (v *barViewer) event(text string) { fmt.Fprintln(v.progress, text) }

func (v *barViewer) close() {
	if p := v.now.Load(); p.Settled >= p.Total {
		v.bar.SetCurrent(int64(p.Total))
	} else {
		v.bar.Abort(false)
	}
	v.progress.Wait()
}
