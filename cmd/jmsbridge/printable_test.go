package main

import (
	"bufio"
	"fmt"
	"net"
	"strings"
	"sync"
	"testing"
)

func TestPrintable(t *testing.T) {
	for in, want := range map[string]string{
		"":                      "",
		"déjà vu: 日本 ✓":         "déjà vu: 日本 ✓",
		"\x1b[31mred\x1b[0m":    `\x1b[31mred\x1b[0m`,
		"a\r\nb\tc\x00\x7f":     `a\x0d\x0ab\x09c\x00\x7f`,
		"\u009b2J":              `\u009b2J`,
		"\x9b2J\xff":            `\x9b2J\xff`,
		"a\u202egnp.exe\u2028z": `a\u202egnp.exe\u2028z`,
		"\ufffd":                "\ufffd",
	} {
		if got := printable(in); got != want {
			t.Errorf("printable(%q) is %q, want %q", in, got, want)
		}
	}
	if got := printableLines("a\n\tb\x1b"); got != "a\n\tb\\x1b" {
		t.Errorf("got %q", got)
	}
}

// hostile is a broker that answers each CONNECT with what it is given, and closes. It returns its URL.
func hostile(t *testing.T, answer string) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var serving sync.WaitGroup
	t.Cleanup(func() {
		_ = l.Close()
		serving.Wait()
	})
	serving.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			_, _ = bufio.NewReader(conn).ReadString(0)
			_, _ = fmt.Fprint(conn, answer)
			_ = conn.Close()
		}
	})
	return "stomp://" + l.Addr().String()
}

func TestNoCommandPassesABrokersControlCharactersOn(t *testing.T) {
	const refused = "ERROR\nmessage:no\x1b]0;owned\x07\x1b[2J\x1b[32m  ok\u009b1m   everything is fine\\n\x1b[0m\n\n\x00\n"
	const odd = "CONNECTED\nversion:1.2\nserver:ActiveMQ/6.1.7\x1b[2J\\nbroker mq  fine\n\n\x00\n"
	for _, answer := range []string{refused, odd} {
		url := hostile(t, answer)
		for _, args := range [][]string{
			{"check", "-c", writeConfig(t, url, "")},
			{"send", "queue:q", "x", "--url", url},
			{"receive", "queue:q", "--url", url},
		} {
			code, out, errs := command(t, args...)
			if code != exitFailed {
				t.Errorf("%v: exit code %d", args, code)
			}
			if i := strings.IndexFunc(out+errs, func(r rune) bool { return r < 0x20 && r != '\n' || r >= 0x7f && r < 0xa0 }); i >= 0 {
				t.Errorf("%v: %q", args, out+errs)
			}
			if answer == refused && !strings.Contains(out+errs, "[2J") {
				t.Errorf("%v says nothing of it: %s", args, out+errs)
			}
		}
	}
}
