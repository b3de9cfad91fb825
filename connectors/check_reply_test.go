package connectors

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/jmsbridge/jmsbridge/connectors/aws/awslocal"
	"github.com/jmsbridge/jmsbridge/connectors/jms/stomp/stomplocal"
)

func TestCheckLooksAtWhatRepliesNeed(t *testing.T) {
	b := startBroker(t, stomplocal.Options{})
	e := startSQS(t, awslocal.Options{})
	for _, name := range []string{"requests", "answers", "stray", "lookups"} {
		if _, err := e.CreateQueue(awslocal.QueueOptions{Name: name}); err != nil {
			t.Fatal(err)
		}
	}
	if err := e.CreateFunction(awslocal.FunctionOptions{Name: "f", Command: []string{"true"}}); err != nil {
		t.Fatal(err)
	}
	const (
		overSQS = `
- name: r
  from: {jms: {broker: mq, queue: q}}
  to: [{sqs: {queue: requests}}]
  reply: {from: {sqs: {queue: %s}}, key: 0123456789abcdef0123456789abcdef, dead_letter: {sqs: {queue: %s}}}`
		once = `
- name: r
  from: {jms: {broker: mq, queue: q}}
  to: [{lambda: {function: f}}]
  reply: {from: call, once: true}`
		service = `
- name: r
  from: {sqs: {queue: lookups}}
  to: [{jms: {broker: mq, queue: service}}]
  reply: {from: {jms: {broker: mq, queue: answers}}, allow: ["http://127.0.0.1/*"]}`
	)
	bolt := func(path string) string { return fmt.Sprintf("store: {bolt: {path: %q}}\n", path) }
	for name, c := range map[string]struct {
		store, route, role, peer, wrong string
	}{
		"a reply queue":                     {"", fmt.Sprintf(overSQS, "answers", "stray"), "reply queue", "SQS standard queue answers", ""},
		"a dead letter of answers":          {"", fmt.Sprintf(overSQS, "answers", "stray"), "reply dead letter", "SQS standard queue stray", ""},
		"a missing reply queue":             {"", fmt.Sprintf(overSQS, "nowhere", "stray"), "reply queue", "", "nowhere"},
		"a missing dead letter of answers":  {"", fmt.Sprintf(overSQS, "answers", "nowhere"), "reply dead letter", "", "nowhere"},
		"the queue of a service's answers":  {"", service, "reply queue", "ActiveMQ Classic", ""},
		"a file of outcomes to be made":     {bolt(filepath.Join(t.TempDir(), "o.db")), once, "store", "file ", ""},
		"a file of outcomes without folder": {bolt(filepath.Join(t.TempDir(), "none", "o.db")), once, "store", "", "no such file"},
		"a table of outcomes out of reach":  {"store: {dynamodb: {table: outcomes}}\n", once, "store", "", "outcomes"},
	} {
		t.Run(name, func(t *testing.T) {
			text := fmt.Sprintf("brokers: [{name: mq, url: %q}]\naws: {endpoint_url: %q, region: us-east-1}\n%sroutes:%s\n", b.URL(), e.URL(), c.store, c.route)
			report := checked(t, text, 20*time.Second)
			var found *EndReport
			for i := range report.Routes[0].Ends {
				if end := &report.Routes[0].Ends[i]; end.Role == c.role {
					found = end
				}
			}
			switch {
			case found == nil:
				t.Fatalf("nobody looked at the %s: %+v", c.role, report.Routes[0].Ends)
			case c.wrong == "" && (found.Error != "" || !strings.Contains(found.Peer, c.peer) || report.Errors() != 0):
				t.Errorf("%d errors, %+v, want %q", report.Errors(), found, c.peer)
			case c.wrong != "" && (!strings.Contains(found.Error, c.wrong) || report.Errors() != 1):
				t.Errorf("%d errors, %+v, want %q", report.Errors(), found, c.wrong)
			}
		})
	}
	if n := e.Log().Calls("ReceiveMessage"); n != 0 {
		t.Errorf("check has received %d times", n)
	}
}
