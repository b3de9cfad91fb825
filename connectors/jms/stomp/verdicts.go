package stomp

import "github.com/jmsbridge/jmsbridge/connectors/jms/stomp/client"

// verdicts keeps the acknowledgement ids of what is out, and the verdicts that are not written yet. The subscription's
// lock guards it.
//
// One by one, a tag is a place in a table; places are used again, so the table is as long as the most that was ever
// out, however long one message is held. Cumulatively, a tag is a position in the order of arrival, and one ACK tells
// the broker of all up to the last of the finished prefix.
type verdicts struct {
	out   []out // by tag
	free  []uint64
	ready []verdict

	cumulative bool
	first      uint64 // tag of line[0]
	line       []inLine
	upTo       string // the last of the finished prefix that is not written
	finished   int    // messages that upTo covers
}

type verdict struct {
	ack    string
	reject bool
}

type out struct {
	ack  string
	size int
}

type inLine struct {
	out
	done bool
}

// arrived takes in a delivery and returns its tag.
func (v *verdicts) arrived(ack string, size int) uint64 {
	o := out{ack, size}
	if v.cumulative {
		v.line = append(v.line, inLine{out: o})
		return v.first + uint64(len(v.line)-1)
	}
	if n := len(v.free); n > 0 {
		tag := v.free[n-1]
		v.free = v.free[:n-1]
		v.out[tag] = o
		return tag
	}
	v.out = append(v.out, o)
	return uint64(len(v.out) - 1)
}

// settled records a verdict and returns the size of the delivery. A delivery calls it once (see bridge.Delivery), which
// is what makes reuse of tags safe.
func (v *verdicts) settled(tag uint64, reject bool) int {
	if v.cumulative {
		l := &v.line[tag-v.first]
		l.done = true
		size := l.size
		for len(v.line) > 0 && v.line[0].done {
			v.upTo = v.line[0].ack
			v.line[0] = inLine{}
			v.line = v.line[1:]
			v.first++
			v.finished++
		}
		return size
	}
	size := v.out[tag].size
	v.ready = append(v.ready, verdict{v.out[tag].ack, reject})
	v.out[tag] = out{}
	v.free = append(v.free, tag)
	return size
}

// waiting returns the number of messages whose verdict can be written and is not.
func (v *verdicts) waiting() int { return len(v.ready) + v.finished }

// behind returns how many finished messages wait behind one that isn't.
func (v *verdicts) behind() int {
	n := 0
	for _, l := range v.line {
		if l.done {
			n++
		}
	}
	return n
}

// appendFrames appends the ACK and NACK frames of the recorded verdicts and forgets them.
func (v *verdicts) appendFrames(dst []byte) []byte {
	if v.finished > 0 {
		dst = appendVerdict(dst, verdict{ack: v.upTo})
		v.upTo, v.finished = "", 0
	}
	for _, r := range v.ready {
		dst = appendVerdict(dst, r)
	}
	clear(v.ready)
	v.ready = v.ready[:0]
	return dst
}

func appendVerdict(dst []byte, r verdict) []byte {
	command := "ACK"
	if r.reject {
		command = "NACK"
	}
	dst = client.AppendCommand(dst, command)
	dst = client.AppendHeader(dst, "id", r.ack)
	return client.AppendBody(dst, "")
}
