package main

import (
	"context"
	"fmt"
	"os"
	"runtime/debug"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"github.com/jmsbridge/jmsbridge/bridge"
	"github.com/jmsbridge/jmsbridge/bridge/stage"
	"github.com/jmsbridge/jmsbridge/connectors/aws"
	"github.com/jmsbridge/jmsbridge/connectors/aws/eventbridge"
	"github.com/jmsbridge/jmsbridge/connectors/aws/lambda"
	"github.com/jmsbridge/jmsbridge/connectors/aws/sqs"
)

// linger is how long a batch waits to fill, on both sides: the sinks' own default. Lambda's has none.
const linger = 5 * time.Millisecond

// newBridge returns a route as the daemon makes one.
func newBridge(s settings) (func(context.Context) error, error) {
	debug.SetGCPercent(50) // as jmsbridge run does
	log := zap.New(zapcore.NewCore(zapcore.NewConsoleEncoder(zap.NewDevelopmentEncoderConfig()), zapcore.Lock(os.Stderr), zap.WarnLevel))
	client := aws.NewClient(aws.Settings{Region: "us-east-1", EndpointURL: s.endpoint, Log: log})
	sink, err := newSink(s, client, log)
	if err != nil {
		return nil, err
	}
	src := newSource(s.messages)
	set := bridge.RouteSettings{
		Name: "bench", Sources: []bridge.Source{src}, Log: log, Metrics: bridge.NewMetrics(prometheus.NewRegistry()),
		Targets: []bridge.TargetSettings{{Name: s.target, Sink: sink}},
	}
	if s.target == "fifo" {
		set.Group = account
	}
	route, err := bridge.NewRoute(set)
	if err != nil {
		return nil, err
	}
	return func(ctx context.Context) error {
		defer client.Close()
		running, cancel := context.WithCancel(ctx)
		defer cancel()
		ended := make(chan error, 1)
		go func() { ended <- route.Run(running, nil) }()
		select {
		case <-src.done:
		case <-ctx.Done():
		}
		cancel()
		if err := <-ended; err != nil {
			return fmt.Errorf("running the route: %w", err)
		}
		if n := src.settled.Load(); n != int64(s.messages) {
			return fmt.Errorf("%d messages were settled of %d", n, s.messages)
		}
		return nil
	}, nil
}

func newSink(s settings, client *aws.Client, log *zap.Logger) (bridge.Sink, error) {
	switch s.target {
	case "sqs":
		return sqs.NewSink(sqs.SinkSettings{Client: client, Queue: "bench", Calls: s.calls, Log: log})
	case "fifo":
		return sqs.NewSink(sqs.SinkSettings{Client: client, Queue: "bench.fifo", Calls: s.calls, Log: log})
	case "lambda":
		return lambda.NewSink(lambda.SinkSettings{Client: client, Function: "bench", Calls: s.calls, Log: log})
	case "lambda10":
		return lambda.NewSink(lambda.SinkSettings{Client: client, Function: "bench", Messages: 10, Window: linger, Calls: s.calls, Log: log})
	case "eventbridge":
		set := eventbridge.SinkSettings{Client: client, Calls: s.calls, Log: log}
		for to, text := range map[**stage.Template]string{&set.Bus: "bench", &set.Source: "mq.bench", &set.DetailType: "order"} {
			t, err := stage.ParseTemplate(text)
			if err != nil {
				return nil, err
			}
			*to = t
		}
		return eventbridge.NewSink(set)
	default:
		return nil, fmt.Errorf("no target %q", s.target)
	}
}
