package sqs

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"strconv"
	"strings"

	sdk "github.com/aws/aws-sdk-go-v2/aws"
	sqsapi "github.com/aws/aws-sdk-go-v2/service/sqs"
	smithy "github.com/aws/smithy-go/endpoints"

	"github.com/jmsbridge/jmsbridge/bridge"
	"github.com/jmsbridge/jmsbridge/connectors/aws"
)

// address is what the configuration says of a queue.
type address struct {
	name, account, region string // account and region may be ""
	url                   string // "": to be asked for
	host                  host   // of the url
}

// parseAddress reads a queue's name, URL or ARN.
func parseAddress(queue string) (address, error) {
	bad := func(form string) (address, error) {
		return address{}, fmt.Errorf("%q is no queue: write its name, its URL or its ARN (%s)", queue, form)
	}
	switch {
	case strings.HasPrefix(queue, "arn:"):
		part := strings.Split(queue, ":")
		if len(part) != 6 || part[2] != "sqs" || part[3] == "" || part[4] == "" || !validName(part[5]) {
			return bad("arn:aws:sqs:REGION:ACCOUNT:NAME")
		}
		return address{name: part[5], account: part[4], region: part[3]}, nil
	case strings.Contains(queue, "://"):
		u, err := url.Parse(queue)
		if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" || u.User != nil {
			return bad("https://sqs.REGION.amazonaws.com/ACCOUNT/NAME")
		}
		path := strings.Split(strings.Trim(u.Path, "/"), "/")
		name := path[len(path)-1]
		if !validName(name) {
			return bad("https://sqs.REGION.amazonaws.com/ACCOUNT/NAME")
		}
		h := hostOf(u.Hostname())
		a := address{name: name, url: queue, region: h.region, host: h}
		if len(path) > 1 {
			a.account = path[len(path)-2]
		}
		return a, nil
	case validName(queue):
		return address{name: queue}, nil
	}
	return bad("orders, or orders.fifo")
}

// validName tells whether a queue may have this name (SQS developer guide: 80 characters, .fifo included).
func validName(name string) bool {
	base := strings.TrimSuffix(name, ".fifo")
	if base == "" || len(name) > 80 {
		return false
	}
	for i := range len(base) {
		switch c := base[i]; {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9', c == '_', c == '-':
		default:
			return false
		}
	}
	return true
}

// endpoint finds where calls go: the configured endpoint, else that of a queue URL with a host of its own (a VPC
// endpoint, an endpoint for tests), else AWS's for the region, of the kind (FIPS, dual stack) that the configuration or
// the queue URL names.
func (a *address) endpoint(ctx context.Context, cfg sdk.Config) (aws.Endpoint, error) {
	if a.region != "" {
		cfg.Region = a.region
	}
	o := sqsapi.NewFromConfig(cfg).Options()
	e := aws.Endpoint{Region: cfg.Region, Service: "sqs"}
	fips := o.EndpointOptions.UseFIPSEndpoint == sdk.FIPSEndpointStateEnabled
	dualStack := o.EndpointOptions.UseDualStackEndpoint == sdk.DualStackEndpointStateEnabled
	if o.BaseEndpoint == nil && a.url != "" {
		if u, err := url.Parse(a.url); err == nil && a.host.own {
			base := u.Scheme + "://" + u.Host
			o.BaseEndpoint = &base
		}
		fips, dualStack = fips || a.host.fips, dualStack || a.host.dualStack
	}
	fallback := ""
	if o.BaseEndpoint != nil {
		fallback = regionOf(*o.BaseEndpoint)
	}
	return aws.Locate(e, o.BaseEndpoint, fallback, func(region *string) (smithy.Endpoint, error) {
		return o.EndpointResolverV2.ResolveEndpoint(ctx, sqsapi.EndpointParameters{
			Region:       region,
			UseFIPS:      &fips,
			UseDualStack: &dualStack,
			Endpoint:     o.BaseEndpoint,
		}.WithDefaults())
	})
}

// regionOf is the region to sign for at an endpoint when none is set. What is not AWS's own has to be told some region.
func regionOf(endpoint string) string {
	if u, err := url.Parse(endpoint); err == nil {
		if h := hostOf(u.Hostname()); h.region != "" {
			return h.region
		}
	}
	return "us-east-1"
}

// queueAttributes are what SQS says of a queue.
type queueAttributes map[string]string

// number returns an attribute in whole numbers, or def.
func (a queueAttributes) number(name string, def int) int {
	n, err := strconv.Atoi(a[name])
	if err != nil {
		return def
	}
	return n
}

// lookups asks about one queue.
type lookups struct {
	client        *aws.Client
	endpoint      aws.Endpoint
	url, describe *aws.Caller
}

func newLookups(client *aws.Client, e aws.Endpoint) (*lookups, error) {
	l := &lookups{client: client, endpoint: e}
	var err error
	if l.url, err = client.Caller(e, "AmazonSQS.GetQueueUrl"); err != nil {
		return nil, err
	}
	if l.describe, err = client.Caller(e, "AmazonSQS.GetQueueAttributes"); err != nil {
		return nil, err
	}
	return l, nil
}

// ask makes one small call.
func ask(ctx context.Context, c *aws.Caller, in, out any) error {
	call := c.Acquire()
	defer call.Release()
	body, err := json.Marshal(in)
	if err != nil {
		return err
	}
	call.Body = append(call.Body[:0], body...)
	if err := call.Do(ctx); err != nil {
		return harmless(err)
	}
	if err := json.Unmarshal(call.Answer, out); err != nil {
		return &bridge.Error{Class: bridge.Transient, Code: "BadAnswer", RequestID: call.RequestID, Err: fmt.Errorf("reading the answer: %w", err)}
	}
	return nil
}

// harmless is for calls that change nothing: whether they happened does not matter, and it is not the message's fault.
func harmless(err error) error {
	var e *bridge.Error
	if errors.As(err, &e) {
		switch e.Class {
		case bridge.Ambiguous:
			e.Class = bridge.Transient
		case bridge.Permanent, bridge.Suspect:
			e.Class = bridge.Fatal
		}
	}
	return err
}

// denied tells whether the caller lacks the right to ask, which it does not need for sending.
func denied(err error) bool {
	switch code := bridge.AsError(err).Code; code {
	case "AccessDenied", "AccessDeniedException", "AuthorizationError", "UnauthorizedOperation":
		return true
	}
	return false
}

// findURL returns the queue's URL. remark says what had to be guessed.
func (l *lookups) findURL(ctx context.Context, a address) (found, remark string, err error) {
	if a.url != "" {
		return a.url, "", nil
	}
	in := map[string]string{"QueueName": a.name}
	if a.account != "" {
		in["QueueOwnerAWSAccountId"] = a.account
	}
	var out struct{ QueueUrl string } //nolint:staticcheck // the API's spelling
	err = ask(ctx, l.url, in, &out)
	switch {
	case err == nil && out.QueueUrl != "":
		return out.QueueUrl, "", nil
	case err == nil:
		return "", "", &bridge.Error{Class: bridge.Transient, Code: "BadAnswer", Err: errors.New("the answer names no queue URL")}
	case !denied(err):
		return "", "", fmt.Errorf("looking up queue %s: %w", a.name, err)
	}
	account := a.account
	if account == "" {
		who, whoErr := l.client.CallerIdentity(ctx)
		if whoErr != nil {
			return "", "", fmt.Errorf("looking up queue %s: %w", a.name, err)
		}
		account = who.Account
	}
	return strings.TrimSuffix(l.endpoint.URL, "/") + "/" + account + "/" + a.name,
		"sqs:GetQueueUrl is denied: the queue's URL is guessed from the account", nil
}

// attributes asks for all attributes of a queue.
func (l *lookups) attributes(ctx context.Context, queueURL string) (queueAttributes, error) {
	var out struct{ Attributes queueAttributes }
	in := struct {
		QueueUrl       string //nolint:staticcheck // the API's spelling
		AttributeNames []string
	}{queueURL, []string{"All"}}
	if err := ask(ctx, l.describe, in, &out); err != nil {
		return nil, fmt.Errorf("reading the queue's attributes: %w", err)
	}
	return out.Attributes, nil
}
