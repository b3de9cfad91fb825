package eventbridge_test

import (
	"strings"
	"testing"

	"github.com/jmsbridge/jmsbridge/bridge"
	"github.com/jmsbridge/jmsbridge/connectors/aws/awslocal"
	"github.com/jmsbridge/jmsbridge/connectors/aws/eventbridge"
)

// with is a message with one property, x.
func with(value string) *bridge.Message {
	m := text("{}")
	m.Properties = bridge.NewProperties([]bridge.Entry{{Name: "x", Value: bridge.String(value)}})
	return m
}

func TestASourceThatOnlyLooksLikeAWSsIsSent(t *testing.T) {
	set := settings(t, endpoint(t, awslocal.Options{}).Transport())
	source(&set, t)
	for i, r := range send(t, connected(t, set), outgoing(with("awsome.orders"), with("aws"))...) {
		if r.Err != nil {
			t.Errorf("event %d: %v", i, r.Err)
		}
	}
}

// TestWhatEventBridgeWouldRefuseIsPermanent says so for each field, for the message alone and in the midst of others.
func TestWhatEventBridgeWouldRefuseIsPermanent(t *testing.T) {
	nested := bridge.Int(1)
	for range 70 {
		nested = bridge.ListValue([]bridge.Value{nested})
	}
	for name, c := range map[string]struct {
		change  func(*eventbridge.SinkSettings, *testing.T)
		message *bridge.Message
		code    string
	}{
		"source of AWS's":                   {source, with("aws.mq"), "InvalidSource"},
		"empty source":                      {source, with(""), "InvalidSource"},
		"source that is no UTF-8":           {source, with("\xff"), "InvalidText"},
		"source with what SQS refuses":      {source, with("a\ufffe"), "InvalidText"},
		"no source":                         {source, text("{}"), "MissingField"},
		"long detail-type":                  {detailType, with(strings.Repeat("é", 129)), "InvalidDetailType"},
		"empty detail-type":                 {detailType, with(""), "InvalidDetailType"},
		"detail-type no UTF-8":              {detailType, with("a\xc3"), "InvalidText"},
		"detail-type with what SQS refuses": {detailType, with("a\ufffe"), "InvalidText"},
		"bus that is not allowed":           {bus, with("other"), "DestinationNotAllowed"},
		"empty bus":                         {bus, with(""), "InvalidBus"},
		"bus that is none":                  {bus, with("a b"), "InvalidBus"},
		"bus with a colon":                  {bus, with("a:b"), "InvalidBus"},
		"long bus":                          {bus, with(strings.Repeat("a", 1601)), "InvalidBus"},
		"no time":                           {when, text("{}"), "MissingField"},
		"time that is none":                 {when, with("yesterday"), "InvalidTime"},
		"time of five digits":               {when, with("12345-01-01T00:00:00Z"), "InvalidTime"},
		"resource that is no UTF-8":         {resource, with("\xff"), "InvalidText"},
		"resource with what SQS refuses":    {resource, with("a\ufffe"), "InvalidText"},
		"no resource":                       {resource, text("{}"), "MissingField"},
		"text that is no UTF-8":             {body, text("{\"a\":\"\xff\"}"), ""},
		"text no UTF-8, in envelope":        {nil, text("\xff"), ""},
		"property that is no UTF-8":         {nil, with("\xff"), ""},
		"deep property":                     {nil, &bridge.Message{Properties: bridge.NewProperties([]bridge.Entry{{Name: "x", Value: nested}})}, ""},
		"deep stream":                       {body, &bridge.Message{Body: bridge.NewStream([]bridge.Value{nested})}, ""},
		"an object that is refused":         {noObjects, &bridge.Message{Body: bridge.NewObject("\xac")}, ""},
		"a map with a name no UTF-8":        {body, &bridge.Message{Body: bridge.NewMap([]bridge.Entry{{Name: "\xff"}})}, ""},
		"an envelope of such a map":         {nil, &bridge.Message{Body: bridge.NewMap([]bridge.Entry{{Name: "\xff"}})}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			e := endpoint(t, awslocal.Options{})
			set := settings(t, e.Transport())
			if c.change != nil {
				c.change(&set, t)
			}
			s := connected(t, set)
			res := unanswered(1)
			if err := s.Send(t.Context(), outgoing(c.message), res); err != nil {
				t.Fatal(err)
			}
			want(t, res[0].Err, bridge.Permanent, c.code)
			if n := e.Log().Calls("PutEvents"); n != 0 {
				t.Errorf("%d calls for nothing", n)
			}
			good := with("prices")
			if strings.Contains(name, "time") {
				good = with("2001-02-03T04:05:06Z")
			}
			res = send(t, s, outgoing(good, c.message, good)...)
			if res[0].Err != nil || res[2].Err != nil || res[0].ID == "" || res[0].ID == res[2].ID {
				t.Errorf("the others: %+v", res)
			}
			want(t, res[1].Err, bridge.Permanent, c.code)
			if n := len(e.Drain("prices")); n != 2 {
				t.Errorf("%d events arrived", n)
			}
		})
	}
}

func source(s *eventbridge.SinkSettings, t *testing.T) { s.Source = template(t, "${.properties.x}") }

func detailType(s *eventbridge.SinkSettings, t *testing.T) {
	s.DetailType = template(t, "${.properties.x}")
}

func when(s *eventbridge.SinkSettings, t *testing.T) { s.Time = template(t, "${.properties.x}") }

func body(s *eventbridge.SinkSettings, _ *testing.T) { s.Body = true }

func noObjects(s *eventbridge.SinkSettings, _ *testing.T) { s.ObjectBase64 = false }

func resource(s *eventbridge.SinkSettings, t *testing.T) {
	*s = withResources(t, *s, "fixed", "${.properties.x}")
}

func bus(s *eventbridge.SinkSettings, t *testing.T) {
	s.Bus, s.Allows = template(t, "${.properties.x}"), func(bus string) bool { return bus != "other" }
}

func TestADetailTypeMayHave128Characters(t *testing.T) {
	e := endpoint(t, awslocal.Options{})
	set := settings(t, e.Transport())
	detailType(&set, t)
	longest := strings.Repeat("é", 128)
	if got := sent(t, e, connected(t, set), bridge.Outgoing{Message: with(longest)}).Event.DetailType; got != longest {
		t.Errorf("%q", got)
	}
}

func TestSettingsThatCanNotWorkAreRefused(t *testing.T) {
	e := endpoint(t, awslocal.Options{})
	for name, change := range map[string]func(*eventbridge.SinkSettings){
		"no client":               func(s *eventbridge.SinkSettings) { s.Client = nil },
		"no bus":                  func(s *eventbridge.SinkSettings) { s.Bus = nil },
		"no source":               func(s *eventbridge.SinkSettings) { s.Source = nil },
		"no detail-type":          func(s *eventbridge.SinkSettings) { s.DetailType = nil },
		"an empty bus":            func(s *eventbridge.SinkSettings) { s.Bus = template(t, "") },
		"a bus that is none":      func(s *eventbridge.SinkSettings) { s.Bus = template(t, "a b") },
		"a source of AWS's":       func(s *eventbridge.SinkSettings) { s.Source = template(t, "aws.mq") },
		"an empty source":         func(s *eventbridge.SinkSettings) { s.Source = template(t, "") },
		"a long detail-type":      func(s *eventbridge.SinkSettings) { s.DetailType = template(t, strings.Repeat("x", 129)) },
		"any bus a message likes": func(s *eventbridge.SinkSettings) { s.Bus = template(t, "${.type}") },
	} {
		set := settings(t, e.Transport())
		change(&set)
		if _, err := eventbridge.NewSink(set); err == nil {
			t.Errorf("%s: taken", name)
		}
	}
}
