package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"github.com/jmsbridge/jmsbridge/bridge"
	"github.com/jmsbridge/jmsbridge/connectors/jms"
	"github.com/jmsbridge/jmsbridge/connectors/jms/stomp"
)

type sendFlags struct {
	brokerFlags
	message messageFlags
	count   int
	rate    float64
	timeout time.Duration
}

func newSendCommand() *cobra.Command {
	var f sendFlags
	c := &cobra.Command{
		Use:   "send DESTINATION [BODY]",
		Short: "Put messages on a queue or a topic of a broker",
		Long: `Put messages on a queue or a topic of a broker. Each is counted when the broker has confirmed it, and none is sent
twice: when the connection is lost, it says how many were confirmed, and ends.

The body is the second argument, or --file, or standard input. With --envelope the input holds one JSON envelope a line,
as 'jmsbridge receive' and file targets write them, and each becomes a message. STOMP carries Text and Bytes bodies;
the types of properties travel in a property of their own that jmsbridge reads back.

With --url the password is taken from --password-file, or from the variable ` + passwordVariable + `.

Exit code: 0 all were confirmed, 1 not all, 2 wrong usage or configuration.`,
		Example: `  jmsbridge send queue:orders 'hello'
  jmsbridge send queue:orders --file order.xml --type order --property region=EU --property amount:long=5
  jmsbridge send queue:orders 'load' --count 10000 --rate 500
  jmsbridge send queue:orders --envelope --file taken.jsonl    # what 'receive --consume > taken.jsonl' has taken
  jmsbridge send topic:prices '1.25' --url stomp+ssl://mq.example.com:61614 --username app`,
		Args: cobra.RangeArgs(1, 2),
		RunE: func(c *cobra.Command, args []string) error { return runSend(c, &f, args) },
	}
	f.register(c)
	f.message.register(c)
	c.Flags().IntVarP(&f.count, "count", "n", 1, "how many times to send it")
	c.Flags().Float64Var(&f.rate, "rate", 0, "messages a second; 0: as fast as the broker confirms them")
	c.Flags().DurationVar(&f.timeout, "timeout", 30*time.Second, "how long to wait for the broker's confirmation")
	return c
}

func runSend(c *cobra.Command, f *sendFlags, args []string) error {
	to, err := parseDestination(args[0])
	if err != nil {
		return err
	}
	switch {
	case f.count < 1:
		return usage(errors.New("--count must be at least 1"))
	case f.rate < 0:
		return usage(errors.New("--rate must not be negative"))
	case f.timeout <= 0:
		return usage(errors.New("--timeout must be more than nothing"))
	case f.message.envelope && f.count > 1:
		return usage(errors.New("--count repeats one message; with --envelope each line is one"))
	}
	broker, err := f.broker(c.Context())
	if err != nil {
		return err
	}
	in, err := within(c.Context(), "opening the input", func() (*input, error) { // a pipe waits for its writer
		return f.message.open(c.Context(), args[1:], c.InOrStdin(), f.count)
	})
	if err != nil {
		return err
	}
	defer in.close()
	s := &sender{to: to, rate: f.rate, timeout: f.timeout, next: in.next}
	err = s.run(c.Context(), broker)
	if err != nil {
		return failed(fmt.Errorf("sending to %s: %w; the broker has confirmed %d messages", to, err, s.sent))
	}
	_, err = fmt.Fprintf(c.OutOrStdout(), "sent %d to %s\n", s.sent, to)
	return err
}

// sender sends what next returns until that returns io.EOF.
type sender struct {
	to      bridge.Destination
	rate    float64
	timeout time.Duration
	next    func() (*bridge.Message, error)

	sink    *stomp.Sink
	started time.Time
	taken   int // from next
	sent    int // confirmed
}

func (s *sender) run(ctx context.Context, broker jms.Broker) error {
	var err error
	if s.sink, err = stomp.NewSink(stomp.SinkSettings{Broker: broker, Destination: s.to}); err != nil {
		return err
	}
	defer func() {
		closing, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
		defer cancel()
		_ = s.sink.Close(closing) // every receipt has been waited for
	}()
	if err := s.sink.Connect(ctx); err != nil {
		return err
	}
	s.started = time.Now()
	var batch []bridge.Outgoing
	for {
		most := s.sink.Limits().Messages
		if s.rate > 0 {
			if most, err = s.pace(ctx, most); err != nil {
				return err
			}
		}
		batch = batch[:0]
		var bad error
		for len(batch) < most {
			m, err := s.next()
			if err != nil {
				bad = err
				break
			}
			o := bridge.Outgoing{Message: m, Attempt: 1}
			if _, err := s.sink.Size(&o); err != nil {
				bad = err
				break
			}
			batch = append(batch, o)
		}
		s.taken += len(batch)
		if err := s.send(ctx, batch); err != nil {
			return err
		}
		switch {
		case errors.Is(bad, io.EOF):
			return nil
		case bad != nil:
			return fmt.Errorf("message %d: %w", s.taken+1, bad)
		}
	}
}

// pace waits until a message is due and returns how many are, at most most.
func (s *sender) pace(ctx context.Context, most int) (int, error) {
	for {
		due := int(time.Since(s.started).Seconds()*s.rate) + 1 - s.taken
		if due > 0 {
			return min(due, most), nil
		}
		wait := time.NewTimer(time.Until(s.started.Add(time.Duration(float64(s.taken) / s.rate * float64(time.Second)))))
		select {
		case <-wait.C:
		case <-ctx.Done():
			wait.Stop()
			return 0, ctx.Err()
		}
	}
}

func (s *sender) send(ctx context.Context, batch []bridge.Outgoing) error {
	if len(batch) == 0 {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, s.timeout)
	defer cancel()
	results := make([]bridge.Result, len(batch))
	for i := range results {
		results[i].Err = bridge.ErrUnanswered
	}
	if err := s.sink.Send(ctx, batch, results); err != nil {
		return err
	}
	var problem error
	for i := range results {
		if err := results[i].Err; err == nil {
			s.sent++
		} else if problem == nil {
			problem = err
		}
	}
	return problem
}
