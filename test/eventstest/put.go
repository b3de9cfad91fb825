package eventstest

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge/types"
)

const everything = `{"source":[{"prefix":""}]}`

// putOne puts one event through a bus with a queue and returns it as the queue has it.
func (p *probe) putOne(e types.PutEventsRequestEntry) event {
	url := p.route(everything)
	out := p.put(e)
	p.equal("refused", codes(out), []string{""})
	got := p.received(url, 1)
	if len(got) != 1 {
		p.must(fmt.Errorf("%d came", len(got)), "receiving one event")
	}
	if id := aws.ToString(out.Entries[0].EventId); got[0].ID != id {
		p.errorf("the event has id %s, and the answer says %s", got[0].ID, id)
	}
	return got[0]
}

func putChecks() []check {
	return []check{
		{"an event has the documented form", func(p *probe) {
			e := p.entry("my.source", "my type", `{"a":1,"b":{"c":["d",true,null]}}`)
			e.Resources, e.Time = []string{"arn:aws:x:::y", "z"}, aws.Time(time.Date(2023, 11, 14, 22, 13, 20, 0, time.UTC))
			got := p.putOne(e)
			p.equal("event", []any{got.Version, got.Source, got.DetailType, got.Time, got.Resources, got.Region}, []any{
				"0", "my.source", "my type", "2023-11-14T22:13:20Z", []string{"arn:aws:x:::y", "z"}, "us-east-1",
			})
			p.sameJSON("detail", string(got.Detail), *e.Detail)
		}},
		{"an event names the account", func(p *probe) {
			if got := p.putOne(p.entry("a", "b", `{}`)); len(got.Account) != 12 {
				p.errorf("the account is %q", got.Account)
			}
		}},
		{"an event without resources has an empty list", func(p *probe) {
			got := p.putOne(p.entry("a", "b", `{}`))
			p.equal("resources", got.Resources, []string{})
		}},
		{"an event without a time has that of the call", func(p *probe) {
			got := p.putOne(p.entry("a", "b", `{}`))
			at, err := time.Parse("2006-01-02T15:04:05Z", got.Time)
			if off := time.Since(at).Abs(); err != nil || off > time.Hour {
				p.errorf("the time is %q", got.Time)
			}
		}},
		{"the fraction of a time is cut off", func(p *probe) {
			e := p.entry("a", "b", `{}`)
			e.Time = aws.Time(time.UnixMilli(1700000000999))
			p.equal("time", p.putOne(e).Time, "2023-11-14T22:13:20Z")
		}},
		{"any characters survive in a source and a detail-type", func(p *probe) {
			const source, detailType = "a <b> \"c\" é \\", "d 😀 & \"e\""
			got := p.putOne(p.entry(source, detailType, `{}`))
			p.equal("source and detail-type", []string{got.Source, got.DetailType}, []string{source, detailType})
		}},
		{"any characters survive in a detail", func(p *probe) {
			const text = "quote \" backslash \\ <b>&amp; \u2028 é 😀 tab \t nul \x00 del \x7f"
			detail, err := json.Marshal(map[string]string{text: text})
			p.must(err, "encoding")
			got := p.putOne(p.entry("a", "b", string(detail)))
			p.sameJSON("detail", string(got.Detail), string(detail))
		}},
		{"white space around the detail is taken", func(p *probe) {
			p.sameJSON("detail", string(p.putOne(p.entry("a", "b", " \r\n\t{ \"a\" : 1 }\n")).Detail), `{"a":1}`)
		}},
		{"a bus is named by its ARN", func(p *probe) {
			p.bus()
			out, err := p.describe(&p.name)
			p.must(err, "describing")
			url, arn := p.queue("", nil)
			p.rule("all", everything, to(arn))
			e := p.entry("a", "b", `{}`)
			e.EventBusName = out.Arn
			p.put(e)
			p.equal("received", sources(p.received(url, 1)), []string{"a"})
		}},
		{"ten events go in one call, each with its id", func(p *probe) {
			url := p.route(everything)
			var entries []types.PutEventsRequestEntry
			want := make([]string, 10)
			for i := range 10 {
				want[i] = fmt.Sprint("source-", i)
				entries = append(entries, p.entry(want[i], "b", `{}`))
			}
			out := p.put(entries...)
			ids := map[string]string{}
			for i, e := range out.Entries {
				ids[aws.ToString(e.EventId)] = want[i]
			}
			got := p.received(url, 10)
			p.equal("received", sources(got), want)
			for _, e := range got {
				if ids[e.ID] != e.Source {
					p.errorf("the event %s of %s has the id of %q", e.ID, e.Source, ids[e.ID])
				}
			}
		}},
		{"the same event twice is two events", func(p *probe) {
			url := p.route(everything)
			p.put(p.entry("a", "b", `{}`), p.entry("a", "b", `{}`))
			p.equal("received", sources(p.received(url, 2)), []string{"a", "a"})
		}},
		{"an event may have almost 1 MB", func(p *probe) {
			detail := `{"x":"` + strings.Repeat("x", 1<<20-2000) + `"}`
			if got := p.putOne(p.entry("a", "b", detail)); len(got.Detail) < len(detail) {
				p.errorf("%d bytes came", len(got.Detail))
			}
		}},
	}
}

// sameJSON compares what two texts say.
func (p *probe) sameJSON(what, got, want string) {
	var g, w any
	p.must(json.Unmarshal([]byte(got), &g), "reading "+what)
	p.must(json.Unmarshal([]byte(want), &w), "reading "+what)
	p.equal(what, g, w)
}

// failing puts one event and wants this code for it.
func failing(want, source, detailType, detail string) func(*probe) {
	return func(p *probe) {
		p.bus()
		out := p.put(p.entry(source, detailType, detail))
		p.equal("codes", codes(out), []string{want})
		p.equal("failed", out.FailedEntryCount, int32(1))
	}
}

func refusalChecks() []check {
	return []check{
		{"an event needs a source", failing("InvalidArgument", "", "b", `{}`)},
		{"an event needs a detail-type", failing("InvalidArgument", "a", "", `{}`)},
		{"an event needs a detail", failing("InvalidArgument", "a", "b", "")},
		{"a detail is JSON", failing("MalformedDetail", "a", "b", `{"a":01}`)},
		{"a detail is no list", failing("MalformedDetail", "a", "b", `[{}]`)},
		{"a detail is no string", failing("MalformedDetail", "a", "b", `"{}"`)},
		{"a detail is no number", failing("MalformedDetail", "a", "b", `1`)},
		{"NaN is no JSON", failing("MalformedDetail", "a", "b", `{"a":NaN}`)},
		{"the sources of AWS are AWS's", failing("NotAuthorizedForSourceException", "aws.mq", "b", `{}`)},
		{"events fail alone, and each by its place", func(p *probe) {
			url := p.route(everything)
			out := p.put(p.entry("", "b", `{}`), p.entry("one", "b", `{}`), p.entry("x", "b", `nonsense`), p.entry("two", "b", `{}`), p.entry("y", "", `{}`))
			p.equal("codes", codes(out), []string{"InvalidArgument", "", "MalformedDetail", "", "InvalidArgument"})
			p.equal("failed", out.FailedEntryCount, int32(3))
			p.equal("received", sources(p.received(url, 2)), []string{"one", "two"})
		}},
		{"eleven events are refused", func(p *probe) {
			p.bus()
			entries := make([]types.PutEventsRequestEntry, 11)
			for i := range entries {
				entries[i] = p.entry("a", "b", `{}`)
			}
			_, err := p.tryPut(entries...)
			p.refused("putting them", err, "ValidationException")
		}},
		{"no events are refused", func(p *probe) {
			_, err := p.tryPut([]types.PutEventsRequestEntry{}...)
			if err == nil {
				p.errorf("accepted")
			}
		}},
		{"more than 1 MB is refused", func(p *probe) {
			p.bus()
			detail := `{"x":"` + strings.Repeat("x", 1<<20) + `"}`
			_, err := p.tryPut(p.entry("a", "b", detail))
			p.refused("putting it", err, "ValidationException")
		}},
		{"more than 1 MB together is refused", func(p *probe) {
			p.bus()
			detail := `{"x":"` + strings.Repeat("x", 1<<19) + `"}`
			_, err := p.tryPut(p.entry("a", "b", detail), p.entry("a", "b", detail))
			p.refused("putting them", err, "ValidationException")
		}},
		{"an event for a bus that does not exist is taken and lost", func(p *probe) {
			p.equal("codes", codes(p.put(p.entry("a", "b", `{}`))), []string{""})
		}},
		{"the name of a bus has rules", func(p *probe) {
			e := p.entry("a", "b", `{}`)
			e.EventBusName = aws.String("no bus")
			_, err := p.tryPut(e)
			p.refused("putting it", err, "ValidationException")
		}},
	}
}
