package brokers

import (
	"context"
	"encoding/json"
	"encoding/xml"
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
	"testing"
	"time"
)

// Depth is what the broker says about a queue.
type Depth struct {
	// Messages are all messages that are not settled, delivered ones included.
	Messages int
	// InFlight are those that are delivered and not settled.
	InFlight int
	// Consumers are the subscriptions.
	Consumers int
}

// Depth asks the broker about a queue. A queue that does not exist is empty.
func (b *Broker) Depth(ctx context.Context, queue string) (Depth, error) {
	c, err := b.Dial(ctx, "stomp", Admin)
	if err != nil {
		return Depth{}, err
	}
	defer c.Close()
	if b.kind.Classic() {
		return c.classicDepth(ctx, queue)
	}
	return c.artemisDepth(ctx, queue)
}

// classicDepth asks Classic's statistics plugin, whose answer is a MapMessage; XStream makes XML of it.
func (c *Client) classicDepth(ctx context.Context, queue string) (Depth, error) {
	// It answers nothing about a queue that does not exist. A second question, about the broker, always has an answer,
	// and when that comes first, there is no such queue.
	f, err := c.request(ctx, "/temp-queue/statistics", []Header{{"transformation", "jms-map-xml"}},
		[]Header{{"destination", "/queue/ActiveMQ.Statistics.Destination." + queue}},
		[]Header{{"destination", "/queue/ActiveMQ.Statistics.Broker"}})
	if err != nil {
		return Depth{}, fmt.Errorf("asking for the statistics of %s: %w", queue, err)
	}
	var answer struct {
		Entries []struct {
			Values []struct {
				XMLName xml.Name
				Text    string `xml:",chardata"`
			} `xml:",any"`
		} `xml:"entry"`
	}
	if err := xml.Unmarshal(f.Body, &answer); err != nil {
		return Depth{}, fmt.Errorf("reading the statistics: %w: %q", err, f.Body)
	}
	values, named := map[string]int{}, false
	for _, e := range answer.Entries {
		if len(e.Values) != 2 {
			continue
		}
		named = named || e.Values[0].Text == "destinationName"
		if n, err := strconv.ParseFloat(e.Values[1].Text, 64); err == nil {
			values[e.Values[0].Text] = int(n)
		}
	}
	if !named {
		return Depth{}, nil
	}
	return Depth{Messages: values["size"], InFlight: values["inflightCount"], Consumers: values["consumerCount"]}, nil
}

// artemisDepth asks Artemis's management address.
func (c *Client) artemisDepth(ctx context.Context, queue string) (Depth, error) {
	var d Depth
	for attribute, field := range map[string]*int{"messageCount": &d.Messages, "deliveringCount": &d.InFlight, "consumerCount": &d.Consumers} {
		// A queue for each question: else two askers take each other's answers, and the next question finds the last
		// answer again where the subscription ended before the broker had settled it.
		reply := fmt.Sprintf("test.management.%x", rand.Uint64())
		f, err := c.request(ctx, reply, nil,
			[]Header{{"destination", "activemq.management"}, {"_AMQ_ResourceName", "queue." + queue}, {"_AMQ_Attribute", attribute}})
		if err != nil {
			return Depth{}, fmt.Errorf("asking for %s of %s: %w", attribute, queue, err)
		}
		if f.Header.Get("_AMQ_OperationSucceeded") != "true" {
			if strings.Contains(string(f.Body), "Problem while retrieving attribute") {
				return Depth{}, nil // no such queue
			}
			return Depth{}, fmt.Errorf("asking for %s of %s: %s", attribute, queue, f.Body)
		}
		var values []int
		if err := json.Unmarshal(f.Body, &values); err != nil || len(values) != 1 {
			return Depth{}, fmt.Errorf("reading %s of %s: %q, %w", attribute, queue, f.Body, err)
		}
		*field = values[0]
	}
	return d, nil
}

// WaitDepth waits until the queue holds n messages, and fails the test after the limit.
func (b *Broker) WaitDepth(t testing.TB, queue string, n int, limit time.Duration) {
	t.Helper()
	var last Depth
	var err error
	for end := time.Now().Add(limit); ; {
		last, err = b.Depth(t.Context(), queue)
		if err == nil && last.Messages == n {
			return
		}
		if time.Now().After(end) {
			t.Fatalf("queue %s of %s: %+v, %v; want %d messages after %s", queue, b.kind, last, err, n, limit)
		}
		pause(100 * time.Millisecond)
	}
}

// pause waits between two looks at something outside the process, which has no other way to tell.
func pause(d time.Duration) { <-time.After(d) }

// Publish sends persistent messages as [App] and fails the test unless the broker confirms each.
func (b *Broker) Publish(t testing.TB, queue string, messages ...Message) {
	t.Helper()
	c, err := b.Dial(t.Context(), "stomp", App)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if _, err := c.Publish(t.Context(), queue, len(messages), func(i int) Message { return messages[i] }, nil); err != nil {
		t.Fatalf("publishing to %s: %v", queue, err)
	}
}

// Drain consumes what is in the queue, and fails the test when the broker does not let it.
func (b *Broker) Drain(t testing.TB, queue string) []Message {
	t.Helper()
	c, err := b.Dial(t.Context(), "stomp", App)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	var all []Message
	for {
		d, err := b.Depth(t.Context(), queue)
		if err != nil {
			t.Fatal(err)
		}
		if d.Messages == 0 {
			return all
		}
		got, err := c.Take(t.Context(), queue, d.Messages, 5*time.Second)
		if err != nil {
			t.Fatalf("draining %s: %v", queue, err)
		}
		if len(got) == 0 {
			t.Fatalf("draining %s: %+v, but nothing comes", queue, d)
		}
		all = append(all, got...)
	}
}
