package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// writeRoutes writes a configuration and cases, and returns their paths. The working directory is theirs.
func writeRoutes(t *testing.T, routes, cases string) {
	t.Helper()
	t.Chdir(t.TempDir())
	for name, text := range map[string]string{"bridge.yaml": routes, "cases.yaml": cases} {
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// diffSpace is the space that go-cmp chooses at random in each program.
var diffSpace = regexp.MustCompile(`[ \t]+`)

func TestExamplesOfThePageAboutTestingRoutes(t *testing.T) {
	page, err := os.ReadFile("../../docs/testing-routes.md")
	if err != nil {
		t.Fatal(err)
	}
	var routes, cases string
	code, runs := exitDone, 0
	for _, block := range regexp.MustCompile("(?ms)^```([a-z ]+)\n(.*?)^```$").FindAllStringSubmatch(string(page), -1) {
		switch tag, text := block[1], block[2]; tag {
		case "yaml routes":
			routes = text
		case "yaml cases":
			cases, code = text, exitDone
		case "yaml cases fails":
			cases, code = text, exitFailed
		case "text output":
			runs++
			writeRoutes(t, routes, cases)
			got, out, errs := command(t, "test", "-c", "bridge.yaml", "cases.yaml")
			if got != code || errs != "" {
				t.Errorf("exit code %d, want %d; %s", got, code, errs)
			}
			if diff := cmp.Diff(diffSpace.ReplaceAllString(text, " "), diffSpace.ReplaceAllString(out, " ")); diff != "" {
				t.Errorf("(-page +printed):\n%s", diff)
			}
		}
	}
	if runs != 2 {
		t.Errorf("%d outputs were compared", runs)
	}
	if files, _ := filepath.Glob("*"); len(files) != 2 {
		t.Errorf("the test left %v", files)
	}
}

const everyTarget = `
brokers: [{name: mq, url: "stomp://127.0.0.1:1", arn: "arn:aws:mq:eu-west-1:123456789012:broker:b:1"}]
aws: {region: eu-west-1}
store: {bolt: {path: outcomes.db}}
routes:
  - name: all
    from:
      jms: {broker: mq, queue: in}
    to:
      - sqs: {queue: orders.fifo, attributes: [n, d, big]}
      - sqs: {queue: plain, body: envelope}
      - lambda: {function: f, invocation: event}
      - lambda: {function: g, invocation: event, payload: aws:mq}
      - eventbridge: {bus: b, source: s, detail_type: "${.type}", detail: body, resources: ["${.properties.region}"]}
      - jms: {broker: mq, queue: "out.${.properties.region}", allow: [out.EU]}
      - file: {path: none}
        required: false
        transform: 'if .properties.region == "none" then error("no region") else . end'
      - {name: big, file: {path: none2}, filter: {properties: {n: [{numeric: [">", 5]}]}}}
    group_id: "${.properties.account}"
    order: none
  - name: ordered
    enabled: false
    from:
      jms: {broker: mq, queue: in}
    to:
      - sqs: {queue: orders.fifo}
    order: group
    group_id: "${.properties.account}"
  - name: asked
    from:
      jms: {broker: mq, queue: asked}
    to:
      - sqs: {queue: requests, body: envelope}
    reply:
      from:
        sqs: {queue: answers}
      key: "${env:REPLY_KEY}"
      allow: ["queue:REPLY.*"]
  - name: once
    from:
      jms: {broker: mq, queue: once}
    to:
      - lambda: {function: f, invocation: request_response}
    reply: {from: call, once: true}
  - name: service
    from:
      sqs: {queue: lookups}
    to:
      - jms: {broker: mq, queue: lookups}
    reply:
      from:
        jms: {broker: mq, queue: bridge.replies}
      allow: ["https://sqs.eu-west-1.amazonaws.com/1/*"]
`

func TestEachTargetShowsWhatItWouldSend(t *testing.T) {
	t.Setenv("REPLY_KEY", strings.Repeat("k", 32))
	writeRoutes(t, everyTarget, `
cases:
  - name: every target
    route: all
    message: &m
      message_id: ID:1
      type: order
      timestamp: 2026-11-22T09:54:36.729Z
      properties: {region: EU, account: A, n: 5, d: 2.0, big: 9007199254740993}
      property_types: {big: long}
      body: '{"id": 17, "lines": [1, 2]}'
    expect:
      - target: sqs
        sent:
          body: {id: 17, lines: [1, 2]}
          attributes: {MessageID: "ID:1", JMSType: order, n: 5, d: 2.0, big: 9007199254740993, gone: null}
          attribute_types: {n: Number.int, d: Number.double, big: Number.long}
      - {target: sqs-2, sent: {body: {properties: {region: EU}, body: '{"id": 17, "lines": [1, 2]}'}, group_id: null, deduplication: null}}
      - {target: lambda, sent: {payload: {message_id: "ID:1", body: {id: 17.0}}}}
      - target: lambda-2
        sent: {payload: {eventSource: aws:mq, messages: [{messageID: "ID:1", data: eyJpZCI6IDE3LCAibGluZXMiOiBbMSwgMl19, brokerOutTime: 1795341276729}]}}
      - {target: eventbridge, sent: {bus: b, source: s, detail_type: order, resources: [EU], time: "2026-11-22T09:54:36.729Z", detail: {id: 17}}}
      - {target: jms, sent: {destination: queue:out.EU, headers: {type: order, region: EU, destination: null, receipt: null}, body: {id: 17}}}
      - {target: file, sent: {line: {properties: {n: 5}}}}
      - {target: big, filtered: true}
  - name: targets that fail do so alone
    route: all
    message: {<<: *m, type: null, properties: {region: none}, property_types: null}
    expect:
      - {target: sqs, sent: {}}
      - {target: eventbridge, failed: the message has no .type}
      - {target: jms, failed: '"out.none" is not allowed'}
      - {target: file, failed: no region}
      - {target: big, filtered: true}
  - name: what is too large fails
    route: all
    message: {type: t, properties: {region: EU, n: 6}, body: "`+strings.Repeat("x", 2<<20)+`"}
    expect:
      - {target: sqs, failed: TooLarge}
      - {target: lambda, failed: TooLarge}
      - {target: big, sent: {}}
  - name: the group is that of the template
    route: ordered
    message: {message_id: "ID:1", properties: {account: A}}
    expect:
      - {sent: {group_id: A, deduplication: 41614c42e5ebaa0c0f0da22446e8fb4995be751d9853f65b8d0ee92337065bbc}}
  - name: a message of no group is one of its own
    route: ordered
    message: {message_id: "ID:1"}
    expect:
      - {sent: {group_id: "ID:1"}}
  - name: a request that is answered over a queue carries a token
    route: asked
    message: {expiration: 2001-01-01T00:00:00.000Z, reply_to: "queue:REPLY.a", correlation_id: c}
    reply: allowed
    expect:
      - sent:
          body: {reply: {correlation_id: (sealed), queue_url: (url of answers), deadline: "2001-01-01T00:00:00.000Z"}, reply_to: null, correlation_id: null}
          attributes: {CorrelationID: (sealed), ReplyTo: (url of answers)}
  - name: one whose answer may not go there is refused
    route: asked
    message: {reply_to: "queue:OTHER"}
    reply: refused
    failed: no pattern of reply.allow matches
  - name: one that wants no answer is passed on
    route: asked
    message: {correlation_id: c}
    reply: none
    expect: [{sent: {attributes: {CorrelationID: null}, body: {correlation_id: c, reply: null}}}]
  - name: no store is opened
    route: once
    message: {reply_to: "temp-queue:x", body: hi}
    reply: allowed
    expect: [{sent: {payload: {body: hi}}}]
  - name: a service gets our correlation id
    route: service
    message: {correlation_id: theirs, properties: {ReplyTo: "https://sqs.eu-west-1.amazonaws.com/1/q"}, body: hi}
    reply: allowed
    expect: [{sent: {destination: queue:lookups, headers: {correlation-id: (ours), reply-to: /queue/bridge.replies}, body: hi}}]
  - name: a requester elsewhere is not answered
    route: service
    message: {properties: {ReplyTo: "https://example.com"}}
    reply: refused
`)
	code, out, errs := command(t, "test", "cases.yaml")
	if code != exitDone || errs != "" || !strings.HasSuffix(out, "11 cases: 11 passed, 0 failed\n") {
		t.Errorf("exit code %d\n%s%s", code, out, errs)
	}
	if files, _ := filepath.Glob("*"); len(files) != 2 {
		t.Errorf("the test left %v", files)
	}
}

func TestCasesThatFailSayWhatHappened(t *testing.T) {
	t.Setenv("REPLY_KEY", strings.Repeat("k", 32))
	for _, tc := range []struct{ expect, want string }{
		{"expect: [{target: sqs, sent: {body: hello}}]", `{ - "body": "hello" + "body": "hi" }`},
		{"expect: [{target: sqs, sent: {attributes: {n: 6}}}]", `"attributes": { - "n": 6 + "n": 5 }`},
		{"expect: [{target: sqs, sent: {attributes: {region: null}}}]", `- "region": null + "region": "EU"`},
		{"expect: [{target: sqs, sent: {attributes: {gone: x}}}]", `- "attributes": { - "gone": "x" - }`},
		{"expect: [{target: sqs, filtered: true}]", "target sqs: expected that the message is filtered; it is sent"},
		{"expect: [{target: sqs, failed: no}]", `target sqs: expected that it fails with "no"; it is sent`},
		{"expect: [{target: big, sent: {}}]", "target big: expected that it is sent; it is filtered"},
		{"expect: [{target: eventbridge, filtered: true}]", "target eventbridge: expected that the message is filtered; it fails: MissingField"},
		{"filtered: true", "expected that the route filters the message; it passes"},
		{"failed: jq", `expected that the route fails with "jq"; it passes`},
		{"reply: allowed", "reply: expected allowed, got none"},
	} {
		writeRoutes(t, everyTarget, "cases:\n  - name: n\n    route: all\n    message: {properties: {region: EU, n: 5}, body: hi}\n    "+tc.expect+"\n")
		code, out, errs := command(t, "test", "cases.yaml")
		flat := diffSpace.ReplaceAllString(strings.ReplaceAll(out, "\n", " "), " ")
		if code != exitFailed || errs != "" || !strings.Contains(flat, tc.want) || !strings.Contains(out, "FAIL  n (cases.yaml:2, route all)\n") {
			t.Errorf("%s: exit code %d\n%s%s", tc.expect, code, out, errs)
		}
	}
}

func TestCasesWithoutExpectationsAreShown(t *testing.T) {
	t.Setenv("REPLY_KEY", strings.Repeat("k", 32))
	writeRoutes(t, everyTarget, `cases:
  - {name: a, route: all, message: {properties: {region: EU, n: 5}, body: <hi>}}
  - {name: b, route: asked, message: {reply_to: "queue:x"}}
`)
	code, out, errs := command(t, "test", "cases.yaml")
	if code != exitDone || errs != "" {
		t.Errorf("exit code %d, %s", code, errs)
	}
	for _, want := range []string{
		"SHOW  a (route all)\n", `"body": "<hi>"`, "target eventbridge fails: MissingField", "target big filters it", "the route fails: ReplyDestination",
		"reply: refused", "2 cases: 0 passed, 0 failed, 2 shown\n",
	} {
		if !strings.Contains(out, want) {
			t.Errorf("it lacks %q:\n%s", want, out)
		}
	}
}

func TestTestAsJSONAndChosenCases(t *testing.T) {
	t.Setenv("REPLY_KEY", strings.Repeat("k", 32))
	writeRoutes(t, everyTarget, `cases:
  - {name: first, route: ordered, message: {}, expect: [{sent: {}}]}
  - {name: second, route: ordered, message: {}, filtered: true}
  - {name: third, route: asked, message: {}}
`)
	for _, tc := range []struct {
		args                        []string
		code, passed, failed, shown int
	}{
		{nil, exitFailed, 1, 1, 1},
		{[]string{"--run", "^fir"}, exitDone, 1, 0, 0},
		{[]string{"--route", "asked"}, exitDone, 0, 0, 1},
		{[]string{"--route", "ordered", "--run", "con"}, exitFailed, 0, 1, 0},
	} {
		code, out, errs := command(t, append([]string{"test", "cases.yaml", "--json"}, tc.args...)...)
		var r testResult
		if err := json.Unmarshal([]byte(out), &r); err != nil || code != tc.code || errs != "" {
			t.Fatalf("%v: exit code %d, %v\n%s%s", tc.args, code, err, out, errs)
		}
		if r.Passed != tc.passed || r.Failed != tc.failed || r.Shown != tc.shown || len(r.Cases) != tc.passed+tc.failed+tc.shown {
			t.Errorf("%v: %+v", tc.args, r)
		}
	}
	for _, tc := range []struct{ args, errs string }{
		{"--run (", "--run"},
		{"--run nothing", "no case is chosen"},
		{"--route ordred", `there is no route "ordred"`},
		{"-c none.yaml", "none.yaml"},
		{"more.yaml", "name one file of cases, not 2"},
	} {
		code, _, errs := command(t, append([]string{"test", "cases.yaml"}, strings.Fields(tc.args)...)...)
		if code != exitUsage || !strings.Contains(errs, tc.errs) {
			t.Errorf("%s: exit code %d, %s", tc.args, code, errs)
		}
	}
	if code, out, _ := command(t, "__complete", "test", "--route", ""); code != exitDone || !strings.HasPrefix(out, "all\nordered\nasked\nonce\nservice\n") {
		t.Errorf("exit code %d, %s", code, out)
	}
}

func TestMistakesInCasesAreNamedWithTheirPlace(t *testing.T) {
	t.Setenv("REPLY_KEY", strings.Repeat("k", 32))
	const head = "cases:\n  - name: n\n    route: all\n    message: {body: x}\n"
	for _, tc := range []struct{ cases, want string }{
		{"", "cases.yaml:1:1: the file is empty"},
		{"case: []\n", `cases.yaml:1:1: case: unknown key "case"; did you mean "cases"?`},
		{"cases: []\n", "cases: there are no cases"},
		{"cases: {}\n", "cases: expected a list, found a block of keys"},
		{"cases:\n  - name: n\n    rout: all\n    message: {}\n", `cases.yaml:3:5: cases[0].rout: unknown key "rout"; did you mean "route"?`},
		{"cases:\n  - name: n\n    message: {}\n", "cases[0].route: this key is missing"},
		{"cases:\n  - {name: n, route: oredred, message: {}}\n", `cases.yaml:2:22: cases[0].route: there is no route "oredred"; did you mean "ordered"?`},
		{head + "  - {name: n, route: all, message: {}}\n", `cases.yaml:5:12: cases[1].name: another case is called "n"; it is in line 2`},
		{head + "    name: m\n", "cases.yaml:5:5: cases[0].name: this key stands here twice; the first is in line 2"},
		{head + "    expect:\n      - {target: sns, sent: {}}\n", `cases.yaml:6:18: cases[0].expect[0].target: route all has no target "sns"; did you mean "sqs"?`},
		{head + "    expect:\n      - {sent: {}}\n", "cases[0].expect[0].target: this key is missing; targets: sqs, sqs-2, lambda"},
		{head + "    expect:\n      - {target: sqs, snet: {}}\n", `cases[0].expect[0].snet: unknown key "snet"; did you mean "sent"?`},
		{head + "    expect:\n      - {target: sqs}\n", "cases[0].expect[0]: expected one of sent, filtered and failed"},
		{head + "    expect:\n      - {target: sqs, filtered: false}\n", "cases[0].expect[0].filtered: expected true"},
		{head + "    expect:\n      - {target: sqs, sent: x}\n", "cases[0].expect[0].sent: expected keys with values, found a text"},
		{head + "    expect:\n      - {target: sqs, sent: {}}\n      - {target: sqs, sent: {}}\n", `cases[0].expect[1]: of target "sqs" something is expected already`},
		{head + "    expect: []\n", "cases[0].expect: nothing is expected"},
		{head + "    filtered: true\n    failed: x\n", "cases.yaml:6:5: cases[0].failed: filtered and failed exclude each other"},
		{head + "    reply: yes\n", `cases[0].reply: "yes" is none of allowed, refused, none`},
		{"cases:\n  - {name: n, route: all, message: {propertys: {}}}\n", `cases.yaml:2:37: cases[0].message.propertys: unknown key "propertys"; did you mean "properties"?`},
		{"cases:\n  - {name: n, route: all, message: {priority: high}}\n", "cases.yaml:2:47: cases[0].message.priority: "},
		{"cases:\n  - {name: n, route: all, message: {properties: {a: 1}, property_types: {b: long}}}\n", "cases[0].message"},
		{"cases:\n  - {name: n, route: all, message: *gone}\n", "cases[0].message: expected keys with values, found an alias without an anchor"},
		{"cases: [\n", "this is no YAML"},
		{"cases: []\n---\ncases: []\n", "a second YAML document begins here"},
		{"cases:\n  - &a {<<: *a, name: n, route: all, message: {}}\n", "nested too deep"},
		{"cases:\n  - {name: n, route: all, message: {body: &b [*b]}}\n", "nested too deep"},
	} {
		writeRoutes(t, everyTarget, tc.cases)
		code, out, errs := command(t, "test", "cases.yaml")
		if code != exitUsage || errs != "" || !strings.Contains(out, tc.want) {
			t.Errorf("%s: exit code %d, want %q in\n%s%s", tc.cases, code, tc.want, out, errs)
		}
	}
	writeRoutes(t, "routes: []\n", "")
	if code, out, _ := command(t, "test", "cases.yaml", "--json"); code != exitUsage || !strings.Contains(out, `"path": "routes"`) {
		t.Errorf("exit code %d, %s", code, out)
	}
}
