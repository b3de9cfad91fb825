package connectors

import (
	"strings"
	"testing"

	"github.com/jmsbridge/jmsbridge/bridge"
	"github.com/jmsbridge/jmsbridge/config"
)

func TestTheGroupOfAMessage(t *testing.T) {
	with := func(group string, properties ...bridge.Entry) *bridge.Message {
		return &bridge.Message{GroupID: group, Properties: bridge.NewProperties(properties)}
	}
	account := bridge.Entry{Name: "account", Value: bridge.String("a-1")}
	for _, tc := range []struct {
		name          string
		route, target config.Template
		message       *bridge.Message
		want          string
		err           string // "": none
	}{
		{name: "JMSXGroupID wins", route: "${.properties.account}", message: with("g", account), want: "g"},
		{name: "else the template", route: "${.properties.account}", message: with("", account), want: "a-1"},
		{name: "a part that is literal", route: "account-${.properties.account}", message: with("", account), want: "account-a-1"},
		{name: "a number", route: "${.properties.n}", message: with("", bridge.Entry{Name: "n", Value: bridge.Long(7)}), want: "7"},
		{name: "the target's template before the route's", route: "${.properties.other}", target: "${.properties.account}", message: with("", account), want: "a-1"},
		{name: "a missing field is a group of its own", route: "${.properties.account}", message: with(""), want: ""},
		{name: "a null is missing too", route: "${.properties.account}", message: with("", bridge.Entry{Name: "account", Value: bridge.Null()}), want: ""},
		{name: "what can't be written is an error", route: "account-${.properties.broken}", message: with("", bridge.Entry{Name: "broken", Value: bridge.String("\xff")}), err: "finding the group: "},
		{name: "but not where JMSXGroupID wins", route: "account-${.properties.broken}", message: with("g", bridge.Entry{Name: "broken", Value: bridge.String("\xff")}), want: "g"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			r := &config.Route{GroupID: tc.route, To: []config.Target{{SQS: &config.SQSTarget{GroupID: tc.target}}}}
			group, err := groupOf(r, &r.To[0])
			if err != nil {
				t.Fatal(err)
			}
			got, err := group(tc.message)
			if got != tc.want || (err != nil) != (tc.err != "") || err != nil && !strings.HasPrefix(err.Error(), tc.err) {
				t.Errorf("group = %q, %v; want %q, %q", got, err, tc.want, tc.err)
			}
			if err != nil && bridge.ClassOf(err) != bridge.Permanent {
				t.Errorf("%v is %s: the message would be tried for ever", err, bridge.ClassOf(err))
			}
		})
	}
}

func TestWithoutATemplateTheEngineKnowsTheGroup(t *testing.T) {
	group, err := groupOf(&config.Route{To: []config.Target{{File: &config.FileTarget{}}}}, &config.Target{})
	if group != nil || err != nil {
		t.Errorf("%v, want no function of our own", err)
	}
	_, err = groupOf(&config.Route{GroupID: "${.properties.", To: []config.Target{{File: &config.FileTarget{}}}}, &config.Target{})
	if err == nil || !strings.HasPrefix(err.Error(), "reading group_id: ") {
		t.Errorf("a broken template: %v", err)
	}
}
