package aws

import (
	"net/http"
	"net/url"
	"time"

	sdk "github.com/aws/aws-sdk-go-v2/aws"
	"go.uber.org/zap"
)

// Settings say how AWS is reached. The zero value is the SDK's own default chain.
type Settings struct {
	// Region is the region of services and of STS; "": AWS_REGION or the profile's.
	Region string
	// EndpointURL replaces the endpoints of all services; "": AWS's own, or AWS_ENDPOINT_URL and its kin.
	EndpointURL string
	// Profile is a profile of the shared configuration files; "": AWS_PROFILE or "default".
	Profile string
	// RoleARN is a role to assume with the credentials of the chain; "": none.
	RoleARN string
	// ExternalID is what the role's trust policy asks for; it needs a RoleARN.
	ExternalID string
	// CABundle is a PEM file of authorities to trust besides the system's; "": AWS_CA_BUNDLE or none.
	CABundle string
	// FIPS uses FIPS endpoints, DualStack those that answer on IPv6 too.
	FIPS, DualStack bool
	// Connections is how many idle connections to one host are kept; 0: 256. It should not be below the calls at once.
	Connections int
	// DialTimeout bounds a TCP connect, and again the TLS handshake; 0: 5 s.
	DialTimeout time.Duration
	// AnswerTimeout bounds the wait for the first byte of an answer once the request is written; 0: 20 s.
	AnswerTimeout time.Duration
	// Proxy chooses a proxy; nil: HTTPS_PROXY, HTTP_PROXY and NO_PROXY of the environment.
	Proxy func(*http.Request) (*url.URL, error)
	// Credentials replace the SDK's chain: then nothing is read from environment, files or instance, and Profile and
	// RoleARN are not looked at. For the demo and tests; nil: the chain.
	Credentials sdk.CredentialsProvider
	// RoundTripper replaces the network in tests; nil: the network.
	RoundTripper http.RoundTripper
	// Log takes what an operator should know; nil: nothing is logged.
	Log *zap.Logger
}

func (s Settings) withDefaults() Settings {
	if s.Connections <= 0 {
		s.Connections = 256
	}
	if s.DialTimeout <= 0 {
		s.DialTimeout = 5 * time.Second
	}
	if s.AnswerTimeout <= 0 {
		s.AnswerTimeout = 20 * time.Second
	}
	if s.Log == nil {
		s.Log = zap.NewNop()
	}
	return s
}
