package aws

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/aws/smithy-go/encoding/httpbinding"

	"github.com/jmsbridge/jmsbridge/bridge"
)

const (
	userAgent = "jmsbridge"
	// maxAnswer bounds what is read of an answer, unless the caller says otherwise.
	maxAnswer = 4 << 20
	// keptBuffer is the largest buffer that is kept from one call to the next.
	keptBuffer = 2 << 20
)

// Caller makes calls of one operation of a service. It is safe for concurrent use.
type Caller struct {
	// MaxAnswer bounds the bytes that are read of an answer. It is not changed once calls are made.
	MaxAnswer int
	// Patient waits for an answer as long as the call's context allows, for calls that take their time (a long poll, a
	// function). It is not changed once calls are made.
	Patient bool

	client *Client
	signer signer
	plain  *http.Request // what each request begins as
	fixed  http.Header   // the headers that are the same each time

	head, middle, between, tail string // of the canonical request
	signed, signedToken         string // the names of the signed headers, without and with a token

	calls sync.Pool
}

// Endpoint is where and for what calls are signed.
type Endpoint struct {
	URL, Region, Service string
}

// Operation is the shape of a service's calls. Each is a POST.
type Operation struct {
	// Path is what the URL's path ends with, escaped; "" where the service has one path for all.
	Path string
	// Query is the query, escaped and sorted by name; "" for none.
	Query string
	// ContentType is that of the request.
	ContentType string
	// Headers are further headers, which are signed: names in canonical form, values that need no trimming.
	Headers map[string]string
}

// Caller returns a caller of an operation of a service that speaks AWS's JSON protocol 1.0, with the error codes of its
// old protocol ("AmazonSQS.SendMessageBatch").
func (c *Client) Caller(e Endpoint, target string) (*Caller, error) {
	return c.CallerOf(e, Operation{
		ContentType: "application/x-amz-json-1.0", Headers: map[string]string{"X-Amz-Target": target, "X-Amzn-Query-Mode": "true"},
	})
}

// CallerOf returns a caller of an operation.
func (c *Client) CallerOf(e Endpoint, o Operation) (*Caller, error) {
	u, err := url.Parse(strings.TrimSuffix(e.URL, "/") + o.Path)
	if err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http" {
		return nil, &bridge.Error{
			Class: bridge.Fatal, Code: "Configuration",
			Err: fmt.Errorf("the endpoint %q is no http:// or https:// URL", e.URL), Remedy: "correct aws.endpoint_url",
		}
	}
	if u.Path == "" {
		u.Path = "/"
	}
	u.RawQuery = o.Query
	host := u.Host
	if p := u.Port(); p == "443" && u.Scheme == "https" || p == "80" && u.Scheme == "http" {
		host = strings.TrimSuffix(host, ":"+p)
	}
	plain := &http.Request{
		Method: http.MethodPost, URL: u, Host: host, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
	}
	call := &Caller{MaxAnswer: maxAnswer, client: c, plain: plain, fixed: http.Header{"Content-Type": {o.ContentType}, "User-Agent": {userAgent}}}
	call.canonical(httpbinding.EscapePath(u.EscapedPath(), false), host, o)
	call.signer.region, call.signer.service = e.Region, e.Service
	return call, nil
}

// canonical writes what of the canonical request is the same each time. Its headers are sorted by name: what stands
// before x-amz-date, between that and x-amz-security-token, and behind both.
func (c *Caller) canonical(path, host string, o Operation) {
	const date, token = "x-amz-date", "x-amz-security-token"
	c.head = "POST\n" + path + "\n" + o.Query + "\ncontent-length:"
	c.middle = "\ncontent-type:" + o.ContentType + "\nhost:" + host
	before, between, behind := "content-length;content-type;host", "", ""
	for _, name := range slices.Sorted(maps.Keys(o.Headers)) {
		value, lower := o.Headers[name], strings.ToLower(name)
		c.fixed[name] = []string{value}
		line := "\n" + lower + ":" + value
		switch {
		case lower < date:
			c.middle += line
			before += ";" + lower
		case lower < token:
			c.between += line
			between += ";" + lower
		default:
			c.tail += line
			behind += ";" + lower
		}
	}
	c.middle += "\n" + date + ":"
	c.tail += "\n\n"
	c.signed = before + ";" + date + between + behind
	c.signedToken = before + ";" + date + between + ";" + token + behind
}

// Call is one request and its answer, with buffers that are used again.
type Call struct {
	// Body is the JSON to send. It must not be changed between Do and Release.
	Body []byte
	// Answer is what came back; valid until Release.
	Answer []byte
	// RequestID is AWS's id of the request.
	RequestID string
	// Header is the answer's; valid until Release.
	Header http.Header

	caller  *Caller
	header  http.Header
	values  [3][1]string // date, authorization, token
	secrets secrets      // of the last Do
	reader  bytes.Reader // of Body
	body    io.ReadCloser
	again   func() (io.ReadCloser, error)
	trace   httptrace.ClientTrace
	writing atomic.Int32 // attempts that have a connection and have not ended their writing
	started atomic.Bool  // an attempt got a connection: some of the request may have been written
	dirty   bool         // the transport may still hold on to the call
}

const (
	atDate = iota
	atAuthorization
	atToken
)

// Acquire returns a call with an empty Body. Release it after use.
func (c *Caller) Acquire() *Call {
	if call, ok := c.calls.Get().(*Call); ok {
		return call
	}
	call := &Call{caller: c}
	call.header = maps.Clone(c.fixed)
	call.header["X-Amz-Date"] = call.values[atDate][:]
	call.header["Authorization"] = call.values[atAuthorization][:]
	// net/http writes header and body at once only where it knows that the reader is in memory: bytes.Reader in
	// io.NopCloser, and no type of ours. So what it does is learnt through a trace.
	call.body = io.NopCloser(&call.reader)
	// It asks for another reader only where nothing was written to a connection that had gone stale.
	call.again = func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(call.Body)), nil }
	call.trace.GotConn = func(httptrace.GotConnInfo) {
		call.writing.Add(1)
		call.started.Store(true)
	}
	call.trace.WroteRequest = func(httptrace.WroteRequestInfo) { call.writing.Add(-1) }
	return call
}

// Release gives the buffers back. Where the transport may still read them, they are left to the collector.
func (call *Call) Release() {
	if call.dirty || call.writing.Load() != 0 || cap(call.Body) > keptBuffer || cap(call.Answer) > keptBuffer {
		return
	}
	call.Body, call.Answer, call.RequestID, call.Header = call.Body[:0], call.Answer[:0], "", nil
	call.caller.calls.Put(call)
}

// Do signs and sends the call once and reads the answer into Answer. A nil error means success and a whole body. An
// error is a *bridge.Error; one of class Ambiguous when the request may have been processed.
func (call *Call) Do(ctx context.Context) error {
	c := call.caller
	s, err := c.client.session(ctx)
	if err != nil {
		return err
	}
	creds, err := c.client.credentials(ctx, s)
	if err != nil {
		return err
	}
	at := c.client.stampOf(c.client.Now())
	call.values[atDate][0] = at.long
	call.values[atAuthorization][0] = c.authorization(&creds, at, call.Body)
	if creds.SessionToken == "" {
		delete(call.header, "X-Amz-Security-Token")
	} else {
		call.values[atToken][0] = creds.SessionToken
		call.header["X-Amz-Security-Token"] = call.values[atToken][:]
	}
	call.secrets = secretsOf(&creds, call.values[atAuthorization][0])
	req := c.plain.WithContext(httptrace.WithClientTrace(ctx, &call.trace))
	req.Header = call.header
	req.ContentLength = int64(len(call.Body))
	call.reader.Reset(call.Body)
	req.Body, req.GetBody = call.body, call.again
	call.dirty = true
	// What stands in for the network in tests tells nothing.
	call.started.Store(c.client.pool == nil)
	trip := c.client.trip
	if c.Patient && c.client.patient != nil {
		trip = c.client.patient
	}
	res, err := trip.RoundTrip(req)
	if err != nil {
		return Unanswered(err, call.started.Load())
	}
	err = call.read(res)
	if closing := res.Body.Close(); err == nil && closing == nil {
		call.dirty = false
	}
	call.RequestID, call.Header = call.secrets.requestID(res.Header), res.Header
	if err != nil && res.StatusCode/100 == 2 {
		return &bridge.Error{Class: bridge.Ambiguous, Code: "TornAnswer", RequestID: call.RequestID, Err: fmt.Errorf("reading the answer: %w", err)}
	}
	if res.StatusCode/100 != 2 {
		return c.client.judge(s, res, call.Answer, call.secrets)
	}
	c.client.accepted(s)
	return nil
}

// Answered is [Answered] for a part of the call's answer: the error shows nothing of the credentials that the call was
// signed with.
func (call *Call) Answered(code, message string, status int) *bridge.Error {
	return Answered(call.secrets.hide(code), call.secrets.hide(message), status)
}

var errTooLong = errors.New("the answer is too long")

// read reads the answer's body.
func (call *Call) read(res *http.Response) error {
	b := call.Answer[:0]
	most := call.caller.MaxAnswer
	if n := res.ContentLength; n > int64(most) {
		return errTooLong
	} else if need := int(n) + 1; n > 0 && cap(b) < need { // one more, to see the end without growing
		b = make([]byte, 0, need)
	}
	for {
		if len(b) == cap(b) {
			b = append(b, 0)[:len(b)]
		}
		n, err := res.Body.Read(b[len(b):cap(b)])
		b = b[:len(b)+n]
		call.Answer = b
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if len(b) > most {
			return errTooLong
		}
	}
}

func requestID(h http.Header) string {
	if v := h["X-Amzn-Requestid"]; len(v) > 0 {
		return v[0]
	}
	return h.Get("X-Amz-Request-Id")
}
