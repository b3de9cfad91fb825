package jms

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestParseURL(t *testing.T) {
	for _, tc := range []struct {
		in        string
		protocol  Protocol
		random    bool
		endpoints []string
		again     string // how it is printed; "": as in
	}{
		{in: "stomp://mq.example.com", protocol: STOMP, endpoints: []string{"stomp://mq.example.com:61613"}, again: "stomp://mq.example.com:61613"},
		{in: "stomp+ssl://b-1.example.com", protocol: STOMP, endpoints: []string{"stomp+ssl://b-1.example.com:61614"}, again: "stomp+ssl://b-1.example.com:61614"},
		{in: " STOMP+SSL://Host:1/ ", protocol: STOMP, endpoints: []string{"stomp+ssl://Host:1"}, again: "stomp+ssl://Host:1"},
		{in: "stomp://[::1]:9", protocol: STOMP, endpoints: []string{"stomp://[::1]:9"}},
		{in: "ssl://h", protocol: OpenWire, endpoints: []string{"ssl://h:61617"}, again: "ssl://h:61617"},
		{in: "tcp://h", protocol: OpenWire, endpoints: []string{"tcp://h:61616"}, again: "tcp://h:61616"},
		{in: "amqp://h", protocol: AMQP, endpoints: []string{"amqp://h:5672"}, again: "amqp://h:5672"},
		{in: "amqp+ssl://h", protocol: AMQP, endpoints: []string{"amqp+ssl://h:5671"}, again: "amqp+ssl://h:5671"},
		{in: "stomp://a:1,stomp+ssl://b:2", protocol: STOMP, endpoints: []string{"stomp://a:1", "stomp+ssl://b:2"}},
		{in: "failover:(stomp://a:1,stomp://b:2)", protocol: STOMP, random: true, endpoints: []string{"stomp://a:1", "stomp://b:2"}},
		{in: "failover:(stomp://a:1, stomp://b:2)?randomize=false", protocol: STOMP, endpoints: []string{"stomp://a:1", "stomp://b:2"}, again: "stomp://a:1,stomp://b:2"},
		{in: "failover:(stomp://a:1)?randomize=true&maxReconnectAttempts=-1&timeout=-1", protocol: STOMP, random: true, endpoints: []string{"stomp://a:1"}, again: "failover:(stomp://a:1)"},
		{in: "failover://(stomp://a:1)", protocol: STOMP, random: true, endpoints: []string{"stomp://a:1"}, again: "failover:(stomp://a:1)"},
		{in: "failover:stomp://a:1", protocol: STOMP, random: true, endpoints: []string{"stomp://a:1"}, again: "failover:(stomp://a:1)"},
	} {
		t.Run(tc.in, func(t *testing.T) {
			u, err := ParseURL(tc.in)
			if err != nil {
				t.Fatal(err)
			}
			var endpoints []string
			for _, e := range u.Endpoints {
				endpoints = append(endpoints, e.String())
				if e.TLS != strings.Contains(e.Scheme, "ssl") {
					t.Errorf("%s: TLS is %v", e, e.TLS)
				}
			}
			if diff := cmp.Diff(tc.endpoints, endpoints); diff != "" || u.Protocol != tc.protocol || u.Random != tc.random {
				t.Errorf("%+v %s", u, diff)
			}
			again := tc.again
			if again == "" {
				again = tc.in
			}
			if u.String() != again {
				t.Errorf("printed as %q, want %q", u.String(), again)
			}
			if v, err := ParseURL(u.String()); err != nil || cmp.Diff(u, v) != "" {
				t.Errorf("read back as %+v, %v", v, err)
			}
		})
	}
}

func TestParseURLRefuses(t *testing.T) {
	for in, want := range map[string]string{
		"":                                    "is empty",
		"mq.example.com:61614":                "no scheme",
		"stmp://h":                            `nearest known one is stomp://`,
		"stomp+sll://h":                       `nearest known one is stomp+ssl://`,
		"stomp+nio+ssl://h":                   `nearest is stomp+ssl://`,
		"amqps://h":                           `nearest is amqp+ssl://`,
		"https://h":                           `nearest is stomp+ssl://`,
		"stomp://user:hunter2@h":              "write them under username and password",
		"stomp://h:0":                         "not between 1 and 65535",
		"stomp://h:65536":                     "not between 1 and 65535",
		"stomp://h:abc":                       "can't be read",
		"stomp://":                            "names no host",
		"stomp://:61613":                      "names no host",
		"stomp://h/path":                      "has a path",
		"stomp://h?transport.trace=true":      `option "transport.trace"`,
		"stomp://a,":                          "an empty entry",
		"stomp://a,ssl://b":                   "mixes STOMP and OpenWire",
		"failover:(stomp://a":                 "without a closing )",
		"failover:(stomp://a)x":               "something other than ?options",
		"failover:()":                         "an empty entry",
		"failover:(stomp://a)?randomise=true": `nearest known one is "randomize"`,
		"failover:(stomp://a)?randomize=yes":  "it is true or false",
		"failover:(stomp://a)?maxReconnectAttempts=3":    "reconnects for as long as it runs; remove it, or write maxReconnectAttempts=-1",
		"failover:(stomp://a)?initialReconnectDelay=10":  "own jittered backoff",
		"failover:(stomp://a)?priorityBackup=true":       "stays on the endpoint",
		"failover:(stomp://a)?nested.x=1":                "passes no options",
		"failover:(stomp://a)?jms.password=hunter2":      "write password: on the broker",
		"failover:(stomp://u:hunter2@a)?randomize=false": "write them under username and password",
		"u:hunter2@h":                       "write them under username and password",
		"stomp://user:hunter2,ss@h":         "write them under username and password",
		"stomp://user:hunter2?x@h":          "write them under username and password",
		"stomp://user:hunter2/x@h":          "write them under username and password",
		"failover:(stomp://u:hunter2)ss@a)": "write them under username and password",
		"failover:(stomp://u:x(hunter2@a":   "write them under username and password",
		"failover:(stomp://a)?hunter2@":     "write them under username and password",
		"stomp+hunter2://x@h":               "write them under username and password",
	} {
		t.Run(in, func(t *testing.T) {
			u, err := ParseURL(in)
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Fatalf("%+v, %v; want %q", u, err, want)
			}
			if strings.Contains(err.Error(), "hunter2") {
				t.Errorf("the error holds the password: %v", err)
			}
		})
	}
}

func TestRequireNamesTheRightScheme(t *testing.T) {
	u, err := ParseURL("ssl://h")
	if err != nil {
		t.Fatal(err)
	}
	err = u.Require(STOMP)
	if err == nil || !strings.Contains(err.Error(), "ssl:// speaks OpenWire") || !strings.Contains(err.Error(), "stomp+ssl://HOST:61614") {
		t.Error(err)
	}
	if err := u.Require(OpenWire); err != nil {
		t.Error(err)
	}
}

func TestGuessPeer(t *testing.T) {
	for in, want := range map[string]string{
		"": "sent nothing", "HTTP/1.1 400": "HTTP", "AMQP\x03\x01\x00\x00": "AMQP", "\x00\x00\x01\x51\x01ActiveMQ": "OpenWire",
		"\x15\x03\x03\x00\x02\x02\x0a": "TLS", "SSH-2.0": "SSH", "CONNECTED\n": "STOMP", "garbage": `"garbage"`,
	} {
		if got := GuessPeer([]byte(in)); !strings.Contains(got, want) {
			t.Errorf("%q: %s", in, got)
		}
	}
}

func FuzzParseURL(f *testing.F) {
	f.Add("failover:(stomp://a:1,stomp+ssl://[::1]:2)?randomize=false")
	f.Add("stomp://u:p@h")
	f.Fuzz(func(t *testing.T, in string) {
		u, err := ParseURL(in)
		if err != nil {
			return
		}
		v, err := ParseURL(u.String())
		if err != nil || cmp.Diff(u, v) != "" {
			t.Fatalf("%q: %+v is printed as %s and read back as %+v, %v", in, u, u, v, err)
		}
	})
}
