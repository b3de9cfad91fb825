package sqs_test

import (
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/jmsbridge/jmsbridge/bridge"
	"github.com/jmsbridge/jmsbridge/connectors/aws"
	"github.com/jmsbridge/jmsbridge/connectors/aws/sqs"
)

// fixed answers every call with the same text.
type fixed struct{ answer *string }

func (f fixed) RoundTrip(r *http.Request) (*http.Response, error) {
	_, _ = io.Copy(io.Discard, r.Body)
	_ = r.Body.Close()
	text := *f.answer
	return &http.Response{StatusCode: 200, Header: http.Header{}, ContentLength: int64(len(text)), Body: io.NopCloser(strings.NewReader(text))}, nil
}

// FuzzAnswer holds the reader of answers against encoding/json: what it takes for a success or a failure, that one does
// too.
func FuzzAnswer(f *testing.F) {
	for _, seed := range []string{
		`{"Successful":[{"Id":"0","MessageId":"m"}],"Failed":[{"Id":"1","Code":"InternalError","SenderFault":false,"Message":"a\"b"}]}`,
		`{"Failed":null,"Successful":[]}`, `{"Successful":[{"Id":"2","Id":"0","MessageId":"\u00e9"}]}`, `{}`, `[]`, ``, `{"Successful":[{}]}`, `{"Successful":[{"Id":"\`,
		`{"x":{"y":[1,2,{"z":"\\"}]},"Successful":[{"Id":"1"}]} `,
	} {
		f.Add(seed)
	}
	environment(f, "AKIDEXAMPLE", "secret", "")
	answer := `{"QueueUrl":"http://sqs.test/1/orders","Attributes":{}}`
	client := aws.NewClient(aws.Settings{EndpointURL: "http://sqs.test", Region: "us-east-1", RoundTripper: fixed{&answer}})
	s := connected(f, sqs.SinkSettings{Client: client, Queue: "orders"})
	f.Fuzz(func(t *testing.T, text string) {
		answer = text
		res := unanswered(3)
		if err := s.Send(t.Context(), batchOf(3), res); err != nil {
			if bridge.ClassOf(err) != bridge.Ambiguous {
				t.Errorf("%v", err)
			}
			return
		}
		var want struct {
			Successful, Failed []struct{ Id, MessageId, Code, Message string } //nolint:staticcheck // the API's spelling
		}
		if !json.Valid([]byte(text)) {
			return // numbers that are none are passed over
		}
		if err := json.Unmarshal([]byte(text), &want); err != nil {
			return // names that differ in case only
		}
		for i := range res {
			id := string(rune('0' + i))
			said := res[i].Err == nil
			for _, e := range want.Successful {
				said = said && e.Id != id
			}
			if said {
				t.Errorf("entry %d is no success in %q", i, text)
			}
		}
	})
}

// FuzzDecode says that no message makes the way back panic, and that what it reads can be sent again.
func FuzzDecode(f *testing.F) {
	f.Add("x", "", "", "")
	f.Add("AP8=", "bytes", "base64", "")
	f.Add(`{"a":1}`, "map inferred", "", `{"body_types":{"a":"long"},"properties":{"p":null},"property_types":{"p":"null"}}`)
	f.Add(`{"message_id":"ID:1","priority":4,"persistent":true,"redelivered":false,"body_type":"none"}`, "", "envelope", `{"properties":{"x":1}}`)
	f.Add(" ", "none", "empty", `{"timestamp":"2023-11-14T22:13:20.123Z","priority":9,"persistent":false}`)
	f.Fuzz(func(t *testing.T, body, bodyType, encoding, more string) {
		attributes := map[string]sqs.Attribute{}
		for name, value := range map[string]string{"jmsbridge.body_type": bodyType, "jmsbridge.encoding": encoding, "jmsbridge.more": more, "p": body} {
			if value != "" {
				attributes[name] = sqs.Attribute{DataType: "String", StringValue: value}
			}
		}
		if m, err := sqs.Decode(body, attributes); err == nil && m == nil {
			t.Error("neither a message nor an error")
		}
	})
}
