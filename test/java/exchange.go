package java

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/jmsbridge/jmsbridge/bridge"
	"github.com/jmsbridge/jmsbridge/test/brokers"
)

// Exchange is what an application with many requesters does: its threads share one connection, and each sends one
// request after the other, when the one before is answered or its patience has ended.
type Exchange struct {
	Queue string
	// Replies are the reply destinations, which the threads take in turn. A thread makes itself one temporary queue of
	// "temp-queue:" for all of its requests; at queue:NAME each request has a consumer with a selector on its correlation id.
	Replies  []string
	Threads  int
	Patience time.Duration
	// Requests are as for [Send]. What has no correlation id is answered with its JMSMessageID.
	Requests []bridge.Message
}

// Exchanged is what became of one request.
type Exchanged struct {
	ID   string // JMSMessageID of the request; "" for one that was not sent
	Took time.Duration
	// Answers are what came until the one with the right correlation id: just that one, unless something is wrong.
	Answers []bridge.Message
	// Faults tells for each answer what getBooleanProperty("JMSBridgeFault") says to a client.
	Faults []bool
}

// Exchanging is an exchange that runs.
type Exchanging struct {
	t        testing.TB
	requests int
	done     chan struct{}
	out      []byte
	err      error
}

// Start begins the exchange. [Exchanging.Results] must be called.
func (x Exchange) Start(t testing.TB, c Client, url string, u brokers.User) *Exchanging {
	t.Helper()
	var in strings.Builder
	for i := range x.Requests {
		if err := writeMessage(&in, &x.Requests[i]); err != nil {
			t.Fatalf("request %d: %v", i, err)
		}
	}
	if _, err := c.install(t.Context()); err != nil { // here, so that whoever waits for requests waits only for those
		t.Fatal(err)
	}
	r := &Exchanging{t: t, requests: len(x.Requests), done: make(chan struct{})}
	ctx := t.Context()
	go func() {
		defer close(r.done)
		r.out, r.err = c.run(ctx, in.String(), "exchange", url, u.Name, u.Password, x.Queue, strings.Join(x.Replies, ","),
			strconv.FormatInt(x.Patience.Milliseconds(), 10), strconv.Itoa(x.Threads))
	}()
	t.Cleanup(func() { <-r.done })
	return r
}

// Running tells whether requesters still wait.
func (r *Exchanging) Running() bool {
	select {
	case <-r.done:
		return false
	default:
		return true
	}
}

// Results waits until the client has ended. It returns what became of each request, and what else lay in the temporary
// queues at the end, where nothing should.
func (r *Exchanging) Results() (results []Exchanged, stray []bridge.Message) {
	r.t.Helper()
	<-r.done
	if r.err != nil {
		r.t.Fatal(r.err)
	}
	results = make([]Exchanged, r.requests)
	lines := bufio.NewScanner(bytes.NewReader(r.out))
	lines.Buffer(nil, 64<<20)
	for lines.Scan() {
		n, one, err := parseExchanged(lines.Bytes())
		switch {
		case err != nil:
			r.t.Fatal(err)
		case n < 0:
			stray = append(stray, one.Answers...)
		default:
			results[n] = one
		}
	}
	return results, stray
}

func parseExchanged(line []byte) (int, Exchanged, error) {
	var raw struct {
		Request int               `json:"request"`
		ID      string            `json:"id"`
		Millis  int64             `json:"millis"`
		Error   string            `json:"error"`
		Answers []json.RawMessage `json:"answers"`
	}
	if err := json.Unmarshal(line, &raw); err != nil {
		return 0, Exchanged{}, fmt.Errorf("reading a result: %w: %s", err, line)
	}
	if raw.Error != "" {
		return 0, Exchanged{}, fmt.Errorf("asking request %d: %s", raw.Request, raw.Error)
	}
	x := Exchanged{ID: raw.ID, Took: time.Duration(raw.Millis) * time.Millisecond}
	for _, a := range raw.Answers {
		m, err := parseMessage(a)
		if err != nil {
			return 0, Exchanged{}, fmt.Errorf("reading an answer to request %d: %w", raw.Request, err)
		}
		var said struct{ Fault bool }
		if err := json.Unmarshal(a, &said); err != nil {
			return 0, Exchanged{}, fmt.Errorf("reading an answer to request %d: %w", raw.Request, err)
		}
		x.Answers, x.Faults = append(x.Answers, m), append(x.Faults, said.Fault)
	}
	return raw.Request, x, nil
}
