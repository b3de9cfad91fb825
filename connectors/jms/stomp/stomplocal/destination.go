package stomplocal

import (
	"strconv"
	"strings"
)

const (
	prefixQueue      = "/queue/"
	prefixTopic      = "/topic/"
	prefixTemp       = "/temp-queue/"
	prefixRemoteTemp = "/remote-temp-queue/"
)

// queueAt returns the queue that a destination header names on this connection.
func (c *conn) queueAt(destination string) (*queue, error) {
	if name, ok := strings.CutPrefix(destination, prefixQueue); ok && name != "" {
		return c.b.queueNamed(name), nil
	}
	if name, ok := strings.CutPrefix(destination, prefixTemp); ok && name != "" {
		return c.tempQueue(name), nil
	}
	if name, ok := strings.CutPrefix(destination, prefixRemoteTemp); ok && name != "" {
		if q := c.b.queues[name]; q != nil && q.owner != nil {
			return q, nil
		}
		return nil, &refusalError{
			message: "temp-queue://" + name,
			body:    "org.apache.activemq.DestinationDoesNotExistException: temp-queue://" + name,
		}
	}
	return nil, refuse("Illegal destination name: [%s] -- ActiveMQ STOMP destinations must begin with one of: /queue/ /topic/ /temp-queue/ /remote-temp-queue/", destination)
}

// tempQueue returns the temporary queue that this connection calls by name; it is made when it is not there.
func (c *conn) tempQueue(name string) *queue {
	q := c.temps[name]
	if q == nil {
		c.b.lastTmp++
		q = &queue{b: c.b, name: c.session + ":" + strconv.FormatUint(c.b.lastTmp, 10), owner: c}
		q.shown = prefixRemoteTemp + q.name
		c.temps[name] = q
		c.b.queues[q.name] = q
	}
	return q
}

// ownName returns how the owner of a temporary queue calls it.
func (q *queue) ownName() string {
	for name, o := range q.owner.temps { // a few
		if o == q {
			return name
		}
	}
	return q.name
}

// wildcard tells whether a name holds one of ActiveMQ's wildcards.
func wildcard(name string) bool {
	for part := range strings.SplitSeq(name, ".") {
		if part == "*" || part == ">" {
			return true
		}
	}
	return false
}

// matches tells whether a pattern covers a name: * stands for one part, > at the end for any rest.
func matches(pattern, name string) bool {
	if pattern == name {
		return pattern != ""
	}
	for {
		p, restP, moreP := strings.Cut(pattern, ".")
		n, restN, moreN := strings.Cut(name, ".")
		switch {
		case p == ">" && !moreP:
			return true
		case p != "*" && p != n:
			return false
		case !moreP && !moreN:
			return true
		case moreP && !moreN:
			return restP == ">" // a.> covers a
		case !moreP:
			return false
		}
		pattern, name = restP, restN
	}
}
