package stomplocal

import (
	"slices"
	"strconv"
	"strings"
)

// transaction collects what a COMMIT does.
type transaction struct {
	sends []pendingSend
	acks  []*entry
}

type pendingSend struct {
	destinations []string
	message      *message
}

// maxInTransaction bounds a transaction, and maxTransactions how many a connection may have.
const (
	maxInTransaction = 100_000
	maxTransactions  = 100
)

// execute handles a frame of a client that has logged in; b.mu is held. A *refusalError becomes an ERROR frame.
func (c *conn) execute(f *frame) error {
	switch f.command {
	case "SEND":
		return c.send(f)
	case "ACK", "NACK":
		return c.acknowledge(f)
	case "SUBSCRIBE":
		return c.subscribe(f)
	case "UNSUBSCRIBE":
		return c.unsubscribe(f)
	case "DISCONNECT":
		c.release()
		c.receipt(f)
		return errDone
	case "BEGIN", "COMMIT", "ABORT":
		return c.transact(f)
	case "CONNECT", "STOMP":
		return refuse("Already connected.")
	default:
		return protocolError("Unknown STOMP action: " + f.command)
	}
}

func (c *conn) send(f *frame) error {
	destination, ok := f.lookup("destination")
	if !ok || destination == "" {
		return refuse("SEND received without a Destination specified!")
	}
	m, err := c.fromSend(f)
	if err != nil {
		return err
	}
	m.id = c.b.nextID()
	parts := strings.Split(destination, ",")
	if len(parts) > maxHeaders {
		return refuse("too many destinations")
	}
	for i := range parts {
		parts[i] = strings.TrimSpace(parts[i])
		if name, isTopic := strings.CutPrefix(parts[i], prefixTopic); isTopic && name != "" {
			continue
		}
		if _, err := c.queueAt(parts[i]); err != nil {
			return err
		}
	}
	if id, ok := f.lookup("transaction"); ok {
		tx := c.txs[id]
		if tx == nil {
			return refuse("Invalid transaction id: %s", id)
		}
		if len(tx.sends) == maxInTransaction {
			return refuse("transaction too large")
		}
		tx.sends = append(tx.sends, pendingSend{parts, m})
		c.receipt(f)
		return nil
	}
	c.receipt(f) // it is kept from here on: nothing below can fail
	c.publish(parts, m)
	return nil
}

func (c *conn) publish(destinations []string, m *message) {
	for _, d := range destinations {
		if name, isTopic := strings.CutPrefix(d, prefixTopic); isTopic {
			c.b.stats.Published++
			c.b.topics.publish(name, m)
			continue
		}
		q, err := c.queueAt(d)
		if err != nil { // a temporary queue that went away since
			continue
		}
		if m.head == nil {
			m.seal()
		}
		c.b.stats.Published++
		q.put(m)
	}
}

func (c *conn) acknowledge(f *frame) error {
	id := f.value("id")
	n, err := strconv.ParseUint(id, 10, 64)
	e := c.unacked[n]
	if err != nil || e == nil {
		c.b.stats.Stray++
		return refuse("Unexpected %s received for message-id [null]", f.command)
	}
	if !e.settleable {
		return errSilent
	}
	if id, ok := f.lookup("transaction"); ok {
		tx := c.txs[id]
		switch {
		case tx == nil:
			return refuse("Invalid transaction id: %s", id)
		case f.command == "NACK":
			return refuse("NACK is not supported in a transaction")
		case len(tx.acks) == maxInTransaction:
			return refuse("transaction too large")
		}
		tx.acks = append(tx.acks, e)
		c.receipt(f)
		return nil
	}
	s := e.sub
	if f.command == "NACK" { // only this one, in client mode too
		c.b.stats.Nacked++
		s.settled(e)
		c.b.bury(e)
	} else {
		c.ack(e)
	}
	c.receipt(f)
	s.pull()
	return nil
}

// ack settles an entry, and all before it where acknowledgements are cumulative.
func (c *conn) ack(e *entry) {
	s := e.sub
	if s.mode == ackIndividual {
		c.b.stats.Acked++
		s.settled(e)
		return
	}
	for more := true; more; {
		head := s.unacked.head
		more = head != e
		c.b.stats.Acked++
		s.settled(head)
	}
}

func (c *conn) unsubscribe(f *frame) error {
	if name, ok := f.lookup("activemq.subscriptionName"); ok {
		if err := c.deleteDurable(name); err != nil {
			return err
		}
		c.receipt(f)
		return nil
	}
	id := f.value("id")
	at := slices.IndexFunc(c.subs, func(s *subscription) bool { return s.id == id })
	if at < 0 {
		return refuse("No subscription matched.")
	}
	s := c.subs[at]
	c.subs = slices.Delete(c.subs, at, at+1)
	touched := s.end()
	c.receipt(f)
	for _, q := range touched {
		q.dispatch()
	}
	return nil
}

func (c *conn) transact(f *frame) error {
	id, ok := f.lookup("transaction")
	if !ok {
		return refuse("Must specify the transaction you are committing")
	}
	tx := c.txs[id]
	if f.command == "BEGIN" {
		switch {
		case tx != nil:
			return refuse("The transaction was already started: %s", id)
		case len(c.txs) == maxTransactions:
			return refuse("too many transactions")
		}
		c.txs[id] = &transaction{}
		c.receipt(f)
		return nil
	}
	if tx == nil {
		return refuse("Invalid transaction id: %s", id)
	}
	delete(c.txs, id)
	if f.command == "COMMIT" {
		for _, e := range tx.acks {
			if s := e.sub; s != nil && s.c == c && c.unacked[e.ack] == e {
				c.ack(e)
				defer s.pull()
			}
		}
		c.receipt(f)
		for _, p := range tx.sends {
			c.publish(p.destinations, p.message)
		}
		return nil
	}
	c.receipt(f) // after ABORT the same ack ids can be used again
	return nil
}
