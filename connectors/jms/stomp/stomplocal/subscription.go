package stomplocal

import (
	"math"
	"slices"
	"strconv"
	"strings"
)

type ackMode uint8

const (
	ackAuto ackMode = iota
	ackClient
	ackIndividual
)

// subscription is one SUBSCRIBE of a connection. b.mu guards it.
type subscription struct {
	c         *conn
	id        string
	prefix    []byte // "MESSAGE\nsubscription:ID\n"
	mode      ackMode
	prefetch  int
	selector  *selector
	exclusive bool
	patterns  []string // wildcards it follows
	topic     *queue   // its own queue, when it is on a topic
	durable   *durable

	queues  []*queue
	cursor  map[*queue]*entry // with a selector: the last pending entry that was looked at and not chosen
	unacked entryList         // in the order of delivery
	ended   bool
}

// defaultPrefetch of Classic.
const (
	prefetchQueue   = 1000
	prefetchTopic   = math.MaxInt16
	prefetchDurable = 100
)

func (c *conn) subscribe(f *frame) error {
	id, ok := f.lookup("id")
	if !ok {
		return refuse("SUBSCRIBE received without a subscription id!")
	}
	if f.value("browser") == "true" {
		return refuse("browser is not supported by the embedded broker")
	}
	if _, ok := f.lookup("transformation"); ok {
		return refuse("transformation is not supported by the embedded broker")
	}
	destination := f.value("destination")
	s := &subscription{c: c, id: id, prefetch: prefetchQueue, exclusive: f.value("activemq.exclusive") == "true"}
	s.prefix = appendHeader([]byte("MESSAGE\n"), "subscription", id)
	switch mode := f.value("ack"); mode {
	case "", "auto":
	case "client":
		s.mode = ackClient
	case "client-individual":
		s.mode = ackIndividual
	default:
		return refuse("Unsupported ack mode '%s'", mode)
	}
	if text, ok := f.lookup("selector"); ok && strings.TrimSpace(text) != "" {
		sel, err := parseSelector(text)
		if err != nil {
			return &refusalError{message: text, body: "jakarta.jms.InvalidSelectorException: " + err.Error()}
		}
		s.selector, s.cursor = sel, map[*queue]*entry{}
	}
	name, isTopic := strings.CutPrefix(destination, prefixTopic)
	durableName := f.value("activemq.subscriptionName")
	if isTopic {
		s.prefetch = prefetchTopic
		if durableName != "" {
			s.prefetch = prefetchDurable
		}
	}
	if text, ok := f.lookup("activemq.prefetchSize"); ok {
		n, err := strconv.Atoi(text)
		if err != nil || n < 0 {
			return refuse("For input string: \"%s\"", text)
		}
		s.prefetch = n
	}
	var err error
	if isTopic {
		err = c.followTopic(s, name, durableName)
	} else {
		err = c.followQueues(s, destination)
	}
	if err != nil {
		return err
	}
	c.subs = append(c.subs, s)
	c.receipt(f) // Classic opens the window after the receipt
	s.pull()
	return nil
}

// followQueues attaches s to all queues that the destination names.
func (c *conn) followQueues(s *subscription, destination string) error {
	var found []*queue
	for part := range strings.SplitSeq(destination, ",") {
		part = strings.TrimSpace(part)
		if name, ok := strings.CutPrefix(part, prefixQueue); ok && wildcard(name) {
			s.patterns = append(s.patterns, name)
			continue
		}
		q, err := c.queueAt(part)
		if err != nil {
			return err
		}
		if !slices.Contains(found, q) {
			found = append(found, q)
		}
	}
	for _, q := range found {
		s.attach(q)
	}
	if len(s.patterns) > 0 {
		for name, q := range c.b.queues {
			if q.owner == nil && matches(s.patternOf(name), name) && !slices.Contains(found, q) {
				s.attach(q)
			}
		}
		c.b.pattern = append(c.b.pattern, s)
	}
	return nil
}

// patternOf returns the wildcard of s that covers name; "" when none does.
func (s *subscription) patternOf(name string) string {
	for _, p := range s.patterns {
		if matches(p, name) {
			return p
		}
	}
	return ""
}

func (s *subscription) attach(q *queue) {
	s.queues = append(s.queues, q)
	q.subs = append(q.subs, s)
}

// ready tells that another message may be delivered.
func (s *subscription) ready() bool {
	if s.ended || s.c.gone || s.prefetch == 0 || s.c.out.full() {
		return false
	}
	return s.mode == ackAuto || s.unacked.n < s.prefetch
}

func (s *subscription) setCursor(q *queue, e *entry) {
	if e == nil {
		delete(s.cursor, q)
		return
	}
	s.cursor[q] = e
}

// deliver hands over an entry that was just taken from its queue.
func (s *subscription) deliver(e *entry) {
	st := &s.c.b.stats
	st.Delivered++
	if e.redelivered {
		st.Redelivered++
	}
	if s.mode != ackAuto {
		s.c.lastAck++
		e.sub, e.ack = s, s.c.lastAck
		s.c.unacked[e.ack] = e
		s.unacked.pushBack(e)
		e.queue.unacked++
	}
	s.c.out.message(e, s)
}

// appendMessage appends the MESSAGE frame of an entry.
func (s *subscription) appendMessage(b []byte, e *entry) []byte {
	b = append(b, s.prefix...)
	switch {
	case e.queue.owner == s.c:
		b = appendHeader(b, "destination", prefixTemp+e.queue.ownName())
	case e.queue.private:
		b = appendHeader(b, "destination", e.original)
	default:
		b = appendHeader(b, "destination", e.queue.shown)
	}
	if s.mode != ackAuto {
		b = append(b, "ack:"...)
		b = strconv.AppendUint(b, e.ack, 10)
		b = append(b, '\n')
	}
	if e.redelivered {
		b = append(b, "redelivered:true\n"...)
	}
	switch {
	case e.replyTemp != nil && e.replyTemp.owner == s.c:
		b = appendHeader(b, "reply-to", prefixTemp+e.replyTemp.ownName())
	case e.replyTo != "":
		b = appendHeader(b, "reply-to", e.replyTo)
	}
	b = append(b, e.head...)
	b = append(b, '\n')
	b = append(b, e.body...)
	return append(b, 0, '\n')
}

// pull dispatches from all queues of s.
func (s *subscription) pull() {
	for _, q := range slices.Clone(s.queues) {
		q.dispatch()
	}
}

// settled forgets an acknowledged entry.
func (s *subscription) settled(e *entry) {
	s.unacked.remove(e)
	delete(s.c.unacked, e.ack)
	e.queue.unacked--
}

// end detaches s and gives back what was not acknowledged. It returns the queues that now have something to dispatch.
func (s *subscription) end() []*queue {
	s.ended = true
	back := map[*queue][]*entry{}
	for e := s.unacked.head; e != nil; {
		next := e.next
		s.unacked.remove(e)
		delete(s.c.unacked, e.ack)
		back[e.queue] = append(back[e.queue], e)
		e = next
	}
	touched := s.queues
	for _, q := range s.queues {
		q.subs = slices.DeleteFunc(q.subs, func(o *subscription) bool { return o == s })
		q.turn = 0
	}
	s.queues = nil
	for q, entries := range back {
		q.giveBack(entries)
	}
	if len(s.patterns) > 0 {
		s.c.b.pattern = slices.DeleteFunc(s.c.b.pattern, func(o *subscription) bool { return o == s })
	}
	switch {
	case s.durable != nil:
		s.durable.user = nil
	case s.topic != nil:
		s.c.b.topics.leave(s.topic)
	}
	return touched
}
