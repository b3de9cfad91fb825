package config_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/jmsbridge/jmsbridge/config"
)

// mistakes returns what is wrong with a configuration, one mistake a line.
func mistakes(t *testing.T, path, text string, opts ...config.Option) string {
	t.Helper()
	_, err := config.Parse(path, []byte(text), opts...)
	if err == nil {
		return ""
	}
	return err.Error()
}

func TestAnEndpointWithAPasswordIsRefusedAndNotPrinted(t *testing.T) {
	for _, url := range []string{"http://user:hunter2@localhost:4566", "user:hunter2@localhost"} {
		got := mistakes(t, "bridge.yaml", "aws: {endpoint_url: '"+url+"'}\n"+minimal)
		if !strings.HasPrefix(got, "bridge.yaml:1:21: aws.endpoint_url: it holds a user or password") || strings.Contains(got, "hunter2") {
			t.Errorf("%s: %s", url, got)
		}
	}
}

func TestAMergeWithoutAnAnchorIsAMistake(t *testing.T) {
	got := mistakes(t, "bridge.yaml", minimal+"    <<: *nope\n")
	if !strings.Contains(got, "routes[0]: << merges an alias that has no anchor") || strings.Contains(got, "\n") {
		t.Errorf("%q", got)
	}
}

func TestAFileThatIsNoUTF8IsRefusedWithItsLine(t *testing.T) {
	for text, want := range map[string]string{
		"# caf\xe9\n" + minimal:                  "bridge.yaml:1:6: this is no UTF-8: the byte 0xe9 is no character; save the file as UTF-8",
		minimal + "# K\xf6ln\n":                  "0xf6",
		"\xff\xfeb\x00r\x00o\x00":                "bridge.yaml:1:1: this is no UTF-8",
		"\ufeff# Köln, and a \ufffd\n" + minimal: "",
	} {
		got := mistakes(t, "bridge.yaml", text)
		if !strings.Contains(got, want) || (got == "") != (want == "") {
			t.Errorf("%q: %s", text[:8], got)
		}
	}
}

func TestAnEmptySecretIsRefused(t *testing.T) {
	folder := t.TempDir()
	for name, content := range map[string]string{"empty": "", "newline": "\n", "good": "x\n"} {
		if err := os.WriteFile(filepath.Join(folder, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	env := config.WithEnv(func(name string) (string, bool) { return map[string]string{"SET": "x"}[name], name != "NONE" })
	for reference, want := range map[string]string{
		"${env:EMPTY}": "${env:EMPTY} is empty", "${file:empty}": "${file:empty} is empty", "${file:newline}": "${file:newline} is empty",
		"${env:SET}": "", "${file:good}": "", "": "", "${env:EMPTY}${env:SET}": "", "${env:NONE}": "is not set",
	} {
		text := strings.Replace(minimal, "url: stomp://localhost:61613", "url: stomp://localhost:61613\n    username: u\n    password: \""+reference+"\"", 1)
		got := mistakes(t, filepath.Join(folder, "bridge.yaml"), text, env)
		if !strings.Contains(got, want) || (got == "") != (want == "") {
			t.Errorf("%s: %s", reference, got)
		}
	}
}

func TestASecretThatBecomesEmptyIsAnError(t *testing.T) {
	folder := t.TempDir()
	file := filepath.Join(folder, "password")
	if err := os.WriteFile(file, []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	text := strings.Replace(minimal, "url: stomp://localhost:61613", "url: stomp://localhost:61613\n    username: u\n    password: ${file:password}", 1)
	c, err := config.Parse(filepath.Join(folder, "bridge.yaml"), []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(file, 0); err != nil {
		t.Fatal(err)
	}
	if got, err := c.Brokers[0].Password.Reveal(t.Context()); err == nil || !strings.Contains(err.Error(), "${file:password} is empty") {
		t.Errorf("%q, %v", got, err)
	}
}

func TestAMistakeInABrokerIsNotOneOfEachRoute(t *testing.T) {
	for name, change := range map[string][2]string{
		"the key of the name": {"name: mq", "nam: mq"}, "no name": {"name: mq\n    url", "url"}, "the key of the brokers": {"brokers:", "brokrs:"},
	} {
		if text := strings.Replace(minimal, change[0], change[1], 1); text == minimal {
			t.Errorf("%s: nothing is changed", name)
		} else if got := mistakes(t, "bridge.yaml", text); got == "" || strings.Contains(got, "\n") {
			t.Errorf("%s: %s", name, got)
		}
	}
	if got := mistakes(t, "bridge.yaml", strings.Replace(minimal, "broker: mq", "broker: other", 1)); !strings.HasSuffix(got, `no broker is named "other"; known: mq`) {
		t.Errorf("another broker: %s", got)
	}
}

func TestTheFileOfATargetIsRelativeToTheConfiguration(t *testing.T) {
	const to = "  - name: files\n    from: {jms: {broker: mq, queue: q}}\n    to: [{file: {path: out.jsonl}}, {file: {path: '-'}}, {file: {path: /var/out.jsonl}}]\n"
	c, err := config.Parse("/etc/jmsbridge/bridge.yaml", []byte(minimal+to))
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range []string{"/etc/jmsbridge/out.jsonl", "-", "/var/out.jsonl"} {
		if got := c.Routes[len(c.Routes)-1].To[i].File.Path; got != want {
			t.Errorf("the path is %s, not %s", got, want)
		}
	}
}
