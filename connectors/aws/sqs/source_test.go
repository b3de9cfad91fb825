package sqs_test

import (
	"context"
	"fmt"
	"net/http"
	"testing"
	"time"

	sdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	sqsapi "github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"
	"pgregory.net/rapid"

	"github.com/jmsbridge/jmsbridge/bridge"
	"github.com/jmsbridge/jmsbridge/connectors/aws/awslocal"
	"github.com/jmsbridge/jmsbridge/connectors/aws/sqs"
)

// receiving returns a source that is connected, and closed at the end.
func receiving(t testing.TB, credit int, set sqs.SourceSettings) *sqs.Source {
	t.Helper()
	s, err := sqs.NewSource(set)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close(context.Background()) })
	if err := s.Connect(t.Context(), credit); err != nil {
		t.Fatal(err)
	}
	return s
}

// receive receives n deliveries.
func receive(t testing.TB, s *sqs.Source, n int) []*bridge.Delivery {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	var all []*bridge.Delivery
	for len(all) < n {
		dst := make([]*bridge.Delivery, n-len(all))
		got, err := s.Receive(ctx, dst)
		if err != nil {
			t.Fatalf("after %d of %d: %v", len(all), n, err)
		}
		all = append(all, dst[:got]...)
	}
	return all
}

func quiet(t testing.TB, s *sqs.Source) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	if n, err := s.Receive(ctx, make([]*bridge.Delivery, 10)); n > 0 || ctx.Err() == nil {
		t.Errorf("received %d, %v, where nothing should come", n, err)
	}
}

// eventually waits until a condition holds.
func eventually(t testing.TB, what string, condition func() bool) {
	t.Helper()
	for end := time.Now().Add(20 * time.Second); !condition(); {
		if time.Now().After(end) {
			t.Fatalf("not so: %s", what)
		}
		<-time.After(5 * time.Millisecond)
	}
}

func TestASourceDeletesWhatIsSettledAndGivesTheRestBack(t *testing.T) {
	e := start(t, awslocal.Options{})
	client := clientFor(t, e)
	url := queue(t, e, "q", nil)
	sink := connected(t, sqs.SinkSettings{Client: client, Queue: url})
	for i := range 25 {
		send(t, sink, bridge.Outgoing{Message: text(fmt.Sprint(i))})
	}
	s := receiving(t, 100, sqs.SourceSettings{Client: client, Queue: "q", Wait: time.Second})
	all := receive(t, s, 25)
	for _, d := range all[:15] {
		if err := d.Settle(bridge.Accept); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	if d := e.Depth("q"); d.Visible != 10 || d.Total() != 10 {
		t.Errorf("after the close: %+v", d)
	}
	if err := all[20].Settle(bridge.Accept); err == nil || !all[20].Lost() {
		t.Errorf("a verdict after the close: %v", err)
	}
	if err := s.Connect(t.Context(), 100); err != nil {
		t.Fatal(err)
	}
	again := receive(t, s, 10)
	for _, d := range again {
		if !d.Message.Redelivered || d.Message.DeliveryCount != 2 {
			t.Errorf("%s comes again with count %d", d.Message.Key, d.Message.DeliveryCount)
		}
	}
}

func TestASourceKeepsToItsCredit(t *testing.T) {
	e := start(t, awslocal.Options{})
	client := clientFor(t, e)
	url := queue(t, e, "q", nil)
	sink := connected(t, sqs.SinkSettings{Client: client, Queue: url})
	for i := range 30 {
		send(t, sink, bridge.Outgoing{Message: text(fmt.Sprint(i))})
	}
	s := receiving(t, 7, sqs.SourceSettings{Client: client, Queue: "q", Wait: time.Second})
	all := receive(t, s, 7)
	quiet(t, s)
	if n := e.Depth("q").Total() - e.Depth("q").Visible; n != 7 {
		t.Errorf("%d are in flight", n)
	}
	for _, d := range all[:3] {
		_ = d.Settle(bridge.Accept)
	}
	receive(t, s, 3)
	quiet(t, s)
}

func TestAMessageStaysHiddenWhileItIsWorkedOn(t *testing.T) {
	e := start(t, awslocal.Options{})
	client := clientFor(t, e)
	url := queue(t, e, "q", nil)
	send(t, connected(t, sqs.SinkSettings{Client: client, Queue: url}), bridge.Outgoing{Message: text("x")})
	s := receiving(t, 10, sqs.SourceSettings{Client: client, Queue: "q", Visibility: 2 * time.Second, Wait: time.Second})
	d := receive(t, s, 1)[0]
	other := receiving(t, 10, sqs.SourceSettings{Client: client, Queue: "q", Visibility: 2 * time.Second, Wait: time.Second})
	for range 15 { // five seconds: two and a half visibilities
		quiet(t, other)
		<-time.After(133 * time.Millisecond)
	}
	if d.Lost() {
		t.Fatal("the message was given up while it was worked on")
	}
	if err := d.Settle(bridge.Accept); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the message is deleted", func() bool { return e.Depth("q").Total() == 0 })
}

func TestAMessageWhoseVisibilityCanNotBeExtendedIsGivenUp(t *testing.T) {
	e := start(t, awslocal.Options{})
	client := clientFor(t, e)
	url := queue(t, e, "q", nil)
	send(t, connected(t, sqs.SinkSettings{Client: client, Queue: url}), bridge.Outgoing{Message: text("x")})
	s := receiving(t, 10, sqs.SourceSettings{Client: client, Queue: "q", Visibility: 2 * time.Second, Wait: time.Second})
	d := receive(t, s, 1)[0]
	i := e.Inject(awslocal.Fault{Kind: awslocal.Refuse, Actions: []string{"ChangeMessageVisibilityBatch"}})
	eventually(t, "the message is given up", d.Lost)
	if i.Fired() == 0 {
		t.Error("the fault never fired")
	}
	if err := d.Settle(bridge.Accept); err == nil {
		t.Error("a verdict was taken that can't be kept")
	}
	e.ClearFaults()
	if again := receive(t, s, 1)[0]; again.Message.Key != d.Message.Key {
		t.Errorf("%s came, not %s", again.Message.Key, d.Message.Key)
	}
}

func TestADeleteThatFailsIsTriedAgain(t *testing.T) {
	for name, fault := range map[string]awslocal.Fault{
		"the call":    {Kind: awslocal.Refuse, Actions: []string{"DeleteMessageBatch"}, Times: 3},
		"its answer":  {Kind: awslocal.ResetAfter, Actions: []string{"DeleteMessageBatch"}, Times: 2},
		"its entries": {Kind: awslocal.FailEntries, Actions: []string{"DeleteMessageBatch"}, Times: 3},
	} {
		t.Run(name, func(t *testing.T) {
			e := start(t, awslocal.Options{})
			client := clientFor(t, e)
			url := queue(t, e, "q", nil)
			sink := connected(t, sqs.SinkSettings{Client: client, Queue: url})
			for i := range 10 {
				send(t, sink, bridge.Outgoing{Message: text(fmt.Sprint(i))})
			}
			s := receiving(t, 10, sqs.SourceSettings{Client: client, Queue: "q", Wait: time.Second})
			i := e.Inject(fault)
			for _, d := range receive(t, s, 10) {
				if err := d.Settle(bridge.Accept); err != nil {
					t.Fatal(err)
				}
			}
			eventually(t, "everything is deleted", func() bool { return e.Depth("q").Total() == 0 })
			if i.Fired() == 0 {
				t.Error("the fault never fired")
			}
		})
	}
}

func TestACloseWaitsForADeleteThatIsTriedAgain(t *testing.T) {
	for _, c := range []struct {
		times, left int
	}{{1, 0}, {1000, 1}} {
		t.Run(fmt.Sprint(c.times, " failures"), func(t *testing.T) {
			e := start(t, awslocal.Options{})
			client := clientFor(t, e)
			url := queue(t, e, "q", nil)
			send(t, connected(t, sqs.SinkSettings{Client: client, Queue: url}), bridge.Outgoing{Message: text("x")})
			s := receiving(t, 10, sqs.SourceSettings{Client: client, Queue: "q", Wait: time.Second})
			e.Inject(awslocal.Fault{Kind: awslocal.FailEntries, Actions: []string{"DeleteMessageBatch"}, Times: c.times})
			if err := receive(t, s, 1)[0].Settle(bridge.Accept); err != nil {
				t.Fatal(err)
			}
			ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
			defer cancel()
			if err := s.Close(ctx); (err != nil) != (c.left > 0) || e.Depth("q").Total() != c.left {
				t.Errorf("%v, %d left", err, e.Depth("q").Total())
			}
		})
	}
}

// A receipt that SQS does not know any more is of a message that is gone, or visible again: asking again is for nothing.
func TestADeleteThatComesTooLateIsNotTriedAgain(t *testing.T) {
	e := start(t, awslocal.Options{})
	client := clientFor(t, e)
	url := queue(t, e, "q", nil)
	send(t, connected(t, sqs.SinkSettings{Client: client, Queue: url}), bridge.Outgoing{Message: text("x")})
	s := receiving(t, 10, sqs.SourceSettings{Client: client, Queue: "q", Wait: time.Second})
	i := e.Inject(awslocal.Fault{Kind: awslocal.FailEntries, Actions: []string{"DeleteMessageBatch"}, Code: "ReceiptHandleIsInvalid"})
	if err := receive(t, s, 1)[0].Settle(bridge.Accept); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	if err := s.Close(ctx); err != nil || i.Fired() != 1 {
		t.Errorf("%v, deleted %d times", err, i.Fired())
	}
}

func TestARejectedMessageIsLeftToTheQueuesRedrivePolicy(t *testing.T) {
	e := start(t, awslocal.Options{})
	client := clientFor(t, e)
	url := queue(t, e, "q", nil)
	send(t, connected(t, sqs.SinkSettings{Client: client, Queue: url}), bridge.Outgoing{Message: text("x")})
	s := receiving(t, 10, sqs.SourceSettings{Client: client, Queue: "q", Wait: time.Second})
	if err := receive(t, s, 1)[0].Settle(bridge.Reject); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	if d := e.Depth("q"); d.Total() != 1 {
		t.Errorf("%d messages are left", d.Total())
	}
}

func TestReceivingThatFailsInPassingLosesNothing(t *testing.T) {
	e := start(t, awslocal.Options{})
	client := clientFor(t, e)
	url := queue(t, e, "q", nil)
	i := e.Inject(awslocal.Fault{Kind: awslocal.Refuse, Actions: []string{"ReceiveMessage"}, Times: 3})
	s := receiving(t, 10, sqs.SourceSettings{Client: client, Queue: "q", Wait: time.Second})
	send(t, connected(t, sqs.SinkSettings{Client: client, Queue: url}), bridge.Outgoing{Message: text("x")})
	receive(t, s, 1)
	if i.Fired() != 3 {
		t.Errorf("the fault fired %d times", i.Fired())
	}
}

func TestMissingRightsToReceiveAreFatal(t *testing.T) {
	e := start(t, awslocal.Options{})
	client := clientFor(t, e)
	queue(t, e, "q", nil)
	e.Deny(awslocal.Rule{Action: "ReceiveMessage"})
	s := receiving(t, 10, sqs.SourceSettings{Client: client, Queue: "q"})
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	if _, err := s.Receive(ctx, make([]*bridge.Delivery, 1)); bridge.ClassOf(err) != bridge.Fatal {
		t.Errorf("got %v", err)
	}
}

func TestTheQueueMustBeThere(t *testing.T) {
	e := start(t, awslocal.Options{})
	s, err := sqs.NewSource(sqs.SourceSettings{Client: clientFor(t, e), Queue: "nowhere"})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Connect(t.Context(), 1); bridge.ClassOf(err) != bridge.Fatal {
		t.Errorf("got %v", err)
	}
	if _, err := s.Receive(t.Context(), make([]*bridge.Delivery, 1)); err == nil {
		t.Error("received without a connection")
	}
	if err := s.Close(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestAMessageThatContradictsItselfIsToBeRefused(t *testing.T) {
	e := start(t, awslocal.Options{})
	client := clientFor(t, e)
	url := queue(t, e, "q", nil)
	putRaw(t, e, url, "***", map[string]string{"jmsbridge.encoding": "base64", "region": "EU"})
	putRaw(t, e, url, "plain", map[string]string{"region": "EU"})
	s := receiving(t, 10, sqs.SourceSettings{Client: client, Queue: "q", Wait: time.Second})
	for _, d := range receive(t, s, 2) {
		region, _ := d.Message.Properties.Lookup("region")
		if refused := d.Message.Body.Data() == "***"; (d.Refuse != nil) != refused || region.Str() != "EU" {
			t.Errorf("%q is refused with %v", d.Message.Body.Data(), d.Refuse)
		}
	}
}

func TestAForeignFIFOMessageHasItsGroup(t *testing.T) {
	e := start(t, awslocal.Options{})
	client := clientFor(t, e)
	url := queue(t, e, "q.fifo", map[string]string{"FifoQueue": "true", "ContentBasedDeduplication": "true"})
	put(t, e, &sqsapi.SendMessageInput{QueueUrl: &url, MessageBody: sdk.String("x"), MessageGroupId: sdk.String("account-9")})
	s := receiving(t, 10, sqs.SourceSettings{Client: client, Queue: "q.fifo", Wait: time.Second})
	if m := receive(t, s, 1)[0].Message; m.GroupID != "account-9" || m.Timestamp.IsZero() || m.Destination.String() != "queue:q.fifo" || m.Key == "" {
		t.Errorf("%+v", m)
	}
}

// What a sink has sent, a source gives back: nothing is lost on the way there and back.
func TestASourceGivesBackWhatASinkHasSent(t *testing.T) {
	for _, wrapped := range []bool{false, true} {
		t.Run(fmt.Sprint("envelope ", wrapped), func(t *testing.T) {
			e := start(t, awslocal.Options{})
			client := clientFor(t, e)
			url := queue(t, e, "q", nil)
			sink := connected(t, sqs.SinkSettings{Client: client, Queue: url, Envelope: wrapped, ObjectBase64: true})
			s := receiving(t, 10, sqs.SourceSettings{Client: client, Queue: "q", Wait: time.Second})
			rapid.Check(t, func(rt *rapid.T) {
				want := messages.Draw(rt, "message")
				send(t, sink, bridge.Outgoing{Message: want})
				d := receive(t, s, 1)[0]
				if d.Refuse != nil {
					rt.Fatal(d.Refuse)
				}
				if err := d.Settle(bridge.Accept); err != nil {
					rt.Fatal(err)
				}
				got := d.Message
				if want.Destination.IsZero() { // SQS itself says these two where the message does not
					got.Destination = want.Destination
				}
				if want.Timestamp.IsZero() {
					got.Timestamp = want.Timestamp
				}
				sameMessage(rt, &got, want, bridge.Properties{})
			})
		})
	}
}

// put sends a message as others do: by the SDK.
func put(t testing.TB, e *awslocal.Endpoint, in *sqsapi.SendMessageInput) {
	t.Helper()
	client := sqsapi.New(sqsapi.Options{
		Region: e.Region(), BaseEndpoint: sdk.String(e.URL()), HTTPClient: &http.Client{Transport: e.Transport()},
		Credentials: credentials.NewStaticCredentialsProvider("AKIDEXAMPLE", "secret", ""),
	})
	if _, err := client.SendMessage(t.Context(), in); err != nil {
		t.Fatal(err)
	}
}

func putRaw(t testing.TB, e *awslocal.Endpoint, url, body string, attributes map[string]string) {
	t.Helper()
	in := &sqsapi.SendMessageInput{QueueUrl: &url, MessageBody: &body, MessageAttributes: map[string]types.MessageAttributeValue{}}
	for name, value := range attributes {
		in.MessageAttributes[name] = types.MessageAttributeValue{DataType: sdk.String("String"), StringValue: &value}
	}
	put(t, e, in)
}
