package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/zap"

	"github.com/jmsbridge/jmsbridge/config"
)

// logged returns what a logger with this configuration writes of one line at each level.
func logged(t *testing.T, c config.Log) string {
	t.Helper()
	var out bytes.Buffer
	log, err := newLogger(c, &out)
	if err != nil {
		t.Fatal(err)
	}
	fields := []zap.Field{zap.String("route", "orders"), zap.Int("count", 3), zap.Duration("wait", 1500*time.Millisecond), zap.Error(errors.New("broken"))}
	log.Debug("looking", fields...)
	log.Info("started", fields...)
	log.Warn("waiting", fields...)
	log.Error("stopped", fields...)
	return out.String()
}

func TestTheLogIsJSONLines(t *testing.T) {
	before := time.Now().Truncate(time.Second)
	var got []map[string]any
	for line := range strings.Lines(logged(t, config.Log{Level: "info", Format: config.LogJSON})) {
		var l map[string]any
		if err := json.Unmarshal([]byte(line), &l); err != nil {
			t.Fatalf("%v: %s", err, line)
		}
		text, _ := l["time"].(string)
		if at, err := time.Parse(time.RFC3339, text); err != nil || at.Before(before) || at.After(time.Now()) {
			t.Errorf("the time is %v, %v", l["time"], err)
		}
		delete(l, "time")
		got = append(got, l)
	}
	var want []map[string]any
	for _, l := range [][2]string{{"info", "started"}, {"warn", "waiting"}, {"error", "stopped"}} {
		want = append(want, map[string]any{"level": l[0], "msg": l[1], "route": "orders", "count": 3.0, "wait": "1.5s", "error": "broken"})
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestTheLogForPeople(t *testing.T) {
	var got []string
	for line := range strings.Lines(logged(t, config.Log{Level: "info", Format: config.LogConsole})) {
		got = append(got, regexp.MustCompile(`^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(Z|[+-]\d\d:\d\d)\t`).ReplaceAllString(line, "TIME\t"))
	}
	const fields = `{"route": "orders", "count": 3, "wait": "1.5s", "error": "broken"}` + "\n"
	want := []string{"TIME\tINFO\tstarted\t" + fields, "TIME\tWARN\twaiting\t" + fields, "TIME\tERROR\tstopped\t" + fields}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestTheLevelOfTheLog(t *testing.T) {
	for level, want := range map[string]int{"debug": 4, "info": 3, "warn": 2, "error": 1} {
		for _, format := range []config.LogFormat{config.LogJSON, config.LogConsole} {
			if got := strings.Count(logged(t, config.Log{Level: level, Format: format}), "\n"); got != want {
				t.Errorf("%s, %s: %d lines, want %d", level, format, got, want)
			}
		}
	}
	if _, err := newLogger(config.Log{Level: "loud"}, &bytes.Buffer{}); err == nil || !strings.Contains(err.Error(), "log.level") {
		t.Errorf("an unknown level: %v", err)
	}
}
