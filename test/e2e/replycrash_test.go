//go:build integration

package e2e_test

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	sdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	dynamotypes "github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/aws-sdk-go-v2/service/sqs"

	"github.com/jmsbridge/jmsbridge/bridge"
	"github.com/jmsbridge/jmsbridge/connectors/aws/awslocal"
	"github.com/jmsbridge/jmsbridge/test/brokers"
	"github.com/jmsbridge/jmsbridge/test/java"
	"github.com/jmsbridge/jmsbridge/test/sqstest/servers"
)

// checkAnsweredOrTimedOut wants each request to be answered with what is its own, or to have waited for all of its time,
// which only those may that were on their way through the process that was killed. It returns how many those are, and how
// many answers came for requests that had theirs: a thread finds them before the answer to its next request.
func checkAnsweredOrTimedOut(t testing.TB, name string, sent []bridge.Message, got []java.Exchanged, stray []bridge.Message, patience time.Duration, most int) (timedOut, again int) {
	t.Helper()
	complain := limitedErrors(t, 10)
	extra := slices.Clone(stray)
	for i, r := range got {
		if n := len(r.Answers); n > 1 {
			extra = append(extra, r.Answers[:n-1]...)
			r.Answers = r.Answers[n-1:]
		}
		if len(r.Answers) == 0 && r.ID != "" && r.Took >= patience-time.Second {
			timedOut++
		} else if len(r.Answers) == 0 {
			complain("request %d (%s) has no answer after %s", i, r.ID, r.Took)
		} else if err := isAnswer(&sent[i], r, fmt.Sprintf("answer to %s %d äöü", name, i)); err != nil {
			complain("request %d: %v", i, err)
		}
	}
	for _, m := range extra {
		if !strings.HasPrefix(m.Body.Data(), "answer to "+name+" ") {
			complain("an answer that nobody has given: %q", m.Body.Data())
		}
	}
	if timedOut > most {
		t.Errorf("%d requests timed out; at most %d were on their way", timedOut, most)
	}
	return timedOut, len(extra)
}

// Two processes share the queues, and answers arrive at either. One is killed: what it had taken comes to the other, the
// answers too, which SQS shows again after 10 s, and nobody waits in vain.
func TestOneOfTwoBridgesIsKilled(t *testing.T) {
	eachBroker(t, func(t *testing.T, x *sqsExchange) {
		var seen held
		x.service.respond("asked", asked, func(q question) []answer {
			seen.keep(q)
			return once(q)
		})
		other := runBridge(t, x.bridge.file)
		for _, p := range []*bridgeProcess{x.bridge, other} {
			p.waitStatus(x.queue, 20*time.Second, func(s bridge.RouteStatus) bool { return s.Connected == 1 })
		}
		const threads, patience = 50, 25 * time.Second // less than 30 s, for which SQS hides a message by default
		sent := requests("two", scaled(600), false, plain)
		running := x.ask(sent, threads, patience)
		seen.wait(t, len(sent)/3)
		if x.bridge.status(x.queue).Counters.Received == 0 {
			t.Error("the bridge that is killed had nothing to do")
		}
		x.bridge.signal(syscall.SIGSTOP) // so that it holds answers when it is killed
		holds := x.waitAnswersHeld()
		for tries := 0; holds == 0 && tries < 10; tries++ { // at that moment it held none
			x.bridge.signal(syscall.SIGCONT)
			x.bridge.signal(syscall.SIGSTOP)
			holds = x.waitAnswersHeld()
		}
		x.bridge.kill()
		if holds == 0 {
			t.Error("the bridge that is killed holds no answers")
		}
		if !running.Running() {
			t.Fatal("the bridge was killed too late")
		}
		got, stray := running.Results()
		_, again := checkAnsweredOrTimedOut(t, "two", sent, got, stray, patience, 0)
		x.broker.WaitDepth(t, x.queue, 0, 30*time.Second)
		other.waitStatus(x.queue, 10*time.Second, func(s bridge.RouteStatus) bool { return s.InFlight == 0 && s.Counters.Delivered > 0 })
		again += len(x.broker.Drain(t, x.replies()))
		slices.SortFunc(got, func(x, y java.Exchanged) int { return int(x.Took - y.Took) })
		t.Logf("%d requests, %d answers were with the killed bridge, the longest took %s, %d were answered again", len(sent), holds, got[len(got)-1].Took, again)
		other.stop()
	})
}

// waitAnswersHeld waits until nobody works: the answers that are hidden then are with a bridge that is stopped. It returns
// how many they are.
func (x *sqsExchange) waitAnswersHeld() int {
	x.t.Helper()
	last, quiet := 0, 0
	eventually(x.t, 20*time.Second, func() (bool, string) {
		d := x.aws.Depth("answers")
		if quiet++; d.Visible > 0 || d.InFlight != last {
			last, quiet = d.InFlight, 0
		}
		return quiet == 25, fmt.Sprintf("%+v", d)
	})
	return last
}

// The same with a function, whose answers are nowhere but in the process that has called it: the other calls again for
// what was not settled, so that nobody waits in vain.
func TestOneOfTwoCallersIsKilled(t *testing.T) {
	for _, row := range []struct {
		broker *brokers.Shared
		client java.Client
	}{{classic6, java.ActiveMQ6}, {artemis, java.ActiveMQ5}} {
		b := row.broker.Broker(t)
		t.Run(string(b.Kind()), func(t *testing.T) {
			e := responders(t)
			p := startBridge(t, configuration(e, brokerYAML("mq", b.URL(wires[0]), brokers.App, b.CAFile()),
				replyRoute("callers", "lambda: {function: quotes, payload: body}", inCall()...)))
			other := runBridge(t, p.file)
			for _, p := range []*bridgeProcess{p, other} {
				p.waitStatus("callers", 20*time.Second, func(s bridge.RouteStatus) bool { return s.Connected == 1 })
			}
			const patience = 30 * time.Second
			sent := requests("callers", scaled(600), false, callOf(quoted))
			running := java.Exchange{
				Queue: "callers", Replies: []string{"temp-queue:", "queue:REPLY.callers"}, Threads: 50, Patience: patience, Requests: sent,
			}.Start(t, row.client, b.URL("tcp"), brokers.App)
			eventually(t, 60*time.Second, func() (bool, string) {
				n := e.FunctionCounts("quotes").Runs
				return n > len(sent)/3, fmt.Sprintf("%d calls", n)
			})
			if p.status("callers").Counters.Received == 0 {
				t.Error("the bridge that is killed had nothing to do")
			}
			p.kill()
			if !running.Running() {
				t.Fatal("the bridge was killed too late")
			}
			got, stray := running.Results()
			_, again := checkAnsweredOrTimedOut(t, "callers", sent, got, stray, patience, 0)
			b.WaitDepth(t, "callers", 0, 30*time.Second)
			again += len(b.Drain(t, "REPLY.callers"))
			t.Logf("%d calls for %d requests, %d answered again", e.FunctionCounts("quotes").Runs, len(sent), again)
			other.stop()
		})
	}
}

// The bridge dies between asking over SQS and settling the request, and asks again when it is back. Both askings are
// answered; with once the requester gets one.
func TestARequestThatWasAskedTwiceIsAnsweredOnce(t *testing.T) {
	for _, row := range []struct {
		broker *brokers.Shared
		client java.Client
	}{{classic6, java.ActiveMQ6}, {artemis, java.ActiveMQ5}} {
		b := row.broker.Broker(t)
		t.Run(string(b.Kind()), func(t *testing.T) {
			e := startAWS(t, awslocal.Options{}, "asked", "answers")
			s := newService(t, e.URL())
			route := replyRoute("once", "sqs: {queue: asked}", overSQS("answers", "once: true")...)
			p := startBridge(t, configuration(e, brokerYAML("mq", b.URL(wires[0]), brokers.App, b.CAFile()), route)+
				"store:\n  bolt:\n    path: "+filepath.Join(t.TempDir(), "store.db")+"\n")
			e.Inject(awslocal.Fault{Kind: awslocal.StallAfter, Queue: "asked"})
			const n = 20
			sent := requests("once", n, false, plain)
			running := java.Exchange{
				Queue: "once", Replies: []string{"temp-queue:", "queue:REPLY.once"}, Threads: n, Patience: 30 * time.Second, Requests: sent,
			}.Start(t, row.client, b.URL("tcp"), brokers.App)
			waitArrived(t, e, "asked", n, 20*time.Second)
			p.kill()
			e.ClearFaults()
			p = runBridge(t, p.file)
			waitArrived(t, e, "asked", 2*n, 20*time.Second)
			s.respond("asked", asked, once)
			got, stray := running.Results()
			checkAnswered(t, sent, got, stray, func(i int) string { return "answer to " + sent[i].Body.Data() })
			p.waitReplies("once", "sent", n)
			p.waitReplies("once", "duplicate", n)
			b.WaitDepth(t, "REPLY.once", 0, 10*time.Second)
			p.stop()
		})
	}
}

// Two processes with a common store: one is killed, and still no request is answered twice.
func TestTwoBridgesAnswerOnce(t *testing.T) {
	url := servers.Moto(t)
	s := newService(t, url)
	createOutcomes(t, s, url)
	for _, row := range []struct {
		broker *brokers.Shared
		client java.Client
	}{{classic6, java.ActiveMQ6}, {artemis, java.ActiveMQ5}} {
		b := row.broker.Broker(t)
		t.Run(string(b.Kind()), func(t *testing.T) {
			queue := "twice-" + string(b.Kind())
			for _, name := range []string{queue + "-asked", queue + "-answers"} {
				if _, err := s.sqs.CreateQueue(t.Context(), &sqs.CreateQueueInput{QueueName: &name}); err != nil {
					t.Fatal(err)
				}
			}
			s := &service{t, s.sqs} // it works as long as this test
			route := replyRoute(queue, "sqs: {queue: "+queue+"-asked}", overSQS(queue+"-answers", "once: true", "timeout: 9s")...)
			p := startBridge(t, "brokers:\n"+brokerYAML("mq", b.URL(wires[0]), brokers.App, b.CAFile())+
				"aws:\n  region: us-east-1\n  endpoint_url: "+url+"\nstore:\n  dynamodb:\n    table: outcomes\nroutes:\n"+route)
			other := runBridge(t, p.file)
			for _, p := range []*bridgeProcess{p, other} {
				p.waitStatus(queue, 20*time.Second, func(s bridge.RouteStatus) bool { return s.Connected == 1 })
			}
			var seen held
			s.respond(queue+"-asked", asked, func(q question) []answer {
				seen.keep(q)
				return append(once(q), once(q)...) // to whichever process
			})
			const threads, patience = 20, 10 * time.Second
			sent := requests("twice", scaled(100), false, plain)
			running := java.Exchange{
				Queue: queue, Replies: []string{"temp-queue:", "queue:REPLY." + queue}, Threads: threads, Patience: patience, Requests: sent,
			}.Start(t, row.client, b.URL("tcp"), brokers.App)
			seen.wait(t, len(sent)/3)
			if p.status(queue).Counters.Received == 0 {
				t.Error("the bridge that is killed had nothing to do")
			}
			p.kill()
			if !running.Running() {
				t.Fatal("the bridge was killed too late")
			}
			got, stray := running.Results()
			timedOut, again := checkAnsweredOrTimedOut(t, "twice", sent, got, stray, patience, threads)
			if again != 0 {
				t.Errorf("%d requests were answered twice", again)
			}
			b.WaitDepth(t, queue, 0, 30*time.Second)
			b.WaitDepth(t, "REPLY."+queue, 0, 10*time.Second)
			if n, err := other.replyCount(queue, "duplicate"); err != nil || n == 0 {
				t.Errorf("%d second answers were dropped (%v)", n, err)
			}
			t.Logf("%d of %d timed out", timedOut, len(sent))
			other.stop()
		})
	}
}

// createOutcomes makes the table of a store.
func createOutcomes(t testing.TB, s *service, url string) {
	t.Helper()
	client := dynamodb.New(dynamodb.Options{
		Region: "us-east-1", BaseEndpoint: &url, HTTPClient: s.sqs.Options().HTTPClient,
		Credentials: credentials.NewStaticCredentialsProvider("AKIDEXAMPLE", "secret-k8Vb21", ""),
	})
	_, err := client.CreateTable(t.Context(), &dynamodb.CreateTableInput{
		TableName: sdk.String("outcomes"), BillingMode: dynamotypes.BillingModePayPerRequest,
		AttributeDefinitions: []dynamotypes.AttributeDefinition{{AttributeName: sdk.String("id"), AttributeType: dynamotypes.ScalarAttributeTypeS}},
		KeySchema:            []dynamotypes.KeySchemaElement{{AttributeName: sdk.String("id"), KeyType: dynamotypes.KeyTypeHash}},
	})
	if err != nil {
		t.Fatal(err)
	}
}

// The bridge dies between the function's answer and the reply, which the broker can't take just then. The next one answers
// from the store, without calling again.
func TestAFunctionIsNotCalledAgainForAnAnswerThatIsStored(t *testing.T) {
	for _, row := range []struct {
		broker *brokers.Shared
		client java.Client
	}{{classic6, java.ActiveMQ6}, {artemis, java.ActiveMQ5}} {
		b := row.broker.Broker(t)
		t.Run(string(b.Kind()), func(t *testing.T) {
			e, proxy := responders(t), openProxy(t, b)
			p := startBridge(t, configuration(e, brokerYAML("mq", "stomp://"+proxy.Addr(), brokers.App, ""),
				replyRoute("stored", "lambda: {function: quotes, payload: body}", inCall("once: true")...))+
				"store:\n  bolt:\n    path: "+filepath.Join(t.TempDir(), "store.db")+"\n")
			p.waitStatus("stored", 20*time.Second, func(s bridge.RouteStatus) bool { return s.Connected == 1 })
			const n = 10
			sent := requests("stored", n, false, func(string) string { return `{"do":"sleep","sleep":2000000000}` })
			running := java.Exchange{
				Queue: "stored", Replies: []string{"temp-queue:", "queue:REPLY.stored"}, Threads: n, Patience: 40 * time.Second, Requests: sent,
			}.Start(t, row.client, b.URL("tcp"), brokers.App)
			p.waitStatus("stored", 30*time.Second, func(s bridge.RouteStatus) bool { return s.InFlight == n })
			proxy.Down()
			replyWaits := func(s bridge.RouteStatus) bool {
				return slices.ContainsFunc(s.Targets, func(t bridge.TargetState) bool { return t.Name == "reply" && t.Waiting+t.Calls == n })
			}
			p.waitStatus("stored", 30*time.Second, replyWaits)
			p.kill()
			if err := proxy.Up(); err != nil {
				t.Fatal(err)
			}
			p = runBridge(t, p.file)
			got, stray := running.Results()
			checkAnswered(t, sent, got, stray, func(int) string { return "slept" })
			if runs := e.FunctionCounts("quotes").Runs; runs != n {
				t.Errorf("the function ran %d times for %d requests", runs, n)
			}
			p.waitReplies("stored", "sent", n)
			b.WaitDepth(t, "stored", 0, 10*time.Second)
			b.WaitDepth(t, "REPLY.stored", 0, 10*time.Second)
			p.stop()
		})
	}
}
