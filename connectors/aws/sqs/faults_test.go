package sqs_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/sqs/types"
	smithy "github.com/aws/smithy-go"

	"github.com/jmsbridge/jmsbridge/bridge"
	"github.com/jmsbridge/jmsbridge/connectors/aws"
	"github.com/jmsbridge/jmsbridge/connectors/aws/awslocal"
	"github.com/jmsbridge/jmsbridge/connectors/aws/sqs"
)

func batchOf(n int) []bridge.Outgoing {
	var out []bridge.Outgoing
	for i := range n {
		out = append(out, bridge.Outgoing{Message: text(fmt.Sprint("body ", i)), DedupID: fmt.Sprint(i), Group: fmt.Sprint("g", i)})
	}
	return out
}

func TestRefusedEntriesFailAndTheOthersArrive(t *testing.T) {
	for _, c := range []struct {
		code  string
		fault bool
		want  bridge.Class
	}{
		{"InternalError", false, bridge.Transient},
		{"ServiceUnavailable", false, bridge.Transient},
		{"InternalError", true, bridge.Transient},
		{"InvalidMessageContents", true, bridge.Permanent},
		{"InvalidParameterValue", true, bridge.Permanent},
		{"BatchRequestTooLong", true, bridge.Permanent},
		{"SomethingNew", true, bridge.Permanent},
		{"SomethingNew", false, bridge.Transient},
		{"RequestThrottled", true, bridge.Throttled},
		{"ThrottlingException", false, bridge.Throttled},
		{"KmsThrottled", true, bridge.Throttled},
		{"KmsDisabled", true, bridge.Fatal},
		{"AccessDenied", true, bridge.Fatal},
	} {
		t.Run(fmt.Sprint(c.code, " ", c.fault), func(t *testing.T) {
			e := start(t, awslocal.Options{})
			queue(t, e, "orders", nil)
			s := connected(t, sqs.SinkSettings{Client: clientFor(t, e), Queue: "orders"})
			i := e.Inject(awslocal.Fault{
				Kind: awslocal.FailEntries, Code: c.code, SenderFault: c.fault, Message: "because",
				Match: func(r *awslocal.Record) bool { return r.Body == "body 3" || r.Body == "body 7" },
			})
			res := unanswered(10)
			if err := s.Send(t.Context(), batchOf(10), res); err != nil {
				t.Fatal(err)
			}
			if i.Fired() != 2 {
				t.Fatalf("the fault fired %d times", i.Fired())
			}
			for n := range res {
				e := bridge.AsError(res[n].Err)
				switch {
				case n != 3 && n != 7:
					if e != nil || res[n].ID == "" {
						t.Errorf("entry %d: %+v", n, res[n])
					}
				case e == nil || e.Class != c.want || e.RequestID == "" || !strings.Contains(e.Error(), "because"):
					t.Errorf("entry %d: %+v", n, e)
				}
			}
			if got := len(e.Messages("orders")); got != 8 {
				t.Errorf("%d messages arrived", got)
			}
		})
	}
}

func TestARefusedCallHasTheClassOfItsCode(t *testing.T) {
	for _, c := range []struct {
		code          string
		status        int
		raw           string
		batch, single bridge.Class
	}{
		{"RequestThrottled", 0, "", bridge.Throttled, bridge.Throttled},
		{"ThrottlingException", 0, "", bridge.Throttled, bridge.Throttled},
		{"KmsThrottled", 0, "", bridge.Throttled, bridge.Throttled},
		{"OverLimit", 0, "", bridge.Throttled, bridge.Throttled},
		{"Whatever", 429, "", bridge.Throttled, bridge.Throttled},
		{"", 0, "", bridge.Transient, bridge.Transient},
		{"ServiceUnavailable", 0, "", bridge.Transient, bridge.Transient},
		{"Whatever", 504, "", bridge.Transient, bridge.Transient},
		{"Whatever", 502, "<html>Bad Gateway</html>", bridge.Transient, bridge.Transient},
		{"Whatever", 400, "", bridge.Transient, bridge.Transient},
		{"AccessDenied", 0, "", bridge.Fatal, bridge.Fatal},
		{"Whatever", 403, "<html>Forbidden</html>", bridge.Fatal, bridge.Fatal},
		{"QueueDoesNotExist", 0, "", bridge.Fatal, bridge.Fatal},
		{"InvalidClientTokenId", 0, "", bridge.Fatal, bridge.Fatal},
		{"SignatureDoesNotMatch", 403, "", bridge.Fatal, bridge.Fatal},
		{"KmsDisabled", 0, "", bridge.Fatal, bridge.Fatal},
		{"KmsAccessDenied", 0, "", bridge.Fatal, bridge.Fatal},
		{"KmsInvalidState", 0, "", bridge.Fatal, bridge.Fatal},
		{"InvalidMessageContents", 0, "", bridge.Suspect, bridge.Permanent},
		{"InvalidParameterValue", 0, "", bridge.Suspect, bridge.Permanent},
		{"AWS.SimpleQueueService.BatchRequestTooLong", 0, "", bridge.Suspect, bridge.Permanent},
		{"Whatever", 413, "", bridge.Suspect, bridge.Permanent},
	} {
		t.Run(fmt.Sprint(c.code, c.status), func(t *testing.T) {
			e := start(t, awslocal.Options{})
			queue(t, e, "orders", nil)
			s := connected(t, sqs.SinkSettings{Client: clientFor(t, e), Queue: "orders"})
			e.Inject(awslocal.Fault{Kind: awslocal.Refuse, Code: c.code, Status: c.status, Raw: c.raw})
			for n, want := range map[int]bridge.Class{3: c.batch, 1: c.single} {
				err := bridge.AsError(s.Send(t.Context(), batchOf(n), unanswered(n)))
				if err == nil || err.Class != want {
					t.Fatalf("%d messages: %v (%v), want %v", n, err, bridge.ClassOf(err), want)
				}
				if want == bridge.Fatal && err.Remedy == "" {
					t.Errorf("%v says nothing of what to do", err)
				}
				if err.RequestID == "" {
					t.Errorf("%v has no request id", err)
				}
			}
			e.ClearFaults()
			send(t, s, batchOf(2)...)
		})
	}
}

// The KMS errors of SendMessageBatch in the SQS API reference, as the SDK names them, with the code that each has in the
// old protocol. None is the fault of a message: what a dead letter took for one would be the whole queue.
func TestErrorsOfTheQueuesKeyAreTheRoutes(t *testing.T) {
	for _, c := range []struct {
		err    smithy.APIError
		query  string
		status int
		want   bridge.Class
	}{
		{&types.KmsAccessDenied{}, "KMS.AccessDeniedException", 400, bridge.Fatal},
		{&types.KmsDisabled{}, "KMS.DisabledException", 400, bridge.Fatal},
		{&types.KmsInvalidKeyUsage{}, "KMS.InvalidKeyUsageException", 400, bridge.Fatal},
		{&types.KmsInvalidState{}, "KMS.InvalidStateException", 400, bridge.Fatal},
		{&types.KmsNotFound{}, "KMS.NotFoundException", 400, bridge.Fatal},
		{&types.KmsOptInRequired{}, "KMS.OptInRequired", 403, bridge.Fatal},
		{&types.KmsThrottled{}, "KMS.ThrottlingException", 400, bridge.Throttled},
	} {
		name := c.err.ErrorCode()
		check := func(t *testing.T, what string, err error, code string) {
			t.Helper()
			e := bridge.AsError(err)
			if e == nil {
				t.Errorf("%s is no error", what)
			} else if e.Class != c.want || e.Code != code || (c.want == bridge.Fatal) != strings.Contains(e.Remedy, "kms:GenerateDataKey") {
				t.Errorf("%s: %v is %v, remedy %q, want %v", what, err, bridge.ClassOf(err), e.Remedy, c.want)
			}
		}
		t.Run(name, func(t *testing.T) {
			e := start(t, awslocal.Options{})
			queue(t, e, "orders", nil)
			s := connected(t, sqs.SinkSettings{Client: clientFor(t, e), Queue: "orders"})

			call := e.Inject(awslocal.Fault{Kind: awslocal.Refuse, Code: name})
			for _, n := range []int{1, 3} { // a call of one message is no reason to blame it
				check(t, fmt.Sprintf("a call of %d", n), s.Send(t.Context(), batchOf(n), unanswered(n)), c.query)
			}
			if call.Fired() != 2 {
				t.Errorf("the fault of calls fired %d times", call.Fired())
			}
			call.Remove()

			for _, sender := range []bool{true, false} {
				entries := e.Inject(awslocal.Fault{
					Kind: awslocal.FailEntries, Code: name, SenderFault: sender, Match: func(r *awslocal.Record) bool { return r.Entry == 1 },
				})
				res := unanswered(3)
				if err := s.Send(t.Context(), batchOf(3), res); err != nil {
					t.Fatal(err)
				}
				check(t, fmt.Sprintf("an entry, sender fault %v", sender), res[1].Err, c.query)
				if res[0].Err != nil || res[2].Err != nil || entries.Fired() != 1 {
					t.Errorf("the other entries: %v, %v; fired %d", res[0].Err, res[2].Err, entries.Fired())
				}
				entries.Remove()
			}

			// The name of the new protocol alone, as what stands in for SQS says it.
			whole := double(t, func(w http.ResponseWriter, _ *http.Request) {
				w.WriteHeader(c.status)
				_, _ = fmt.Fprintf(w, `{"__type":"com.amazonaws.sqs#%s","message":"because"}`, name)
			})
			check(t, "a call, by its name", whole.Send(t.Context(), batchOf(1), unanswered(1)), name)
			one := double(t, func(w http.ResponseWriter, _ *http.Request) {
				_, _ = fmt.Fprintf(w, `{"Failed":[{"Id":"0","Code":%q,"SenderFault":true}]}`, name)
			})
			res := unanswered(1)
			if err := one.Send(t.Context(), batchOf(1), res); err != nil {
				t.Fatal(err)
			}
			check(t, "an entry, by its name", res[0].Err, name)
		})
	}
}

func TestAConnectionThatEndsAfterTheRequestIsAmbiguous(t *testing.T) {
	for name, fault := range map[string]awslocal.Fault{
		"reset before": {Kind: awslocal.ResetBefore}, "reset after": {Kind: awslocal.ResetAfter},
		"stall before": {Kind: awslocal.StallBefore}, "stall after": {Kind: awslocal.StallAfter},
	} {
		t.Run(name, func(t *testing.T) {
			e := start(t, awslocal.Options{})
			queue(t, e, "orders", nil)
			s := connected(t, sqs.SinkSettings{Client: clientFor(t, e), Queue: "orders"})
			i := e.Inject(fault)
			ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
			defer cancel()
			err := s.Send(ctx, batchOf(2), unanswered(2))
			if bridge.ClassOf(err) != bridge.Ambiguous || err == nil || i.Fired() != 1 {
				t.Fatalf("%v, fired %d", err, i.Fired())
			}
			e.ClearFaults()
			send(t, s, batchOf(2)...)
		})
	}
}

func TestNobodyThereIsTransient(t *testing.T) {
	e := start(t, awslocal.Options{})
	queue(t, e, "orders", nil)
	client := clientFor(t, e)
	s := connected(t, sqs.SinkSettings{Client: client, Queue: "orders"})
	if err := e.Close(); err != nil {
		t.Fatal(err)
	}
	client.Close()
	err := s.Send(t.Context(), batchOf(1), unanswered(1))
	if err == nil || bridge.ClassOf(err) != bridge.Transient {
		t.Errorf("%v is %v", err, bridge.ClassOf(err))
	}
	if err := s.Connect(t.Context()); err == nil || bridge.ClassOf(err) != bridge.Transient {
		t.Errorf("%v is %v", err, bridge.ClassOf(err))
	}
	if err := s.Send(t.Context(), batchOf(1), unanswered(1)); !errors.Is(err, bridge.ErrNotConnected) {
		t.Errorf("after a failed Connect: %v", err)
	}
}

func TestAnUnknownHostIsTransient(t *testing.T) {
	environment(t, "AKIDEXAMPLE", "secret", "")
	client := aws.NewClient(aws.Settings{EndpointURL: "http://no-such-host.invalid", Region: "us-east-1"})
	t.Cleanup(client.Close)
	s, err := sqs.NewSink(sqs.SinkSettings{Client: client, Queue: "orders"})
	if err != nil {
		t.Fatal(err)
	}
	e := bridge.AsError(s.Connect(t.Context()))
	if e == nil || e.Class != bridge.Transient || e.Code != "DNS" {
		t.Errorf("%v is %+v", e, e)
	}
}

// double is an endpoint that answers lookups rightly and batches as told.
func double(t *testing.T, answer http.HandlerFunc) *sqs.Sink {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.Header.Get("X-Amz-Target") {
		case "AmazonSQS.GetQueueUrl":
			_, _ = io.WriteString(w, `{"QueueUrl":"http://`+r.Host+`/123456789012/orders"}`)
		case "AmazonSQS.GetQueueAttributes":
			_, _ = io.WriteString(w, `{"Attributes":{"MaximumMessageSize":"1048576"}}`)
		default:
			answer(w, r)
		}
	}))
	t.Cleanup(server.Close)
	environment(t, "AKIDEXAMPLE", "secret", "")
	client := aws.NewClient(aws.Settings{EndpointURL: server.URL, Region: "us-east-1"})
	t.Cleanup(client.Close)
	return connected(t, sqs.SinkSettings{Client: client, Queue: "orders"})
}

func TestAnswersThatAreNone(t *testing.T) {
	for name, body := range map[string]string{
		"html": "<html>please log in</html>", "empty": "", "no lists": "{}", "half": `{"Successful":[{"Id":"0","MessageId":"m"}`,
		"an entry that was not sent": `{"Successful":[{"Id":"7","MessageId":"m"}]}`, "an id that is none": `{"Successful":[{"Id":"x","MessageId":"m"}]}`,
		"more after it": `{"Successful":[]}{}`, "deep": `{"Successful":[],"x":` + strings.Repeat("[", 1000) + strings.Repeat("]", 1000) + `}`,
	} {
		t.Run(name, func(t *testing.T) {
			s := double(t, func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, body) })
			err := s.Send(t.Context(), batchOf(2), unanswered(2))
			if err == nil || bridge.ClassOf(err) != bridge.Ambiguous {
				t.Errorf("%v is %v", err, bridge.ClassOf(err))
			}
		})
	}
}

// An endpoint that says two things of one entry, or something of one that it was not sent, says nothing that can be
// relied on: a message would be settled that was refused.
func TestAnAnswerThatContradictsItselfIsAmbiguous(t *testing.T) {
	const taken, refused = `{"Id":"%d","MessageId":"m"}`, `{"Id":"%d","Code":"InternalError","SenderFault":false}`
	of := func(s string, i int) string { return fmt.Sprintf(s, i) }
	for name, body := range map[string]string{
		"refused, then taken":                    `{"Failed":[` + of(refused, 0) + `],"Successful":[` + of(taken, 1) + "," + of(taken, 0) + `]}`,
		"taken, then refused":                    `{"Successful":[` + of(taken, 0) + `],"Failed":[` + of(refused, 0) + `]}`,
		"taken twice":                            `{"Successful":[` + of(taken, 0) + "," + of(taken, 0) + `]}`,
		"refused twice":                          `{"Failed":[` + of(refused, 0) + "," + of(refused, 0) + `]}`,
		"two lists":                              `{"Failed":[` + of(refused, 0) + `],"Failed":[` + of(refused, 0) + `]}`,
		"one that has no form, and was not sent": `{"Successful":[` + of(taken, 0) + "," + of(taken, 2) + `]}`,
	} {
		for _, formless := range []bool{false, true} {
			t.Run(fmt.Sprint(name, ", not all were sent: ", formless), func(t *testing.T) {
				s := double(t, func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, body) })
				batch, res := batchOf(2), unanswered(2)
				if formless || strings.Contains(body, `"2"`) {
					batch, res = append(batch, bridge.Outgoing{Message: &bridge.Message{Body: bridge.NewObject("x")}}), unanswered(3)
				}
				err := s.Send(t.Context(), batch, res)
				if len(batch) == 2 {
					if bridge.ClassOf(err) != bridge.Ambiguous || err == nil {
						t.Errorf("%v", err)
					}
					return
				}
				for i := range 2 {
					if res[i].Err == nil || bridge.ClassOf(res[i].Err) != bridge.Ambiguous {
						t.Errorf("entry %d: %+v", i, res[i])
					}
				}
				if err != nil || bridge.ClassOf(res[2].Err) != bridge.Permanent {
					t.Errorf("%v; %+v", err, res[2])
				}
			})
		}
	}
}

func TestARefusedEntryShowsLittleAndNoCredentials(t *testing.T) {
	var proof string
	s := double(t, func(w http.ResponseWriter, r *http.Request) {
		_, proof, _ = strings.Cut(r.Header.Get("Authorization"), "Signature=")
		_, _ = fmt.Fprintf(w, `{"Failed":[{"Id":"0","Code":%q,"SenderFault":true,"Message":%q},{"Id":"1","Code":"X","Message":%q}]}`,
			strings.Repeat("C", 1<<20), strings.Repeat("m ", 1<<20), "signed "+proof)
	})
	res := unanswered(2)
	if err := s.Send(t.Context(), batchOf(2), res); err != nil {
		t.Fatal(err)
	}
	if e := bridge.AsError(res[0].Err); e == nil || e.Class != bridge.Permanent || len(e.Code) > 128 || len(e.Error()) > 700 {
		t.Errorf("a code of %d bytes, a text of %d", len(e.Code), len(e.Error()))
	}
	if text := res[1].Err.Error(); strings.Contains(text, proof) || !strings.Contains(text, "signed [REDACTED]") {
		t.Errorf("%q", text)
	}
}

func TestAnEndlessAnswerIsCutOff(t *testing.T) {
	s := double(t, func(w http.ResponseWriter, _ *http.Request) {
		piece := []byte(strings.Repeat(" ", 64<<10))
		for range 1000 {
			if _, err := w.Write(piece); err != nil {
				return
			}
		}
	})
	err := s.Send(t.Context(), batchOf(1), unanswered(1))
	if err == nil || bridge.ClassOf(err) != bridge.Ambiguous || !strings.Contains(err.Error(), "too long") {
		t.Errorf("%v", err)
	}
}

func TestEntriesThatTheAnswerForgetsStayUnanswered(t *testing.T) {
	s := double(t, func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, "{ \"Failed\" : null, \"New\": {\"a\": [1.5e3, true, null, \"\\u00e9\\\"\"]},\n\"Successful\": [ {\"Id\":\"1\", \"MessageId\":\"m-1\", \"Extra\":{}} ] }\n")
	})
	res := unanswered(3)
	if err := s.Send(t.Context(), batchOf(3), res); err != nil {
		t.Fatal(err)
	}
	if !errors.Is(res[0].Err, bridge.ErrUnanswered) || res[1].Err != nil || res[1].ID != "m-1" || !errors.Is(res[2].Err, bridge.ErrUnanswered) {
		t.Errorf("%+v", res)
	}
}

func TestRetryAfterIsPassedOn(t *testing.T) {
	for header, want := range map[string]time.Duration{
		"7": 7 * time.Second, "-7": 0, "soon": 0, "86400": time.Hour, // no longer is believed
		time.Now().Add(48 * time.Hour).UTC().Format(http.TimeFormat): time.Hour,
		time.Now().Add(-time.Hour).UTC().Format(http.TimeFormat):     0,
	} {
		s := double(t, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Retry-After", header)
			w.WriteHeader(http.StatusServiceUnavailable)
		})
		e := bridge.AsError(s.Send(t.Context(), batchOf(1), unanswered(1)))
		if e == nil || e.Class != bridge.Transient || e.After != want {
			t.Errorf("%s: %+v", header, e)
		}
	}
}

func TestAWrongClockIsCorrected(t *testing.T) {
	const ahead = time.Hour
	refused := 0
	s := double(t, func(w http.ResponseWriter, r *http.Request) {
		now := time.Now().Add(ahead).UTC()
		w.Header().Set("Date", now.Format(http.TimeFormat))
		at, err := time.Parse("20060102T150405Z", r.Header.Get("X-Amz-Date"))
		if err != nil || now.Sub(at).Abs() > 15*time.Minute {
			refused++
			w.Header().Set("X-Amzn-Query-Error", "SignatureDoesNotMatch;Sender")
			w.WriteHeader(http.StatusForbidden)
			_, _ = fmt.Fprintf(w, `{"__type":"com.amazon.coral.service#InvalidSignatureException","message":"Signature expired: %s is now earlier than %s (%s - 15 min.)"}`, "a", "b", "c")
			return
		}
		_, _ = io.WriteString(w, `{"Successful":[{"Id":"0","MessageId":"m"}]}`)
	})
	if err := s.Send(t.Context(), batchOf(1), unanswered(1)); err == nil || bridge.ClassOf(err) != bridge.Transient {
		t.Fatalf("%v is %v", err, bridge.ClassOf(err))
	}
	send(t, s, batchOf(1)...)
	if refused != 1 {
		t.Errorf("refused %d times", refused)
	}
}

func TestAPeerThatSaysNothingTimesOut(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	environment(t, "AKIDEXAMPLE", "secret", "")
	client := aws.NewClient(aws.Settings{EndpointURL: "http://" + l.Addr().String(), Region: "us-east-1", AnswerTimeout: 50 * time.Millisecond})
	t.Cleanup(client.Close)
	s, err := sqs.NewSink(sqs.SinkSettings{Client: client, Queue: "orders"})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Connect(t.Context()); err == nil || bridge.ClassOf(err) != bridge.Transient {
		t.Errorf("%v is %v", err, bridge.ClassOf(err))
	}
}

// Calls use their buffers again, which net/http may still be reading when an answer comes early. Run with -race.
func TestBuffersAreNotSharedByCallsThatRunAtOnce(t *testing.T) {
	e := start(t, awslocal.Options{LogRecords: -1})
	queue(t, e, "orders", nil)
	early := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.ContentLength > 100<<10 {
			w.WriteHeader(http.StatusServiceUnavailable) // without reading the request
			return
		}
		e.Handler().ServeHTTP(w, r)
	}))
	t.Cleanup(early.Close)
	client := clientFor(t, e, func(s *aws.Settings) { s.EndpointURL = early.URL })
	s := connected(t, sqs.SinkSettings{Client: client, Queue: "orders"})
	var all sync.WaitGroup
	for worker := range 16 {
		all.Go(func() {
			for i := range 10 {
				large := bridge.Outgoing{Message: text(strings.Repeat(fmt.Sprint(worker), 200<<10))}
				if err := s.Send(t.Context(), []bridge.Outgoing{large}, unanswered(1)); err == nil {
					t.Error("the early answer was a success")
				}
				m := text(fmt.Sprintf("%d-%d", worker, i))
				m.ID = "ID:" + m.Body.Data()
				res := unanswered(1)
				if err := s.Send(t.Context(), []bridge.Outgoing{{Message: m}}, res); err != nil || res[0].Err != nil {
					t.Error(err, res[0].Err)
				}
			}
		})
	}
	all.Wait()
	seen := map[string]bool{}
	for _, m := range e.Messages("orders") {
		if m.Text("MessageID") != "ID:"+m.Body || seen[m.Body] {
			t.Errorf("%q has id %q", m.Body, m.Text("MessageID"))
		}
		seen[m.Body] = true
	}
	if len(seen) != 160 {
		t.Errorf("%d messages arrived", len(seen))
	}
}
