package eventbridge_test

import (
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/jmsbridge/jmsbridge/bridge"
	"github.com/jmsbridge/jmsbridge/connectors/aws/awslocal"
	"github.com/jmsbridge/jmsbridge/connectors/aws/eventbridge"
)

// classes are the codes of EventBridge's API reference ("PutEvents", "PutEventsResultEntry", "Common errors"). chosen is
// the class where bus, source and detail-type depend on the message.
var classes = []struct {
	code            string
	literal, chosen bridge.Class
}{
	{"InternalFailure", bridge.Transient, bridge.Transient},
	{"InternalException", bridge.Transient, bridge.Transient},
	{"ServiceUnavailable", bridge.Transient, bridge.Transient},
	{"SomethingNew", bridge.Transient, bridge.Transient},
	{"ThrottlingException", bridge.Throttled, bridge.Throttled},
	{"LimitExceededException", bridge.Throttled, bridge.Throttled},
	{"MalformedDetail", bridge.Permanent, bridge.Permanent},
	{"InvalidArgument", bridge.Permanent, bridge.Permanent},
	{"RedactionFailure", bridge.Permanent, bridge.Permanent},
	{"NotAuthorizedForSourceException", bridge.Fatal, bridge.Permanent},
	{"NotAuthorizedForDetailTypeException", bridge.Fatal, bridge.Permanent},
	{"AccessDeniedException", bridge.Fatal, bridge.Permanent},
	{"InvalidAccountIdException", bridge.Fatal, bridge.Permanent},
	{"ResourceNotFoundException", bridge.Fatal, bridge.Permanent},
	{"OperationDisabledException", bridge.Fatal, bridge.Fatal},
}

// chosen lets messages choose everything.
func chosen(t *testing.T, set eventbridge.SinkSettings) eventbridge.SinkSettings {
	set.Bus, set.Allows = template(t, `${.properties.bus // "prices"}`), func(string) bool { return true }
	set.Source, set.DetailType = template(t, `${.properties.source // "a"}`), template(t, `${.type // "b"}`)
	return set
}

func TestFailedEventsHaveTheClassOfTheirCode(t *testing.T) {
	e := endpoint(t, awslocal.Options{})
	literal := connected(t, settings(t, e.Transport()))
	free := connected(t, chosen(t, settings(t, e.Transport())))
	for _, c := range classes {
		i := e.Inject(awslocal.Fault{
			Kind: awslocal.FailEntries, Actions: []string{"PutEvents"}, Code: c.code, Message: "because",
			Match: func(r *awslocal.Record) bool { return strings.Contains(r.Body, `{\"n\":1}`) },
		})
		for s, class := range map[*eventbridge.Sink]bridge.Class{literal: c.literal, free: c.chosen} {
			res := send(t, s, batchOf(3)...)
			want(t, res[1].Err, class, c.code)
			if err := bridge.AsError(res[1].Err); err == nil || err.RequestID == "" || !strings.Contains(err.Error(), "because") || res[1].ID != "" {
				t.Errorf("%s: %+v", c.code, res[1])
			}
			if res[0].Err != nil || res[2].Err != nil {
				t.Errorf("%s: the others %+v", c.code, res)
			}
		}
		if i.Remove(); i.Fired() != 2 {
			t.Errorf("%s fired %d times", c.code, i.Fired())
		}
	}
}

func TestARefusedCallHasTheClassOfItsCode(t *testing.T) {
	e := endpoint(t, awslocal.Options{})
	literal := connected(t, settings(t, e.Transport()))
	free := connected(t, chosen(t, settings(t, e.Transport())))
	check := func(code string, status int, raw string, of map[*eventbridge.Sink]bridge.Class) {
		t.Helper()
		i := e.Inject(awslocal.Fault{Kind: awslocal.Refuse, Actions: []string{"PutEvents"}, Code: code, Status: status, Raw: raw})
		defer i.Remove()
		for s, class := range of {
			want(t, s.Send(t.Context(), batchOf(1), unanswered(1)), class, "")
			if class == bridge.Permanent { // one of several is meant
				class = bridge.Suspect
			}
			want(t, s.Send(t.Context(), batchOf(2), unanswered(2)), class, "")
		}
	}
	for _, c := range classes {
		check(c.code, 0, "", map[*eventbridge.Sink]bridge.Class{literal: c.literal, free: c.chosen})
	}
	for _, c := range []struct {
		code   string
		status int
		raw    string
		class  bridge.Class
	}{
		{"ValidationException", 0, "", bridge.Permanent},
		{"SerializationException", 0, "", bridge.Permanent},
		{"UnrecognizedClientException", 0, "", bridge.Fatal},
		{"InvalidSignatureException", 0, "", bridge.Fatal},
		{"Whatever", 429, "", bridge.Throttled},
		{"Whatever", 504, "", bridge.Transient},
		{"Whatever", 400, "", bridge.Transient},
		{"", 502, "<html>Bad Gateway</html>", bridge.Transient},
		{"", 403, "<html>Forbidden</html>", bridge.Fatal},
		{"", 413, "<html>Too Large</html>", bridge.Permanent},
		{"", 302, "<html>Moved</html>", bridge.Fatal},
	} {
		check(c.code, c.status, c.raw, map[*eventbridge.Sink]bridge.Class{literal: c.class})
	}
	if n := len(e.Drain("prices")); n != 0 {
		t.Errorf("%d events arrived", n)
	}
}

func TestARefusedCallLeavesWhatHadNoFormItsOwnError(t *testing.T) {
	e := endpoint(t, awslocal.Options{})
	s := connected(t, settings(t, e.Transport()))
	e.Inject(awslocal.Fault{Kind: awslocal.Refuse, Actions: []string{"PutEvents"}, Code: "ThrottlingException"})
	res := send(t, s, outgoing(text("a"), text("\xff"), text("b"))...)
	want(t, res[0].Err, bridge.Throttled, "")
	want(t, res[1].Err, bridge.Permanent, "")
	want(t, res[2].Err, bridge.Throttled, "")
}

func TestAnswersAreMatchedByThePlacesOfWhatWasSent(t *testing.T) {
	e := endpoint(t, awslocal.Options{})
	set := settings(t, e.Transport())
	set.Body = true
	s := connected(t, set)
	e.Inject(awslocal.Fault{
		Kind: awslocal.FailEntries, Actions: []string{"PutEvents"}, Code: "InternalFailure",
		Match: func(r *awslocal.Record) bool { return r.Body == `{"fails":1}` },
	})
	bad, good, fails := text("\xff"), text(`{}`), text(`{"fails":1}`)
	for _, batch := range [][]*bridge.Message{
		{bad, fails, good}, {bad, bad, good, fails}, {fails, bad, good}, {good, fails, bad}, {bad, good, bad, fails, bad, good}, {fails, bad, bad, fails},
	} {
		res := send(t, s, outgoing(batch...)...)
		for i, m := range batch {
			switch {
			case m == bad:
				want(t, res[i].Err, bridge.Permanent, "")
			case m == fails:
				want(t, res[i].Err, bridge.Transient, "InternalFailure")
			case res[i].Err != nil || res[i].ID == "":
				t.Errorf("%d of %d: %+v", i, len(batch), res[i])
			}
		}
	}
}

func TestACutConnectionIsAmbiguous(t *testing.T) {
	for kind, arrived := range map[awslocal.FaultKind]int{awslocal.ResetBefore: 0, awslocal.ResetAfter: 2} {
		e := endpoint(t, awslocal.Options{})
		s := connected(t, settings(t, e.Transport()))
		e.Inject(awslocal.Fault{Kind: kind, Actions: []string{"PutEvents"}})
		want(t, s.Send(t.Context(), batchOf(2), unanswered(2)), bridge.Ambiguous, "")
		if n := len(e.Drain("prices")); n != arrived {
			t.Errorf("%d events arrived", n)
		}
	}
}

// fixed answers every call with the same text.
type fixed struct {
	answer string
	length int64 // what Content-Length says; 0: the truth
}

func (f *fixed) RoundTrip(r *http.Request) (*http.Response, error) {
	_, _ = io.Copy(io.Discard, r.Body)
	_ = r.Body.Close()
	res := &http.Response{StatusCode: 200, Header: http.Header{}, Body: io.NopCloser(strings.NewReader(f.answer)), ContentLength: int64(len(f.answer))}
	if f.length != 0 {
		res.ContentLength = f.length
		res.Body = io.NopCloser(io.MultiReader(strings.NewReader(f.answer), broken{}))
	}
	return res, nil
}

// broken is a body that ends before its time.
type broken struct{}

func (broken) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }

// answering returns a sink whose calls are all answered by f, from now on.
func answering(t testing.TB, f *fixed) *eventbridge.Sink {
	t.Helper()
	answer, length := f.answer, f.length
	*f = fixed{answer: `{"Name":"prices","Arn":"arn:aws:events:us-east-1:1:event-bus/prices"}`}
	s := connected(t, settings(t, f))
	f.answer, f.length = answer, length
	return s
}

func TestAnswersThatAreNoneAreAmbiguous(t *testing.T) {
	for name, f := range map[string]fixed{
		"html":              {answer: "<html>please log in</html>"},
		"empty":             {},
		"no entries":        {answer: `{}`},
		"half":              {answer: `{"FailedEntryCount":0,"Entries":[{"EventId":"a"}`},
		"torn":              {answer: `{"FailedEntryCount":0,"Entries":[{"EventId":"a"},{"EventId":"b"}]}`, length: 1000},
		"too few":           {answer: `{"FailedEntryCount":0,"Entries":[{"EventId":"a"}]}`},
		"too many":          {answer: `{"FailedEntryCount":0,"Entries":[{"EventId":"a"},{"EventId":"b"},{"EventId":"c"}]}`},
		"a list":            {answer: `[{"EventId":"a"},{"EventId":"b"}]`},
		"more behind it":    {answer: `{"Entries":[{"EventId":"a"},{"EventId":"b"}]}{}`},
		"other types":       {answer: `{"Entries":[{"EventId":1},{"EventId":2}]}`},
		"a failure unnamed": {answer: `{"FailedEntryCount":1,"Entries":[{"EventId":"a"},{"EventId":"b"}]}`},
		"an error":          {answer: `{"__type":"InternalException","message":"with status 200"}`},
		"endless":           {answer: `{"Entries":[` + strings.Repeat(" ", 5<<20)},
	} {
		t.Run(name, func(t *testing.T) {
			s := answering(t, &f)
			want(t, s.Send(t.Context(), batchOf(2), unanswered(2)), bridge.Ambiguous, "")
		})
	}
}

func TestAnEntryThatSaysNothingStaysUnanswered(t *testing.T) {
	s := answering(t, &fixed{answer: ` {"New":[{}],"Entries" : [{}, {"EventId":"b","ErrorCode":""}, null, {"EventId":"d","ErrorCode":"InternalFailure"}], "FailedEntryCount": 0 } `})
	res := send(t, s, batchOf(4)...)
	if !errors.Is(res[0].Err, bridge.ErrUnanswered) || res[1].Err != nil || res[1].ID != "b" || !errors.Is(res[2].Err, bridge.ErrUnanswered) {
		t.Errorf("%+v", res)
	}
	want(t, res[3].Err, bridge.Transient, "InternalFailure") // a failure is believed before a success
}

// FuzzAnswer says that no answer makes the sink panic, or take an event for put that the answer gives no id.
func FuzzAnswer(f *testing.F) {
	for _, seed := range []string{
		`{"FailedEntryCount":1,"Entries":[{"EventId":"a"},{"ErrorCode":"InternalFailure","ErrorMessage":"x"}]}`, `{"Entries":[null,{}]}`, `{}`, ``, `[`,
		`{"entries":[{"eventid":"a"},{"EventID":"b"}]}`,
	} {
		f.Add(seed)
	}
	trip := &fixed{}
	s := answering(f, trip)
	f.Fuzz(func(t *testing.T, answer string) {
		trip.answer = answer
		res := unanswered(2)
		err := s.Send(t.Context(), batchOf(2), res)
		if err != nil && bridge.ClassOf(err) != bridge.Ambiguous {
			t.Errorf("%v", err)
		}
		for i := range res {
			if err == nil && res[i].Err == nil && res[i].ID == "" {
				t.Errorf("entry %d: %+v", i, res[i])
			}
		}
	})
}
