package eventbridge_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/jmsbridge/jmsbridge/bridge"
	"github.com/jmsbridge/jmsbridge/connectors/aws"
	"github.com/jmsbridge/jmsbridge/connectors/aws/awslocal"
	"github.com/jmsbridge/jmsbridge/connectors/aws/eventbridge"
)

func sink(t testing.TB, set eventbridge.SinkSettings) *eventbridge.Sink {
	t.Helper()
	s, err := eventbridge.NewSink(set)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestABusThatDoesNotExistIsFatal(t *testing.T) {
	e := endpoint(t, awslocal.Options{})
	set := settings(t, e.Transport())
	set.Bus = template(t, "nowhere")
	s := sink(t, set)
	err := s.Connect(t.Context())
	want(t, err, bridge.Fatal, "ResourceNotFoundException")
	if !strings.Contains(err.Error(), "create the event bus") || !strings.Contains(err.Error(), "nowhere") {
		t.Errorf("%v", err)
	}
	if _, err = s.Inspect(t.Context()); err == nil {
		t.Error("inspected")
	}
	want(t, s.Send(t.Context(), batchOf(1), unanswered(1)), bridge.Transient, "")
	if _, err := e.CreateBus("nowhere"); err != nil {
		t.Fatal(err)
	}
	if err := s.Connect(t.Context()); err != nil {
		t.Errorf("now that it is there: %v", err)
	}
}

func TestABusThatMayNotBeLookedAtIsUsedWithARemark(t *testing.T) {
	e := endpoint(t, awslocal.Options{})
	e.Deny(awslocal.Rule{Action: "DescribeEventBus"})
	s := connected(t, settings(t, e.Transport()))
	if r := s.Remarks(); len(r) != 1 || !strings.Contains(r[0], "events:DescribeEventBus is denied") {
		t.Errorf("remarks %q", r)
	}
	in, err := s.Inspect(t.Context())
	if err != nil || len(in.Warnings) != 2 {
		t.Errorf("%+v, %v", in, err)
	}
	if res := send(t, s, batchOf(1)...); res[0].Err != nil {
		t.Error(res[0].Err)
	}
	e.Allow()
	if err := s.Connect(t.Context()); err != nil || len(s.Remarks()) != 0 {
		t.Errorf("%v, remarks %q", err, s.Remarks())
	}
}

func TestConnectingHasTheClassOfItsError(t *testing.T) {
	for _, c := range []struct {
		code   string
		status int
		want   bridge.Class
	}{
		{"InternalException", 0, bridge.Transient},
		{"ThrottlingException", 0, bridge.Throttled},
		{"UnrecognizedClientException", 0, bridge.Fatal},
		{"ExpiredTokenException", 0, bridge.Transient},
		{"ValidationException", 0, bridge.Fatal},
		{"Whatever", 503, bridge.Transient},
		{"OperationDisabledException", 0, bridge.Transient},
	} {
		e := endpoint(t, awslocal.Options{})
		e.Inject(awslocal.Fault{Kind: awslocal.Refuse, Actions: []string{"DescribeEventBus"}, Code: c.code, Status: c.status})
		err := sink(t, settings(t, e.Transport())).Connect(t.Context())
		if bridge.ClassOf(err) != c.want {
			t.Errorf("%s: %v is %v, want %v", c.code, err, bridge.ClassOf(err), c.want)
		}
	}
	e := endpoint(t, awslocal.Options{})
	e.Inject(awslocal.Fault{Kind: awslocal.ResetAfter, Actions: []string{"DescribeEventBus"}})
	want(t, sink(t, settings(t, e.Transport())).Connect(t.Context()), bridge.Transient, "")
}

func TestABusOfTheMessagesIsNotLookedAt(t *testing.T) {
	e := endpoint(t, awslocal.Options{})
	set := settings(t, e.Transport())
	bus(&set, t)
	s := connected(t, set)
	if n := e.Log().Calls("DescribeEventBus"); n != 0 {
		t.Errorf("%d calls", n)
	}
	if res := send(t, s, outgoing(with("prices"))...); res[0].Err != nil {
		t.Error(res[0].Err)
	}
}

// recording keeps where requests go.
type recording struct {
	to   http.RoundTripper
	seen []*http.Request
}

func (r *recording) RoundTrip(q *http.Request) (*http.Response, error) {
	r.seen = append(r.seen, q)
	return r.to.RoundTrip(q)
}

func TestTheRegionIsTheBuses(t *testing.T) {
	e := endpoint(t, awslocal.Options{Region: "eu-central-1"})
	trip := &recording{to: e.Transport()}
	set := settings(t, trip)
	set.Bus = template(t, e.BusARN("prices"))
	s := connected(t, set)
	send(t, s, batchOf(1)...)
	for _, r := range trip.seen {
		if scope := r.Header.Get("Authorization"); !strings.Contains(scope, "/eu-central-1/events/aws4_request") {
			t.Errorf("%s: signed %s", r.Header.Get("X-Amz-Target"), scope)
		}
		if kind := r.Header.Get("Content-Type"); kind != "application/x-amz-json-1.1" {
			t.Errorf("%s: content type %q", r.Header.Get("X-Amz-Target"), kind)
		}
	}
	if len(trip.seen) != 2 {
		t.Errorf("%d calls", len(trip.seen))
	}
	in, err := s.Inspect(t.Context())
	if err != nil || !strings.Contains(in.Peer, "prices") || len(in.Facts) != 3 || in.Facts[2].Value != e.BusARN("prices") {
		t.Errorf("%+v, %v", in, err)
	}
}

func TestCallsAreSigned(t *testing.T) {
	for secret, class := range map[string]bridge.Class{"secret": 0, "other": bridge.Fatal} {
		e := endpoint(t, awslocal.Options{Keys: []awslocal.Key{{ID: "AKIDTEST", Secret: secret}}})
		err := sink(t, settings(t, e.Transport())).Connect(t.Context())
		if (err != nil) != (class != 0) || bridge.ClassOf(err) != class {
			t.Errorf("secret %s: %v", secret, err)
		}
		e.SetKeys(awslocal.Key{ID: "AKIDTEST", Secret: "secret"})
		s := connected(t, settings(t, e.Transport()))
		if res := send(t, s, batchOf(1)...); res[0].Err != nil {
			t.Error(res[0].Err)
		}
		e.SetKeys(awslocal.Key{ID: "AKIDTEST", Secret: "rotated"})
		want(t, s.Send(t.Context(), batchOf(1), unanswered(1)), bridge.Fatal, "InvalidSignatureException")
	}
}

func TestAClosedSinkIsNotConnected(t *testing.T) {
	e := endpoint(t, awslocal.Options{})
	s := connected(t, settings(t, e.Transport()))
	for range 2 {
		if err := s.Close(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	want(t, s.Send(t.Context(), batchOf(1), unanswered(1)), bridge.Transient, "")
	l := s.Limits()
	if l.Messages != 10 || l.Bytes >= 1<<20 || l.Run != 0 || l.Calls == 0 || l.Timeout == 0 {
		t.Errorf("%+v", l)
	}
}

func TestWithoutARegionTheSettingsAreWrong(t *testing.T) {
	set := settings(t, nil)
	set.Client = aws.NewClient(aws.Settings{RoundTripper: http.DefaultTransport, Credentials: staticKeys})
	want(t, sink(t, set).Connect(t.Context()), bridge.Fatal, "Configuration")
}
