package eventstest

import (
	"encoding/json"
	"maps"
	"slices"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge/types"
)

// functionTries is how often Lambda runs an asynchronous call that fails.
const functionTries = 3

// called makes a bus with one rule for a function, and returns the queue of what the function gets.
func (p *probe) called(pattern string, more ...types.Target) (url string) {
	p.bus()
	url, _ = p.queue("", nil)
	arn, err := p.function(p.name[:20], url)
	p.must(err, "making a function")
	p.rule("all", pattern, append(more, types.Target{Id: aws.String("function"), Arn: &arn})...)
	return url
}

func functionChecks() []check {
	return []check{
		{"a function gets what a queue gets", func(p *probe) {
			queue, queueARN := p.queue("-beside", nil)
			url := p.called(everything, to(queueARN))
			e := p.entry("my.source", "my type", `{"a":1.50,"b":["<é>",null]}`)
			e.Resources = []string{"arn:aws:x:::y"}
			out := p.put(e)
			p.equal("refused", codes(out), []string{""})
			got, beside := p.received(url, 1), p.received(queue, 1)
			if len(got) != 1 || len(beside) != 1 {
				p.errorf("the function got %d events, and the queue %d", len(got), len(beside))
				return
			}
			p.equal("id", got[0].ID, aws.ToString(out.Entries[0].EventId))
			p.equal("the function's event, beside the queue's", got[0].text, beside[0].text)
			var members map[string]any
			p.must(json.Unmarshal([]byte(got[0].text), &members), "reading the event")
			p.equal("members", slices.Sorted(maps.Keys(members)), []string{
				"account", "detail", "detail-type", "id", "region", "resources", "source", "time", "version",
			})
			p.sameJSON("detail", string(got[0].Detail), *e.Detail)
		}},
		{"a function is called once for each event that matches", func(p *probe) {
			url := p.called(`{"source":["a","c"]}`)
			p.put(p.entry("a", "b", `{}`), p.entry("b", "b", `{}`), p.entry("c", "b", `{}`))
			p.equal("sources", sources(p.received(url, 3)), []string{"a", "c"})
		}},
		{"a function that fails is asked again with the same event", func(p *probe) {
			url := p.called(everything)
			p.equal("refused", codes(p.put(p.entry("a", "b", `{"fail":1}`))), []string{""})
			p.sameEvent(p.received(url, 3), 2)
		}},
		{"a function that always fails is asked three times", func(p *probe) {
			url := p.called(everything)
			p.put(p.entry("a", "b", `{"fail":9}`))
			p.sameEvent(p.received(url, functionTries+1), functionTries)
		}},
		{"a removed function is not called", func(p *probe) {
			url := p.called(everything)
			_, err := p.events.RemoveTargets(p.ctx, &eventbridge.RemoveTargetsInput{Rule: aws.String("all"), EventBusName: &p.name, Ids: []string{"function"}})
			p.must(err, "removing the target")
			p.put(p.entry("a", "b", `{}`))
			p.equal("received", sources(p.received(url, 1)), []string{})
		}},
		{"a function that does not exist keeps no other target from the event", func(p *probe) {
			queue, queueARN := p.queue("-beside", nil)
			p.bus()
			missing := types.Target{Id: aws.String("missing"), Arn: aws.String("arn:aws:lambda:us-east-1:123456789012:function:" + p.name)}
			p.rule("all", everything, missing, to(queueARN))
			p.equal("refused", codes(p.put(p.entry("a", "b", `{}`))), []string{""})
			p.equal("received", sources(p.received(queue, 1)), []string{"a"})
		}},
	}
}

// sameEvent wants n times one event.
func (p *probe) sameEvent(got []event, n int) {
	if len(got) != n {
		p.errorf("the function was called %d times, want %d", len(got), n)
	}
	for _, e := range got {
		p.equal("event", e.text, got[0].text)
	}
}
