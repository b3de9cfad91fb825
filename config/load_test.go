package config_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/jmsbridge/jmsbridge/config"
)

// minimal is the shortest useful file.
const minimal = `brokers:
  - name: mq
    url: stomp://localhost:61613
routes:
  - name: orders
    from:
      jms: {broker: mq, queue: orders}
    to:
      - sqs: {queue: orders}
`

func noEnv(string) (string, bool) { return "", false }

// parse reads a file that has to be right.
func parse(t *testing.T, text string, opts ...config.Option) *config.Config {
	t.Helper()
	c, err := config.Parse("bridge.yaml", []byte(text), append([]config.Option{config.WithEnv(noEnv)}, opts...)...)
	if err != nil {
		t.Fatalf("Parse:\n%v", err)
	}
	return c
}

// problems returns what is wrong with a file, a line each.
func problems(t *testing.T, text string, opts ...config.Option) []string {
	t.Helper()
	_, err := config.Parse("bridge.yaml", []byte(text), append([]config.Option{config.WithEnv(noEnv)}, opts...)...)
	if err == nil {
		return nil
	}
	var e *config.Error
	if !errors.As(err, &e) {
		t.Fatalf("Parse returned %T: %v", err, err)
	}
	var lines []string
	for _, p := range e.Problems {
		lines = append(lines, p.String())
	}
	return lines
}

func TestMinimalFileGetsTheDefaults(t *testing.T) {
	c := parse(t, minimal)
	r := c.Routes[0]
	want := config.Route{
		Name: "orders", Enabled: true, Order: config.OrderNone, Expired: config.ExpiredDeadLetter,
		From: config.From{JMS: &config.JMSSource{
			Broker: "mq", Queue: "orders", Consumers: 1, MaxBody: 16 * config.MiB, EmptyBody: config.EmptyBodyHold, Acknowledge: config.AcknowledgeIndividual,
		}},
		To:     []config.Target{{Required: true, SQS: &config.SQSTarget{Queue: "orders", Body: config.SQSBodyPlain, Object: config.ObjectReject}}},
		Retry:  config.Retry{Attempts: 5, Min: 100 * time.Millisecond, Max: 5 * time.Second},
		Window: config.Window{Bytes: 64 * config.MiB},
		Drain:  25 * time.Second,
	}
	if diff := cmp.Diff(want, r); diff != "" {
		t.Error(diff)
	}
	if got := c.ClientID(&r); got != "" {
		t.Errorf("ClientID = %q", got)
	}
	if c.Log.Level != "info" || c.Log.Format != config.LogJSON || c.Limits.Memory != 256*config.MiB {
		t.Errorf("log %+v, limits %+v", c.Log, c.Limits)
	}
}

func TestEveryKindOfValueIsRead(t *testing.T) {
	c := parse(t, `
brokers:
  - name: mq
    url: failover:(stomp+ssl://b-1.example.com:61614,stomp+ssl://b-2.example.com:61614)
    username: ${env:MQ_USER}
    password: ${env:MQ_PASSWORD}
    tls: {ca_file: ca.pem}
  - {name: plain, url: "stomp://10.0.0.1:61613", allow_plaintext: true, client_id: me}
limits: {memory: 128MiB}
log: {level: debug, format: console}
routes:
  - name: orders
    enabled: false
    from:
      jms:
        broker: mq
        topic: prices.>
        subscription: s
        selector: "region = 'EU' AND camelCase > 4"
        prefetch: 64
        prefetch_bytes: 1MB
    to:
      - sqs:
          queue: arn:aws:sqs:eu-west-1:123456789012:orders.fifo
          body: envelope
          attributes: [customerId, orderRegion]
    order: group
    group_id: ${.properties.accountId}$${x
    retry: {attempts: 7, max: 1m}
    dead_letter: drop
    drain: 1h
  - name: back
    from:
      jms: {broker: plain, queue: a}
    to:
      - jms: {broker: plain, queue: b}
    dead_letter:
      jms: {broker: plain, queue: DLQ.a}
`, config.WithEnv(func(name string) (string, bool) { return "value of " + name, true }))
	r := c.Routes[0]
	if r.Enabled || r.Retry.Attempts != 7 || r.Retry.Max != time.Minute || r.Retry.Min != 100*time.Millisecond || r.Drain != time.Hour {
		t.Errorf("route = %+v", r)
	}
	if got, want := r.From.JMS.Selector, "region = 'EU' AND camelCase > 4"; got != want {
		t.Errorf("selector = %q, want %q", got, want)
	}
	if diff := cmp.Diff([]string{"customerId", "orderRegion"}, r.To[0].SQS.Attributes); diff != "" {
		t.Error(diff)
	}
	if got, want := r.GroupTemplate(&r.To[0]), config.Template("${.properties.accountId}$${x"); got != want {
		t.Errorf("group = %q, want %q", got, want)
	}
	if r.DeadLetter == nil || !r.DeadLetter.Drop {
		t.Errorf("dead letter = %+v", r.DeadLetter)
	}
	if got := c.Brokers[0].Username; got != "value of MQ_USER" {
		t.Errorf("username = %q", got)
	}
	if got, err := c.Brokers[0].Password.Reveal(t.Context()); err != nil || got != "value of MQ_PASSWORD" {
		t.Errorf("password = %q, %v", got, err)
	}
	if r.From.JMS.PrefetchBytes != 1_000_000 {
		t.Errorf("prefetch_bytes = %v", r.From.JMS.PrefetchBytes)
	}
	if got := c.ClientID(&r); got != "jmsbridge-orders" {
		t.Errorf("ClientID = %q", got)
	}
}

func TestEveryMistakeIsListedWithItsPlace(t *testing.T) {
	got := problems(t, `brokers:
  - name: mq
    url: stomp://localhost:61613
    pasword: x
    Username: me
log: {level: loud}
limits:
  memory: 64
routes:
  - name: orders
    form:
      jms: {broker: mq, queue: orders}
    to:
      - sqs: {queue: orders, order: none}
    drain: 5
    drain: 5s
    retry:
      attempts: "3"
      min: 2 s
    enabled:
    order: grup
    filter: EU
  - name: orders
    from:
      jms: {broker: mp, queue: 7, consumers: 0}
    to: {file: {path: "-"}}
`)
	want := []string{
		`bridge.yaml:4:5: brokers[0].pasword: unknown key "pasword"; did you mean "password"?`,
		`bridge.yaml:5:5: brokers[0].Username: unknown key "Username"; keys are exact in case: write "username"`,
		`bridge.yaml:6:14: log.level: "loud" is none of debug, info, warn, error`,
		`bridge.yaml:8:11: limits.memory: expected a size with its unit, found a number (64); write 64KiB or 64MiB`,
		`bridge.yaml:11:5: routes[0].form: unknown key "form"; did you mean "from"?`,
		`bridge.yaml:14:30: routes[0].to[0].sqs.order: unknown key "order"; known keys: queue, body, group_id, attributes, object`,
		`bridge.yaml:15:12: routes[0].drain: expected a duration with its unit, found a number (5); write 500ms, 5s or 2m`,
		`bridge.yaml:16:5: routes[0].drain: this key stands here twice; the first is in line 15`,
		`bridge.yaml:18:17: routes[0].retry.attempts: expected a whole number, found a string (3)`,
		`bridge.yaml:19:12: routes[0].retry.min: "2 s" is not a duration: write a number and a unit (ms, s, m, h), such as 5s`,
		`bridge.yaml:20:5: routes[0].enabled: this key has no value; write one, or leave the key out for its default`,
		`bridge.yaml:21:12: routes[0].order: "grup" is none of none, group, strict; did you mean "group"?`,
		`bridge.yaml:22:13: routes[0].filter: expected a pattern, found a string (EU); write such as properties: {region: [EU, US]}`,
		`bridge.yaml:23:11: routes[1].name: a second route named "orders"; the first is routes[0]`,
		`bridge.yaml:25:21: routes[1].from.jms.broker: no broker is named "mp"; did you mean "mq"?`,
		`bridge.yaml:25:32: routes[1].from.jms.queue: expected a string, found a number (7); write it in quotes`,
		`bridge.yaml:25:46: routes[1].from.jms.consumers: 0 is not between 1 and 100`,
		`bridge.yaml:26:9: routes[1].to: expected a list, found a block of keys; begin each entry with "- "`,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("problems (-want +got):\n%s\nall:\n%s", diff, strings.Join(got, "\n"))
	}
}

func TestFilesOfCertificatesMustBeThere(t *testing.T) {
	folder := t.TempDir()
	text := "brokers:\n  - name: mq\n    url: stomp+ssl://mq.example.com\n    tls:\n      ca_file: ca.pem\naws: {ca_bundle: folder}\n" +
		"routes:\n  - name: a\n    from:\n      jms: {broker: mq, queue: a}\n    to:\n      - file: {path: \"-\"}\n"
	path := filepath.Join(folder, "bridge.yaml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(filepath.Join(folder, "folder"), 0o700); err != nil {
		t.Fatal(err)
	}
	_, err := config.Load(path)
	for _, want := range []string{"bridge.yaml:5:16: brokers[0].tls.ca_file: ", "no such file", "aws.ca_bundle: ", "is no regular file"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("Load: %v; want %q", err, want)
		}
	}
}

func TestPatternsKeepTheirCase(t *testing.T) {
	c := parse(t, `
brokers: [{name: mq, url: "stomp://localhost:61613"}]
routes:
  - name: a
    from:
      jms: {broker: mq, queue: a}
    filter:
      properties: {orderRegion: [EU, {prefix: Us}], Count: [{numeric: [">", 5, "<=", 10.5]}], gone: [null], on: [true]}
    transform: .properties |= del(.secret)
    to:
      - filter: {type: [Order]}
        file: {path: "-"}
`)
	want := map[string]any{"properties": map[string]any{
		"orderRegion": []any{"EU", map[string]any{"prefix": "Us"}},
		"Count":       []any{map[string]any{"numeric": []any{">", uint64(5), "<=", 10.5}}},
		"gone":        []any{nil}, "on": []any{true},
	}}
	if d := cmp.Diff(want, c.Routes[0].Filter.Tree); d != "" {
		t.Error(d)
	}
	if d := cmp.Diff(map[string]any{"type": []any{"Order"}}, c.Routes[0].To[0].Filter.Tree); d != "" {
		t.Error(d)
	}
	if c.Routes[0].Transform != ".properties |= del(.secret)" {
		t.Errorf("transform is %q", c.Routes[0].Transform)
	}
}

func TestMistakesInPatternsAndProgramsHaveTheirPlace(t *testing.T) {
	text := `brokers: [{name: mq, url: "stomp://localhost:61613"}]
routes:
  - name: a
    from:
      jms: {broker: mq, queue: a}
    filter:
      properties:
        region:
          - prefx: E
    transform: .a |
    to:
      - file: {path: "-"}
`
	_, err := config.Parse("bridge.yaml", []byte(text),
		config.WithExpressionCheck(func(program string) error { return fmt.Errorf("%q ends too early", program) }),
		config.WithPatternCheck(func(map[string]any) []config.PatternProblem {
			return []config.PatternProblem{{Path: "properties.region[0].prefx", Text: "there is no such operator", Hint: `did you mean "prefix"?`}}
		}))
	want := "bridge.yaml:9:13: routes[0].filter.properties.region[0].prefx: there is no such operator; did you mean \"prefix\"?\n" +
		"bridge.yaml:10:16: routes[0].transform: \".a |\" ends too early"
	if err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("got\n%v\nwant\n%s", err, want)
	}
}
