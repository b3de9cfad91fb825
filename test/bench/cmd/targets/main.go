// Command targets is one side of a comparison: messages made in this process go to an endpoint, through jmsbridge's engine
// and sink (-side jmsbridge) or in a bare loop over AWS's SDK (-side bare). There is no broker, so that the CPU is that of
// engine and sink alone.
//
//	targets -side jmsbridge -target sqs -endpoint http://127.0.0.1:1234 -messages 10000
//
// It ends when all is confirmed, and then prints what it took as JSON; what it took to begin is not in it.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"runtime"
	"syscall"
	"time"

	"github.com/jmsbridge/jmsbridge/test/bench/rig"
)

type settings struct {
	side, target, endpoint string
	messages, calls        int
}

// report is what a run took.
type report struct {
	Messages int           `json:"messages"`
	Mallocs  uint64        `json:"mallocs"`
	CPU      time.Duration `json:"cpu"`
	RSS      float64       `json:"rss"` // MiB at most, of the whole process
}

func main() {
	var s settings
	flag.StringVar(&s.side, "side", "", "jmsbridge or bare")
	flag.StringVar(&s.target, "target", "", "sqs, fifo, lambda, lambda10 or eventbridge")
	flag.StringVar(&s.endpoint, "endpoint", "", "URL of the endpoint")
	flag.IntVar(&s.messages, "messages", 10_000, "messages to send")
	flag.IntVar(&s.calls, "calls", 32, "calls at once")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, os.Interrupt)
	defer stop()
	r, err := run(ctx, s)
	if err == nil {
		err = json.NewEncoder(os.Stdout).Encode(r)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(ctx context.Context, s settings) (report, error) {
	if s.messages < 1 || s.calls < 1 {
		return report{}, errors.New("too few messages or calls")
	}
	sides := map[string]func(settings) (func(context.Context) error, error){"jmsbridge": newBridge, "bare": newBare}
	begin, ok := sides[s.side]
	if !ok {
		return report{}, fmt.Errorf("no side %q", s.side)
	}
	work, err := begin(s)
	if err != nil {
		return report{}, fmt.Errorf("beginning: %w", err)
	}
	variants() // what both sides send is made before anything is measured
	before, err := usage()
	if err != nil {
		return report{}, err
	}
	if err := work(ctx); err != nil {
		return report{}, err
	}
	after, err := usage()
	return report{Messages: s.messages, Mallocs: after.Mallocs - before.Mallocs, CPU: after.CPU - before.CPU, RSS: after.RSS}, err
}

// usage is what this process has taken so far.
func usage() (report, error) {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return report{}, fmt.Errorf("reading the CPU time: %w", err)
	}
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return report{Mallocs: m.Mallocs, CPU: time.Duration(u.Utime.Nano() + u.Stime.Nano()), RSS: rig.PeakRSS(os.Getpid())}, nil
}
