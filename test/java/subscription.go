package java

import (
	"strconv"
	"testing"
	"time"

	"github.com/jmsbridge/jmsbridge/bridge"
	"github.com/jmsbridge/jmsbridge/test/brokers"
)

// Subscription is a durable subscription of a topic.
type Subscription struct{ Topic, ClientID, Name string }

// ReceiveDurable makes the subscription, unless it is there, and consumes up to n messages of it; it ends after the
// silence. The subscription stays.
func ReceiveDurable(t testing.TB, c Client, url string, u brokers.User, s Subscription, n int, silence time.Duration) []bridge.Message {
	t.Helper()
	out, err := c.run(t.Context(), "", "durable", url, u.Name, u.Password, s.Topic, strconv.Itoa(n),
		strconv.FormatInt(silence.Milliseconds(), 10), s.ClientID, s.Name)
	if err != nil {
		t.Fatal(err)
	}
	return parseMessages(t, out)
}

// Unsubscribe deletes a durable subscription, as session.unsubscribe does. The error is the client's.
func Unsubscribe(t testing.TB, c Client, url string, u brokers.User, s Subscription) error {
	t.Helper()
	_, err := c.run(t.Context(), "", "unsubscribe", url, u.Name, u.Password, s.Topic, s.ClientID, s.Name)
	return err
}
