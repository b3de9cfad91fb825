package stomp

import (
	"sync"
	"sync/atomic"

	"github.com/jmsbridge/jmsbridge/connectors/jms/stomp/client"
)

// cutTexts are the ids of messages whose text seemed to end, and then something came that was no frame. They are held
// when they come again.
type cutTexts struct {
	some atomic.Bool

	mu  sync.Mutex
	ids []string // the newest last
}

// mostCut is how many are remembered.
const mostCut = 64

func (c *cutTexts) add(id string) {
	if id == "" || c.has(id) {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.ids) == mostCut {
		c.ids = c.ids[1:]
	}
	c.ids = append(c.ids, id)
	c.some.Store(true)
}

func (c *cutTexts) has(id string) bool {
	if !c.some.Load() {
		return false
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, known := range c.ids {
		if known == id {
			return true
		}
	}
	return false
}

func (c *cutTexts) suspects(f *client.Frame) bool {
	if !c.some.Load() {
		return false
	}
	id, _ := f.Lookup("message-id")
	return c.has(id)
}
