package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/jmsbridge/jmsbridge/config"
	"github.com/jmsbridge/jmsbridge/connectors/jms/stomp/stomplocal"
)

// command runs the program with args and returns its exit code and what it printed.
func command(t *testing.T, args ...string) (code int, out, errs string) {
	t.Helper()
	var stdout, stderr bytes.Buffer
	code = run(t.Context(), args, strings.NewReader(""), &stdout, &stderr)
	return code, stdout.String(), stderr.String()
}

// writeConfig writes a configuration with one route from a broker to a file, and returns its path.
func writeConfig(t *testing.T, url, more string) string {
	t.Helper()
	folder := t.TempDir()
	text := fmt.Sprintf(`brokers:
  - name: mq
    url: %q
routes:
  - name: orders
    from:
      jms: {broker: mq, queue: orders}
    to:
      - file: {path: %s}
%s`, url, filepath.Join(folder, "out"), more)
	path := filepath.Join(folder, "bridge.yaml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestCheckExitCodes(t *testing.T) {
	b, err := stomplocal.Start(stomplocal.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	good, dead := b.URL(), "stomp://127.0.0.1:1"
	for _, tc := range []struct {
		name string
		args []string
		code int
		out  string // somewhere on standard output
		errs string // somewhere on standard error
	}{
		{"all well", []string{"-c", writeConfig(t, good, "")}, exitDone, "ActiveMQ Classic", ""},
		{"a broker that is down", []string{"-c", writeConfig(t, dead, "")}, exitFailed, "ERROR (transient)", ""},
		{"a broker that is down, not asked", []string{"-c", writeConfig(t, dead, ""), "--offline"}, exitDone, "1 broker and 1 route, no mistakes", ""},
		{"mistakes", []string{"-c", writeConfig(t, good, "    ordr: none\n    drain: 5\n")}, exitUsage, "2 mistakes", ""},
		{"mistakes, offline", []string{"-c", writeConfig(t, good, "    ordr: none\n"), "--offline"}, exitUsage, `bridge.yaml:10:5: routes[0].ordr: unknown key "ordr"; did you mean "order"?`, ""},
		{"a template that can't be read", []string{"-c", writeConfig(t, good, "    group_id: ${.properties | }\n"), "--offline"}, exitUsage, "routes[0].group_id: template", ""},
		{"a URL that the connector refuses", []string{"-c", writeConfig(t, "failover:(stomp://localhost:1)?randomise=false", ""), "--offline"}, exitUsage, `bridge.yaml:3:10: brokers[0].url: failover option "randomise" is not known; the nearest known one is "randomize"`, ""},
		{"a port that is none", []string{"-c", writeConfig(t, "stomp://localhost:99999", ""), "--offline"}, exitUsage, "bridge.yaml:3:10: brokers[0].url: port 99999", ""},
		{"a function that the connector refuses", []string{"-c", writeConfig(t, good, "      - lambda: {function: 'a b'}\n")}, exitUsage, "is no name or ARN of a function", ""},
		{"no file", []string{"-c", filepath.Join(t.TempDir(), "none.yaml")}, exitUsage, "", "none.yaml"},
		{"an unknown flag", []string{"--ofline"}, exitUsage, "", "--help"},
		{"a timeout of nothing", []string{"-c", writeConfig(t, good, ""), "--timeout", "0s"}, exitUsage, "", "--timeout"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			code, out, errs := command(t, append([]string{"check"}, tc.args...)...)
			if code != tc.code || !strings.Contains(out, tc.out) || !strings.Contains(errs, tc.errs) || (errs == "") != (tc.errs == "") {
				t.Errorf("exit code %d, want %d\n%s\n%s", code, tc.code, out, errs)
			}
		})
	}
}

func TestTheExampleIsRight(t *testing.T) {
	t.Setenv("MQ_PASSWORD", "x")
	t.Setenv("REPLY_KEY", strings.Repeat("k", 44))
	if code, out, errs := command(t, "check", "--offline", "-c", "../../bridge.yaml.example"); code != exitDone || errs != "" {
		t.Errorf("exit code %d\n%s\n%s", code, out, errs)
	}
}

func TestCheckPrintsTheSameAsJSON(t *testing.T) {
	b, err := stomplocal.Start(stomplocal.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	path := writeConfig(t, b.URL(), "    order: strict\n")
	code, out, errs := command(t, "check", "-c", path, "--json")
	var result checkResult
	if err := json.Unmarshal([]byte(out), &result); err != nil || code != exitDone || errs != "" {
		t.Fatalf("exit code %d, %v\n%s\n%s", code, err, out, errs)
	}
	route := result.Report.Routes[0]
	if result.File != path || result.Errors != 0 || result.Warnings == 0 || route.Order == "" || route.Cost == "" || len(route.Ends) != 2 {
		t.Errorf("%+v", result)
	}
	_, table, _ := command(t, "check", "-c", path)
	for _, text := range append([]string{route.Settles, route.Order, route.From, route.To, route.Ends[0].Peer}, texts(&result)...) {
		if !strings.Contains(table, text) {
			t.Errorf("the table lacks %q:\n%s", text, table)
		}
	}
	code, out, _ = command(t, "check", "-c", writeConfig(t, b.URL(), "    x: 1\n"), "--json")
	result = checkResult{}
	if err := json.Unmarshal([]byte(out), &result); err != nil || code != exitUsage {
		t.Fatalf("exit code %d, %v\n%s", code, err, out)
	}
	if p := result.Problems; len(p) != 1 || p[0].Line != 10 || p[0].Path != "routes[0].x" || result.Report != nil {
		t.Errorf("%+v", result)
	}
}

// texts returns the texts of every warning.
func texts(r *checkResult) (all []string) {
	for _, b := range r.Report.Brokers {
		for _, w := range b.Warnings {
			all = append(all, w.Text)
		}
	}
	for _, route := range r.Report.Routes {
		for _, w := range route.Warnings {
			all = append(all, w.Text, w.Remedy)
		}
	}
	return all
}

func TestCheckNeverPrintsAPassword(t *testing.T) {
	path := filepath.Join(t.TempDir(), "bridge.yaml")
	text := `brokers:
  - {name: mq, url: "stomp://127.0.0.1:1", username: app, password: hunter2}
routes:
  - {name: r, from: {jms: {broker: mq, queue: q}}, to: [{file: {path: "-"}}]}
`
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{{}, {"--json"}, {"--offline"}} {
		_, out, errs := command(t, append([]string{"check", "-c", path}, args...)...)
		if strings.Contains(out+errs, "hunter2") || out == "" {
			t.Errorf("%v: %s%s", args, out, errs)
		}
	}
}

func TestSchemaIsThatOfTheConfiguration(t *testing.T) {
	want, err := config.Schema()
	if err != nil {
		t.Fatal(err)
	}
	if code, out, errs := command(t, "schema"); code != exitDone || out != string(want) || errs != "" {
		t.Errorf("exit code %d, %d bytes, %s", code, len(out), errs)
	}
}
