// Command endpoint is the SQS endpoint of the benchmarks in a process of its own. It prints its URL and runs until its
// standard input ends, so that it goes with whoever started it.
package main

import (
	"flag"
	"fmt"
	"io"
	"os"
	"runtime"
	"time"

	"github.com/jmsbridge/jmsbridge/test/bench/lean"
)

func main() {
	listen := flag.String("listen", "127.0.0.1:0", "the address to listen on")
	latency := flag.Duration("latency", 5*time.Millisecond, "the service time of a call")
	flag.Parse()
	runtime.GOMAXPROCS(1) // one thread is enough, and several cost more in waking each other than they do
	e, err := lean.Start(*listen, *latency)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	fmt.Println(e.URL())
	_, _ = io.Copy(io.Discard, os.Stdin)
	_ = e.Close()
}
