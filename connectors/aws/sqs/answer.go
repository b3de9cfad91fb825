package sqs

import (
	"errors"
	"strings"

	"github.com/jmsbridge/jmsbridge/bridge"
	"github.com/jmsbridge/jmsbridge/connectors/aws"
)

// readAnswer fills the results from the answer to a SendMessageBatch: each that is unanswered once. Entries that it does
// not name keep what they have. The error says that it is no such answer: what became of the messages is not known.
func readAnswer(call *aws.Call, res []bridge.Result) error {
	r := reader{text: string(call.Answer), answered: call.Answered} // one copy, which the ids share
	if err := r.batch(call.RequestID, res); err != nil {
		for i := range res {
			if r.isNamed(i) { // what is said of one entry is worth no more than the rest
				res[i] = bridge.Result{Err: bridge.ErrUnanswered}
			}
		}
		return &bridge.Error{Class: bridge.Ambiguous, Code: "BadAnswer", RequestID: call.RequestID, Err: err}
	}
	return nil
}

var errAnswer = errors.New("the answer is not one that SQS gives to SendMessageBatch")

// reader reads just enough JSON. It takes what SQS writes, and of what SQS would not write it refuses whatever could
// change the meaning.
type reader struct {
	text     string
	at       int
	answered func(code, message string, status int) *bridge.Error
	named    [maxPlace/64 + 1]uint64 // a bit for each entry
}

// entry notes that the answer names an entry, and returns which. One that was not sent, or that was named before and has
// its result, is none of SQS's: it can't have been taken and refused.
func (r *reader) entry(id string, res []bridge.Result) (int, error) {
	i := place(id, len(res))
	if i < 0 || !errors.Is(res[i].Err, bridge.ErrUnanswered) {
		return 0, errAnswer
	}
	r.named[i/64] |= 1 << (i % 64)
	return i, nil
}

func (r *reader) isNamed(i int) bool { return i <= maxPlace && r.named[i/64]&(1<<(i%64)) != 0 }

func (r *reader) batch(requestID string, res []bridge.Result) error {
	lists := 0
	err := r.object(func(name string) error {
		switch name {
		case "Successful":
			lists++
			return r.array(func() error { return r.successful(res) })
		case "Failed":
			lists++
			return r.array(func() error { return r.failed(requestID, res) })
		}
		return r.skip(0)
	})
	if err == nil && (lists == 0 || r.rest() != "") {
		err = errAnswer
	}
	return err
}

func (r *reader) rest() string {
	r.space()
	return r.text[r.at:]
}

func (r *reader) successful(res []bridge.Result) error {
	var id, message string
	err := r.object(func(name string) (err error) {
		switch name {
		case "Id":
			id, err = r.str()
		case "MessageId":
			message, err = r.str()
		default:
			err = r.skip(0)
		}
		return err
	})
	if err != nil {
		return err
	}
	i, err := r.entry(id, res)
	if err != nil {
		return err
	}
	res[i] = bridge.Result{ID: message}
	return nil
}

func (r *reader) failed(requestID string, res []bridge.Result) error {
	var id, code, message string
	fault := false
	err := r.object(func(name string) (err error) {
		switch name {
		case "Id":
			id, err = r.str()
		case "Code":
			code, err = r.str()
		case "Message":
			message, err = r.str()
		case "SenderFault":
			r.space()
			fault = strings.HasPrefix(r.text[r.at:], "true")
			err = r.skip(0)
		default:
			err = r.skip(0)
		}
		return err
	})
	if err != nil {
		return err
	}
	i, err := r.entry(id, res)
	if err != nil {
		return err
	}
	e := r.answered(code, message, 0)
	if fault && e.Class == bridge.Transient && !aws.Known(code) {
		e.Class, e.OfTarget = bridge.Permanent, false
	}
	e.RequestID = requestID
	res[i].Err = aws.Alone(e, 1)
	return nil
}

// maxPlace is the last place that an Id of three digits can name.
const maxPlace = 999

// place reads an entry's Id, which is its place in the batch; -1: it is none.
func place(id string, n int) int {
	i := 0
	if id == "" || len(id) > 3 || id[0] == '0' && len(id) > 1 {
		return -1 // an id that was not sent
	}
	for _, c := range []byte(id) {
		if c < '0' || c > '9' {
			return -1
		}
		i = 10*i + int(c-'0')
	}
	if i >= n {
		return -1
	}
	return i
}

func (r *reader) space() {
	for r.at < len(r.text) {
		switch r.text[r.at] {
		case ' ', '\t', '\n', '\r':
			r.at++
		default:
			return
		}
	}
}

// take takes one character after white space.
func (r *reader) take(c byte) bool {
	r.space()
	if r.at < len(r.text) && r.text[r.at] == c {
		r.at++
		return true
	}
	return false
}

func (r *reader) object(member func(name string) error) error {
	if !r.take('{') {
		return errAnswer
	}
	if r.take('}') {
		return nil
	}
	for {
		name, err := r.str()
		if err != nil || !r.take(':') {
			return errAnswer
		}
		if err := member(name); err != nil {
			return err
		}
		if r.take('}') {
			return nil
		}
		if !r.take(',') {
			return errAnswer
		}
	}
}

func (r *reader) array(element func() error) error {
	r.space()
	if strings.HasPrefix(r.text[r.at:], "null") {
		r.at += len("null")
		return nil
	}
	if !r.take('[') {
		return errAnswer
	}
	if r.take(']') {
		return nil
	}
	for {
		if err := element(); err != nil {
			return err
		}
		if r.take(']') {
			return nil
		}
		if !r.take(',') {
			return errAnswer
		}
	}
}

// str reads a string. One with escapes, which only texts for people have, is unescaped.
func (r *reader) str() (string, error) {
	if !r.take('"') {
		return "", errAnswer
	}
	start := r.at
	for r.at < len(r.text) {
		switch c := r.text[r.at]; {
		case c == '"':
			s := r.text[start:r.at]
			r.at++
			return s, nil
		case c == '\\':
			return r.escaped(start)
		case c < 0x20:
			return "", errAnswer
		}
		r.at++
	}
	return "", errAnswer
}

// maxDepth bounds the nesting of what is passed over.
const maxDepth = 16

// skip passes over any value.
func (r *reader) skip(depth int) error {
	r.space()
	if depth > maxDepth || r.at >= len(r.text) {
		return errAnswer
	}
	switch c := r.text[r.at]; c {
	case '{':
		return r.object(func(string) error { return r.skip(depth + 1) })
	case '[':
		return r.array(func() error { return r.skip(depth + 1) })
	case '"':
		_, err := r.str()
		return err
	}
	start := r.at
	for r.at < len(r.text) && strings.IndexByte("+-.0123456789aeEflnrstu", r.text[r.at]) >= 0 {
		r.at++
	}
	if r.at == start {
		return errAnswer
	}
	return nil
}
