package stomp_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-stomp/stomp/v3/frame"
)

func TestASinkClosesWellOverADeadConnectionWhereNothingIsOpen(t *testing.T) {
	for _, tc := range []struct {
		name string
		dies func(s *script) // before Close; nil: as an answer to DISCONNECT
	}{
		{"long dead", func(s *script) { s.end(); synctest.Wait() }},
		{"dead and not noticed yet", (*script).end},
		{"dies at the goodbye", nil},
	} {
		t.Run(tc.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newScript(t, func(f *frame.Frame) string {
					if f.Command == "DISCONNECT" {
						return "CUT"
					}
					return polite(classicHello)(f)
				})
				sink := s.sink(nil)
				if errs := send(t.Context(), t, sink, outgoing("a")); errs[0] != nil {
					t.Fatal(errs[0])
				}
				if tc.dies != nil {
					tc.dies(s)
				}
				if err := sink.Close(t.Context()); err != nil {
					t.Errorf("closing: %v", err)
				}
			})
		})
	}
}

func TestASinkSaysThatTheBrokerDoesNotAnswerTheGoodbye(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newScript(t, func(f *frame.Frame) string {
			if f.Command == "DISCONNECT" {
				return ""
			}
			return polite(classicHello)(f)
		})
		sink := s.sink(nil)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := sink.Close(ctx); err == nil {
			t.Error("closing went well, without an answer")
		}
	})
}
