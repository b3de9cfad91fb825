package demo

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"time"

	"github.com/aws/aws-sdk-go-v2/credentials"
	"go.uber.org/zap"

	"github.com/jmsbridge/jmsbridge/bridge"
	"github.com/jmsbridge/jmsbridge/bridge/stage"
	"github.com/jmsbridge/jmsbridge/connectors/aws"
	"github.com/jmsbridge/jmsbridge/connectors/aws/awslocal"
	"github.com/jmsbridge/jmsbridge/connectors/aws/sqs"
	"github.com/jmsbridge/jmsbridge/connectors/jms"
	"github.com/jmsbridge/jmsbridge/connectors/jms/stomp"
	"github.com/jmsbridge/jmsbridge/connectors/jms/stomp/stomplocal"
)

const (
	brokerQueue = "orders"
	targetQueue = "orders.fifo"
	deadQueue   = "orders-dlq.fifo"

	username, password = "demo", "demo-password"
	// latency is what each call to SQS takes, about what it takes within a region.
	latency = 5 * time.Millisecond
	// produceBatch is how many messages the producer sends before it waits for their receipts.
	produceBatch = 256
)

// world is the broker, the SQS endpoint, the producer's connection, and the route in between.
type world struct {
	broker   *stomplocal.Broker
	sqs      *awslocal.Endpoint
	aws      *aws.Client
	producer *stomp.Sink
	route    *bridge.Route
}

// build starts everything but the route.
func build(ctx context.Context, log *zap.Logger) (w *world, err error) {
	w = &world{}
	defer func() {
		if err != nil {
			w.close()
		}
	}()
	if w.broker, err = stomplocal.Start(stomplocal.Options{Username: username, Password: password}); err != nil {
		return nil, fmt.Errorf("starting the embedded broker: %w", err)
	}
	key := awslocal.Key{ID: "DEMOACCESSKEY", Secret: "demo-secret-key"}
	if w.sqs, err = awslocal.Start(awslocal.Options{Keys: []awslocal.Key{key}, Latency: latency, Seed: 1}); err != nil {
		return nil, fmt.Errorf("starting the embedded SQS endpoint: %w", err)
	}
	for _, name := range []string{targetQueue, deadQueue} {
		if _, err = w.sqs.CreateQueue(awslocal.QueueOptions{Name: name}); err != nil {
			return nil, err
		}
	}
	w.aws = aws.NewClient(aws.Settings{
		Region: w.sqs.Region(), EndpointURL: w.sqs.URL(), Log: log,
		Credentials: credentials.NewStaticCredentialsProvider(key.ID, key.Secret, ""),
		Proxy:       func(*http.Request) (*url.URL, error) { return nil, nil },
	})
	address, err := jms.ParseURL(w.broker.URL())
	if err != nil {
		return nil, fmt.Errorf("reading the broker's URL: %w", err)
	}
	broker := jms.Broker{
		Name: "demo", URL: address,
		Credentials: func(context.Context) (string, string, error) { return username, password, nil },
	}
	if w.route, err = w.newRoute(broker, log); err != nil {
		return nil, fmt.Errorf("making the route: %w", err)
	}
	w.producer, err = stomp.NewSink(stomp.SinkSettings{
		Broker: broker, Destination: bridge.Destination{Kind: bridge.Queue, Name: brokerQueue}, Messages: produceBatch, Log: log,
	})
	if err != nil {
		return nil, fmt.Errorf("making the producer: %w", err)
	}
	if err = w.producer.Connect(ctx); err != nil {
		return nil, fmt.Errorf("connecting the producer: %w", err)
	}
	return w, nil
}

// newRoute makes what these lines of bridge.yaml make, and shorter waits, for a viewer is waiting too:
//
//	from: {jms: {broker: demo, queue: orders}}
//	to: [{sqs: {queue: orders.fifo, attributes: [account, seq, amount, rate, express]}}]
//	order: group
//	group_id: "${.properties.account}"
//	dead_letter: {sqs: {queue: orders-dlq.fifo}}
func (w *world) newRoute(broker jms.Broker, log *zap.Logger) (*bridge.Route, error) {
	source, err := stomp.NewSource(stomp.SourceSettings{
		Broker: broker, Destination: bridge.Destination{Kind: bridge.Queue, Name: brokerQueue}, Exclusive: true, Log: log,
	})
	if err != nil {
		return nil, err
	}
	target, err := sqs.NewSink(sqs.SinkSettings{Client: w.aws, Queue: targetQueue, Attributes: propertyNames, Log: log})
	if err != nil {
		return nil, err
	}
	dead, err := sqs.NewSink(sqs.SinkSettings{Client: w.aws, Queue: deadQueue, Log: log})
	if err != nil {
		return nil, err
	}
	group, err := stage.ParseTemplate("${.properties.account}")
	if err != nil {
		return nil, err
	}
	return bridge.NewRoute(bridge.RouteSettings{
		Name:         "demo",
		Sources:      []bridge.Source{source},
		Targets:      []bridge.TargetSettings{{Name: "sqs", Sink: target}},
		DeadLetter:   &bridge.PipelineSettings{Name: "dead_letter", Sink: dead},
		Order:        bridge.OrderGroup,
		Group:        group.Expand,
		Retry:        bridge.RetrySettings{Attempts: 10, Base: 20 * time.Millisecond, Cap: 500 * time.Millisecond},
		Drain:        5 * time.Second,
		ReconnectCap: 2 * time.Second,
		Log:          log,
	})
}

// close ends everything but the route, which has ended.
func (w *world) close() {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	if w.producer != nil {
		_ = w.producer.Close(ctx) // the receipts were waited for
	}
	if w.aws != nil {
		w.aws.Close()
	}
	if w.broker != nil {
		_ = w.broker.Close() // nothing is kept anyway
	}
	if w.sqs != nil {
		_ = w.sqs.Close()
	}
}

var errUnsent = errors.New("the broker did not take all messages")

// send puts messages from to to (exclusive) on the broker, each with a receipt, and returns how many it took.
func (w *world) send(ctx context.Context, from, to, groups int) (int, error) {
	batch, results := make([]bridge.Outgoing, 0, to-from), make([]bridge.Result, to-from)
	for i := from; i < to; i++ {
		e := expect(i, groups)
		batch = append(batch, bridge.Outgoing{Message: e.message(i), Attempt: 1})
	}
	for i := range batch {
		results[i].Err = bridge.ErrUnanswered
	}
	if err := w.producer.Send(ctx, batch, results); err != nil {
		return 0, fmt.Errorf("sending to the broker: %w", err)
	}
	for i := range batch {
		if err := results[i].Err; err != nil {
			return i, fmt.Errorf("%w: %w", errUnsent, err)
		}
	}
	return len(batch), nil
}
