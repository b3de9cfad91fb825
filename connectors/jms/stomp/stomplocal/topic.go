package stomplocal

import (
	"slices"
	"strings"
)

// topics know who follows which topic: each subscription, durable or not, has a queue of its own.
type topics struct {
	followers []*follower
	durables  map[durableKey]*durable
	virtual   map[string][]*queue // topic name to the queues Consumer.*.NAME
}

type follower struct {
	pattern  string // a name, or one with wildcards
	selector *selector
	queue    *queue
}

type durableKey struct{ client, name string }

type durable struct {
	follower *follower
	text     string // of the selector
	user     *subscription
}

func newTopics() topics {
	return topics{durables: map[durableKey]*durable{}, virtual: map[string][]*queue{}}
}

// virtualTopic returns the topic that a queue of the form Consumer.NAME.VirtualTopic.X reads from.
func virtualTopic(queue string) (string, bool) {
	rest, ok := strings.CutPrefix(queue, "Consumer.")
	if !ok {
		return "", false
	}
	_, topic, ok := strings.Cut(rest, ".")
	return topic, ok && strings.HasPrefix(topic, "VirtualTopic.")
}

func (t *topics) bind(q *queue) {
	if name, ok := virtualTopic(q.name); ok {
		t.virtual[name] = append(t.virtual[name], q)
	}
}

func (t *topics) unbind(q *queue) {
	if name, ok := virtualTopic(q.name); ok {
		t.virtual[name] = slices.DeleteFunc(t.virtual[name], func(o *queue) bool { return o == q })
	}
}

// publish gives the message to everybody who follows the topic. It does not change m.
func (t *topics) publish(name string, m *message) {
	if queues := t.virtual[name]; len(queues) > 0 {
		copied := *m
		copied.original = prefixTopic + name
		copied.seal()
		for _, q := range queues {
			q.put(&copied)
		}
	}
	plain := *m
	plain.seal()
	plain.original = prefixTopic + name // what a subscriber of the topic gets as destination
	for _, f := range t.followers {
		if matches(f.pattern, name) && (f.selector == nil || f.selector.matches(&plain)) {
			f.queue.put(&plain)
		}
	}
}

func (t *topics) leave(q *queue) {
	q.removed = true
	t.followers = slices.DeleteFunc(t.followers, func(f *follower) bool { return f.queue == q })
}

// followTopic subscribes s to a topic. The selector works at the entrance: what doesn't match is never queued.
func (c *conn) followTopic(s *subscription, name, durableName string) error {
	t := &c.b.topics
	f := &follower{pattern: name, selector: s.selector, queue: &queue{b: c.b, name: "topic:" + name, private: true}}
	text := ""
	if s.selector != nil {
		text = s.selector.text
	}
	s.selector, s.cursor = nil, nil
	if durableName == "" {
		t.followers = append(t.followers, f)
		s.topic = f.queue
		s.attach(f.queue)
		return nil
	}
	if c.clientID == "" {
		return refuse("Invalid durable subscription: the connection has no client-id")
	}
	key := durableKey{c.clientID, durableName}
	d := t.durables[key]
	switch {
	case d == nil:
	case d.user != nil:
		return refuse("Durable consumer is in use for client: %s and subscriptionName: %s", c.clientID, durableName)
	case d.follower.pattern != name || d.text != text: // another subscription by JMS: it begins anew
		t.leave(d.follower.queue)
		d = nil
	}
	if d == nil {
		d = &durable{follower: f, text: text}
		t.durables[key] = d
		t.followers = append(t.followers, f)
	}
	d.user, s.durable, s.topic = s, d, d.follower.queue
	s.attach(d.follower.queue)
	return nil
}

// deleteDurable ends a durable subscription for good.
func (c *conn) deleteDurable(name string) error {
	key := durableKey{c.clientID, name}
	d := c.b.topics.durables[key]
	switch {
	case d == nil:
		return refuse("No durable subscription exists for: %s", name)
	case d.user != nil:
		return refuse("Durable consumer is in use")
	}
	c.b.topics.leave(d.follower.queue)
	delete(c.b.topics.durables, key)
	return nil
}
