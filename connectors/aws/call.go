package aws

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/aws/smithy-go/encoding/httpbinding"

	"github.com/jmsbridge/jmsbridge/bridge"
)

const (
	contentType = "application/x-amz-json-1.0"
	userAgent   = "jmsbridge"
	// maxAnswer bounds what is read of an answer.
	maxAnswer = 4 << 20
	// keptBuffer is the largest buffer that is kept from one call to the next.
	keptBuffer = 2 << 20
)

// Caller makes calls of one operation of a service that speaks AWS's JSON protocol 1.0. It is safe for concurrent use.
type Caller struct {
	client *Client
	signer signer
	plain  *http.Request // what each request begins as
	target []string

	head, middle, tail string // of the canonical request

	calls sync.Pool
}

// Endpoint is where and for what calls are signed.
type Endpoint struct {
	URL, Region, Service string
}

// Caller returns a caller of an operation ("AmazonSQS.SendMessageBatch").
func (c *Client) Caller(e Endpoint, target string) (*Caller, error) {
	u, err := url.Parse(e.URL)
	if err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http" {
		return nil, &bridge.Error{
			Class: bridge.Fatal, Code: "Configuration",
			Err: fmt.Errorf("the endpoint %q is no http:// or https:// URL", e.URL), Remedy: "correct aws.endpoint_url",
		}
	}
	if u.Path == "" {
		u.Path = "/"
	}
	host := u.Host
	if p := u.Port(); p == "443" && u.Scheme == "https" || p == "80" && u.Scheme == "http" {
		host = strings.TrimSuffix(host, ":"+p)
	}
	plain := &http.Request{
		Method: http.MethodPost, URL: u, Host: host, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
	}
	call := &Caller{
		client: c, plain: plain, target: []string{target},
		head:   "POST\n" + httpbinding.EscapePath(u.EscapedPath(), false) + "\n\ncontent-length:",
		middle: "\ncontent-type:" + contentType + "\nhost:" + host + "\nx-amz-date:",
		tail:   "\nx-amz-target:" + target + "\nx-amzn-query-mode:true\n\n",
	}
	call.signer.region, call.signer.service = e.Region, e.Service
	return call, nil
}

// Call is one request and its answer, with buffers that are used again.
type Call struct {
	// Body is the JSON to send. It must not be changed between Do and Release.
	Body []byte
	// Answer is what came back; valid until Release.
	Answer []byte
	// RequestID is AWS's id of the request.
	RequestID string

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
	call.header = http.Header{
		"Content-Type":      {contentType},
		"User-Agent":        {userAgent},
		"X-Amz-Target":      c.target,
		"X-Amzn-Query-Mode": {"true"},
		"X-Amz-Date":        call.values[atDate][:],
		"Authorization":     call.values[atAuthorization][:],
	}
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
	call.Body, call.Answer, call.RequestID = call.Body[:0], call.Answer[:0], ""
	call.caller.calls.Put(call)
}

// Do signs and sends the call once and reads the answer into Answer. A nil error means status 200 and a whole body. An
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
	res, err := c.client.trip.RoundTrip(req)
	if err != nil {
		return Unanswered(err, call.started.Load())
	}
	err = call.read(res)
	if closing := res.Body.Close(); err == nil && closing == nil {
		call.dirty = false
	}
	call.RequestID = call.secrets.requestID(res.Header)
	if err != nil && res.StatusCode == http.StatusOK {
		return &bridge.Error{Class: bridge.Ambiguous, Code: "TornAnswer", RequestID: call.RequestID, Err: fmt.Errorf("reading the answer: %w", err)}
	}
	if res.StatusCode != http.StatusOK {
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
	if n := res.ContentLength; n > maxAnswer {
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
		if len(b) > maxAnswer {
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
