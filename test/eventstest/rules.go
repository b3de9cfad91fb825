package eventstest

import (
	"context"
	"fmt"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge/types"
)

// matching puts events of these sources and wants those to arrive that a pattern matches.
func matching(pattern string, want ...string) func(*probe) {
	return func(p *probe) {
		url := p.route(pattern)
		var entries []types.PutEventsRequestEntry
		for _, source := range []string{"orders.eu", "orders.us", "stock.eu", "stock"} {
			entries = append(entries, p.entry(source, "type of "+source, fmt.Sprintf(`{"from":%q,"n":%d,"list":["a",%[1]q],"in":{"deep":true}}`, source, len(source))))
		}
		p.equal("refused", codes(p.put(entries...)), []string{"", "", "", ""})
		p.equal("matched", sources(p.received(url, max(len(want), 1))), append([]string{}, want...))
	}
}

// badPatterns wants patterns refused.
func badPatterns(patterns ...string) func(*probe) {
	return func(p *probe) {
		p.bus()
		for _, pattern := range patterns {
			_, err := p.events.PutRule(p.ctx, &eventbridge.PutRuleInput{Name: aws.String("all"), EventBusName: &p.name, EventPattern: &pattern})
			p.refused("putting "+pattern, err, "InvalidEventPatternException")
		}
	}
}

func ruleChecks() []check {
	return []check{
		{"a rule matches a source exactly", matching(`{"source":["stock","orders"]}`, "stock")},
		{"a rule matches a prefix of the source", matching(`{"source":[{"prefix":"orders."}]}`, "orders.eu", "orders.us")},
		{"a rule matches a detail-type", matching(`{"detail-type":["type of orders.us"]}`, "orders.us")},
		{"a rule matches a prefix of the detail-type", matching(`{"detail-type":[{"prefix":"type of s"}]}`, "stock", "stock.eu")},
		{"a rule matches a field of the detail", matching(`{"detail":{"from":["stock.eu"]}}`, "stock.eu")},
		{"a rule matches a number", matching(`{"detail":{"n":[9.0]}}`, "orders.eu", "orders.us")},
		{"a rule matches one element of a list", matching(`{"detail":{"list":["stock.eu"]}}`, "stock.eu")},
		{"all fields of a pattern must match", matching(`{"source":[{"prefix":"stock"}],"detail":{"in":{"deep":[true]},"from":[{"suffix":".eu"}]}}`, "stock.eu")},
		{"a rule matches what is not", matching(`{"source":[{"anything-but":["orders.eu","stock"]}]}`, "orders.us", "stock.eu")},
		{"a rule matches what is missing", matching(`{"detail":{"gone":[{"exists":false}]},"source":["stock"]}`, "stock")},
		{"an event that no rule matches is taken", matching(`{"source":["nobody"]}`)},
		{"a bus without rules takes events", func(p *probe) {
			p.bus()
			p.equal("refused", codes(p.put(p.entry("a", "b", `{}`))), []string{""})
		}},
		{"each rule that matches gets the event", func(p *probe) {
			p.bus()
			one, oneARN := p.queue("", nil)
			two, twoARN := p.queue("", nil)
			p.rule("one", `{"source":["a"]}`, to(oneARN))
			p.rule("two", `{"detail-type":["b"]}`, to(twoARN))
			out := p.put(p.entry("a", "b", `{}`))
			p.equal("refused", codes(out), []string{""})
			for _, url := range []string{one, two} {
				got := p.received(url, 1)
				if len(got) != 1 || got[0].ID != aws.ToString(out.Entries[0].EventId) {
					p.errorf("received %+v", got)
				}
			}
		}},
		{"a rule of another bus gets nothing", func(p *probe) {
			url := p.route(`{"source":["a"]}`)
			e := p.entry("a", "b", `{}`)
			e.EventBusName = nil
			p.put(e)
			p.equal("received", sources(p.received(url, 1)), []string{})
		}},
		{"a disabled rule gets nothing", func(p *probe) {
			url := p.route(`{"source":["a"]}`)
			_, err := p.events.PutRule(p.ctx, &eventbridge.PutRuleInput{
				Name: aws.String("all"), EventBusName: &p.name, EventPattern: aws.String(`{"source":["a"]}`), State: types.RuleStateDisabled,
			})
			p.must(err, "disabling the rule")
			p.put(p.entry("a", "b", `{}`))
			p.equal("received", sources(p.received(url, 1)), []string{})
		}},
		{"a removed target gets nothing", func(p *probe) {
			url := p.route(`{"source":["a"]}`)
			out, err := p.events.RemoveTargets(p.ctx, &eventbridge.RemoveTargetsInput{Rule: aws.String("all"), EventBusName: &p.name, Ids: []string{"queue"}})
			p.must(err, "removing the target")
			p.equal("failed", out.FailedEntryCount, int32(0))
			p.put(p.entry("a", "b", `{}`))
			p.equal("received", sources(p.received(url, 1)), []string{})
		}},
		{"a rule has an ARN, and is listed", func(p *probe) {
			p.bus()
			arn := p.rule("first", `{"source":["a"]}`)
			p.rule("second", `{"source":["b"]}`)
			if !strings.HasSuffix(arn, ":rule/"+p.name+"/first") {
				p.errorf("the ARN is %s", arn)
			}
			out, err := p.events.ListRules(p.ctx, &eventbridge.ListRulesInput{EventBusName: &p.name})
			p.must(err, "listing")
			var got []string
			for _, r := range out.Rules {
				got = append(got, fmt.Sprint(*r.Name, " ", aws.ToString(r.EventPattern), " ", r.State))
			}
			p.equal("rules", got, []string{`first {"source":["a"]} ENABLED`, `second {"source":["b"]} ENABLED`})
			out, err = p.events.ListRules(p.ctx, &eventbridge.ListRulesInput{EventBusName: &p.name, NamePrefix: aws.String("sec")})
			p.must(err, "listing by prefix")
			p.equal("rules with the prefix", len(out.Rules), 1)
		}},
		{"rules are listed in pages", func(p *probe) {
			p.bus()
			for _, name := range []string{"a", "b", "c"} {
				p.rule(name, `{"source":["a"]}`)
			}
			in, got := &eventbridge.ListRulesInput{EventBusName: &p.name, Limit: aws.Int32(2)}, []string(nil)
			for range 2 {
				out, err := p.events.ListRules(p.ctx, in)
				p.must(err, "listing")
				for _, r := range out.Rules {
					got = append(got, *r.Name)
				}
				in.NextToken = out.NextToken
			}
			p.equal("rules", got, []string{"a", "b", "c"})
			if in.NextToken != nil {
				p.errorf("there is another page")
			}
		}},
		{"a rule with targets is not deleted", func(p *probe) {
			p.route(`{"source":["a"]}`)
			_, err := p.events.DeleteRule(p.ctx, &eventbridge.DeleteRuleInput{Name: aws.String("all"), EventBusName: &p.name})
			p.refused("deleting it", err, "ValidationException")
		}},
		{"a deleted rule is gone, and may be deleted again", func(p *probe) {
			p.bus()
			p.rule("all", `{"source":["a"]}`)
			for range 2 {
				_, err := p.events.DeleteRule(p.ctx, &eventbridge.DeleteRuleInput{Name: aws.String("all"), EventBusName: &p.name})
				p.must(err, "deleting")
			}
			out, err := p.events.ListRules(p.ctx, &eventbridge.ListRulesInput{EventBusName: &p.name})
			p.must(err, "listing")
			p.equal("rules", len(out.Rules), 0)
		}},
		{"a rule needs a bus that exists", func(p *probe) {
			_, err := p.events.PutRule(p.ctx, &eventbridge.PutRuleInput{Name: aws.String("all"), EventBusName: &p.name, EventPattern: aws.String(`{"source":["a"]}`)})
			p.refused("putting it", err, "ResourceNotFoundException")
		}},
		{"a rule needs a pattern or a schedule", func(p *probe) {
			p.bus()
			_, err := p.events.PutRule(p.ctx, &eventbridge.PutRuleInput{Name: aws.String("all"), EventBusName: &p.name})
			p.refused("putting it", err, "ValidationException")
		}},
		{"a pattern is an object of lists", badPatterns(`{"source":"a"}`, `not JSON`, `{"source":[]}`)},
		{"a pattern is no list", badPatterns(`["a"]`)},
		{"a pattern has known operators", badPatterns(`{"source":[{"nonsense":"a"}]}`)},
		{"targets need a rule that exists", func(p *probe) {
			p.bus()
			_, arn := p.queue("", nil)
			_, err := p.events.PutTargets(p.ctx, &eventbridge.PutTargetsInput{Rule: aws.String("none"), EventBusName: &p.name, Targets: []types.Target{to(arn)}})
			p.refused("putting targets", err, "ResourceNotFoundException")
			_, err = p.events.RemoveTargets(p.ctx, &eventbridge.RemoveTargetsInput{Rule: aws.String("none"), EventBusName: &p.name, Ids: []string{"queue"}})
			p.refused("removing targets", err, "ResourceNotFoundException")
		}},
		{"a target is an ARN", func(p *probe) {
			p.bus()
			p.rule("all", `{"source":["a"]}`)
			_, err := p.events.PutTargets(p.ctx, &eventbridge.PutTargetsInput{Rule: aws.String("all"), EventBusName: &p.name, Targets: []types.Target{to("orders")}})
			p.refused("putting it", err, "ValidationException")
		}},
		{"a function is a target", func(p *probe) {
			p.bus()
			arn := "arn:aws:lambda:us-east-1:123456789012:function:" + p.name
			p.rule("all", `{"source":["a"]}`, to(arn), types.Target{Id: aws.String("version"), Arn: aws.String(arn + ":live")})
		}},
		{"a FIFO queue is a target with a group", func(p *probe) {
			p.bus()
			url, arn := p.queue(".fifo", map[string]string{"FifoQueue": "true", "ContentBasedDeduplication": "true"})
			p.rule("all", `{"source":["a"]}`)
			target := to(arn)
			in := &eventbridge.PutTargetsInput{Rule: aws.String("all"), EventBusName: &p.name, Targets: []types.Target{target}}
			_, err := p.events.PutTargets(p.ctx, in)
			p.refused("putting it without a group", err, "ValidationException")
			in.Targets[0].SqsParameters = &types.SqsParameters{MessageGroupId: aws.String("g")}
			_, err = p.events.PutTargets(p.ctx, in)
			p.must(err, "putting it with a group")
			p.undo = append(p.undo, p.removeTarget)
			p.put(p.entry("a", "b", `{"n":1}`), p.entry("a", "b", `{"n":1}`)) // two events, not one twice
			got := p.received(url, 2)
			if len(got) != 2 || got[0].group != "g" || got[1].group != "g" {
				p.errorf("received %+v", got)
			}
		}},
	}
}

func (p *probe) removeTarget(ctx context.Context) {
	_, _ = p.events.RemoveTargets(ctx, &eventbridge.RemoveTargetsInput{Rule: aws.String("all"), EventBusName: &p.name, Ids: []string{"queue"}})
}
