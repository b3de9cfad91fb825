package config_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/jmsbridge/jmsbridge/config"
)

// route returns a file with one route: from is what stands in jms beside the broker, rest are further keys of the route.
func route(from, to string, rest ...string) string {
	return "brokers: [{name: mq, url: \"stomp://localhost:61613\"}, {name: other, url: \"stomp://[::1]:61613\"}]\n" +
		"routes:\n- name: r\n  from: {jms: {broker: mq, " + from + "}}\n  to: [{" + to + "}]\n" +
		strings.Join(append(rest, ""), "\n")
}

// round returns a file with a route from SQS to a JMS service, which answers at what stands in jms.
func round(jms string) string {
	return strings.Replace(route("queue: a", "jms: {broker: mq, queue: b}", "  reply: {from: {jms: "+jms+"}, allow: ['https://sqs.eu-west-1.amazonaws.com/1/*']}"),
		"{jms: {broker: mq, queue: a}}", "{sqs: {queue: q}}", 1)
}

func TestRules(t *testing.T) {
	const sqs, fifo = "sqs: {queue: q}", "sqs: {queue: q.fifo}"
	for _, tc := range []struct{ name, text, problem string }{
		{"queue", route("queue: a", sqs), ""},
		{"neither queue nor topic", route("consumers: 1", sqs), "routes[0].from.jms.queue: a queue or a topic is required"},
		{"queue and topic", route("queue: a, topic: b", sqs), "from.jms.topic: there are both"},
		{"wire prefix", route("queue: /queue/a", sqs), "write the bare name"},
		{"wildcard source", route(`queue: "a.>"`, sqs), ""},
		{"durable", route("topic: t, subscription: s", sqs), ""},
		{"subscription of a queue", route("queue: a, subscription: s", sqs), "a durable subscription needs a topic"},
		{"cumulative on a topic", route("topic: t, acknowledge: cumulative", sqs), "is for queues and durable subscriptions"},
		{"cumulative on a subscription", route("topic: t, subscription: s, acknowledge: cumulative", sqs), ""},
		{"several consumers of a topic", route("topic: t, consumers: 2", sqs), "a topic takes one consumer"},
		{"several consumers", route("queue: a, consumers: 4", sqs), ""},
		{"one client id for several", route("queue: a, consumers: 4, client_id: c", sqs), "one client id is for one connection"},
		{"any client id", route(`topic: t, subscription: 's\c.d:e f', client_id: 'a\c.d:e f'`, sqs), ""},
		{"a client id of two lines", route(`queue: a, client_id: "a\nb"`, sqs), "from.jms.client_id: \"a\\nb\" holds a control character"},
		{"a client id with a space behind it", route(`queue: a, client_id: "a "`, sqs), "from.jms.client_id: \"a \" begins or ends with white space"},
		{"a client id of a broker", strings.Replace(route("queue: a", sqs), "name: mq,", `name: mq, client_id: " a",`, 1), "brokers[0].client_id: \" a\" begins"},
		{"a subscription of two lines", route(`topic: t, subscription: "a\nb"`, sqs), "from.jms.subscription: \"a\\nb\" holds"},
		{"second target", route("queue: a", sqs+"}, {"+"file: {path: f}"), ""},
		{"a best-effort target beside", route("queue: a", sqs+"}, {required: false, "+"file: {path: f}"), ""},
		{"best effort alone", route("queue: a", "required: false, "+sqs), "to: no target is required"},
		{"two targets of one name", route("queue: a", "name: x, "+sqs+"}, {name: x, file: {path: f}"), `to[1].name: a second target named "x"`},
		{"a target named dead_letter", route("queue: a", "name: dead_letter, "+sqs), "is no name of a target"},
		{"a target's own retry", route("queue: a", "retry: {min: 2s, max: 1s}, "+sqs), "to[0].retry.min: min (2s) is longer than max (1s)"},
		{"seventeen targets", route("queue: a", sqs+strings.Repeat("}, {"+sqs, 16)), "17 targets are more than 16"},
		{"lambda", route("queue: a", "lambda: {function: f}"), ""},
		{"lambda in batches", route("queue: a", "lambda: {function: f, batch: {messages: 10, window: 1s}}"), ""},
		{"a body alone in batches", route("queue: a", "lambda: {function: f, payload: body, batch: {messages: 10}}"), "payload: body takes one message a call"},
		{"no ARN of a function", route("queue: a", "lambda: {function: 'arn:aws:sqs:eu-west-1:1:f'}"), "is no ARN of a function"},
		{"events in order", route("queue: a", "lambda: {function: f, invocation: event}", "  order: group"), "event invocations keep no order"},
		{"an event too large", route("queue: a", "lambda: {function: f, invocation: event, batch: {bytes: 2MiB}}"), "more than an asynchronous call takes"},
		{"eventbridge", route("queue: a", `eventbridge: {bus: b, source: mq.a, detail_type: "${.type}"}`), ""},
		{"eventbridge needs a source", route("queue: a", `eventbridge: {bus: b, detail_type: x}`), "eventbridge.source: it is required"},
		{"a source of AWS's", route("queue: a", `eventbridge: {bus: b, source: aws.x, detail_type: x}`), "are AWS's own"},
		{"a bus by a template", route("queue: a", `eventbridge: {bus: "${.type}", source: a, detail_type: x}`), "a bus that a template makes needs allow"},
		{"a bus by a template, allowed", route("queue: a", `eventbridge: {bus: "${.type}", source: a, detail_type: x, allow: [x]}`), ""},
		{"allow for a fixed bus", route("queue: a", `eventbridge: {bus: b, source: a, detail_type: x, allow: [x]}`), "allow is for a bus that a template makes"},
		{"a bus in order", route("queue: a", `eventbridge: {bus: b, source: a, detail_type: x}`, "  order: group"), "an event bus keeps no order"},
		{"filter", route("queue: a", sqs, "  filter: {properties: {orderRegion: [EU, US]}}"), ""},
		{"filter of a target", route("queue: a", "filter: {type: [{prefix: o}]}, "+sqs), ""},
		{"filter that is none", route("queue: a", sqs, "  filter: EU"), "filter: expected a pattern, found a string"},
		{"reply from the call", route("queue: a", "lambda: {function: f}", "  reply: {from: call}"), ""},
		{"reply from another word", route("queue: a", "lambda: {function: f}", "  reply: {from: cal}"), "expected sqs, jms or the word call"},
		{"reply from an event", route("queue: a", "lambda: {function: f, invocation: event}", "  reply: {from: call}"), "invocation: event returns no result"},
		{"reply from a batch", route("queue: a", "lambda: {function: f, batch: {messages: 2}}", "  reply: {from: call}"), "can't be the reply to each"},
		{"reply from a call to SQS", route("queue: a", sqs, "  reply: {from: call}"), "only lambda answers in the call"},
		{"reply of several targets", route("queue: a", "lambda: {function: f}}, {"+sqs, "  reply: {from: call}"), "it is not said which one answers"},
		{"reply of a named target", route("queue: a", "name: x, lambda: {function: f}}, {"+sqs, "  reply: {from: call, target: x}"), ""},
		{"reply of an unknown target", route("queue: a", "name: x, lambda: {function: f}}, {"+sqs, "  reply: {from: call, target: y}"), `no target is named "y"`},
		{"reply of a best-effort target", route("queue: a", "name: x, required: false, lambda: {function: f}}, {"+sqs, "  reply: {from: call, target: x}"), "can't be the one that answers"},
		{"reply over SQS", route("queue: a", sqs, "  reply: {from: {sqs: {queue: r}}, key: 01234567890123456789012345678901}"), ""},
		{"reply over SQS without a key", route("queue: a", sqs, "  reply: {from: {sqs: {queue: r}}}"), "answers over SQS need a key"},
		{"a short key", route("queue: a", sqs, "  reply: {from: {sqs: {queue: r}}, key: short}"), "reply.key: the key has 5 bytes, and needs at least 32"},
		{"a short old key", route("queue: a", sqs, "  reply: {from: {sqs: {queue: r}}, key: 01234567890123456789012345678901, old_keys: [x]}"), "old_keys[0]: the key has 1 bytes"},
		{"answers to a payload without token", route("queue: a", "lambda: {function: f, payload: body}", "  reply: {from: {sqs: {queue: p}}, key: 01234567890123456789012345678901}"), "payload: body has no place"},
		{"answers to an event of the mapping", route("queue: a", `lambda: {function: f, payload: "aws:mq"}`, "  reply: {from: {sqs: {queue: p}}, key: 01234567890123456789012345678901}"), "payload: aws:mq has no place"},
		{"answers to a detail without token", route("queue: a", "eventbridge: {bus: b, source: s, detail_type: t, detail: body}", "  reply: {from: {sqs: {queue: p}}, key: 01234567890123456789012345678901}"), "detail: body has no place"},
		{"answers in the request queue", route("queue: a", sqs, "  reply: {from: {sqs: {queue: q}}, key: 01234567890123456789012345678901}"), "would share one queue"},
		{"reply to a pattern", route("queue: a", "lambda: {function: f}", `  reply: {from: call, allow: ["queue:REPLY.*"]}`), ""},
		{"reply to what is no pattern", route("queue: a", "lambda: {function: f}", `  reply: {from: call, allow: ["REPLY.*"]}`), "reply.allow[0]: \"REPLY.*\" is no pattern"},
		{"reply to a broker's wildcard", route("queue: a", "lambda: {function: f}", `  reply: {from: call, allow: ["temp-queue:*", "queue:REPLY.>"]}`), "reply.allow[1]: \"queue:REPLY.>\" matches nothing"},
		{"reply to a composite", route("queue: a", "lambda: {function: f}", `  reply: {from: call, allow: ["queue:a,b"]}`), "matches nothing"},
		{"reply nowhere", route("queue: a", "lambda: {function: f}", `  reply: {from: call, allow: []}`), "no reply may go anywhere"},
		{"once without a store", route("queue: a", "lambda: {function: f}", `  reply: {from: call, once: true}`), "once needs a store"},
		{"reply from nowhere", route("queue: a", "lambda: {function: f}", `  reply: {timeout: 1s}`), "reply.from: it is required"},
		{"answers from JMS to JMS", route("queue: a", "jms: {broker: other, queue: b}", `  reply: {from: {jms: {broker: other}}}`), "are for requests that come from SQS"},
		{"answers of a service by a queue", round("{broker: mq, queue: replies}"), ""},
		{"answers of a service by a temporary queue", round("{broker: mq}"), ""},
		{"answers of a service by two queues", round(`{broker: mq, queue: "a,b"}`), "is not one queue"},
		{"answers of a service at another broker", round("{broker: other}"), "at another broker than it answers at"},
		{"from SQS", strings.Replace(route("queue: a", "jms: {broker: mq, queue: b}"), "{jms: {broker: mq, queue: a}}", "{sqs: {queue: q}}", 1), ""},
		{"from both", strings.Replace(route("queue: a", sqs), "from: {", "from: {sqs: {queue: x}, ", 1), "a route has one source"},
		{"from SQS to itself", strings.Replace(route("queue: a", sqs), "{jms: {broker: mq, queue: a}}", "{sqs: {queue: q}}", 1), "would feed itself"},
		{"from a standard queue in order", strings.Replace(route("queue: a", "jms: {broker: mq, queue: b}", "  order: group"), "{jms: {broker: mq, queue: a}}", "{sqs: {queue: q}}", 1), "from.sqs.queue: order: group needs a FIFO queue"},
		{"two stores", "store: {bolt: {path: f}, dynamodb: {table: t}}\n" + route("queue: a", sqs), "a store is one of bolt and dynamodb"},
		{"no target", strings.Replace(route("queue: a", ""), "[{}]", "[]", 1), `routes[0].to: it is required`},
		{"an empty target", route("queue: a", ""), "a target needs one of sqs, jms, lambda, eventbridge and file"},
		{"two kinds in a target", route("queue: a", sqs+", file: {path: f}"), "one of sqs, jms, lambda, eventbridge and file"},
		{"later target", route("queue: a", "sns: {topic: t}"), "this key is not supported yet; supported here now: name, required, filter"},
		{"strict", route("queue: a", fifo, "  order: strict"), ""},
		{"strict, several consumers", route("queue: a, consumers: 2", fifo, "  order: strict"), "order: strict takes one consumer"},
		{"strict with a group", route("queue: a", fifo, "  order: strict", `  group_id: "${.type}"`), "group_id has no meaning"},
		{"group, several consumers", route("queue: a, consumers: 2", fifo, "  order: group"), ""},
		{"group by property, several consumers", route("queue: a, consumers: 2", fifo, "  order: group", `  group_id: "${.type}"`), "order: group by group_id takes one consumer"},
		{"group by the target's property, several consumers", route("queue: a, consumers: 2", `sqs: {queue: q.fifo, group_id: "${.type}"}`, "  order: group"), "takes one consumer"},
		{"order to a standard queue", route("queue: a", sqs, "  order: group"), "order: group needs a FIFO queue"},
		{"order to a standard queue's ARN", route("queue: a", "sqs: {queue: 'arn:aws:sqs:eu-west-1:1:q'}", "  order: strict"), "order: strict needs a FIFO queue"},
		{"FIFO without order", route("queue: a", fifo), ""},
		{"order to a broker", route("queue: a", "jms: {broker: other, queue: a}", "  order: group"), ""},
		{"bad queue name", route("queue: a", "sqs: {queue: a.b}"), "is no name of a queue"},
		{"long queue name", route("queue: a", "sqs: {queue: "+strings.Repeat("x", 81)+"}"), "is no name of a queue"},
		{"ARN of a topic", route("queue: a", "sqs: {queue: 'arn:aws:sns:eu-west-1:1:q'}"), "is no ARN of a queue"},
		{"ARN without a region", route("queue: a", "sqs: {queue: 'arn:aws:sqs::1:q'}"), "is no ARN of a queue"},
		{"one file for two routes", route("queue: a", "file: {path: ./f}") + "\n- {name: s, from: {jms: {broker: mq, queue: b}}, to: [file: {path: f}]}", `route "r" writes to f too`},
		{"standard output for two routes", route("queue: a", `file: {path: "-"}`) + "\n- {name: s, from: {jms: {broker: mq, queue: b}}, to: [file: {path: '-'}]}", ""},
		{"URL", route("queue: a", "sqs: {queue: 'https://sqs.eu-west-1.amazonaws.com/123/q'}"), ""},
		{"ftp URL", route("queue: a", "sqs: {queue: 'ftp://sqs/123/q'}"), "is no URL of a queue"},
		{"queue by a template", route("queue: a", `sqs: {queue: "${.type}"}`), "is a template, which this key does not take"},
		{"the target is the source", route("queue: a", "jms: {broker: mq, queue: a}"), "would feed itself"},
		{"the same name elsewhere", route("queue: a", "jms: {broker: other, queue: a}"), ""},
		{"the target matches the source", route(`queue: "a.>"`, "jms: {broker: mq, queue: a.b.c}"), "would feed itself"},
		{"the target matches a source of Artemis", route(`queue: "a.#"`, "jms: {broker: mq, queue: a.b.c}"), "would feed itself"},
		{"the dead letter is the target at a broker", route("queue: a", "jms: {broker: mq, queue: b}", "  dead_letter: {jms: {broker: mq, queue: b}}"), "the dead letter is the target itself"},
		{"one group for all", route("queue: a", fifo, "  order: group", "  group_id: fixed"), "is the same for every message"},
		{"the dead letter is the source", route("queue: a", sqs, "  dead_letter: {jms: {broker: mq, queue: a}}"), "the dead letter is the route's own source"},
		{"the dead letter matches a wildcard", route(`queue: "*.a"`, sqs, "  dead_letter: {jms: {broker: mq, queue: DLQ.a}}"), "the route's own source"},
		{"the dead letter is in a composite", route(`queue: "b, a"`, sqs, "  dead_letter: {jms: {broker: mq, queue: a}}"), "the route's own source"},
		{"a wildcard of other depth", route(`queue: "*.a"`, sqs, "  dead_letter: {jms: {broker: mq, queue: x.DLQ.a}}"), ""},
		{"the dead letter is the target", route("queue: a", sqs, "  dead_letter: {sqs: {queue: q}}"), "the dead letter is the target itself"},
		{"the dead letter's broker is unknown", route("queue: a", sqs, "  dead_letter: {jms: {broker: othr, queue: d}}"), `no broker is named "othr"; did you mean "other"?`},
		{"an empty dead letter", route("queue: a", sqs, "  dead_letter: {}"), "a dead letter needs one of sqs and jms"},
		{"another word for a dead letter", route("queue: a", sqs, "  dead_letter: keep"), "expected sqs, jms or the word drop"},
		{"templated destination", route("queue: a", `jms: {broker: other, queue: "${.type}", allow: ["ORDERS.*"]}`), ""},
		{"templated destination without allow", route("queue: a", `jms: {broker: other, queue: "a.${.type}"}`), "needs allow"},
		{"allow without a template", route("queue: a", `jms: {broker: other, queue: b, allow: ["*"]}`), "allow is for a queue or topic that a template makes"},
		{"composite target", route("queue: a", `jms: {broker: other, queue: "b,c"}`), "is not one destination"},
		{"jq comes later, braces first", route("queue: a", fifo, "  group_id: ${type}"), "is not followed by .path"},
		{"min over max", route("queue: a", sqs, "  retry: {min: 10s}"), "min (10s) is longer than max (5s)"},
		{"window over the process", route("queue: a", sqs, "  window: {bytes: 1GiB}"), "1GiB is more than limits.memory (256MiB)"},
		{"less for the process than a window's default", "limits: {memory: 8MiB}\n" + minimal, ""},
		{"line ends of Windows", strings.ReplaceAll(minimal, "\n", "\r\n"), ""},
		{"a mistake between line ends of Windows", strings.ReplaceAll(strings.Replace(minimal, "name: orders", "nam: orders", 1), "\n", "\r\n"), "bridge.yaml:5:5: routes[0].nam: unknown key"},
		{"a byte order mark", "\ufeff" + minimal, ""},
		{"a document's begin", "---\n" + minimal, ""},
		{"a number beyond all bounds", route("queue: a, prefetch: 99999999999999999999", sqs), "from.jms.prefetch: "},
		{"a number beyond an int", route("queue: a, prefetch: 18446744073709551615", sqs), "is not between 0 and 32766"},
		{"a fraction", route("queue: a, prefetch: 1.5", sqs), "expected a whole number, found a number (1.5)"},
		{"a key that is a number", "1: a\n" + minimal, `unknown key "1"`},
		{"attempts out of bounds", route("queue: a", sqs, "  retry: {attempts: 0}"), "0 is not between 1 and 1000"},
		{"duration out of bounds", route("queue: a", sqs, "  drain: 2h"), "2h is not between 100ms and 1h"},
		{"attribute twice", route("queue: a", "sqs: {queue: q, attributes: [a, a]}"), "stands here twice"},
		{"bad name", strings.Replace(route("queue: a", sqs), "name: r", "name: a b", 1), "is no name"},
		{"plaintext abroad", strings.Replace(route("queue: a", sqs), "[::1]", "mq.example.com", 1), "brokers[1].url: mq.example.com would be reached without TLS"},
		{"plaintext in a list", strings.Replace(route("queue: a", sqs), "stomp://localhost:61613", "failover:(stomp+ssl://a:1,stomp://10.0.0.1:2)?randomize=false", 1), "10.0.0.1 would be reached without TLS"},
		{"TLS abroad", strings.Replace(route("queue: a", sqs), "stomp://localhost:61613", "stomp+ssl://mq.example.com:61614", 1), ""},
		{"loopback range", strings.Replace(route("queue: a", sqs), "localhost", "127.9.9.9", 1), ""},
		{"OpenWire comes later", strings.Replace(route("queue: a", sqs), "stomp://localhost", "tcp://localhost", 1), "tcp:// is not supported yet"},
		{"unknown scheme", strings.Replace(route("queue: a", sqs), "stomp://localhost", "http://localhost", 1), `the scheme "http" is not known`},
		{"no scheme", strings.Replace(route("queue: a", sqs), "stomp://localhost", "localhost", 1), "an address has no scheme"},
		{"open failover", strings.Replace(route("queue: a", sqs), "stomp://localhost:61613", "failover:(stomp://localhost:1", 1), "failover:( has no closing )"},
		{"user in a URL", strings.Replace(route("queue: a", sqs), "stomp://localhost", "stomp://me:secret@localhost", 1), "an address holds a user or password"},
		{"certificate without key", "brokers: [{name: mq, url: 'stomp+ssl://h:1', tls: {cert_file: c}}]\n" + route("queue: a", sqs)[strings.Index(route("", ""), "routes"):], "cert_file and key_file belong together"},
		{"no routes", "brokers: []", `routes: it is required`},
		{"an empty file", "", `bridge.yaml:1:1: routes: it is required`},
		{"a file of comments", "# nothing\n", `routes: it is required`},
		{"a list", "- a", "expected keys with values"},
		{"two documents", minimal + "---\na: b\n", "a second YAML document"},
		{"admin without a port", "admin: {listen: localhost}\n" + minimal, `"localhost" is no HOST:PORT`},
		{"admin", "admin: {listen: ':9465'}\n" + minimal, ""},
		{"endpoint without a scheme", "aws: {endpoint_url: 'localhost:4566'}\n" + minimal, "is no http:// or https:// URL"},
		{"role", "aws: {role_arn: me}\n" + minimal, "is no ARN of a role"},
		{"external id without a role", "aws: {external_id: me}\n" + minimal, "external_id is for role_arn"},
		{"anchors and merges", strings.Replace(minimal, "routes:\n  - name: orders", "routes:\n  - &first\n    name: orders", 1) +
			"  - <<: *first\n    name: again\n", ""},
		{"an alias without an anchor", strings.Replace(minimal, "broker: mq", "broker: *mq", 1), "has no anchor"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got := problems(t, tc.text)
			if tc.problem == "" {
				if len(got) != 0 {
					t.Errorf("refused: %s", strings.Join(got, "\n"))
				}
				return
			}
			if len(got) != 1 || !strings.Contains(got[0], tc.problem) {
				t.Errorf("problems =\n%s\nwant one with\n%s", strings.Join(got, "\n"), tc.problem)
			}
		})
	}
}

func TestTwoAlikeClientIDsAreRefused(t *testing.T) {
	two := func(first, second string) string {
		return fmt.Sprintf(`brokers: [{name: mq, url: "stomp://localhost:61613", client_id: shared}]
routes:
- {name: a, from: {jms: {broker: mq, topic: t, subscription: s%s}}, to: [file: {path: f}]}
- {name: b, from: {jms: {broker: mq, topic: t, subscription: s%s}}, to: [file: {path: g}]}
`, first, second)
	}
	if got := problems(t, two("", "")); len(got) != 1 || !strings.Contains(got[0], `both connect to broker "mq" as client "shared"`) {
		t.Errorf("problems = %q", got)
	}
	if got := problems(t, two("", ", client_id: own")); len(got) != 0 {
		t.Errorf("problems = %q", got)
	}
	if got := problems(t, strings.Replace(two("", ""), ", client_id: shared", "", 1)); len(got) != 0 {
		t.Errorf("the default client ids clash: %q", got)
	}
	if got := problems(t, strings.Replace(two("", ""), "{name: b,", "{name: b, enabled: false,", 1)); len(got) != 0 {
		t.Errorf("a route that does not run is in the way of another: %q", got)
	}
}

func TestParseErrorsSayWhatToQuote(t *testing.T) {
	for _, tc := range []struct{ text, want string }{
		{"a: {password: ${env:X}}", "bridge.yaml:1:16: this is no YAML"},
		{"a: {password: ${env:X}}", `in braces and brackets, quote what holds ${…}`},
		{"selector: 'a' = 'b'\n", `put the whole selector in double quotes`},
		{"a: {selector: x IN ('a', 'b')}", `put the whole selector in double quotes`},
		{"a:\n\tb: c", "indent with spaces"},
		{"url: @mq", "quote the URL"},
		{"a: \"x", "quote values"},
	} {
		got := problems(t, tc.text)
		if len(got) != 1 || !strings.Contains(got[0], tc.want) {
			t.Errorf("%s:\n%v\nwant %s", tc.text, got, tc.want)
		}
	}
	// What YAML reads otherwise than it was meant, without being wrong.
	got := problems(t, strings.Replace(minimal, "queue: orders}", `queue: orders, url: failover:(stomp://a,stomp://b)}`, 1))
	if len(got) == 0 || !strings.Contains(strings.Join(got, "\n"), "may need quotes") {
		t.Errorf("problems = %q", got)
	}
}

func TestJudgesOfTheCallerAreAsked(t *testing.T) {
	refuse := func(s string) error { return errors.New("not " + s) }
	text := strings.Replace(minimal, "queue: orders}\n    to", "queue: orders}\n    group_id: x${.type}\n    to", 1)
	got := problems(t, text, config.WithTemplateCheck(refuse), config.WithURLCheck(refuse))
	want := []string{
		"bridge.yaml:3:10: brokers[0].url: not stomp://localhost:61613",
		"bridge.yaml:8:15: routes[0].group_id: not x${.type}",
	}
	for i, line := range want {
		if i >= len(got) || !strings.HasPrefix(got[i], line) {
			t.Errorf("problems = %q, want %q", got, want)
		}
	}
}

func TestAllowedNames(t *testing.T) {
	target := config.JMSTarget{Allow: []string{"ORDERS.*", "exact", "*.a.*.z"}}
	for name, want := range map[string]bool{
		"ORDERS.EU": true, "ORDERS.": true, "ORDERS": false, "XORDERS.EU": false, "exact": true, "exactly": false,
		"q.a.b.z": true, "q.a.z": false, ".a..z": true, "": false,
	} {
		if got := target.Allows(name); got != want {
			t.Errorf("Allows(%q) = %v", name, got)
		}
	}
}

func TestSizes(t *testing.T) {
	for text, want := range map[string]config.Size{
		"0B": 0, "1B": 1, "64KiB": 64 << 10, "64 MiB": 64 << 20, "1GiB": 1 << 30, "1kB": 1000, "3MB": 3e6, "2TiB": 2 << 40,
	} {
		got, err := config.ParseSize(text)
		if err != nil || got != want {
			t.Errorf("ParseSize(%q) = %d, %v, want %d", text, got, err, want)
		}
		back, err := config.ParseSize(got.String())
		if err != nil || back != got {
			t.Errorf("%q prints as %q", text, got.String())
		}
	}
	for _, text := range []string{"", "0", "64", "B", "-1B", "1.5MiB", "64mib", "64M", "9999999999GiB", "1e3B", "+1B "} {
		if got, err := config.ParseSize(text); err == nil {
			t.Errorf("ParseSize(%q) = %d", text, got)
		}
	}
}

func TestDurationsSizesAndWordsMayBeReferences(t *testing.T) {
	env := map[string]string{"D": "7s", "S": "2MiB", "O": "group", "BAD": "7"}
	lookup := config.WithEnv(func(name string) (string, bool) { v, ok := env[name]; return v, ok })
	c := parse(t, "limits: {memory: \"${env:S}\"}\n"+minimal+"    drain: ${env:D}\n    expired: dr${env:P}op\n", lookup, config.WithEnv(func(name string) (string, bool) {
		return env[name], true
	}))
	if r := c.Routes[0]; c.Limits.Memory != 2*config.MiB || r.Drain != 7*time.Second || r.Expired != config.ExpiredDrop {
		t.Errorf("%+v %+v", c.Limits, r)
	}
	got := problems(t, minimal+"    drain: ${env:BAD}\n    order: ${env:D}\n", lookup)
	want := []string{`routes[0].drain: "7" is not a duration`, `routes[0].order: "7s" is none of none, group, strict`}
	for i, text := range want {
		if i >= len(got) || !strings.Contains(got[i], text) {
			t.Errorf("problems = %q, want %q", got, want)
		}
	}
}

// FuzzParse looks for files that panic or give a problem without a place or a text.
func FuzzParse(f *testing.F) {
	f.Add(minimal)
	f.Add(route("queue: a", "sqs: {queue: q}"))
	f.Add("routes: &a [*a]")
	f.Add("a: &x {<<: *x}")
	f.Add("brokers: [{name: !!str 7, url: |\n  x\n}]")
	f.Add("? a\n: b")
	f.Fuzz(func(t *testing.T, text string) {
		c, err := config.Parse("f", []byte(text), config.WithEnv(noEnv))
		if err == nil {
			if c == nil || len(c.Routes) == 0 {
				t.Error("a configuration without routes passes")
			}
			return
		}
		var e *config.Error
		if !errors.As(err, &e) {
			t.Fatalf("%T: %v", err, err)
		}
		for _, p := range e.Problems {
			if p.Text == "" || p.File != "f" {
				t.Errorf("problem = %+v", p)
			}
		}
	})
}
