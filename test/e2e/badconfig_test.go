//go:build integration

package e2e_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/jmsbridge/jmsbridge/bridge"
	"github.com/jmsbridge/jmsbridge/connectors/aws/awslocal"
	"github.com/jmsbridge/jmsbridge/test/brokers"
)

func TestUnknownKeyIsRefusedWithItsPlaceAndTheNearestKey(t *testing.T) {
	file := filepath.Join(t.TempDir(), "bridge.yaml")
	yaml := "brokers:\n  - name: mq\n    url: stomp://localhost:1\n    usrname: app\nroutes:\n" + routeYAML("r", "q", "t", "dead_letter: drop", "ordr: group")
	if err := os.WriteFile(file, []byte(yaml), 0o600); err != nil {
		t.Fatal(err)
	}
	p := runBridge(t, file)
	if code, _ := p.wait(10 * time.Second); code != 2 {
		t.Errorf("exit code %d, want 2", code)
	}
	for _, want := range []string{"bridge.yaml:4", "usrname", "username", "ordr", "order"} {
		if !strings.Contains(p.log.String(), want) {
			t.Errorf("the message does not name %q:\n%s", want, p.log.String())
		}
	}
}

func TestWrongCredentialsPauseTheRouteUntilTheyWork(t *testing.T) {
	b := classic6.Broker(t)
	e := startAWS(t, awslocal.Options{Keys: []awslocal.Key{{ID: "AKIDOTHER", Secret: "other"}}}, "orders", "orders-dlq")
	o := &oracle{count: 500, groups: 10}
	const queue = "proof4.credentials"
	o.preload(t, b, queue)
	p := startBridge(t, configuration(e, brokerYAML("mq", b.URL("stomp+ssl"), brokers.App, b.CAFile()),
		routeYAML("orders", queue, "orders", "dead_letter:", "  sqs:", "    queue: orders-dlq")))
	p.waitStatus("orders", 20*time.Second, func(s bridge.RouteStatus) bool {
		return s.State == bridge.StateFatal && strings.Contains(s.Reason, "InvalidClientTokenId")
	})
	b.WaitDepth(t, queue, o.count, 10*time.Second)
	if d := e.Depth("orders-dlq"); d.Total() != 0 {
		t.Errorf("%d messages were dead-lettered for a fault of the route", d.Total())
	}
	e.SetKeys() // any key signs from now on
	waitArrived(t, e, "orders", o.count, time.Minute)
	b.WaitDepth(t, queue, 0, 10*time.Second)
	p.stop()
	o.judge(t, e, "orders", false)
}
