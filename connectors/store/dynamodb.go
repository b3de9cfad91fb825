package store

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"sync"
	"time"

	sdk "github.com/aws/aws-sdk-go-v2/aws"
	dynamoapi "github.com/aws/aws-sdk-go-v2/service/dynamodb"
	smithy "github.com/aws/smithy-go/endpoints"

	"github.com/jmsbridge/jmsbridge/bridge"
	"github.com/jmsbridge/jmsbridge/connectors/aws"
)

const callTimeout = 10 * time.Second

// DynamoDB is a store in a table, which several processes may share. The table has a string key named id; expires is
// its time to live attribute, in seconds since 1970. Reads are strongly consistent.
type DynamoDB struct {
	client *aws.Client
	table  string

	mu       sync.Mutex // guards what follows
	put, get *aws.Caller
}

var _ bridge.Store = (*DynamoDB)(nil)

// NewDynamoDB returns a store in a table. It dials nothing yet.
func NewDynamoDB(client *aws.Client, table string) *DynamoDB {
	return &DynamoDB{client: client, table: table}
}

// callers finds the endpoint at the first use.
func (d *DynamoDB) callers(ctx context.Context) (put, get *aws.Caller, err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.put != nil {
		return d.put, d.get, nil
	}
	cfg, err := d.client.Config(ctx)
	if err != nil {
		return nil, nil, err
	}
	o := dynamoapi.NewFromConfig(cfg).Options()
	e, err := aws.Locate(aws.Endpoint{Region: cfg.Region, Service: "dynamodb"}, o.BaseEndpoint, aws.Elsewhere, func(region *string) (smithy.Endpoint, error) {
		return o.EndpointResolverV2.ResolveEndpoint(ctx, dynamoapi.EndpointParameters{
			Region:       region,
			UseFIPS:      sdk.Bool(o.EndpointOptions.UseFIPSEndpoint == sdk.FIPSEndpointStateEnabled),
			UseDualStack: sdk.Bool(o.EndpointOptions.UseDualStackEndpoint == sdk.DualStackEndpointStateEnabled),
			Endpoint:     o.BaseEndpoint,
		}.WithDefaults())
	})
	if err != nil {
		return nil, nil, err
	}
	if put, err = d.client.Caller(e, "DynamoDB_20120810.PutItem"); err != nil {
		return nil, nil, err
	}
	if get, err = d.client.Caller(e, "DynamoDB_20120810.GetItem"); err != nil {
		return nil, nil, err
	}
	d.put, d.get = put, get
	return put, get, nil
}

// attribute is a value as DynamoDB's JSON has it.
type attribute struct {
	S string `json:"S,omitempty"`
	N string `json:"N,omitempty"`
	B []byte `json:"B,omitempty"`
}

type item map[string]attribute

// value returns what a record holds; nil when it has expired, which DynamoDB notices only after a while.
func (i item) value(now time.Time) []byte {
	at, err := strconv.ParseInt(i["expires"].N, 10, 64)
	if err != nil || now.Unix() >= at {
		return nil
	}
	return i["outcome"].B
}

// Keep implements [bridge.Store].
func (d *DynamoDB) Keep(ctx context.Context, key string, value []byte, expires time.Time) ([]byte, error) {
	put, _, err := d.callers(ctx)
	if err != nil {
		return nil, err
	}
	now := time.Now()
	in := map[string]any{
		"TableName":                           d.table,
		"Item":                                item{"id": {S: key}, "outcome": {B: value}, "expires": {N: strconv.FormatInt(expires.Unix()+1, 10)}},
		"ConditionExpression":                 "attribute_not_exists(#id) OR #expires <= :now",
		"ExpressionAttributeNames":            map[string]string{"#id": "id", "#expires": "expires"},
		"ExpressionAttributeValues":           item{":now": {N: strconv.FormatInt(now.Unix(), 10)}},
		"ReturnValuesOnConditionCheckFailure": "ALL_OLD",
	}
	var refused struct{ Item item }
	err = d.call(ctx, put, in, &refused)
	if bridge.AsError(err) != nil && bridge.AsError(err).Code == "ConditionalCheckFailedException" {
		if v := refused.Item.value(now); v != nil {
			return v, nil
		}
		return d.Find(ctx, key) // an endpoint that does not return what is there
	}
	if err != nil {
		return nil, fmt.Errorf("storing in table %s: %w", d.table, err)
	}
	return nil, nil
}

// Find implements [bridge.Store].
func (d *DynamoDB) Find(ctx context.Context, key string) ([]byte, error) {
	_, get, err := d.callers(ctx)
	if err != nil {
		return nil, err
	}
	var out struct{ Item item }
	in := map[string]any{"TableName": d.table, "Key": item{"id": {S: key}}, "ConsistentRead": true}
	if err := d.call(ctx, get, in, &out); err != nil {
		return nil, fmt.Errorf("looking into table %s: %w", d.table, err)
	}
	return out.Item.value(time.Now()), nil
}

// call makes one call. What an error's body holds is read into out too.
func (d *DynamoDB) call(ctx context.Context, c *aws.Caller, in, out any) error {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	body, err := json.Marshal(in)
	if err != nil {
		return err
	}
	call := c.Acquire()
	defer call.Release()
	call.Body = append(call.Body[:0], body...)
	failed := call.Do(ctx)
	if len(call.Answer) > 0 {
		if err := json.Unmarshal(call.Answer, out); err != nil && failed == nil {
			return &bridge.Error{Class: bridge.Ambiguous, Code: "BadAnswer", RequestID: call.RequestID, Err: fmt.Errorf("reading the answer: %w", err)}
		}
	}
	if failed != nil {
		e := bridge.AsError(failed)
		if e.Code == "ResourceNotFoundException" {
			e.Class, e.Remedy = bridge.Fatal, "create the table, with a string key named id"
		}
		return e
	}
	return nil
}

// Close implements [bridge.Store]. The connections belong to the client.
func (d *DynamoDB) Close() error { return nil }
