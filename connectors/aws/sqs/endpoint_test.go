package sqs_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"

	sqsapi "github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/google/go-cmp/cmp"

	"github.com/jmsbridge/jmsbridge/bridge"
	"github.com/jmsbridge/jmsbridge/connectors/aws"
	"github.com/jmsbridge/jmsbridge/connectors/aws/sqs"
)

// answers is a network in which every host is an SQS. It notes which were asked, and for which region.
type answers struct {
	mu    sync.Mutex
	asked map[string]int // "URL as REGION"
	queue string         // the queue URL of the last batch
}

func (a *answers) RoundTrip(r *http.Request) (*http.Response, error) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	_ = r.Body.Close()
	answer := `{"Attributes":{"MaximumMessageSize":"1048576"}}`
	a.mu.Lock()
	defer a.mu.Unlock()
	switch r.Header.Get("X-Amz-Target") {
	case "AmazonSQS.GetQueueUrl":
		answer = `{"QueueUrl":"https://answered.example/123456789012/orders"}`
	case "AmazonSQS.SendMessageBatch":
		answer = `{"Successful":[{"Id":"0","MessageId":"m"}]}`
		var in struct{ QueueUrl string } //nolint:staticcheck // the API's spelling
		if err := json.Unmarshal(body, &in); err != nil {
			return nil, err
		}
		a.queue = in.QueueUrl
	}
	scope := strings.Split(r.Header.Get("Authorization"), "/")
	if len(scope) < 5 || scope[3] != "sqs" || r.Host != r.URL.Host {
		return nil, fmt.Errorf("host %q, authorization %q", r.Host, r.Header.Get("Authorization"))
	}
	if a.asked == nil {
		a.asked = map[string]int{}
	}
	a.asked[r.URL.Scheme+"://"+r.URL.Host+" as "+scope[2]]++
	return &http.Response{StatusCode: http.StatusOK, Header: http.Header{}, ContentLength: int64(len(answer)), Body: io.NopCloser(strings.NewReader(answer))}, nil
}

// whereCallsGo connects a sink to a queue, sends a message, and returns where all of its calls went.
func whereCallsGo(t *testing.T, queue string, set aws.Settings) (where, queueURL string, err error) {
	t.Helper()
	var network answers
	set.RoundTripper = &network
	client := aws.NewClient(set)
	s, err := sqs.NewSink(sqs.SinkSettings{Client: client, Queue: queue})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = s.Close(t.Context()) }()
	if err := s.Connect(t.Context()); err != nil {
		return "", "", err
	}
	send(t, s, batchOf(1)...)
	network.mu.Lock()
	defer network.mu.Unlock()
	for place := range network.asked {
		where = place
	}
	if len(network.asked) != 1 {
		t.Errorf("calls went to %v", network.asked)
	}
	return where, network.queue, nil
}

// oracle is what the SDK's own resolver says.
func oracle(t *testing.T, region string, fips, dualStack bool, endpoint string) string {
	t.Helper()
	p := sqsapi.EndpointParameters{Region: &region, UseFIPS: &fips, UseDualStack: &dualStack}
	if endpoint != "" {
		p.Endpoint = &endpoint
	}
	found, err := sqsapi.NewDefaultEndpointResolverV2().ResolveEndpoint(t.Context(), p)
	if err != nil {
		t.Fatal(err)
	}
	return found.URI.String() + " as " + region
}

// noRegion gives the chain credentials, and no region.
func noRegion(t *testing.T) {
	environment(t, "AKIDEXAMPLE", "secret", "")
	t.Setenv("AWS_REGION", "")
	t.Setenv("AWS_DEFAULT_REGION", "")
}

// The addresses are those of "Amazon Simple Queue Service endpoints and quotas" in the AWS General Reference, of "Amazon
// VPC endpoints for Amazon SQS" in the SQS developer guide, and the old names that queue URLs of before 2012 have.
func TestCallsGoToTheEndpointOfTheQueue(t *testing.T) {
	type resolved struct {
		region          string
		fips, dualStack bool
		endpoint        string
	}
	const queue = "/123456789012/orders"
	for _, c := range []struct {
		name, queue string
		set         aws.Settings
		want        string
		same        resolved // what to ask the SDK's resolver for the same
	}{
		{"a name", "orders", aws.Settings{Region: "eu-west-1"}, "https://sqs.eu-west-1.amazonaws.com as eu-west-1", resolved{region: "eu-west-1"}},
		{"a name, FIPS", "orders", aws.Settings{Region: "us-east-1", FIPS: true}, "https://sqs-fips.us-east-1.amazonaws.com as us-east-1", resolved{region: "us-east-1", fips: true}},
		{"a name, dual stack", "orders", aws.Settings{Region: "eu-west-1", DualStack: true}, "https://sqs.eu-west-1.api.aws as eu-west-1", resolved{region: "eu-west-1", dualStack: true}},
		{"a name, FIPS and dual stack", "orders", aws.Settings{Region: "us-east-2", FIPS: true, DualStack: true}, "https://sqs-fips.us-east-2.api.aws as us-east-2", resolved{region: "us-east-2", fips: true, dualStack: true}},
		{"GovCloud, where all are FIPS", "orders", aws.Settings{Region: "us-gov-west-1", FIPS: true}, "https://sqs.us-gov-west-1.amazonaws.com as us-gov-west-1", resolved{region: "us-gov-west-1", fips: true}},
		{"China", "orders", aws.Settings{Region: "cn-north-1"}, "https://sqs.cn-north-1.amazonaws.com.cn as cn-north-1", resolved{region: "cn-north-1"}},
		{"an ARN of China", "arn:aws-cn:sqs:cn-northwest-1:123456789012:orders", aws.Settings{}, "https://sqs.cn-northwest-1.amazonaws.com.cn as cn-northwest-1", resolved{region: "cn-northwest-1"}},
		{"an ARN of another region", "arn:aws:sqs:eu-west-1:123456789012:orders", aws.Settings{Region: "us-east-1"}, "https://sqs.eu-west-1.amazonaws.com as eu-west-1", resolved{region: "eu-west-1"}},

		{"a URL", "https://sqs.eu-west-1.amazonaws.com" + queue, aws.Settings{}, "https://sqs.eu-west-1.amazonaws.com as eu-west-1", resolved{region: "eu-west-1"}},
		{"a URL of another region", "https://sqs.eu-west-1.amazonaws.com" + queue, aws.Settings{Region: "us-east-1"}, "https://sqs.eu-west-1.amazonaws.com as eu-west-1", resolved{region: "eu-west-1"}},
		{"a URL without TLS", "http://sqs.eu-west-1.amazonaws.com" + queue, aws.Settings{}, "https://sqs.eu-west-1.amazonaws.com as eu-west-1", resolved{region: "eu-west-1"}},
		{"a URL with a port", "https://sqs.eu-west-1.amazonaws.com:443" + queue, aws.Settings{}, "https://sqs.eu-west-1.amazonaws.com as eu-west-1", resolved{region: "eu-west-1"}},
		{"a URL in capitals", "https://SQS.EU-WEST-1.AMAZONAWS.COM" + queue, aws.Settings{}, "https://sqs.eu-west-1.amazonaws.com as eu-west-1", resolved{region: "eu-west-1"}},
		{"a URL, with FIPS configured", "https://sqs.us-west-2.amazonaws.com" + queue, aws.Settings{FIPS: true}, "https://sqs-fips.us-west-2.amazonaws.com as us-west-2", resolved{region: "us-west-2", fips: true}},
		{"a FIPS URL", "https://sqs-fips.us-east-1.amazonaws.com" + queue, aws.Settings{}, "https://sqs-fips.us-east-1.amazonaws.com as us-east-1", resolved{region: "us-east-1", fips: true}},
		{"a FIPS URL, with dual stack configured", "https://sqs-fips.us-east-1.amazonaws.com" + queue, aws.Settings{DualStack: true}, "https://sqs-fips.us-east-1.api.aws as us-east-1", resolved{region: "us-east-1", fips: true, dualStack: true}},
		{"a dual-stack URL", "https://sqs.eu-west-1.api.aws" + queue, aws.Settings{}, "https://sqs.eu-west-1.api.aws as eu-west-1", resolved{region: "eu-west-1", dualStack: true}},
		{"a dual-stack FIPS URL", "https://sqs-fips.us-east-1.api.aws" + queue, aws.Settings{}, "https://sqs-fips.us-east-1.api.aws as us-east-1", resolved{region: "us-east-1", fips: true, dualStack: true}},
		{"a URL of China", "https://sqs.cn-north-1.amazonaws.com.cn" + queue, aws.Settings{}, "https://sqs.cn-north-1.amazonaws.com.cn as cn-north-1", resolved{region: "cn-north-1"}},
		{"a dual-stack URL of China", "https://sqs.cn-north-1.api.amazonwebservices.com.cn" + queue, aws.Settings{}, "https://sqs.cn-north-1.api.amazonwebservices.com.cn as cn-north-1", resolved{region: "cn-north-1", dualStack: true}},

		{"an old URL", "https://eu-west-1.queue.amazonaws.com" + queue, aws.Settings{}, "https://sqs.eu-west-1.amazonaws.com as eu-west-1", resolved{region: "eu-west-1"}},
		{"the oldest URL", "https://queue.amazonaws.com" + queue, aws.Settings{Region: "eu-west-1"}, "https://sqs.us-east-1.amazonaws.com as us-east-1", resolved{region: "us-east-1"}},
		{"an old URL of China", "https://cn-north-1.queue.amazonaws.com.cn" + queue, aws.Settings{}, "https://sqs.cn-north-1.amazonaws.com.cn as cn-north-1", resolved{region: "cn-north-1"}},
		{"an old URL, with FIPS configured", "https://us-west-2.queue.amazonaws.com" + queue, aws.Settings{FIPS: true}, "https://sqs-fips.us-west-2.amazonaws.com as us-west-2", resolved{region: "us-west-2", fips: true}},

		{
			"a VPC endpoint's URL", "https://vpce-0a1b2c3d4e5f-6g7h8i9j.sqs.eu-west-1.vpce.amazonaws.com" + queue,
			aws.Settings{Region: "us-east-1"},
			"https://vpce-0a1b2c3d4e5f-6g7h8i9j.sqs.eu-west-1.vpce.amazonaws.com as eu-west-1",
			resolved{region: "eu-west-1", endpoint: "https://vpce-0a1b2c3d4e5f-6g7h8i9j.sqs.eu-west-1.vpce.amazonaws.com"},
		},
		{
			"a VPC endpoint's URL in one zone", "https://vpce-0a1b2c3d4e5f-6g7h8i9j-eu-west-1a.sqs.eu-west-1.vpce.amazonaws.com" + queue,
			aws.Settings{},
			"https://vpce-0a1b2c3d4e5f-6g7h8i9j-eu-west-1a.sqs.eu-west-1.vpce.amazonaws.com as eu-west-1",
			resolved{region: "eu-west-1", endpoint: "https://vpce-0a1b2c3d4e5f-6g7h8i9j-eu-west-1a.sqs.eu-west-1.vpce.amazonaws.com"},
		},
		{
			"a FIPS VPC endpoint's URL", "https://vpce-0a1b-2c3d.sqs-fips.us-east-1.vpce.amazonaws.com" + queue,
			aws.Settings{},
			"https://vpce-0a1b-2c3d.sqs-fips.us-east-1.vpce.amazonaws.com as us-east-1",
			resolved{region: "us-east-1", endpoint: "https://vpce-0a1b-2c3d.sqs-fips.us-east-1.vpce.amazonaws.com"},
		},
		{
			"a VPC endpoint's URL of China", "https://vpce-0a1b-2c3d.sqs.cn-north-1.vpce.amazonaws.com.cn" + queue,
			aws.Settings{},
			"https://vpce-0a1b-2c3d.sqs.cn-north-1.vpce.amazonaws.com.cn as cn-north-1",
			resolved{region: "cn-north-1", endpoint: "https://vpce-0a1b-2c3d.sqs.cn-north-1.vpce.amazonaws.com.cn"},
		},
		{
			"a VPC endpoint as the endpoint", "orders",
			aws.Settings{EndpointURL: "https://vpce-0a1b-2c3d.sqs.eu-west-1.vpce.amazonaws.com"},
			"https://vpce-0a1b-2c3d.sqs.eu-west-1.vpce.amazonaws.com as eu-west-1",
			resolved{region: "eu-west-1", endpoint: "https://vpce-0a1b-2c3d.sqs.eu-west-1.vpce.amazonaws.com"},
		},
		{
			"a configured endpoint goes before the URL's", "https://sqs-fips.us-east-1.amazonaws.com" + queue,
			aws.Settings{EndpointURL: "http://localhost:4566"},
			"http://localhost:4566 as us-east-1",
			resolved{region: "us-east-1", endpoint: "http://localhost:4566"},
		},
		{
			"a host of nobody we know", "https://sqs.eu-west-1.example.com:8443" + queue,
			aws.Settings{Region: "eu-central-1"},
			"https://sqs.eu-west-1.example.com:8443 as eu-central-1",
			resolved{region: "eu-central-1", endpoint: "https://sqs.eu-west-1.example.com:8443"},
		},
		{
			"no AWS, and no region", "http://localhost:4566" + queue,
			aws.Settings{},
			"http://localhost:4566 as us-east-1",
			resolved{region: "us-east-1", endpoint: "http://localhost:4566"},
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			noRegion(t)
			where, queueURL, err := whereCallsGo(t, c.queue, c.set)
			if err != nil {
				t.Fatal(err)
			}
			if where != c.want {
				t.Errorf("calls went to %s, not to %s", where, c.want)
			}
			if same := oracle(t, c.same.region, c.same.fips, c.same.dualStack, c.same.endpoint); where != same {
				t.Errorf("calls went to %s, and the SDK's would go to %s", where, same)
			}
			if strings.Contains(c.queue, "://") != (queueURL == c.queue) {
				t.Errorf("the queue's URL is %q", queueURL)
			}
		})
	}
}

// Whatever host the SDK has for SQS, a queue URL with that host needs no region besides, and calls go there.
func TestAQueueURLWithAnyHostOfAWSIsEnough(t *testing.T) {
	noRegion(t)
	for _, region := range []string{
		"us-east-1", "eu-west-1", "ap-southeast-7", "mx-central-1", "il-central-1", "cn-north-1", "cn-northwest-1", "us-gov-east-1", "us-gov-west-1",
		"eusc-de-east-1", "us-iso-east-1", "us-isob-east-1", "eu-isoe-west-1", "us-isof-south-1",
	} {
		for _, fips := range []bool{false, true} {
			for _, dualStack := range []bool{false, true} {
				want := oracle(t, region, fips, dualStack, "")
				base, _, _ := strings.Cut(want, " ")
				where, _, err := whereCallsGo(t, base+"/123456789012/orders", aws.Settings{})
				if err != nil || where != want {
					t.Errorf("calls went to %q, not to %q: %v", where, want, err)
				}
			}
		}
	}
}

func TestEndpointsThatContradictEachOtherAreFatal(t *testing.T) {
	const vpc = "https://vpce-0a1b-2c3d.sqs.eu-west-1.vpce.amazonaws.com"
	for name, c := range map[string]struct {
		queue string
		set   aws.Settings
	}{
		"no region":                                {"orders", aws.Settings{}},
		"FIPS at an endpoint of one's own":         {"orders", aws.Settings{Region: "eu-west-1", FIPS: true, EndpointURL: vpc}},
		"dual stack at an endpoint of one's own":   {"orders", aws.Settings{Region: "eu-west-1", DualStack: true, EndpointURL: vpc}},
		"FIPS, and the queue is at a VPC endpoint": {vpc + "/123456789012/orders", aws.Settings{FIPS: true}},
		"dual stack, and it is at a VPC endpoint":  {vpc + "/123456789012/orders", aws.Settings{DualStack: true}},
		"a region that can't be part of a host":    {"orders", aws.Settings{Region: "eu west 1"}},
		"an endpoint that is no URL":               {"orders", aws.Settings{Region: "eu-west-1", EndpointURL: "localhost:4566"}},
	} {
		t.Run(name, func(t *testing.T) {
			noRegion(t)
			where, _, err := whereCallsGo(t, c.queue, c.set)
			if e := bridge.AsError(err); e == nil || e.Class != bridge.Fatal || e.Code != "Configuration" || e.Remedy == "" {
				t.Errorf("calls went to %q: %+v", where, e)
			}
		})
	}
}

func TestTheSettingsOfTheEnvironmentChooseTheEndpointToo(t *testing.T) {
	for name, want := range map[string]string{
		"AWS_USE_FIPS_ENDPOINT":      oracle(t, "us-west-2", true, false, ""),
		"AWS_USE_DUALSTACK_ENDPOINT": oracle(t, "us-west-2", false, true, ""),
	} {
		t.Run(name, func(t *testing.T) {
			noRegion(t)
			t.Setenv("AWS_REGION", "us-west-2")
			t.Setenv(name, "true")
			where, _, err := whereCallsGo(t, "orders", aws.Settings{})
			if diff := cmp.Diff(want, where); diff != "" || err != nil {
				t.Error(diff, err)
			}
		})
	}
	t.Run("AWS_ENDPOINT_URL_SQS", func(t *testing.T) {
		noRegion(t)
		t.Setenv("AWS_ENDPOINT_URL_SQS", "http://localhost:4566")
		where, _, err := whereCallsGo(t, "orders", aws.Settings{Region: "eu-west-1"})
		if want := "http://localhost:4566 as eu-west-1"; where != want || err != nil {
			t.Errorf("calls went to %q: %v", where, err)
		}
	})
}
