package awslocal

import (
	"encoding/base64"
	"errors"
	"io"
	"net/http"
	"strconv"
	"time"
)

// runtimeAPI serves Lambda's Runtime API to one process ("Using the Lambda runtime API for custom runtimes" of the
// developer guide).
func (p *process) runtimeAPI() http.Handler {
	const root = "/2018-06-01/runtime/"
	mux := http.NewServeMux()
	mux.HandleFunc("GET "+root+"invocation/next", p.serveNext)
	mux.HandleFunc("POST "+root+"invocation/{id}/response", p.serveResponse)
	mux.HandleFunc("POST "+root+"invocation/{id}/error", p.serveError)
	mux.HandleFunc("POST "+root+"init/error", p.serveInitError)
	return mux
}

// serveNext gives the process its next call.
func (p *process) serveNext(w http.ResponseWriter, r *http.Request) {
	select {
	case in := <-p.next:
		h := w.Header()
		h.Set("Content-Type", "application/json")
		h.Set("Lambda-Runtime-Aws-Request-Id", in.id)
		h.Set("Lambda-Runtime-Deadline-Ms", strconv.FormatInt(time.Now().Add(p.f.opt.Timeout).UnixMilli(), 10))
		h.Set("Lambda-Runtime-Invoked-Function-Arn", in.arn)
		h.Set("Lambda-Runtime-Trace-Id", "Root=1-00000000-000000000000000000000000;Sampled=0")
		_, _ = w.Write(in.payload) // a process that does not read it ends, and that is seen
	case <-r.Context().Done():
	case <-p.ended:
	}
}

// serveResponse takes the answer to a call. One that was streamed may end in an error, which its trailers tell.
func (p *process) serveResponse(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxResponse))
	var large *http.MaxBytesError
	switch {
	case errors.As(err, &large):
		said := failed("Function.ResponseSizeTooLarge", "Response payload size exceeded maximum allowed payload size (%d bytes).", maxResponse)
		p.answer(r.PathValue("id"), said)
		runtimeStatus(w, http.StatusRequestEntityTooLarge, `{"errorMessage":"Exceeded maximum allowed payload size (6291556 bytes).","errorType":"RequestEntityTooLarge"}`)
		return
	case err != nil:
		return // the process is gone
	}
	result := functionResult{payload: body}
	if kind := r.Trailer.Get("Lambda-Runtime-Function-Error-Type"); kind != "" {
		result = failed(kind, "")
		if said, err := base64.StdEncoding.DecodeString(r.Trailer.Get("Lambda-Runtime-Function-Error-Body")); err == nil && len(said) > 0 {
			result.payload = said
		}
	}
	p.settle(w, r, result)
}

// serveError takes a function error.
func (p *process) serveError(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxResponse))
	if err != nil {
		return
	}
	p.settle(w, r, functionResult{body, unhandled})
}

// settle passes an answer on and confirms it to the process.
func (p *process) settle(w http.ResponseWriter, r *http.Request, result functionResult) {
	if !p.answer(r.PathValue("id"), result) {
		runtimeStatus(w, http.StatusBadRequest, `{"errorMessage":"Invalid request ID","errorType":"InvalidRequestID"}`)
		return
	}
	runtimeStatus(w, http.StatusAccepted, `{"status":"OK"}`)
}

// answer ends the call that the process has, if that has the given id.
func (p *process) answer(id string, result functionResult) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.current == nil || p.current.id != id {
		return false
	}
	p.current = nil
	p.answered <- result // empty: it holds one answer a call
	return true
}

// serveInitError takes what a process says about a start that failed.
func (p *process) serveInitError(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxResponse))
	if err != nil {
		return
	}
	p.mu.Lock()
	p.initError = body
	p.mu.Unlock()
	runtimeStatus(w, http.StatusAccepted, `{"status":"OK"}`)
	_ = http.NewResponseController(w).Flush() // before it ends
	p.kill()
}

func runtimeStatus(w http.ResponseWriter, status int, text string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = io.WriteString(w, text)
}
