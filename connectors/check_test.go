package connectors

import (
	"fmt"
	"net"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/jmsbridge/jmsbridge/bridge"
	"github.com/jmsbridge/jmsbridge/config"
	"github.com/jmsbridge/jmsbridge/connectors/jms/stomp/stomplocal"
)

func startBroker(t *testing.T, opt stomplocal.Options) *stomplocal.Broker {
	t.Helper()
	b, err := stomplocal.Start(opt)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := b.Close(); err != nil {
			t.Error(err)
		}
	})
	return b
}

// checked loads a file and looks at everything it names.
func checked(t *testing.T, text string, each time.Duration) *Report {
	t.Helper()
	c, err := config.Parse(filepath.Join(t.TempDir(), "bridge.yaml"), []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return Check(t.Context(), NewSet(c, nil, nil), each)
}

// fileRoute returns the text of a route from a queue to a file.
func fileRoute(t *testing.T, name, broker, more string) string {
	return fmt.Sprintf("- name: %s\n  from:\n    jms: {broker: %s, queue: orders%s}\n  to:\n  - file: {path: %s}\n",
		name, broker, more, filepath.Join(t.TempDir(), name))
}

func TestCheckLooksAndConsumesNothing(t *testing.T) {
	b := startBroker(t, stomplocal.Options{Username: "app", Password: "secret"})
	for range 3 {
		if _, err := b.Publish("/queue/orders", stomplocal.Message{Body: []byte("x")}); err != nil {
			t.Fatal(err)
		}
	}
	report := checked(t, "brokers:\n- {name: mq, username: app, password: secret, url: "+fmt.Sprintf("%q", b.URL())+"}\nroutes:\n"+
		fileRoute(t, "a", "mq", ", consumers: 3")+"  dead_letter:\n    jms: {broker: mq, queue: dead}\n", 10*time.Second)
	if n := report.Errors(); n != 0 || report.Refused != "" {
		t.Fatalf("errors = %d: %+v", n, report)
	}
	if got := report.Brokers[0].Peer; !strings.HasPrefix(got, classic) {
		t.Errorf("broker = %q", got)
	}
	route := report.Routes[0]
	var roles []string
	for _, e := range route.Ends {
		roles = append(roles, e.Role+": "+e.Name)
	}
	want := []string{"source: queue orders of mq, 3 consumers", "target: " + route.To, "dead letter: queue dead of mq"}
	if diff := cmp.Diff(want, roles); diff != "" {
		t.Error(diff)
	}
	if !strings.Contains(route.Settles, "client-individual") || !strings.Contains(route.Settles, "UNSUBSCRIBE") {
		t.Errorf("settles = %q", route.Settles)
	}
	if depth, stats := b.Depth("/queue/orders"), b.Stats(); depth != 3 || stats.Delivered != 0 || stats.Published != 3 {
		t.Errorf("depth = %d, stats = %+v", depth, stats)
	}
}

func TestCheckTellsEachEndsError(t *testing.T) {
	good := startBroker(t, stomplocal.Options{})
	guarded := startBroker(t, stomplocal.Options{Username: "app", Password: "secret"})
	silent := startBroker(t, stomplocal.Options{})
	swallow := silent.Inject(stomplocal.Fault{Kind: stomplocal.Swallow, Command: "CONNECT"})
	gone, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	if err := gone.Close(); err != nil {
		t.Fatal(err)
	}
	text := "brokers:\n"
	for name, url := range map[string]string{
		"good": good.URL(), "guarded": guarded.URL(), "silent": silent.URL(), "gone": "stomp://" + gone.Addr().String(),
	} {
		text += fmt.Sprintf("- {name: %s, username: app, password: wrong, url: %q}\n", name, url)
	}
	text += "routes:\n"
	for _, name := range []string{"good", "guarded", "silent", "gone"} {
		text += fileRoute(t, "r-"+name, name, "")
	}
	report := checked(t, text, 2*time.Second)
	if swallow.Fired() == 0 {
		t.Error("the fault did not fire")
	}
	type verdict struct{ text, class string }
	got := map[string]verdict{}
	for _, r := range report.Routes {
		got[r.Name] = verdict{r.Ends[0].Error, r.Ends[0].Class}
	}
	for name, want := range map[string]verdict{
		"r-good": {"", ""}, "r-guarded": {"password", "fatal"}, "r-silent": {"did not answer CONNECT in time", ""}, "r-gone": {"connection refused", "transient"},
	} {
		if !strings.Contains(got[name].text, want.text) || (got[name].text == "") != (want.text == "") {
			t.Errorf("%s: error = %q, want %q", name, got[name].text, want.text)
		}
		if want.class != "" && got[name].class != want.class {
			t.Errorf("%s: class = %q, want %q", name, got[name].class, want.class)
		}
	}
	if n := report.Errors(); n != 6 { // three brokers, three sources
		t.Errorf("errors = %d", n)
	}
}

func TestCheckNamesWhatTheGuaranteeRestsOn(t *testing.T) {
	classicBroker := startBroker(t, stomplocal.Options{})
	artemisBroker := startBroker(t, stomplocal.Options{Server: "ActiveMQ-Artemis/2.44.0 ActiveMQ Artemis Messaging Engine"})
	for _, tc := range []struct {
		name     string
		broker   *stomplocal.Broker
		from     string // keys of jms
		route    string // keys of the route
		want     []string
		unwanted []string
	}{
		{"no dead letter", classicBroker, "queue: q", "", []string{"no dead_letter", "non-persistent", "empty_body: text"}, []string{"drop loses", "message groups"}},
		{"drop", classicBroker, "queue: q", "dead_letter: drop", []string{"dead_letter: drop loses"}, []string{"There is no dead_letter"}},
		{"a topic as dead letter", classicBroker, "queue: q", "dead_letter: {jms: {broker: mq, topic: d}}", []string{"loses what nobody subscribes to"}, []string{"There is no dead_letter"}},
		{"expired drop", classicBroker, "queue: q", "expired: drop", []string{"expired: drop loses"}, nil},
		{"topic", classicBroker, "topic: t", "", []string{"without a durable subscription"}, nil},
		{"durable", classicBroker, "topic: t, subscription: s", "", nil, []string{"without a durable subscription"}},
		{"groups on Classic", classicBroker, "queue: q", "order: group", []string{"order: group keeps no order here"}, nil},
		{"groups by a property", classicBroker, "queue: q", "order: group\n  group_id: ${.type}", []string{"between persistent and non-persistent"}, []string{"keeps no order here"}},
		{"no order on Classic", classicBroker, "queue: q", "", nil, []string{"between persistent and non-persistent"}},
		{"groups on Artemis", artemisBroker, "queue: q, consumers: 2", "order: group", []string{"groups move and may overtake"}, []string{"keeps no order here", "between persistent"}},
		{"groups with one consumer", artemisBroker, "queue: q", "order: group", nil, []string{"groups move"}},
		{"strict on Artemis", artemisBroker, "queue: q", "order: strict", []string{"default-exclusive-queue", "dead-letter address"}, nil},
		{"Artemis", artemisBroker, "queue: q", "", []string{"text and bytes only", "dead-letter address"}, []string{"default-exclusive-queue"}},
		{"cumulative on Artemis", artemisBroker, "queue: q, acknowledge: cumulative", "", []string{"cumulative is for Classic"}, nil},
		{"cumulative on Classic", classicBroker, "queue: q, acknowledge: cumulative", "", []string{"every message behind the oldest unfinished one"}, []string{"is for Classic"}},
		{"what is sent to a broker", classicBroker, "queue: q", "dead_letter: {jms: {broker: mq, queue: d}}", []string{"write rights were not looked at: whether the user may send to queue:d"}, []string{"read rights"}},
		{"nothing is sent to a broker", classicBroker, "queue: q", "", nil, []string{"write rights", "read rights"}},
		{"rights on Artemis", artemisBroker, "queue: q", "", []string{"read rights were not looked at: whether the user may consume q"}, []string{"write rights"}},
		{"rights on a topic", classicBroker, "topic: t", "", []string{"read rights were not looked at"}, nil},
		{"disabled", classicBroker, "queue: q", "enabled: false", []string{"route is disabled"}, nil},
	} {
		t.Run(tc.name, func(t *testing.T) {
			report := checked(t, fmt.Sprintf("brokers: [{name: mq, url: %q}]\nroutes:\n- name: r\n  from: {jms: {broker: mq, %s}}\n  to: [{file: {path: %s}}]\n  %s\n",
				tc.broker.URL(), tc.from, filepath.Join(t.TempDir(), "out"), tc.route), 10*time.Second)
			if n := report.Errors(); n != 0 {
				t.Fatalf("%+v", report)
			}
			var all strings.Builder
			for _, w := range report.Routes[0].Warnings {
				all.WriteString(w.Text + " " + w.Remedy + "\n")
			}
			text := strings.ToLower(all.String())
			for _, want := range tc.want {
				if !strings.Contains(text, strings.ToLower(want)) {
					t.Errorf("nothing warns of %q:\n%s", want, all.String())
				}
			}
			for _, unwanted := range tc.unwanted {
				if strings.Contains(text, strings.ToLower(unwanted)) {
					t.Errorf("it warns of %q:\n%s", unwanted, all.String())
				}
			}
		})
	}
}

func TestCheckSaysWhereArtemisAsATargetBreaksOrder(t *testing.T) {
	source := startBroker(t, stomplocal.Options{})
	target := startBroker(t, stomplocal.Options{Server: "ActiveMQ-Artemis/2.44.0 ActiveMQ Artemis Messaging Engine"})
	for order, want := range map[string]bool{"none": false, "strict": true} {
		report := checked(t, fmt.Sprintf("brokers: [{name: a, url: %q}, {name: b, url: %q}]\nroutes:\n- name: r\n  from: {jms: {broker: a, queue: q}}\n  to: [{jms: {broker: b, queue: q}}]\n  order: %s\n",
			source.URL(), target.URL(), order), 10*time.Second)
		if n := report.Errors(); n != 0 {
			t.Fatalf("%+v", report)
		}
		got := slices.ContainsFunc(report.Routes[0].Warnings, func(w Warning) bool { return strings.HasPrefix(w.Text, "Order into Artemis") })
		if got != want {
			t.Errorf("order: %s: %+v", order, report.Routes[0].Warnings)
		}
	}
}

func TestRepliesThatNeedCareAreWarnedOf(t *testing.T) {
	const again, once, stay = "is answered again", "once: true", "was killed stay in"
	for _, tc := range []struct {
		name           string
		reply          config.Reply
		want, unwanted []string
	}{
		{"a function", config.Reply{From: config.ReplyFrom{Call: true}}, []string{again, once}, []string{stay}},
		{"a function, once", config.Reply{From: config.ReplyFrom{Call: true}, Once: true}, nil, []string{again, stay}},
		{"a service, by a queue", config.Reply{From: config.ReplyFrom{JMS: &config.ReplyJMS{Queue: "replies"}}}, []string{again, stay}, []string{once}},
		{"a service, by a temporary queue", config.Reply{From: config.ReplyFrom{JMS: &config.ReplyJMS{}}}, []string{again}, []string{once, stay}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			text := fmt.Sprint(replyWarnings(&config.Route{Reply: &tc.reply}))
			for _, want := range tc.want {
				if !strings.Contains(text, want) {
					t.Errorf("nothing warns of %q: %s", want, text)
				}
			}
			for _, unwanted := range tc.unwanted {
				if strings.Contains(text, unwanted) {
					t.Errorf("it warns of %q: %s", unwanted, text)
				}
			}
		})
	}
}

func TestBrokerWarnings(t *testing.T) {
	c, err := config.Parse("bridge.yaml", []byte(`brokers:
- {name: plain, url: "stomp://mq.example.com:61613", allow_plaintext: true, username: a, password: in the file}
- {name: safe, url: "stomp+ssl://mq.example.com:61614", allow_plaintext: true, username: a, password: "${env:HOME}"}
- {name: unused, url: "stomp://localhost:61613"}
- {name: list, url: "failover:(stomp+ssl://a:1,stomp://mq.example.com:2)", allow_plaintext: true, username: a}
- {name: dead, url: "stomp://localhost:61614", username: a}
routes:
- name: r
  from: {jms: {broker: plain, queue: q}}
  to: [{jms: {broker: safe, queue: q}}]
- name: s
  from: {jms: {broker: list, queue: q}}
  to: [{sqs: {queue: q}}]
  reply: {from: {sqs: {queue: r}}, key: 01234567890123456789012345678901, dead_letter: {jms: {broker: dead, queue: d}}}
`))
	if err != nil {
		t.Fatal(err)
	}
	want := map[string][]string{
		"plain": {"Without TLS", "The password stands in"}, "safe": nil, "unused": {"Nobody logs in", "No route names"},
		"list": {"Without TLS"}, "dead": nil,
	}
	for i := range c.Brokers {
		b := &c.Brokers[i]
		var got []string
		for _, w := range brokerWarnings(c, b) {
			for _, text := range want[b.Name] {
				if strings.HasPrefix(w.Text, text) {
					got = append(got, text)
				}
			}
			if len(want[b.Name]) == 0 {
				got = append(got, w.Text)
			}
		}
		if diff := cmp.Diff(want[b.Name], got); diff != "" {
			t.Errorf("%s: %s", b.Name, diff)
		}
	}
}

// The slowest and narrowest of several targets bounds them all.
func TestTheCostOfOrderIsThatOfTheNarrowestTarget(t *testing.T) {
	runs := func(n int) bridge.Sink { return limited{run: n} }
	r := &config.Route{Order: config.OrderStrict, From: config.From{JMS: &config.JMSSource{}}}
	report := &RouteReport{}
	report.judge(r, []*end{{}, {sink: runs(1)}, {sink: runs(10)}, {sink: runs(1), report: EndReport{Found: Found{Error: "gone"}}}})
	if want := "at most 1 ÷ the time of a call"; report.Cost != want {
		t.Errorf("cost %q, want %q", report.Cost, want)
	}
	report.judge(r, []*end{{}, {sink: runs(20)}, {sink: runs(10)}, {sink: runs(1), report: EndReport{Found: Found{Error: "gone"}}}})
	if want := "at most 10 ÷ the time of a call"; report.Cost != want {
		t.Errorf("cost %q, want %q", report.Cost, want)
	}
}

type limited struct {
	bridge.Sink
	run int
}

func (l limited) Limits() bridge.Limits { return bridge.Limits{Run: l.run} }

func TestCheckWaitsForNoEndLongerThanItIsTold(t *testing.T) {
	silent := startBroker(t, stomplocal.Options{})
	silent.Inject(stomplocal.Fault{Kind: stomplocal.Swallow, Command: "CONNECT"})
	text := fmt.Sprintf("brokers:\n- {name: mq, url: %q}\nroutes:\n", silent.URL()) + fileRoute(t, "r", "mq", "")
	begun := time.Now()
	report := checked(t, text, 100*time.Millisecond)
	if took := time.Since(begun); took > 3*time.Second || report.Errors() != 2 {
		t.Errorf("%d errors after %v", report.Errors(), took)
	}
}

func TestCostOfOrder(t *testing.T) {
	for _, tc := range []struct {
		order   config.Order
		run     int
		latency time.Duration
		want    string
	}{
		{config.OrderNone, 10, time.Millisecond, ""},
		{config.OrderGroup, 1, 20 * time.Millisecond, "at most groups × 1 ÷ the time of a call; a small call took 20ms just now: 50 messages a second for each group"},
		{config.OrderGroup, 512, 0, "at most groups × 512 ÷ the time of a call"},
		{config.OrderStrict, 1, 250 * time.Millisecond, "at most 1 ÷ the time of a call; a small call took 250ms just now: 4.0 messages a second"},
		{config.OrderStrict, 1, 1234567 * time.Nanosecond, "at most 1 ÷ the time of a call; a small call took 1.23ms just now: 810 messages a second"},
	} {
		if got := describeCost(&config.Route{Order: tc.order}, tc.run, tc.latency); got != tc.want {
			t.Errorf("cost of %v = %q, want %q", tc.order, got, tc.want)
		}
	}
}
