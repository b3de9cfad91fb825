package aws

import (
	"errors"
	"fmt"

	smithy "github.com/aws/smithy-go/endpoints"

	"github.com/jmsbridge/jmsbridge/bridge"
)

// Locate finds where the calls of e's service go, by resolve, which asks the rules of its SDK for a region. base is the
// configured endpoint; nil: AWS's own. Without a region, calls to a configured endpoint are signed for fallback, since
// what is not AWS's own has to be told some region. Errors are Fatal.
func Locate(e Endpoint, base *string, fallback string, resolve func(region *string) (smithy.Endpoint, error)) (Endpoint, error) {
	if e.Region == "" {
		if base == nil {
			return e, &bridge.Error{
				Class: bridge.Fatal, Code: "Configuration", Err: errors.New("no region is set"), Remedy: "set aws.region, or AWS_REGION",
			}
		}
		e.Region = fallback
	}
	found, err := resolve(&e.Region)
	if err != nil {
		return e, &bridge.Error{
			Class: bridge.Fatal, Code: "Configuration", Err: fmt.Errorf("finding the endpoint: %w", err),
			Remedy: "check aws.region, aws.endpoint_url, aws.fips and aws.dual_stack",
		}
	}
	e.URL = found.URI.String()
	return e, nil
}

// Elsewhere is the region to sign for at an endpoint that is not AWS's own, when none is set.
const Elsewhere = "us-east-1"
