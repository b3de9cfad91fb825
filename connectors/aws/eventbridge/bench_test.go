package eventbridge_test

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	sdk "github.com/aws/aws-sdk-go-v2/aws"
	ebapi "github.com/aws/aws-sdk-go-v2/service/eventbridge"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge/types"

	"github.com/jmsbridge/jmsbridge/bridge"
	"github.com/jmsbridge/jmsbridge/bridge/envelope"
	"github.com/jmsbridge/jmsbridge/connectors/aws/awslocal"
)

// typical is a batch of ten texts of 1 KiB with five properties, as Classic delivers them.
func typical() []bridge.Outgoing {
	body := (`{"order":17,"note":"he said \"go\"","text":"` + strings.Repeat("0123456789abcdef", 64))[:1022] + `"}`
	out := make([]bridge.Outgoing, 10)
	for i := range out {
		out[i] = bridge.Outgoing{Message: &bridge.Message{
			ID: fmt.Sprintf("ID:host-40000-1700000000000-1:1:1:1:%d", i), Type: "order.created", Priority: 4, Persistent: true,
			Destination: bridge.Destination{Kind: bridge.Queue, Name: "orders"}, Timestamp: instant,
			Properties: bridge.NewProperties([]bridge.Entry{
				{Name: "account", Value: bridge.String(fmt.Sprint("account-", i))},
				{Name: "region", Value: bridge.String("eu-west-1")},
				{Name: "amount", Value: bridge.String("1234.56")},
				{Name: "attempt", Value: bridge.Int(3)},
				{Name: "urgent", Value: bridge.Boolean(true)},
			}),
			Body: bridge.NewText(body),
		}}
	}
	return out
}

// discard answers every call without a network and without looking: what is left is what the client itself costs.
type discard struct{ answer string }

func (d discard) RoundTrip(r *http.Request) (*http.Response, error) {
	_, _ = io.Copy(io.Discard, r.Body)
	_ = r.Body.Close()
	return &http.Response{
		StatusCode: 200, Header: http.Header{"Content-Type": {"application/x-amz-json-1.1"}}, ContentLength: int64(len(d.answer)),
		Body: io.NopCloser(strings.NewReader(d.answer)), Request: r,
	}, nil
}

func tenIDs() discard {
	ids := make([]string, 10)
	for i := range ids {
		ids[i] = fmt.Sprintf(`{"EventId":"11710aed-b79e-4468-a20b-bb3c0c3b4860-%d"}`, i)
	}
	return discard{`{"FailedEntryCount":0,"Entries":[` + strings.Join(ids, ",") + `]}`}
}

// trips are what stands for the network: the endpoint, whose own work is in the figures, and nothing.
func trips(b *testing.B) map[string]http.RoundTripper {
	return map[string]http.RoundTripper{"awslocal": endpoint(b, awslocal.Options{LogRecords: -1}).Transport(), "discard": tenIDs()}
}

// BenchmarkPutEvents reports a batch of ten as one operation: Size of each, and the call.
func BenchmarkPutEvents(b *testing.B) {
	for name, trip := range trips(b) {
		for _, form := range []string{"envelope", "body"} {
			b.Run(name+"/"+form, func(b *testing.B) {
				set := settings(b, trip)
				set.Body, set.Bus, set.DetailType = form == "body", template(b, "default"), template(b, "${.type}")
				s := connected(b, set)
				batch, res := typical(), unanswered(10)
				b.ReportAllocs()
				for b.Loop() {
					for i := range batch {
						if _, err := s.Size(&batch[i]); err != nil {
							b.Fatal(err)
						}
						res[i].Err = bridge.ErrUnanswered
					}
					if err := s.Send(b.Context(), batch, res); err != nil {
						b.Fatal(err)
					}
				}
				if res[9].Err != nil {
					b.Fatal(res[9].Err)
				}
			})
		}
	}
}

// BenchmarkSDK is what the same batch costs in a loop over the SDK's client, that makes the same details.
func BenchmarkSDK(b *testing.B) {
	for name, trip := range trips(b) {
		for _, form := range []string{"envelope", "body"} {
			b.Run(name+"/"+form, func(b *testing.B) {
				client := ebapi.New(ebapi.Options{
					Region: "us-east-1", BaseEndpoint: sdk.String("http://events.test"), Retryer: sdk.NopRetryer{}, Credentials: staticKeys,
					HTTPClient: &http.Client{Transport: trip},
				})
				batch := typical()
				b.ReportAllocs()
				for b.Loop() {
					in := &ebapi.PutEventsInput{Entries: make([]types.PutEventsRequestEntry, 0, 10)}
					for i := range batch {
						m := batch[i].Message
						detail := m.Body.Data()
						if form == "envelope" {
							text, err := envelope.Append(nil, m)
							if err != nil {
								b.Fatal(err)
							}
							detail = string(text)
						}
						in.Entries = append(in.Entries, types.PutEventsRequestEntry{
							Source: sdk.String("mq.prices"), DetailType: &m.Type, EventBusName: sdk.String("default"), Time: &m.Timestamp, Detail: &detail,
						})
					}
					out, err := client.PutEvents(b.Context(), in)
					if err != nil || len(out.Entries) != 10 || out.FailedEntryCount != 0 {
						b.Fatal(out, err)
					}
				}
			})
		}
	}
}
