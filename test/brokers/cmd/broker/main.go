// Command broker starts one of the test brokers, prints its addresses and accounts as one line of JSON on standard
// output, and stops it when standard input ends or a signal comes.
//
//	go run ./test/brokers/cmd/broker classic6
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/jmsbridge/jmsbridge/test/brokers"
)

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "broker:", err)
		os.Exit(1)
	}
}

// description is what the command prints.
type description struct {
	Kind    string            `json:"kind"`
	Version string            `json:"version"`
	Pid     int               `json:"pid"`
	URLs    map[string]string `json:"urls"`
	CAFile  string            `json:"ca_file"`
	Users   []brokers.User    `json:"users"`
	Log     string            `json:"log"`
}

func run() (err error) {
	install := flag.Bool("install", false, "only download the broker")
	heap := flag.String("heap", "1g", "Java heap of the broker")
	flag.Usage = func() {
		fmt.Fprintf(os.Stderr, "usage: broker [-install] [-heap 1g] %v\n", brokers.Kinds())
	}
	flag.Parse()
	if flag.NArg() != 1 {
		flag.Usage()
		return errors.New("name one broker")
	}
	kind, err := brokers.ParseKind(flag.Arg(0))
	if err != nil {
		return err
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if *install {
		_, err := brokers.Install(ctx, kind)
		return err
	}
	dir, err := os.MkdirTemp("", "jmsbridge-broker-")
	if err != nil {
		return fmt.Errorf("making a folder: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	b, err := brokers.Open(ctx, kind, dir, brokers.Options{Heap: *heap})
	if err != nil {
		return err
	}
	defer b.Kill()
	d := description{
		Kind: string(kind), Version: kind.Version(), Pid: b.Pid(), URLs: map[string]string{},
		CAFile: b.CAFile(), Users: brokers.Users(), Log: b.LogFile(),
	}
	for _, scheme := range brokers.Schemes() {
		d.URLs[scheme] = b.URL(scheme)
	}
	if err := json.NewEncoder(os.Stdout).Encode(d); err != nil {
		return fmt.Errorf("printing: %w", err)
	}
	ended := make(chan struct{})
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		close(ended)
	}()
	select {
	case <-ended:
	case <-ctx.Done():
	}
	return nil
}
