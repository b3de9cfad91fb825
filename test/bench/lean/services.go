package lean

import (
	"crypto/md5" // as the digests of SQS
	"strconv"
	"strings"
)

// function returns the name of the function that a call of Lambda is about.
func (r request) function() (string, bool) {
	rest, ok := strings.CutPrefix(r.path, "/2015-03-31/functions/")
	if !ok {
		return "", false
	}
	name, _, ok := strings.Cut(rest, "/")
	return name, ok
}

// functionConfiguration answers what a sink asks once.
func functionConfiguration(name string) []byte {
	return marshal(map[string]any{"FunctionName": name, "State": "Active", "LastUpdateStatus": "Successful", "Timeout": 30})
}

// count notes a message.
func (e *Endpoint) count(message []byte) int64 {
	if e.counting.Load() {
		e.seen(md5.Sum(message))
	}
	return e.messages.Add(1)
}

// invoke answers an Invoke: a list is a batch, anything else one message.
func (e *Endpoint) invoke(out, in []byte) ([]byte, error) {
	if i := space(in, 0); i >= len(in) || in[i] != '[' {
		e.count(in)
		return append(out, `{"ok":true}`...), nil
	}
	_, err := array(in, 0, func(i int) (int, error) {
		end, err := skip(in, i)
		if err == nil {
			e.count(in[i:end])
		}
		return end, err
	})
	return append(out, `{"batchItemFailures":[]}`...), err
}

// events answers a PutEvents.
func (e *Endpoint) events(out, in []byte) ([]byte, error) {
	out = append(out, `{"FailedEntryCount":0,"Entries":[`...)
	n := 0
	_, err := object(in, 0, func(key []byte, i int) (int, error) {
		if string(key) != "Entries" {
			return skip(in, i)
		}
		return array(in, i, func(i int) (int, error) {
			end, err := skip(in, i)
			if err != nil {
				return 0, err
			}
			if n++; n > 1 {
				out = append(out, ',')
			}
			out = append(out, `{"EventId":"`...)
			out = strconv.AppendInt(out, e.count(in[i:end]), 10)
			out = append(out, `"}`...)
			return end, nil
		})
	})
	return append(out, ']', '}'), err
}
