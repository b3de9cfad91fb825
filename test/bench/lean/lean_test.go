package lean_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"
	"go.uber.org/goleak"

	"github.com/jmsbridge/jmsbridge/test/bench/lean"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func newClient(t testing.TB, latency time.Duration) (*lean.Endpoint, *sqs.Client) {
	e, err := lean.Start("127.0.0.1:0", latency)
	if err != nil {
		t.Fatal(err)
	}
	transport := &http.Transport{MaxIdleConnsPerHost: 32}
	t.Cleanup(func() {
		transport.CloseIdleConnections()
		if err := e.Close(); err != nil {
			t.Error(err)
		}
	})
	return e, sqs.New(sqs.Options{
		Region: "us-east-1", BaseEndpoint: aws.String(e.URL()), Retryer: aws.NopRetryer{}, HTTPClient: &http.Client{Transport: transport},
		Credentials: credentials.NewStaticCredentialsProvider("AKID", "secret", ""),
	})
}

func batch(bodies ...string) []types.SendMessageBatchRequestEntry {
	var out []types.SendMessageBatchRequestEntry
	for i, b := range bodies {
		out = append(out, types.SendMessageBatchRequestEntry{
			Id: aws.String(fmt.Sprint(i)), MessageBody: aws.String(b), MessageGroupId: aws.String("g"),
			MessageAttributes: map[string]types.MessageAttributeValue{
				"MessageBody": {DataType: aws.String("String"), StringValue: aws.String(`"Id":"{[x\`)},
			},
		})
	}
	return out
}

func TestTheSDKTakesTheAnswers(t *testing.T) {
	e, c := newClient(t, 0)
	e.Reset(0, true)
	u, err := c.GetQueueUrl(t.Context(), &sqs.GetQueueUrlInput{QueueName: aws.String("q.fifo")})
	if err != nil {
		t.Fatal(err)
	}
	a, err := c.GetQueueAttributes(t.Context(), &sqs.GetQueueAttributesInput{QueueUrl: u.QueueUrl, AttributeNames: []types.QueueAttributeName{"All"}})
	if err != nil || a.Attributes["FifoQueue"] != "true" || a.Attributes["MaximumMessageSize"] != "1048576" {
		t.Fatal(err, a)
	}
	// The SDK checks each digest.
	bodies := []string{"plain", "tab\tand \"quotes\" and \\", strings.Repeat("x", 100_000), "ä \U0001F600 <&>", `\\"`}
	for range 2 {
		out, err := c.SendMessageBatch(t.Context(), &sqs.SendMessageBatchInput{QueueUrl: u.QueueUrl, Entries: batch(bodies...)})
		if err != nil {
			t.Fatal(err)
		}
		if len(out.Successful) != len(bodies) || aws.ToString(out.Successful[4].Id) != "4" || out.Successful[0].SequenceNumber == nil {
			t.Errorf("%+v", out)
		}
	}
	if s := e.Stats(); s.Messages != 10 || s.Requests != 2 || s.Distinct != 5 || s.First == 0 || s.Last < s.First {
		t.Errorf("%+v", s)
	}
	e.Reset(0, false)
	if s := e.Stats(); s != (lean.Stats{}) {
		t.Errorf("after the reset: %+v", s)
	}
}

func TestTheServiceTimeIsFixed(t *testing.T) {
	_, c := newClient(t, 50*time.Millisecond)
	began := time.Now()
	if _, err := c.SendMessageBatch(t.Context(), &sqs.SendMessageBatchInput{QueueUrl: aws.String("http://x/1/q"), Entries: batch("x")}); err != nil {
		t.Fatal(err)
	}
	if d := time.Since(began); d < 50*time.Millisecond {
		t.Errorf("took %v", d)
	}
}

// BenchmarkBatch is a whole call, the SDK's share included.
func BenchmarkBatch(b *testing.B) {
	_, c := newClient(b, 0)
	var bodies []string
	for range 10 {
		bodies = append(bodies, strings.Repeat("x", 1024))
	}
	in := &sqs.SendMessageBatchInput{QueueUrl: aws.String("http://x/1/q"), Entries: batch(bodies...)}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := c.SendMessageBatch(b.Context(), in); err != nil {
			b.Fatal(err)
		}
	}
}
