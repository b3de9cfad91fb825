package lean

import (
	"bytes"
	"crypto/md5" // SQS's digests are MD5 by its API
	"encoding/hex"
	"encoding/json"
	"errors"
	"strconv"
)

var errJSON = errors.New("no JSON as the SDK writes it")

// batch answers a SendMessageBatch: it finds id and body of each entry, whatever the order of the keys.
func (e *Endpoint) batch(out, in []byte) ([]byte, error) {
	out = append(out, `{"Successful":[`...)
	n := 0
	fifo := bytes.Contains(in, []byte(`.fifo"`))
	_, err := object(in, 0, func(key []byte, i int) (int, error) {
		if string(key) != "Entries" {
			return skip(in, i)
		}
		return array(in, i, func(i int) (int, error) {
			var id, body []byte
			end, err := object(in, i, func(key []byte, i int) (int, error) {
				end, err := skip(in, i)
				if err != nil {
					return 0, err
				}
				switch string(key) {
				case "Id":
					id = in[i:end]
				case "MessageBody":
					body = in[i:end]
				}
				return end, nil
			})
			if err != nil || id == nil || len(body) < 2 {
				return 0, errors.Join(errJSON, err)
			}
			sum := md5.Sum(plain(body))
			if n++; n > 1 {
				out = append(out, ',')
			}
			out = append(append(out, `{"Id":`...), id...)
			out = append(out, `,"MessageId":"`...)
			number := e.messages.Add(1)
			out = strconv.AppendInt(out, number, 10)
			out = append(out, `","MD5OfMessageBody":"`...)
			out = hex.AppendEncode(out, sum[:])
			if fifo {
				out = append(out, `","SequenceNumber":"`...)
				out = strconv.AppendInt(out, number, 10)
			}
			out = append(out, `"}`...)
			if e.counting.Load() {
				e.seen(sum)
			}
			return end, nil
		})
	})
	if err != nil {
		return nil, err
	}
	return append(out, `]}`...), nil
}

// seen notes a message among the different ones.
func (e *Endpoint) seen(sum [md5.Size]byte) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.distinct != nil { // a reset may have come in between
		e.distinct[sum] = struct{}{}
	}
}

// plain is the text of a JSON string with its quotes.
func plain(quoted []byte) []byte {
	if bytes.IndexByte(quoted, '\\') < 0 {
		return quoted[1 : len(quoted)-1]
	}
	var s string
	if json.Unmarshal(quoted, &s) != nil {
		return nil
	}
	return []byte(s)
}

func space(b []byte, i int) int {
	for i < len(b) && (b[i] == ' ' || b[i] == '\n' || b[i] == '\t' || b[i] == '\r') {
		i++
	}
	return i
}

// object walks over an object at i: member gets each key, and where the value begins, and returns where it ends.
func object(b []byte, i int, member func(key []byte, i int) (int, error)) (int, error) {
	return list(b, i, '{', '}', func(i int) (int, error) {
		end, err := text(b, i)
		if err != nil {
			return 0, err
		}
		key := b[i+1 : end-1]
		if end = space(b, end); end >= len(b) || b[end] != ':' {
			return 0, errJSON
		}
		return member(key, space(b, end+1))
	})
}

func array(b []byte, i int, element func(i int) (int, error)) (int, error) {
	return list(b, i, '[', ']', element)
}

func list(b []byte, i int, opening, closing byte, each func(i int) (int, error)) (int, error) {
	if i = space(b, i); i >= len(b) || b[i] != opening {
		return 0, errJSON
	}
	for i = space(b, i+1); i < len(b); {
		if b[i] == closing {
			return i + 1, nil
		}
		end, err := each(i)
		if err != nil {
			return 0, err
		}
		if i = space(b, end); i < len(b) && b[i] == ',' {
			i = space(b, i+1)
		}
	}
	return 0, errJSON
}

// text returns the end of a string at i.
func text(b []byte, i int) (int, error) {
	if i >= len(b) || b[i] != '"' {
		return 0, errJSON
	}
	for j := i + 1; j < len(b); {
		n := bytes.IndexByte(b[j:], '"')
		if n < 0 {
			return 0, errJSON
		}
		j += n
		slashes := 0
		for b[j-1-slashes] == '\\' {
			slashes++
		}
		if j++; slashes%2 == 0 {
			return j, nil
		}
	}
	return 0, errJSON
}

// skip returns the end of a value at i, however deep it is.
func skip(b []byte, i int) (int, error) {
	for depth := 0; i < len(b); {
		switch b[i] {
		case '"':
			end, err := text(b, i)
			if err != nil || depth == 0 {
				return end, err
			}
			i = end
		case '{', '[':
			depth++
			i++
		case '}', ']':
			if depth--; depth < 0 {
				return 0, errJSON
			}
			if i++; depth == 0 {
				return i, nil
			}
		default:
			if depth > 0 {
				i++
				continue
			}
			if n := bytes.IndexAny(b[i:], ",]} \n\t\r"); n > 0 {
				return i + n, nil
			}
			return 0, errJSON
		}
	}
	return 0, errJSON
}
