package bridge

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"strconv"
)

// dedupID returns the deduplication id of a message: hex SHA-256 of route name, source destination as delivered, and
// key, each ended by a zero byte. It is the same on every redelivery; "" for a message without a key.
func dedupID(route string, m *Message) string {
	if m.Key == "" {
		return ""
	}
	var room [512]byte
	b := append(room[:0], route...)
	b = append(b, 0)
	b = append(b, m.Destination.String()...)
	b = append(b, 0)
	b = append(b, m.Key...)
	b = append(b, 0)
	sum := sha256.Sum256(b)
	var text [2 * sha256.Size]byte
	hex.Encode(text[:], sum[:])
	return string(text[:])
}

// address fills in what the sink of the item's pipeline gets: group, deduplication id, and the encoded size. An error
// means that this pipeline can never take the message.
func (r *Route) address(it *item) error {
	p := it.pipe
	l := p.seen.Load()
	it.out.Group, it.out.DedupID = "", ""
	switch {
	case p.kind == toReply:
	case r.set.Order != OrderNone:
		it.out.Group = it.key
	case l.Group:
		it.out.Group = r.groupOfItsOwn(it)
	}
	if l.Dedup {
		name := r.set.Name
		if p.kind == toReply {
			name += "/reply"
		}
		it.out.DedupID = dedupID(name, &it.d.Message)
	}
	size, err := p.size(&it.out)
	if err != nil {
		return err
	}
	it.size = size + l.Overhead
	most := l.MessageBytes
	if most <= 0 {
		most = l.Bytes
	}
	if most > 0 && it.size > most {
		return &Error{Class: Permanent, Code: codeTooLarge, Err: fmt.Errorf("%d bytes encoded, and the target takes %d", it.size, most)}
	}
	return nil
}

const codeTooLarge = "TooLarge"

// assign finds the lane of a message at its target.
func (r *Route) assign(it *item) error {
	switch r.set.Order {
	case OrderStrict:
		it.key = r.set.Name
	case OrderGroup:
		group, find := it.out.Message.GroupID, it.pipe.group
		if find == nil {
			find = r.set.Group
		}
		if find != nil {
			var err error
			if group, err = find(it.out.Message); err != nil {
				return &Error{Class: Permanent, Code: "Group", Err: fmt.Errorf("finding the group: %w", err)}
			}
		}
		if it.key = group; group == "" {
			it.key = r.groupOfItsOwn(it)
		}
	case OrderNone:
	}
	return nil
}

// groupOfItsOwn returns the key, or a number that no other message of this route has.
func (r *Route) groupOfItsOwn(it *item) string {
	if k := it.d.Message.Key; k != "" {
		return k
	}
	return "jmsbridge-" + strconv.FormatUint(r.serial.Add(1), 36) + "-" + strconv.FormatInt(r.began.UnixNano(), 36)
}

// size asks the sink; a panic there means that the message can never be sent.
func (p *pipeline) size(o *Outgoing) (n int, err error) {
	defer func() {
		if v := recover(); v != nil {
			p.route.metrics.panics.Inc()
			err = &Error{Class: Permanent, Code: "panic", Err: fmt.Errorf("measuring the message: panic: %v", v)}
		}
	}()
	n, err = p.sink.Size(o)
	if err == nil {
		return n, nil
	}
	var e *Error
	if errors.As(err, &e) && e.Class == Permanent {
		return 0, err
	}
	return 0, Classed(Permanent, err)
}
