package sqs_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"io"
	"net/http"
	"sync"
	"testing"
	"time"

	sdk "github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/aws/aws-sdk-go-v2/credentials"
	sqsapi "github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"
	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/jmsbridge/jmsbridge/bridge"
	"github.com/jmsbridge/jmsbridge/connectors/aws"
	"github.com/jmsbridge/jmsbridge/connectors/aws/awslocal"
	"github.com/jmsbridge/jmsbridge/connectors/aws/sqs"
)

// recorder keeps the last request that went through it.
type recorder struct {
	next http.RoundTripper

	mu     sync.Mutex
	header http.Header
	url    string
	body   []byte
}

func (r *recorder) RoundTrip(req *http.Request) (*http.Response, error) {
	body, err := io.ReadAll(req.Body)
	if err != nil {
		return nil, err
	}
	_ = req.Body.Close()
	r.mu.Lock()
	r.header, r.url, r.body = req.Header.Clone(), req.URL.String(), body
	r.mu.Unlock()
	again := req.Clone(req.Context())
	again.Body = io.NopCloser(bytes.NewReader(body))
	return r.next.RoundTrip(again)
}

// asSDK sends the recorded batch with the SDK and returns what the SDK wrote.
func asSDK(t *rapid.T, e *awslocal.Endpoint, body []byte) []byte {
	var in struct {
		QueueUrl string //nolint:staticcheck // the API's spelling
		Entries  []struct {
			Id, MessageBody         string //nolint:staticcheck // the API's spelling
			MessageAttributes       map[string]types.MessageAttributeValue
			MessageSystemAttributes map[string]types.MessageSystemAttributeValue
			MessageGroupId          *string //nolint:staticcheck // the API's spelling
			MessageDeduplicationId  *string //nolint:staticcheck // the API's spelling
		}
	}
	d := json.NewDecoder(bytes.NewReader(body))
	d.DisallowUnknownFields()
	if err := d.Decode(&in); err != nil {
		t.Fatalf("%v in %s", err, body)
	}
	out := &sqsapi.SendMessageBatchInput{QueueUrl: &in.QueueUrl}
	for _, entry := range in.Entries {
		out.Entries = append(out.Entries, types.SendMessageBatchRequestEntry{
			Id: &entry.Id, MessageBody: &entry.MessageBody, MessageAttributes: entry.MessageAttributes,
			MessageSystemAttributes: entry.MessageSystemAttributes, MessageGroupId: entry.MessageGroupId, MessageDeduplicationId: entry.MessageDeduplicationId,
		})
	}
	rec := &recorder{next: e.Transport()}
	client := sqsapi.New(sqsapi.Options{
		Region: e.Region(), BaseEndpoint: sdk.String(e.URL()), Retryer: sdk.NopRetryer{}, HTTPClient: &http.Client{Transport: rec},
		Credentials: credentials.NewStaticCredentialsProvider("AKIDEXAMPLE", "secret", ""),
	})
	// The SDK checks the digests of body and attributes in the answer itself.
	answer, err := client.SendMessageBatch(t.Context(), out)
	if err != nil || len(answer.Failed) > 0 {
		t.Fatalf("the SDK: %v, %v", err, answer)
	}
	return rec.body
}

func TestRequestsAreWhatTheSDKWouldWrite(t *testing.T) {
	for _, name := range []string{"orders", "orders.fifo"} {
		t.Run(name, func(t *testing.T) {
			e := awslocal.New(awslocal.Options{LogRecords: -1}, "http://sqs.test")
			t.Cleanup(func() { _ = e.Close() })
			queue(t, e, name, nil)
			rec := &recorder{next: e.Transport()}
			client := clientFor(t, e, func(s *aws.Settings) { s.RoundTripper = rec })
			s := connected(t, sqs.SinkSettings{Client: client, Queue: name, ObjectBase64: true})
			rapid.Check(t, func(r *rapid.T) {
				var batch []bridge.Outgoing
				for range rapid.IntRange(1, 10).Draw(r, "messages") {
					batch = append(batch, bridge.Outgoing{
						Message: messages.Draw(r, "message"), Group: words.Draw(r, "group"), DedupID: words.Draw(r, "dedup"),
					})
				}
				res := unanswered(len(batch))
				if err := s.Send(t.Context(), batch, res); err != nil {
					r.Fatal(err)
				}
				for i := range res {
					if res[i].Err != nil {
						r.Fatal(res[i].Err)
					}
				}
				var ours, theirs any
				if err := json.Unmarshal(rec.body, &ours); err != nil {
					r.Fatal(err)
				}
				if err := json.Unmarshal(asSDK(r, e, rec.body), &theirs); err != nil {
					r.Fatal(err)
				}
				if diff := cmp.Diff(theirs, ours); diff != "" {
					r.Fatalf("SDK (-), ours (+):\n%s", diff)
				}
				e.Drain(name)
			})
		})
	}
}

func TestSignaturesAreThoseOfTheSDK(t *testing.T) {
	for _, c := range []struct{ name, endpoint, token, secret string }{
		{"plain", "http://sqs.test", "", "secret"},
		{"token", "http://sqs.test", "a/session+token==", "secret"},
		{"default port", "http://sqs.test:80", "", "secret"},
		{"port and path", "http://sqs.test:8080/some path/x~y", "", "another/secret+with/odd=characters-and-longer-than-a-block-of-64-bytes"},
	} {
		t.Run(c.name, func(t *testing.T) {
			e := awslocal.New(awslocal.Options{}, c.endpoint)
			t.Cleanup(func() { _ = e.Close() })
			queue(t, e, "orders", nil)
			rec := &recorder{next: e.Transport()}
			environment(t, "AKIDEXAMPLE", c.secret, c.token)
			client := aws.NewClient(aws.Settings{EndpointURL: c.endpoint, RoundTripper: rec})
			call := caller(t, client, aws.Endpoint{URL: c.endpoint, Region: "us-east-1", Service: "sqs"})
			for _, body := range []string{"{}", `{"QueueUrl":"ü"}`} {
				call.Body = append(call.Body[:0], body...)
				_ = call.Do(t.Context()) // the endpoint's opinion does not matter
				again, err := http.NewRequestWithContext(t.Context(), http.MethodPost, rec.url, bytes.NewReader([]byte(body)))
				if err != nil {
					t.Fatal(err)
				}
				again.Header = rec.header.Clone()
				again.Header.Del("Authorization")
				again.Header.Del("User-Agent")
				at, err := time.Parse("20060102T150405Z", rec.header.Get("X-Amz-Date"))
				if err != nil {
					t.Fatal(err)
				}
				sum := sha256.Sum256([]byte(body))
				creds := sdk.Credentials{AccessKeyID: "AKIDEXAMPLE", SecretAccessKey: c.secret, SessionToken: c.token}
				if err := v4.NewSigner().SignHTTP(t.Context(), creds, again, hex.EncodeToString(sum[:]), "sqs", "us-east-1", at); err != nil {
					t.Fatal(err)
				}
				if diff := cmp.Diff(again.Header.Get("Authorization"), rec.header.Get("Authorization")); diff != "" {
					t.Errorf("SDK (-), ours (+):\n%s", diff)
				}
			}
		})
	}
}

func caller(t *testing.T, client *aws.Client, e aws.Endpoint) *aws.Call {
	t.Helper()
	c, err := client.Caller(e, "AmazonSQS.SendMessageBatch")
	if err != nil {
		t.Fatal(err)
	}
	call := c.Acquire()
	t.Cleanup(call.Release)
	return call
}
