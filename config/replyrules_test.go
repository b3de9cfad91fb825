package config_test

import (
	"strings"
	"testing"
)

// TestRulesOfReplies has what only one of the two directions asks for.
func TestRulesOfReplies(t *testing.T) {
	const key = "01234567890123456789012345678901"
	overSQS := func(to, more string) string {
		return route("queue: a", to, "  reply: {from: {sqs: {queue: r}}, key: "+key+more+"}")
	}
	// round is the way round: an SQS requester and a JMS service.
	round := func(reply string) string {
		text := route("queue: a", "jms: {broker: mq, queue: lookups}", "  reply: {"+reply+"}")
		return strings.Replace(text, "{jms: {broker: mq, queue: a}}", "{sqs: {queue: q}}", 1)
	}
	const fromJMS, allow = "from: {jms: {broker: mq, queue: answers}}", ", allow: ['https://sqs.eu-west-1.amazonaws.com/1/*']"
	for _, tc := range []struct{ name, text, problem string }{
		{"a key one byte too short", route("queue: a", "sqs: {queue: q}", "  reply: {from: {sqs: {queue: r}}, key: "+key[1:]+"}"), "the key has 31 bytes, and needs at least 32"},
		{"a dead letter that is the reply queue", overSQS("sqs: {queue: q}", ", dead_letter: {sqs: {queue: r}}"), "the dead letter is the reply queue itself"},
		{"a dead letter of its own", overSQS("sqs: {queue: q}", ", dead_letter: {sqs: {queue: d}}"), ""},
		{"a responder asked over a broker", overSQS("jms: {broker: other, queue: b}", ""), "is asked through sqs, eventbridge or lambda"},
		{"the way round", round(fromJMS + allow), ""},
		{"the way round, from a call", round("from: call"), "requests that come from SQS are answered by a JMS service"},
		{"the way round, at another broker", round(strings.Replace(fromJMS, "mq", "other", 1) + allow), "the service is asked at another broker than it answers at"},
		{"the way round, to any of two queues", round(strings.Replace(fromJMS, "answers", `"a,b"`, 1) + allow), `"a,b" is not one queue`},
		{"the way round, two stars", round(fromJMS + strings.Replace(allow, "/1/", "/*/", 1)), "is no URL of a queue"},
		{"the way round, no URL", round(fromJMS + ", allow: [answers]"), "is no URL of a queue"},
		{"the way round, once", "store: {bolt: {path: f}}\n" + round(fromJMS+allow+", once: true"), "once is for requests that come from JMS"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got := problems(t, tc.text)
			if tc.problem == "" && len(got) > 0 || tc.problem != "" && (len(got) != 1 || !strings.Contains(got[0], tc.problem)) {
				t.Errorf("problems =\n%s\nwant one with\n%s", strings.Join(got, "\n"), tc.problem)
			}
		})
	}
}
