//go:build integration

package e2e_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/jmsbridge/jmsbridge/bridge"
	"github.com/jmsbridge/jmsbridge/connectors/aws/awslocal"
	"github.com/jmsbridge/jmsbridge/test/brokers"
	"github.com/jmsbridge/jmsbridge/test/faultproxy"
)

// Routes that can't work and brokers that are none say so clearly, stay away from the others, and cost no memory.
func TestBadRoutesAndHostilePeersLeaveTheOthersAlone(t *testing.T) {
	const visitors = 5 // of each peer at once, so that there are enough visits although each waits longer than the one before
	b := classic6.Broker(t)
	e := startAWS(t, awslocal.Options{}, "good", "never")
	expired := faultproxy.OpenTLS(t, b.Addr("stomp"), b.Certificates().Server(brokers.Expired))
	wrongHost := faultproxy.OpenTLS(t, b.Addr("stomp"), b.Certificates().Server(brokers.WrongHost))
	peers := map[string]*hostilePeer{
		"huge-body":      startPeer(t, afterSubscribe(hugeBody)),
		"endless-header": startPeer(t, afterSubscribe(endlessHeader)),
		"many-headers":   startPeer(t, afterSubscribe(endlessHeaders)),
		"huge-connected": startPeer(t, hugeConnected),
		"silent":         startPeer(t, silence),
	}
	bad := []struct {
		name, broker string // the broker's part of the configuration; "": the good one
		state        bridge.State
		reason       []string // any of these, in lower case
	}{
		{"missing-queue", "", bridge.StateFatal, []string{"nonexistentqueue", "does not exist", "queuedoesnotexist"}},
		{"wrong-password", brokerYAML("wrong-password", b.URL("stomp"), brokers.User{Name: "app", Password: "wrong"}, ""), bridge.StateFatal, []string{"password is invalid"}},
		{"expired", brokerYAML("expired", "stomp+ssl://"+expired.Addr(), brokers.App, b.CAFile()), bridge.StateFatal, []string{"expired"}},
		{"wrong-host", brokerYAML("wrong-host", "stomp+ssl://"+wrongHost.Addr(), brokers.App, b.CAFile()), bridge.StateFatal, []string{"certificate is valid for", "doesn't contain any ip sans"}},
		{"untrusted", brokerYAML("untrusted", b.URL("stomp+ssl"), brokers.App, ""), bridge.StateFatal, []string{"unknown authority"}},
		{"may-not-read", brokerYAML("may-not-read", b.URL("stomp"), brokers.Writer, ""), bridge.StateFatal, []string{"not authorized"}},
		{"nobody", brokerYAML("nobody", "stomp://127.0.0.1:9", brokers.App, ""), bridge.StateReconnecting, []string{"refused"}},
		{"http", brokerYAML("http", "stomp://"+startHTTP(t), brokers.App, ""), "", []string{"http"}},
		{"silent", "", "", []string{"answer", "timeout", "deadline", "silen"}},
		{"huge-body", "", "", []string{"content-length", "larger", "limit", "4294967295"}},
		{"endless-header", "", "", []string{"header"}},
		{"many-headers", "", "", []string{"header"}},
		{"huge-connected", "", "", []string{"content-length", "larger", "limit", "4294967295"}},
	}
	brokerList := brokerYAML("mq", b.URL("stomp+ssl"), brokers.App, b.CAFile())
	routes := routeYAML("good", "proof4.good", "good", "dead_letter: drop")
	for _, r := range bad {
		name := r.name
		switch {
		case peers[name] != nil:
			brokerList += brokerYAML(name, "stomp://"+peers[name].addr(), brokers.App, "")
		case r.broker != "":
			brokerList += r.broker
		default:
			name = "mq"
		}
		target := "never"
		if r.name == "missing-queue" {
			target = "misspelt"
		}
		route := routeYAML(r.name, "proof4.bad."+r.name, target, "dead_letter: drop")
		if peers[name] != nil {
			route = withSource(route, "proof4.bad."+r.name, fmt.Sprintf("consumers: %d", visitors))
		}
		routes += strings.Replace(route, "broker: mq", "broker: "+name, 1)
	}
	o := &oracle{count: 5000, groups: 10}
	o.preload(t, b, "proof4.good")
	few := &oracle{count: 10, groups: 10}
	few.preload(t, b, "proof4.bad.missing-queue")

	p := startBridge(t, configuration(e, brokerList, routes))
	waitArrived(t, e, "good", o.count, time.Minute)
	for _, r := range bad {
		s := p.waitStatus(r.name, 60*time.Second, func(s bridge.RouteStatus) bool {
			if s.State == bridge.StateRunning || r.state != "" && s.State != r.state {
				return false
			}
			for _, want := range r.reason {
				if strings.Contains(strings.ToLower(s.Reason), want) {
					return true
				}
			}
			return false
		})
		t.Logf("%s: %s: %s (%s)", r.name, s.State, s.Reason, s.Remedy)
		if s.State == bridge.StateFatal && s.Remedy == "" {
			t.Errorf("%s: %q has no remedy", r.name, s.Reason)
		}
	}

	// The others go on while all of that goes on, and the memory stays where it is: from the first visits of each peer to
	// five more, at least.
	visits := func() map[string]int {
		all := map[string]int{}
		for name, h := range peers {
			all[name] = h.visits()
		}
		return all
	}
	firstVisits := visits()
	first, _ := p.memory()
	arrived := o.count
	more := &oracle{count: 1000, groups: 10}
	eventually(t, 90*time.Second, func() (bool, string) {
		more.preload(t, b, "proof4.good")
		arrived += more.count
		waitArrived(t, e, "good", arrived, time.Minute)
		<-time.After(500 * time.Millisecond) // a steady load, not as much as goes
		now := visits()
		for name, before := range firstVisits {
			if before == 0 || now[name] < before+visitors {
				return false, fmt.Sprintf("visits: %v, then %v", firstVisits, now)
			}
		}
		return true, ""
	})
	last, peak := p.memory()
	t.Logf("memory %d MiB, then %d MiB, peak %d MiB; visits %v, then %v", first>>20, last>>20, peak>>20, firstVisits, visits())
	if peak > 128<<20 || last > first+24<<20 {
		t.Errorf("memory grew from %d to %d MiB, peak %d MiB", first>>20, last>>20, peak>>20)
	}
	if n := expired.Counts(); n.Accepted == 0 {
		t.Error("nobody saw the expired certificate")
	}
	b.WaitDepth(t, "proof4.bad.missing-queue", few.count, 10*time.Second)
	if d := e.Depth("never"); d.Total() != 0 {
		t.Errorf("%d messages came out of nothing", d.Total())
	}
	if !p.running() {
		t.Error("the program has ended")
	}
	p.stop()
	b.WaitDepth(t, "proof4.bad.missing-queue", few.count, 10*time.Second)
	b.Drain(t, "proof4.bad.missing-queue")
}
