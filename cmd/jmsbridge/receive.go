package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"github.com/jmsbridge/jmsbridge/bridge"
	"github.com/jmsbridge/jmsbridge/bridge/envelope"
	"github.com/jmsbridge/jmsbridge/connectors/jms"
	"github.com/jmsbridge/jmsbridge/connectors/jms/stomp"
)

// maxLook is how many messages receive looks at without settling them: it takes them from other consumers meanwhile.
const maxLook = 100

type receiveFlags struct {
	brokerFlags
	selector, subscription string
	max                    int
	wait                   time.Duration
	consume, emptyText     bool
}

func newReceiveCommand() *cobra.Command {
	var f receiveFlags
	c := &cobra.Command{
		Use:   "receive DESTINATION",
		Short: "Look at the messages of a queue or topic, or take them",
		Long: fmt.Sprintf(`Print messages as JSON envelopes, one a line.

Without --consume it looks: at most %[1]d messages are taken unsettled, printed and given back in their order. While it
looks, other consumers don't get them. ActiveMQ Classic flags what was given back as redelivered, which some consumers
treat differently; Artemis does not. It never browses: Artemis would consume the queue.

With --consume each message is settled after its line has been written, so a crash in between shows it again and loses
none. The broker sends up to %[1]d ahead: those beyond --max are given back like the ones that were looked at.

Messages that the wire can't carry as what they are (Map, Stream and Object bodies) are named and left alone.

It ends when it has --max messages, or when none has come for --wait. A topic without --subscription shows only what is
published meanwhile. With --url the password is taken from --password-file, or from the variable %[2]s.

Exit code: 0 it came to its end, though there was nothing, 1 it could not, 2 wrong usage or configuration.`, maxLook, passwordVariable),
		Example: `  jmsbridge receive queue:orders-dlq --max 5
  jmsbridge receive queue:orders --selector "region = 'EU'" | jq .properties
  jmsbridge receive queue:orders-dlq --consume --max 0 > dead.jsonl
  jmsbridge receive topic:prices --wait 1m --url stomp+ssl://mq.example.com:61614 --username app`,
		Args: one("destination, such as queue:orders"),
		RunE: func(c *cobra.Command, args []string) error { return runReceive(c, &f, args[0]) },
	}
	f.register(c)
	flags := c.Flags()
	flags.IntVarP(&f.max, "max", "n", maxLook, fmt.Sprintf("the most messages; at most %d without --consume, and 0 with it means all", maxLook))
	flags.DurationVarP(&f.wait, "wait", "w", 2*time.Second, "end when no message has come for so long; 0: wait for ever")
	flags.StringVar(&f.selector, "selector", "", "a JMS selector that the broker applies")
	flags.StringVar(&f.subscription, "subscription", "", "the durable subscription of a topic; it needs --client-id")
	flags.BoolVar(&f.consume, "consume", false, "settle each message after its line is written")
	flags.BoolVar(&f.emptyText, "empty-body-text", false, "on Classic: take a frame without a body for an empty Text")
	return c
}

func runReceive(c *cobra.Command, f *receiveFlags, destination string) error {
	from, err := parseDestination(destination)
	if err != nil {
		return err
	}
	switch {
	case f.subscription != "" && f.client == "":
		return usage(errors.New("--subscription needs --client-id: the broker knows a durable subscription by both"))
	case f.wait < 0:
		return usage(errors.New("--wait must not be negative"))
	case f.max < 0 || f.max == 0 && !f.consume:
		return usage(errors.New("--max must be at least 1; 0, for all, needs --consume"))
	case f.max > maxLook && !f.consume:
		return usage(fmt.Errorf("--max must be at most %d without --consume", maxLook))
	}
	broker, err := f.broker(c.Context())
	if err != nil {
		return err
	}
	source, err := f.source(broker, from)
	if err != nil {
		return usage(err)
	}
	r := &receiver{receiveFlags: f, source: source, from: from, out: c.OutOrStdout(), errs: c.ErrOrStderr()}
	if err := r.run(c.Context()); err != nil {
		return failed(fmt.Errorf("receiving from %s: %w", from, err))
	}
	return nil
}

func (f *receiveFlags) source(broker jms.Broker, from bridge.Destination) (*stomp.Source, error) {
	return stomp.NewSource(stomp.SourceSettings{
		Broker: broker, Destination: from, Subscription: f.subscription, Selector: f.selector, EmptyBodyText: f.emptyText,
	})
}

// receiver prints what a source delivers.
type receiver struct {
	*receiveFlags
	source    bridge.Source
	from      bridge.Destination
	out, errs io.Writer

	printed, unsettled int
}

func (r *receiver) run(ctx context.Context) (err error) {
	credit := maxLook
	if r.max > 0 {
		credit = min(r.max, maxLook)
	}
	if err := r.source.Connect(ctx, credit); err != nil {
		return err
	}
	defer func() {
		closing, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
		defer cancel()
		closed := r.source.Close(closing)
		if err == nil {
			err = closed
		}
		r.remark(closed)
	}()
	for r.max == 0 || r.printed+r.unsettledHeld() < r.max {
		batch, err := r.receive(ctx)
		for _, d := range batch {
			if err := r.take(ctx, d); err != nil {
				return err
			}
		}
		switch {
		case err != nil:
			return err
		case len(batch) == 0 || r.unsettled >= credit: // with no credit left nothing more can come
			return nil
		}
	}
	return nil
}

// unsettledHeld is how many of the unsettled messages were not printed.
func (r *receiver) unsettledHeld() int {
	if r.consume {
		return r.unsettled
	}
	return r.unsettled - r.printed
}

// receive waits for messages; none and no error: nothing came in time, or the user has enough.
func (r *receiver) receive(ctx context.Context) ([]*bridge.Delivery, error) {
	waiting := ctx
	if r.wait > 0 {
		var cancel context.CancelFunc
		waiting, cancel = context.WithTimeout(ctx, r.wait)
		defer cancel()
	}
	most := maxLook
	if r.max > 0 {
		most = min(most, r.max-r.printed-r.unsettledHeld())
	}
	batch := make([]*bridge.Delivery, most)
	n, err := r.source.Receive(waiting, batch)
	if waiting.Err() != nil {
		err = nil
	}
	return batch[:n], err
}

// take prints one message and settles it where that was asked for.
func (r *receiver) take(ctx context.Context, d *bridge.Delivery) error {
	if d.Hold != nil {
		r.unsettled++
		fmt.Fprintf(r.errs, "message %s is left alone: %s\n", printable(d.Message.ID), printable(d.Hold.Error()))
		return nil //nolint:nilerr // it has been said, and the others go on
	}
	line, err := envelope.Append(nil, &d.Message)
	if err != nil {
		r.unsettled++
		fmt.Fprintf(r.errs, "message %s is left alone: %s\n", printable(d.Message.ID), printable(err.Error()))
		return nil
	}
	if err := writeWithin(ctx, r.out, append(line, '\n')); err != nil { // not buffered: it is out before the message is settled
		r.unsettled++
		return fmt.Errorf("writing a message: %w", err)
	}
	r.printed++
	if !r.consume {
		r.unsettled++
		return nil
	}
	if err := d.Settle(bridge.Accept); err != nil {
		return fmt.Errorf("settling message %s, which will come again: %w", d.Message.ID, err)
	}
	return nil
}

// remark says on standard error what became of the messages.
func (r *receiver) remark(closed error) {
	switch {
	case closed != nil:
		fmt.Fprintf(r.errs, "%d messages printed; whether the broker knows what became of them is not sure\n", r.printed)
	case r.printed == 0 && r.unsettled == 0:
		fmt.Fprintf(r.errs, "no message came from %s\n", r.from)
	case r.unsettled > 0 && r.from.Kind == bridge.Topic && r.subscription == "":
		fmt.Fprintf(r.errs, "%d messages seen; a topic keeps none for a subscriber that leaves\n", r.unsettled)
	case r.unsettled > 0:
		fmt.Fprintf(r.errs, "%d messages given back unsettled: ActiveMQ Classic flags them redelivered, Artemis does not\n", r.unsettled)
	}
	if r.consume && r.printed > 0 {
		fmt.Fprintf(r.errs, "%d messages consumed\n", r.printed)
	}
}
