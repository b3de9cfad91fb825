package lean

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// Stats are what the endpoint has counted since the last reset.
type Stats struct {
	Messages int64 `json:"messages"`
	Requests int64 `json:"requests"`
	// Distinct is how many different bodies there were; counted only when a reset has asked for it.
	Distinct int64 `json:"distinct"`
	// First and Last are when the first and the last message arrived, in Unix nanoseconds; 0: none has.
	First int64 `json:"first"`
	Last  int64 `json:"last"`
}

// Endpoint is a running endpoint.
type Endpoint struct {
	listener net.Listener
	latency  atomic.Int64
	messages atomic.Int64
	requests atomic.Int64
	first    atomic.Int64
	last     atomic.Int64
	counting atomic.Bool // distinct bodies

	mu       sync.Mutex // guards what follows
	distinct map[[16]byte]struct{}
	conns    map[net.Conn]struct{}
	closed   bool
	running  sync.WaitGroup
}

// Start listens on an address, and answers each call after the service time.
func Start(address string, latency time.Duration) (*Endpoint, error) {
	l, err := net.Listen("tcp", address)
	if err != nil {
		return nil, fmt.Errorf("listening: %w", err)
	}
	e := &Endpoint{listener: l, conns: map[net.Conn]struct{}{}}
	e.latency.Store(int64(latency))
	e.running.Go(e.accept)
	return e, nil
}

// URL is the endpoint's URL for clients.
func (e *Endpoint) URL() string { return "http://" + e.listener.Addr().String() }

// Close stops listening, closes the connections and waits for them.
func (e *Endpoint) Close() error {
	err := e.listener.Close()
	e.mu.Lock()
	e.closed = true
	for c := range e.conns {
		_ = c.Close()
	}
	e.mu.Unlock()
	e.running.Wait()
	return err
}

// Stats returns the counts.
func (e *Endpoint) Stats() Stats {
	e.mu.Lock()
	defer e.mu.Unlock()
	return Stats{
		Messages: e.messages.Load(), Requests: e.requests.Load(), Distinct: int64(len(e.distinct)), First: e.first.Load(), Last: e.last.Load(),
	}
}

// Reset sets the counts to zero, and the service time for the calls to come.
func (e *Endpoint) Reset(latency time.Duration, countDistinct bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.distinct = nil
	if countDistinct {
		e.distinct = map[[16]byte]struct{}{}
	}
	e.counting.Store(countDistinct)
	e.latency.Store(int64(latency))
	e.messages.Store(0)
	e.requests.Store(0)
	e.first.Store(0)
	e.last.Store(0)
}

func (e *Endpoint) accept() {
	for {
		c, err := e.listener.Accept()
		if err != nil {
			return
		}
		e.mu.Lock()
		if e.closed {
			e.mu.Unlock()
			_ = c.Close()
			return
		}
		e.conns[c] = struct{}{}
		e.mu.Unlock()
		e.running.Go(func() {
			_ = e.serve(c) // a client that leaves is no error here
			_ = c.Close()
			e.mu.Lock()
			delete(e.conns, c)
			e.mu.Unlock()
		})
	}
}

const (
	maxBody = 8 << 20
	idle    = 5 * time.Minute
)

// request is one HTTP request; its slices are good until the next one.
type request struct {
	path   string
	action string
	body   []byte
}

// serve answers the requests of one connection.
func (e *Endpoint) serve(c net.Conn) error {
	r := bufio.NewReaderSize(c, 64<<10)
	var body, answer []byte
	for {
		if err := c.SetDeadline(time.Now().Add(idle)); err != nil {
			return err
		}
		in, err := read(r, body)
		if err != nil {
			return err
		}
		body = in.body
		arrived := time.Now()
		kind := "application/x-amz-json-1.0"
		answer = answer[:0]
		function, isFunction := in.function()
		switch {
		case in.action == "AmazonSQS.SendMessageBatch":
			answer, err = e.batch(answer, in.body)
		case in.action == "AWSEvents.PutEvents":
			kind = "application/x-amz-json-1.1"
			answer, err = e.events(answer, in.body)
		case isFunction && strings.HasSuffix(in.path, "/invocations"):
			kind = "application/json"
			answer, err = e.invoke(answer, in.body)
		case isFunction:
			answer, kind, arrived = functionConfiguration(function), "application/json", time.Time{}
		case in.action == "":
			answer, kind = e.control(in)
			arrived = time.Time{}
		default:
			answer, arrived = e.other(in), time.Time{}
		}
		if err != nil {
			return err
		}
		if !arrived.IsZero() {
			e.serviceTime(arrived)
		}
		header := fmt.Appendf(nil, "HTTP/1.1 200 OK\r\nContent-Type: %s\r\nX-Amzn-Requestid: lean\r\nContent-Length: %d\r\n\r\n", kind, len(answer))
		buffers := net.Buffers{header, answer}
		if _, err := buffers.WriteTo(c); err != nil {
			return err
		}
	}
}

// serviceTime notes a call that counts, and waits until its service time has passed.
func (e *Endpoint) serviceTime(arrived time.Time) {
	e.requests.Add(1)
	e.first.CompareAndSwap(0, arrived.UnixNano())
	e.last.Store(arrived.UnixNano())
	if wait := time.Duration(e.latency.Load()) - time.Since(arrived); wait > 0 {
		time.Sleep(wait) //nolint:forbidigo // the service time is what this is for
	}
}

// read reads one request into body's memory.
func read(r *bufio.Reader, body []byte) (request, error) {
	line, err := r.ReadSlice('\n')
	if err != nil {
		return request{}, err
	}
	part := bytes.Fields(line)
	if len(part) != 3 {
		return request{}, errors.New("no HTTP request line")
	}
	in := request{path: string(part[1])}
	length := 0
	for {
		line, err := r.ReadSlice('\n')
		if err != nil {
			return request{}, err
		}
		line = bytes.TrimRight(line, "\r\n")
		if len(line) == 0 {
			break
		}
		name, value, _ := bytes.Cut(line, []byte(":"))
		switch value = bytes.TrimSpace(value); {
		case bytes.EqualFold(name, []byte("Content-Length")):
			if length, err = strconv.Atoi(string(value)); err != nil || length < 0 || length > maxBody {
				return request{}, fmt.Errorf("content length %q", value)
			}
		case bytes.EqualFold(name, []byte("X-Amz-Target")):
			in.action = string(value)
		case bytes.EqualFold(name, []byte("Transfer-Encoding")):
			return request{}, errors.New("chunked requests are not served")
		}
	}
	if cap(body) < length {
		body = make([]byte, length)
	}
	in.body = body[:length]
	_, err = io.ReadFull(r, in.body)
	return in, err
}

// control answers what is no call of a JSON service: /stats, /reset?latency=5ms&distinct=1, and the caller identity.
func (e *Endpoint) control(in request) ([]byte, string) {
	u, _ := url.Parse(in.path)
	switch {
	case u != nil && u.Path == "/stats":
		return marshal(e.Stats()), "application/json"
	case u != nil && u.Path == "/reset":
		latency, _ := time.ParseDuration(u.Query().Get("latency"))
		e.Reset(latency, u.Query().Get("distinct") != "")
		return []byte("{}"), "application/json"
	}
	return []byte(`<GetCallerIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><GetCallerIdentityResult>` +
		`<Arn>arn:aws:iam::123456789012:user/bench</Arn><UserId>AIDABENCH</UserId><Account>123456789012</Account>` +
		`</GetCallerIdentityResult></GetCallerIdentityResponse>`), "text/xml"
}

// other answers the calls that a sink makes once.
func (e *Endpoint) other(in request) []byte {
	if in.action == "AWSEvents.DescribeEventBus" {
		return marshal(map[string]string{"Name": "bench", "Arn": "arn:aws:events:us-east-1:123456789012:event-bus/bench"})
	}
	var q struct {
		QueueName string
		QueueURL  string `json:"QueueUrl"`
	}
	_ = json.Unmarshal(in.body, &q)
	name := q.QueueName
	if name == "" {
		name = q.QueueURL[strings.LastIndexByte(q.QueueURL, '/')+1:]
	}
	if in.action == "AmazonSQS.GetQueueAttributes" {
		a := map[string]string{"MaximumMessageSize": "1048576", "QueueArn": "arn:aws:sqs:us-east-1:123456789012:" + name}
		if strings.HasSuffix(name, ".fifo") {
			a["FifoQueue"] = "true"
		}
		return marshal(map[string]map[string]string{"Attributes": a})
	}
	return marshal(map[string]string{"QueueUrl": e.URL() + "/123456789012/" + name})
}

func marshal(answer any) []byte {
	text, err := json.Marshal(answer)
	if err != nil {
		return []byte("{}")
	}
	return text
}
