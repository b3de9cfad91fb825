package connectors

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"go.uber.org/zap"

	"github.com/jmsbridge/jmsbridge/bridge"
	"github.com/jmsbridge/jmsbridge/config"
	"github.com/jmsbridge/jmsbridge/connectors/aws/sqs"
	"github.com/jmsbridge/jmsbridge/connectors/jms/stomp"
	"github.com/jmsbridge/jmsbridge/connectors/store"
)

// The roles of the ends that the way of answers has.
const (
	roleReplyQueue      = "reply queue"
	roleReplyDeadLetter = "reply dead letter"
	roleStore           = "store"
)

// replyEnds lists what a route with replies needs besides its own ends: the queue that answers come from, the dead letter
// of answers that belong to no request, and the store of outcomes. Replies themselves go to the source's broker.
func (s *Set) replyEnds(r *config.Route) (ends []*end, err error) {
	p := r.Reply
	if p == nil {
		return nil, nil
	}
	add := func(role, name string, what any) {
		ends = append(ends, &end{report: EndReport{Role: role, Name: name}, what: what})
	}
	switch from := p.From; {
	case from.SQS != nil:
		source, err := sqs.NewSource(sqs.SourceSettings{Client: s.awsClient(), Queue: from.SQS.Queue, Log: s.log})
		if err != nil {
			return nil, fmt.Errorf("reply.from: %w", err)
		}
		add(roleReplyQueue, "SQS "+from.SQS.Queue, source)
	case from.JMS != nil && from.JMS.Queue != "":
		source, err := s.serviceAnswers(r, "jmsbridge.check.")
		if err != nil {
			return nil, fmt.Errorf("reply.from: %w", err)
		}
		add(roleReplyQueue, "queue "+from.JMS.Queue+" of "+from.JMS.Broker, source)
	}
	dead, err := s.deadLetter(r, p.DeadLetter)
	if err != nil {
		return nil, fmt.Errorf("reply.dead_letter: %w", err)
	}
	if dead != nil {
		add(roleReplyDeadLetter, describeDeadLetter(p.DeadLetter), dead)
	}
	if p.Once {
		switch c := s.config.Store; {
		case c.DynamoDB != nil:
			add(roleStore, "DynamoDB table "+c.DynamoDB.Table, tableLook{store.NewDynamoDB(s.awsClient(), c.DynamoDB.Table), c.DynamoDB.Table})
		case c.Bolt != nil:
			add(roleStore, "file "+c.Bolt.Path, fileLook(c.Bolt.Path))
		}
	}
	return ends, nil
}

// serviceAnswers is the source of a JMS service's answers: of those whose correlation id begins with prefix.
func (s *Set) serviceAnswers(r *config.Route, prefix string) (*stomp.Source, error) {
	from := r.Reply.From.JMS
	broker, err := s.broker(from.Broker)
	if err != nil {
		return nil, err
	}
	return stomp.NewSource(stomp.SourceSettings{
		Broker: broker, Destination: bridge.Destination{Kind: bridge.Queue, Name: from.Queue}, Selector: fmt.Sprintf("JMSCorrelationID LIKE '%s%%'", prefix),
		HeartBeat: s.config.Broker(from.Broker).HeartBeat, EmptyBodyText: true, Log: s.log.With(zap.String(bridge.LogRoute, r.Name)),
	})
}

// tableLook looks at the table of outcomes by reading a record that is not there.
type tableLook struct {
	store *store.DynamoDB
	table string
}

func (l tableLook) Inspect(ctx context.Context) (bridge.Inspection, error) {
	if _, err := l.store.Find(ctx, "jmsbridge.check"); err != nil {
		return bridge.Inspection{}, err
	}
	return bridge.Inspection{
		Peer: "DynamoDB table " + l.table, Facts: []bridge.Fact{{Name: "right to read", Value: "yes"}},
		Warnings: []bridge.Warning{{
			Text: "write rights were not looked at: whether outcomes can be kept in table " + l.table + " shows only when one is", Remedy: "give dynamodb:PutItem",
		}},
	}, nil
}

// fileLook looks at the file of outcomes, by its path. It makes none, and does not open the daemon's as a store: that is
// locked while the daemon runs.
type fileLook string

func (path fileLook) Inspect(context.Context) (bridge.Inspection, error) {
	refused := func(err error) (bridge.Inspection, error) {
		return bridge.Inspection{}, &bridge.Error{
			Class: bridge.Fatal, Err: fmt.Errorf("looking at the store: %w", err), Remedy: "correct store.bolt.path, or its rights",
		}
	}
	f, err := os.OpenFile(string(path), os.O_RDWR, 0)
	if err == nil {
		return bridge.Inspection{Peer: "file " + string(path)}, f.Close()
	}
	if !os.IsNotExist(err) {
		return refused(err)
	}
	folder, err := os.Stat(filepath.Dir(string(path)))
	if err != nil {
		return refused(err)
	}
	if !folder.IsDir() {
		return refused(fmt.Errorf("%s is no folder", filepath.Dir(string(path))))
	}
	return bridge.Inspection{Peer: "file " + string(path), Facts: []bridge.Fact{{Name: "is there", Value: "not yet"}}}, nil
}
