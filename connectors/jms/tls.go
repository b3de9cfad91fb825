package jms

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"

	"github.com/jmsbridge/jmsbridge/bridge"
)

// TLS says how brokers are verified and how the client shows itself. Its files are read at each connect, so rotated
// ones are taken up. The broker's certificate is always verified.
type TLS struct {
	// CAFile holds the certificates (PEM) that are trusted instead of the system's; "": the system's.
	CAFile string
	// CertFile and KeyFile are the client's certificate and key (PEM); both or neither.
	CertFile, KeyFile string
	// ServerName is the name that the certificate must have, and that SNI sends; "": the endpoint's host.
	ServerName string
}

// Config returns a TLS configuration for one endpoint, with the files as they are now.
func (t TLS) Config(e Endpoint) (*tls.Config, error) {
	c := &tls.Config{MinVersion: tls.VersionTLS12, ServerName: t.ServerName}
	if c.ServerName == "" {
		c.ServerName = e.Host
	}
	if t.CAFile != "" {
		pem, err := os.ReadFile(t.CAFile)
		if err != nil {
			return nil, fmt.Errorf("reading tls.ca_file: %w", err)
		}
		c.RootCAs = x509.NewCertPool()
		if !c.RootCAs.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("reading tls.ca_file: %s holds no certificate in PEM", t.CAFile)
		}
	}
	if (t.CertFile == "") != (t.KeyFile == "") {
		return nil, errors.New("reading the client certificate: tls.cert_file and tls.key_file need each other")
	}
	if t.CertFile != "" {
		c.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
			pair, err := tls.LoadX509KeyPair(t.CertFile, t.KeyFile)
			if err != nil {
				return nil, fmt.Errorf("reading the client certificate: %w", err)
			}
			return &pair, nil
		}
	}
	return c, nil
}

// client secures nc. Its errors have their class and, where it can be told, what to do.
func (t TLS) client(ctx context.Context, nc net.Conn, e Endpoint) (net.Conn, error) {
	config, err := t.Config(e)
	if err != nil {
		return nil, &bridge.Error{Class: bridge.Fatal, Err: err}
	}
	ctx, cancel := context.WithTimeout(ctx, HandshakeTimeout)
	defer cancel()
	conn := tls.Client(nc, config)
	if err := conn.HandshakeContext(ctx); err != nil {
		return nil, ClassifyTLS(fmt.Errorf("TLS handshake: %w", err), e)
	}
	return conn, nil
}

// ClassifyTLS gives an error of the handshake, or of the first read after it (TLS 1.3 tells a missing client
// certificate only there), its class: what the configuration must fix is Fatal, the rest Transient.
func ClassifyTLS(err error, e Endpoint) error {
	var (
		unknown  x509.UnknownAuthorityError
		name     x509.HostnameError
		invalid  x509.CertificateInvalidError
		verify   *tls.CertificateVerificationError
		record   tls.RecordHeaderError
		remote   tls.AlertError
		timedOut net.Error
	)
	fatal := func(remedy string) error { return &bridge.Error{Class: bridge.Fatal, Err: err, Remedy: remedy} }
	switch {
	case errors.As(err, &unknown):
		return fatal("set tls.ca_file to the certificate of the authority that signed the broker's")
	case errors.As(err, &name):
		return fatal("connect by the name in the broker's certificate, or set tls.server_name to it")
	case errors.As(err, &invalid) && invalid.Reason == x509.Expired:
		return fatal("renew the broker's certificate, or correct this host's clock")
	case errors.As(err, &invalid), errors.As(err, &verify):
		return fatal("the broker's certificate must be valid for TLS servers")
	case errors.As(err, &record):
		return fatal(fmt.Sprintf("the port speaks without TLS: %s; use the port of the TLS connector, or the scheme without +ssl",
			GuessPeer(record.RecordHeader[:])))
	case errors.As(err, &remote), strings.Contains(err.Error(), "remote error: tls: "):
		return fatal("the broker refused this client's TLS: it wants a client certificate that it trusts (tls.cert_file, tls.key_file), or another TLS version")
	case strings.Contains(err.Error(), "reading the client certificate"):
		return fatal("")
	case errors.Is(err, context.DeadlineExceeded), errors.As(err, &timedOut) && timedOut.Timeout():
		return &bridge.Error{
			Class: bridge.Transient, Code: CodeSilent, Err: err,
			Remedy: fmt.Sprintf("if it stays so, port %d may be one without TLS", e.Port),
		}
	case errors.Is(err, io.EOF): // a broker that stops, or one without TLS that takes the hello for an oversized frame
		return &bridge.Error{Class: bridge.Transient, Err: err, Remedy: fmt.Sprintf("if it stays so, port %d may be one without TLS", e.Port)}
	default:
		return &bridge.Error{Class: bridge.Transient, Err: err}
	}
}

// CodeSilent is the code of a handshake that nobody answered within its deadline. Three in a row mean that the port
// speaks something else.
const CodeSilent = "handshake-timeout"
