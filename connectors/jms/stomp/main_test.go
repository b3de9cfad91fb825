package stomp_test

import (
	"fmt"
	"os"
	"testing"

	"go.uber.org/goleak"
)

// stopBrokers stops what the integration tests have started.
var stopBrokers []func() error

func TestMain(m *testing.M) {
	code := m.Run()
	for _, stop := range stopBrokers {
		if err := stop(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			code = 1
		}
	}
	if err := goleak.Find(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}
