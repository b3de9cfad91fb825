package sqs

import (
	"context"

	"github.com/jmsbridge/jmsbridge/connectors/aws"
)

// QueueURL finds the URL of a queue that is given by its name, URL or ARN, as others have to spell it.
func QueueURL(ctx context.Context, client *aws.Client, queue string) (string, error) {
	s, err := NewSink(SinkSettings{Client: client, Queue: queue})
	if err != nil {
		return "", err
	}
	f, err := s.look(ctx)
	if err != nil {
		return "", err
	}
	return f.url, nil
}
