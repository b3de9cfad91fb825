package lambda_test

import (
	"context"
	"net/http"
	"strings"
	"testing"

	sdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	lambdaapi "github.com/aws/aws-sdk-go-v2/service/lambda"

	"github.com/jmsbridge/jmsbridge/bridge"
	"github.com/jmsbridge/jmsbridge/connectors/aws"
	"github.com/jmsbridge/jmsbridge/connectors/aws/awslocal"
	"github.com/jmsbridge/jmsbridge/connectors/aws/lambda"
)

// canned answers every call with success and costs next to nothing, so that what is measured is the client.
type canned struct{ configuration http.RoundTripper }

type nothing struct{ strings.Reader }

func (nothing) Close() error { return nil }

func (c canned) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.Method == http.MethodGet {
		return c.configuration.RoundTrip(r)
	}
	return &http.Response{
		StatusCode: http.StatusOK, Header: http.Header{"X-Amzn-Requestid": {"id"}, "X-Amz-Executed-Version": {"$LATEST"}}, Body: &nothing{*strings.NewReader("{}")}, ContentLength: 2, Request: r,
	}, nil
}

// BenchmarkInvoke is a call with one message of 1 KiB, by the sink and by a bare loop over the SDK that has its payload
// ready. "endpoint" goes to the embedded endpoint in memory, and includes its costs; "client" has the client's alone.
func BenchmarkInvoke(b *testing.B) {
	e := local(b, func(o *awslocal.Options) { o.Keys, o.LogRecords = nil, -1 })
	create(b, e, awslocal.FunctionOptions{Handler: func(context.Context, []byte) ([]byte, error) { return []byte("{}"), nil }})
	message := full()
	message.Body = bridge.NewText(`{"text":"` + strings.Repeat("0123456789abcdef", 64) + `"}`)
	for where, trip := range map[string]http.RoundTripper{"endpoint": e.Transport(), "client": canned{e.Transport()}} {
		for name, p := range map[string]lambda.Payload{"envelope": lambda.Envelope, "body": lambda.Body, "mq": lambda.ActiveMQ} {
			b.Run(where+"/sink/"+name, func(b *testing.B) {
				s := connected(b, e, payload(p), func(set *lambda.SinkSettings) {
					set.Client = client(b, e, func(s *aws.Settings) { s.RoundTripper = trip })
				})
				batch, res := []bridge.Outgoing{{Message: message}}, unanswered(1)
				b.ReportAllocs()
				for b.Loop() {
					if err := s.Send(b.Context(), batch, res); err != nil || res[0].Err != nil {
						b.Fatal(err, res[0].Err)
					}
				}
			})
		}
		b.Run(where+"/sdk", func(b *testing.B) {
			api := lambdaapi.New(lambdaapi.Options{
				Region: e.Region(), BaseEndpoint: sdk.String(e.URL()), Retryer: sdk.NopRetryer{}, HTTPClient: &http.Client{Transport: trip},
				Credentials: credentials.NewStaticCredentialsProvider(keyID, secret, token),
			})
			in := &lambdaapi.InvokeInput{FunctionName: sdk.String("orders"), Payload: []byte(message.Body.Data())}
			b.ReportAllocs()
			for b.Loop() {
				if out, err := api.Invoke(b.Context(), in); err != nil || out.FunctionError != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
