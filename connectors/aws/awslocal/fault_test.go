package awslocal_test

import (
	"errors"
	"io"
	"net/http"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"
	"github.com/aws/aws-sdk-go-v2/service/sts"

	"github.com/jmsbridge/jmsbridge/connectors/aws/awslocal"
)

func TestRefusalsHaveTheCodesThatTheSDKShows(t *testing.T) {
	for _, tt := range []struct {
		code   string
		want   string
		status int
	}{
		{"", "InternalError", 500},
		{"ServiceUnavailable", "ServiceUnavailable", 503},
		{"RequestThrottled", "RequestThrottled", 400},
		{"ThrottlingException", "ThrottlingException", 400},
		{"ExpiredToken", "ExpiredToken", 403},
		{"AccessDenied", "AccessDenied", 403},
		{"KmsDisabled", "KMS.DisabledException", 400},
		{"KmsThrottled", "KMS.ThrottlingException", 400},
		{"KmsOptInRequired", "KMS.OptInRequired", 403},
		{"QueueDoesNotExist", "AWS.SimpleQueueService.NonExistentQueue", 400},
	} {
		t.Run(tt.want, func(t *testing.T) {
			e := start(t, awslocal.Options{})
			c, url := client(t, e), queue(t, e, "q", nil)
			fault := e.Inject(awslocal.Fault{Code: tt.code, Times: 1})
			in := &sqs.SendMessageBatchInput{QueueUrl: url, Entries: entries("m", 3)}
			_, err := c.SendMessageBatch(within(t, 5*time.Second), in)
			if code(err) != tt.want {
				t.Errorf("error %v", err)
			}
			var status interface{ HTTPStatusCode() int }
			if !errors.As(err, &status) || status.HTTPStatusCode() != tt.status {
				t.Errorf("status of %v", err)
			}
			if fault.Fired() != 1 || !fault.Over() {
				t.Errorf("fired %d", fault.Fired())
			}
			if out, err := c.SendMessageBatch(within(t, 5*time.Second), in); err != nil || len(out.Successful) != 3 {
				t.Errorf("after the fault: %v", err)
			}
			sends := e.Log().Sends("q")
			if len(sends) != 6 || sends[0].Outcome != awslocal.Refused || sends[0].Code != tt.want || !sends[0].Faulted ||
				sends[5].Outcome != awslocal.Accepted || sends[5].Faulted {
				t.Errorf("log %+v", sends)
			}
		})
	}
}

func TestResetsSayWhetherTheCallWasProcessed(t *testing.T) {
	for _, tt := range []struct {
		kind    awslocal.FaultKind
		outcome awslocal.Outcome
		depth   int
	}{
		{awslocal.ResetBefore, awslocal.NotProcessed, 0},
		{awslocal.ResetAfter, awslocal.AnswerLost, 3},
		{awslocal.StallBefore, awslocal.NotProcessed, 0},
		{awslocal.StallAfter, awslocal.AnswerLost, 3},
	} {
		t.Run(tt.outcome.String(), func(t *testing.T) {
			e := start(t, awslocal.Options{})
			c, url := client(t, e), queue(t, e, "q", nil)
			fault := e.Inject(awslocal.Fault{Kind: tt.kind, Delay: 10 * time.Millisecond})
			_, err := c.SendMessageBatch(within(t, 5*time.Second), &sqs.SendMessageBatchInput{QueueUrl: url, Entries: entries("m", 3)})
			if !errors.Is(err, syscall.ECONNRESET) && !errors.Is(err, io.EOF) {
				t.Errorf("error %v", err)
			}
			if fault.Fired() != 1 {
				t.Errorf("fired %d", fault.Fired())
			}
			if n := e.Depth("q").Total(); n != tt.depth {
				t.Errorf("%d messages", n)
			}
			if r := e.Log().Sends("q"); len(r) != 3 || r[0].Outcome != tt.outcome || !r[0].Faulted {
				t.Errorf("log %+v", r)
			}
		})
	}
}

func TestEntriesFailAsChosen(t *testing.T) {
	e := start(t, awslocal.Options{})
	c, url := client(t, e), queue(t, e, "q", nil)
	fault := e.Inject(awslocal.Fault{Kind: awslocal.FailEntries, Match: func(r *awslocal.Record) bool { return r.Text("MessageID") == "ID:m1" || r.Entry == 4 }})
	out, err := c.SendMessageBatch(within(t, 5*time.Second), &sqs.SendMessageBatchInput{QueueUrl: url, Entries: entries("m", 5)})
	if err != nil {
		t.Fatal(err)
	}
	if len(out.Failed) != 2 || *out.Failed[0].Id != "1" || *out.Failed[1].Id != "4" || out.Failed[0].SenderFault || *out.Failed[0].Code != "InternalError" {
		t.Errorf("failed %+v", out.Failed)
	}
	if len(out.Successful) != 3 || e.Depth("q").Visible != 3 || fault.Fired() != 2 {
		t.Errorf("%d successful, %d there, fired %d", len(out.Successful), e.Depth("q").Visible, fault.Fired())
	}
	r := e.Log().Sends("q")
	if r[1].Outcome != awslocal.Refused || r[1].Stored() || r[0].Outcome != awslocal.Accepted || !r[0].Stored() {
		t.Errorf("log %+v", r)
	}
}

func TestAShareOfTheCallsFails(t *testing.T) {
	e := start(t, awslocal.Options{Seed: 7})
	c, url := client(t, e), queue(t, e, "q", nil)
	fault := e.Inject(awslocal.Fault{Code: "RequestThrottled", Share: 0.3})
	failed := 0
	for range 200 {
		_, err := c.SendMessage(within(t, 5*time.Second), &sqs.SendMessageInput{QueueUrl: url, MessageBody: aws.String("x")})
		if err != nil {
			failed++
		}
	}
	if failed != fault.Fired() || failed < 40 || failed > 80 {
		t.Errorf("%d of 200 failed, fired %d", failed, fault.Fired())
	}
	fault.Remove()
	if _, err := c.SendMessage(within(t, 5*time.Second), &sqs.SendMessageInput{QueueUrl: url, MessageBody: aws.String("x")}); err != nil {
		t.Errorf("after it was removed: %v", err)
	}
}

func TestLatencyIsServiceTimeInVirtualTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := awslocal.New(awslocal.Options{Latency: 20 * time.Millisecond, Keys: []awslocal.Key{{ID: "AKIDTEST", Secret: "secret"}}}, "http://sqs.test")
		defer func() { _ = e.Close() }()
		url := queue(t, e, "q", nil)
		c := client(t, e, func(o *sqs.Options) { o.HTTPClient = &http.Client{Transport: e.Transport()} })
		began := time.Now()
		if _, err := c.SendMessageBatch(t.Context(), &sqs.SendMessageBatchInput{QueueUrl: url, Entries: entries("m", 3)}); err != nil {
			t.Fatal(err)
		}
		if d := time.Since(began); d != 20*time.Millisecond {
			t.Errorf("took %v", d)
		}
		e.Inject(awslocal.Fault{Kind: awslocal.StallAfter})
		began = time.Now()
		_, err := c.SendMessage(within(t, time.Hour), &sqs.SendMessageInput{QueueUrl: url, MessageBody: aws.String("x")})
		if err == nil || time.Since(began) != time.Hour {
			t.Errorf("stalled for %v: %v", time.Since(began), err)
		}
		e.ClearFaults()
		// The hidden ones come back after their visibility timeout, and a long poll wakes for them.
		for range 4 {
			if _, err := c.ReceiveMessage(t.Context(), &sqs.ReceiveMessageInput{QueueUrl: url, VisibilityTimeout: 10}); err != nil {
				t.Fatal(err)
			}
		}
		began = time.Now()
		got, err := c.ReceiveMessage(t.Context(), &sqs.ReceiveMessageInput{QueueUrl: url, WaitTimeSeconds: 20})
		if d := time.Since(began); err != nil || len(got.Messages) != 1 || d < 9*time.Second || d > 11*time.Second {
			t.Errorf("woke after %v with %+v: %v", d, got, err)
		}
	})
}

func TestSignaturesAreChecked(t *testing.T) {
	e := start(t, awslocal.Options{Keys: []awslocal.Key{{ID: "AKIDTEST", Secret: "secret", Account: "222233334444"}}})
	for _, tt := range []struct{ name, id, secret, token, want string }{
		{"the right key", "AKIDTEST", "secret", "", ""},
		{"an unknown key", "AKIDOTHER", "secret", "", "InvalidClientTokenId"},
		{"a wrong secret", "AKIDTEST", "wrong", "", "SignatureDoesNotMatch"},
		{"a foreign token", "AKIDTEST", "secret", "x", "InvalidClientTokenId"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			creds := credentials.NewStaticCredentialsProvider(tt.id, tt.secret, tt.token)
			c := client(t, e, func(o *sqs.Options) { o.Credentials = creds })
			if _, err := c.ListQueues(within(t, 5*time.Second), &sqs.ListQueuesInput{}); (err != nil) != (tt.want != "") || code(err) != tt.want {
				t.Errorf("SQS: %v", err)
			}
			s := sts.New(sts.Options{Region: "us-east-1", BaseEndpoint: aws.String(e.URL()), Credentials: creds, Retryer: aws.NopRetryer{}, HTTPClient: transportOf(t)})
			who, err := s.GetCallerIdentity(within(t, 5*time.Second), &sts.GetCallerIdentityInput{})
			if (err != nil) != (tt.want != "") || code(err) != tt.want {
				t.Errorf("STS: %v", err)
			}
			if err == nil && (*who.Account != "222233334444" || *who.Arn != "arn:aws:iam::222233334444:user/local") {
				t.Errorf("%+v", who)
			}
		})
	}
}

func TestAnAssumedRoleSigns(t *testing.T) {
	const role = "arn:aws:iam::555566667777:role/bridge"
	e := start(t, awslocal.Options{Keys: []awslocal.Key{{ID: "AKIDTEST", Secret: "secret"}}, Roles: []awslocal.Role{{ARN: role, ExternalID: "x1"}}})
	s := sts.New(sts.Options{
		Region: "us-east-1", BaseEndpoint: aws.String(e.URL()), Retryer: aws.NopRetryer{}, HTTPClient: transportOf(t),
		Credentials: credentials.NewStaticCredentialsProvider("AKIDTEST", "secret", ""),
	})
	ctx := within(t, 5*time.Second)
	if _, err := s.AssumeRole(ctx, &sts.AssumeRoleInput{RoleArn: aws.String(role), RoleSessionName: aws.String("s")}); code(err) != "AccessDenied" {
		t.Errorf("without the external id: %v", err)
	}
	out, err := s.AssumeRole(ctx, &sts.AssumeRoleInput{RoleArn: aws.String(role), RoleSessionName: aws.String("s"), ExternalId: aws.String("x1")})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := e.CreateQueue(awslocal.QueueOptions{Name: "theirs", Account: "555566667777"}); err != nil {
		t.Fatal(err)
	}
	c := client(t, e, func(o *sqs.Options) {
		o.Credentials = credentials.NewStaticCredentialsProvider(*out.Credentials.AccessKeyId, *out.Credentials.SecretAccessKey, *out.Credentials.SessionToken)
	})
	u, err := c.GetQueueUrl(ctx, &sqs.GetQueueUrlInput{QueueName: aws.String("theirs")})
	if err != nil || *u.QueueUrl != e.URL()+"/555566667777/theirs" {
		t.Errorf("%v %+v", err, u)
	}
}

func TestDenyRulesRefuse(t *testing.T) {
	e := start(t, awslocal.Options{Deny: []awslocal.Rule{{Action: "sqs:GetQueueAttributes", Queue: "q"}}})
	c, url := client(t, e), queue(t, e, "q", nil)
	ctx := within(t, 5*time.Second)
	in := &sqs.GetQueueAttributesInput{QueueUrl: url, AttributeNames: []types.QueueAttributeName{"All"}}
	if _, err := c.GetQueueAttributes(ctx, in); code(err) != "AccessDenied" {
		t.Errorf("error %v", err)
	}
	if _, err := c.SendMessage(ctx, &sqs.SendMessageInput{QueueUrl: url, MessageBody: aws.String("x")}); err != nil {
		t.Errorf("another action: %v", err)
	}
	e.Allow()
	if _, err := c.GetQueueAttributes(ctx, in); err != nil {
		t.Errorf("allowed again: %v", err)
	}
}

func TestTheLogKeepsTheNewest(t *testing.T) {
	e := start(t, awslocal.Options{LogRecords: 10, LogWithoutBodies: true})
	c, url := client(t, e), queue(t, e, "q", nil)
	for range 5 {
		if _, err := c.SendMessageBatch(within(t, 5*time.Second), &sqs.SendMessageBatchInput{QueueUrl: url, Entries: entries("m", 5)}); err != nil {
			t.Fatal(err)
		}
	}
	sends := e.Log().Sends("q")
	if e.Log().Len() != 25 || len(sends) < 10 || len(sends) > 15 || sends[len(sends)-1].Number != 25 || sends[0].Body != "" || sends[0].BodySize != 2 {
		t.Errorf("%d made, kept %+v", e.Log().Len(), sends)
	}
}

func TestTooLargeARequestIsRefusedUnread(t *testing.T) {
	e := start(t, awslocal.Options{})
	r, err := http.NewRequestWithContext(within(t, 5*time.Second), http.MethodPost, e.URL(), io.LimitReader(zeros{}, 9<<20))
	if err != nil {
		t.Fatal(err)
	}
	r.ContentLength = 9 << 20
	answer, err := transportOf(t).Do(r)
	if err != nil {
		return // the connection was closed while we wrote
	}
	defer func() { _ = answer.Body.Close() }()
	if answer.StatusCode != http.StatusRequestEntityTooLarge {
		t.Errorf("status %d", answer.StatusCode)
	}
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }
