package sqs_test

import (
	"context"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/jmsbridge/jmsbridge/bridge"
	"github.com/jmsbridge/jmsbridge/connectors/aws"
	"github.com/jmsbridge/jmsbridge/connectors/aws/awslocal"
	"github.com/jmsbridge/jmsbridge/connectors/aws/sqs"
)

// refusal connects a sink that can't work and returns why.
func refusal(t *testing.T, client *aws.Client, queueName string) *bridge.Error {
	t.Helper()
	s, err := sqs.NewSink(sqs.SinkSettings{Client: client, Queue: queueName})
	if err != nil {
		t.Fatal(err)
	}
	err = s.Connect(t.Context())
	if err == nil {
		_ = s.Close(t.Context())
		t.Fatal("connected")
	}
	for _, secret := range []string{"secret", "session-token", "AKIDEXAMPLE"} {
		if strings.Contains(err.Error(), secret) {
			t.Errorf("%q shows %q", err, secret)
		}
	}
	return bridge.AsError(err)
}

func TestWhatTheConfigurationHasWrongIsFatalAndSaysWhatToDo(t *testing.T) {
	key := awslocal.Key{ID: "AKIDEXAMPLE", Secret: "secret", SessionToken: "session-token"}
	for name, c := range map[string]struct{ id, secret, token, queue, code string }{
		"no such queue":  {key.ID, key.Secret, key.SessionToken, "missing", "AWS.SimpleQueueService.NonExistentQueue"},
		"missing by arn": {key.ID, key.Secret, key.SessionToken, "arn:aws:sqs:us-east-1:111111111111:orders", "AWS.SimpleQueueService.NonExistentQueue"},
		"unknown key":    {"AKIDOTHEREXAMPLE", key.Secret, key.SessionToken, "orders", "InvalidClientTokenId"},
		"wrong token":    {key.ID, key.Secret, "other", "orders", "InvalidClientTokenId"},
		"wrong secret":   {key.ID, "other", key.SessionToken, "orders", "SignatureDoesNotMatch"},
		"no credentials": {"", "", "", "orders", "NoCredentials"},
	} {
		t.Run(name, func(t *testing.T) {
			e := start(t, awslocal.Options{Keys: []awslocal.Key{key}})
			queue(t, e, "orders", nil)
			client := clientFor(t, e)
			environment(t, c.id, c.secret, c.token)
			err := refusal(t, client, c.queue)
			if err.Class != bridge.Fatal || err.Code != c.code || err.Remedy == "" {
				t.Errorf("%v: class %v, code %q, remedy %q", err, err.Class, err.Code, err.Remedy)
			}
		})
	}
}

func TestAQueueIsFoundByNameURLAndARN(t *testing.T) {
	e := start(t, awslocal.Options{})
	url := queue(t, e, "orders", nil)
	other, err := e.CreateQueue(awslocal.QueueOptions{Name: "theirs", Account: "210987654321"})
	if err != nil {
		t.Fatal(err)
	}
	client := clientFor(t, e)
	for _, spelling := range []string{"orders", url, e.QueueARN("orders")} {
		s := connected(t, sqs.SinkSettings{Client: client, Queue: spelling})
		send(t, s, batchOf(1)...)
		if got := len(e.Drain(url)); got != 1 {
			t.Errorf("%s: %d messages arrived", spelling, got)
		}
	}
	s := connected(t, sqs.SinkSettings{Client: client, Queue: "arn:aws:sqs:us-east-1:210987654321:theirs"})
	send(t, s, batchOf(1)...)
	if got := len(e.Drain(other)); got != 1 {
		t.Errorf("another account's queue: %d messages arrived", got)
	}
}

func TestAQueueURLWithAHostOfItsOwnIsWhereCallsGo(t *testing.T) {
	e := start(t, awslocal.Options{})
	url := queue(t, e, "orders", nil)
	environment(t, "AKIDEXAMPLE", "secret", "")
	client := aws.NewClient(aws.Settings{})
	t.Cleanup(client.Close)
	s := connected(t, sqs.SinkSettings{Client: client, Queue: url})
	send(t, s, batchOf(1)...)
	if got := len(e.Drain(url)); got != 1 {
		t.Errorf("%d messages arrived", got)
	}
}

func TestQueuesThatAreNoneAreRefused(t *testing.T) {
	client := aws.NewClient(aws.Settings{})
	for _, name := range []string{
		"", "a b", "orders.fifo.x", strings.Repeat("x", 81), ".fifo", "arn:aws:sqs:eu-west-1:orders", "arn:aws:sns:eu-west-1:123456789012:orders",
		"https://sqs.eu-west-1.amazonaws.com/", "ftp://host/1/orders", "https://user:password@host/1/orders",
	} {
		if _, err := sqs.NewSink(sqs.SinkSettings{Client: client, Queue: name}); err == nil {
			t.Errorf("%q is taken", name)
		}
	}
}

func TestMissingRightsToLookAreRemarked(t *testing.T) {
	e := start(t, awslocal.Options{})
	queue(t, e, "orders", nil)
	e.Deny(awslocal.Rule{Action: "GetQueueUrl"})
	e.Deny(awslocal.Rule{Action: "GetQueueAttributes"})
	s := connected(t, sqs.SinkSettings{Client: clientFor(t, e), Queue: "orders"})
	send(t, s, batchOf(2)...)
	if got := len(e.Messages("orders")); got != 2 {
		t.Errorf("%d messages arrived", got)
	}
	if r := s.Remarks(); len(r) != 2 || !strings.Contains(r[0], "sqs:GetQueueUrl") || !strings.Contains(r[1], "256 KiB") {
		t.Errorf("remarks %q", r)
	}
	for size, ok := range map[int]bool{250 << 10: true, 260 << 10: false} {
		_, err := s.Size(&bridge.Outgoing{Message: text(strings.Repeat("x", size))})
		if (err == nil) != ok {
			t.Errorf("%d bytes: %v", size, err)
		}
	}
	in, err := s.Inspect(t.Context())
	if err != nil || len(in.Warnings) != 2 {
		t.Errorf("%+v, %v", in, err)
	}
}

func TestInspectSaysWhatTheQueueIs(t *testing.T) {
	e := start(t, awslocal.Options{})
	queue(t, e, "dead.fifo", nil)
	queue(t, e, "orders.fifo", map[string]string{
		"MaximumMessageSize": "65536", "MessageRetentionPeriod": "3600", "KmsMasterKeyId": "alias/orders",
		"RedrivePolicy": `{"deadLetterTargetArn":"` + e.QueueARN("dead.fifo") + `","maxReceiveCount":"3"}`,
	})
	s, err := sqs.NewSink(sqs.SinkSettings{Client: clientFor(t, e), Queue: "orders.fifo"})
	if err != nil {
		t.Fatal(err)
	}
	in, err := s.Inspect(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	facts := map[string]string{}
	for _, f := range in.Facts {
		facts[f.Name] = f.Value
	}
	for name, want := range map[string]string{
		"queue url": e.QueueURL("orders.fifo"), "largest message": "65536 bytes", "keeps messages": "1h0m0s", "encrypted with": "alias/orders",
		"its dead-letter queue": e.QueueARN("dead.fifo"), "received at most": "3 times", "deduplication scope": "queue", "throughput limit": "perQueue",
	} {
		if facts[name] != want {
			t.Errorf("%s is %q, not %q", name, facts[name], want)
		}
	}
	if in.Peer != "SQS FIFO queue orders.fifo" || !strings.HasPrefix(facts["caller"], "arn:aws:") {
		t.Errorf("peer %q, caller %q", in.Peer, facts["caller"])
	}
	var all string
	for _, w := range in.Warnings {
		all += w.Text + "\n"
	}
	for _, want := range []string{"forgets messages after 1h0m0s", "at most 65536 bytes", "300 calls a second"} {
		if !strings.Contains(all, want) {
			t.Errorf("no warning of %q in\n%s", want, all)
		}
	}
	if e.Log().Calls("SendMessageBatch") != 0 {
		t.Error("something was sent")
	}
}

// faulty is a network in which some requests fail.
type faulty struct {
	next  http.RoundTripper
	fault atomic.Pointer[func(*http.Request) error] // nil, or what returns nil: the request goes on
}

func (f *faulty) set(fault func(*http.Request) error) {
	f.fault.Store(&fault)
	if fault == nil {
		f.fault.Store(nil)
	}
}

func (f *faulty) RoundTrip(r *http.Request) (*http.Response, error) {
	if fault := f.fault.Load(); fault != nil {
		if err := (*fault)(r); err != nil {
			_ = r.Body.Close()
			return nil, err
		}
	}
	return f.next.RoundTrip(r)
}

// unresolved is what the network says of a host whose name nobody knows.
func unresolved(host string) error {
	return &net.OpError{Op: "dial", Net: "tcp", Err: &net.DNSError{Err: "no such host", Name: host, Server: "10.0.0.2:53", IsNotFound: true}}
}

func TestInspectGoesOnWhenSTSIsNotReached(t *testing.T) {
	environment(t, "AKIDEXAMPLE", "secret", "")
	for name, fail := range map[string]func(*http.Request) error{
		"no such host": func(r *http.Request) error { return unresolved(r.URL.Hostname()) },
		"refused":      func(*http.Request) error { return &net.OpError{Op: "dial", Net: "tcp", Err: syscall.ECONNREFUSED} },
		"reset":        func(*http.Request) error { return &net.OpError{Op: "read", Net: "tcp", Err: syscall.ECONNRESET} },
		"silent": func(r *http.Request) error {
			<-r.Context().Done()
			return r.Context().Err()
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				e := awslocal.New(awslocal.Options{}, "http://sqs.test")
				queue(t, e, "orders", map[string]string{"MaximumMessageSize": "65536"})
				var failed atomic.Int32
				network := &faulty{next: e.Transport()}
				network.set(func(r *http.Request) error {
					if r.URL.Hostname() != "sts.us-east-1.amazonaws.com" {
						return nil
					}
					failed.Add(1)
					return fail(r)
				})
				client := aws.NewClient(aws.Settings{Region: "us-east-1", RoundTripper: network})
				s, err := sqs.NewSink(sqs.SinkSettings{Client: client, Queue: e.QueueURL("orders")})
				if err != nil {
					t.Fatal(err)
				}
				ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
				defer cancel()
				in, err := s.Inspect(ctx)
				if err != nil || failed.Load() == 0 {
					t.Fatalf("%v, %d calls failed", err, failed.Load())
				}
				facts := map[string]string{}
				for _, f := range in.Facts {
					facts[f.Name] = f.Value
				}
				if in.Peer != "SQS standard queue orders" || facts["largest message"] != "65536 bytes" || facts["caller"] != "" {
					t.Errorf("%+v", in)
				}
				if w := in.Warnings; len(w) != 2 || !strings.Contains(w[0].Text, "who the credentials belong to") || w[0].Remedy == "" {
					t.Errorf("%+v", w)
				}
				_ = e.Close()
			})
		})
	}
}

func TestTheQueuesLimitIsReadAgainEachHour(t *testing.T) {
	environment(t, "AKIDEXAMPLE", "secret", "")
	synctest.Test(t, func(t *testing.T) {
		e := awslocal.New(awslocal.Options{}, "http://sqs.test")
		queue(t, e, "orders", map[string]string{"MaximumMessageSize": "1048576"})
		client := aws.NewClient(aws.Settings{EndpointURL: e.URL(), Region: "us-east-1", RoundTripper: e.Transport()})
		s := connected(t, sqs.SinkSettings{Client: client, Queue: "orders"})
		large := &bridge.Outgoing{Message: text(strings.Repeat("x", 400<<10))}
		if _, err := s.Size(large); err != nil {
			t.Fatal(err)
		}
		setAttribute(t, e, "orders", "MaximumMessageSize", "262144")
		<-time.After(30 * time.Minute)
		if _, err := s.Size(large); err != nil {
			t.Fatalf("after half an hour: %v", err)
		}
		<-time.After(31 * time.Minute)
		synctest.Wait()
		_, err := s.Size(large)
		if e := bridge.AsError(err); e == nil || e.Class != bridge.Permanent || e.Code != "TooLarge" || e.Remedy == "" {
			t.Errorf("after an hour: %v", err)
		}
		if err := s.Close(t.Context()); err != nil {
			t.Error(err)
		}
		_ = e.Close()
	})
}
