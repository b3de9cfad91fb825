package aws

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/jmsbridge/jmsbridge/bridge"
)

const (
	// writeBuffer holds a whole batch of ten 1 KiB messages, so that it leaves in one write.
	writeBuffer = 32 << 10
	// readBuffer holds the answer to one.
	readBuffer = 8 << 10
	// idleTimeout is short on purpose: a connection that AWS closes while a request is being written makes the outcome
	// ambiguous, and a handshake now and then is cheap.
	idleTimeout = 30 * time.Second
	// maxHeaders bounds the header of an answer, in bytes.
	maxHeaders = 64 << 10
)

// tune makes of the SDK's transport one for many calls at once.
func (s *Settings) tune(t *http.Transport) {
	dialer := &net.Dialer{Timeout: s.DialTimeout, KeepAlive: 15 * time.Second}
	t.DialContext = dialer.DialContext
	t.Proxy = s.proxy
	t.TLSHandshakeTimeout = s.DialTimeout
	t.ResponseHeaderTimeout = s.AnswerTimeout
	t.IdleConnTimeout = idleTimeout
	t.MaxIdleConns = 4 * s.Connections
	t.MaxIdleConnsPerHost = s.Connections
	t.MaxConnsPerHost = 0 // the engine bounds calls, for each target by itself
	t.WriteBufferSize, t.ReadBufferSize = writeBuffer, readBuffer
	t.MaxResponseHeaderBytes = maxHeaders
	t.DisableCompression = true
	t.ForceAttemptHTTP2 = false // one connection for all calls would be one queue, and one loss for all
	t.OnProxyConnectResponse = refusedByProxy
	if t.TLSClientConfig == nil {
		t.TLSClientConfig = &tls.Config{}
	}
	t.TLSClientConfig.MinVersion = tls.VersionTLS12
	if strings.HasPrefix(s.EndpointURL, "http://") {
		return // nothing to verify, and reading a hundred certificates takes its time
	}
	// The SDK appends a CA bundle to what is there, and trusts the bundle alone when nothing is.
	if system, err := x509.SystemCertPool(); err == nil && t.TLSClientConfig.RootCAs == nil {
		t.TLSClientConfig.RootCAs = system
	}
}

// proxy asks no proxy for the addresses that hand out credentials on the machine itself.
func (s *Settings) proxy(r *http.Request) (*url.URL, error) {
	if host := r.URL.Hostname(); strings.HasPrefix(host, "169.254.") || host == "fd00:ec2::254" || host == "fd00:ec2::23" {
		return nil, nil //nolint:nilnil // net/http's word for "no proxy"
	}
	if s.Proxy != nil {
		return s.Proxy(r)
	}
	return http.ProxyFromEnvironment(r)
}

// refusedByProxy gives a refusal of CONNECT its class; net/http keeps only the status text.
func refusedByProxy(_ context.Context, proxy *url.URL, _ *http.Request, answer *http.Response) error {
	if answer.StatusCode == http.StatusOK {
		return nil
	}
	e := &bridge.Error{
		Class: bridge.Transient,
		Code:  "Proxy" + fmt.Sprint(answer.StatusCode),
		Err:   fmt.Errorf("proxy %s answered CONNECT with status %d", proxy.Host, answer.StatusCode),
	}
	switch answer.StatusCode {
	case http.StatusProxyAuthRequired, http.StatusUnauthorized:
		e.Class, e.Remedy = bridge.Fatal, "put the proxy's user and password into HTTPS_PROXY"
	case http.StatusForbidden, http.StatusMethodNotAllowed:
		e.Class, e.Remedy = bridge.Fatal, "let the proxy connect to this host, or name it in NO_PROXY"
	}
	return e
}
