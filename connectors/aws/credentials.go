package aws

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"

	sdk "github.com/aws/aws-sdk-go-v2/aws"
	smithy "github.com/aws/smithy-go"

	"github.com/jmsbridge/jmsbridge/bridge"
)

const remedyCredentials = "give the process credentials (environment, profile, container or instance role), or name aws.profile"

var errNoCredentials = errors.New("there are no credentials")

// credentials returns the credentials of a session, from the SDK's cache where it has them.
func (c *Client) credentials(ctx context.Context, s *session) (sdk.Credentials, error) {
	if s.config.Credentials == nil {
		return sdk.Credentials{}, &bridge.Error{Class: bridge.Fatal, Code: "NoCredentials", Err: errNoCredentials, Remedy: remedyCredentials}
	}
	creds, err := s.config.Credentials.Retrieve(ctx)
	if err == nil {
		return creds, nil
	}
	if ctx.Err() == nil {
		// The next call reads files and environment again.
		c.loaded.CompareAndSwap(s, nil)
	}
	return sdk.Credentials{}, noCredentials(err)
}

// noCredentials gives the failure to find credentials its class: a service that hands them out and can't be reached
// may come back, everything else takes somebody's hand.
func noCredentials(err error) *bridge.Error {
	e := &bridge.Error{Class: bridge.Fatal, Code: "NoCredentials", Err: fmt.Errorf("finding credentials: %w", redacted(err)), Remedy: remedyCredentials}
	var api smithy.APIError
	var network net.Error
	switch {
	case errors.As(err, &api):
		answered := Classify(err)
		e.Class, e.Code, e.RequestID, e.Remedy = answered.Class, answered.Code, answered.RequestID, answered.Remedy
		if e.Class == bridge.Permanent || e.Class == bridge.Suspect || e.Class == bridge.Ambiguous {
			e.Class = bridge.Transient
		}
	case errors.Is(err, context.Canceled):
		e.Class, e.Remedy = bridge.Transient, ""
	case strings.Contains(err.Error(), "no EC2 IMDS role found"):
		// The end of the chain: nothing is configured, and there is no instance to ask.
	case errors.As(err, &network), errors.Is(err, context.DeadlineExceeded):
		e.Class, e.Remedy = bridge.Transient, ""
	}
	return e
}
