package aws

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"sync"
	"sync/atomic"
	"time"

	sdk "github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/credentials/stscreds"
	"github.com/aws/aws-sdk-go-v2/service/sts"

	"github.com/jmsbridge/jmsbridge/bridge"
)

// Client is one configuration, one set of credentials and one pool of connections, for all services and routes. It is
// safe for concurrent use.
type Client struct {
	settings Settings

	mu      sync.Mutex        // guards loading, and what follows up to the blank line
	pool    *http.Transport   // made once; nil: not yet, or a test's RoundTripper stands in
	trip    http.RoundTripper // the pool, or what stands in for it; set before the first session
	patient *http.Transport   // a pool for calls that take their time; nil where pool is
	serial  uint64            // of the last session

	loaded atomic.Pointer[session]
	proven atomic.Uint64 // the newest session whose credentials AWS has accepted
	skew   atomic.Int64  // AWS's clock minus ours, in nanoseconds; 0 until AWS complained
	stamp  atomic.Pointer[stamp]
}

// session is what one loading of the configuration gave.
type session struct {
	serial uint64
	config sdk.Config
}

// NewClient returns a client. It reads and dials nothing yet.
func NewClient(s Settings) *Client { return &Client{settings: s.withDefaults()} }

// Config returns the SDK's configuration, with the client's own connections and without retries. It is read when first
// asked for, and again after the credentials were refused. The error has a class.
func (c *Client) Config(ctx context.Context) (sdk.Config, error) {
	s, err := c.session(ctx)
	if err != nil {
		return sdk.Config{}, err
	}
	return s.config, nil
}

func (c *Client) session(ctx context.Context) (*session, error) {
	if s := c.loaded.Load(); s != nil {
		return s, nil
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if s := c.loaded.Load(); s != nil {
		return s, nil
	}
	cfg, err := c.load(ctx)
	if err != nil {
		return nil, err
	}
	c.serial++
	s := &session{serial: c.serial, config: cfg}
	c.loaded.Store(s)
	return s, nil
}

// load reads the configuration as the SDK does. Its credential providers keep connections of their own, for they need
// them before ours are made: a CA bundle named in the environment or in a profile is found only by loading.
func (c *Client) load(ctx context.Context) (sdk.Config, error) {
	set := &c.settings
	fatal := func(doing string, err error, remedy string) (sdk.Config, error) {
		return sdk.Config{}, &bridge.Error{Class: bridge.Fatal, Code: "Configuration", Err: fmt.Errorf("%s: %w", doing, redacted(err)), Remedy: remedy}
	}
	builder := awshttp.NewBuildableClient().WithTransportOptions(set.tune)
	options := []func(*config.LoadOptions) error{
		config.WithHTTPClient(builder),
		config.WithRetryer(func() sdk.Retryer { return sdk.NopRetryer{} }),
		config.WithLogger(sdkLogger{set.Log}),
	}
	if set.Region != "" {
		options = append(options, config.WithRegion(set.Region))
	}
	if set.Profile != "" {
		options = append(options, config.WithSharedConfigProfile(set.Profile))
	}
	if set.FIPS {
		options = append(options, config.WithUseFIPSEndpoint(sdk.FIPSEndpointStateEnabled))
	}
	if set.DualStack {
		options = append(options, config.WithUseDualStackEndpoint(sdk.DualStackEndpointStateEnabled))
	}
	if set.CABundle != "" {
		pem, err := os.Open(set.CABundle)
		if err != nil {
			return fatal("opening the CA bundle", err, "correct aws.ca_bundle")
		}
		defer func() { _ = pem.Close() }()
		options = append(options, config.WithCustomCABundle(pem))
	}
	var cfg sdk.Config
	var err error
	if set.Credentials != nil {
		cfg = sdk.Config{
			Region: set.Region, Credentials: set.Credentials, HTTPClient: builder, Retryer: func() sdk.Retryer { return sdk.NopRetryer{} },
			Logger: sdkLogger{set.Log},
		}
	} else {
		cfg, err = config.LoadDefaultConfig(ctx, options...)
	}
	if err != nil {
		return fatal("loading the AWS configuration", err, "correct the aws section, the AWS_… variables or the profile")
	}
	if set.EndpointURL != "" {
		cfg.BaseEndpoint = &set.EndpointURL
	}
	if c.trip == nil {
		c.trip = set.RoundTripper
		if built, ok := cfg.HTTPClient.(*awshttp.BuildableClient); ok && c.trip == nil {
			c.pool = built.GetTransport()
			c.trip, c.patient = c.pool, c.pool.Clone()
			c.patient.ResponseHeaderTimeout = 0 // each call has a deadline of its own
		}
	}
	cfg.HTTPClient = &http.Client{Transport: bounded{c.trip}, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	if set.RoleARN != "" && set.Credentials == nil {
		if cfg.Region == "" && set.EndpointURL == "" {
			return fatal("assuming the role", errNoRegion, remedyRegion)
		}
		assume := stscreds.NewAssumeRoleProvider(sts.NewFromConfig(cfg), set.RoleARN, func(o *stscreds.AssumeRoleOptions) {
			o.RoleSessionName = "jmsbridge"
			if set.ExternalID != "" {
				o.ExternalID = &set.ExternalID
			}
		})
		// Five minutes with jitter: calls go on while STS is away, and replicas don't ask at the same instant.
		cfg.Credentials = sdk.NewCredentialsCache(assume, func(o *sdk.CredentialsCacheOptions) {
			o.ExpiryWindow, o.ExpiryWindowJitterFrac = 5*time.Minute, 0.5
		})
	}
	return cfg, nil
}

// refused forgets a session whose credentials AWS refused, unless another call did so before, and tells whether the
// credentials had been accepted before: then they have merely expired.
func (c *Client) refused(s *session) (expired bool) {
	expired = c.proven.Load() >= s.serial
	c.loaded.CompareAndSwap(s, nil)
	return expired
}

// accepted notes that AWS took the credentials of a session.
func (c *Client) accepted(s *session) {
	if c.proven.Load() < s.serial {
		c.proven.Store(s.serial)
	}
}

// Now is the time by AWS's clock, as far as it is known.
func (c *Client) Now() time.Time { return time.Now().Add(time.Duration(c.skew.Load())) }

// ClockSkew is how far AWS's clock is ahead of ours; 0 until AWS has refused a signature for it.
func (c *Client) ClockSkew() time.Duration { return time.Duration(c.skew.Load()) }

// Close closes idle connections. Calls that run are not disturbed, and the client may be used again.
func (c *Client) Close() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.pool != nil {
		c.pool.CloseIdleConnections()
		c.patient.CloseIdleConnections()
	}
}
