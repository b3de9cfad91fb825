package connectors

import (
	"strings"
	"testing"
	"time"

	"github.com/jmsbridge/jmsbridge/connectors/jms/stomp/stomplocal"
)

// A JMS queue takes what an SQS queue can't: a text of megabytes, as a target and as a dead letter.
func TestLargeMessagesReachAJMSQueue(t *testing.T) {
	x := startExchange(t, `
- name: copies
  from:
    jms: {broker: mq, queue: in}
  to:
  - jms: {broker: mq, queue: out}
  dead_letter:
    jms: {broker: mq, queue: dead}
- name: small
  from:
    jms: {broker: mq, queue: out}
  to:
  - sqs: {queue: small}
  dead_letter:
    jms: {broker: mq, queue: dead}
`, "small")
	sizes := []int{1536 << 10, 2 << 20, 5 << 20}
	for _, n := range sizes {
		if _, err := x.broker.Publish("/queue/in", stomplocal.Message{Body: []byte(strings.Repeat("x", n))}); err != nil {
			t.Fatal(err)
		}
	}
	for end := time.Now().Add(20 * time.Second); x.broker.Depth("/queue/dead") < len(sizes); {
		if time.Now().After(end) {
			for _, r := range x.routes {
				t.Logf("%+v", r.Status())
			}
			t.Fatalf("%d dead letters of %d", x.broker.Depth("/queue/dead"), len(sizes))
		}
		<-time.After(10 * time.Millisecond)
	}
	seen := map[int]bool{}
	for _, m := range x.broker.Browse("/queue/dead", 10) {
		seen[len(m.Body)] = true
	}
	for _, n := range sizes {
		if !seen[n] {
			t.Errorf("no dead letter has %d bytes", n)
		}
	}
}
