package stomp_test

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-stomp/stomp/v3/frame"

	"github.com/jmsbridge/jmsbridge/bridge"
)

// The peers stop before their window is full, or at its end, and go on with one message for each acknowledgement.
func TestAWindowThatShrinksWithoutDeliveriesIsRemarked(t *testing.T) {
	const credit, body = 100, 2000 // a window of 200 KiB
	for _, tc := range []struct {
		name      string
		ahead     int // messages that the peer sends unacknowledged
		suspected bool
	}{{"most of the window is missing", 20, true}, {"the window is whole", 95, false}} {
		t.Run(tc.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				sent, id := 0, ""
				next := func() string {
					sent++
					return artemis(sent, "", strings.Repeat("x", body))
				}
				s := newScript(t, func(f *frame.Frame) string {
					switch f.Command {
					case "SUBSCRIBE":
						id = f.Header.Get("id")
						answer := receiptOf(f)
						for range tc.ahead {
							answer += next()
						}
						return strings.ReplaceAll(answer, "SUB", id)
					case "ACK":
						return strings.ReplaceAll(next(), "SUB", id)
					}
					return polite(artemisHello)(f)
				})
				source := s.source(nil)
				if err := source.Connect(t.Context(), credit); err != nil {
					t.Fatal(err)
				}
				out := take(t, source, tc.ahead)
				for round := range 10 {
					if remarks := source.Remarks(); round < 2 && len(remarks) != 0 {
						t.Errorf("%d acknowledgements are no evidence: %q", round, remarks)
					}
					<-time.After(time.Second) // the peer is silent
					if err := out[0].Settle(bridge.Accept); err != nil {
						t.Fatal(err)
					}
					out = append(out[1:], take(t, source, 1)...)
				}
				remarks := strings.Join(source.Remarks(), "\n")
				if suspected := strings.Contains(remarks, "suspected StreamMessages"); suspected != tc.suspected {
					t.Errorf("remarks: %q", remarks)
				}
				if tc.suspected && !strings.Contains(remarks, " 16") { // of 200 KiB, 20 messages of 2 KB and their headers are there
					t.Errorf("remarks: %q, want about 160000 bytes", remarks)
				}
				if err := source.Close(t.Context()); err != nil {
					t.Error(err)
				}
				s.end()
			})
		})
	}
}
