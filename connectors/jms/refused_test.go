package jms

import (
	"net"
	"strings"
	"testing"

	"github.com/jmsbridge/jmsbridge/bridge"
)

func TestABrokerThatIsDownSaysWhatToCheck(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	port := l.Addr().(*net.TCPAddr).Port
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	_, err = (&Broker{}).Dial(t.Context(), Endpoint{Host: "127.0.0.1", Port: port})
	if e := bridge.AsError(err); err == nil || e.Class != bridge.Transient || !strings.Contains(e.Remedy, "the broker runs") {
		t.Errorf("%+v", e)
	}
}
