package config_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"github.com/jmsbridge/jmsbridge/config"
)

const password = "hunter2-öß"

func TestSecretsAreNeverPrinted(t *testing.T) {
	secret := config.NewSecret(password)
	type hidden struct{ secret config.Secret } // fmt calls no methods of an unexported field
	prints := map[string]string{}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
		prints[verb] = fmt.Sprintf(verb, secret)
		prints["in a struct "+verb] = fmt.Sprintf(verb, config.Broker{Password: secret})
		prints["behind a pointer "+verb] = fmt.Sprintf(verb, &config.Config{Brokers: []config.Broker{{Password: secret}}})
		prints["hidden "+verb] = fmt.Sprintf(verb, hidden{secret})
	}
	j, err := json.Marshal(config.Broker{Password: secret})
	if err != nil {
		t.Fatal(err)
	}
	prints["JSON"] = string(j)
	y, err := yaml.Marshal(config.Broker{Password: secret})
	if err != nil {
		t.Fatal(err)
	}
	prints["YAML"] = string(y)
	var log bytes.Buffer
	core := zapcore.NewCore(zapcore.NewJSONEncoder(zapcore.EncoderConfig{MessageKey: "m"}), zapcore.AddSync(&log), zap.DebugLevel)
	zap.New(core).Debug("x", zap.Any("any", secret), zap.Stringer("stringer", secret), zap.Reflect("reflect", secret),
		zap.Any("struct", config.Broker{Password: secret}))
	zap.New(core).Sugar().Debugf("%v %+v", secret, config.Broker{Password: secret})
	prints["zap"] = log.String()
	for how, text := range prints {
		if strings.Contains(text, "hunter2") || strings.Contains(text, fmt.Sprintf("%x", password)) {
			t.Errorf("%s shows the secret: %s", how, text)
		}
		if !strings.HasPrefix(how, "hidden") && !strings.Contains(text, "REDACTED") && !strings.Contains(how, "pointer") {
			t.Errorf("%s does not say [REDACTED]: %s", how, text)
		}
	}
}

func TestErrorsNeverShowASecret(t *testing.T) {
	for _, value := range []string{"[hunter2]", "{a: hunter2}", "1234567", `"hunter2${"`, "hunter2 ${nonsense:hunter2", "hunter2${nonsense:hunter2}", "true", "stomp://hunter2@h"} {
		text := strings.Replace(minimal, "url: stomp://localhost:61613", "url: stomp://u:hunter2@localhost:61613\n    username: u\n    password: "+value, 1)
		lines := problems(t, text)
		if len(lines) == 0 {
			t.Errorf("%s: nothing is wrong with a URL that holds a password", value)
		}
		for _, line := range lines {
			if strings.Contains(line, "hunter2") || strings.Contains(line, "1234567") {
				t.Errorf("%s: %s", value, line)
			}
		}
	}
}

func TestErrorsNeverShowAPasswordInAURL(t *testing.T) {
	for _, url := range []string{
		"stomp://u:hunter2,x@h", "stomp://u:a,hunter2@h", "stomp://u:a,hunter2://x@h", "failover:(stomp://u:a,hunter2://x@h)",
		"failover:(stomp://u:a)hunter2@h", "hunter2://x@h", "u:hunter2@h",
	} {
		lines := problems(t, strings.Replace(minimal, "stomp://localhost:61613", `"`+url+`"`, 1))
		if len(lines) != 1 || strings.Contains(lines[0], "hunter2") || !strings.Contains(lines[0], "an address holds a user or password") {
			t.Errorf("%s: %q", url, lines)
		}
	}
}

func TestSecretIsReadAgainEachTime(t *testing.T) {
	folder := t.TempDir()
	path := filepath.Join(folder, "mq.password")
	write := func(s string) {
		t.Helper()
		if err := os.WriteFile(path, []byte(s), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("first\n")
	text := strings.Replace(minimal, "url:", "username: app\n    password: ${file:mq.password}\n    url:", 1)
	c, err := config.Parse(filepath.Join(folder, "bridge.yaml"), []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	secret := c.Brokers[0].Password
	if secret.IsLiteral() || !secret.IsSet() {
		t.Error("a reference counts as a value, or as nothing")
	}
	for _, content := range []string{"first\n", "second\n\n", "third", "fourth\r\n"} {
		write(content)
		want := strings.TrimSuffix(strings.TrimSuffix(content, "\n"), "\r")
		if got, err := secret.Reveal(t.Context()); err != nil || got != want {
			t.Errorf("Reveal = %q, %v, want %q", got, err, want)
		}
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	if _, err := secret.Reveal(t.Context()); err == nil {
		t.Error("a missing file reveals something")
	}
}

func TestReferences(t *testing.T) {
	folder := t.TempDir()
	if err := os.WriteFile(filepath.Join(folder, "big"), make([]byte, 65<<10), 0o600); err != nil {
		t.Fatal(err)
	}
	env := func(name string) (string, bool) { return "QUEUE", name == "Q" }
	for _, tc := range []struct{ value, want, problem string }{
		{value: "${env:Q}", want: "QUEUE"},
		{value: "a.${env:Q}.${env:Q}", want: "a.QUEUE.QUEUE"},
		{value: "$${env:Q}", want: "${env:Q}"},
		{value: "a$b$", want: "a$b$"},
		{value: "${env:NONE}", problem: "the environment variable NONE is not set"},
		{value: "${file:none}", problem: "no such file"},
		{value: "${file:big}", problem: "larger than 64KiB"},
		{value: "${vault:x}", problem: "is no reference"},
		{value: "${ssm:x}", problem: "is for secrets only"},
		{value: "${env:Q", problem: "${ is not closed"},
		{value: "${.type}", problem: "is a template, which this key does not take"},
	} {
		t.Run(tc.value, func(t *testing.T) {
			text := strings.Replace(minimal, "jms: {broker: mq, queue: orders}", "jms:\n        broker: mq\n        queue: "+tc.value, 1)
			c, err := config.Parse(filepath.Join(folder, "bridge.yaml"), []byte(text), config.WithEnv(env))
			if tc.problem != "" {
				if err == nil || !strings.Contains(err.Error(), tc.problem) || !strings.Contains(err.Error(), "bridge.yaml:9:16: routes[0].from.jms.queue: ") {
					t.Errorf("error = %v, want one with %q", err, tc.problem)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if got := c.Routes[0].From.JMS.Queue; got != tc.want {
				t.Errorf("queue = %q, want %q", got, tc.want)
			}
		})
	}
}

func TestRemoteSecretsNeedAResolver(t *testing.T) {
	text := strings.Replace(minimal, "url:", "username: app\n    password: ${ssm:/mq/password}\n    url:", 1)
	if got := problems(t, text); len(got) != 1 || !strings.Contains(got[0], "not supported yet") {
		t.Errorf("problems = %v", got)
	}
	c := parse(t, text, config.WithResolver("ssm", func(_ context.Context, ref string) (string, error) { return "at " + ref, nil }))
	if got, err := c.Brokers[0].Password.Reveal(t.Context()); err != nil || got != "at /mq/password" {
		t.Errorf("Reveal = %q, %v", got, err)
	}
}
