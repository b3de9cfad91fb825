package sqs

import (
	"context"
	"strings"

	sdk "github.com/aws/aws-sdk-go-v2/aws"
	sqsapi "github.com/aws/aws-sdk-go-v2/service/sqs"
)

// host is what the host of a URL says about where calls go and for which region they are signed.
type host struct {
	region string // "": no host of AWS's
	// own says that calls go to this very host: to a VPC endpoint, or to what is not AWS's. Of the others the SDK finds
	// the address by region, fips and dualStack.
	own             bool
	fips, dualStack bool
}

// hostOf reads a host name. Which names are AWS's the SDK's rules say, with all partitions and their domains: a list of
// our own would send the calls for a region that it lacks elsewhere.
func hostOf(name string) host {
	name = strings.ToLower(name)
	first, rest, _ := strings.Cut(name, ".")
	second, rest, _ := strings.Cut(rest, ".")
	switch {
	case name == "queue.amazonaws.com": // the oldest of the old names, which has no region
		return host{region: "us-east-1"}
	case second == "queue": // eu-west-1.queue.amazonaws.com: old queue URLs
		if serviceHost(first, false, false) == "sqs."+first+"."+rest {
			return host{region: first}
		}
	case first == "sqs", first == "sqs-fips": // sqs.eu-west-1.amazonaws.com, sqs-fips.us-east-1.api.aws
		for _, h := range [...]host{
			{region: second}, {region: second, dualStack: true}, {region: second, fips: true}, {region: second, fips: true, dualStack: true},
		} {
			if serviceHost(h.region, h.fips, h.dualStack) == name {
				return h
			}
		}
	case second == "sqs", second == "sqs-fips": // vpce-0a1b-2c3d.sqs.eu-west-1.vpce.amazonaws.com
		region, rest, _ := strings.Cut(rest, ".")
		if domain, ok := strings.CutPrefix(rest, "vpce."); ok && serviceHost(region, false, false) == "sqs."+region+"."+domain {
			return host{region: region, own: true}
		}
	}
	return host{own: true}
}

// serviceHost returns the host of SQS in a region; "": there is none.
func serviceHost(region string, fips, dualStack bool) string {
	found, err := sqsapi.NewDefaultEndpointResolverV2().ResolveEndpoint(context.Background(), sqsapi.EndpointParameters{
		Region: &region, UseFIPS: sdk.Bool(fips), UseDualStack: sdk.Bool(dualStack),
	})
	if err != nil {
		return ""
	}
	return found.URI.Host
}
