package aws

import (
	"context"
	"fmt"

	sdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sts"
)

// Identity is whom AWS takes the process for.
type Identity struct {
	Account string // 12 digits
	ARN     string
}

// CallerIdentity asks STS who the credentials belong to; everyone may ask. The error has a class.
func (c *Client) CallerIdentity(ctx context.Context) (Identity, error) {
	cfg, err := c.Config(ctx)
	if err != nil {
		return Identity{}, err
	}
	if cfg.Region == "" { // STS's global endpoint answers for all
		cfg.Region = "us-east-1"
	}
	out, err := sts.NewFromConfig(cfg).GetCallerIdentity(ctx, &sts.GetCallerIdentityInput{})
	if err != nil {
		var known secrets
		if cfg.Credentials != nil {
			if creds, err := cfg.Credentials.Retrieve(ctx); err == nil {
				known = secretsOf(&creds, "")
			}
		}
		return Identity{}, fmt.Errorf("asking STS for the caller's identity: %w", classify(err, known))
	}
	return Identity{Account: sdk.ToString(out.Account), ARN: sdk.ToString(out.Arn)}, nil
}
