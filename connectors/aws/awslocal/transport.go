package awslocal

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"syscall"
)

// Transport serves requests without a socket, for clients inside a testing/synctest bubble: a socket's reads would keep
// its virtual clock from running. A cut connection is ECONNRESET; a cancelled context ends the wait, and what the
// endpoint does with the request goes on.
func (e *Endpoint) Transport() http.RoundTripper { return transport{e} }

type transport struct{ e *Endpoint }

func (t transport) RoundTrip(r *http.Request) (*http.Response, error) {
	var body []byte
	if r.Body != nil {
		read, err := io.ReadAll(io.LimitReader(r.Body, maxRequest+1))
		_ = r.Body.Close()
		if err != nil {
			return nil, err
		}
		body = read
	}
	if err := r.Context().Err(); err != nil {
		return nil, err
	}
	select {
	case <-t.e.stop:
		return nil, syscall.ECONNREFUSED
	default:
	}
	in := r.Clone(context.WithoutCancel(r.Context()))
	ctx, cancel := context.WithCancel(r.Context())
	in = in.WithContext(ctx)
	in.Body, in.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
	if in.Host == "" {
		in.Host = in.URL.Host
	}
	answered := &recorder{header: http.Header{}, status: http.StatusOK}
	done := make(chan error, 1)
	go func() {
		defer cancel()
		defer func() {
			if p := recover(); p != nil {
				if err, ok := p.(error); ok && errors.Is(err, http.ErrAbortHandler) {
					done <- syscall.ECONNRESET
					return
				}
				panic(p)
			}
		}()
		t.e.handler.ServeHTTP(answered, in)
		done <- nil
	}()
	select {
	case err := <-done:
		if err != nil {
			return nil, err
		}
	case <-r.Context().Done():
		return nil, r.Context().Err()
	}
	return &http.Response{
		Status: http.StatusText(answered.status), StatusCode: answered.status, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: answered.header, Body: io.NopCloser(bytes.NewReader(answered.body.Bytes())), ContentLength: int64(answered.body.Len()), Request: r,
	}, nil
}

// recorder is a response in memory; one goroutine writes it before another reads.
type recorder struct {
	header http.Header
	status int
	body   bytes.Buffer
}

func (r *recorder) Header() http.Header         { return r.header }
func (r *recorder) WriteHeader(status int)      { r.status = status }
func (r *recorder) Write(p []byte) (int, error) { return r.body.Write(p) }
