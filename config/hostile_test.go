package config_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/jmsbridge/jmsbridge/config"
)

// soon fails the test when f has not ended after a time that is far beyond what it needs.
func soon(t *testing.T, f func()) {
	t.Helper()
	done := make(chan struct{})
	go func() { defer close(done); f() }()
	select {
	case <-done:
	case <-time.After(30 * time.Second):
		t.Fatal("it does not end")
	}
}

func fifo(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "pipe")
	if err := syscall.Mkfifo(path, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestOnlyARegularFileIsAConfiguration(t *testing.T) {
	big := filepath.Join(t.TempDir(), "big")
	if err := os.WriteFile(big, make([]byte, 2<<20), 0o600); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{
		fifo(t):     "is a pipe, not a regular file",
		"/dev/zero": "is a device, not a regular file",
		t.TempDir(): "is a folder, not a regular file",
		big:         "is larger than 1MiB",
	} {
		soon(t, func() {
			if _, err := config.Load(path); err == nil || !strings.Contains(err.Error(), want) || !strings.HasPrefix(err.Error(), "reading the configuration: ") {
				t.Errorf("%s: %v", path, err)
			}
		})
	}
}

func TestOnlyARegularFileIsReferredTo(t *testing.T) {
	pipe := fifo(t)
	for _, key := range []string{"password", "username"} {
		for path, want := range map[string]string{pipe: "is a pipe, not a regular file", "/dev/zero": "is a device, not a regular file"} {
			text := strings.Replace(minimal, "url:", key+": ${file:"+path+"}\n    url:", 1)
			soon(t, func() {
				if lines := problems(t, text); len(lines) == 0 || !strings.Contains(lines[0], want) {
					t.Errorf("%s: %v", key, lines)
				}
			})
		}
	}
}

func TestASecretThatHasBecomeAPipeIsNoLongerRead(t *testing.T) {
	path := filepath.Join(t.TempDir(), "password")
	if err := os.WriteFile(path, []byte("first"), 0o600); err != nil {
		t.Fatal(err)
	}
	c := parse(t, strings.Replace(minimal, "url:", "username: u\n    password: ${file:"+path+"}\n    url:", 1))
	if err := errors.Join(os.Remove(path), syscall.Mkfifo(path, 0o600)); err != nil {
		t.Fatal(err)
	}
	soon(t, func() {
		if got, err := c.Brokers[0].Password.Reveal(t.Context()); err == nil || !strings.Contains(err.Error(), "a pipe") {
			t.Errorf("%q, %v", got, err)
		}
	})
}

func TestASecretIsNotWaitedForBeyondItsContext(t *testing.T) {
	path := filepath.Join(t.TempDir(), "password")
	if err := os.WriteFile(path, []byte("first"), 0o600); err != nil {
		t.Fatal(err)
	}
	c := parse(t, strings.Replace(minimal, "url:", "username: u\n    password: ${file:"+path+"}\n    url:", 1))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for range 1000 { // until the file is not faster
		if _, err := c.Brokers[0].Password.Reveal(ctx); errors.Is(err, context.Canceled) {
			return
		}
	}
	t.Error("an ended context is never noticed")
}

// doubled is a chain of blocks, each of which merges the one before it twice.
func doubled(n int) string {
	var b strings.Builder
	b.WriteString("brokers:\n  - &a0 {name: mq, url: \"stomp://localhost:1\"}\n")
	for i := range n {
		fmt.Fprintf(&b, "  - &a%d {<<: *a%d, <<: *a%d}\n", i+1, i, i)
	}
	return b.String()
}

func chained(n int) string {
	var b strings.Builder
	b.WriteString("brokers:\n")
	for i := n; i > 0; i-- {
		fmt.Fprintf(&b, "  - &a%d {<<: *a%d}\n", i, i-1)
	}
	return b.String() + "  - &a0 {name: mq, url: \"stomp://localhost:1\"}\n"
}

func TestAHostileFileIsRefusedSoon(t *testing.T) {
	deep := func(n int) string {
		var b strings.Builder
		for i := range n {
			b.WriteString(strings.Repeat(" ", i) + "a:\n")
		}
		return b.String()
	}
	aliases := "log: &s [" + strings.Repeat("x,", 5000) + "x]\nroutes:\n  - &r\n    name: x\n    to:\n" +
		strings.Repeat("      - sqs:\n          queue: q\n          attributes: *s\n", 2000) + strings.Repeat("  - *r\n", 5000)
	for name, tc := range map[string]struct{ text, want string }{
		"a block merged into itself":         {"brokers:\n  - &a {<<: *a, name: mq}\n", "2:9: brokers[0]: this merges a block into itself"},
		"two blocks merged into each other":  {"brokers:\n  - &a {<<: *b}\n  - &b {<<: *a}\n", "this merges a block into itself"},
		"a block merged into one below it":   {"routes: [&a {from: {<<: *a}}]\n", "unknown key"},
		"a chain of double merges":           {doubled(14), "more than 1000 blocks are merged"},
		"a longer chain of double merges":    {doubled(40), "more than 1000 blocks are merged"},
		"a chain of merges":                  {chained(40), "blocks are merged more than 16 levels deep"},
		"brackets":                           {strings.Repeat("[", 50<<10), "1:65: this is nested more than 64 levels deep"},
		"braces":                             {strings.Repeat("{a: ", 50<<10), "nested more than 64 levels deep"},
		"brackets, of which comments close":  {strings.Repeat("[ # ]\n", 1000), "65:1: this is nested more than 64 levels deep"},
		"dashes in a line":                   {strings.Repeat("- ", 50<<10), "nested more than 64 levels deep"},
		"dashes, each further to the right":  {strings.ReplaceAll(deep(100), "a:", "-"), "nested more than 64 levels deep"},
		"blocks, each further to the right":  {deep(1000), "nested more than 64 levels deep"},
		"explicit keys":                      {strings.Repeat("? ", 50<<10), "nested more than 64 levels deep"},
		"tags":                               {strings.Repeat("!!a ", 50<<10), "nested more than 64 levels deep"},
		"anchors":                            {strings.Repeat("&a ", 50<<10), "nested more than 64 levels deep"},
		"more keys than anybody writes":      {strings.Repeat("a: b\n", 50<<10), "this block has more than 10000 entries"},
		"aliases that stand for ten million": {aliases, "more than 200000 values"},
	} {
		t.Run(name, func(t *testing.T) {
			soon(t, func() {
				lines := problems(t, tc.text)
				if all := strings.Join(lines[:min(len(lines), 100)], "\n"); !strings.Contains(all, tc.want) {
					t.Errorf("%.2000s", all)
				}
			})
		})
	}
}

func TestMergeKeysAreRead(t *testing.T) {
	c := parse(t, strings.Replace(minimal, "routes:", `  - &base
    name: one
    url: stomp://localhost:1
    username: "u`+strings.Repeat("[{", 100)+`"
  - &next
    <<: *base
    name: two
  - <<: *next
    name: three # `+strings.Repeat("[", 100)+`
routes:`, 1))
	if b := c.Brokers[3]; b.Name != "three" || !strings.HasPrefix(b.Username, "u[{") || b.URL != "stomp://localhost:1" {
		t.Errorf("%+v", b)
	}
}
