package stomp_test

import (
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-stomp/stomp/v3/frame"

	"github.com/jmsbridge/jmsbridge/bridge"
	"github.com/jmsbridge/jmsbridge/connectors/jms"
	"github.com/jmsbridge/jmsbridge/connectors/jms/stomp"
)

func TestConsumersWithARefusedPasswordLogInEveryHalfMinuteInAll(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newScript(t, func(*frame.Frame) string {
			return "ERROR\nmessage:User name [app] or password is invalid.\n\n\x00\nCUT"
		})
		broker := s.broker()
		broker.Logins = &jms.Logins{}
		var consumers sync.WaitGroup
		for range 4 {
			source, err := stomp.NewSource(stomp.SourceSettings{Broker: broker, Destination: ordersQueue})
			if err != nil {
				t.Fatal(err)
			}
			consumers.Go(func() {
				for began := time.Now(); time.Since(began) < 119*time.Second; {
					err := source.Connect(t.Context(), 10)
					e := bridge.AsError(err)
					if e.Class != bridge.Fatal || e.Remedy == "" || e.After <= 0 {
						t.Errorf("%v", err)
					}
					<-time.After(max(e.After, time.Second))
				}
			})
		}
		consumers.Wait()
		if n := len(s.seen("CONNECT", "STOMP")); n < 3 || n > 5 {
			t.Errorf("%d logins in two minutes", n)
		}
	})
}

// That the broker is an Artemis, which reads some client ids otherwise, is known only after the first CONNECT.
func TestAClientIDIsSentAgainToABrokerThatReadsItOtherwise(t *testing.T) {
	for _, tc := range []struct {
		name, hello, id string
		logins          int
	}{
		{"Artemis", artemisHello, "a:b", 2},
		{"Artemis, and nothing to be read otherwise", artemisHello, "ab", 1},
		{"Classic", classicHello, "a:b", 1},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s := newScript(t, polite(tc.hello))
			source := s.source(func(set *stomp.SourceSettings) { set.Broker.ClientID = tc.id })
			if err := source.Connect(t.Context(), 7); err != nil {
				t.Fatal(err)
			}
			if err := source.Close(t.Context()); err != nil {
				t.Error(err)
			}
			if n := len(s.seen("CONNECT")); n != tc.logins {
				t.Errorf("%d logins, want %d", n, tc.logins)
			}
			if n := len(s.seen("SUBSCRIBE")); n != 1 {
				t.Errorf("%d subscriptions", n)
			}
		})
	}
}
