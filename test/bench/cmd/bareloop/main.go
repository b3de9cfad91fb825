// Command bareloop is what jmsbridge is measured against: the obvious libraries in a bare loop, without retries, order,
// limits, metrics or a guarantee. go-stomp's own consumer, client-individual, feeds workers that each collect ten
// messages, send them with the SDK's SendMessageBatch and acknowledge them one by one.
//
// It runs until SIGTERM, and then prints its count of messages and allocations as JSON.
package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/signal"
	"runtime"
	"strconv"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"
	"github.com/go-stomp/stomp/v3"
	"github.com/go-stomp/stomp/v3/frame"
)

type settings struct {
	broker, user, password, queue, ca string
	artemis                           bool
	endpoint                          string
	prefetch, workers, conns          int
}

func main() {
	var s settings
	flag.StringVar(&s.broker, "broker", "", "HOST:PORT of the broker")
	flag.StringVar(&s.user, "user", "", "user")
	flag.StringVar(&s.password, "password", "", "password")
	flag.StringVar(&s.queue, "queue", "", "the broker's queue")
	flag.StringVar(&s.ca, "ca", "", "PEM file to trust; makes the connection TLS")
	flag.BoolVar(&s.artemis, "artemis", false, "the broker is Artemis")
	flag.StringVar(&s.endpoint, "endpoint", "", "URL of the SQS endpoint")
	flag.IntVar(&s.prefetch, "prefetch", 1000, "messages that a connection may hold")
	flag.IntVar(&s.workers, "workers", 32, "calls at once")
	flag.IntVar(&s.conns, "connections", 1, "connections")
	flag.Parse()
	if err := run(s); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(s settings) error {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, os.Interrupt)
	defer stop()
	client := sqs.New(sqs.Options{
		Region: "us-east-1", BaseEndpoint: aws.String(s.endpoint),
		Credentials: credentials.NewStaticCredentialsProvider("AKIDBENCH", "secret", ""),
		HTTPClient:  &http.Client{Transport: &http.Transport{MaxIdleConns: s.workers, MaxIdleConnsPerHost: s.workers}},
	})
	// The whole prefetch: on a full buffer the library's loop stands still, and with it ACKs and heart-beats. Artemis
	// counts bytes, so there may be more messages than asked for.
	messages := make(chan *stomp.Message, 2*s.prefetch*s.conns)
	conns := make([]*stomp.Conn, s.conns)
	var pumps, workers sync.WaitGroup
	failed := make(chan error, s.conns+s.workers)
	for i := range conns {
		conn, sub, err := subscribe(s)
		if err != nil {
			return err
		}
		conns[i] = conn
		pumps.Go(func() {
			for m := range sub.C {
				if m.Err != nil {
					if ctx.Err() == nil {
						failed <- fmt.Errorf("receiving: %w", m.Err)
					}
					return
				}
				messages <- m
			}
		})
	}
	var sent atomic.Int64
	for range s.workers {
		workers.Go(func() {
			if err := work(ctx, s, client, messages, &sent); err != nil && ctx.Err() == nil {
				failed <- err
			}
		})
	}
	var err error
	select {
	case <-ctx.Done():
	case err = <-failed:
		return err // nothing here can be finished
	}
	workers.Wait()
	for _, c := range conns {
		err = errors.Join(err, c.Disconnect()) // with a receipt: every ACK has gone
	}
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	fmt.Printf("{\"messages\":%d,\"mallocs\":%d}\n", sent.Load(), m.Mallocs)
	return err
}

func subscribe(s settings) (*stomp.Conn, *stomp.Subscription, error) {
	var raw io.ReadWriteCloser
	raw, err := net.DialTimeout("tcp", s.broker, 10*time.Second)
	if err != nil {
		return nil, nil, fmt.Errorf("dialling: %w", err)
	}
	if s.ca != "" {
		pem, err := os.ReadFile(s.ca)
		if err != nil {
			return nil, nil, err
		}
		pool := x509.NewCertPool()
		pool.AppendCertsFromPEM(pem)
		host, _, _ := net.SplitHostPort(s.broker)
		raw = tls.Client(raw.(net.Conn), &tls.Config{RootCAs: pool, ServerName: host, MinVersion: tls.VersionTLS12})
	}
	conn, err := stomp.Connect(raw, stomp.ConnOpt.Login(s.user, s.password), stomp.ConnOpt.AcceptVersion(stomp.V12),
		stomp.ConnOpt.HeartBeat(time.Minute, time.Minute), stomp.ConnOpt.HeartBeatError(5*time.Minute))
	if err != nil {
		return nil, nil, fmt.Errorf("connecting: %w", err)
	}
	destination := "/queue/" + s.queue
	options := []func(*frame.Frame) error{stomp.SubscribeOpt.Header("activemq.prefetchSize", strconv.Itoa(s.prefetch))}
	if s.artemis { // which counts bytes: those of as many messages of 1 KiB with their properties
		destination = s.queue
		options = []func(*frame.Frame) error{
			stomp.SubscribeOpt.Header("consumer-window-size", strconv.Itoa(s.prefetch*2048)), stomp.SubscribeOpt.Header("subscription-type", "ANYCAST"),
		}
	}
	sub, err := conn.Subscribe(destination, stomp.AckClientIndividual, options...)
	if err != nil {
		return nil, nil, fmt.Errorf("subscribing: %w", err)
	}
	return conn, sub, nil
}

// properties are what the messages of the benchmark carry.
var properties = []string{"account", "region", "amount", "currency", "kind"}

// linger is how long a worker waits for its batch to fill.
const linger = 5 * time.Millisecond

func work(ctx context.Context, s settings, client *sqs.Client, messages <-chan *stomp.Message, sent *atomic.Int64) error {
	url := s.endpoint + "/123456789012/bench"
	batch := make([]*stomp.Message, 0, 10)
	timer := time.NewTimer(linger)
	for {
		batch = batch[:0]
		select {
		case m := <-messages:
			batch = append(batch, m)
		case <-ctx.Done():
			return nil
		}
		timer.Reset(linger)
	collect:
		for len(batch) < 10 {
			select {
			case m := <-messages:
				batch = append(batch, m)
			case <-timer.C:
				break collect
			}
		}
		in := &sqs.SendMessageBatchInput{QueueUrl: &url, Entries: make([]types.SendMessageBatchRequestEntry, len(batch))}
		for i, m := range batch {
			a := make(map[string]types.MessageAttributeValue, 6)
			a["MessageID"] = types.MessageAttributeValue{DataType: aws.String("String"), StringValue: aws.String(m.Header.Get("message-id"))}
			for _, name := range properties {
				a[name] = types.MessageAttributeValue{DataType: aws.String("String"), StringValue: aws.String(m.Header.Get(name))}
			}
			in.Entries[i] = types.SendMessageBatchRequestEntry{Id: aws.String(strconv.Itoa(i)), MessageBody: aws.String(string(m.Body)), MessageAttributes: a}
		}
		out, err := client.SendMessageBatch(context.WithoutCancel(ctx), in)
		if err != nil {
			return fmt.Errorf("sending: %w", err)
		}
		for _, done := range out.Successful {
			i, err := strconv.Atoi(*done.Id)
			if err != nil {
				return err
			}
			if err := batch[i].Conn.Ack(batch[i]); err != nil {
				return fmt.Errorf("acknowledging: %w", err)
			}
		}
		sent.Add(int64(len(out.Successful)))
	}
}
