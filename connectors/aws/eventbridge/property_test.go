package eventbridge_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"math"
	"net/http"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"pgregory.net/rapid"

	"github.com/jmsbridge/jmsbridge/bridge"
	"github.com/jmsbridge/jmsbridge/connectors/aws/awslocal"
	"github.com/jmsbridge/jmsbridge/connectors/aws/eventbridge"
)

// words are strings that EventBridge or JSON could get wrong.
var words = rapid.OneOf(
	rapid.String(),
	rapid.Map(rapid.SliceOf(rapid.Byte()), func(b []byte) string { return string(b) }),
	rapid.SampledFrom([]string{
		"", " ", "{}", "[]", "null", "01", "-", "NaN", "1e999", `{"a":01}`, `{"a":NaN}`, `{"a":1,"a":2}`, `{"a":"\ud800"}`, "{\"a\":\"\xff\"}",
		`{"a":` + strings.Repeat("9", 1000) + `}`, "\ufeff{}", "{}\x00", "\x00\x1f\x7f", "\u2028</script>", "😀", "\ufffe", "\\", `"`, `\"`, "aws.x",
		strings.Repeat("[", 2000) + strings.Repeat("]", 2000), strings.Repeat(`{"a":`, 2000) + "1" + strings.Repeat("}", 2000), strings.Repeat("x", 200),
		"prices", "prices\n",
	}),
)

var values = rapid.OneOf(
	rapid.Just(bridge.Null()), rapid.Map(rapid.Bool(), bridge.Boolean), rapid.Map(rapid.Int64(), bridge.Long), rapid.Map(rapid.Float64(), bridge.Double),
	rapid.Just(bridge.Double(math.Inf(1))), rapid.Map(rapid.Uint16(), bridge.Char), rapid.Map(words, bridge.String), rapid.Map(words, bridge.Bytes),
	rapid.Map(rapid.SliceOfN(rapid.Map(words, bridge.String), 0, 3), bridge.ListValue),
)

var entries = rapid.SliceOfNDistinct(rapid.Custom(func(t *rapid.T) bridge.Entry {
	name := rapid.OneOf(rapid.SampledFrom([]string{"x", "y", "AWSTraceHeader", "traceparent"}), words).Draw(t, "name")
	return bridge.Entry{Name: name, Value: values.Draw(t, "value")}
}), 0, 6, func(e bridge.Entry) string { return e.Name })

var messages = rapid.Custom(func(t *rapid.T) *bridge.Message {
	return &bridge.Message{
		ID: words.Draw(t, "id"), CorrelationID: words.Draw(t, "correlation"), Type: words.Draw(t, "type"),
		Timestamp:  time.UnixMilli(rapid.OneOf(rapid.Int64(), rapid.Int64Range(0, 4e12)).Draw(t, "timestamp")),
		Properties: bridge.NewProperties(entries.Draw(t, "properties")),
		Body: rapid.OneOf(
			rapid.Just(bridge.Body{}), rapid.Map(words, bridge.NewText), rapid.Map(words, bridge.NewText), rapid.Map(words, bridge.NewBytes),
			rapid.Map(words, bridge.NewObject), rapid.Map(entries, bridge.NewMap),
			rapid.Map(rapid.SliceOfN(values, 0, 4), bridge.NewStream),
		).Draw(t, "body"),
	}
})

// request is what is put, read by encoding/json and not by the double.
type request struct {
	Entries []struct {
		Detail, Source, DetailType, EventBusName, TraceHeader string
		Time                                                  *float64
		Resources                                             []string
	}
}

// size is EventBridge's own formula, written once more after the Java code of the user guide ("calculating PutEvents
// event entry size").
func (r *request) size(i int) int {
	in := &r.Entries[i]
	n := len(in.Source) + len(in.DetailType) + len(in.Detail)
	if in.Time != nil {
		n += 14
	}
	for _, text := range in.Resources {
		n += len(text)
	}
	return n
}

// capture keeps the last request, and hands it on, or answers that all is well where there is nobody.
type capture struct {
	to   http.RoundTripper
	last request
	err  error
}

func (c *capture) RoundTrip(r *http.Request) (*http.Response, error) {
	if strings.HasSuffix(r.Header.Get("X-Amz-Target"), "PutEvents") {
		body, err := r.GetBody()
		if err != nil {
			return nil, err
		}
		text, err := io.ReadAll(body)
		if err != nil {
			return nil, err
		}
		c.last = request{}
		d := json.NewDecoder(bytes.NewReader(text))
		d.DisallowUnknownFields()
		if c.err = d.Decode(&c.last); c.err == nil && !utf8.Valid(text) {
			c.err = errors.New("it is no UTF-8")
		}
	}
	if c.to != nil {
		return c.to.RoundTrip(r)
	}
	ids := strings.TrimSuffix(strings.Repeat(`{"EventId":"x"},`, len(c.last.Entries)), ",")
	return (&fixed{answer: `{"Entries":[` + ids + `]}`}).RoundTrip(r)
}

// TestWhatIsSentIsTaken says of any message: it is either Permanent, or EventBridge takes what is sent of it, the detail is
// a JSON object, and Size was no less than what EventBridge counts.
func TestWhatIsSentIsTaken(t *testing.T) {
	for _, form := range []string{"body", "envelope"} {
		t.Run(form, func(t *testing.T) {
			e := endpoint(t, awslocal.Options{LogRecords: 10})
			trip := &capture{to: e.Transport()}
			set := chosen(t, settings(t, trip))
			set.Source = template(t, `${.properties.x // "a"}`)
			set.Body = form == "body"
			s := connected(t, withResources(t, set, `${.properties.y // "r"}`))
			rapid.Check(t, func(t *rapid.T) {
				o := bridge.Outgoing{Message: messages.Draw(t, "message")}
				if rapid.Bool().Draw(t, "asks") {
					o.Ask = &bridge.Ask{CorrelationID: rapid.String().Draw(t, "token"), QueueURL: "https://sqs.test/1/q", Deadline: instant}
				}
				size, sizeErr := s.Size(&o)
				res := unanswered(1)
				if err := s.Send(t.Context(), []bridge.Outgoing{o}, res); err != nil {
					t.Fatalf("the call: %v", err)
				}
				if sizeErr != nil && res[0].Err == nil {
					t.Fatalf("Size refuses what is sent: %v", sizeErr)
				}
				if res[0].Err != nil {
					if bridge.ClassOf(res[0].Err) != bridge.Permanent || strings.Contains(res[0].Err.Error(), "Reason:") {
						t.Fatalf("EventBridge refuses it: %v", res[0].Err)
					}
					return
				}
				if trip.err != nil || len(trip.last.Entries) != 1 {
					t.Fatalf("the request: %v", trip.err)
				}
				in := &trip.last.Entries[0]
				checkObject(t, in.Detail)
				if c := e.BusCounts("prices"); c.Failed > 0 {
					t.Fatalf("the queue behind the rule does not get %q", in.Detail)
				}
				if n := trip.last.size(0); n > size {
					t.Fatalf("Size says %d, and EventBridge counts %d", size, n)
				}
			})
			e.Drain("prices")
		})
	}
}

// TestABatchIsNeverOverTheLimit packs messages as the engine does, by Size and Limits, and counts each call as EventBridge does.
func TestABatchIsNeverOverTheLimit(t *testing.T) {
	trip := &capture{} // answers itself: what an endpoint does with a megabyte takes long
	set := settings(t, trip)
	set.Body, set.Bus, set.Allows = true, template(t, `${.type // "default"}`), func(string) bool { return true }
	s := connected(t, withResources(t, set, "arn:aws:mq:::broker"))
	limits := s.Limits()
	rapid.Check(t, func(t *rapid.T) {
		piece := rapid.SampledFrom([]string{"x", "\"", "\x01", "é", "😀"}).Draw(t, "piece")
		lengths := rapid.SliceOfN(rapid.OneOf(rapid.IntRange(0, 2000), rapid.IntRange(0, 2000), rapid.IntRange(90_000, 200_000), rapid.SampledFrom([]int{300_000, 1_100_000})), 1, 6).Draw(t, "lengths")
		var batch []bridge.Outgoing
		sum := 0
		flush := func() {
			if len(batch) == 0 {
				return
			}
			res := unanswered(len(batch))
			if err := s.Send(t.Context(), batch, res); err != nil {
				t.Fatalf("%d messages of %d bytes: %v", len(batch), sum, err)
			}
			counted := 0
			for i := range res {
				if res[i].Err != nil {
					t.Fatal(res[i].Err)
				}
				counted += trip.last.size(i)
			}
			if counted > sum || counted > limits.Bytes {
				t.Fatalf("EventBridge counts %d bytes, Size said %d", counted, sum)
			}
			batch, sum = nil, 0
		}
		for _, n := range lengths {
			o := bridge.Outgoing{Message: text(strings.Repeat(piece, n/len(piece)))}
			o.Message.Timestamp = instant
			size, err := s.Size(&o)
			if err != nil {
				if bridge.AsError(err).Code != "TooLarge" || n < 150_000 {
					t.Fatal(err)
				}
				continue
			}
			if len(batch) == limits.Messages || sum+size > limits.Bytes {
				flush()
			}
			batch, sum = append(batch, o), sum+size
		}
		flush()
	})
}

func TestAnEventThatTargetsWouldNotGetIsTooLarge(t *testing.T) {
	e := endpoint(t, awslocal.Options{})
	set := settings(t, e.Transport())
	set.Body = true
	s := connected(t, set)
	const around = len(`{"data":""}`) + len("mq.prices") + len("price")
	largest := bridge.Outgoing{Message: text(strings.Repeat("x", 1<<20-1<<10-around))}
	if n, err := s.Size(&largest); err != nil || n != 1<<20-1<<10 {
		t.Fatal(n, err)
	}
	sent(t, e, s, largest)
	if d := e.BusCounts("prices"); d != (awslocal.BusCounts{Events: 1, Delivered: 1}) {
		t.Errorf("%+v", d)
	}
	larger := bridge.Outgoing{Message: text(largest.Message.Body.Data() + "x")}
	_, err := s.Size(&larger)
	want(t, err, bridge.Permanent, "TooLarge")
}

func TestTheSizeOfALargeEventIsWhatEventBridgeCounts(t *testing.T) {
	trip := &capture{}
	for _, form := range []bool{true, false} {
		set := settings(t, trip)
		set.Body, set.Bus, set.Allows = form, template(t, `${.type // "default"}`), func(string) bool { return true }
		s := connected(t, withResources(t, set, "arn:aws:mq:::é", "x"))
		for _, at := range []time.Time{{}, instant} {
			o := bridge.Outgoing{Message: text(strings.Repeat("é\x01\"", 50_000))}
			o.Message.Timestamp = at
			n, err := s.Size(&o)
			if err != nil {
				t.Fatal(err)
			}
			if send(t, s, o); n != trip.last.size(0) {
				t.Errorf("Size says %d, and EventBridge counts %d", n, trip.last.size(0))
			}
		}
	}
}

func TestSmallMessagesAreNotReadToBeMeasured(t *testing.T) {
	s := connected(t, settings(t, endpoint(t, awslocal.Options{}).Transport()))
	broken := bridge.Outgoing{Message: text("\xff")}
	if _, err := s.Size(&broken); err != nil {
		t.Errorf("%v: the text was read, which Send does anyway", err)
	}
	want(t, send(t, s, broken)[0].Err, bridge.Permanent, "")
}

// FuzzDetail says of any text: its event is taken, or it is Permanent.
func FuzzDetail(f *testing.F) {
	for _, b := range bodies {
		f.Add(b.body.Data())
	}
	e := endpoint(f, awslocal.Options{LogRecords: 1})
	set := settings(f, e.Transport())
	set.Body = true
	s := connected(f, set)
	f.Fuzz(func(t *testing.T, body string) {
		res := send(t, s, bridge.Outgoing{Message: text(body)})
		if res[0].Err != nil && (utf8.ValidString(body) || bridge.ClassOf(res[0].Err) != bridge.Permanent) {
			t.Error(res[0].Err)
		}
		e.Drain("prices")
	})
}

var _ bridge.Sink = (*eventbridge.Sink)(nil)
