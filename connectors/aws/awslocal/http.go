package awslocal

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// maxRequest bounds a request's body: a batch of 1 MiB of which each byte is escaped, and room.
const maxRequest = 8 << 20

// protocol is how a request is spelled, and so its answer.
type protocol uint8

const (
	queryProtocol protocol = iota // STS: a form, and XML
	jsonProtocol                  // SQS: AWS JSON 1.0
	restProtocol                  // Lambda: REST and JSON
)

// call is one request on its way.
type call struct {
	e       *Endpoint
	ctx     context.Context
	form    protocol
	action  string
	id      string // request id
	number  uint64
	arrived time.Time
	who     Key
	body    []byte
	queue   string // name of the queue, or of the function; "" when it has none
	records []*Record
	delay   time.Duration // of Latency faults
	fault   *Injection    // the one that decided about the whole call
	service string        // "events"; "": SQS or STS
}

// serve handles one HTTP request.
func (e *Endpoint) serve(w http.ResponseWriter, r *http.Request) {
	c := &call{e: e, ctx: r.Context(), number: e.requests.Add(1), arrived: time.Now()}
	c.id = requestID(c.number)
	latency := time.Duration(e.latency.Load())
	buffer, _ := e.buffers.Get().(*bytes.Buffer)
	if buffer == nil {
		buffer = new(bytes.Buffer)
	}
	buffer.Reset()
	defer func() {
		if buffer.Cap() <= 1<<20 {
			e.buffers.Put(buffer)
		}
	}()
	route, isREST := routeOf(r)
	if r.Method != http.MethodPost && !isREST {
		http.Error(w, "the local AWS endpoint takes POST only", http.StatusMethodNotAllowed)
		return
	}
	if r.ContentLength > maxRequest {
		http.Error(w, "request too large", http.StatusRequestEntityTooLarge)
		return
	}
	if _, err := io.Copy(buffer, io.LimitReader(r.Body, maxRequest+1)); err != nil {
		return // the client is gone, or too slow
	}
	if buffer.Len() > maxRequest {
		http.Error(w, "request too large", http.StatusRequestEntityTooLarge)
		return
	}
	c.body = buffer.Bytes()
	target, isJSON := strings.CutPrefix(r.Header.Get("X-Amz-Target"), "AmazonSQS.")
	if !isJSON {
		target, isJSON = c.eventsTarget(r)
	}
	var form url.Values
	if isREST {
		c.form, c.action = restProtocol, route.action
	} else if isJSON {
		c.form, c.action = jsonProtocol, target
	} else if strings.HasPrefix(r.Header.Get("Content-Type"), "application/x-www-form-urlencoded") {
		form, _ = url.ParseQuery(string(c.body))
		c.action = form.Get("Action")
	}
	answer, problem := c.process(r, route, form)
	c.finish(w, answer, problem, latency)
}

// process authenticates, applies the faults that come before and runs the action.
func (c *call) process(r *http.Request, route restRoute, form url.Values) (any, *apiError) {
	who, problem := c.e.authenticate(r, c.body)
	if problem != nil {
		return nil, problem
	}
	c.who = who
	if c.form == restProtocol {
		return c.lambda(r, route)
	}
	if c.form == queryProtocol {
		if c.e.denied(c.action, "") {
			return nil, errAccessDenied(c.principal(), "sts:"+c.action, "*")
		}
		return c.sts(form)
	}
	if !utf8.Valid(c.body) {
		return nil, &apiError{namespace: nsCoral, kind: "SerializationException", code: "SerializationException", message: "The request is not valid UTF-8.", status: 400}
	}
	if c.service == eventsService {
		return c.runEvents(r)
	}
	run := action(c.action)
	if run == nil {
		return nil, &apiError{namespace: nsCoral, kind: "UnknownOperationException", code: "InvalidAction", message: "The action " + c.action + " is not valid for this endpoint.", status: 400}
	}
	return run(c)
}

// decode reads the request's JSON.
func (c *call) decode(into any) *apiError {
	if len(c.body) == 0 {
		return nil
	}
	if err := json.Unmarshal(c.body, into); err != nil {
		return &apiError{namespace: nsCoral, kind: "SerializationException", code: "SerializationException", message: err.Error(), status: 400}
	}
	return nil
}

// begin names the call's queue and applies what decides about the whole call: deny rules and faults. It does not need
// the queue to exist.
func (c *call) begin(queueURL string) (queueKey, *apiError) {
	key := keyOf(queueURL)
	c.queue = key.name
	if queueURL == "" {
		return key, missingParameter("QueueUrl")
	}
	return key, c.gate(key)
}

// gate is begin for calls that name their queue in another way, or have none.
func (c *call) gate(key queueKey) *apiError {
	if c.e.denied(c.action, key.name) {
		return errAccessDenied(c.principal(), "sqs:"+strings.ToLower(c.action), "arn:aws:sqs:"+c.e.opt.Region+":"+key.account+":"+key.name)
	}
	return c.applyFaults()
}

func (c *call) account() string {
	if c.who.Account != "" {
		return c.who.Account
	}
	return c.e.opt.Account
}

func (c *call) principal() string {
	if c.who.Principal != "" {
		return c.who.Principal
	}
	return "arn:aws:iam::" + c.account() + ":user/local"
}

// keyOf takes account and name from a queue URL.
func keyOf(queueURL string) queueKey {
	if i := strings.Index(queueURL, "://"); i >= 0 {
		queueURL = queueURL[i+3:]
	}
	part := strings.Split(strings.TrimSuffix(queueURL, "/"), "/")
	if len(part) < 3 {
		return queueKey{name: part[len(part)-1]}
	}
	return queueKey{part[len(part)-2], part[len(part)-1]}
}

func requestID(n uint64) string {
	return fmt.Sprintf("00000000-0000-4000-8000-%012x", n)
}

// finish waits out latencies, answers or does not, and completes the log.
func (c *call) finish(w http.ResponseWriter, answer any, problem *apiError, latency time.Duration) {
	outcome := Accepted
	hold := latency + c.delay
	reset := false
	if f := c.fault; f != nil {
		switch f.fault.Kind {
		case ResetBefore, StallBefore:
			outcome, reset = NotProcessed, true
		case ResetAfter, StallAfter:
			outcome, reset = AnswerLost, true
		}
		if f.fault.Kind == StallBefore || f.fault.Kind == StallAfter {
			c.stall(f.fault.Delay)
		}
	}
	if hold > 0 && !reset {
		if !c.wait(time.Until(c.arrived.Add(hold))) && outcome == Accepted {
			outcome = AnswerLost // the client, or the endpoint, is gone
			reset = true
		}
	}
	code := ""
	if problem != nil && outcome == Accepted {
		outcome, code = Refused, problem.code
	}
	if reset {
		c.e.log.complete(c, outcome, code)
		cut(w)
		return
	}
	header := w.Header()
	header.Set("X-Amzn-Requestid", c.id)
	var text []byte
	var status int
	switch c.form {
	case jsonProtocol:
		header.Set("Content-Type", "application/x-amz-json-1.0")
		text, status = encodeJSON(header, answer, problem)
	case restProtocol:
		header.Set("Content-Type", "application/json")
		text, status = encodeREST(header, answer, problem)
	default:
		header.Set("Content-Type", "text/xml")
		text, status = encodeXML(c.id, answer, problem)
	}
	if status != http.StatusNoContent {
		header.Set("Content-Length", strconv.Itoa(len(text)))
	}
	_ = http.NewResponseController(w).SetWriteDeadline(time.Now().Add(c.e.opt.ReadTimeout)) // not every writer has one
	if outcome == Accepted && c.ctx.Err() != nil {
		outcome = AnswerLost
	}
	c.eventsHeader(header)
	c.e.log.complete(c, outcome, code) // before the client can look
	w.WriteHeader(status)
	if status == http.StatusNoContent {
		return
	}
	if _, err := w.Write(text); err != nil {
		c.e.log.lose(c)
	}
}

func encodeJSON(header http.Header, answer any, problem *apiError) ([]byte, int) {
	if problem != nil {
		fault, namespace := "Sender", problem.namespace
		if problem.receiver {
			fault = "Receiver"
		}
		if namespace == "" {
			namespace = nsSQS
		}
		if problem.raw != "" {
			header.Set("Content-Type", "text/html")
			return []byte(problem.raw), problem.status
		}
		header.Set("X-Amzn-Query-Error", problem.code+";"+fault)
		return marshal(map[string]string{"__type": namespace + "#" + problem.kind, "message": problem.message}, problem.status)
	}
	if answer == nil {
		return []byte("{}"), http.StatusOK
	}
	return marshal(answer, http.StatusOK)
}

func marshal(answer any, status int) ([]byte, int) {
	text, err := json.Marshal(answer)
	if err != nil {
		return []byte(err.Error()), http.StatusInternalServerError
	}
	return text, status
}

// wait waits, and returns false when the client has gone or the endpoint closes first.
func (c *call) wait(d time.Duration) bool {
	if d <= 0 {
		return c.ctx.Err() == nil
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-c.ctx.Done():
	case <-c.e.stop:
	}
	return false
}

// stall says nothing for d, or until the client gives up.
func (c *call) stall(d time.Duration) {
	if d > 0 {
		c.wait(d)
		return
	}
	select {
	case <-c.ctx.Done():
	case <-c.e.stop:
	}
}

// cut ends the connection with a reset where it has one, else without an answer.
func cut(w http.ResponseWriter) {
	if h, ok := w.(http.Hijacker); ok {
		if conn, _, err := h.Hijack(); err == nil {
			if tcp, ok := conn.(*net.TCPConn); ok {
				_ = tcp.SetLinger(0)
			}
			_ = conn.Close()
			return
		}
	}
	panic(http.ErrAbortHandler)
}
