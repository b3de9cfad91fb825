package stomp_test

import (
	"strings"
	"testing"

	"github.com/go-stomp/stomp/v3/frame"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"

	"github.com/jmsbridge/jmsbridge/bridge"
	"github.com/jmsbridge/jmsbridge/connectors/jms/stomp"
)

func TestTheFirstLogLineOnArtemisSaysWhatTheWireCarries(t *testing.T) {
	refusing := func(f *frame.Frame) string {
		if f.Command == "SUBSCRIBE" {
			return "ERROR\nmessage:AMQ339016 Error creating subscription 1\n\n\x00\nCUT"
		}
		return polite(artemisHello)(f)
	}
	for _, tc := range []struct {
		name    string
		act     func(*frame.Frame) string
		refused bool
		want    []string // of two connects
	}{
		{"Artemis", polite(artemisHello), false, []string{"text and bytes only", "subscribed", "subscribed"}},
		{"Artemis that refuses", refusing, true, []string{"text and bytes only"}},
		{"Classic", polite(classicHello), false, []string{"subscribed", "subscribed"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s := newScript(t, tc.act)
			core, logs := observer.New(zapcore.DebugLevel)
			source := s.source(func(set *stomp.SourceSettings) { set.Log = zap.New(core) })
			for range 2 {
				if err := source.Connect(t.Context(), 1); (err != nil) != tc.refused {
					t.Fatal(err)
				}
			}
			lines := logs.All()
			if len(lines) != len(tc.want) {
				t.Fatalf("%d lines: %+v", len(lines), lines)
			}
			for i, want := range tc.want {
				if got := lines[i]; !strings.HasPrefix(got.Message, want) || got.ContextMap()[bridge.LogBroker] != "script" {
					t.Errorf("line %d is %q %v, want %q", i, got.Message, got.ContextMap(), want)
				}
			}
			if first := lines[0].Level; tc.name != "Classic" && first != zapcore.WarnLevel {
				t.Errorf("the first line is only %s", first)
			}
			if err := source.Close(t.Context()); err != nil {
				t.Error(err)
			}
		})
	}
}
