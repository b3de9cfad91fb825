package stomplocal

import (
	"fmt"
	"strings"
)

// Publish puts a message on a queue or a topic ("/queue/orders", "/topic/prices"), or on a temporary queue as others see
// it ("/remote-temp-queue/ID:…"), as a producer inside the process, and returns its message-id. The broker keeps nothing
// of m.
func (b *Broker) Publish(destination string, m Message) (string, error) {
	made, err := fromPublished(m)
	if err != nil {
		return "", fmt.Errorf("publishing to %s: %w", destination, err)
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if made.id == "" {
		made.id = b.nextID()
	}
	if name, ok := strings.CutPrefix(destination, prefixTopic); ok && name != "" {
		b.stats.Published++
		b.topics.publish(name, made)
		return made.id, nil
	}
	q := b.look(destination)
	if name, ok := strings.CutPrefix(destination, prefixQueue); ok && name != "" {
		q = b.queueNamed(name)
	}
	if q == nil {
		return "", fmt.Errorf("publishing to %q: not a queue or a topic, or a temporary queue that is gone", destination)
	}
	b.stats.Published++
	made.seal()
	q.put(made)
	return made.id, nil
}

// Browse returns up to limit messages that wait in a queue and are not delivered to anybody, the oldest first; 0: all.
func (b *Broker) Browse(destination string, limit int) []Message {
	b.mu.Lock()
	defer b.mu.Unlock()
	q := b.look(destination)
	if q == nil {
		return nil
	}
	var out []Message
	for e := q.pending.head; e != nil && (limit <= 0 || len(out) < limit); e = e.next {
		out = append(out, e.public())
	}
	return out
}

// Depth returns how many messages a queue has, those included that are delivered and not acknowledged: what Classic
// calls QueueSize. 0 for a queue that isn't there.
func (b *Broker) Depth(destination string) int {
	b.mu.Lock()
	defer b.mu.Unlock()
	if q := b.look(destination); q != nil {
		return q.pending.n + q.unacked
	}
	return 0
}

// Unacked returns how many messages of a queue are delivered and not acknowledged.
func (b *Broker) Unacked(destination string) int {
	b.mu.Lock()
	defer b.mu.Unlock()
	if q := b.look(destination); q != nil {
		return q.unacked
	}
	return 0
}

// Consumers returns how many subscriptions a queue or a topic has now, durable ones without a consumer left out.
func (b *Broker) Consumers(destination string) int {
	b.mu.Lock()
	defer b.mu.Unlock()
	if name, ok := strings.CutPrefix(destination, prefixTopic); ok {
		n := 0
		for _, f := range b.topics.followers {
			if matches(f.pattern, name) {
				n += len(f.queue.subs)
			}
		}
		return n
	}
	if q := b.look(destination); q != nil {
		return len(q.subs)
	}
	return 0
}

// Purge forgets what waits in a queue and is not delivered to anybody, and returns how many that were.
func (b *Broker) Purge(destination string) int {
	b.mu.Lock()
	defer b.mu.Unlock()
	q := b.look(destination)
	if q == nil {
		return 0
	}
	n := q.pending.n
	for q.pending.head != nil {
		q.take(q.pending.head)
	}
	return n
}

// DurableDepth returns how many messages a durable subscription has, delivered ones included, and whether it is there.
func (b *Broker) DurableDepth(clientID, subscription string) (depth int, ok bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	d := b.topics.durables[durableKey{clientID, subscription}]
	if d == nil {
		return 0, false
	}
	return d.follower.queue.pending.n + d.follower.queue.unacked, true
}

// look returns a queue, without what has expired; b.mu is held.
func (b *Broker) look(destination string) *queue {
	name, ok := strings.CutPrefix(destination, prefixQueue)
	if !ok {
		name, ok = strings.CutPrefix(destination, prefixRemoteTemp)
	}
	if !ok {
		return nil
	}
	q := b.queues[name]
	if q != nil {
		q.expireAll()
	}
	return q
}
