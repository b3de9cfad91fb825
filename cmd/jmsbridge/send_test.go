package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/jmsbridge/jmsbridge/bridge"
	"github.com/jmsbridge/jmsbridge/bridge/envelope"
	"github.com/jmsbridge/jmsbridge/connectors/jms/stomp/stomplocal"
)

func startBroker(t *testing.T, opt stomplocal.Options) *stomplocal.Broker {
	t.Helper()
	b, err := stomplocal.Start(opt)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = b.Close() })
	return b
}

func TestSendPutsAMessageWithHeadersAndProperties(t *testing.T) {
	b := startBroker(t, stomplocal.Options{Username: "app", Password: "secret"})
	password := filepath.Join(t.TempDir(), "password")
	if err := os.WriteFile(password, []byte("secret\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	code, out, errs := execute(t.Context(), nil, "send", "queue:orders", "grüße", "--url", b.URL(), "--username", "app", "--password-file", password,
		"--correlation-id", "c:1", "--type", "order", "--reply-to", "queue:answers", "--priority", "7", "--expires-in", "1h",
		"-p", "region=EU", "-p", "plain=a=b", "--property", "amount:long=5")
	if code != exitDone || out != "sent 1 to queue:orders\n" {
		t.Fatalf("exit code %d, %s%s", code, out, errs)
	}
	got := b.Browse("/queue/orders", 0)
	if len(got) != 1 {
		t.Fatalf("%d messages", len(got))
	}
	m := got[0]
	if left := time.Until(m.Expires); left < 50*time.Minute || left > time.Hour {
		t.Errorf("it expires in %v", left)
	}
	m.ID, m.Timestamp, m.Expires = "", time.Time{}, time.Time{}
	want := stomplocal.Message{
		Destination: "/queue/orders", CorrelationID: "c:1", Type: "order", ReplyTo: "/queue/answers", Priority: 7, Persistent: true,
		Body: []byte("grüße"), Properties: []stomplocal.Property{
			{Name: "region", Value: "EU"},
			{Name: "plain", Value: "a=b"},
			{Name: "amount", Value: "5"},
			{Name: "jmsbridge_property_types", Value: `{"amount":"long"}`},
		},
	}
	if diff := cmp.Diff(want, m); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestSendTakesTheBodyFromWhereItIs(t *testing.T) {
	b := startBroker(t, stomplocal.Options{})
	file := filepath.Join(t.TempDir(), "body")
	if err := os.WriteFile(file, []byte("from a file"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct {
		name  string
		in    string
		args  []string
		body  string
		bytes bool
	}{
		{"argument", "not this", []string{"from an argument"}, "from an argument", false},
		{"empty argument", "not this", []string{""}, "", false},
		{"file", "not this", []string{"--file", file}, "from a file", false},
		{"standard input", "from standard input\n", nil, "from standard input\n", false},
		{"a dash", "from standard input", []string{"-f", "-"}, "from standard input", false},
		{"bytes", "\x00\xff\x00", []string{"--body-type", "bytes"}, "\x00\xff\x00", true},
	} {
		t.Run(tc.name, func(t *testing.T) {
			b.Purge("/queue/q")
			args := append([]string{"send", "queue:q", "--url", b.URL()}, tc.args...)
			if code, _, errs := execute(t.Context(), strings.NewReader(tc.in), args...); code != exitDone {
				t.Fatalf("exit code %d, %s", code, errs)
			}
			got := b.Browse("/queue/q", 0)
			if len(got) != 1 || string(got[0].Body) != tc.body || got[0].Bytes != tc.bytes {
				t.Errorf("it sent %+v", got)
			}
		})
	}
}

func TestSendWithoutABodyArrivesAsNone(t *testing.T) {
	b := startBroker(t, stomplocal.Options{})
	if code, _, errs := execute(t.Context(), nil, "send", "queue:q", "--url", b.URL(), "--body-type", "none", "-p", "n:int=-3"); code != exitDone {
		t.Fatalf("exit code %d, %s", code, errs)
	}
	_, out, errs := execute(t.Context(), nil, "receive", "queue:q", "--url", b.URL(), "--max", "1")
	m, err := envelope.Parse([]byte(strings.TrimSpace(out)))
	if err != nil {
		t.Fatalf("%v: %s%s", err, out, errs)
	}
	if m.Body.Kind() != bridge.NoBody {
		t.Errorf("a %s body", m.Body.Kind())
	}
	if v, _ := m.Properties.Lookup("n"); !v.Equal(bridge.Int(-3)) {
		t.Errorf("n is %v", v)
	}
}

func TestSendRepeatsAtARate(t *testing.T) {
	b := startBroker(t, stomplocal.Options{})
	before := time.Now()
	code, out, errs := execute(t.Context(), nil, "send", "queue:q", "x", "--url", b.URL(), "--count", "21", "--rate", "100")
	if code != exitDone || out != "sent 21 to queue:q\n" || b.Depth("/queue/q") != 21 {
		t.Errorf("exit code %d, %s%s, depth %d", code, out, errs, b.Depth("/queue/q"))
	}
	if d := time.Since(before); d < 195*time.Millisecond {
		t.Errorf("21 messages at 100 a second took %v", d)
	}
	if code, _, errs := execute(t.Context(), nil, "send", "queue:fast", "x", "--url", b.URL(), "-n", "1000"); code != exitDone || b.Depth("/queue/fast") != 1000 {
		t.Errorf("exit code %d, %s, depth %d", code, errs, b.Depth("/queue/fast"))
	}
}

func TestSendByTheConfiguration(t *testing.T) {
	b := startBroker(t, stomplocal.Options{})
	path := writeConfig(t, b.URL(), "")
	for _, args := range [][]string{{"--broker", "mq"}, nil} {
		args = append([]string{"send", "topic:t", "x", "-c", path}, args...)
		if code, out, errs := execute(t.Context(), nil, args...); code != exitDone || out != "sent 1 to topic:t\n" {
			t.Errorf("exit code %d, %s%s", code, out, errs)
		}
	}
	code, _, errs := execute(t.Context(), nil, "send", "queue:q", "x", "-c", path, "-b", "nope")
	if code != exitUsage || !strings.Contains(errs, `no broker "nope"; it has mq`) {
		t.Errorf("exit code %d, %s", code, errs)
	}
}

func TestWrongUsageOfSendAndReceive(t *testing.T) {
	const url = "stomp://127.0.0.1:1"
	for _, tc := range []struct {
		args string
		errs string
	}{
		{"send", "arg"},
		{"send nonsense x --url " + url, "write queue:NAME or topic:NAME"},
		{"send temp-queue:q x --url " + url, "write queue:NAME or topic:NAME"},
		{"send queue:q x --url nonsense", "--url"},
		{"send queue:q x --url tcp://127.0.0.1:1", "OpenWire"},
		{"send queue:q x --url " + url + " --broker mq", "broker url"},
		{"send queue:q x --username app -c nowhere.yaml", "go with --url"},
		{"send queue:q x -c nowhere.yaml", "nowhere.yaml"},
		{"send queue:q x --count 0 --url " + url, "--count"},
		{"send queue:q x --rate -1 --url " + url, "--rate"},
		{"send queue:q x --timeout 0s --url " + url, "--timeout"},
		{"send queue:q x --priority 10 --url " + url, "--priority"},
		{"send queue:q x --body-type map --url " + url, "--body-type"},
		{"send queue:q x --body-type none --url " + url, "no body"},
		{"send queue:q x --file y --url " + url, "either"},
		{"send queue:q --file /nowhere/y --url " + url, "opening the body"},
		{"send queue:q x --reply-to q --url " + url, "--reply-to"},
		{"send queue:q x --group-seq 1 --url " + url, "--group"},
		{"send queue:q x -p novalue --url " + url, "NAME=VALUE"},
		{"send queue:q x -p n:int=x --url " + url, "no int"},
		{"send queue:q x -p n:byte=200 --url " + url, "no byte"},
		{"send queue:q x -p n:date=1 --url " + url, "not a type"},
		{"send queue:q x -p a=1 -p a=2 --url " + url, "twice"},
		{"send queue:q --envelope --type t --url " + url, "envelope type"},
		{"send queue:q --envelope --count 2 --url " + url, "--count"},
		{"receive queue:q --max 101 --url " + url, "at most 100"},
		{"receive queue:q --max 0 --url " + url, "--consume"},
		{"receive queue:q --wait -1s --url " + url, "--wait"},
		{"receive topic:t --subscription s --url " + url, "--client-id"},
		{"receive queue:q --frob", "frob"},
	} {
		code, out, errs := execute(t.Context(), strings.NewReader("{}"), strings.Fields(tc.args)...)
		if code != exitUsage || !strings.Contains(errs, tc.errs) || out != "" {
			t.Errorf("%s: exit code %d, %s%s", tc.args, code, out, errs)
		}
	}
}

func TestSendSaysWhatTheBrokerConfirmed(t *testing.T) {
	b := startBroker(t, stomplocal.Options{})
	i := b.Inject(stomplocal.Fault{Kind: stomplocal.Drop, Command: "SEND", After: 100, Times: 1})
	code, out, errs := execute(t.Context(), nil, "send", "queue:q", "x", "--url", b.URL(), "--count", "200", "--rate", "2000")
	if code != exitFailed || out != "" || !strings.Contains(errs, "the broker has confirmed ") || i.Fired() != 1 {
		t.Errorf("exit code %d, %s%s", code, out, errs)
	}
	var confirmed int
	if at := strings.Index(errs, "confirmed "); at >= 0 {
		if _, err := fmt.Sscanf(errs[at:], "confirmed %d messages", &confirmed); err != nil {
			t.Error(err)
		}
	}
	if stored := b.Depth("/queue/q"); confirmed > stored || stored != 100 {
		t.Errorf("%d confirmed, %d stored", confirmed, stored)
	}
}

func TestSendToABrokerThatRefuses(t *testing.T) {
	b := startBroker(t, stomplocal.Options{Username: "app", Password: "secret"})
	t.Setenv(passwordVariable, "hunter2")
	for _, args := range [][]string{
		{"send", "queue:q", "x", "--url", b.URL(), "--username", "app"},
		{"receive", "queue:q", "--url", b.URL(), "--username", "app"},
		{"receive", "queue:q", "--url", "stomp://127.0.0.1:1"},
	} {
		code, out, errs := execute(t.Context(), nil, args...)
		if code != exitFailed || out != "" || errs == "" || strings.Contains(errs, "hunter2") {
			t.Errorf("%q: exit code %d, %s%s", args, code, out, errs)
		}
	}
	t.Setenv(passwordVariable, "secret")
	if code, _, errs := execute(t.Context(), nil, "send", "queue:q", "x", "--url", b.URL(), "--username", "app"); code != exitDone {
		t.Errorf("exit code %d, %s", code, errs)
	}
}

func TestEnvelopesGoThereAndBack(t *testing.T) {
	b := startBroker(t, stomplocal.Options{})
	in := `{"correlation_id":"a","type":"t","priority":2,"persistent":true,"redelivered":false,"properties":{"n":1,"l":9007199254740993,"s":"x"},"property_types":{"l":"long"},"body_type":"text","body":"one\nline"}

{"priority":4,"persistent":false,"redelivered":false,"body_type":"bytes","body":"AAE="}
`
	code, out, errs := execute(t.Context(), strings.NewReader(in), "send", "queue:q", "--envelope", "--url", b.URL())
	if code != exitDone || out != "sent 2 to queue:q\n" {
		t.Fatalf("exit code %d, %s%s", code, out, errs)
	}
	code, first, errs := execute(t.Context(), nil, "receive", "queue:q", "--consume", "--max", "2", "--url", b.URL())
	if code != exitDone {
		t.Fatalf("exit code %d, %s", code, errs)
	}
	if code, _, errs = execute(t.Context(), strings.NewReader(first), "send", "queue:r", "--envelope", "--url", b.URL()); code != exitDone {
		t.Fatalf("exit code %d, %s", code, errs)
	}
	_, second, _ := execute(t.Context(), nil, "receive", "queue:r", "--consume", "--max", "2", "--url", b.URL())
	if diff := cmp.Diff(parsed(t, first), parsed(t, second)); diff != "" {
		t.Errorf("there and back (-first +second):\n%s", diff)
	}
	m := parsed(t, second)[0]
	if l, _ := m.Properties.Lookup("l"); !l.Equal(bridge.Long(9007199254740993)) || m.Body.Data() != "one\nline" || m.CorrelationID != "a" {
		t.Errorf("%+v", m)
	}
	code, _, errs = execute(t.Context(), strings.NewReader(strings.SplitAfter(in, "\n")[0]+"nonsense\n"), "send", "queue:s", "--envelope", "--url", b.URL())
	if code != exitFailed || !strings.Contains(errs, "line 2") || !strings.Contains(errs, "confirmed 1 messages") {
		t.Errorf("exit code %d, %s", code, errs)
	}
	code, _, errs = execute(t.Context(), strings.NewReader(`{"priority":4,"persistent":true,"redelivered":false,"body_type":"map","body":{"a":1}}`),
		"send", "queue:s", "--envelope", "--url", b.URL())
	if code != exitFailed || !strings.Contains(errs, "map body can't be sent over STOMP") {
		t.Errorf("exit code %d, %s", code, errs)
	}
}

// parsed parses envelopes and takes out what a broker gives anew.
func parsed(t *testing.T, lines string) []bridge.Message {
	t.Helper()
	var out []bridge.Message
	for line := range strings.Lines(lines) {
		m, err := envelope.Parse([]byte(line))
		if err != nil {
			t.Fatal(err)
		}
		m.ID, m.Timestamp, m.Destination = "", time.Time{}, bridge.Destination{}
		out = append(out, *m)
	}
	return out
}

func TestProperties(t *testing.T) {
	for text, want := range map[string]bridge.Value{
		"a=":               bridge.String(""),
		"a:string=x=y":     bridge.String("x=y"),
		"a:boolean=true":   bridge.Boolean(true),
		"a:byte=-128":      bridge.Byte(-128),
		"a:short=32767":    bridge.Short(32767),
		"a:int=5":          bridge.Int(5),
		"a:long=-5":        bridge.Long(-5),
		"a:float=0.1":      bridge.Float(0.1),
		"a:double=0.1":     bridge.Double(0.1),
		"a:bytes=AAE=":     bridge.Bytes("\x00\x01"),
		"with:colon:int=1": bridge.Int(1),
	} {
		name, v, err := parseProperty(text)
		if err != nil || !v.Equal(want) || !strings.HasPrefix(text, name) {
			t.Errorf("%s: %s, %v, %v", text, name, v, err)
		}
	}
	for _, text := range []string{"", "=x", ":int=1", "a", "a:=1", "a:boolean=yes", "a:float=x", "a:bytes=%", "a=\xff"} {
		if _, _, err := parseProperty(text); err == nil {
			t.Errorf("%q was taken", text)
		}
	}
}

var errPipe = errors.New("the pipe is closed")

func TestReceive(t *testing.T) {
	b := startBroker(t, stomplocal.Options{})
	publish := func(n int) {
		for i := range n {
			m := stomplocal.Message{Persistent: true, Body: fmt.Appendf(nil, "m%d", i), Properties: []stomplocal.Property{{Name: "even", Value: fmt.Sprint(i%2 == 0)}}}
			if _, err := b.Publish("/queue/q", m); err != nil {
				t.Fatal(err)
			}
		}
	}
	texts := func(lines string) string {
		var out []string
		for _, m := range parsed(t, lines) {
			out = append(out, m.Body.Data())
		}
		return strings.Join(out, " ")
	}
	// The embedded broker flags them as Classic does: what is said of the + below is so.
	const flagged = "ActiveMQ Classic flags them redelivered, Artemis does not\n"
	for _, tc := range []struct {
		name, args string
		printed    string
		remark     string // all of standard error
		left       string // bodies, with + for redelivered
	}{
		{"a look", "--max 3", "m0 m1 m2", "3 messages given back unsettled: " + flagged, "m0+ m1+ m2+ m3 m4"},
		{"a look at all there is", "--wait 100ms", "m0 m1 m2 m3 m4", "5 messages given back unsettled: " + flagged, "m0+ m1+ m2+ m3+ m4+"},
		{"a look through a selector", "--wait 100ms --selector even='true'", "m0 m2 m4", "3 messages given back unsettled: " + flagged, "m0+ m1 m2+ m3 m4+"},
		{"consuming all", "--consume --max 0 --wait 100ms", "m0 m1 m2 m3 m4", "5 messages consumed\n", ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			b.Purge("/queue/q")
			publish(5)
			args := append([]string{"receive", "queue:q", "--url", b.URL()}, strings.Fields(tc.args)...)
			code, out, errs := execute(t.Context(), nil, args...)
			if code != exitDone || texts(out) != tc.printed || errs != tc.remark {
				t.Errorf("exit code %d, printed %q, remarked %q", code, texts(out), errs)
			}
			var left []string
			for _, m := range b.Browse("/queue/q", 0) {
				text := string(m.Body)
				if m.Redelivered {
					text += "+"
				}
				left = append(left, text)
			}
			if got := strings.Join(left, " "); got != tc.left {
				t.Errorf("left %q, want %q", got, tc.left)
			}
			if b.Depth(stomplocal.DeadLetterQueue) != 0 {
				t.Error("something went to the dead letter queue")
			}
		})
	}
}

func TestReceiveTakesNoMoreThanItsMax(t *testing.T) {
	b := startBroker(t, stomplocal.Options{})
	for i := range 10 {
		if _, err := b.Publish("/queue/q", stomplocal.Message{Persistent: true, Body: fmt.Appendf(nil, "m%d", i)}); err != nil {
			t.Fatal(err)
		}
	}
	code, out, errs := execute(t.Context(), nil, "receive", "queue:q", "--consume", "--max", "4", "--url", b.URL())
	if code != exitDone || strings.Count(out, "\n") != 4 || b.Depth("/queue/q") != 6 || b.Stats().Acked != 4 {
		t.Errorf("exit code %d, %s%s, depth %d", code, out, errs, b.Depth("/queue/q"))
	}
}

func TestReceiveFromNothing(t *testing.T) {
	b := startBroker(t, stomplocal.Options{})
	code, out, errs := execute(t.Context(), nil, "receive", "queue:q", "--wait", "50ms", "--url", b.URL())
	if code != exitDone || out != "" || errs != "no message came from queue:q\n" {
		t.Errorf("exit code %d, %q, %q", code, out, errs)
	}
}

// A message whose line could not be written is not settled.
func TestReceiveSettlesOnlyWhatWasWritten(t *testing.T) {
	b := startBroker(t, stomplocal.Options{})
	for i := range 5 {
		if _, err := b.Publish("/queue/q", stomplocal.Message{Persistent: true, Body: fmt.Appendf(nil, "m%d", i)}); err != nil {
			t.Fatal(err)
		}
	}
	lines := 0
	out := writerFunc(func(p []byte) (int, error) {
		if lines++; lines > 2 {
			return 0, errPipe
		}
		return len(p), nil
	})
	var errs strings.Builder
	code := executeTo(t.Context(), nil, out, &errs, "receive", "queue:q", "--consume", "--url", b.URL())
	if code != exitFailed || !strings.Contains(errs.String(), errPipe.Error()) {
		t.Errorf("exit code %d, %s", code, errs.String())
	}
	var left []string
	for _, m := range b.Browse("/queue/q", 0) {
		left = append(left, string(m.Body))
	}
	if got := strings.Join(left, " "); got != "m2 m3 m4" {
		t.Errorf("left %q", got)
	}
}

// What Classic shows without body and length may be a Map, Stream or Object: it is left alone.
func TestReceiveLeavesAloneWhatTheWireCannotCarry(t *testing.T) {
	b := startBroker(t, stomplocal.Options{})
	for _, body := range []string{"", "x"} {
		if _, err := b.Publish("/queue/q", stomplocal.Message{Persistent: true, Body: []byte(body)}); err != nil {
			t.Fatal(err)
		}
	}
	args := []string{"receive", "queue:q", "--consume", "--wait", "100ms", "--url", b.URL()}
	code, out, errs := execute(t.Context(), nil, args...)
	if code != exitDone || strings.Count(out, "\n") != 1 || !strings.Contains(errs, "is left alone") || b.Depth("/queue/q") != 1 {
		t.Errorf("exit code %d, %s%s, depth %d", code, out, errs, b.Depth("/queue/q"))
	}
	code, out, errs = execute(t.Context(), nil, append(args, "--empty-body-text")...)
	if code != exitDone || strings.Count(out, "\n") != 1 || b.Depth("/queue/q") != 0 {
		t.Errorf("exit code %d, %s%s, depth %d", code, out, errs, b.Depth("/queue/q"))
	}
}

func TestReceiveFromADurableSubscription(t *testing.T) {
	b := startBroker(t, stomplocal.Options{})
	args := []string{"receive", "topic:prices", "--client-id", "me", "--subscription", "sub", "--wait", "100ms", "--url", b.URL()}
	if code, _, errs := execute(t.Context(), nil, args...); code != exitDone {
		t.Fatalf("exit code %d, %s", code, errs)
	}
	if _, err := b.Publish("/topic/prices", stomplocal.Message{Body: []byte("1.25")}); err != nil {
		t.Fatal(err)
	}
	code, out, errs := execute(t.Context(), nil, append(args, "--consume")...)
	if code != exitDone || !strings.Contains(out, `"body":"1.25"`) {
		t.Errorf("exit code %d, %s%s", code, out, errs)
	}
	if n, ok := b.DurableDepth("me", "sub"); n != 0 || !ok {
		t.Errorf("depth %d, %v", n, ok)
	}
}
