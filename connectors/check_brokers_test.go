//go:build integration

package connectors

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/jmsbridge/jmsbridge/test/brokers"
)

// Looking must leave every message where it is, on every broker: neither consumed, nor in flight, nor marked.
func TestCheckLeavesRealBrokersAsTheyAre(t *testing.T) {
	for _, kind := range brokers.Kinds() {
		t.Run(string(kind), func(t *testing.T) {
			b := brokers.Start(t, kind, brokers.Options{})
			b.Publish(t, "apps.look", brokers.Message{Body: "a"}, brokers.Message{Body: "b"}, brokers.Message{Body: "c"})
			waitQuiet(t, b, "apps.look", 3)
			report := checked(t, fmt.Sprintf(`brokers:
- {name: app, url: %[1]q, username: app, password: %[2]q, tls: {ca_file: %[3]q}}
- {name: writer, url: %[1]q, username: %[4]q, password: %[5]q, tls: {ca_file: %[3]q}}
routes:
- {name: look, from: {jms: {broker: app, queue: apps.look}}, to: [file: {path: %[6]q}]}
- {name: exclusive, from: {jms: {broker: app, queue: apps.look, exclusive: true}}, to: [jms: {broker: app, queue: apps.out}]}
- {name: written, from: {jms: {broker: writer, queue: apps.look}}, to: [file: {path: "-"}]}
`, b.URL("stomp+ssl"), b.Password(), b.CAFile(), brokers.Writer.Name, brokers.Writer.Password, filepath.Join(t.TempDir(), "out")), 20*time.Second)

			want := artemis
			if kind.Classic() {
				want = classic
			}
			for _, broker := range report.Brokers {
				if broker.Peer != want+" "+kind.Version() || broker.Error != "" {
					t.Errorf("broker = %+v", broker)
				}
			}
			for _, r := range report.Routes {
				source := r.Ends[0]
				switch {
				case r.Name == "written" && kind.Classic():
					if source.Class != "fatal" || !strings.Contains(source.Error, "not authorized to read") {
						t.Errorf("route %s: %+v", r.Name, source)
					}
				case source.Error != "":
					t.Errorf("route %s: %+v", r.Name, source)
				}
			}
			waitQuiet(t, b, "apps.look", 3)
			for _, m := range b.Drain(t, "apps.look") {
				if m.Header("redelivered") == "true" {
					t.Errorf("message %q was delivered before", m.Body)
				}
			}
		})
	}
}

// waitQuiet waits until a queue holds n messages, none of them in flight, and nobody consumes it. Artemis counts messages
// as in flight for a moment after they were sent, and Classic knows a consumer for a moment after it has gone.
func waitQuiet(t *testing.T, b *brokers.Broker, queue string, n int) {
	t.Helper()
	want := brokers.Depth{Messages: n}
	var got brokers.Depth
	var err error
	for deadline := time.Now().Add(10 * time.Second); time.Now().Before(deadline); {
		if got, err = b.Depth(t.Context(), queue); err != nil {
			t.Fatal(err)
		}
		if got == want {
			return
		}
	}
	t.Fatalf("depth of %s = %+v, want %+v", queue, got, want)
}
