package demo

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/jmsbridge/jmsbridge/bridge"
)

// expectation is everything about message number i that must arrive. It is a pure function of i.
type expectation struct {
	id      string // correlation id, by which messages are told apart
	account string // the group
	body    string
	amount  int64
	rate    float64
	express bool
}

// groupsFor returns how many accounts the messages are spread over.
func groupsFor(messages int) int { return min(max(messages/20, 1), 1000) }

func expect(i, groups int) expectation {
	e := expectation{
		id:      fmt.Sprintf("demo-%07d", i),
		account: fmt.Sprintf("account-%04d", scatter(i)%uint64(groups)),
		amount:  9_000_000_000_000_000_000 + int64(i), // a long that no double could hold
		rate:    float64(i) / 8,
		express: i%3 == 0,
	}
	e.body = fmt.Sprintf("order %d of %s: grüße, 你好, \U0001F69A <&> \"quoted\"\n", i, e.account) + strings.Repeat("0123456789abcdef", 56)
	return e
}

// scatter spreads numbers, the same in each run (the finaliser of SplitMix64).
func scatter(i int) uint64 {
	z := uint64(i) + 0x9e3779b97f4a7c15
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	return z ^ z>>31
}

// message returns message i as it is sent.
func (e *expectation) message(i int) *bridge.Message {
	return &bridge.Message{
		CorrelationID: e.id,
		Type:          "order",
		Priority:      bridge.DefaultPriority,
		Persistent:    true,
		Properties: bridge.NewProperties([]bridge.Entry{
			{Name: "account", Value: bridge.String(e.account)},
			{Name: "seq", Value: bridge.Int(int32(i))},
			{Name: "amount", Value: bridge.Long(e.amount)},
			{Name: "rate", Value: bridge.Double(e.rate)},
			{Name: "express", Value: bridge.Boolean(e.express)},
		}),
		Body: bridge.NewText(e.body),
	}
}

// attribute is a message attribute of SQS as it must be.
type attribute struct{ typ, value string }

// propertyNames are the properties that each message has, so that they stay attributes of their own.
var propertyNames = []string{"account", "seq", "amount", "rate", "express"}

// attributes returns those attributes of SQS that must be there, with the labels that the Amazon SQS Java Messaging
// Library reads.
func (e *expectation) attributes(i int) map[string]attribute {
	express := "0"
	if e.express {
		express = "1"
	}
	return map[string]attribute{
		"CorrelationID": {"String", e.id},
		"JMSType":       {"String", "order"},
		"account":       {"String", e.account},
		"seq":           {"Number.int", strconv.Itoa(i)},
		"amount":        {"Number.long", strconv.FormatInt(e.amount, 10)},
		"rate":          {"Number.double", ""}, // judged as a number: it has more than one spelling
		"express":       {"Number.Boolean", express},
	}
}

// indexOf returns the number of the message with this correlation id; false: it is none of ours.
func indexOf(id string, n int) (int, bool) {
	digits, ok := strings.CutPrefix(id, "demo-")
	i, err := strconv.Atoi(digits)
	return i, ok && err == nil && i >= 0 && i < n && len(digits) == 7
}
