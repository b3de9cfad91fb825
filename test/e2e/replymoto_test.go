//go:build integration

package e2e_test

import (
	"strings"
	"testing"
	"time"

	sdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge"
	eventtypes "github.com/aws/aws-sdk-go-v2/service/eventbridge/types"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	sqstypes "github.com/aws/aws-sdk-go-v2/service/sqs/types"

	"github.com/jmsbridge/jmsbridge/test/brokers"
	"github.com/jmsbridge/jmsbridge/test/java"
	"github.com/jmsbridge/jmsbridge/test/sqstest/servers"
)

// An event bus that is not ours: what awslocal takes for an event, a rule and its target is so for moto too.
func TestAnswersComeBackFromMotosEventBus(t *testing.T) {
	url := servers.Moto(t)
	s := newService(t, url)
	for _, row := range []struct {
		broker *brokers.Shared
		client java.Client
	}{{classic6, java.ActiveMQ6}, {artemis, java.ActiveMQ5}} {
		b := row.broker.Broker(t)
		t.Run(string(b.Kind()), func(t *testing.T) {
			name := "moto-" + string(b.Kind())
			createBus(t, s, url, name)
			s.respond(name+"-asked", askedByEvent, once)
			route := replyRoute(name, "eventbridge: {bus: "+name+", source: mq.prices, detail_type: Asked}", overSQS(name+"-answers")...)
			p := startBridge(t, "brokers:\n"+brokerYAML("mq", b.URL(wires[0]), brokers.App, b.CAFile())+
				"aws:\n  region: us-east-1\n  endpoint_url: "+url+"\nroutes:\n"+route)
			sent := requests("moto", scaled(50), false, plain)
			got, stray := java.Exchange{
				Queue: name, Replies: []string{"temp-queue:", "queue:REPLY." + name}, Threads: 10, Patience: 40 * time.Second, Requests: sent,
			}.Start(t, row.client, b.URL("tcp"), brokers.App).Results()
			checkAnswered(t, sent, got, stray, func(i int) string { return "answer to " + sent[i].Body.Data() })
			p.waitIdle(name, len(sent))
			b.WaitDepth(t, "REPLY."+name, 0, 10*time.Second)
			p.stop()
		})
	}
}

// createBus makes a bus, the queues NAME-asked and NAME-answers, and a rule from the bus to the first.
func createBus(t testing.TB, s *service, url, name string) {
	t.Helper()
	var arn string
	for _, queue := range []string{name + "-answers", name + "-asked"} {
		if _, err := s.sqs.CreateQueue(t.Context(), &sqs.CreateQueueInput{QueueName: &queue}); err != nil {
			t.Fatal(err)
		}
		got, err := s.sqs.GetQueueAttributes(t.Context(), &sqs.GetQueueAttributesInput{
			QueueUrl: sdk.String(s.url(queue)), AttributeNames: []sqstypes.QueueAttributeName{sqstypes.QueueAttributeNameQueueArn},
		})
		if err != nil {
			t.Fatal(err)
		}
		arn = got.Attributes[string(sqstypes.QueueAttributeNameQueueArn)]
	}
	if !strings.HasSuffix(arn, "-asked") {
		t.Fatalf("the queue of the requests has the ARN %q", arn)
	}
	client := eventbridge.New(eventbridge.Options{
		Region: "us-east-1", BaseEndpoint: &url, HTTPClient: s.sqs.Options().HTTPClient,
		Credentials: credentials.NewStaticCredentialsProvider("AKIDEXAMPLE", "secret-k8Vb21", ""),
	})
	if _, err := client.CreateEventBus(t.Context(), &eventbridge.CreateEventBusInput{Name: &name}); err != nil {
		t.Fatal(err)
	}
	if _, err := client.PutRule(t.Context(), &eventbridge.PutRuleInput{
		Name: &name, EventBusName: &name, EventPattern: sdk.String(`{"source":["mq.prices"]}`),
	}); err != nil {
		t.Fatal(err)
	}
	if _, err := client.PutTargets(t.Context(), &eventbridge.PutTargetsInput{
		Rule: &name, EventBusName: &name, Targets: []eventtypes.Target{{Id: sdk.String("asked"), Arn: &arn}},
	}); err != nil {
		t.Fatal(err)
	}
}
