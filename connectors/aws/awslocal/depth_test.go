package awslocal

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

// asked makes one request without a socket and reads its answer into out.
func (e *Endpoint) asked(t testing.TB, action string, in, out any) {
	body, err := json.Marshal(in)
	if err != nil {
		t.Fatal(err)
	}
	r := httptest.NewRequest(http.MethodPost, "/", strings.NewReader(string(body)))
	r.Header.Set("X-Amz-Target", "AmazonSQS."+action)
	w := httptest.NewRecorder()
	e.handler.ServeHTTP(w, r)
	if w.Code != http.StatusOK {
		t.Fatalf("%s: status %d: %s", action, w.Code, w.Body)
	}
	if err := json.Unmarshal(w.Body.Bytes(), out); err != nil {
		t.Fatal(err)
	}
}

// deepQueue is a queue with messages, of which others are in flight besides.
type deepQueue struct {
	t      testing.TB
	e      *Endpoint
	q      *queue
	groups int
	sent   int
}

func newDeepQueue(t testing.TB, name string, groups, depth, hidden int) *deepQueue {
	e := New(Options{LogRecords: -1}, "http://sqs.test")
	t.Cleanup(func() { _ = e.Close() })
	if _, err := e.CreateQueue(QueueOptions{Name: name, Attributes: map[string]string{"VisibilityTimeout": "43200"}}); err != nil {
		t.Fatal(err)
	}
	d := &deepQueue{t: t, e: e, q: e.lookUp(name), groups: groups}
	now := time.Now()
	fill := func(n int) {
		for range n {
			in := d.next()
			m, problem := (&call{e: e}).message(&in)
			if problem != nil {
				t.Fatal(problem)
			}
			d.q.accept(&in, m, &Record{}, now)
		}
	}
	fill(hidden)
	for n := 0; n < hidden; {
		taken := d.q.take(10, 12*time.Hour, now)
		if len(taken) == 0 {
			t.Fatalf("%d of %d messages could be received", n, hidden)
		}
		n += len(taken)
	}
	fill(depth)
	return d
}

// next is another message to send.
func (d *deepQueue) next() sendRequest {
	d.sent++
	body, group := fmt.Sprint("message-", d.sent), fmt.Sprint("group-", d.sent%max(d.groups, 1))
	in := sendRequest{Id: "0", QueueUrl: d.q.url, MessageBody: &body}
	if d.q.fifo {
		in.MessageGroupId, in.MessageDeduplicationId = &group, &body
	}
	return in
}

func (d *deepQueue) send() { d.e.asked(d.t, "SendMessage", d.next(), &sendResult{}) }

func (d *deepQueue) receive(limit int) []receivedMessage {
	var out receiveResult
	d.e.asked(d.t, "ReceiveMessage", map[string]any{"QueueUrl": d.q.url, "MaxNumberOfMessages": limit, "AttributeNames": []string{"All"}}, &out)
	if len(out.Messages) != limit {
		d.t.Fatalf("received %d messages of %d", len(out.Messages), limit)
	}
	return out.Messages
}

func (d *deepQueue) settle(action string, m receivedMessage) {
	d.e.asked(d.t, action, map[string]any{"QueueUrl": d.q.url, "ReceiptHandle": m.ReceiptHandle, "VisibilityTimeout": 0}, &struct{}{})
}

// deepQueues are the kinds of queues whose cost could depend on how much they hold.
var deepQueues = []struct {
	kind, name string
	groups     int
	hidden     bool // as many are in flight
}{
	{"standard", "q", 0, false},
	{"standard, with many in flight", "q", 0, true},
	{"FIFO, one group", "q.fifo", 1, false},
	{"FIFO, many groups", "q.fifo", 1000, false},
}

func TestAMessageAllocatesTheSameAtAnyDepth(t *testing.T) {
	for _, c := range deepQueues {
		t.Run(c.kind, func(t *testing.T) {
			allocations := func(depth int) float64 {
				hidden := 0
				if c.hidden {
					hidden = depth
				}
				d := newDeepQueue(t, c.name, c.groups, depth, hidden)
				return testing.AllocsPerRun(300, func() {
					d.send()
					d.settle("DeleteMessage", d.receive(1)[0])
				})
			}
			shallow, deep := allocations(100), allocations(100_000)
			// A few more or less are buffers that the collector has taken from pools. What grows with the depth would be
			// thousands.
			if diff := deep - shallow; diff > 5 || diff < -5 {
				t.Errorf("%.0f allocations for a message with 100 in the queue, %.0f with 100,000", shallow, deep)
			}
		})
	}
}

// reach is how many messages at either end of the queue an operation may look at.
const reach = 60

// spring turns all but the ends of the queue into a trap: a message (and a group) that is its own neighbour, so that
// whoever walks over the queue never comes back, and what is nil where a map is walked over.
func (d *deepQueue) spring() {
	var all []*message
	for m := d.q.all.head; m != nil; m = m.link[1].next {
		all = append(all, m)
	}
	for _, m := range all[reach : len(all)-reach] {
		m.link = [2]link{{m, m}, {m, m}}
	}
	var lanes []*lane
	for g := d.q.open.head; g != nil; g = g.next {
		lanes = append(lanes, g)
	}
	if len(lanes) > 2*reach {
		for _, g := range lanes[reach : len(lanes)-reach] {
			g.prev, g.next = g, g
		}
	}
	d.q.byID["trap"] = nil
	d.q.lanes["trap"] = nil
}

func TestNoOperationWalksOverAQueue(t *testing.T) {
	for _, c := range deepQueues {
		if c.hidden { // those in flight are in a heap
			continue
		}
		t.Run(c.kind, func(t *testing.T) {
			d := newDeepQueue(t, c.name, c.groups, 1000, 0)
			d.spring()
			caught := time.AfterFunc(20*time.Second, func() { panic("an operation walks over the whole queue: see the stacks") })
			defer caught.Stop()

			for range 5 {
				d.send()
				batch := sendBatchRequest{QueueUrl: d.q.url, Entries: []sendRequest{d.next()}}
				d.e.asked(t, "SendMessageBatch", batch, &batchResult[sendResult]{})
				one := d.receive(1)[0]
				d.settle("ChangeMessageVisibility", one) // gives it back
				d.settle("DeleteMessage", d.receive(1)[0])
			}
			for _, m := range d.receive(10) {
				d.settle("ChangeMessageVisibility", m)
			}
			d.receive(10)
			d.e.mu.Lock()
			d.q.tick(time.Now().Add(13 * time.Hour)) // gives back what has been hidden for too long
			d.e.mu.Unlock()
			for _, m := range d.receive(10) {
				d.settle("DeleteMessage", m)
			}
			var attributes struct{ Attributes map[string]string }
			d.e.asked(t, "GetQueueAttributes", map[string]any{"QueueUrl": d.q.url, "AttributeNames": []string{"All"}}, &attributes)
			if n := attributes.Attributes["ApproximateNumberOfMessages"]; n != "995" {
				t.Errorf("%s messages are left", n)
			}
			if depth := d.e.Depth(c.name); depth.Visible != 995 {
				t.Errorf("%+v", depth)
			}
		})
	}
}
