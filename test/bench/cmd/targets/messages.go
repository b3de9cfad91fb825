package main

import (
	"fmt"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/jmsbridge/jmsbridge/bridge"
)

// properties are how many properties a message has.
const properties = 5

// variants are the messages that both sides send over and over, each made once, so that their making costs neither side
// anything. Bodies and properties are those of the spine's benchmark.
var variants = sync.OnceValue(func() []bridge.Message {
	out := make([]bridge.Message, 4096)
	padding := strings.Repeat("0123456789abcdef", 64) // 1 KiB
	begin := time.UnixMilli(1_700_000_000_000)
	for i := range out {
		id := "ID:bench-40000-1700000000000-1:1:1:1:" + strconv.Itoa(i)
		head := fmt.Sprintf("%010d ", i)
		out[i] = bridge.Message{
			Key: id, ID: id, Priority: bridge.DefaultPriority, Persistent: true, Timestamp: begin.Add(time.Duration(i) * time.Millisecond),
			Destination: bridge.Destination{Kind: bridge.Queue, Name: "bench"},
			Properties: bridge.NewProperties([]bridge.Entry{
				{Name: "account", Value: bridge.String("account-" + strconv.Itoa(i%1000))},
				{Name: "region", Value: bridge.String("eu-west-1")},
				{Name: "amount", Value: bridge.String(strconv.Itoa(i * 7))},
				{Name: "currency", Value: bridge.String("EUR")},
				{Name: "kind", Value: bridge.String("order")},
			}),
			Body: bridge.NewText(head + padding[len(head):]),
		}
	}
	return out
})

// account is the group of a message where the target wants one.
func account(m *bridge.Message) (string, error) {
	v, _ := m.Properties.Lookup("account")
	return v.Str(), nil
}
